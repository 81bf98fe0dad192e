"""Measuring contenders in rotation: every round runs each of them once, so that drift of the machine hits all alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROTATIONS = 3


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a row's work.

    Attributes:
        name: as the table shows it.
        answer: does the work once and says what came out, for the comparison before anything is measured.
        measure: does the work and says what it took, in the row's unit; less is better.
    """

    name: str
    answer: Callable[[], Any]
    measure: Callable[[], float]


def inline(name: str, run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> Contender:
    """A contender in this process, measured in seconds until its result is at hand."""

    def measure() -> float:
        begin = clock()
        result = run()
        seconds = clock() - begin
        del result
        return seconds

    return Contender(name, run, measure)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row's ratio should be.

    Attributes:
        limit: the ratio that has to be reached; None for a row without a target.
        aim: the ratio that is hoped for.
        at_most: whether smaller is better.
    """

    limit: float | None = None
    aim: float | None = None
    at_most: bool = False

    def met_by(self, ratio: float) -> bool:
        """Whether a ratio is on the right side of the limit."""
        if self.limit is None:
            return True
        return ratio <= self.limit if self.at_most else ratio >= self.limit


@dataclass(frozen=True, slots=True)
class Work:
    """A row with its data at hand.

    Attributes:
        contenders: the first is ours, the second is the one it is compared with; others are for orientation.
        same: whether two answers are the same; checked for all contenders before anything is measured.
        amount: how much one run does, in `amount_unit`; 0 where a rate means nothing.
        amount_unit: "MB" or "requests".
        unit: of what `measure` answers.
        most_rounds: where more rounds would tell nothing new.
        requests: contender -> HTTP requests that the store answered for one run, where that was counted.
    """

    contenders: Sequence[Contender]
    same: Callable[[Any, Any], bool]
    amount: float = 0.0
    amount_unit: str = "MB"
    unit: str = "s"
    most_rounds: int | None = None
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Some rounds in a row.

    Attributes:
        load: of the machine before the first round: runnable processes, averaged over a minute.
        taken: contender -> what each round took.
    """

    load: float
    taken: dict[str, tuple[float, ...]]

    def ratio(self, ours: str, peer: str) -> float:
        """Median of the peer / median of ours: how many times as good ours is."""
        return statistics.median(self.taken[peer]) / statistics.median(self.taken[ours])


@dataclass(frozen=True, slots=True)
class Result:
    """A row that was measured."""

    row: str
    title: str
    goal: Goal
    work: Work
    rotations: tuple[Rotation, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The contenders, ours first, then its peer."""
        return tuple(contender.name for contender in self.work.contenders)

    def ratios(self, name: str | None = None) -> tuple[float, ...]:
        """The ratio of a contender (ours if not given) to the peer, one for each rotation."""
        ours, peer = self.names[:2]
        return tuple(rotation.ratio(name or ours, peer) for rotation in self.rotations)

    @property
    def ratio(self) -> float:
        """The median of the rotations' ratios."""
        return statistics.median(self.ratios())

    @property
    def missed(self) -> bool:
        """Whether the ratio was on the wrong side of the limit in every single rotation."""
        return not any(self.goal.met_by(ratio) for ratio in self.ratios())

    def taken(self, name: str) -> list[float]:
        """What every round of a contender took, of all rotations."""
        return [value for rotation in self.rotations for value in rotation.taken[name]]

    def median(self, name: str) -> float:
        """The median of all rounds."""
        return statistics.median(self.taken(name))

    def spread(self, name: str) -> float:
        """(largest - least) / median: how far to trust the median."""
        values = self.taken(name)
        return (max(values) - min(values)) / self.median(name)

    def rate(self, name: str) -> float | None:
        """`amount_unit` a second."""
        return self.work.amount / self.median(name) if self.work.amount else None


class ContendersDiffer(Exception):
    """Two contenders answered differently, so comparing them means nothing."""


def rotate(row: str, work: Work, *, rounds: int) -> Iterator[Rotation]:
    """Compare all answers, warm up, then measure in rotation, `ROTATIONS` times.

    Raises:
        ContendersDiffer: when one answers something else than the first.
    """
    if rounds < 1:
        raise ValueError("at least one round is needed")
    first = work.contenders[0].answer()
    for contender in work.contenders[1:]:
        if not work.same(first, contender.answer()):
            raise ContendersDiffer(f"{row}: {contender.name} and {work.contenders[0].name} answer differently")
    del first
    rounds = min(rounds, work.most_rounds or rounds)
    if rounds > 1:
        for contender in work.contenders:
            contender.measure()
    for _ in range(ROTATIONS):
        yield _rotation(work.contenders, rounds)


def _rotation(contenders: Sequence[Contender], rounds: int) -> Rotation:
    load = os.getloadavg()[0]
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        # Whoever comes first would otherwise always come after the same other.
        turn = number % len(contenders)
        for contender in [*contenders[turn:], *contenders[:turn]]:
            taken[contender.name].append(contender.measure())
    return Rotation(load, {name: tuple(values) for name, values in taken.items()})
