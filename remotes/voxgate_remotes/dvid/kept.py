"""Answers remembered for a short while, because every call of a server opens its volume again."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST = 1024


class Kept(Generic[K, V]):
    """Values by key with the moment they were had. Thread-safe: two who miss at a time both ask."""

    def __init__(self) -> None:
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K, most_age_s: float) -> V | None:
        """The value, unless it is older."""
        kept = self._values.get(key)
        return kept[1] if kept is not None and time.monotonic() - kept[0] < most_age_s else None

    def last(self, key: K) -> V | None:
        """The value, however old."""
        kept = self._values.get(key)
        return None if kept is None else kept[1]

    def put(self, key: K, value: V, asked_at: float) -> V:
        """Remember a value as of the moment the store was asked for it, and answer it."""
        if len(self._values) >= _MOST:
            self._values.clear()
        self._values[key] = (asked_at, value)
        return value

    def forget(self, is_stale: Callable[[K, V], bool]) -> None:
        """Drop values that something was done to."""
        for key, (_, value) in list(self._values.items()):
            if is_stale(key, value):
                self._values.pop(key, None)
