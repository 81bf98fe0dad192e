"""The examples of the page on dask, xarray and napari run, in order, against the sample."""

import re

import numpy as np
import pytest

from support.house import ROOT
from voxgate_serving.settings import Configuration, parse_server
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import start_suite

PAGE = ROOT / "docs/how-to/use-with-dask-xarray-napari.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def sample(tmp_path, monkeypatch):
    settings = parse_server({}, {"port": 0, "health_port": 0, "worker_processes": 0, "host": "127.0.0.1"})
    suite = start_suite(configured_remotes(Configuration(settings, {}, ROOT), []), settings, http=False)
    monkeypatch.setenv("VOXGATE_SERVER", suite.server.address)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield suite
    suite.stop(0)


def test_the_examples_run_and_the_pyramid_is_what_napari_takes(sample):
    names = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    em, levels, region = names["em"], names["levels"], names["region"]
    assert len(levels) == len(em.scales) > 2
    for level, finer in zip(levels[1:], levels, strict=False):
        assert all(a <= b for a, b in zip(level.shape, finer.shape, strict=True))
        assert level.size < finer.size
        assert level.dtype == em.dtype
    np.testing.assert_array_equal(levels[0][3, 5:9, -7:].compute(), em[3, 5:9, -7:])
    np.testing.assert_array_equal(names["thumbnail"], np.asarray(em)[::8, ::8, ::8])
    # Voxels of 10 nm: centres from 30105 to 30195, 21005 to 21395, 11005 to 11395.
    start = em.bounds.start
    expected = em[3010 - start.z : 3020 - start.z, 2100 - start.y : 2140 - start.y, 1100 - start.x : 1140 - start.x]
    np.testing.assert_array_equal(region, expected)
