"""What is asked of a remote's store, for its operator: how often, how much, how long it took, what went wrong.

Counted between the adapter and its cache: what a cache answers is asked of nobody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from voxgate.model.errors import InternalError, VoxgateError
from voxgate.model.measures import Durations, Spread
from voxgate.model.tracing import Trace

T = TypeVar("T")

OPERATIONS = ("open", "list", "create", "delete", "read", "read_encoded", "write")
"""What is told apart."""


def _no_size(answer: object) -> int:  # noqa: ARG001  (the shape of those that have one)
    return 0


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """The requests to one remote since the process began.

    Attributes:
        remote: its name.
        durations: how long requests took, by operation; those that failed as well.
        sizes: bytes that were read or written, by operation: voxels as the caller has them, or encoded chunks.
        failures: how many ended with an error, by operation and reason.
    """

    remote: str
    durations: Mapping[str, Spread]
    sizes: Mapping[str, int]
    failures: Mapping[tuple[str, str], int]


class Traffic:
    """Counts the requests to one remote, and tells the trace of each. Thread-safe."""

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self._durations = {operation: Durations() for operation in OPERATIONS}
        self._lock = threading.Lock()
        self._sizes: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()

    def notice(
        self,
        operation: str,
        trace: Trace,
        work: Callable[[], T],
        *,
        volume: str = "",
        size_of: Callable[[T], int] = _no_size,
    ) -> T:
        """The answer of a request.

        Args:
            operation: of OPERATIONS.
            trace: of the call that it is for.
            work: makes the request.
            volume: of which volume, for the trace alone: its name in the remote.
            size_of: the bytes of an answer.
        """
        began = time.perf_counter()
        try:
            with trace.span(f"store.{operation}", {"voxgate.remote": self._remote, "voxgate.volume": volume}):
                answer = work()
        except Exception as error:
            reason = error.reason if isinstance(error, VoxgateError) else InternalError.reason
            with self._lock:
                self._failures[operation, reason] += 1
            raise
        finally:
            self._durations[operation].add(time.perf_counter() - began)
        size = size_of(answer)
        if size:
            with self._lock:
                self._sizes[operation] += size
        return answer

    def report(self) -> TrafficReport:
        """What was counted so far."""
        spreads = {operation: durations.spread() for operation, durations in self._durations.items()}
        with self._lock:
            sizes, failures = dict(self._sizes), dict(self._failures)
        return TrafficReport(
            self._remote, {name: each for name, each in spreads.items() if each.count}, sizes, failures
        )
