"""What cutouts that are worked on at the same time have to share: memory, and volumes that are merged into."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator


class Memory:
    """Bytes that all cutouts together may hold; who comes when they are held waits. For one event loop."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._held = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def held(self, wanted: int) -> AsyncIterator[None]:
        """Hold bytes, or all there are where more is wanted, for as long as the block runs."""
        size = min(wanted, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._held + size <= self._total)
            self._held += size
        try:
            yield
        finally:
            self._held -= size
            # In a task of its own: whoever was cancelled could not wait for the condition.
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Locks:
    """A lock for each name that somebody works on; those that nobody holds are forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, name: str) -> threading.Lock:
        """The lock of a name; the same for all who hold it."""
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())
