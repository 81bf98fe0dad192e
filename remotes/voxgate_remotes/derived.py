"""What is derived from descriptions, kept while the original stays the same object.

Opening a volume must cost next to nothing, because every call of a server opens one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from voxgate.model.volumes import VolumeInfo

T = TypeVar("T")

_KEPT = 1024


class Derived(Generic[T]):
    """The last derivations, by key. Thread-safe: a race derives twice."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[VolumeInfo, T]] = {}

    def get(self, key: Hashable, original: VolumeInfo, derive: Callable[[VolumeInfo], T]) -> T:
        """What `derive` makes of `original`, or what it made of the very same object before."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] is original:
            return kept[1]
        derived = derive(original)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (original, derived)
        return derived


class DerivedInfos(Derived[VolumeInfo]):
    """Descriptions derived from other descriptions."""
