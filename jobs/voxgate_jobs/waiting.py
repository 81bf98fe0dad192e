"""Waking who waits for a job, within one process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Bells:
    """One bell for each who waits. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: dict[str, set[threading.Event]] = {}

    @contextlib.contextmanager
    def bell(self, name: str) -> Iterator[threading.Event]:
        """An event that is set whenever `name` rings, until the block ends."""
        event = threading.Event()
        with self._lock:
            self._bells.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._bells[name].discard(event)
                if not self._bells[name]:
                    del self._bells[name]

    def ring(self, name: str) -> None:
        """Wake everybody who waits for `name`."""
        with self._lock:
            for event in self._bells.get(name, ()):
                event.set()
