"""docs/tutorials/bossdb-dvid-round-trip.md, as it stands: configuration, repository, Python and commands."""

import json
import re
import shlex
import tomllib

import numpy as np
import pytest
import requests

from support.boss_remotes import held
from support.bossdb import bossdb_server
from support.dvid import dvid_server
from support.house import ROOT
from voxgate.cli.main import main
from voxgate_serving.settings import Configuration, parse_server
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import start_suite
from voxgate_transfer.transfers import open_transfer

PAGE = ROOT / "docs/tutorials/bossdb-dvid-round-trip.md"
BODIES = ("lab", "fly", "bodies")
BLOCK_BYTES = 1 << 20


def blocks_of(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks_of("sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def boss():
    with bossdb_server() as running:
        yield running


@pytest.fixture(scope="module")
def dvid():
    with dvid_server() as running:
        yield running


@pytest.fixture
def suite(boss, dvid, tmp_path, monkeypatch):
    """The suite of the page's own configuration, with the addresses of the test servers in it, and small blocks."""
    (document,) = blocks_of("toml")
    assert document.count("boss.lab.example") == document.count("dvid.lab.example:8000") == 1
    document = document.replace("bossdb://boss.lab.example", f"bossdb://http://{boss.address}")
    document = document.replace("dvid://dvid.lab.example:8000", f"dvid://http://{dvid.address}")
    monkeypatch.setenv("BOSS_TOKEN", boss.token)
    monkeypatch.setitem(open_transfer.__kwdefaults__, "task_bytes", BLOCK_BYTES)  # the sample is one block else
    chosen = parse_server({}, {"port": 0, "health_port": 0, "worker_processes": 0, "host": "127.0.0.1"})
    told = Configuration(chosen, tomllib.loads(document)["remotes"], ROOT / "samples" / "..")
    started = start_suite(configured_remotes(told, []), chosen, http=False)
    monkeypatch.setenv("VOXGATE_SERVER", started.server.address)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield started
    started.stop(1.0)


def make_repository(address: str, alias: str) -> None:
    """As the page has it done with curl."""
    (line,) = [each for each in commands() if each.startswith("curl")]
    _, _, method, url, _, data = shlex.split(line)
    assert url.startswith("http://dvid.lab.example:8000/")
    told = json.loads(data.replace("proofreading", alias))
    answer = requests.request(method, url.replace("dvid.lab.example:8000", address), json=told, timeout=60)
    assert answer.ok, answer.text


def test_the_round_trip_runs_as_it_is_written_and_brings_back_only_what_changed(suite, boss, dvid, capsys):
    for alias in ("proofreading", "second"):  # at once: for a while it is believed which repositories there are
        make_repository(dvid.address, alias)
    names: dict = {}
    for block in blocks_of("python"):
        if 'mode="update"' in block and "again" not in block:
            before = held(boss, names["bodies"].bounds, path=BODIES)
            boss.requests.clear()
        exec(compile(block, str(PAGE), "exec"), names)
        if "done =" in block:
            uploads = boss.requests.count("POST", "/cutout/")
    client, bodies, closed = names["client"], names["bodies"], names["closed"]
    after = held(boss, bodies.bounds, path=BODIES)
    np.testing.assert_array_equal(after[0], closed[...])
    changed = np.flatnonzero((before != after).any(axis=(0, 2, 3)))
    assert 0 < changed.size <= 4  # planes
    assert 0 < names["done"].skipped_block_count < names["blocks"]
    written = names["blocks"] - names["done"].skipped_block_count
    assert written <= 2
    assert 0 < uploads <= 2 * written
    sample = client.volume("fib25/seg")
    np.testing.assert_array_equal(names["original"][...], sample[...])
    said = capsys.readouterr().out
    assert f"{sample.shape} uint64" in said
    assert f"{written} of {names['blocks']} blocks differed and were written" in said
    assert f"dvid/proofreading/bodies {closed.version}" in said
    assert said.count("voxgate-provenance-") == 2
    assert main(["versions", "dvid/proofreading/bodies"]) == 0
    assert closed.version[:8] in capsys.readouterr().out
    ran = [each.replace("VERSION", closed.version) for each in commands() if each.startswith("voxgate transfer")]
    assert len(ran) == 2
    assert main(shlex.split(ran[0].replace("proofreading", "second"))[1:]) == 0
    assert main(shlex.split(ran[1])[1:]) == 0
    client.close()
