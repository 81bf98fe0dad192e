"""The values that were used last, a bounded number of them: opened volumes are kept so."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
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

    def values(self) -> list[V]:
        """All that is kept, the one that was put in longest ago first."""
        with self._lock:
            return list(self._values.values())
