"""What was made and has no voxels yet: collections, frames and experiments, until a channel is in them.

BossDB makes them one by one; a volume here is made in one go, when its channel is. Until then the gateway remembers
them for whoever made them, in memory: a restart forgets them, and clients make them again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
_MOST = 4096


@dataclass(frozen=True)
class Projects:
    """Documents by whose they are and what they are about, the oldest dropped. Thread-safe."""

    _kept: OrderedDict[tuple[str, ...], Document] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, owner: str, *address: str) -> Document | None:
        """The document at an address: "collection", C; "experiment", C, E; "coord", F."""
        with self._lock:
            return self._kept.get((owner, *address))

    def put(self, document: Document, owner: str, *address: str) -> None:
        """Remember a document, in the place of any other."""
        with self._lock:
            self._kept[owner, *address] = document
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def drop(self, owner: str, *address: str) -> bool:
        """Forget one; whether it was there."""
        with self._lock:
            return self._kept.pop((owner, *address), None) is not None

    def has(self, owner: str, field: str, value: str) -> bool:
        """Whether a document says this of a field."""
        with self._lock:
            return any(key[0] == owner and each.get(field) == value for key, each in self._kept.items())

    def below(self, owner: str, *address: str) -> list[str]:
        """The last part of all addresses that begin so and are one longer."""
        start = (owner, *address)
        with self._lock:
            return [key[-1] for key in self._kept if key[:-1] == start]
