"""What the page of metrics says of jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from voxgate.model.errors import VoxgateError
from voxgate_serving.metrics import Metric

_PATIENCE_S = 2.0
"""A reader of metrics goes away after ten seconds, and would then learn nothing of the rest either."""


class JobNumbers:
    """How many jobs there are in each state, in the records; asked for every reader of the page. Thread-safe.

    Args:
        count: answers how many jobs are in each state, every state named; may take as long as it likes.
        patience_s: how long it is waited for.
    """

    def __init__(self, count: Callable[[], Mapping[str, int]], patience_s: float = _PATIENCE_S) -> None:
        self._count = count
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._asking: _Asking | None = None

    def metrics(self) -> list[Metric]:
        """The numbers, where the records answer in time; and whether they do."""
        counts = self._counts()
        answers = "whether the database of jobs answered just now"
        up = Metric("voxgate_job_database_up", answers, "gauge", {}, int(counts is not None))
        text = "jobs in the records, by state"
        return [up, *(Metric("voxgate_jobs", text, "gauge", {"state": s}, n) for s, n in (counts or {}).items())]

    def _counts(self) -> Mapping[str, int] | None:
        with self._lock:
            asking = self._asking
            if asking is None or asking.is_done.is_set():
                asking = self._asking = _Asking(self._count)
        return asking.counts if asking.is_done.wait(self._patience_s) else None


class _Asking:
    """One question to the records, in a thread of its own."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self.counts: Mapping[str, int] | None = None
        self.is_done = threading.Event()
        self._count = count
        threading.Thread(target=self._ask, name="job-numbers", daemon=True).start()

    def _ask(self) -> None:
        try:
            self.counts = self._count()
        except VoxgateError:
            self.counts = None
        finally:
            self.is_done.set()
