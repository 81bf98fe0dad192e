"""Between the contract's mesh messages and the vocabulary, both ways; joining the parts of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer, InvalidArgument, VoxgateError
from voxgate.model.meshes import Mesh, MeshFailure, MeshRequest
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import mesh_pb2 as pb
from voxgate.wire.errors import error_from_item, item_from_error
from voxgate.wire.volumes import box_from_proto, box_to_proto, label_view_to_proto

ROW_BYTES = 12
"""Bytes of one vertex (3 float32) and of one face (3 uint32)."""

_FORMATS = {
    pb.MESH_FORMAT_OBJ: "obj",
    pb.MESH_FORMAT_PLY: "ply",
    pb.MESH_FORMAT_STL: "stl",
    pb.MESH_FORMAT_GLB: "glb",
    pb.MESH_FORMAT_PRECOMPUTED: "precomputed",
}
_CLOSED = {pb.MESH_BORDER_UNSPECIFIED: True, pb.MESH_BORDER_CLOSED: True, pb.MESH_BORDER_OPEN: False}
_ORIGINS = {pb.MESH_ORIGIN_STORED: "stored", pb.MESH_ORIGIN_COMPUTED: "computed"}
_ORIGIN_NUMBERS = {name: number for number, name in _ORIGINS.items()}
_SOURCES = {
    pb.MESH_SOURCE_UNSPECIFIED: "auto",
    pb.MESH_SOURCE_AUTO: "auto",
    pb.MESH_SOURCE_STORED: "stored",
    pb.MESH_SOURCE_COMPUTED: "computed",
}
_SOURCE_NUMBERS = {name: number for number, name in _SOURCES.items()}
_RETRY = "ask again; if it persists, the server is of another version or a proxy cuts streams"


def mesh_spec_to_proto(volume: str, options: OpenOptions, request: MeshRequest) -> pb.MeshSpec:
    """Which surfaces to make of a volume, opened with `options`."""
    return pb.MeshSpec(
        volume=volume,
        version=options.version,
        scale_index=request.scale,
        segment_ids=request.segment_ids,
        bounds=None if request.bounds is None else box_to_proto(request.bounds),
        border=pb.MESH_BORDER_CLOSED if request.closed else pb.MESH_BORDER_OPEN,
        label_view=label_view_to_proto(options.label_view),
        time_index=options.time_index,
        mesher=request.mesher,
        source=_SOURCE_NUMBERS[request.source],
    )


def mesh_request_from_proto(spec: pb.MeshSpec, scale: int) -> MeshRequest:
    """Which surfaces a spec asks for, at the scale that it was found to pick.

    Raises:
        InvalidArgument: for a border or a source of a newer contract.
    """
    if spec.border not in _CLOSED:
        raise InvalidArgument(f"{spec.border} is not a border this side knows", "upgrade the older side")
    if spec.source not in _SOURCES:
        raise InvalidArgument(f"{spec.source} is not a source this side knows", "upgrade the older side")
    return MeshRequest(
        tuple(spec.segment_ids),
        scale,
        box_from_proto(spec.bounds) if spec.HasField("bounds") else None,
        _CLOSED[spec.border],
        spec.mesher,
        _SOURCES[spec.source],
    )


def mesh_format_from_proto(number: pb.MeshFormat) -> str:
    """A format's name, one of MESH_FORMATS.

    Raises:
        InvalidArgument: for an unset or unknown format.
    """
    if number not in _FORMATS:
        raise InvalidArgument(
            "the format is unset or unknown",
            f"ask for one of {', '.join(_FORMATS.values())}",
            details={"field": "format"},
        )
    return _FORMATS[number]


def mesh_format_to_proto(fmt: str) -> pb.MeshFormat:
    """A format's number.

    Raises:
        InvalidArgument: for an unknown format.
    """
    for number, name in _FORMATS.items():
        if name == fmt:
            return number
    raise InvalidArgument(f"{fmt!r} is not a format of the contract", f"use one of {', '.join(_FORMATS.values())}")


@dataclass(frozen=True, slots=True)
class MeshFacts:
    """What the ends of one call's meshes have in common.

    Attributes:
        scale: index of the scale that was meshed.
        resolved_version: the version that was meshed.
        mesher: the mesher by name.
    """

    scale: int
    resolved_version: str
    mesher: str


def mesh_end_to_proto(
    segment_id: int,
    counts: tuple[int, int],
    error: VoxgateError | None,
    facts: MeshFacts,
    *,
    origin: str = "computed",
) -> pb.MeshEnd:
    """The end of a mesh; `counts` are its vertices and faces. A stored mesh has no mesher."""
    return pb.MeshEnd(
        segment_id=segment_id,
        error=None if error is None else item_from_error(error),
        vertex_count=counts[0],
        face_count=counts[1],
        origin=_ORIGIN_NUMBERS[origin],
        scale_index=facts.scale,
        resolved_version=facts.resolved_version,
        mesher=facts.mesher if origin == "computed" else "",
    )


def mesh_part_to_proto(
    segment_id: int, first_vertex: int, vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.uint32]
) -> pb.MeshPart:
    """A piece of a mesh: vertices of shape (n, 3) and faces of shape (m, 3)."""
    return pb.MeshPart(
        segment_id=segment_id,
        first_vertex=first_vertex,
        vertex_count=len(vertices),
        face_count=len(faces),
        data=vertices.astype("<f4", copy=False).tobytes() + faces.astype("<u4", copy=False).tobytes(),
    )


@dataclass(slots=True)
class _Growing:
    """The parts of one segment so far."""

    vertices: list[npt.NDArray[np.float32]] = field(default_factory=list)
    faces: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    vertex_count: int = 0
    face_count: int = 0


class MeshAssembler:
    """Joins a stream of GetMeshesResponse to whole meshes, and refuses a stream that breaks the contract."""

    def __init__(self, segment_ids: Sequence[int]) -> None:
        """Expect exactly one answer for each of these ids."""
        self._open = {segment_id: _Growing() for segment_id in segment_ids}

    def add(self, response: pb.GetMeshesResponse) -> Iterator[Mesh | MeshFailure]:
        """Take a message; yields what has become whole with it.

        Raises:
            IncompleteAnswer: for parts that do not continue what came before, or counts that differ.
        """
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
        split = part.vertex_count * ROW_BYTES
        if len(part.data) != split + part.face_count * ROW_BYTES:
            raise IncompleteAnswer(f"a part of segment {part.segment_id} has {len(part.data)} bytes", _RETRY)
        vertices = np.frombuffer(part.data, "<f4", part.vertex_count * 3).reshape(-1, 3)
        faces = np.frombuffer(part.data, "<u4", part.face_count * 3, offset=split).reshape(-1, 3)
        mesh.vertices.append(vertices)
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
        return Mesh(
            end.segment_id,
            np.concatenate([np.zeros((0, 3), np.float32), *mesh.vertices]).astype(np.float32, copy=False),
            np.concatenate([np.zeros((0, 3), np.uint32), *mesh.faces]).astype(np.uint32, copy=False),
            _ORIGINS.get(end.origin, "computed"),
            end.scale_index,
            end.resolved_version,
            end.mesher,
        )

    def _expected(self, segment_id: int) -> _Growing:
        if segment_id not in self._open:
            raise IncompleteAnswer(f"segment {segment_id} was not asked for, or came after its end", _RETRY)
        return self._open[segment_id]
