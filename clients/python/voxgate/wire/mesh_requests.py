"""Which meshes are asked for, between the contract's messages and the vocabulary, both ways."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_facts import MeshProvenance, Simplification
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import mesh_pb2 as pb
from voxgate.wire.formats import format_name
from voxgate.wire.volumes import box_from_proto, box_to_proto, label_view_to_proto

_FORMATS = {
    pb.MESH_FORMAT_OBJ: "obj",
    pb.MESH_FORMAT_PLY: "ply",
    pb.MESH_FORMAT_STL: "stl",
    pb.MESH_FORMAT_GLB: "glb",
    pb.MESH_FORMAT_DRACO: "drc",
    pb.MESH_FORMAT_PRECOMPUTED: "precomputed",
}
_CLOSED = {pb.MESH_BORDER_UNSPECIFIED: True, pb.MESH_BORDER_CLOSED: True, pb.MESH_BORDER_OPEN: False}
_SOURCES = {
    pb.MESH_SOURCE_UNSPECIFIED: "auto",
    pb.MESH_SOURCE_AUTO: "auto",
    pb.MESH_SOURCE_STORED: "stored",
    pb.MESH_SOURCE_COMPUTED: "computed",
}
_SOURCE_NUMBERS = {name: number for number, name in _SOURCES.items()}
SEARCHES = {
    pb.MESH_SEARCH_UNSPECIFIED: "auto",
    pb.MESH_SEARCH_AUTO: "auto",
    pb.MESH_SEARCH_INDEX: "index",
    pb.MESH_SEARCH_EVERYWHERE: "everywhere",
    pb.MESH_SEARCH_PYRAMID: "pyramid",
}
"""How voxels are found, by the contract's numbers."""
SEARCH_NUMBERS = {name: number for number, name in SEARCHES.items()}
"""The contract's numbers of MESH_SEARCHES."""
_MODES = {
    pb.MESH_SIMPLIFICATION_UNSPECIFIED: "quality",
    pb.MESH_SIMPLIFICATION_QUALITY: "quality",
    pb.MESH_SIMPLIFICATION_FAST: "fast",
}
_MODE_NUMBERS = {name: number for number, name in _MODES.items()}


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
        normals=request.normals,
        search=SEARCH_NUMBERS[request.search],
        **_simplification_fields(request.simplification),
    )


def mesh_request_from_proto(spec: pb.MeshSpec, scale: int | None) -> MeshRequest:
    """Which surfaces a spec asks for, at the scale that it was found to name; None where it names none.

    Raises:
        InvalidArgument: for words of a newer contract, and numbers that mean nothing.
    """
    if spec.border not in _CLOSED:
        raise InvalidArgument(f"{spec.border} is not a border this side knows", "upgrade the older side")
    if spec.source not in _SOURCES:
        raise InvalidArgument(f"{spec.source} is not a source this side knows", "upgrade the older side")
    if spec.search not in SEARCHES or spec.simplification not in _MODES:
        raise InvalidArgument("a search or simplification that this side does not know", "upgrade the older side")
    request = MeshRequest(
        tuple(spec.segment_ids),
        scale,
        box_from_proto(spec.bounds) if spec.HasField("bounds") else None,
        _CLOSED[spec.border],
        spec.mesher,
        _SOURCES[spec.source],
        _simplification(spec),
        spec.normals,
        SEARCHES[spec.search],
    )
    request.check()
    return request


def mesh_format_from_proto(number: pb.MeshFormat) -> str:
    """A format's name, one of MESH_FORMATS.

    Raises:
        InvalidArgument: for an unset or unknown format.
    """
    return format_name(number, _FORMATS)


def mesh_format_to_proto(fmt: str) -> pb.MeshFormat:
    """A format's number.

    Raises:
        InvalidArgument: for an unknown format.
    """
    for number, name in _FORMATS.items():
        if name == fmt:
            return number
    raise InvalidArgument(f"{fmt!r} is not a format of the contract", f"use one of {', '.join(_FORMATS.values())}")


def _simplification_fields(wish: Simplification | None) -> dict[str, Any]:
    """The fields of a MeshSpec that say how far to simplify."""
    if wish is None:
        return {}
    return {
        "max_error_nm": wish.max_error_nm,
        "target_face_count": wish.target_face_count,
        "simplification": _MODE_NUMBERS[wish.mode],
    }


def _simplification(spec: pb.MeshSpec) -> Simplification | None:
    if not (spec.HasField("max_error_nm") or spec.HasField("target_face_count")):
        return None
    return Simplification(
        spec.max_error_nm if spec.HasField("max_error_nm") else None,
        spec.target_face_count if spec.HasField("target_face_count") else None,
        _MODES[spec.simplification],
    )


def provenance_to_proto(provenance: MeshProvenance, spec: pb.MeshSpec) -> pb.MeshProvenance:
    """How meshes come to be that answer `spec`."""
    parameters = pb.MeshSpec()
    parameters.CopyFrom(spec)
    for said_elsewhere in ("volume", "version", "segment_ids"):
        parameters.ClearField(said_elsewhere)
    return pb.MeshProvenance(
        volume=provenance.volume,
        resolved_version=provenance.resolved_version,
        parameters=parameters,
        server_version=provenance.server_version,
    )


def provenance_from_proto(message: pb.MeshProvenance) -> MeshProvenance:
    """How meshes came to be; parameters by the names of the contract, as in protobuf's JSON."""
    parameters = MessageToDict(message.parameters, preserving_proto_field_name=True)
    return MeshProvenance(message.volume, message.resolved_version, message.server_version, parameters)
