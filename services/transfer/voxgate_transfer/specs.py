"""What a transfer creates, and what it refuses before any work. Pure: descriptions in, descriptions or errors out."""

from __future__ import annotations

import math
from dataclasses import replace

from voxgate.model.errors import (
    DataTypeMismatch,
    FailedPrecondition,
    InvalidArgument,
    MissingCapability,
    ReadOnly,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.names import VolumeName
from voxgate.model.volumes import (
    ScaleSpec,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
)

CHUNK_EXTENT = 64
"""Voxels of a chunk along each axis, where the volume is that large."""
CHUNKS_PER_SHARD = 4
"""Chunks of a shard along each axis, where the volume is that large and the shard stays within MAX_SHARD_BYTES."""
MAX_SHARD_BYTES = 64 << 20
"""A shard is written by one task from memory, so this bounds what a task must hold."""

_SHARDED_FORMATS = ("", "zarr3")


def destination_spec(info: VolumeInfo, *, format_name: str = "") -> VolumeSpec:
    """The like of a volume: same type, kind, channels, fill value, and scales with their bounds and voxel sizes.

    Args:
        info: the volume.
        format_name: "precomputed", "zarr2", "zarr3", or "" for the remote's default. "" and "zarr3" are sharded.
    """
    voxel_bytes = info.dtype.itemsize * info.channel_count
    sharded = format_name in _SHARDED_FORMATS
    scales = []
    for scale in info.scales:
        chunk = _chunk_shape(scale.bounds)
        shard = _shard_shape(scale.bounds, chunk, voxel_bytes) if sharded else None
        scales.append(ScaleSpec(scale.bounds, scale.voxel_size_nm, chunk, shard))
    return VolumeSpec(info.dtype, info.kind, tuple(scales), info.channels, info.fill_value, format_name)


def unsharded(spec: VolumeSpec) -> VolumeSpec:
    """The same volume without shards, for formats that have none."""
    return replace(spec, scales=tuple(replace(scale, shard_shape=None) for scale in spec.scales))


def completed_spec(spec: VolumeSpec, info: VolumeInfo) -> VolumeSpec:
    """A caller's spec for a copy of `info`, checked, with voxel sizes that it leaves out taken from the source.

    Raises:
        DataTypeMismatch: when the number types differ; nothing is cast silently.
        InvalidArgument: when kind, channels, scales, bounds or stated voxel sizes differ.
    """
    if spec.dtype != info.dtype:
        raise DataTypeMismatch(
            f"the source holds {info.dtype.name}, the destination would hold {spec.dtype.name}",
            "a transfer casts nothing; ask for the source's data type",
        )
    if info.kind not in (VolumeKind.UNKNOWN, spec.kind):
        raise _differs("kind", info.kind.value, spec.kind.value)
    if len(spec.channels) != len(info.channels):
        raise _differs("number of channels", len(info.channels), len(spec.channels))
    if len(spec.scales) != len(info.scales):
        raise _differs("number of scales", len(info.scales), len(spec.scales))
    scales = []
    for index, (asked, scale) in enumerate(zip(spec.scales, info.scales, strict=True)):
        if asked.bounds != scale.bounds:
            raise _differs(f"bounds of scale {index}", scale.bounds, asked.bounds)
        size = asked.voxel_size_nm or scale.voxel_size_nm
        if scale.voxel_size_nm is not None and size != scale.voxel_size_nm:
            raise _differs(f"voxel size of scale {index}", tuple(scale.voxel_size_nm), tuple(size or ()))
        scales.append(replace(asked, voxel_size_nm=size))
    return replace(spec, scales=tuple(scales))


def check_names(source: VolumeName, destination: VolumeName) -> None:
    """Refuse a destination that is the source, or lies inside of it or around it.

    Raises:
        InvalidArgument: for such a destination, or a name of a remote alone.
    """
    remedy = "name a volume of its own as the destination"
    if not destination.segments:
        raise InvalidArgument(f'"{destination}" names a remote, not a volume in it', remedy)
    if source == destination:
        raise InvalidArgument("the destination is the source itself", remedy)
    shared = min(len(source.segments), len(destination.segments))
    if source.remote == destination.remote and source.segments[:shared] == destination.segments[:shared]:
        raise InvalidArgument(f'"{destination}" and "{source}" lie one inside the other', remedy)


def check_source(info: VolumeInfo) -> None:
    """Refuse a source that cannot be copied whole.

    Raises:
        UnsupportedFormat: when it has several time points.
        MissingCapability: when it has no voxels.
    """
    if info.time_count > 1:
        raise UnsupportedFormat(
            f"the source has {info.time_count} time points", "transfers copy volumes without a time axis only"
        )
    if not info.scales:
        raise MissingCapability("the source has no voxels", "choose another one", details={"capability": "READ"})


def check_destination(source: VolumeInfo, destination: VolumeInfo) -> None:
    """Refuse a destination that cannot take the source's voxels as they are.

    Raises:
        ReadOnly, DataTypeMismatch, FailedPrecondition.
    """
    if not all(scale.writable for scale in destination.scales):
        raise ReadOnly("the destination takes no writes", "the operator sets `writable = true` for its remote")
    if destination.dtype != source.dtype:
        raise DataTypeMismatch(
            f"the source holds {source.dtype.name}, the destination {destination.dtype.name}",
            "a transfer casts nothing; choose a destination of the source's data type",
        )
    grids = [[scale.bounds for scale in info.scales] for info in (source, destination)]
    if grids[0] != grids[1] or source.channel_count != destination.channel_count:
        raise FailedPrecondition(
            "the destination's scales, bounds or channels are not the source's", "transfer to another destination"
        )


def _differs(what: str, of_source: object, asked: object) -> InvalidArgument:
    return InvalidArgument(
        f"the {what} would change from {of_source} to {asked}",
        "a transfer copies every scale as it is; leave the destination's spec out, or state the source's values",
        details={"field": "spec.destination_spec"},
    )


def _chunk_shape(bounds: Box) -> Vec3:
    return Vec3(*(min(CHUNK_EXTENT, extent) for extent in bounds.shape))


def _shard_shape(bounds: Box, chunk: Vec3, voxel_bytes: int) -> Vec3:
    """Whole chunks, no more than the volume needs; too large a shard gives way along z, then y, then x."""
    counts = [min(CHUNKS_PER_SHARD, math.ceil(extent / size)) for extent, size in zip(bounds.shape, chunk, strict=True)]
    for axis in (2, 1, 0) * CHUNKS_PER_SHARD:
        if math.prod(counts) * chunk.product * voxel_bytes <= MAX_SHARD_BYTES:
            break
        counts[axis] = math.ceil(counts[axis] / 2)
    return Vec3(*(count * size for count, size in zip(counts, chunk, strict=True)))
