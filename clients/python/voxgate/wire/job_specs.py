"""What jobs are to do: proto <-> model."""

from __future__ import annotations

import math
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import VoxelSize
from voxgate.model.jobs import (
    MeshJobMode,
    MeshJobSpec,
    PyramidJobSpec,
    PyramidMethod,
    PyramidSpec,
    TransferMode,
    TransferSpec,
    Verification,
)
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.volumes import (
    box_from_proto,
    box_to_proto,
    dtype_from_proto,
    dtype_to_proto,
    spec_from_proto,
    spec_to_proto,
    vec3_from_proto,
    vec3_to_proto,
    voxel_size_to_proto,
)

_MODES = {
    TransferMode.FAIL_IF_EXISTS: pb.TRANSFER_MODE_FAIL_IF_EXISTS,
    TransferMode.OVERWRITE: pb.TRANSFER_MODE_OVERWRITE,
    TransferMode.UPDATE: pb.TRANSFER_MODE_UPDATE,
}
_MODES_BACK = {number: mode for mode, number in _MODES.items()} | {
    pb.TRANSFER_MODE_UNSPECIFIED: TransferMode.FAIL_IF_EXISTS
}
_VERIFICATIONS = {
    Verification.FULL: pb.TRANSFER_VERIFICATION_FULL,
    Verification.SAMPLE: pb.TRANSFER_VERIFICATION_SAMPLE,
    Verification.NONE: pb.TRANSFER_VERIFICATION_NONE,
}
_VERIFICATIONS_BACK = {number: much for much, number in _VERIFICATIONS.items()} | {
    pb.TRANSFER_VERIFICATION_UNSPECIFIED: Verification.FULL
}
_METHODS = {
    PyramidMethod.AUTO: pb.PYRAMID_METHOD_UNSPECIFIED,
    PyramidMethod.MEAN: pb.PYRAMID_METHOD_MEAN,
    PyramidMethod.MODE: pb.PYRAMID_METHOD_MODE,
}
_METHODS_BACK = {number: method for method, number in _METHODS.items()}
_MESH_MODES = {
    MeshJobMode.FAIL_IF_EXISTS: pb.MESH_JOB_MODE_FAIL_IF_EXISTS,
    MeshJobMode.OVERWRITE: pb.MESH_JOB_MODE_OVERWRITE,
}
_MESH_MODES_BACK = {number: mode for mode, number in _MESH_MODES.items()} | {
    pb.MESH_JOB_MODE_UNSPECIFIED: MeshJobMode.FAIL_IF_EXISTS
}
_DEFAULT_BITS = MeshJobSpec("").vertex_quantization_bits

K = TypeVar("K")
V = TypeVar("V")


def transfer_spec_to_proto(spec: TransferSpec) -> pb.TransferSpec:
    """What to copy and where to.

    Raises:
        InvalidArgument: for a number type or a number that the contract does not have.
    """
    try:
        return pb.TransferSpec(
            source=spec.source,
            source_version=spec.source_version,
            destination=spec.destination,
            destination_spec=None if spec.destination_spec is None else spec_to_proto(spec.destination_spec),
            box=None if spec.box is None else box_to_proto(spec.box),
            scale_indices=spec.scales,
            channels=spec.channels,
            data_type=pb.DATA_TYPE_UNSPECIFIED if spec.dtype is None else dtype_to_proto(spec.dtype),
            destination_start=None if spec.destination_start is None else vec3_to_proto(spec.destination_start),
            voxel_size_nm=voxel_size_to_proto(spec.voxel_size_nm),
            mode=_MODES[spec.mode],
            verification=_VERIFICATIONS[spec.verification],
            skip_empty=spec.skip_empty,
            pyramid=None if spec.pyramid is None else pyramid_spec_to_proto(spec.pyramid),
            note=spec.note,
            destination_version=spec.destination_version,
        )
    except ValueError as error:  # protobuf's own, of a number beyond its field
        raise InvalidArgument(
            f"a number of the transfer is beyond what the contract holds: {error}",
            "scales and channels are 0 or more, places fit in 64 bits",
        ) from None


def transfer_spec_from_proto(message: pb.TransferSpec) -> TransferSpec:
    """What to copy and where to.

    Raises:
        InvalidArgument: for a destination spec that is none, a value this side does not know, or a field of a newer
            contract: an option that is not understood is never passed over.
    """
    _check_known(message)
    has = message.HasField
    return TransferSpec(
        source=message.source,
        destination=message.destination,
        source_version=message.source_version,
        destination_spec=spec_from_proto(message.destination_spec) if has("destination_spec") else None,
        box=box_from_proto(message.box) if has("box") else None,
        scales=tuple(message.scale_indices),
        channels=tuple(message.channels),
        dtype=None if message.data_type == pb.DATA_TYPE_UNSPECIFIED else dtype_from_proto(message.data_type),
        destination_start=vec3_from_proto(message.destination_start) if has("destination_start") else None,
        voxel_size_nm=_voxel_size(message.voxel_size_nm) if has("voxel_size_nm") else None,
        mode=_known(_MODES_BACK, message.mode, "mode of a transfer"),
        verification=_known(_VERIFICATIONS_BACK, message.verification, "kind of verification"),
        skip_empty=message.skip_empty,
        pyramid=pyramid_spec_from_proto(message.pyramid) if has("pyramid") else None,
        note=message.note,
        destination_version=message.destination_version,
    )


def pyramid_spec_to_proto(spec: PyramidSpec) -> pb.PyramidSpec:
    """Which coarser levels."""
    return pb.PyramidSpec(factors=map(vec3_to_proto, spec.factors), method=_METHODS[spec.method])


def pyramid_spec_from_proto(message: pb.PyramidSpec) -> PyramidSpec:
    """Which coarser levels.

    Raises:
        InvalidArgument: for a method this side does not know.
    """
    factors = tuple(map(vec3_from_proto, message.factors))
    return PyramidSpec(factors, _known(_METHODS_BACK, message.method, "method of a pyramid"))


def pyramid_job_spec_to_proto(spec: PyramidJobSpec) -> pb.PyramidJobSpec:
    """Which volume is given which coarser levels."""
    return pb.PyramidJobSpec(volume=spec.volume, pyramid=pyramid_spec_to_proto(spec.pyramid))


def pyramid_job_spec_from_proto(message: pb.PyramidJobSpec) -> PyramidJobSpec:
    """Which volume is given which coarser levels.

    Raises:
        InvalidArgument: for a value this side does not know, or a field of a newer contract.
    """
    _check_known(message)
    return PyramidJobSpec(message.volume, pyramid_spec_from_proto(message.pyramid))


def mesh_job_spec_to_proto(spec: MeshJobSpec) -> pb.MeshJobSpec:
    """Which segmentation to mesh, how and where to.

    Raises:
        InvalidArgument: for a number that the contract does not have.
    """
    try:
        return pb.MeshJobSpec(
            volume=spec.volume,
            version=spec.version,
            destination=spec.destination,
            scale_index=spec.scale,
            box=None if spec.box is None else box_to_proto(spec.box),
            chunk_shape=None if spec.chunk_shape is None else vec3_to_proto(spec.chunk_shape),
            level_count=spec.level_count,
            max_error_nm=spec.max_error_nm,
            vertex_quantization_bits=spec.vertex_quantization_bits,
            sharded=spec.sharded,
            minimum_voxel_count=spec.minimum_voxel_count,
            without_properties=not spec.segment_properties,
            mode=_MESH_MODES[spec.mode],
        )
    except ValueError as error:  # protobuf's own, of a number beyond its field
        raise InvalidArgument(
            f"a number of the meshing is beyond what the contract holds: {error}",
            "scale, levels, bits and voxel counts are 0 or more, places fit in 64 bits",
        ) from None


def mesh_job_spec_from_proto(message: pb.MeshJobSpec) -> MeshJobSpec:
    """Which segmentation to mesh, how and where to.

    Raises:
        InvalidArgument: for a value this side does not know, or a field of a newer contract.
    """
    _check_known(message)
    has = message.HasField
    return MeshJobSpec(
        volume=message.volume,
        version=message.version,
        destination=message.destination,
        scale=message.scale_index,
        box=box_from_proto(message.box) if has("box") else None,
        chunk_shape=vec3_from_proto(message.chunk_shape) if has("chunk_shape") else None,
        level_count=message.level_count,
        max_error_nm=message.max_error_nm if has("max_error_nm") else None,
        vertex_quantization_bits=message.vertex_quantization_bits or _DEFAULT_BITS,
        sharded=message.sharded,
        minimum_voxel_count=message.minimum_voxel_count,
        segment_properties=not message.without_properties,
        mode=_known(_MESH_MODES_BACK, message.mode, "mode of a meshing"),
    )


def _voxel_size(message: pb.VoxelSize) -> VoxelSize:
    size = VoxelSize(message.x, message.y, message.z)
    if not all(math.isfinite(extent) and extent > 0 for extent in size):
        raise InvalidArgument(
            f"a voxel size of {tuple(size)} nm",
            "each extent is a number of nanometres greater than 0",
            details={"field": "spec.voxel_size_nm"},
        )
    return size


def _known(table: dict[K, V], number: K, what: str) -> V:
    try:
        return table[number]
    except KeyError:
        raise InvalidArgument(f"{number} is not a {what} this side knows", "upgrade the older side") from None


def _check_known(message: Message) -> None:
    """Refuse fields of a newer contract, at any depth: they may ask for something that would not be done."""
    unknown = UnknownFieldSet(message)
    if len(unknown):
        raise InvalidArgument(
            f"{message.DESCRIPTOR.name} has a field {unknown[0].field_number} that this side does not know",
            "upgrade the older side",
        )
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in (value,) if isinstance(value, Message) else value:
                _check_known(item)
