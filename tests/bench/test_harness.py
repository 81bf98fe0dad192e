"""The harness itself: rotation, medians and refusals. No test here asserts how long anything takes."""

import json

import numpy as np
import pytest

from tests.bench.__main__ import ROWS, main
from tests.bench.data import tiled
from tests.bench.harness import Contender, ContendersDiffer, Result, Timing, Work, measure


def work(log: list[str], answers=(1, 1, 1)) -> Work:
    def contender(name: str, answer: int) -> Contender:
        return Contender(name, lambda: log.append(name) or answer)

    return Work([contender(n, a) for n, a in zip("abc", answers, strict=True)], lambda one, other: one == other, 10)


def test_contenders_run_once_to_compare_and_then_in_rotation():
    log: list[str] = []
    ticks = iter(range(1000))
    result = measure("X", "a title", work(log), rounds=4, clock=lambda: float(next(ticks)))
    assert "".join(log) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert [timing.seconds for timing in result.timings] == [(1.0,) * 4] * 3


def test_nothing_is_timed_when_answers_differ():
    log: list[str] = []
    with pytest.raises(ContendersDiffer, match="X: c and a answer differently"):
        measure("X", "", work(log, (1, 1, 2)), rounds=3)
    assert len(log) == 3


def test_the_ratio_says_how_many_times_as_fast_ours_is():
    ours, peer = Timing("ours", (2.0, 1.0, 3.0)), Timing("peer", (6.0, 4.0, 8.0))
    result = Result("X", "", 10, (ours, peer))
    assert result.ratio == 3.0
    assert result.round_ratios == (8 / 3, 4.0)
    assert ours.spread == 1.0


def test_tiles_are_mirrored_at_every_border():
    assert tiled(np.array([1, 2, 3]), (8,)).tolist() == [1, 2, 3, 3, 2, 1, 1, 2]
    assert tiled(np.array([[1, 2], [3, 4]]), (1, 3)).tolist() == [[1, 2, 2]]


def test_an_unknown_row_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--rows", "R1,Z9"])
    assert refused.value.code == 2
    assert f"unknown rows Z9; there are {','.join(ROWS)}" in capsys.readouterr().err


@pytest.mark.parametrize("row", ROWS)
def test_a_row_runs_and_is_written_down(row, tmp_path, capsys):
    """Its contenders answer alike, which is checked before anything is timed."""
    output = tmp_path / "results.json"
    assert main(["--rows", row, "--rounds", "1", "--output", str(output)]) == 0
    written = json.loads(output.read_text())["rows"][row]
    assert all(len(seconds) == 1 for seconds in written["seconds"].values())
    assert len(written["seconds"]) >= 2
    assert row in capsys.readouterr().out
