"""The examples of the Python reference run, in order, against the sample."""

import re
from pathlib import Path

import pytest

from voxgate_serving.settings import Configuration, parse_server
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import start_suite

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def sample(tmp_path, monkeypatch):
    settings = parse_server({}, {"port": 0, "health_port": 0, "worker_processes": 0, "host": "127.0.0.1"})
    suite = start_suite(configured_remotes(Configuration(settings, {}, ROOT), []), settings, http=False)
    monkeypatch.setenv("VOXGATE_SERVER", suite.server.address)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield suite
    suite.stop(0)


def test_the_examples_run_and_say_what_the_comments_say(sample, tmp_path, capsys):
    names = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    em, box = names["em"], names["box"]
    assert em[10:60, 5:77, 100:131].shape == (50, 72, 31)
    assert em.read(box).shape == (10, 40, 50)
    assert (names["out"] == em.read(box)).all()
    assert em.box_around((11500, 21000, 30500), 400).shape == em.box_around((11503, 21007, 30509), 400).shape
    assert [em.at_resolution((35, 35, 35), choose=c).scale_index for c in ("finer", "coarser", "nearest")] == [1, 2, 2]
    assert (names["copy"][0:2, :, 5] == 7).all()
    assert (names["copy"][2:] == names["seg"][2:]).all()
    assert (tmp_path / "body.obj").stat().st_size > 1000
    assert "nothing" in capsys.readouterr().out
    names["client"].close()
