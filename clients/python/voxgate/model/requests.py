"""Checks that every Volume makes in the same way before it touches a store or a wire."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxgate.model.errors import (
    DataTypeMismatch,
    EmptyBox,
    InvalidArgument,
    MissingCapability,
    OutOfBounds,
    ShapeMismatch,
    UnknownScale,
    VersionLocked,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import (
    LabelView,
    OpenOptions,
    Scale,
    VolumeInfo,
    Voxels,
)


def scale_of(info: VolumeInfo, scale: int) -> Scale:
    """The scale of an index.

    Raises:
        UnknownScale: naming the scales there are.
    """
    if not 0 <= scale < len(info.scales):
        there = f"it has {len(info.scales)}: 0 to {len(info.scales) - 1}" if info.scales else "it has no voxels"
        raise UnknownScale(f"there is no scale {scale}", there, details={"scale": str(scale)})
    return info.scales[scale]


def check_box(info: VolumeInfo, box: Box, scale: int) -> Scale:
    """The scale, after checking that `box` is a box inside it.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds.
    """
    level = scale_of(info, scale)
    if box.is_empty:
        raise EmptyBox(f"the box {box} is empty or inverted", "each stop must be greater than its start")
    if not level.bounds.contains(box):
        raise OutOfBounds(
            f"the box {box} leaves the volume",
            f"scale {scale} has {level.bounds}",
            details={"box": str(box), "bounds": str(level.bounds)},
        )
    return level


def check_opened(info: VolumeInfo, options: OpenOptions) -> None:
    """Refuse a volume that was opened without saying which of its times, or with a label view that it does not have.

    Raises:
        InvalidArgument, MissingCapability.
    """
    name = info.name or "the volume"
    if info.time_count > 1 and options.time_index is None:
        raise InvalidArgument(
            f"{name} has {info.time_count} time points and none was picked",
            "set time_index: there is no default frame",
            details={"field": "time_index"},
        )
    if options.label_view is LabelView.SUPERVOXELS and LabelView.SUPERVOXELS not in info.label_views:
        raise MissingCapability(
            f"{name} does not tell supervoxels from bodies", "ask for bodies", details={"capability": "SUPERVOXELS"}
        )


def check_channels(info: VolumeInfo, channels: Sequence[int] | None) -> tuple[int, ...]:
    """The channels to read, all where None.

    Raises:
        OutOfBounds: for a channel the volume does not have.
    """
    if channels is None:
        return tuple(range(info.channel_count))
    for channel in channels:
        if not 0 <= channel < info.channel_count:
            raise OutOfBounds(f"there is no channel {channel}", f"the volume has {info.channel_count}")
    return tuple(channels)


def check_out(dtype: np.dtype[Any], shape: tuple[int, ...], out: Voxels | None) -> None:
    """Check an `out` array, where there is one, against the dtype and the (c, z, y, x) shape of the result.

    Raises:
        ShapeMismatch, DataTypeMismatch.
    """
    if out is None:
        return
    if out.shape != shape:
        raise ShapeMismatch(f"out has shape {out.shape}", f"the result has shape {shape} (c, z, y, x)")
    if out.dtype != dtype:
        raise DataTypeMismatch(f"out has dtype {out.dtype}", f"the volume has {dtype}: nothing is cast")


def check_write(info: VolumeInfo, box: Box, voxels: Voxels, scale: int) -> Scale:
    """The scale, after checking that `voxels` fill `box` and have the volume's dtype.

    Raises:
        UnknownScale, EmptyBox, OutOfBounds, ShapeMismatch, DataTypeMismatch.
    """
    level = check_box(info, box, scale)
    shape = (info.channel_count, *box.shape.zyx)
    if voxels.shape != shape:
        raise ShapeMismatch(f"the voxels have shape {voxels.shape}", f"the box needs {shape} (c, z, y, x)")
    if voxels.dtype != info.dtype:
        raise DataTypeMismatch(
            f"the voxels are {voxels.dtype}", f"the volume holds {info.dtype}: convert them yourself, nothing is cast"
        )
    return level


def check_version_open(info: VolumeInfo) -> None:
    """Refuse to write to a version that is committed, before it is said that the volume takes no writes.

    Raises:
        VersionLocked.
    """
    if info.immutable and info.resolved_version:
        raise VersionLocked(
            f"version {info.resolved_version} of {info.name or 'the volume'} can never change",
            "open a new version and write to it",
            details={"version": info.resolved_version},
        )


def raw_size(info: VolumeInfo, box: Box, channel_count: int | None = None) -> int:
    """Bytes of a box's raw voxels."""
    count = info.channel_count if channel_count is None else channel_count
    return box.voxel_count * info.dtype.itemsize * count


def filled(info: VolumeInfo, shape: tuple[int, ...]) -> Voxels:
    """A new array of the fill value."""
    return np.full(shape, info.fill_value, info.dtype)


def is_fill(info: VolumeInfo, voxels: np.ndarray[Any, Any]) -> bool:
    """Whether every voxel is the fill value (NaN equals NaN here)."""
    if voxels.size == 0:
        return True
    first = voxels.flat[0]
    if isinstance(info.fill_value, float) and math.isnan(info.fill_value):
        return bool(np.isnan(first)) and bool(np.isnan(voxels).all())
    # Most chunks that hold anything are told by their first voxel.
    return bool(first == info.fill_value) and bool((voxels == np.asarray(info.fill_value, info.dtype)).all())
