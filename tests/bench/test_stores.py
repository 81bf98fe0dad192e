"""The stores of the benchmark, and the figure of how they are read. No test here asserts how long anything takes."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.bench import __main__ as bench
from tests.bench import figure2, figure2_report
from tests.bench.figure2_stores import FULL, TINY, Reading, WrongVoxels, kinds
from tests.bench.processes import peer_python, store_server
from tests.bench.rows_stores import remote_of
from tests.bench.stores import BOSS_PATH, DVID_ALIAS, DVID_INSTANCE
from voxgate import Box, Vec3
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

START = (37, 70, 130)
SHAPE_ZYX = (61, 70, 83)
PATHS = {"bossdb": BOSS_PATH, "dvid": f"{DVID_ALIAS}/{DVID_INSTANCE}"}


@pytest.fixture(scope="module")
def array(tmp_path_factory):
    file = tmp_path_factory.mktemp("voxels") / "em.npy"
    np.save(file, np.random.default_rng(5).integers(1, 256, SHAPE_ZYX, np.uint8))
    return file


@pytest.mark.parametrize("kind", PATHS)
def test_a_store_has_the_voxels_of_a_file_where_they_are_said_to_be(kind, array):
    with store_server(kind, voxels=str(array), start=START) as store:
        remote = RemoteConfig.model_validate(remote_of(store))
        volume = Registry.from_config(RemotesConfig(remotes={"store": remote})).open(f"store/{PATHS[kind]}")
        bounds = volume.info.scales[0].bounds
        assert bounds == Box.at(Vec3(*START), Vec3.from_zyx(SHAPE_ZYX))
        before = store.requests
        store.delay(0.001)
        assert np.array_equal(volume.read(bounds)[0], np.load(array))
        assert store.requests == before + 1


def test_files_are_served_whole_counted_and_no_others(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(b"no")
    (tmp_path / "inside" / "one").write_bytes(bytes(range(256)) * 9000)
    with store_server("files", folder=str(tmp_path / "inside")) as store:
        with urllib.request.urlopen(f"http://{store.address}/one", timeout=60) as answer:
            assert answer.read() == bytes(range(256)) * 9000
        for name in ("two", "../secret", "%2e%2e/secret"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{store.address}/{name}", timeout=60)
        assert store.requests == 4


@pytest.fixture(scope="module")
def figure(tmp_path_factory):
    return figure2.measure(tmp_path_factory.mktemp("figure2"), TINY)


def test_every_store_is_read_in_every_way_near_and_far(figure):
    ways = {kind.name: len(kind.request_bytes) * 2 * (2 if kind.is_far else 1) for kind in kinds()}
    for name, count in ways.items():
        seen = [measured for point, measured in figure.items() if point.store == name]
        assert len(seen) == count * len(TINY.parallel)
        assert all(len(one.seconds) == TINY.passes and one.rate > 0 for one in seen)


def test_smaller_requests_are_more_and_a_shifted_box_never_has_fewer(figure):
    for kind in (one for one in kinds() if one.is_far):
        counts = {
            (point.request_bytes, point.aligned): seen.requests
            for point, seen in figure.items()
            if point.store == kind.name
        }
        sizes = sorted(kind.request_bytes)
        assert counts[sizes[0], True] > counts[sizes[-1], True] >= 1
        assert all(counts[size, False] >= counts[size, True] for size in sizes)


def test_boxes_of_the_figure_lie_in_what_is_stored():
    for plan in (FULL, TINY):
        whole = Box.at(Vec3(0, 0, 0), plan.volume)
        for shape, half in ((plan.large, Vec3(256, 256, 8)), (plan.small, Vec3(128, 128, 32))):
            assert whole.contains(Box.at(half, shape))


def test_a_reading_of_wrong_voxels_is_no_measurement():
    voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    reading = Reading(voxels, Vec3(2, 1, 1), lambda _: Vec3(2, 2, 2), lambda *_: None)
    box = reading.box(8, aligned=False)
    assert box == Box.at(Vec3(1, 1, 1), Vec3(2, 1, 1))
    reading.check(voxels[1:2, 1:2, 1:3], box)
    with pytest.raises(WrongVoxels):
        reading.check(voxels[1:2, 1:2, 0:2], box)


def test_the_figure_is_written_as_a_table_numbers_and_a_picture(figure, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(figure2, "measure", lambda folder, plan: figure)
    output = tmp_path / "results.json"
    assert bench.main(["--rows", "F2", "--data", str(tmp_path), "--output", str(output)]) == 0
    out = capsys.readouterr().out
    assert "BossDB, loopback" in out
    assert "precomputed, HTTP, 1 ms" in out
    points = json.loads(output.read_text())["figures"]["F2"]["points"]
    assert len(points) == len(figure)
    assert {"store", "latency_s", "request_bytes", "aligned", "parallel", "requests", "rate_MB_s"} <= set(points[0])
    assert (tmp_path / "results-F2.png").read_bytes()[1:4] == b"PNG"


def test_the_figure_fits_a_page(figure, tmp_path):
    figure2_report.plot(figure, tmp_path / "figure.png")
    assert 10_000 < (tmp_path / "figure.png").stat().st_size < 150_000


def test_rows_of_an_absent_peer_are_left_out_unless_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tests.bench.processes.ROOT", tmp_path)
    assert not peer_python("intern").exists()
    options = bench._options([])
    assert "R1" in options.rows
    assert not any(bench.ROWS[row].environment for row in options.rows)
    assert "R5" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        bench._options(["--rows", "R5"])
    assert "no environment for the peer intern: make peers" in capsys.readouterr().err
