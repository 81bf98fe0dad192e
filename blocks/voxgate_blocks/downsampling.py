"""Voxels made coarser: the mean of each cell, or its commonest value. Exact, whatever box of a volume is done at once.

A level's voxel i covers the voxels [i * factor, (i + 1) * factor) of the level before, in global coordinates. So cells
do not depend on where a volume or a block starts, both levels have their voxel i where i times the voxel size is, and a
cell that the volume cuts is made of the voxels that it has. Neuroglancer and cloud-volume take levels to lie like this:
`voxel_offset` counts the voxels of its own level (github.com/google/neuroglancer, precomputed/volume.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import SUPPORTED_DTYPES, Voxels
from voxgate_blocks.compiled import compiled

Method = Literal["mean", "mode"]
"""How the voxels of a cell become one; see `downsample`."""

MAX_FACTOR = 16
"""Voxels of a cell along an axis, at most: sums of 4,096 of them are exact."""

_ORIGIN = Vec3(0, 0, 0)
_Array = npt.NDArray[Any]


def coarser(box: Box, factor: Vec3) -> Box:
    """The cells that have voxels of a box, in voxels of the coarser level."""
    start = (a // f for a, f in zip(box.start, factor, strict=True))
    stop = (-(-b // f) for b, f in zip(box.stop, factor, strict=True))
    return Box(Vec3(*start), Vec3(*stop))


def finer(box: Box, factor: Vec3) -> Box:
    """The voxels that a box of the coarser level is made from, those outside of a volume included."""
    start, stop = (Vec3(*(a * f for a, f in zip(end, factor, strict=True))) for end in (box.start, box.stop))
    return Box(start, stop)


def downsample(voxels: Voxels, factor: Vec3, method: Method, *, start: Vec3 = _ORIGIN) -> Voxels:
    """Make voxels coarser, channel by channel.

    "mean" is exact for integers, halves rounded up; floats are added up as float64 in the order of the array, a NaN
    makes its cell NaN. "mode" is the commonest value, of equally common ones the one that comes first, x fastest, then
    y, z; 0 counts as any other value, floats are equal where their bits are.

    Args:
        voxels: array of shape (c, z, y, x), one of the contract's dtypes.
        factor: voxels of a cell on each axis, each 1 to MAX_FACTOR.
        method: "mean" or "mode".
        start: global coordinates of the first voxel; cells start at multiples of the factor.

    Returns:
        Array of shape (c, z, y, x) and the same dtype, C-order: the cells of `coarser`, with the voxels that are given.

    Raises:
        InvalidArgument: for another number of axes, dtype or factor.
    """
    _check(voxels, factor)
    dtype = voxels.dtype
    box = Box.at(start, Vec3(*reversed(voxels.shape[1:])))
    source = np.ascontiguousarray(voxels)
    out = np.empty((len(voxels), *coarser(box, factor).shape.zyx), dtype)
    grid = np.array([factor.zyx, [a % f for a, f in zip(start.zyx, factor.zyx, strict=True)]], np.int64)
    if method == "mode":
        bits = np.dtype(f"u{dtype.itemsize}")
        room = (np.empty(factor.product, bits), np.empty(factor.product, np.int64))
        _modes(source.view(bits), out.view(bits), grid, *room)
    elif dtype.kind == "f":
        _float_means(source, out, grid)
    elif dtype.itemsize == 8:
        _wide_means(source.view(np.int64), out.view(np.int64), grid, dtype.kind == "i")
    else:
        _integer_means(source, out, grid)
    return out


def pieces(box: Box, factor: Vec3, cell_count: int) -> Iterator[Box]:
    """Cut a box of the coarser level into pieces of about `cell_count` cells, compact ones, x fastest.

    Together exactly `box`, disjoint. Each can be made without the others.
    """
    shape = list(box.shape)
    while shape[0] * shape[1] * shape[2] > max(1, cell_count):
        longest = max(range(3), key=lambda axis: (shape[axis] * tuple(factor)[axis], axis))
        if shape[longest] == 1:  # long because of its factor alone
            longest = max(range(3), key=lambda axis: shape[axis])
        shape[longest] = -(-shape[longest] // 2)
    yield from grid_cells(box, Vec3(*shape), box.start)


def _check(voxels: Voxels, factor: Vec3) -> None:
    if voxels.ndim != 4 or voxels.dtype not in SUPPORTED_DTYPES:
        raise InvalidArgument(
            f"voxels of {voxels.ndim} axes and type {voxels.dtype} are not downsampled", "give (c, z, y, x)"
        )
    if not all(1 <= each <= MAX_FACTOR for each in factor):
        raise InvalidArgument(
            f"{tuple(factor)} is no factor", f"each number is from 1 to {MAX_FACTOR}", details={"field": "factors"}
        )


@compiled
def _cell(grid: _Array, index: tuple[int, int, int], shape: tuple[int, int, int]) -> tuple[int, ...]:
    """The first and last voxels of a cell along z, y, x, within the array; `grid` is (factor, start within a cell)."""
    z, y, x = index
    z0, y0, x0 = z * grid[0, 0] - grid[1, 0], y * grid[0, 1] - grid[1, 1], x * grid[0, 2] - grid[1, 2]
    z1, y1, x1 = min(shape[0], z0 + grid[0, 0]), min(shape[1], y0 + grid[0, 1]), min(shape[2], x0 + grid[0, 2])
    return max(0, z0), z1, max(0, y0), y1, max(0, x0), x1


@compiled
def _is_uniform(block: _Array) -> bool:
    first = block[0, 0, 0]
    for z in range(block.shape[0]):
        for y in range(block.shape[1]):
            for x in range(block.shape[2]):
                if block[z, y, x] != first:
                    return False
    return True


@compiled
def _commonest(block: _Array, values: _Array, counts: _Array) -> int:
    """The index in `values` of the commonest value of a cell; both arrays are room for as many as it has voxels."""
    distinct, at = 0, 0
    for z in range(block.shape[0]):
        for y in range(block.shape[1]):
            for x in range(block.shape[2]):
                value = block[z, y, x]
                if distinct == 0 or values[at] != value:  # mostly the value of the voxel before
                    at = 0
                    while at < distinct and values[at] != value:
                        at += 1
                    if at == distinct:
                        values[at], counts[at] = value, 0
                        distinct += 1
                counts[at] += 1
    best = 0
    for at in range(1, distinct):
        if counts[at] > counts[best]:
            best = at
    return best


@compiled
def _modes(source: _Array, out: _Array, grid: _Array, values: _Array, counts: _Array) -> None:
    for c in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                for x in range(out.shape[3]):
                    z0, z1, y0, y1, x0, x1 = _cell(grid, (z, y, x), source.shape[1:])
                    block = source[c, z0:z1, y0:y1, x0:x1]
                    if _is_uniform(block):
                        out[c, z, y, x] = block[0, 0, 0]
                    else:
                        out[c, z, y, x] = values[_commonest(block, values, counts)]


@compiled
def _integer_means(source: _Array, out: _Array, grid: _Array) -> None:
    """Of integers of at most 32 bits, whose sums int64 holds."""
    for c in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                for x in range(out.shape[3]):
                    z0, z1, y0, y1, x0, x1 = _cell(grid, (z, y, x), source.shape[1:])
                    total = np.int64(0)
                    for k in range(z0, z1):
                        for j in range(y0, y1):
                            for i in range(x0, x1):
                                total += np.int64(source[c, k, j, i])
                    count = (z1 - z0) * (y1 - y0) * (x1 - x0)
                    out[c, z, y, x] = (2 * total + count) // (2 * count)


@compiled
def _wide_means(source: _Array, out: _Array, grid: _Array, signed: bool) -> None:
    """Of integers of 64 bits, as int64 of the same bits; both halves are added up, for a sum needs up to 76 bits."""
    low = np.int64(0xFFFFFFFF)
    for c in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                for x in range(out.shape[3]):
                    z0, z1, y0, y1, x0, x1 = _cell(grid, (z, y, x), source.shape[1:])
                    upper, lower = np.int64(0), np.int64(0)
                    for k in range(z0, z1):
                        for j in range(y0, y1):
                            for i in range(x0, x1):
                                value = source[c, k, j, i]
                                upper += (value >> 32) if signed else ((value >> 32) & low)
                                lower += value & low
                    count = (z1 - z0) * (y1 - y0) * (x1 - x0)
                    whole = upper // count
                    rest = ((upper - whole * count) << 32) + lower
                    out[c, z, y, x] = (whole << 32) + (2 * rest + count) // (2 * count)


@compiled
def _float_means(source: _Array, out: _Array, grid: _Array) -> None:
    for c in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                for x in range(out.shape[3]):
                    z0, z1, y0, y1, x0, x1 = _cell(grid, (z, y, x), source.shape[1:])
                    count = (z1 - z0) * (y1 - y0) * (x1 - x0)
                    total, scaled = 0.0, 0.0
                    for k in range(z0, z1):
                        for j in range(y0, y1):
                            for i in range(x0, x1):
                                value = np.float64(source[c, k, j, i])
                                total += value
                                scaled += value / count
                    # The sum of numbers near the largest float64 is infinite, their mean is not.
                    out[c, z, y, x] = total / count if np.isfinite(total) else scaled
