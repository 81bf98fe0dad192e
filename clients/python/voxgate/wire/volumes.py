"""Between the contract's volumes, boxes and encodings and the vocabulary's, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    POWERS,
    SUPPORTED_DTYPES,
    ArrayCodec,
    ByteCodec,
    Encoding,
    LabelView,
    ReadTuning,
    Scale,
    ScaleSpec,
    ServiceOffer,
    VolumeFacts,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
)
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.channels import channel_from_proto, channel_to_proto

_DTYPES: dict[Any, np.dtype[Any]] = {
    pb.DataType.Value(f"DATA_TYPE_{dtype.name.upper()}"): dtype for dtype in SUPPORTED_DTYPES
}
_DTYPE_NUMBERS: dict[np.dtype[Any], Any] = {dtype: number for number, dtype in _DTYPES.items()}
_KINDS = {
    pb.VOLUME_KIND_UNSPECIFIED: VolumeKind.UNKNOWN,
    pb.VOLUME_KIND_IMAGE: VolumeKind.IMAGE,
    pb.VOLUME_KIND_SEGMENTATION: VolumeKind.SEGMENTATION,
}
_ARRAY_CODECS = {
    pb.ARRAY_CODEC_RAW: ArrayCodec.RAW,
    pb.ARRAY_CODEC_FILL: ArrayCodec.FILL,
    pb.ARRAY_CODEC_COMPRESSED_SEGMENTATION: ArrayCodec.COMPRESSED_SEGMENTATION,
    pb.ARRAY_CODEC_JPEG: ArrayCodec.JPEG,
    pb.ARRAY_CODEC_PNG: ArrayCodec.PNG,
}
_BYTE_CODECS = {
    pb.BYTE_CODEC_UNSPECIFIED: ByteCodec.NONE,
    pb.BYTE_CODEC_NONE: ByteCodec.NONE,
    pb.BYTE_CODEC_GZIP: ByteCodec.GZIP,
    pb.BYTE_CODEC_ZSTD: ByteCodec.ZSTD,
    pb.BYTE_CODEC_BLOSC: ByteCodec.BLOSC,
}
_LABEL_VIEWS = {
    pb.LABEL_VIEW_UNSPECIFIED: LabelView.BODIES,
    pb.LABEL_VIEW_BODIES: LabelView.BODIES,
    pb.LABEL_VIEW_SUPERVOXELS: LabelView.SUPERVOXELS,
}
_FORMATS = {
    pb.STORAGE_FORMAT_UNSPECIFIED: "",
    pb.STORAGE_FORMAT_PRECOMPUTED: "precomputed",
    pb.STORAGE_FORMAT_ZARR2: "zarr2",
    pb.STORAGE_FORMAT_ZARR3: "zarr3",
}
_AXES = {pb.AXIS_T: "t", pb.AXIS_C: "c", pb.AXIS_Z: "z", pb.AXIS_Y: "y", pb.AXIS_X: "x"}
_SUPPORTS = {
    pb.SERVICE_SUPPORT_NATIVE: "native",
    pb.SERVICE_SUPPORT_SURROGATE: "surrogate",
    pb.SERVICE_SUPPORT_UNAVAILABLE: "unavailable",
}
_CAPABILITIES: dict[Any, str] = {pb.Capability.Value(f"CAPABILITY_{power.upper()}"): power for power in POWERS}

K = TypeVar("K")
V = TypeVar("V")


def _number_of(table: dict[K, V], value: V, what: str) -> K:
    for number, known in table.items():
        # UNSPECIFIED stands first where it means the same as a later number: the explicit one is sent.
        if known == value and number != 0:
            return number
    for number, known in table.items():
        if known == value:
            return number
    raise InvalidArgument(f"{value!r} is not a {what} of the contract", "upgrade the older side")


def _value_of(table: dict[K, V], number: K, what: str) -> V:
    try:
        return table[number]
    except KeyError:
        raise InvalidArgument(f"{number} is not a {what} this side knows", "upgrade the older side") from None


def vec3_to_proto(vec: Vec3) -> pb.Vec3:
    """A point or extent."""
    return pb.Vec3(x=vec.x, y=vec.y, z=vec.z)


def vec3_from_proto(message: pb.Vec3) -> Vec3:
    """A point or extent."""
    return Vec3(message.x, message.y, message.z)


def box_to_proto(box: Box) -> pb.Box:
    """A box."""
    return pb.Box(start=vec3_to_proto(box.start), stop=vec3_to_proto(box.stop))


def box_from_proto(message: pb.Box) -> Box:
    """A box; unset corners are 0, so that an unset stop is an empty box and refused by whoever reads it."""
    return Box(vec3_from_proto(message.start), vec3_from_proto(message.stop))


def voxel_size_to_proto(size: VoxelSize | None) -> pb.VoxelSize | None:
    """A voxel size; None stays unset."""
    return None if size is None else pb.VoxelSize(x=size.x, y=size.y, z=size.z)


def dtype_to_proto(dtype: np.dtype[np.generic]) -> pb.DataType:
    """A number type.

    Raises:
        InvalidArgument: for one the contract does not have.
    """
    number: pb.DataType | None = _DTYPE_NUMBERS.get(dtype.newbyteorder("<"))
    if number is None:
        raise InvalidArgument(
            f"{dtype} is not a voxel type of the contract", "use an 8 to 64-bit integer or float32/64"
        )
    return number


def dtype_from_proto(number: pb.DataType) -> np.dtype[np.generic]:
    """A little-endian numpy dtype.

    Raises:
        InvalidArgument: for an unset or unknown type.
    """
    return _value_of(_DTYPES, number, "data type")


def label_view_to_proto(view: LabelView) -> pb.LabelView:
    """A label view."""
    return _number_of(_LABEL_VIEWS, view, "label view")


def label_view_from_proto(number: pb.LabelView) -> LabelView:
    """A label view; unset means bodies."""
    return _value_of(_LABEL_VIEWS, number, "label view")


def encoding_to_proto(encoding: Encoding) -> pb.Encoding:
    """An encoding."""
    return pb.Encoding(
        array=_number_of(_ARRAY_CODECS, encoding.array, "array codec"),
        bytes=_number_of(_BYTE_CODECS, encoding.bytes, "byte codec"),
        block_shape=None if encoding.block_shape is None else vec3_to_proto(encoding.block_shape),
    )


def encoding_from_proto(message: pb.Encoding) -> Encoding:
    """An encoding.

    Raises:
        InvalidArgument: for an unset or unknown codec.
    """
    return Encoding(
        _value_of(_ARRAY_CODECS, message.array, "array codec"),
        _value_of(_BYTE_CODECS, message.bytes, "byte codec"),
        vec3_from_proto(message.block_shape) if message.HasField("block_shape") else None,
    )


def known_encodings(messages: Iterable[pb.Encoding]) -> list[Encoding]:
    """The encodings of a list that this side knows; the others are from a newer contract and left out."""
    return [
        encoding_from_proto(message)
        for message in messages
        if message.array in _ARRAY_CODECS and message.bytes in _BYTE_CODECS
    ]


def fill_to_bytes(value: float, dtype: np.dtype[np.generic]) -> bytes:
    """A fill value as one little-endian element."""
    return np.asarray(value, dtype.newbyteorder("<")).tobytes()


def fill_from_bytes(data: bytes, dtype: np.dtype[np.generic]) -> int | float:
    """A fill value as a Python number; empty bytes mean 0.

    Raises:
        InvalidArgument: when the bytes are not one element.
    """
    if not data:
        return 0
    if len(data) != dtype.itemsize:
        raise InvalidArgument(f"a fill value of {len(data)} bytes", f"{dtype} needs {dtype.itemsize}")
    value: int | float = np.frombuffer(data, dtype)[0].item()
    return value


def scale_to_proto(scale: Scale) -> pb.Scale:
    """A scale."""
    return pb.Scale(
        key=scale.key,
        bounds=box_to_proto(scale.bounds),
        stored_chunk_shape=vec3_to_proto(scale.stored_chunk_shape),
        write_granule_shape=vec3_to_proto(scale.write_granule_shape),
        grid_origin=vec3_to_proto(scale.grid_origin),
        voxel_size_nm=voxel_size_to_proto(scale.voxel_size_nm),
        stored_encodings=[encoding_to_proto(encoding) for encoding in scale.stored_encodings],
        writable=scale.writable,
    )


def _voxel_size(message: pb.Scale | pb.ScaleSpec) -> VoxelSize | None:
    if not message.HasField("voxel_size_nm"):
        return None
    size = message.voxel_size_nm
    return VoxelSize(size.x, size.y, size.z)


def scale_from_proto(message: pb.Scale) -> Scale:
    """A scale."""
    return Scale(
        message.key,
        box_from_proto(message.bounds),
        vec3_from_proto(message.stored_chunk_shape),
        vec3_from_proto(message.write_granule_shape),
        vec3_from_proto(message.grid_origin),
        _voxel_size(message),
        tuple(known_encodings(message.stored_encodings)),
        message.writable,
    )


def facts_to_proto(facts: VolumeFacts) -> pb.Volume:
    """A volume's description, with what its store can do."""
    info = facts.info
    return pb.Volume(
        name=info.name,
        resolved_version=info.resolved_version,
        immutable=info.immutable,
        data_type=dtype_to_proto(info.dtype),
        kind=_number_of(_KINDS, info.kind, "kind"),
        axes=[_number_of(_AXES, axis, "axis") for axis in info.axes],
        channels=[channel_to_proto(channel) for channel in info.channels],
        time_count=info.time_count,
        scales=[scale_to_proto(scale) for scale in info.scales],
        fill_value=fill_to_bytes(info.fill_value, info.dtype),
        inferred=info.inferred,
        capabilities=[_number_of(_CAPABILITIES, power, "capability") for power in POWERS if power in facts.powers],
        services=[
            pb.ServiceOffer(name=offer.name, support=_number_of(_SUPPORTS, offer.support, "support"), why=offer.why)
            for offer in info.services
        ],
        label_views=[label_view_to_proto(view) for view in info.label_views],
        read_tuning=_tuning_to_proto(facts.tuning),
        format=info.format,
    )


def _tuning_to_proto(tuning: ReadTuning | None) -> pb.ReadTuning | None:
    if tuning is None:
        return None
    return pb.ReadTuning(
        parallel_read_count=tuning.parallel_reads,
        request_bytes=tuning.request_bytes,
        alignment=None if tuning.alignment is None else vec3_to_proto(tuning.alignment),
    )


def _tuning_from_proto(message: pb.ReadTuning) -> ReadTuning:
    alignment = vec3_from_proto(message.alignment) if message.HasField("alignment") else None
    count = message.parallel_read_count or ReadTuning().parallel_reads
    return ReadTuning(count, message.request_bytes, alignment)


def facts_from_proto(message: pb.Volume) -> VolumeFacts:
    """A volume's description, with what its store can do; powers of a newer contract are left out."""
    return VolumeFacts(
        volume_from_proto(message),
        frozenset(_CAPABILITIES[number] for number in message.capabilities if number in _CAPABILITIES),
        _tuning_from_proto(message.read_tuning) if message.HasField("read_tuning") else None,
    )


def volume_from_proto(message: pb.Volume) -> VolumeInfo:
    """A volume's description."""
    dtype = dtype_from_proto(message.data_type)
    return VolumeInfo(
        name=message.name,
        dtype=dtype,
        kind=_value_of(_KINDS, message.kind, "kind"),
        scales=tuple(scale_from_proto(scale) for scale in message.scales),
        axes="".join(_value_of(_AXES, axis, "axis") for axis in message.axes),
        channels=tuple(map(channel_from_proto, message.channels)),
        time_count=message.time_count,
        fill_value=fill_from_bytes(message.fill_value, dtype),
        resolved_version=message.resolved_version,
        immutable=message.immutable,
        inferred=tuple(message.inferred),
        services=tuple(
            ServiceOffer(offer.name, _SUPPORTS.get(offer.support, "unavailable"), offer.why)
            for offer in message.services
        ),
        label_views=tuple(_LABEL_VIEWS[number] for number in message.label_views if number in _LABEL_VIEWS),
        format=message.format,
    )


def spec_to_proto(spec: VolumeSpec) -> pb.VolumeSpec:
    """A volume to be created."""
    return pb.VolumeSpec(
        data_type=dtype_to_proto(spec.dtype),
        kind=_number_of(_KINDS, spec.kind, "kind"),
        channels=[channel_to_proto(channel) for channel in spec.channels],
        scales=[
            pb.ScaleSpec(
                bounds=box_to_proto(scale.bounds),
                voxel_size_nm=voxel_size_to_proto(scale.voxel_size_nm),
                chunk_shape=None if scale.chunk_shape is None else vec3_to_proto(scale.chunk_shape),
                shard_shape=None if scale.shard_shape is None else vec3_to_proto(scale.shard_shape),
                encoding=None if scale.encoding is None else encoding_to_proto(scale.encoding),
            )
            for scale in spec.scales
        ],
        fill_value=fill_to_bytes(spec.fill_value, spec.dtype),
        format=_number_of(_FORMATS, spec.format, "format"),
    )


def spec_from_proto(message: pb.VolumeSpec) -> VolumeSpec:
    """A volume to be created.

    Raises:
        InvalidArgument: for a spec without type, kind or scales, or with an empty level.
    """
    if not message.scales:
        raise InvalidArgument("the spec has no scale", "give at least one")
    if message.kind == pb.VOLUME_KIND_UNSPECIFIED:
        raise InvalidArgument("the spec has no kind", "say image or segmentation")
    dtype = dtype_from_proto(message.data_type)
    return VolumeSpec(
        dtype,
        _value_of(_KINDS, message.kind, "kind"),
        tuple(_scale_spec(scale) for scale in message.scales),
        tuple(map(channel_from_proto, message.channels)),
        fill_from_bytes(message.fill_value, dtype),
        _value_of(_FORMATS, message.format, "format"),
    )


def _scale_spec(message: pb.ScaleSpec) -> ScaleSpec:
    def shape(name: str, value: pb.Vec3) -> Vec3 | None:
        if not message.HasField(name):
            return None
        if min(vec3_from_proto(value)) < 1:
            raise InvalidArgument(f"{name} must be at least 1 on each axis", "correct it", details={"field": name})
        return vec3_from_proto(value)

    bounds = box_from_proto(message.bounds)
    if bounds.is_empty:
        raise InvalidArgument("a scale's bounds are empty", "each stop must be greater than its start")
    return ScaleSpec(
        bounds,
        _voxel_size(message),
        shape("chunk_shape", message.chunk_shape),
        shape("shard_shape", message.shard_shape),
        encoding_from_proto(message.encoding) if message.HasField("encoding") else None,
    )
