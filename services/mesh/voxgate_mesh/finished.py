"""Finished meshes, kept for who asks next, and who is making which at the moment.

Nothing here knows when a mesh may be kept: see `voxgate_mesh.sharing`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate_mesh.progress import ScanProgress

T = TypeVar("T", bound=np.generic)

PATIENCE_S = 5.0
"""How long others wait for a call whose own caller does not take what it made, before one of them makes it anew."""

_ENTRY_BYTES = 2048  # about what an entry costs beside its tables
_PIECE_BYTES = 512  # and each piece of it

Key = tuple[str, int]
"""Everything that decides about a mesh but the segment, as a digest; and the segment's id."""


@dataclass(frozen=True, slots=True, eq=False)
class FinishedMesh:
    """The whole answer for one segment.

    Attributes:
        pieces: all of them, in order; nobody can write into their tables.
        ending: the end; its error, if there is one, was never raised.
    """

    pieces: tuple[MeshPiece, ...]
    ending: MeshEnding


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What a cache did so far, and what it holds.

    Attributes:
        hits: segments answered from what was there.
        joined: segments answered after waiting for a call that was making them already.
        misses: segments that were made, though they could have been kept.
        entry_count: segments held.
        held_bytes: their bytes, and those of what running calls collect; never more than the cache may hold.
    """

    hits: int
    joined: int
    misses: int
    entry_count: int
    held_bytes: int


@dataclass(slots=True, eq=False)
class Flight:
    """One call that makes meshes others may wait for. Its fields are written by that call alone.

    Attributes:
        progress: the last that it told.
        away_since: since when its caller holds what it was given last, by the cache's clock; None while it works.
        alone: what the others shall make themselves, each for itself.
    """

    progress: ScanProgress = field(default_factory=lambda: ScanProgress("locating", 0, 0))
    away_since: float | None = None
    alone: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Boarding:
    """What a call is to do about segments that are not there.

    Attributes:
        claimed: make these, for all who ask.
        alone: make these for its own caller only: they cannot be kept.
        joined: wait for these, made by others.
    """

    claimed: tuple[Key, ...]
    alone: tuple[Key, ...]
    joined: dict[Key, Flight]


class FinishedMeshes:
    """Meshes by key, within a number of bytes; the least recently used goes first. Thread-safe."""

    def __init__(
        self, max_bytes: int, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Hold nothing yet.

        Args:
            max_bytes: of all meshes held and those that running calls collect, with the room their tables take; 0
                keeps nothing and lets nobody wait.
            patience_s: see PATIENCE_S.
            clock: seconds.
        """
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self.clock = clock
        self._changed = threading.Condition()
        self._entries: OrderedDict[Key, tuple[FinishedMesh | None, int]] = OrderedDict()
        self._flights: dict[Key, Flight] = {}
        self._held = self._collected = 0
        self._hits = self._joined = self._misses = 0

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever kept."""
        return self._max_bytes <= 0

    @property
    def most_bytes(self) -> int:
        """Of one mesh that is kept: a quarter of all."""
        return self._max_bytes // 4

    def counts(self) -> CacheCounts:
        """What happened so far."""
        with self._changed:
            held = self._held + self._collected
            count = sum(1 for mesh, _ in self._entries.values() if mesh is not None)
            return CacheCounts(self._hits, self._joined, self._misses, count, held)

    def take(self, key: Key, *, waited: bool = False) -> FinishedMesh | None:
        """A mesh that is there, now the most recently used; None where it is not.

        Args:
            key: of the mesh.
            waited: whether the caller waited for it; only counted.
        """
        with self._changed:
            mesh = self._entries.get(key, (None, 0))[0]
            if mesh is None:
                return None
            self._entries.move_to_end(key)
            self._joined += waited
            self._hits += not waited
            return mesh

    def board(self, keys: Iterable[Key], flight: Flight, alone: set[Key]) -> Boarding:
        """Decide who makes what. What came by now is in none of the answer's lists: take it.

        Args:
            keys: the segments that were not there.
            flight: the asking call: it makes what it claims, and has to `leave` in any case.
            alone: those which it makes for its own caller whatever others do.
        """
        claimed: list[Key] = []
        own: list[Key] = []
        joined: dict[Key, Flight] = {}
        with self._changed:
            now = self.clock()
            for key in keys:
                entry = self._entries.get(key)
                other = self._flights.get(key)
                if key in alone or (entry is not None and entry[0] is None):
                    own.append(key)
                elif entry is None and (other is None or self._is_stuck(other, now)):
                    self._flights[key] = flight
                    claimed.append(key)
                elif entry is None and other is not None:
                    joined[key] = other
            self._misses += len(claimed) + len(own)
            self._changed.notify_all()  # who waits for a stuck call waits for this one from now on
        return Boarding(tuple(claimed), tuple(own), joined)

    def wait(self, key: Key, flight: Flight, timeout_s: float) -> bool:
        """Wait until a flight need not be waited for any longer; False when the time is over before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over(key, flight), timeout_s)

    def reserve(self, size: int) -> bool:
        """Make room for bytes that a running call collects; False where all calls would collect more than half."""
        with self._changed:
            if self._collected + size > self._max_bytes // 2:
                return False
            self._collected += size
            self._shrink()
            return True

    def release(self, size: int) -> None:
        """Give up what was reserved."""
        with self._changed:
            self._collected -= size

    def finish(self, key: Key, flight: Flight, mesh: FinishedMesh, reserved: int) -> None:
        """Keep a mesh, whose tables were reserved before; and let go who waits for it."""
        with self._changed:
            self._collected -= reserved
            self._put(key, mesh, reserved + _ENTRY_BYTES)
            self._land(key, flight)

    def give_up(self, key: Key, flight: Flight, *, is_too_large: bool = False) -> None:
        """Say that others have to make a mesh themselves; and, where it never can be kept, remember that."""
        with self._changed:
            if is_too_large:
                self._put(key, None, _ENTRY_BYTES)
            flight.alone.add(key)
            self._land(key, flight)

    def leave(self, keys: Iterable[Key], flight: Flight) -> None:
        """Let go of what a call claimed and did not finish: one of those who wait takes over."""
        with self._changed:
            for key in keys:
                self._land(key, flight)

    def _land(self, key: Key, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
            self._changed.notify_all()

    def _put(self, key: Key, mesh: FinishedMesh | None, size: int) -> None:
        if key in self._entries:
            self._held -= self._entries.pop(key)[1]
        self._entries[key] = (mesh, size)
        self._held += size
        self._shrink()

    def _shrink(self) -> None:
        while self._held + self._collected > self._max_bytes and self._entries:
            self._held -= self._entries.popitem(last=False)[1][1]

    def _is_stuck(self, flight: Flight, now: float) -> bool:
        away_since = flight.away_since
        return away_since is not None and now - away_since > self._patience_s

    def _is_over(self, key: Key, flight: Flight) -> bool:
        return self._flights.get(key) is not flight or self._is_stuck(flight, self.clock())


def kept_piece(piece: MeshPiece) -> MeshPiece:
    """A piece that can be kept: its tables take no more room than they need, and nobody can write into them."""
    normals = None if piece.normals is None else _kept(piece.normals)
    return MeshPiece(piece.segment_id, piece.first_vertex, _kept(piece.vertices), _kept(piece.faces), normals)


def kept_bytes(piece: MeshPiece) -> int:
    """What a kept piece counts."""
    return piece.byte_count + _PIECE_BYTES


def _kept(table: npt.NDArray[T]) -> npt.NDArray[T]:
    base = table.base
    if base is not None and not (isinstance(base, np.ndarray) and base.base is None and base.nbytes == table.nbytes):
        table = table.copy()
    table = table.view()
    table.flags.writeable = False
    return table
