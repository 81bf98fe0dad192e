"""Progress of jobs: lines with rate and time left, and a bar that does not count what was done before."""

import io
import sys

import pytest

from voxgate.client.bars import lines, shown

MIB = 1 << 20


@pytest.fixture
def clock():
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    return Clock()


def test_a_line_comes_with_each_phase_every_ten_seconds_and_at_the_end(clock):
    said = io.StringIO()
    meter = lines("jobs/7", said, clock)
    for seconds, phase, done in ((0, "", 0), (0, "copying", 20), (9, "copying", 25), (1, "copying", 30)):
        clock.now += seconds
        meter(phase, done * MIB, 100 * MIB)
    clock.now += 5
    meter("copying", 99 * MIB, 100 * MIB)
    meter("copying", 100 * MIB, 100 * MIB)
    assert said.getvalue().splitlines() == [
        "jobs/7: 0.0 of 100.0 MiB (0 %)",
        "copying: 20.0 of 100.0 MiB (20 %)",
        "copying: 30.0 of 100.0 MiB (30 %), 1.0 MiB/s, 70 s left",
        "copying: 100.0 of 100.0 MiB (100 %), 5.3 MiB/s",
    ]


def test_small_and_large_jobs_are_told_in_their_own_units(clock):
    said = io.StringIO()
    meter = lines("copying", said, clock)
    meter("", 500, 2000)
    meter("large", 0, 3 << 30)
    clock.now += 10
    meter("large", 3 << 29, 3 << 30)
    assert said.getvalue().splitlines() == [
        "copying: 0.5 of 2.0 KiB (25 %)",
        "large: 0.0 of 3.0 GiB (0 %)",
        "large: 1.5 of 3.0 GiB (50 %), 153.6 MiB/s, 10 s left",
    ]


def test_an_unknown_total_is_not_made_up(clock):
    said = io.StringIO()
    meter = lines("planning", said, clock)
    meter("", 3 * MIB, 0)
    meter("", 4 * MIB, 0)
    assert said.getvalue() == "planning: 3.0 MiB\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("has_rich", [True, False])
def test_a_terminal_has_a_bar_where_rich_is_there_and_lines_else(monkeypatch, has_rich):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if has_rich else None)
    with shown("copying") as meter:
        meter("copying", 50 * MIB, 100 * MIB)
        meter("copying", 60 * MIB, 100 * MIB)
    said = sys.stderr.getvalue()
    assert ("\x1b[" in said) is has_rich
    assert ("copying: 50.0 of 100.0 MiB (50 %)" in said) is not has_rich
    # What was there at the first word was not copied in no time.
    assert "GB/s" not in said
