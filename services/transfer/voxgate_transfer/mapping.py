"""Which part of a source a transfer copies, and where it comes to lie: the source as its destination is to see it.

Scales, box, channels, number type, place and voxel size are all said of the source; what comes out is a volume like any
other, so that what creates, plans, copies and compares knows nothing of them.

A box is said in voxels of the finest scale that is copied. In the others it is the voxels that touch it: voxel i spans
[i * size, (i + 1) * size), so their ends are those of the box times the ratio of the sizes, rounded outward. Sizes are
taken as the decimal numbers that the store states, so that 13.2 is three times 4.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar, cast

import numpy as np

from voxgate.model.errors import EmptyBox, InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import TransferSpec
from voxgate.model.requests import check_box, check_channels, scale_of
from voxgate.model.volumes import Scale, Tuned, Volume, VolumeInfo, Voxels
from voxgate_transfer.converting import converted, fits

C = TypeVar("C")
Ratio = tuple[Fraction, Fraction, Fraction]
"""Of each axis x, y, z, how many voxels of the finest scale one voxel of a scale is long."""

_ORIGIN = Vec3(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is copied of a source, and how it is seen.

    Attributes:
        info: the source as the destination is to see it: scales, channels, number type, place and sizes of the copy.
        scales: of each scale of `info`, its index in the source.
        shifts: of each scale of `info`, what is added to coordinates of the source.
        channels: the channels of the source, in the order of the copy.
    """

    info: VolumeInfo
    scales: tuple[int, ...]
    shifts: tuple[Vec3, ...]
    channels: tuple[int, ...]


class MappedVolume:
    """A source seen through a mapping; satisfies Volume. Reads convert, or fail naming the first voxel that misfits."""

    def __init__(self, inner: Volume, mapping: Mapping) -> None:
        self._inner = inner
        self._mapping = mapping

    @property
    def info(self) -> VolumeInfo:
        """The source as the destination is to see it."""
        return self._mapping.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box of the copy; see `voxgate.model.volumes.Volume.read`.

        Raises:
            DataTypeMismatch: when a value does not fit the type of the copy; names where it is in the source.
        """
        check_box(self.info, box, scale)
        mapping, inner = self._mapping, self._inner.info
        wanted = tuple(mapping.channels[index] for index in check_channels(self.info, channels))
        there = box.shifted(_ORIGIN - mapping.shifts[scale])
        everything = wanted == tuple(range(inner.channel_count))
        direct = out if inner.dtype == self.info.dtype else None
        found = self._inner.read(
            there, scale=mapping.scales[scale], channels=None if everything else wanted, out=direct
        )
        voxels = converted(found, self.info.dtype, start=there.start, channels=wanted)
        if out is None or voxels is out:
            return voxels
        out[...] = voxels
        return out

    def capability(self, kind: type[C]) -> C | None:
        """How it is read fastest; nothing that changes or hands out what is stored."""
        found: object = self._inner.capability(kind) if kind is Tuned else None
        return cast("C | None", found)


def mapped(source: VolumeInfo, spec: TransferSpec) -> Mapping:
    """What a transfer copies of a source.

    Raises:
        UnknownScale, OutOfBounds, EmptyBox: for scales, channels or a box that the source does not have.
        InvalidArgument: for scales or channels out of order or twice; where a box, a place or a voxel size cannot be
            said exactly in every scale; where a start is given without a scale to start in; for several scales and
            a pyramid.
    """
    asked = spec.scales if spec.pyramid is None else _finest_alone(spec.scales)
    scales = _chosen_scales(source, asked)
    channels = _chosen_channels(source, spec.channels)
    finest = source.scales[scales[0]]
    if spec.box is not None:
        check_box(source, spec.box, scales[0])
    box = spec.box or finest.bounds
    shift = _ORIGIN if spec.destination_start is None else spec.destination_start - box.start
    dtype = source.dtype if spec.dtype is None else spec.dtype.newbyteorder("<")
    levels, shifts = [], []
    for index in scales:
        scale = source.scales[index]
        needed = box != finest.bounds or shift != _ORIGIN or spec.voxel_size_nm is not None
        ratio = _ratio(finest, scale, index) if needed else None
        part = scale.bounds if box == finest.bounds or ratio is None else _touching(box, scale, ratio, index)
        moved = _ORIGIN if ratio is None else _coarser(shift, ratio, index)
        size = scale.voxel_size_nm if ratio is None else _sized(spec.voxel_size_nm, scale.voxel_size_nm, ratio)
        origin = scale.grid_origin + moved
        levels.append(replace(scale, bounds=part.shifted(moved), grid_origin=origin, voxel_size_nm=size))
        shifts.append(moved)
    named = tuple(source.channels[index] for index in channels) if "c" in source.axes else ()
    fill = source.fill_value if fits(source.fill_value, source.dtype, dtype) else 0
    info = replace(
        source, dtype=dtype, scales=tuple(levels), channels=named, fill_value=_number(fill, dtype), immutable=True
    )
    return Mapping(info, scales, tuple(shifts), channels)


def _chosen_scales(source: VolumeInfo, asked: tuple[int, ...]) -> tuple[int, ...]:
    for index in asked:
        scale_of(source, index)
    if list(asked) != sorted(set(asked)):
        raise InvalidArgument(
            f"the scales {list(asked)} are not ascending, each once",
            "name them finest first, or none for all of them",
            details={"field": "spec.scale_indices"},
        )
    return asked or tuple(range(len(source.scales)))


def _finest_alone(asked: tuple[int, ...]) -> tuple[int, ...]:
    """The one scale that is copied where the levels above it are made."""
    if len(asked) > 1:
        raise InvalidArgument(
            f"the scales {list(asked)} would be copied and a pyramid made as well",
            "name the scale that the pyramid is made from, or leave the pyramid out",
            details={"field": "spec.scale_indices"},
        )
    return asked or (0,)


def _chosen_channels(source: VolumeInfo, asked: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(asked)) != len(asked):
        raise InvalidArgument(
            f"a channel is named twice in {list(asked)}", "name each once", details={"field": "spec.channels"}
        )
    return check_channels(source, asked or None)


def _ratio(finest: Scale, scale: Scale, index: int) -> Ratio:
    if scale is finest:
        return (Fraction(1), Fraction(1), Fraction(1))
    fine, coarse = finest.voxel_size_nm, scale.voxel_size_nm
    if fine is None or coarse is None:
        raise InvalidArgument(
            f"how voxels of scale {index} lie over those of the finest scale is unknown: a voxel size is missing",
            "copy one scale alone, or everything where it is",
            details={"field": "spec.scale_indices"},
        )
    x, y, z = (_exact(large) / _exact(small) for large, small in zip(coarse, fine, strict=True))
    return (x, y, z)


def _exact(size: float) -> Fraction:
    """The decimal number that a store states: the shortest that reads as this float."""
    return Fraction(repr(float(size)))


def _touching(box: Box, scale: Scale, ratio: Ratio, index: int) -> Box:
    """The voxels of a scale that touch a box of the finest one."""
    start = Vec3(*(math.floor(at / factor) for at, factor in zip(box.start, ratio, strict=True)))
    stop = Vec3(*(math.ceil(at / factor) for at, factor in zip(box.stop, ratio, strict=True)))
    part = Box(start, stop).intersection(scale.bounds)
    if part.is_empty:
        raise EmptyBox(
            f"scale {index} has no voxels inside of the box {box}",
            "leave that scale out, or choose a larger box",
            details={"field": "spec.box"},
        )
    return part


def _coarser(shift: Vec3, ratio: Ratio, index: int) -> Vec3:
    steps = [at / factor for at, factor in zip(shift, ratio, strict=True)]
    if any(step.denominator != 1 for step in steps):
        told = ", ".join(f"{name} {float(factor):g}" for name, factor in zip("xyz", ratio, strict=True))
        raise InvalidArgument(
            f"moving by {tuple(shift)} voxels is no whole number of those of scale {index}, which are longer by {told}",
            "choose a start that differs by multiples of that, or copy the finest scale alone",
            details={"field": "spec.destination_start"},
        )
    return Vec3(*(int(step) for step in steps))


def _sized(asked: VoxelSize | None, stated: VoxelSize | None, ratio: Ratio) -> VoxelSize | None:
    if asked is None:
        return stated
    return VoxelSize(*(float(_exact(size) * factor) for size, factor in zip(asked, ratio, strict=True)))


def _number(value: float, dtype: np.dtype[Any]) -> int | float:
    """A fill value as a Python number of a type that it fits."""
    number: int | float = np.asarray(value).astype(dtype).item()
    return number
