"""Voxels of one number type as another, every one of them as it was, or an error that names the first that is not.

| from, to         | a value fits                                                                                |
|------------------|---------------------------------------------------------------------------------------------|
| integer, integer | within the range of the other type                                                          |
| integer, float   | up to 2**24 in float32 and 2**53 in float64: beyond, neighbouring numbers become the same   |
| float, integer   | whole, finite, within the range                                                             |
| float64, float32 | always but where a finite number would become infinite; it is rounded to the nearest        |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import DataTypeMismatch
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import Voxels


def converted(voxels: Voxels, dtype: np.dtype[Any], *, start: Vec3, channels: tuple[int, ...]) -> Voxels:
    """The same voxels in another type; the very same array where that is its type already.

    Args:
        voxels: array of shape (c, z, y, x).
        dtype: what to make of them.
        start: global coordinates of the first voxel, for the message.
        channels: the index of each channel in its volume, for the message.

    Raises:
        DataTypeMismatch: when a value does not fit; names the first one in C-order and where it is.
    """
    if voxels.dtype == dtype:
        return voxels
    misfits = _misfits(voxels, dtype)
    if misfits is not None:
        c, z, y, x = (int(at) for at in np.unravel_index(int(misfits.argmax()), misfits.shape))
        raise _does_not_fit(voxels[c, z, y, x], dtype, start + Vec3(x, y, z), channels[c])
    return voxels.astype(dtype)


def fits(value: float, source: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Whether a value of type `source`, such as a fill value, fits `dtype`."""
    return source == dtype or _misfits(np.full((1, 1, 1, 1), value, source), dtype) is None


def _misfits(voxels: Voxels, dtype: np.dtype[Any]) -> npt.NDArray[np.bool_] | None:
    """Which voxels do not fit; None where all do."""
    if voxels.size == 0:
        return None
    if voxels.dtype.kind == "f":
        bad = _misfitting_floats(voxels, dtype)
        return bad if bad is not None and bad.any() else None
    low, high = _integers_of(dtype)
    own = np.iinfo(voxels.dtype)
    least, most = voxels.dtype.type(max(low, own.min)), voxels.dtype.type(min(high, own.max))
    if voxels.min() >= least and voxels.max() <= most:
        return None
    return np.asarray((voxels < least) | (voxels > most))


def _misfitting_floats(voxels: Voxels, dtype: np.dtype[Any]) -> npt.NDArray[np.bool_] | None:
    if dtype.kind == "f":
        if dtype.itemsize >= voxels.dtype.itemsize:
            return None
        with np.errstate(over="ignore"):
            return np.asarray(np.isfinite(voxels) & ~np.isfinite(voxels.astype(dtype)))
    low, high = _integers_of(dtype)
    # Both ends are 0 or a power of two, which every float holds exactly; the largest integer itself is none.
    with np.errstate(invalid="ignore"):
        fit = (voxels >= voxels.dtype.type(low)) & (voxels < voxels.dtype.type(high + 1)) & (voxels == np.floor(voxels))
    return np.asarray(~fit)


def _integers_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The integers that a type tells from their neighbours: the least and the largest."""
    if dtype.kind == "f":
        most = 2 ** (np.finfo(dtype).nmant + 1)
        return -most, most
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _does_not_fit(value: Any, dtype: np.dtype[Any], at: Vec3, channel: int) -> DataTypeMismatch:
    where = f"x {at.x}, y {at.y}, z {at.z}"
    return DataTypeMismatch(
        f"the voxel at {where} of channel {channel} is {value.item()}, which {dtype.name} cannot hold",
        "choose a wider type; nothing is clipped or wrapped",
        details={
            "value": str(value.item()),
            "x": str(at.x),
            "y": str(at.y),
            "z": str(at.z),
            "channel": str(channel),
            "data_type": dtype.name,
        },
    )
