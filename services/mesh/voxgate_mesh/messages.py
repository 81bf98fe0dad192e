"""The stream of GetMeshes: pieces cut and batched to the size of a message, and no silence in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.v1 import types_pb2
from voxgate.wire.mesh_framing import MeshFrame
from voxgate.wire.meshes import ROW_BYTES, MeshFacts, mesh_end_to_proto
from voxgate_mesh.meshing import MeshEvent, ScanProgress
from voxgate_serving.settings import MAX_MESSAGE_BYTES

_MAX_ITEMS = 1024  # small parts and ends: their own framing must not outgrow the payload
_MOST_WAIT_S = 0.05  # how long a small part waits for others to share its message
PROGRESS_S = 1.0
"""How often progress is told; a stream is never silent for much longer."""


def progress_to_proto(event: ScanProgress) -> types_pb2.Progress:
    """How far the work has come."""
    return types_pb2.Progress(phase=event.phase, done_bytes=event.done_bytes, total_bytes=event.total_bytes)


class Pace:
    """Says when it is time to tell progress again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = clock() - PROGRESS_S

    def is_due(self) -> bool:
        """Whether nothing was told for PROGRESS_S."""
        return self._clock() - self._told >= PROGRESS_S

    def told(self) -> None:
        """Something was."""
        self._told = self._clock()


def cut_piece(piece: MeshPiece, max_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[MeshPiece]:
    """Cut a piece so that each part fits: vertices first, so that faces point to what was sent already."""
    if piece.byte_count <= max_bytes:
        yield piece
        return
    normals, no_faces, first = piece.normals, piece.faces[:0], piece.first_vertex
    rows = max_bytes // (ROW_BYTES if normals is None else 2 * ROW_BYTES)
    for start in range(0, len(piece.vertices), rows):
        cut = slice(start, start + rows)
        part = piece.vertices[cut]
        yield MeshPiece(piece.segment_id, first, part, no_faces, None if normals is None else normals[cut])
        first += len(part)
    no_vertices = np.zeros((0, 3), np.float32)
    no_normals = None if normals is None else no_vertices
    for start in range(0, len(piece.faces), max_bytes // ROW_BYTES):
        faces = piece.faces[start : start + max_bytes // ROW_BYTES]
        yield MeshPiece(piece.segment_id, first, no_vertices, faces, no_normals)


class MeshMessages:
    """Turns the events of a request into messages."""

    def __init__(self, facts: MeshFacts, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin a stream; what its meshes have in common goes out with the first message."""
        self._facts = facts
        self._clock = clock
        self._pace = Pace(clock)
        self._frame = MeshFrame()
        self._frame.provenance(facts.provenance)
        self._held_since: float | None = None
        self._is_first_piece = True

    def stream(self, events: Iterable[MeshEvent]) -> Iterator[bytes]:
        """Yield messages, each a serialized GetMeshesResponse, of at most MAX_MESSAGE_BYTES of tables."""
        for event in events:
            if isinstance(event, MeshPiece):
                yield from self._piece(event)
            elif isinstance(event, MeshEnding):
                if self._frame.count >= _MAX_ITEMS:
                    yield self._sent()
                self._frame.end(mesh_end_to_proto(event, self._facts))
            elif self._pace.is_due():
                # What is ready goes out with it: a viewer draws while the rest is searched.
                self._frame.progress(progress_to_proto(event))
                self._pace.told()
                yield self._sent()
            if self._is_late():
                yield self._sent()
        if self._frame:
            yield self._sent()

    def _piece(self, piece: MeshPiece) -> Iterator[bytes]:
        """Add a piece, making room for it; the first of a stream leaves at once."""
        for part in cut_piece(piece):
            if self._frame.payload + part.byte_count > MAX_MESSAGE_BYTES or self._frame.count >= _MAX_ITEMS:
                yield self._sent()
            self._frame.part(part)
        if self._is_first_piece and piece.byte_count:
            self._is_first_piece = False
            yield self._sent()

    def _is_late(self) -> bool:
        """Whether something has been waiting for company for long enough."""
        if not self._frame.count:
            return False
        now = self._clock()
        if self._held_since is None:
            self._held_since = now
        return now - self._held_since >= _MOST_WAIT_S

    def _sent(self) -> bytes:
        message, self._frame, self._held_since = self._frame.data(), MeshFrame(), None
        return message
