"""Timing contenders in rotation: every round runs each of them once, so that drift of the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a row's work. `run` answers what it produced, for the comparison before the timing."""

    name: str
    run: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Work:
    """A row with its data at hand.

    Attributes:
        contenders: the first is ours, the second is the one it is compared with; others are for orientation.
        same: whether two results are the same; checked for all contenders before anything is timed.
        voxel_bytes: raw bytes of the voxels that one run works through.
    """

    contenders: Sequence[Contender]
    same: Callable[[Any, Any], bool]
    voxel_bytes: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one contender, one for each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """(largest - least) / median: how far to trust the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


@dataclass(frozen=True, slots=True)
class Result:
    """A row that was measured."""

    row: str
    title: str
    voxel_bytes: int
    timings: tuple[Timing, ...]

    @property
    def ratio(self) -> float:
        """How many times as fast as the second contender the first is, of medians."""
        return self.timings[1].median / self.timings[0].median

    @property
    def round_ratios(self) -> tuple[float, float]:
        """The least and the largest ratio within one round."""
        ratios = [b / a for a, b in zip(self.timings[0].seconds, self.timings[1].seconds, strict=True)]
        return min(ratios), max(ratios)


class ContendersDiffer(Exception):
    """Two contenders answered differently, so comparing their times means nothing."""


def measure(row: str, title: str, work: Work, *, rounds: int, clock: Callable[[], float] = time.perf_counter) -> Result:
    """Run every contender once to warm up and compare, then time them in rotation.

    Raises:
        ContendersDiffer: when one answers something else than the first.
    """
    if rounds < 1:
        raise ValueError("at least one round is needed")
    first = work.contenders[0].run()
    for contender in work.contenders[1:]:
        if not work.same(first, contender.run()):
            raise ContendersDiffer(f"{row}: {contender.name} and {work.contenders[0].name} answer differently")
    del first
    seconds: dict[str, list[float]] = {contender.name: [] for contender in work.contenders}
    for number in range(rounds):
        turn = number % len(work.contenders)
        for contender in [*work.contenders[turn:], *work.contenders[:turn]]:
            begin = clock()
            contender.run()
            seconds[contender.name].append(clock() - begin)
    return Result(row, title, work.voxel_bytes, tuple(Timing(name, tuple(all_)) for name, all_ in seconds.items()))
