"""Between the contract's mesh messages and the vocabulary, both ways; joining the parts of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer
from voxgate.model.mesh_facts import MeshProvenance, MeshStatistics, PointNm
from voxgate.model.mesh_stream import MeshEnding
from voxgate.model.meshes import Mesh, MeshFailure
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.byte_codecs import Data
from voxgate.wire.errors import error_from_item, item_from_error
from voxgate.wire.mesh_framing import FramedPart, ParsedMeshes, meshes_of
from voxgate.wire.mesh_requests import SEARCH_NUMBERS, SEARCHES, provenance_from_proto

ROW_BYTES = 12
"""Bytes of one vertex (3 float32), of one normal, and of one face (3 uint32)."""

_ORIGINS = {pb.MESH_ORIGIN_STORED: "stored", pb.MESH_ORIGIN_COMPUTED: "computed"}
_ORIGIN_NUMBERS = {name: number for number, name in _ORIGINS.items()}

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


class _Table:
    """Rows of three that arrive piece by piece, each copied once: room is made ahead, and given back at the end."""

    def __init__(self, dtype: str) -> None:
        self._dtype = np.dtype(dtype)
        self._rows = np.empty((0, 3), self._dtype)
        self.count = 0

    def append(self, data: Data, at: int, count: int) -> npt.NDArray[Any]:
        """Copy rows out of a message; answers a view of them, to be dropped before the next call."""
        stop = self.count + count
        if stop > len(self._rows):
            # In place: realloc moves large tables without copying them. Nobody else sees this array.
            self._rows.resize((max(stop, len(self._rows) * 3 // 2), 3), refcheck=False)
        rows = self._rows[self.count : stop]
        if not count:  # numpy finds nothing in an empty message, not even no rows
            return rows
        rows[...] = np.frombuffer(data, self._dtype, 3 * count, offset=at).reshape(-1, 3)
        self.count = stop
        return rows

    def whole(self) -> npt.NDArray[Any]:
        """All rows, in this machine's byte order; the table is not used after that."""
        self._rows.resize((self.count, 3), refcheck=False)
        return self._rows.astype(self._dtype.newbyteorder("="), copy=False)


@dataclass(slots=True)
class _Growing:
    """The parts of one segment so far."""

    vertices: _Table = field(default_factory=lambda: _Table("<f4"))
    normals: _Table = field(default_factory=lambda: _Table("<f4"))
    faces: _Table = field(default_factory=lambda: _Table("<u4"))
    has_normals: bool = False


class MeshAssembler:
    """Joins a stream of GetMeshesResponse to whole meshes, and refuses a stream that breaks the contract."""

    def __init__(self, segment_ids: Sequence[int]) -> None:
        """Expect exactly one answer for each of these ids."""
        self._open = {segment_id: _Growing() for segment_id in segment_ids}
        self._provenance: MeshProvenance | None = None

    def add(self, response: ParsedMeshes | pb.GetMeshesResponse) -> Iterator[Mesh | MeshFailure]:
        """Take a message; yields what has become whole with it. Views of the message are not kept.

        Raises:
            IncompleteAnswer: for parts that do not continue what came before, or counts that differ.
        """
        if isinstance(response, pb.GetMeshesResponse):
            response = meshes_of(response)
        if response.provenance is not None:
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

    def _append(self, framed: FramedPart) -> None:
        part, data = framed.fields, framed.data
        mesh = self._expected(part.segment_id)
        if part.first_vertex != mesh.vertices.count:
            raise IncompleteAnswer(
                f"a part of segment {part.segment_id} starts at vertex {part.first_vertex}, not {mesh.vertices.count}",
                _RETRY,
            )
        after_vertices = part.vertex_count * ROW_BYTES
        split = after_vertices * (2 if part.has_normals else 1)
        if len(data) != split + part.face_count * ROW_BYTES:
            raise IncompleteAnswer(f"a part of segment {part.segment_id} has {len(data)} bytes", _RETRY)
        mesh.vertices.append(data, 0, part.vertex_count)
        if part.has_normals:
            mesh.normals.append(data, after_vertices, part.vertex_count)
            mesh.has_normals = True
        if part.face_count:
            faces = mesh.faces.append(data, split, part.face_count)
            if int(faces.max()) >= mesh.vertices.count:
                raise IncompleteAnswer(
                    f"a face of segment {part.segment_id} points to a vertex that was not sent", _RETRY
                )

    def _end(self, end: pb.MeshEnd) -> Mesh | MeshFailure:
        mesh = self._expected(end.segment_id)
        del self._open[end.segment_id]
        if end.HasField("error"):
            return MeshFailure(end.segment_id, error_from_item(end.error))
        if (end.vertex_count, end.face_count) != (mesh.vertices.count, mesh.faces.count):
            raise IncompleteAnswer(
                f"segment {end.segment_id} came with {mesh.vertices.count} vertices and {mesh.faces.count} faces "
                f"instead of {end.vertex_count} and {end.face_count}",
                _RETRY,
            )
        if mesh.has_normals and mesh.normals.count != mesh.vertices.count:
            raise IncompleteAnswer(f"segment {end.segment_id} came with normals for some vertices only", _RETRY)
        return Mesh(
            end.segment_id,
            mesh.vertices.whole(),
            mesh.faces.whole(),
            _ORIGINS.get(end.origin, "computed"),
            end.scale_index,
            end.resolved_version,
            end.mesher,
            mesh.normals.whole() if mesh.has_normals else None,
            SEARCHES.get(end.search, "") if end.search else "",
            _statistics_from_proto(end.statistics) if end.HasField("statistics") else None,
            self._provenance,
        )

    def _expected(self, segment_id: int) -> _Growing:
        if segment_id not in self._open:
            raise IncompleteAnswer(f"segment {segment_id} was not asked for, or came after its end", _RETRY)
        return self._open[segment_id]
