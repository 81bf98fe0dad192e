"""What a transfer creates, and what it refuses before any work. Pure: descriptions in, descriptions or errors out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from voxgate.model.errors import (
    DataTypeMismatch,
    FailedPrecondition,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    OutOfBounds,
    ReadOnly,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.names import VolumeName
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import (
    Scale,
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
MAX_GRANULE_BYTES = 1 << 30
"""What a caller states, or a destination has, may be larger than our own choice; this is more than a task can hold."""

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


def possible_specs(info: VolumeInfo) -> Iterator[VolumeSpec]:
    """What may be created for a copy of `info`, the best first: not every store has shards, or chunks of our choice."""
    sharded = destination_spec(info)
    plain = unsharded(sharded)
    bare = replace(plain, scales=tuple(replace(scale, chunk_shape=None) for scale in plain.scales))
    yield from (sharded, plain, bare)
    if len(info.channels) == 1:
        yield from (replace(one, channels=()) for one in (sharded, plain, bare))


def completed_spec(spec: VolumeSpec, info: VolumeInfo) -> VolumeSpec:
    """A caller's spec for a copy of `info`, checked, with voxel sizes that it leaves out taken from the source.

    Args:
        spec: the caller's.
        info: the source as the destination is to see it.

    Raises:
        DataTypeMismatch: when the number types differ; nothing is cast silently.
        InvalidArgument: when kind, channels, scales or stated voxel sizes differ, bounds do not contain the copy, or
            shards are none that can be written.
    """
    if spec.dtype.newbyteorder("<") != info.dtype:
        raise DataTypeMismatch(
            f"what is copied would be {info.dtype.name}, the destination would hold {spec.dtype.name}",
            "say what to convert to in the transfer itself; a transfer casts nothing that it is not told to",
        )
    if info.kind not in (VolumeKind.UNKNOWN, spec.kind):
        raise _differs("kind", info.kind.value, spec.kind.value)
    if (len(spec.channels) or 1) != info.channel_count:
        raise _differs("number of channels", info.channel_count, len(spec.channels))
    if len(spec.scales) != len(info.scales):
        raise _differs("number of scales", len(info.scales), len(spec.scales))
    scales = []
    for index, (asked, scale) in enumerate(zip(spec.scales, info.scales, strict=True)):
        if not asked.bounds.contains(scale.bounds):
            raise _differs(f"bounds of scale {index}", scale.bounds, asked.bounds)
        _check_shard(asked, info.dtype.itemsize * info.channel_count)
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


def check_destination(copied: VolumeInfo, destination: VolumeInfo) -> tuple[int, ...]:
    """Find the scales that a copy is written into, and refuse a destination that cannot take it as it is.

    As many scales as are copied are taken in their order; of more, those with the voxel sizes of the copy.

    Args:
        copied: the source as the destination is to see it.
        destination: what is written.

    Returns:
        Of each scale of the copy, its index in the destination.

    Raises:
        ReadOnly, VersionLocked, DataTypeMismatch, FailedPrecondition, OutOfBounds, LimitExceeded.
    """
    if destination.dtype != copied.dtype:
        raise DataTypeMismatch(
            f"what is copied would be {copied.dtype.name}, the destination holds {destination.dtype.name}",
            "say what to convert to; a transfer casts nothing that it is not told to",
        )
    if copied.channel_count != destination.channel_count:
        raise _unlike("number of channels", copied.channel_count, destination.channel_count)
    kinds = {copied.kind, destination.kind} - {VolumeKind.UNKNOWN}
    if len(kinds) > 1 and "kind" not in (*copied.inferred, *destination.inferred):
        raise _unlike("kind", copied.kind.value, destination.kind.value)
    targets = _targets(copied, destination)
    voxel_bytes = destination.dtype.itemsize * destination.channel_count
    for level, target in zip(copied.scales, targets, strict=True):
        _check_level(level, destination.scales[target], target, voxel_bytes)
    if not all(destination.scales[target].writable for target in targets):
        check_version_open(destination)
        some = any(destination.scales[target].writable for target in targets)
        remedy = "copy its writable scales alone" if some else "the operator sets `writable = true` for its remote"
        raise ReadOnly("the destination, or a scale of it, takes no writes", remedy)
    return targets


def _targets(copied: VolumeInfo, destination: VolumeInfo) -> tuple[int, ...]:
    sizes = [scale.voxel_size_nm for scale in destination.scales]
    if len(copied.scales) == len(sizes):
        for index, (scale, size) in enumerate(zip(copied.scales, sizes, strict=True)):
            if not _same_size(scale.voxel_size_nm, size):
                raise _unlike(f"voxel size of scale {index}", _told(scale.voxel_size_nm), _told(size))
        return tuple(range(len(sizes)))
    targets = []
    for index, scale in enumerate(copied.scales):
        known = scale.voxel_size_nm
        found = [at for at, size in enumerate(sizes) if known and size and _same_size(known, size)]
        if len(found) != 1:
            raise FailedPrecondition(
                f"which scale of the destination would take scale {index} of the copy is not to be told: "
                f"{len(found)} have voxels of {_told(scale.voxel_size_nm)}",
                "copy as many scales as the destination has, or scales with its voxel sizes",
            )
        targets += found
    return tuple(targets)


def _same_size(one: VoxelSize | None, other: VoxelSize | None) -> bool:
    """Whether sizes do not contradict each other; some stores keep them in float32."""
    if one is None or other is None:
        return True
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(one, other, strict=True))


def _check_level(copied: Scale, written: Scale, target: int, voxel_bytes: int) -> None:
    if not written.bounds.contains(copied.bounds):
        raise OutOfBounds(
            f"the copy would lie at {copied.bounds} of scale {target}, and the destination has {written.bounds}",
            "choose a box and a start that lie inside of it, or another destination",
            details={"box": str(copied.bounds), "bounds": str(written.bounds), "scale": str(target)},
        )
    granule = Vec3.minimum(written.write_granule_shape, written.bounds.shape)
    if granule.product * voxel_bytes > MAX_GRANULE_BYTES:
        raise LimitExceeded(
            f"the destination is written {tuple(granule)} voxels at a time, more than a task can hold",
            "transfer to a new destination, with smaller chunks or shards",
            details={"limit": str(MAX_GRANULE_BYTES), "asked": str(granule.product * voxel_bytes)},
        )


def _check_shard(spec: ScaleSpec, voxel_bytes: int) -> None:
    """Refuse a shard that is not whole chunks, or more than a task can hold; name one that is possible."""
    chunk, shard = spec.chunk_shape or Vec3(CHUNK_EXTENT, CHUNK_EXTENT, CHUNK_EXTENT), spec.shard_shape
    if shard is None:
        return
    counts = [max(1, round(extent / size)) for extent, size in zip(shard, chunk, strict=True)]
    while math.prod(counts) * chunk.product * voxel_bytes > MAX_GRANULE_BYTES and max(counts) > 1:
        largest = counts.index(max(counts))
        counts[largest] = math.ceil(counts[largest] / 2)
    possible = Vec3(*(count * size for count, size in zip(counts, chunk, strict=True)))
    if possible != shard:
        raise InvalidArgument(
            f"shards of {tuple(shard)} voxels cannot be written: they are whole chunks of {tuple(chunk)}, and of at "
            f"most {MAX_GRANULE_BYTES >> 20} MiB",
            f"{tuple(possible)} would do",
            details={"field": "spec.destination_spec.scales.shard_shape"},
        )


def _told(value: VoxelSize | None) -> str:
    return "unknown size" if value is None else f"{tuple(value)} nm"


def _unlike(what: str, of_copy: object, of_destination: object) -> FailedPrecondition:
    return FailedPrecondition(
        f"the {what} of the copy is {of_copy}, of the destination {of_destination}", "transfer to another destination"
    )


def _differs(what: str, of_source: object, asked: object) -> InvalidArgument:
    return InvalidArgument(
        f"the {what} of the copy is {of_source}, and the destination's spec states {asked}",
        "leave the destination's spec out, or state in it what is copied",
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
