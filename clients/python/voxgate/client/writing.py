"""Writing through an array: nothing is cast, and only what was named is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client.binding import Binding
from voxgate.client.indexing import BasicIndex, parse_basic_index
from voxgate.model.errors import (
    DataTypeMismatch,
    InvalidArgument,
    PartialWriteError,
    ReadOnly,
    ShapeMismatch,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells, merged
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import Scale, Writable

PIECE_BYTES = 32 << 20
"""About how much is written at a time where the voxels need not be there all at once."""


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
    """Write `array[index] = value`, as numpy does, for steps of 1 and -1.

    Raises:
        TypeError: for another step, a boolean mask or an integer array.
        IndexError, ValueError, OverflowError: where numpy raises them.
        InvalidArgument: for some channels only.
        PartialWriteError: when a part was written; says which was not.
    """
    writable = _writable(binding)
    parsed = parse_basic_index(index, binding.shape)
    if any(isinstance(item, slice) and abs(item.step or 1) != 1 for item in parsed.local):
        raise TypeError("writing with a step other than 1 or -1 is not supported: write each box on its own")
    if "c" in binding.axes and len(binding.ranges(parsed.covering)["c"]) != binding.info.channel_count:
        raise InvalidArgument("some channels cannot be written without the others", "write all channels of the box")
    exact = _exact(value, binding.info.dtype)
    if np.ndim(exact) == 0:
        # A number fills any index; of a large box there is never more than a piece in memory.
        number = np.full((), exact, binding.info.dtype)
        if not parsed.is_empty:
            _fill(binding, writable, _box(binding, parsed), number)
        return
    block = np.empty(parsed.shape, binding.info.dtype)
    # numpy itself broadcasts, or refuses to.
    block[parsed.local] = exact
    if not parsed.is_empty:
        write(binding, _box(binding, parsed), block)


def _box(binding: Binding, parsed: BasicIndex) -> Box:
    at = binding.ranges(parsed.covering)
    start = Vec3(at["x"].start, at["y"].start, at["z"].start) + binding.level.bounds.start
    return Box.at(start, Vec3(len(at["x"]), len(at["y"]), len(at["z"])))


def _fill(binding: Binding, writable: Writable, box: Box, number: npt.NDArray[Any]) -> None:
    """Write one number everywhere, piece by piece, each of whole granules where the box has them."""
    level, info = binding.level, binding.info
    pieces = list(granule_pieces(level, box, info.dtype.itemsize * info.channel_count))
    for place, piece in enumerate(pieces):
        block = np.full((info.channel_count, *piece.shape.zyx), number, info.dtype)
        try:
            writable.write(piece, block, scale=binding.scale)
        except VoxgateError as error:
            if place == 0:
                raise
            left = merged(pieces[place:])
            failures = tuple((str(each), error.message) for each in left)
            message = f"some boxes were not written: {left[0]}: {error.message}"
            raise PartialWriteError(message, "write them again", failures=failures) from error


def granule_pieces(level: Scale, box: Box, voxel_bytes: int, piece_bytes: int = PIECE_BYTES) -> Iterator[Box]:
    """Cut a box along the grid of write granules, so that none is written twice.

    Args:
        level: whose grid.
        box: what to cut, inside the bounds.
        voxel_bytes: bytes of one voxel, all channels.
        piece_bytes: a piece has about so many, and one granule at least; it grows along x first, then y, then z.
    """
    granule = level.write_granule_shape
    whole = aligned_outward(box, granule, level.grid_origin).shape
    budget = max(1, piece_bytes // (granule.product * voxel_bytes))
    cell = []
    for extent, step in zip(whole, granule, strict=True):
        along = min(extent // step, budget)
        cell.append(along * step)
        budget = max(1, budget // along)
    yield from grid_cells(box, Vec3(*cell), level.grid_origin)


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
