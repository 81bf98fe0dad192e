"""How long things take, counted in buckets: what a histogram of Prometheus is made of."""

from __future__ import annotations

import bisect
import itertools
import threading
from dataclasses import dataclass

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper ends of the buckets, seconds: a chunk from memory takes one millisecond, a bulk stream minutes."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How long things took.

    Attributes:
        below: how many took no longer than each of BOUNDS_S, cumulative.
        count: how many there were.
        total_s: how long all took together, seconds.
    """

    below: tuple[int, ...]
    count: int
    total_s: float


class Durations:
    """Counts durations. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        bucket = bisect.bisect_left(BOUNDS_S, seconds)
        with self._lock:
            self._buckets[bucket] += 1
            self._total_s += seconds

    def spread(self) -> Spread:
        """What was counted so far."""
        with self._lock:
            buckets, total_s = list(self._buckets), self._total_s
        *below, count = itertools.accumulate(buckets)
        return Spread(tuple(below), count, total_s)
