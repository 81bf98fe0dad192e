"""What `client.create` says of a new volume, as a VolumeSpec."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client.array import VolumeArray
from voxgate.client.physical import Triple, triple
from voxgate.client.wishes import Extent, choice, encoding_of, vec3
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    Channel,
    ScaleSpec,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
)

_IMAGES = ("uint8", "uint16")


@dataclass(frozen=True, slots=True)
class NewVolume:
    """Keywords of `client.create`; None where nothing was said."""

    like: VolumeArray | None
    shape: Sequence[int] | None
    dtype: npt.DTypeLike | None
    voxel_size_nm: Triple | None
    offset: Extent | None
    chunk: Extent | None
    shard: Extent | None
    codec: str | None
    factors: Sequence[Extent] | None
    kind: VolumeKind | str | None
    fill_value: float | None
    format: str

    @property
    def says_anything(self) -> bool:
        """Whether any keyword was given."""
        said = (getattr(self, name) for name in self.__slots__ if name != "format")
        return bool(self.format) or any(each is not None for each in said)


def spec_of(new: NewVolume) -> VolumeSpec:
    """The volume to be created: one scale and those of `factors`, with what is not said taken from `like`.

    Raises:
        InvalidArgument: for what is missing, or cannot be meant.
    """
    info = new.like.info if new.like is not None else None
    dtype = _dtype(new, info)
    shape, count = _extents(new)
    start = vec3(new.offset, "offset") if new.offset is not None else _start(new.like)
    scale = ScaleSpec(
        Box.at(start, shape),
        _voxel_size(new),
        None if new.chunk is None else vec3(new.chunk, "chunk"),
        None if new.shard is None else vec3(new.shard, "shard"),
        None if new.codec is None else encoding_of(new.codec),
    )
    fill = new.fill_value
    if fill is None:
        fill = info.fill_value if info is not None and info.dtype == dtype else 0
    scales = (scale, *_coarser(scale, new.factors or ()))
    return VolumeSpec(dtype, _kind(new, dtype), scales, _channels(new, count), fill, new.format)


def kind_of(dtype: np.dtype[Any]) -> VolumeKind:
    """What voxels of a type are usually: unsigned integers of 32 and 64 bits are segment ids, all others images."""
    is_image = dtype.name in _IMAGES or dtype.kind != "u"
    return VolumeKind.IMAGE if is_image else VolumeKind.SEGMENTATION


def _coarser(finest: ScaleSpec, factors: Sequence[Extent]) -> Iterator[ScaleSpec]:
    """Levels that lie where `client.pyramid` with these factors puts them."""
    before = finest
    for numbers in factors:
        factor = vec3(numbers, "factors")
        if min(factor) < 1 or max(factor) == 1:
            raise InvalidArgument(
                f"{tuple(factor)} is no factor",
                "give for each level x, y, z: how many voxels of the level before become one",
                details={"field": "factors"},
            )
        start, stop = before.bounds.start, before.bounds.stop
        bounds = Box(
            Vec3(*(at // by for at, by in zip(start, factor, strict=True))),
            Vec3(*(-(-at // by) for at, by in zip(stop, factor, strict=True))),
        )
        size = before.voxel_size_nm
        larger = None if size is None else VoxelSize(*(a * by for a, by in zip(size, factor, strict=True)))
        before = replace(before, bounds=bounds, voxel_size_nm=larger)
        yield before


def _dtype(new: NewVolume, info: VolumeInfo | None) -> np.dtype[Any]:
    if new.dtype is None:
        if info is None:
            raise _missing("dtype", "a numpy type, such as array.dtype")
        return info.dtype
    try:
        dtype = np.dtype(new.dtype).newbyteorder("<")
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in SUPPORTED_DTYPES:
        names = ", ".join(supported.name for supported in SUPPORTED_DTYPES)
        raise InvalidArgument(f"no volume holds {new.dtype!r}", f"use one of {names}", details={"field": "dtype"})
    return dtype


def _extents(new: NewVolume) -> tuple[Vec3, int | None]:
    """Voxels along x, y, z, and the number of channels; None without an axis of them."""
    if new.shape is None:
        if new.like is None:
            raise _missing("shape", "the voxels along z, y, x, as of a numpy array")
        has_channels = "c" in new.like.axes
        return new.like.bounds.shape, new.like.info.channel_count if has_channels else None
    extents = tuple(new.shape)
    if len(extents) not in (3, 4) or not all(extent == int(extent) and extent > 0 for extent in extents):
        raise InvalidArgument(
            f"shape cannot be {extents}",
            "give positive whole numbers: z, y, x, or c, z, y, x for channels",
            details={"field": "shape"},
        )
    z, y, x = (int(extent) for extent in extents[-3:])
    return Vec3(x, y, z), int(extents[0]) if len(extents) == 4 else None


def _start(like: VolumeArray | None) -> Vec3:
    return Vec3(0, 0, 0) if like is None else like.bounds.start


def _voxel_size(new: NewVolume) -> VoxelSize | None:
    if new.voxel_size_nm is None:
        return None if new.like is None else new.like.voxel_size_nm
    size = VoxelSize(*triple(new.voxel_size_nm))
    if not all(0 < extent < math.inf for extent in size):
        raise InvalidArgument(
            f"voxel_size_nm cannot be {tuple(size)}",
            "give three numbers of nanometres greater than 0: x, y, z",
            details={"field": "voxel_size_nm"},
        )
    return size


def _kind(new: NewVolume, dtype: np.dtype[Any]) -> VolumeKind:
    if new.kind is not None:
        return choice(VolumeKind, new.kind, "kind")
    info = new.like.info if new.like is not None else None
    if info is None or info.dtype != dtype or info.kind is VolumeKind.UNKNOWN:
        return kind_of(dtype)
    return info.kind


def _channels(new: NewVolume, count: int | None) -> tuple[Channel, ...]:
    if count is None:
        return ()
    known = new.like.channels if new.like is not None and "c" in new.like.axes else ()
    return tuple(known) if len(known) == count else tuple(Channel() for _ in range(count))


def _missing(field: str, what: str) -> InvalidArgument:
    return InvalidArgument(f"a new volume needs {field}", f"give {what}, or like=", details={"field": field})
