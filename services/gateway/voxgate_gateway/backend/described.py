"""What the gateway knows of volumes, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

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
        worked_out: what dialects found out from all this, by keys of their own: they need it again for every chunk.
    """

    ref: VolumeRef
    info: VolumeInfo
    max_chunk_bytes: int
    powers: frozenset[str] = frozenset()
    encodings: tuple[Encoding, ...] = ()
    mesh_address: str | None = None
    can_skeletonize: bool = False
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


class Known:
    """Descriptions for a few seconds, by caller and volume: chunks of one volume come by the hundred."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Key, tuple[float, Described]] = {}

    def get(self, key: Key) -> Described | None:
        """One that is fresh enough."""
        with self._lock:
            until, described = self._entries.get(key, (0.0, None))
        return described if time.monotonic() < until else None

    def put(self, key: Key, described: Described) -> None:
        """Remember one."""
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= _MAX_KNOWN:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (time.monotonic() + MAX_AGE_S, described)

    def forget(self, key: Key) -> None:
        """Trust it no more."""
        with self._lock:
            self._entries.pop(key, None)
