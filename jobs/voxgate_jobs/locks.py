"""Locks by name: callers that mean the same thing take turns, the others do not wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator

from voxgate.model.volumes import CallContext

_SLICE_S = 0.2
"""How long a waiting call sleeps before it looks whether its caller is still there."""


class NamedLocks:
    """A lock for every name that somebody holds or waits for, and for no other."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def holding(self, name: Hashable, context: CallContext) -> Iterator[None]:
        """Hold the lock of `name`; waits while another thread does, for as long as the caller does.

        Raises:
            Cancelled, DeadlineExceeded: when the caller's patience ended first.
        """
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + 1)
        try:
            while not lock.acquire(timeout=_SLICE_S):
                context.check()
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                _, users = self._locks[name]
                if users == 1:
                    del self._locks[name]
                else:
                    self._locks[name] = (lock, users - 1)
