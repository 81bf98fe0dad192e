"""The description of a volume in memory, made from its spec."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from voxgate.model.errors import InvalidArgument, UnsupportedFormat
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.remotes import CoarserScale
from voxgate.model.volumes import RAW, SUPPORTED_DTYPES, Scale, ScaleSpec, VolumeInfo, VolumeSpec

DEFAULT_CHUNK_SHAPE = Vec3(64, 64, 64)


def info_of(spec: VolumeSpec) -> VolumeInfo:
    """The description of a volume made by `spec`.

    Raises:
        UnsupportedFormat, InvalidArgument.
    """
    if spec.dtype not in SUPPORTED_DTYPES:
        raise UnsupportedFormat(f"no volume holds {spec.dtype}", f"use one of {', '.join(map(str, SUPPORTED_DTYPES))}")
    if spec.format not in ("", "memory"):
        raise UnsupportedFormat(f"memory does not create {spec.format!r}", "leave the format out")
    if not spec.scales:
        raise InvalidArgument("a volume needs a scale", "state at least one")
    return VolumeInfo(
        name="",
        dtype=spec.dtype.newbyteorder("<"),
        kind=spec.kind,
        scales=tuple(_scale_of(str(index), scale) for index, scale in enumerate(spec.scales)),
        axes="czyx" if spec.channels else "zyx",
        channels=spec.channels,
        fill_value=_fill_value(spec),
    )


def _fill_value(spec: VolumeSpec) -> int | float:
    """The spec's fill value as a number of its dtype.

    Raises:
        InvalidArgument: when an integer dtype does not have it.
    """
    if spec.dtype.kind == "f":
        return float(spec.dtype.type(spec.fill_value))
    limits = np.iinfo(spec.dtype)
    if spec.fill_value != spec.fill_value or not limits.min <= spec.fill_value <= limits.max or spec.fill_value % 1:
        raise InvalidArgument(f"the fill value {spec.fill_value} is no {spec.dtype}", "choose one that is")
    return int(spec.fill_value)


def _scale_of(key: str, spec: ScaleSpec) -> Scale:
    chunk = spec.chunk_shape or DEFAULT_CHUNK_SHAPE
    granule = spec.shard_shape or chunk
    if spec.bounds.is_empty or min(chunk) < 1:
        raise InvalidArgument(f"scale {key} has no voxels or empty chunks", "give bounds and chunks some extent")
    if any(g < c or g % c for g, c in zip(granule, chunk, strict=True)):
        raise InvalidArgument(f"the shards of scale {key} are not whole chunks", "make them multiples of the chunk")
    if spec.encoding not in (None, RAW):
        raise UnsupportedFormat("memory keeps voxels as they are", "leave the encoding out")
    return Scale(
        key=key,
        bounds=spec.bounds,
        stored_chunk_shape=chunk,
        write_granule_shape=granule,
        grid_origin=spec.bounds.start,
        voxel_size_nm=spec.voxel_size_nm,
        stored_encodings=(RAW,),
        writable=True,
    )


def coarser_scale(key: str, before: Scale, coarser: CoarserScale) -> Scale:
    """A level that is kept as the one before it is."""
    size = before.voxel_size_nm
    if size is not None:
        size = VoxelSize(*(a * f for a, f in zip(size, coarser.factor, strict=True)))
    return replace(before, key=key, bounds=coarser.bounds, grid_origin=coarser.bounds.start, voxel_size_nm=size)
