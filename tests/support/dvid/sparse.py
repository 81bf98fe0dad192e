"""Sparse volumes: a body as runs along x."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import Point, Voxels
from .graph import Node
from .instances import lineage
from .labels import Crashed, LabelInstance
from .wire import Refused, Request

_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Bounds:
    """Optional bounds in voxels of the scale asked for, inclusive at both ends."""

    low: tuple[int | None, ...]
    high: tuple[int | None, ...]
    exact: bool

    @classmethod
    def of(cls, request: Request) -> Bounds:
        def ends(word: str) -> tuple[int | None, ...]:
            try:
                return tuple(int(text) if (text := request.query.get(word + axis)) else None for axis in _AXES)
            except ValueError as fault:
                told = str(fault).rpartition(" ")[2].strip("'")
                text = f'strconv.ParseInt: parsing "{told}": invalid syntax'
                raise Refused(f"error parsing bounds from query string: {text}") from None

        return cls(ends("min"), ends("max"), request.query.get("exact") != "false")

    @property
    def open(self) -> bool:
        return all(end is None for end in self.low + self.high)

    def touches(self, where: Point, edge: Point) -> bool:
        """Whether a block counts as inside: the bound is divided by the block size, cutting towards zero."""
        for low, high, at, length in zip(self.low, self.high, where, edge, strict=True):
            if (low is not None and at < int(low / length)) or (high is not None and at > int(high / length)):
                return False
        return True

    def cut(self, mask: NDArray[np.bool_], start: Point) -> NDArray[np.bool_]:
        """The part of a block's mask (z, y, x) inside."""
        kept = np.zeros_like(mask)
        spans = []
        for axis in range(3):
            low, high, length = self.low[axis], self.high[axis], mask.shape[2 - axis]
            first = 0 if low is None else max(low - start[axis], 0)
            spans.append(slice(first, length if high is None else max(high - start[axis] + 1, 0)))
        inside = tuple(spans[::-1])
        kept[inside] = mask[inside]
        return kept


def runs(mask: NDArray[np.bool_], start: Point) -> NDArray[np.int32]:
    """The runs of a mask (z, y, x) that begins at voxel `start`: rows of x, y, z, length."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (0, 0), (1, 1))), axis=2)
    z, y, x = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[2]
    return np.stack([x + start[0], y + start[1], z + start[2], ends - x], axis=1).astype("<i4")


def body_runs(
    node: Node, instance: LabelInstance, supervoxels: list[int], scale: int, bounds: Bounds
) -> NDArray[np.int32] | None:
    """The runs of a body. None when no block is inside the bounds, no rows when blocks are but voxels are not."""
    edge = instance.grid.block_size
    path, wanted = lineage(node), np.array(supervoxels, np.uint64)
    places = {tuple(c >> scale for c in where): None for where in instance.bodies_of(node).blocks(supervoxels)}
    inside = [(x, y, z) for x, y, z in places if bounds.touches((x, y, z), edge)]
    if not inside:
        return None
    if any(y < 0 or z < 0 for _, y, z in inside):
        raise Crashed
    found = [np.empty((0, 4), "<i4")]
    for where in inside:
        block: Voxels | None = instance.scales[scale].block(path, where) if scale <= instance.max_scale else None
        if block is not None:
            start = where[0] * edge[0], where[1] * edge[1], where[2] * edge[2]
            mask = np.isin(block, wanted)
            found.append(runs(bounds.cut(mask, start) if bounds.exact else mask, start))
    return joined(np.concatenate(found))


def joined(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Runs that touch at the edge of a block are one run. The order is ours: the original promises none."""
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1], rows[:, 2]))]
    if not len(rows):
        return rows
    ends = rows[:-1, 0] + rows[:-1, 3]
    touches = (rows[1:, 0] == ends) & (rows[1:, 1:3] == rows[:-1, 1:3]).all(axis=1)
    firsts = np.flatnonzero(np.concatenate([[True], ~touches]))
    out = rows[firsts].copy()
    out[:, 3] = np.add.reduceat(rows[:, 3], firsts)
    return out


def coarse_runs(places: list[Point]) -> NDArray[np.int32]:
    """Blocks (x, y, z) in the store's order as runs of blocks."""
    rows: list[list[int]] = []
    for x, y, z in places:
        if rows and rows[-1][1:3] == [y, z] and rows[-1][0] + rows[-1][3] == x:
            rows[-1][3] += 1
        else:
            rows.append([x, y, z, 1])
    return np.array(rows, "<i4").reshape(-1, 4)


def with_header(rows: NDArray[np.int32]) -> bytes:
    """The old format: payload 0, 3 dimensions, run along 0, reserved; voxels 0 (not counted); runs; the runs."""
    return struct.pack("<BBBBII", 0, 3, 0, 0, 0, len(rows)) + rows.tobytes()
