"""The stream of GetMeshes: pieces cut and batched to the size of a message, and no silence in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.meshes import ROW_BYTES, MeshFacts, mesh_end_to_proto, mesh_part_to_proto
from voxgate_mesh.meshing import MeshEvent, ScanProgress
from voxgate_serving.settings import MAX_MESSAGE_BYTES

_MAX_ITEMS = 1024  # small parts and ends: their own framing must not outgrow the payload
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
        self._facts = facts
        self._pace = Pace(clock)
        self._message = pb.GetMeshesResponse(provenance=facts.provenance)
        self._payload = 0

    def stream(self, events: Iterable[MeshEvent]) -> Iterator[pb.GetMeshesResponse]:
        """Yield messages of at most MAX_MESSAGE_BYTES of vertices and faces."""
        for event in events:
            if isinstance(event, MeshPiece):
                for part in cut_piece(event):
                    size = part.byte_count
                    if self._payload + size > MAX_MESSAGE_BYTES or len(self._message.parts) >= _MAX_ITEMS:
                        yield self._sent()
                    self._message.parts.append(mesh_part_to_proto(part))
                    self._payload += size
            elif isinstance(event, MeshEnding):
                if len(self._message.ends) >= _MAX_ITEMS:
                    yield self._sent()
                self._message.ends.append(mesh_end_to_proto(event, self._facts))
            elif self._pace.is_due():
                # What is ready goes out with it: a viewer draws while the rest is searched.
                self._message.progress.CopyFrom(progress_to_proto(event))
                yield self._sent()
        if self._message.ByteSize():
            yield self._sent()

    def _sent(self) -> pb.GetMeshesResponse:
        message, self._message, self._payload = self._message, pb.GetMeshesResponse(), 0
        self._pace.told()
        return message
