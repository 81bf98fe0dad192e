"""The harness itself: rotation, medians, misses and refusals. No test here asserts how long anything takes."""

import importlib.util
import json
import shutil
import socket

import numpy as np
import pytest

from tests.bench.__main__ import FIGURE, ROWS, main
from tests.bench.data import Data, tiled
from tests.bench.harness import ROTATIONS, Contender, ContendersDiffer, Goal, Result, Rotation, Work, inline, rotate
from tests.bench.player import _digest
from tests.bench.processes import has_environment
from tests.bench.report import plot
from tests.bench.rows_transport import counting_proxy


def work(log: list[str], answers=(1, 1, 1), **more) -> Work:
    def contender(name: str, answer: int) -> Contender:
        return Contender(name, lambda: log.append(name.upper()) or answer, lambda: log.append(name) or 1.0)

    contenders = [contender(n, a) for n, a in zip("abc", answers, strict=True)]
    return Work(contenders, lambda one, other: one == other, **more)


def result(*rotations: tuple[tuple[float, ...], tuple[float, ...]], goal: Goal) -> Result:
    measured = tuple(Rotation(0.0, {"a": ours, "b": peer}) for ours, peer in rotations)
    two = Work([Contender(name, lambda: 0, lambda: 0.0) for name in "ab"], lambda one, other: True, amount=12.0)
    return Result("X", "", goal, two, measured)


def test_contenders_answer_once_warm_up_and_are_then_measured_in_rotation():
    log: list[str] = []
    rotations = list(rotate("X", work(log), rounds=4))
    assert "".join(log) == "ABC" + "abc" + ("abc" + "bca" + "cab" + "abc") * ROTATIONS
    assert [rotation.taken for rotation in rotations] == [dict.fromkeys("abc", (1.0,) * 4)] * ROTATIONS


def test_rounds_that_would_tell_nothing_new_are_left_out():
    log: list[str] = []
    list(rotate("X", work(log, most_rounds=1), rounds=9))
    assert "".join(log) == "ABC" + "abc" * ROTATIONS


def test_nothing_is_measured_when_answers_differ():
    log: list[str] = []
    with pytest.raises(ContendersDiffer, match="X: c and a answer differently"):
        next(rotate("X", work(log, (1, 1, 2)), rounds=3))
    assert "".join(log) == "ABC"


def test_the_ratio_says_how_many_times_as_fast_ours_is():
    one = result(((2.0, 1.0, 3.0), (6.0, 4.0, 8.0)), ((1.0, 1.0), (5.0, 5.0)), ((1.0,), (4.0,)), goal=Goal(3.5))
    assert one.ratios() == (3.0, 5.0, 4.0)
    assert one.ratio == 4.0
    assert one.ratios("b") == (1.0, 1.0, 1.0)
    assert one.median("a") == 1.0
    assert one.spread("a") == 2.0
    assert one.rate("a") == 12.0


@pytest.mark.parametrize(
    ("goal", "missed"),
    [
        (Goal(3.0), False),
        (Goal(4.5), False),
        (Goal(5.5), True),
        (Goal(), False),
        (Goal(3.5, at_most=True), False),
        (Goal(2.5, at_most=True), True),
    ],
)
def test_a_row_is_missed_when_it_is_missed_in_every_rotation(goal, missed):
    one = result(((1.0,), (3.0,)), ((1.0,), (5.0,)), ((1.0,), (4.0,)), goal=goal)
    assert one.missed == missed


def test_a_measurement_ends_when_the_result_is_at_hand():
    ticks = iter((1.0, 4.0))
    assert inline("a", lambda: [1], lambda: next(ticks)).measure() == 3.0


def test_digests_tell_voxels_types_and_shapes_apart_but_not_memory_orders():
    voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert _digest(lambda: voxels) == _digest(lambda: np.asfortranarray(voxels))
    others = [voxels + np.uint8(1), voxels.reshape(3, 2, 4), voxels.astype(np.int8), voxels[::-1]]
    assert len({_digest(lambda one=one: one) for one in [voxels, *others]}) == 5


def test_a_proxy_passes_bytes_on_and_counts_what_comes_back():
    with socket.create_server(("127.0.0.1", 0)) as listener, counting_proxy(listener.getsockname()[1]) as proxy:
        host, _, port = proxy.address.partition(":")
        with socket.create_connection((host, int(port)), 10) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"ask")
                assert server.recv(10) == b"ask"
                server.sendall(b"an answer")
            assert client.makefile("rb").read() == b"an answer"
        assert proxy.received == 9


def test_tiles_are_mirrored_at_every_border():
    assert tiled(np.array([1, 2, 3]), (8,)).tolist() == [1, 2, 3, 3, 2, 1, 1, 2]
    assert tiled(np.array([[1, 2], [3, 4]]), (1, 3)).tolist() == [[1, 2, 2]]


def test_the_misaligned_box_is_the_same_share_of_any_cube(tmp_path):
    assert str(Data(tmp_path).misaligned) == str(Data(tmp_path, 512).misaligned)
    x, y, z = Data(tmp_path).misaligned.start
    assert (x, y, z) == (1088 + 101, 2056 + 117, 3000 + 93)
    assert Data(tmp_path).misaligned.voxel_count == 256**3
    small = Data(tmp_path, 128)
    assert small.whole.contains(small.misaligned)
    assert small.misaligned.voxel_count == 64**3


def test_an_unknown_row_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--rows", "R1,Z9"])
    assert refused.value.code == 2
    assert f"unknown rows Z9; there are {','.join((*ROWS, FIGURE))}" in capsys.readouterr().err


def test_rows_without_a_target_are_left_out_of_the_plot(tmp_path):
    free = result(((1.0,), (3.0,)), goal=Goal())
    plot([free], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    plot([free, result(((1.0,), (3.0,)), goal=Goal(2.0))], tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


TELLING = ("R1", "R5", "R5d", "H1", "G1", "G5", "G8", "C1", "M0", "M1", "M2b")
"""A row of each kind; the others are made as these are, of other boxes, volumes or latencies, and run with the rest."""

COUNTED = ("R5", "R6", "H3")
"""Rows of far stores, which say how often they were asked."""
ANSWERED_BY_THE_CACHE = dict.fromkeys(("H3", "H3d", "H3l"), ("through the cache",))
"""Contenders that ask no store any more once they have run, by row."""


@pytest.mark.parametrize("row", [pytest.param(row, marks=[pytest.mark.full] * (row not in TELLING)) for row in ROWS])
def test_a_row_runs_and_is_written_down(row, volumes, tmp_path, capsys):
    """Its contenders answer alike, which is checked before anything is measured."""
    missing = [module for module in ROWS[row].modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"make bench installs {', '.join(missing)}")
    peer = ROWS[row].environment
    if peer and not has_environment(peer):
        pytest.skip(f"no environment for the peer {peer}: make peers")
    for program in ROWS[row].programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed on this system")
    output = tmp_path / "results.json"
    small = ["--rounds", "1", "--edge", "128", "--data", str(volumes)]
    assert main(["--rows", row, *small, "--output", str(output)]) == 0
    written = json.loads(output.read_text())["rows"][row]
    assert len(written["rotations"]) == ROTATIONS
    for rotation in written["rotations"]:
        assert len(rotation["taken"]) >= 2
        assert all(len(values) == 1 and values[0] > 0 for values in rotation["taken"].values())
    out = capsys.readouterr().out
    assert row in out
    counted = written.get("requests", {})
    for name, requests in counted.items():
        assert (requests == 0) == (name in ANSWERED_BY_THE_CACHE.get(row, ()))
        assert f"{name}: {requests} request" in out
    assert bool(counted) == row.startswith(COUNTED)
