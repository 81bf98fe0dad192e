"""What the gateway knows of volumes, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from voxgate.model.volumes import Encoding, VolumeInfo

MAX_AGE_S = 5.0
"""How long a description is trusted for chunk requests; an `info` request always asks anew."""
_MAX_KNOWN = 512


@dataclass(frozen=True, slots=True)
class VolumeRef:
    """A volume by name, and the version asked for; empty means the current one."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A volume as it is served.

    Attributes:
        ref: what was asked for.
        info: the volume's description; chunks are read at its resolved version.
        max_chunk_bytes: the most raw bytes one chunk may have.
        powers: what its store can do by itself: of voxgate.model.volumes.POWERS.
        encodings: what the server can encode chunks in.
        mesh_address: where its meshes and skeletons are made; empty where its voxels are, None where nobody makes them.
        can_skeletonize: whether skeletons can be computed, as far as the server knows.
        max_cutout_bytes: the most raw bytes of one streamed read; 0 for no limit.
        worked_out: what dialects found out from all this, by keys of their own: they need it again for every chunk.
    """

    ref: VolumeRef
    info: VolumeInfo
    max_chunk_bytes: int
    powers: frozenset[str] = frozenset()
    encodings: tuple[Encoding, ...] = ()
    mesh_address: str | None = None
    can_skeletonize: bool = False
    max_cutout_bytes: int = 0
    worked_out: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_unchanging(self) -> bool:
        """Whether its voxels can never change, whatever the URL said."""
        return self.info.immutable and bool(self.info.resolved_version)

    @property
    def is_lasting(self) -> bool:
        """Whether the URL names voxels that can never change: a branch, say, names others tomorrow."""
        return self.is_unchanging and self.ref.version == self.info.resolved_version

    def offers(self, service: str) -> bool:
        """Whether a service works on this volume: "mesh" or "skeletons"."""
        return any(offer.name == service and offer.support != "unavailable" for offer in self.info.services)


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing: a full name, and whether it is a volume (else a group)."""

    name: str
    is_volume: bool


Key = tuple[str, VolumeRef]
"""Who asks, and for what."""
K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was found out, for some seconds: chunks of one volume come by the hundred. Thread-safe."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._entries: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """What is known of a key and fresh enough."""
        with self._lock:
            found = self._entries.get(key)
        return found[1] if found is not None and time.monotonic() < found[0] else None

    def put(self, key: K, value: V) -> None:
        """Remember it."""
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= _MAX_KNOWN:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (time.monotonic() + self._max_age_s, value)

    def forget(self, key: K) -> None:
        """Trust it no more."""
        with self._lock:
            self._entries.pop(key, None)
