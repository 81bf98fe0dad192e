"""The examples of the Python reference and of the guides beside it run, in order, against the sample."""

import re
from pathlib import Path

import numpy as np
import pytest

import voxgate
from voxgate_serving.settings import Configuration, parse_server
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import start_suite

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/python.md"


def blocks_of(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


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
    for block in blocks_of(PAGE):
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


@pytest.mark.parametrize("guide", ["transfer", "import-your-data"])
def test_the_guides_to_jobs_and_own_data_run_as_they_stand(sample, guide):
    with voxgate.connect() as client:
        names = {"np": np, "voxgate": voxgate, "client": client, "em": client.volume("fib25/em")}
        blocks = blocks_of(ROOT / f"docs/how-to/{guide}.md")
        assert blocks
        for block in blocks:
            exec(compile(block, guide, "exec"), names)
        if guide == "import-your-data":
            assert (names["mine"][4:9, 10:50, -7:] == 12).all()
            assert len(client.volume("scratch/mine").scales) == 2
            assert [entry.name for entry in client.volumes("scratch")] == ["scratch/mine"]
        else:
            assert len(names["manifest"]) > 0
