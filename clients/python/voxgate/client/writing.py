"""Writing through an array: nothing is cast, and only what was named is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client.binding import Binding
from voxgate.client.indexing import parse_basic_index
from voxgate.model.errors import DataTypeMismatch, InvalidArgument, ReadOnly, ShapeMismatch
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import Writable


def write(binding: Binding, box: Box, voxels: npt.NDArray[Any]) -> None:
    """Write an array with the axes of `binding` into a box of its scale. See VolumeArray.write."""
    writable = _writable(binding)
    if voxels.dtype != binding.info.dtype:
        raise DataTypeMismatch(
            f"the array has dtype {voxels.dtype}, the volume has {binding.info.dtype}",
            f"cast it yourself: array.astype({str(binding.info.dtype)!r})",
        )
    extents = dict(zip("xyz", box.shape, strict=True)) | {"c": binding.info.channel_count}
    shape = tuple(extents[axis] for axis in binding.axes)
    if voxels.shape != shape:
        raise ShapeMismatch(
            f"the array has shape {voxels.shape}, the box has {shape} in the order {binding.axes!r}",
            "change the box, or the order of axes with as_axes()",
        )
    writable.write(box, np.ascontiguousarray(binding.stored_voxels(voxels)), scale=binding.scale)


def assign(binding: Binding, index: object, value: Any) -> None:
    """Write `array[index] = value`, as numpy does, for steps of 1.

    Raises:
        TypeError: for a step other than 1, a boolean mask or an integer array.
        IndexError, ValueError: where numpy raises them.
        InvalidArgument: for some channels only.
    """
    _writable(binding)
    parsed = parse_basic_index(index, binding.shape)
    if any(isinstance(item, slice) and item.step != 1 for item in parsed.local):
        raise TypeError("writing with a step other than 1 is not supported: write each box on its own")
    if "c" in binding.axes and len(binding.ranges(parsed.covering)["c"]) != binding.info.channel_count:
        raise InvalidArgument("some channels cannot be written without the others", "write all channels of the box")
    block = np.empty(parsed.shape, binding.info.dtype)
    # numpy itself broadcasts, or refuses to.
    block[parsed.local] = _exact(value, binding.info.dtype)
    if parsed.is_empty:
        return
    at, origin = binding.ranges(parsed.covering), binding.level.bounds.start
    start = Vec3(at["x"].start, at["y"].start, at["z"].start) + origin
    write(binding, Box.at(start, Vec3(len(at["x"]), len(at["y"]), len(at["z"]))), block)


def _writable(binding: Binding) -> Writable:
    name = binding.info.name or "the volume"
    if "t" in binding.axes:
        raise InvalidArgument("several times cannot be written at once", "choose one with sel(time=…)")
    if binding.channel is not None and binding.info.channel_count > 1:
        raise InvalidArgument("one channel cannot be written without the others", "write all channels of the box")
    writable = binding.volume.capability(Writable)
    if writable is None:
        check_version_open(binding.info)
        raise ReadOnly(f"{name} takes no writes", "its operator allows them with writable = true")
    return writable


def _exact(value: Any, dtype: np.dtype[Any]) -> Any:
    """A Python number that `dtype` can hold (numpy raises OverflowError else), or an array of exactly `dtype`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and dtype.kind == "f":
        return value
    array = np.asarray(value)
    if array.dtype != dtype:
        raise DataTypeMismatch(
            f"the value has dtype {array.dtype}, the volume has {dtype}", f"cast it yourself: astype({str(dtype)!r})"
        )
    return array
