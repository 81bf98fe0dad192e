"""Meshes made once for all who ask: answered from the cache, or made while others with the same question wait.

What may be shared. Only meshes of voxels that can never change: a volume whose description says `immutable`. Of
those, only what does not depend on what else its request asked for: no failure but that a segment does not exist, and
nothing that a request found in the pyramid where another would have asked the store's index.

Who waits. The first to ask makes a mesh, and its pieces reach its caller as they come; they are collected aside. Who
asks meanwhile gets them when the mesh is whole. Each waits only as long as its own caller does. When the one who makes
it leaves, one of those who wait takes over; when it fails, or the mesh turns out too large to be kept, all make it for
themselves, as if there were no cache: a failure may be owed to what else was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass, replace

from voxgate.model.errors import Cancelled, DeadlineExceeded, SegmentNotFound
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, OpenOptions, Volume
from voxgate_mesh.finished import (
    Boarding,
    FinishedMesh,
    FinishedMeshes,
    Flight,
    Key,
    kept_bytes,
    kept_piece,
)
from voxgate_mesh.indexes import store_index
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.meshing import HEARTBEAT_S, MeshEvent
from voxgate_mesh.native import ComputeMeshes


@dataclass(frozen=True, slots=True)
class LastingVoxels:
    """Voxels that can never change.

    Attributes:
        name: what they are: of which volume, version, time and label view, with the geometry of its scales.
        has_index: whether the store knows where segments are.
    """

    name: str
    has_index: bool


def lasting_voxels(volume: Volume, options: OpenOptions, life: int = 0) -> LastingVoxels | None:
    """What meshes of an opened volume are kept under; None where its voxels may change, or nobody says its name.

    To have opened the volume is to be allowed to read it: what is kept is answered to nobody else.

    Args:
        volume: the volume.
        options: what it was opened with.
        life: a number that is another one when its name means another store; see `Registry.life_of`.
    """
    info = volume.info
    if not info.immutable or not info.name:
        return None
    opened = (info.name, life, info.resolved_version, options.time_index, options.label_view)
    name = repr((*opened, info.scales, info.fill_value, info.dtype.str))
    return LastingVoxels(name, store_index(volume) is not None)


def cached_or_made(
    cache: FinishedMeshes,
    voxels: LastingVoxels | None,
    request: MeshRequest,
    make: ComputeMeshes,
    context: CallContext,
) -> Generator[MeshEvent]:
    """The events of a request for meshes that are made from voxels: kept ones first, then those that have to be made.

    What `make` refuses is refused by this call, also where everything is there already.

    Args:
        cache: what is kept; shared by all calls.
        voxels: of what; None makes everything and keeps nothing.
        request: which meshes; its source makes no difference.
        make: makes meshes; does nothing before it is iterated but refuse.
        context: the caller's patience.

    Raises:
        Whatever `make` raises; iterating raises Cancelled and DeadlineExceeded as well, while waiting for others.
    """
    events = make(request)
    if voxels is None or cache.is_off:
        return events
    return _Call(cache, voxels, request, make, context).events(events)


def _digest(voxels: LastingVoxels, request: MeshRequest) -> str:
    """Everything that decides about a mesh but its segment; equal wishes in other words give the same."""
    scale = request.scale if request.simplification is not None else request.scale or 0
    mesher = find_mesher(request.mesher)[0]
    asked = replace(request, segment_ids=(), source="computed", scale=scale, mesher=mesher)
    return hashlib.sha256(repr((voxels.name, asked)).encode()).hexdigest()


class _Call:
    """One request."""

    def __init__(
        self,
        cache: FinishedMeshes,
        voxels: LastingVoxels,
        request: MeshRequest,
        make: ComputeMeshes,
        context: CallContext,
    ) -> None:
        self._cache = cache
        self._voxels = voxels
        self._request = request
        self._make = make
        self._context = context
        self._digest = _digest(voxels, request)
        self._alone: set[Key] = set()

    def events(self, whole: Generator[MeshEvent]) -> Generator[MeshEvent]:
        """Answer every segment; `whole` would make them all, and was not begun."""
        try:
            waiting = yield from self._taken([(self._digest, each) for each in self._request.segment_ids])
            while waiting:
                flight = Flight()
                boarding = self._cache.board(waiting, flight, self._alone)
                try:
                    yield from self._making(whole, flight, boarding)
                finally:
                    self._cache.leave(boarding.claimed, flight)
                made = {*boarding.claimed, *boarding.alone}
                waiting = yield from self._awaited([key for key in waiting if key not in made], boarding.joined)
        finally:
            whole.close()

    def _taken(self, keys: list[Key]) -> Generator[MeshEvent, None, list[Key]]:
        """Answer what is there; returns the others."""
        missing = []
        for key in keys:
            self._context.check()
            mesh = self._cache.take(key)
            if mesh is None:
                missing.append(key)
            else:
                yield from _answer(mesh)
        return missing

    def _awaited(self, keys: list[Key], joined: dict[Key, Flight]) -> Generator[MeshEvent, None, list[Key]]:
        """Wait for what others make, and answer it; returns what did not come of it."""
        missing = []
        for key in keys:
            self._context.check()
            flight = joined.get(key)
            while flight is not None and not self._cache.wait(key, flight, HEARTBEAT_S):
                yield flight.progress
                self._context.check()
            mesh = self._cache.take(key, waited=flight is not None)
            if mesh is not None:
                yield from _answer(mesh)
                continue
            missing.append(key)
            if flight is not None and key in flight.alone:
                self._alone.add(key)
        return missing

    def _making(self, whole: Generator[MeshEvent], flight: Flight, boarding: Boarding) -> Generator[MeshEvent]:
        """Make what is to be made; pass it on, and collect what others wait for."""
        claimed, ids = boarding.claimed, tuple(segment_id for _, segment_id in (*boarding.claimed, *boarding.alone))
        if not ids:
            return
        clock = self._cache.clock
        collecting = _Collecting(self._cache, self._digest, flight, claimed)
        is_whole = len(ids) == len(self._request.segment_ids)
        events = whole if is_whole else self._make(replace(self._request, segment_ids=ids))
        try:
            for event in events:
                if isinstance(event, MeshPiece):
                    collecting.add(event)
                elif isinstance(event, MeshEnding):
                    collecting.end(event, is_own=self._is_own(event))
                else:
                    flight.progress = event
                flight.away_since = clock()
                yield event
                flight.away_since = None
        except (Cancelled, DeadlineExceeded, GeneratorExit):
            raise
        except BaseException:
            flight.alone.update(claimed)
            raise
        finally:
            events.close()
            collecting.close()

    def _is_own(self, ending: MeshEnding) -> bool:
        """Whether a segment's answer is what a request for it alone would have got."""
        if ending.error is not None and type(ending.error) is not SegmentNotFound:
            return False
        if ending.search != "pyramid":
            return True
        if ending.error is not None:
            return False
        # Whether the index was used may depend on how much it was asked for, and on how it felt.
        return self._request.search == "pyramid" or not self._voxels.has_index


class _Collecting:
    """The pieces of a call's claimed segments, until these are whole."""

    def __init__(self, cache: FinishedMeshes, digest: str, flight: Flight, claimed: tuple[Key, ...]) -> None:
        self._cache = cache
        self._digest = digest
        self._flight = flight
        self._pieces: dict[Key, list[MeshPiece]] = {key: [] for key in claimed}
        self._sizes: dict[Key, int] = dict.fromkeys(claimed, 0)

    def add(self, piece: MeshPiece) -> None:
        """Collect a piece; a segment of which there is too much is dropped."""
        key = (self._digest, piece.segment_id)
        if key not in self._pieces:
            return
        size = kept_bytes(piece)
        is_too_large = self._sizes[key] + size > self._cache.most_bytes
        if is_too_large or not self._cache.reserve(size):
            self._drop(key)
            self._cache.give_up(key, self._flight, is_too_large=is_too_large)
            return
        self._sizes[key] += size
        self._pieces[key].append(kept_piece(piece))

    def end(self, ending: MeshEnding, *, is_own: bool) -> None:
        """A segment is whole: keep it, unless the answer is owed to what else was asked for."""
        key = (self._digest, ending.segment_id)
        if key not in self._pieces:
            return
        if not is_own:
            self._drop(key)
            self._cache.give_up(key, self._flight)
            return
        mesh = FinishedMesh(tuple(self._pieces.pop(key)), replace(ending, error=_unraised(ending)))
        self._cache.finish(key, self._flight, mesh, self._sizes.pop(key))

    def close(self) -> None:
        """Forget what did not become whole."""
        for key in list(self._pieces):
            self._drop(key)

    def _drop(self, key: Key) -> None:
        del self._pieces[key]
        self._cache.release(self._sizes.pop(key))


def _answer(mesh: FinishedMesh) -> Generator[MeshEvent]:
    yield from mesh.pieces
    yield replace(mesh.ending, error=_unraised(mesh.ending))


def _unraised(ending: MeshEnding) -> SegmentNotFound | None:
    """The error of an ending, without what it holds on to since it was raised, and nobody else's."""
    error = ending.error
    return None if error is None else SegmentNotFound(error.message, error.remedy, details=error.details)
