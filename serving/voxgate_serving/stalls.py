"""Streams whose caller neither takes nor sends anything: borne while there is room, ended when others wait for it.

A stream holds a thread until it ends. A caller that opens some and leaves them would otherwise hold every thread of a
server until the streams' deadline.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from voxgate_serving.logs import logger

PATIENCE_S = 5.0
"""How long a stream may stand still while other calls wait for a thread: more than a slow line needs for a message."""
_LOOK_S = 0.5


class StallWatch:
    """Ends the streams that stand still, the longest first, one for each call that waits. Thread-safe.

    Args:
        waiting: how many calls wait for a thread now.
        patience_s: how long a stream may stand still meanwhile.
    """

    def __init__(self, waiting: Callable[[], int], patience_s: float = PATIENCE_S) -> None:
        self._waiting = waiting
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._still: dict[int, tuple[float, Callable[[], object]]] = {}
        self._next = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End no stream any more."""
        self._stopped.set()

    @contextlib.contextmanager
    def standing_still(self, end: Callable[[], object]) -> Iterator[None]:
        """For as long as a stream's thread waits for its caller.

        Args:
            end: ends the stream.
        """
        with self._lock:
            self._next += 1
            number = self._next
            self._still[number] = (time.monotonic(), end)
        try:
            yield
        finally:
            with self._lock:
                self._still.pop(number, None)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            self.look()

    def look(self) -> None:
        """End what has stood still for too long, if anybody waits for its thread."""
        wanted = self._waiting()
        if not wanted:
            return
        latest = time.monotonic() - self._patience_s
        with self._lock:
            late = [(number, end) for number, (since, end) in self._still.items() if since <= latest][:wanted]
            for number, _ in late:
                del self._still[number]
        for _, end in late:
            logger().warning("a stream whose caller stands still was ended: other calls wait for its thread")
            end()
