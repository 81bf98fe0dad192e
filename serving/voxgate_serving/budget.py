"""The server's byte budget: streams wait for their share and are shed rather than let memory grow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from voxgate.model.errors import ServerBusy
from voxgate.model.volumes import CallContext
from voxgate_serving.metrics import Metric

_POLL_S = 0.25


class ByteBudget:
    """A number of bytes that all running calls share. Thread-safe."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting = self._refused = 0
        self._changed = threading.Condition()

    @contextmanager
    def share(self, wanted: int, context: CallContext, *, patience_s: float = 10.0) -> Iterator[int]:
        """Hold up to `wanted` bytes for the time of a with-block; yields the number held.

        A caller that wants more than the whole budget is given the whole.

        Raises:
            ServerBusy: when no share came free within the patience or the deadline.
            Cancelled, DeadlineExceeded: when the caller's own patience ended.
        """
        amount = min(wanted, self._total)
        with self._changed:
            self._waiting += 1
            try:
                self._wait_for(amount, context, patience_s)
            finally:
                self._waiting -= 1
            self._free -= amount
        try:
            yield amount
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()

    def metrics(self, service: str) -> list[Metric]:
        """The bytes there are and those that calls hold, the calls that wait for some, and those that waited in vain.

        Args:
            service: whose budget it is.
        """
        with self._changed:
            used, waiting, refused = self._total - self._free, self._waiting, self._refused
        labels = {"service": service}
        return [
            Metric("voxgate_budget_bytes", "bytes that all calls share", "gauge", labels, self._total),
            Metric("voxgate_budget_used_bytes", "bytes that calls hold of the budget", "gauge", labels, used),
            Metric("voxgate_budget_waiting", "calls that wait for their share of the budget", "gauge", labels, waiting),
            Metric("voxgate_budget_refused_total", "calls that got no share in time", "counter", labels, refused),
        ]

    def _wait_for(self, amount: int, context: CallContext, patience_s: float) -> None:
        waited = 0.0
        while self._free < amount:
            context.check()
            if waited >= patience_s:
                self._refused += 1
                raise ServerBusy("the server is at its memory budget", "try again in a moment", retry_after_s=1.0)
            self._changed.wait(_POLL_S)
            waited += _POLL_S
