"""The server's byte budget: streams wait for their share and are shed rather than let memory grow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from voxgate.model.errors import ServerBusy
from voxgate.model.volumes import CallContext

_POLL_S = 0.25


class ByteBudget:
    """A number of bytes that all running calls share. Thread-safe."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
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
        waited = 0.0
        with self._changed:
            while self._free < amount:
                context.check()
                if waited >= patience_s:
                    raise ServerBusy("the server is at its memory budget", "try again in a moment", retry_after_s=1.0)
                self._changed.wait(_POLL_S)
                waited += _POLL_S
            self._free -= amount
        try:
            yield amount
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()
