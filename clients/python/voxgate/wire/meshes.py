"""Between the contract's mesh messages and the vocabulary, both ways; joining the parts of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer
from voxgate.model.mesh_facts import MeshProvenance, MeshStatistics, PointNm
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import Mesh, MeshFailure
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.errors import error_from_item, item_from_error
from voxgate.wire.mesh_requests import SEARCH_NUMBERS, SEARCHES, provenance_from_proto

ROW_BYTES = 12
"""Bytes of one vertex (3 float32), of one normal, and of one face (3 uint32)."""

_ORIGINS = {pb.MESH_ORIGIN_STORED: "stored", pb.MESH_ORIGIN_COMPUTED: "computed"}
_ORIGIN_NUMBERS = {name: number for number, name in _ORIGINS.items()}
T = TypeVar("T", bound=np.generic)

_RETRY = "ask again; if it persists, the server is of another version or a proxy cuts streams"


@dataclass(frozen=True, slots=True)
class MeshFacts:
    """What the ends of one call's meshes have in common.

    Attributes:
        resolved_version: the version that was meshed.
        mesher: the mesher by name.
        provenance: how they come to be.
    """

    resolved_version: str
    mesher: str
    provenance: pb.MeshProvenance


def mesh_end_to_proto(ending: MeshEnding, facts: MeshFacts) -> pb.MeshEnd:
    """The end of a mesh. A stored mesh has no mesher."""
    is_computed = ending.origin == "computed"
    return pb.MeshEnd(
        segment_id=ending.segment_id,
        error=None if ending.error is None else item_from_error(ending.error),
        vertex_count=ending.vertex_count,
        face_count=ending.face_count,
        origin=_ORIGIN_NUMBERS[ending.origin],
        scale_index=ending.scale,
        resolved_version=facts.resolved_version,
        mesher=facts.mesher if is_computed else "",
        statistics=None if ending.statistics is None else _statistics_to_proto(ending.statistics),
        search=SEARCH_NUMBERS[ending.search] if ending.search else pb.MESH_SEARCH_UNSPECIFIED,
    )


def _statistics_to_proto(measured: MeshStatistics) -> pb.MeshStatistics:
    return pb.MeshStatistics(
        voxel_count=measured.voxel_count,
        volume_nm3=measured.volume_nm3,
        surface_nm2=measured.surface_nm2,
        min_nm=_point_to_proto(measured.min_nm),
        max_nm=_point_to_proto(measured.max_nm),
        watertight=measured.watertight,
        error_nm=measured.error_nm,
    )


def _statistics_from_proto(message: pb.MeshStatistics) -> MeshStatistics:
    return MeshStatistics(
        message.voxel_count if message.HasField("voxel_count") else None,
        message.volume_nm3 if message.HasField("volume_nm3") else None,
        message.surface_nm2,
        _point_from_proto(message.min_nm),
        _point_from_proto(message.max_nm),
        message.watertight,
        message.error_nm,
    )


def _point_to_proto(point: PointNm) -> types_pb2.PointNm:
    return types_pb2.PointNm(x=point[0], y=point[1], z=point[2])


def _point_from_proto(message: types_pb2.PointNm) -> PointNm:
    return (message.x, message.y, message.z)


def mesh_part_to_proto(piece: MeshPiece) -> pb.MeshPart:
    """A piece of a mesh."""
    tables = (piece.vertices, piece.normals, piece.faces)
    return pb.MeshPart(
        segment_id=piece.segment_id,
        first_vertex=piece.first_vertex,
        vertex_count=len(piece.vertices),
        face_count=len(piece.faces),
        has_normals=piece.normals is not None,
        data=b"".join(_little_endian(table).tobytes() for table in tables if table is not None),
    )


def _little_endian(table: npt.NDArray[np.float32] | npt.NDArray[np.uint32]) -> npt.NDArray[np.generic]:
    return table.astype(table.dtype.newbyteorder("<"), copy=False)


@dataclass(slots=True)
class _Growing:
    """The parts of one segment so far."""

    vertices: list[npt.NDArray[np.float32]] = field(default_factory=list)
    normals: list[npt.NDArray[np.float32]] = field(default_factory=list)
    faces: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    vertex_count: int = 0
    face_count: int = 0


class MeshAssembler:
    """Joins a stream of GetMeshesResponse to whole meshes, and refuses a stream that breaks the contract."""

    def __init__(self, segment_ids: Sequence[int]) -> None:
        """Expect exactly one answer for each of these ids."""
        self._open = {segment_id: _Growing() for segment_id in segment_ids}
        self._provenance: MeshProvenance | None = None

    def add(self, response: pb.GetMeshesResponse) -> Iterator[Mesh | MeshFailure]:
        """Take a message; yields what has become whole with it.

        Raises:
            IncompleteAnswer: for parts that do not continue what came before, or counts that differ.
        """
        if response.HasField("provenance"):
            self._provenance = provenance_from_proto(response.provenance)
        for part in response.parts:
            self._append(part)
        for end in response.ends:
            yield self._end(end)

    def finish(self) -> None:
        """Check that every id was answered.

        Raises:
            IncompleteAnswer: naming some that were not.
        """
        if self._open:
            some = ", ".join(str(segment_id) for segment_id in list(self._open)[:5])
            raise IncompleteAnswer(f"the stream ended without {len(self._open)} of the segments: {some}", _RETRY)

    def _append(self, part: pb.MeshPart) -> None:
        mesh = self._expected(part.segment_id)
        if part.first_vertex != mesh.vertex_count:
            raise IncompleteAnswer(
                f"a part of segment {part.segment_id} starts at vertex {part.first_vertex}, not {mesh.vertex_count}",
                _RETRY,
            )
        per_vertex = ROW_BYTES * (2 if part.has_normals else 1)
        split = part.vertex_count * per_vertex
        if len(part.data) != split + part.face_count * ROW_BYTES:
            raise IncompleteAnswer(f"a part of segment {part.segment_id} has {len(part.data)} bytes", _RETRY)
        vertices = np.frombuffer(part.data, "<f4", part.vertex_count * 3).reshape(-1, 3)
        faces = np.frombuffer(part.data, "<u4", part.face_count * 3, offset=split).reshape(-1, 3)
        mesh.vertices.append(vertices)
        if part.has_normals:
            at = part.vertex_count * ROW_BYTES
            mesh.normals.append(np.frombuffer(part.data, "<f4", part.vertex_count * 3, offset=at).reshape(-1, 3))
        mesh.faces.append(faces)
        mesh.vertex_count += len(vertices)
        mesh.face_count += len(faces)
        if len(faces) and int(faces.max()) >= mesh.vertex_count:
            raise IncompleteAnswer(f"a face of segment {part.segment_id} points to a vertex that was not sent", _RETRY)

    def _end(self, end: pb.MeshEnd) -> Mesh | MeshFailure:
        mesh = self._expected(end.segment_id)
        del self._open[end.segment_id]
        if end.HasField("error"):
            return MeshFailure(end.segment_id, error_from_item(end.error))
        if (end.vertex_count, end.face_count) != (mesh.vertex_count, mesh.face_count):
            raise IncompleteAnswer(
                f"segment {end.segment_id} came with {mesh.vertex_count} vertices and {mesh.face_count} faces "
                f"instead of {end.vertex_count} and {end.face_count}",
                _RETRY,
            )
        vertices, normals = _joined(mesh.vertices, np.float32), _joined(mesh.normals, np.float32)
        if len(mesh.normals) and len(normals) != len(vertices):
            raise IncompleteAnswer(f"segment {end.segment_id} came with normals for some vertices only", _RETRY)
        return Mesh(
            end.segment_id,
            vertices,
            _joined(mesh.faces, np.uint32),
            _ORIGINS.get(end.origin, "computed"),
            end.scale_index,
            end.resolved_version,
            end.mesher,
            normals if len(mesh.normals) else None,
            SEARCHES.get(end.search, "") if end.search else "",
            _statistics_from_proto(end.statistics) if end.HasField("statistics") else None,
            self._provenance,
        )

    def _expected(self, segment_id: int) -> _Growing:
        if segment_id not in self._open:
            raise IncompleteAnswer(f"segment {segment_id} was not asked for, or came after its end", _RETRY)
        return self._open[segment_id]


def _joined(tables: list[npt.NDArray[T]], dtype: type[T]) -> npt.NDArray[T]:
    """Tables of shape (n, 3) as one, in this machine's byte order."""
    return np.concatenate([np.zeros((0, 3), dtype), *tables]).astype(dtype, copy=False)
