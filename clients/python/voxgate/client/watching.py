"""Ends calls whose caller went away. grpc has no call that waits for an event as well, so a thread looks at them."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Protocol

_PERIOD_S = 0.1
_IDLE_PERIODS = 50


class Cancellable(Protocol):
    """A running call."""

    def cancel(self) -> object:
        """End it; ending it twice does no harm."""
        ...


@dataclass(frozen=True, slots=True)
class _Watched:
    stop: threading.Event
    call: Cancellable


class Watcher:
    """Cancels each watched call soon after its stop event is set. Thread-safe, within one process.

    It has one thread, which starts with the first call and ends some seconds after the last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._watched: dict[int, _Watched] = {}
        self._thread: threading.Thread | None = None

    def watch(self, stop: threading.Event, call: Cancellable) -> int:
        """Watch a call until `forget` is called with the number that is answered, or the call was cancelled."""
        with self._lock:
            number = next(self._numbers)
            self._watched[number] = _Watched(stop, call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="voxgate-watch", daemon=True)
                self._thread.start()
        return number

    def forget(self, number: int) -> None:
        """Watch a call no longer; forgetting it twice does no harm."""
        with self._lock:
            self._watched.pop(number, None)

    def _run(self) -> None:
        idle = 0
        while idle < _IDLE_PERIODS:
            time.sleep(_PERIOD_S)
            with self._lock:
                stopped = [(number, each) for number, each in self._watched.items() if each.stop.is_set()]
                for number, _ in stopped:
                    del self._watched[number]
                idle = 0 if self._watched or stopped else idle + 1
                if idle == _IDLE_PERIODS:
                    # Under the lock, so that whoever comes next starts another.
                    self._thread = None
            for _, each in stopped:
                each.call.cancel()
