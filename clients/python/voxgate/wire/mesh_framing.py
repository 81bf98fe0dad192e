"""Messages of mesh streams without a copy through the protobuf runtime; as `voxgate.wire.framing` does for cutouts.

A part's tables are the last field of its message, so they are joined as they lie in memory, and found as views.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.model.mesh_stream import MeshPiece
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.byte_codecs import Data
from voxgate.wire.fields import (
    LENGTH,
    message_field,
    parsed,
    payload_field,
    read_field,
    read_message,
    read_payload,
    set_single,
)

_PARTS, _ENDS, _PROGRESS, _PROVENANCE = 1, 2, 3, 4
_SMALL, _DATA = (1, 2, 3, 4, 5), 15


@dataclass(frozen=True, slots=True)
class FramedPart:
    """A part that arrived: its small fields as a message (without data), and a view of its tables."""

    fields: pb.MeshPart
    data: Data


@dataclass(slots=True)
class ParsedMeshes:
    """A GetMeshesResponse as it arrived."""

    parts: list[FramedPart] = field(default_factory=list)
    ends: list[pb.MeshEnd] = field(default_factory=list)
    progress: types_pb2.Progress | None = None
    provenance: pb.MeshProvenance | None = None


class MeshFrame:
    """A GetMeshesResponse that is being put together; tables are copied once, by `data`.

    Attributes:
        payload: the bytes of the tables so far.
        count: the parts and ends so far.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.payload = 0
        self.count = 0
        self._parts: list[Data] = []
        self._ends: list[Data] = []
        self._single: list[Data] = []

    def __bool__(self) -> bool:
        return bool(self._parts or self._ends or self._single)

    def part(self, piece: MeshPiece) -> None:
        """Add a piece, whose tables must stay as they are until `data`."""
        fields = pb.MeshPart(
            segment_id=piece.segment_id,
            first_vertex=piece.first_vertex,
            vertex_count=len(piece.vertices),
            face_count=len(piece.faces),
            has_normals=piece.normals is not None,
        )
        self._parts += payload_field(_PARTS, fields, _DATA, _tables(piece))
        self.payload += piece.byte_count
        self.count += 1

    def end(self, end: pb.MeshEnd) -> None:
        """Add an end."""
        self._ends += message_field(_ENDS, end)
        self.count += 1

    def progress(self, progress: types_pb2.Progress) -> None:
        """Say how far the work has come, once."""
        self._single += message_field(_PROGRESS, progress)

    def provenance(self, provenance: pb.MeshProvenance) -> None:
        """Say how the meshes come to be, once."""
        self._single += message_field(_PROVENANCE, provenance)

    def data(self) -> bytes:
        """The bytes of the message."""
        return b"".join([*self._parts, *self._ends, *self._single])


def _tables(piece: MeshPiece) -> tuple[memoryview, ...]:
    """Vertices, normals, faces, in the wire's byte order; views where that is this machine's."""
    tables = [(piece.vertices, "<f4"), (piece.faces, "<u4")]
    if piece.normals is not None:
        tables.insert(1, (piece.normals, "<f4"))
    return tuple(np.ascontiguousarray(table, dtype).data for table, dtype in tables if len(table))


def parse_meshes(data: bytes) -> ParsedMeshes:
    """A GetMeshesResponse with its tables as views of `data`.

    Raises:
        IncompleteAnswer: for bytes that are no such message.
    """
    return parsed(data, _parse, pb.GetMeshesResponse, meshes_of)


def meshes_of(message: pb.GetMeshesResponse) -> ParsedMeshes:
    """A message of the generated class, likewise."""
    return ParsedMeshes(
        [FramedPart(part, part.data) for part in message.parts],
        list(message.ends),
        message.progress if message.HasField("progress") else None,
        message.provenance if message.HasField("provenance") else None,
    )


_SINGLE: dict[int, tuple[str, Any]] = {
    _PROGRESS << 3 | LENGTH: ("progress", types_pb2.Progress),
    _PROVENANCE << 3 | LENGTH: ("provenance", pb.MeshProvenance),
}


def _parse(view: memoryview) -> ParsedMeshes:
    answer = ParsedMeshes()
    at = 0
    while at < len(view):
        tag, value, at = read_field(view, at)
        if tag == _PARTS << 3 | LENGTH:
            answer.parts.append(FramedPart(*read_payload(value, pb.MeshPart, _DATA, _SMALL)))
        elif tag == _ENDS << 3 | LENGTH:
            answer.ends.append(read_message(pb.MeshEnd, value))
        else:
            set_single(answer, _SINGLE, tag, value)
    return answer
