"""What a cache did so far, for its operator."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

COUNTERS = {
    "memory_hits": "chunks answered from memory",
    "disk_hits": "chunks answered from disk",
    "misses": "chunks that were asked of the store",
    "shared": "chunks that another caller was asking the store for already",
    "bypassed": "reads of chunks too large to be kept",
    "memory_evicted": "chunks that made room for others in memory",
    "disk_evicted": "files that made room for others on disk",
    "disk_damaged": "files that were not what they should be: not used, removed",
    "disk_failures": "times that the disk failed: full, gone, not permitted",
    "disk_skipped": "chunks that were not written, because the disk was behind or had just failed",
}
"""What is counted, since the process began."""
GAUGES = {
    "memory_bytes": "bytes held in memory",
    "disk_bytes": "bytes on disk, as far as this process knows",
}
"""What is so now."""


@dataclass(frozen=True, slots=True)
class CacheReport:
    """A cache as it is now.

    Attributes:
        remote: whose it is.
        counts: of COUNTERS, by name.
        gauges: of GAUGES, by name.
    """

    remote: str
    counts: dict[str, int]
    gauges: dict[str, int]

    @property
    def texts(self) -> dict[str, str]:
        """What each number is, for people."""
        return {**COUNTERS, **GAUGES}


class Counts:
    """Numbers of things by name. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count something of COUNTERS."""
        if count:
            with self._lock:
                self._counts[name] += count

    def all(self) -> dict[str, int]:
        """Every number of COUNTERS."""
        with self._lock:
            return {name: self._counts[name] for name in COUNTERS}
