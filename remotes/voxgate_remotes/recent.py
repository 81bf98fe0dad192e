"""Values that are kept by key: the last ones, a bounded number; or those of the last seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key; of too many, the one that was put in longest ago goes. Thread-safe."""

    def __init__(self, most: int) -> None:
        """Keep at most so many."""
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """What is kept, if it is. Whoever goes on using it puts it in again."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value, in place of the one that was kept."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        """Keep it no longer, if it is kept."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Keep nothing of what is kept."""
        with self._lock:
            self._values.clear()

    def values(self) -> list[V]:
        """All that is kept, the one that was put in longest ago first."""
        with self._lock:
            return list(self._values.values())


class Believed(Generic[K, V]):
    """What was told of a key, for some seconds. Thread-safe."""

    def __init__(self, seconds: float, *, most: int = 1000, clock: Callable[[], float] = time.monotonic) -> None:
        """Believe for so long, of at most so many keys; with 0 seconds nothing is."""
        self._seconds = seconds
        self._clock = clock
        self._told: Recent[K, tuple[float, V]] = Recent(most)

    def get(self, key: K) -> V | None:
        """What was told lately enough."""
        found = self._told.get(key)
        return found[1] if found is not None and self._clock() < found[0] else None

    def put(self, key: K, value: V) -> None:
        """It was told now."""
        if self._seconds > 0:
            self._told.put(key, (self._clock() + self._seconds, value))

    def drop(self, key: K) -> None:
        """Believe it no longer."""
        self._told.drop(key)

    def clear(self) -> None:
        """Believe nothing of what was told until now."""
        self._told.clear()
