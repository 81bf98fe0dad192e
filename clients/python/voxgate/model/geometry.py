"""Points and boxes on a voxel grid: integer, half-open, always named x, y, z."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Vec3:
    """A point or an extent in voxels of one scale."""

    x: int
    y: int
    z: int

    def __iter__(self) -> Iterator[int]:
        """Yield x, y, z: the order of the wire, not of array axes."""
        yield self.x
        yield self.y
        yield self.z

    def __add__(self, other: Vec3) -> Vec3:
        return Vec3(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: Vec3) -> Vec3:
        return Vec3(self.x - other.x, self.y - other.y, self.z - other.z)

    @property
    def zyx(self) -> tuple[int, int, int]:
        """The same numbers in the order of array axes."""
        return (self.z, self.y, self.x)

    @property
    def product(self) -> int:
        """X * y * z: of an extent, its number of voxels."""
        return self.x * self.y * self.z

    @staticmethod
    def from_zyx(zyx: tuple[int, int, int]) -> Vec3:
        """Build from numbers in the order of array axes."""
        z, y, x = zyx
        return Vec3(x, y, z)

    @staticmethod
    def minimum(one: Vec3, other: Vec3) -> Vec3:
        """The smaller number on each axis."""
        return Vec3(min(one.x, other.x), min(one.y, other.y), min(one.z, other.z))

    @staticmethod
    def maximum(one: Vec3, other: Vec3) -> Vec3:
        """The larger number on each axis."""
        return Vec3(max(one.x, other.x), max(one.y, other.y), max(one.z, other.z))


@dataclass(frozen=True, slots=True)
class VoxelSize:
    """The physical size of one voxel, in nanometres on each axis."""

    x: float
    y: float
    z: float

    def __iter__(self) -> Iterator[float]:
        yield self.x
        yield self.y
        yield self.z

    @property
    def zyx(self) -> tuple[float, float, float]:
        """The same numbers in the order of array axes."""
        return (self.z, self.y, self.x)


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of voxels: `start` is inside, `stop` is not. Global coordinates of one scale.

    A Box may be empty (some stop <= start); `is_empty` says so, and reads refuse it.
    """

    start: Vec3
    stop: Vec3

    @staticmethod
    def of(x: tuple[int, int], y: tuple[int, int], z: tuple[int, int]) -> Box:
        """Build from (start, stop) pairs: `Box.of(x=(0, 10), y=(5, 7), z=(2, 9))`."""
        return Box(Vec3(x[0], y[0], z[0]), Vec3(x[1], y[1], z[1]))

    @staticmethod
    def at(start: Vec3, shape: Vec3) -> Box:
        """Build from a corner and an extent."""
        return Box(start, start + shape)

    @property
    def shape(self) -> Vec3:
        """The extent on each axis, in voxels."""
        return self.stop - self.start

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return min(self.shape) <= 0

    @property
    def voxel_count(self) -> int:
        """The number of voxels inside."""
        return 0 if self.is_empty else self.shape.product

    def contains(self, other: Box) -> bool:
        """Whether every voxel of `other` is inside."""
        return Box(Vec3.minimum(self.start, other.start), Vec3.maximum(self.stop, other.stop)) == self

    def contains_point(self, point: Vec3) -> bool:
        """Whether a voxel is inside."""
        return all(a <= p < b for a, p, b in zip(self.start, point, self.stop, strict=True))

    def intersection(self, other: Box) -> Box:
        """The common voxels; an empty Box where there are none."""
        return Box(Vec3.maximum(self.start, other.start), Vec3.minimum(self.stop, other.stop))

    def shifted(self, by: Vec3) -> Box:
        """The same extent, moved."""
        return Box(self.start + by, self.stop + by)

    def slices_zyx(self, origin: Vec3) -> tuple[slice, slice, slice]:
        """The slices that cut this box out of a (z, y, x) array whose first voxel is `origin`."""
        start, stop = self.start - origin, self.stop - origin
        return (slice(start.z, stop.z), slice(start.y, stop.y), slice(start.x, stop.x))

    def __str__(self) -> str:
        spans = zip("xyz", self.start, self.stop, strict=True)
        return " ".join(f"{name}[{a}:{b}]" for name, a, b in spans)


def aligned_outward(box: Box, granule: Vec3, origin: Vec3) -> Box:
    """The smallest box of whole grid cells (of `granule`, starting at `origin`) that contains `box`."""
    start = [o + (a - o) // g * g for a, g, o in zip(box.start, granule, origin, strict=True)]
    stop = [o - (o - b) // g * g for b, g, o in zip(box.stop, granule, origin, strict=True)]
    return Box(Vec3(*start), Vec3(*stop))


def grid_cells(box: Box, cell: Vec3, origin: Vec3) -> Iterator[Box]:
    """Cut `box` along a grid: cells in order x fastest, then y, z; border cells are clipped to `box`."""
    if box.is_empty:
        return
    whole = aligned_outward(box, cell, origin)
    ranges = [range(a, b, g) for a, b, g in zip(whole.start, whole.stop, cell, strict=True)]
    for z, y, x in itertools.product(*reversed(ranges)):
        yield Box.at(Vec3(x, y, z), cell).intersection(box)


def slabs(box: Box, *, voxel_bytes: int, slab_bytes: int) -> Iterator[Box]:
    """Cut a box into pieces of at most `slab_bytes`, whole in x: along z, and where one plane is too large along y.

    Where even one row is too large, rows are cut too. Together exactly `box`, disjoint, in order.
    """
    shape = box.shape
    row = shape.x * voxel_bytes
    if row > slab_bytes:
        cell = Vec3(max(1, slab_bytes // voxel_bytes), 1, 1)
    elif row * shape.y > slab_bytes:
        cell = Vec3(shape.x, max(1, slab_bytes // row), 1)
    else:
        cell = Vec3(shape.x, shape.y, max(1, slab_bytes // (row * shape.y)))
    yield from grid_cells(box, cell, box.start)


def covered_once(whole: Box, parts: list[Box]) -> bool:
    """Whether `parts` cover every voxel of `whole` exactly once and nothing outside of it.

    Exact for any boxes: counts on the grid of all their cut planes.
    """
    import numpy as np  # noqa: PLC0415  (the vocabulary itself needs no numpy)

    if any(part.is_empty or not whole.contains(part) for part in parts):
        return False
    if sum(part.voxel_count for part in parts) != whole.voxel_count:
        return False
    cuts = [sorted({end for p in (whole, *parts) for end in (p.start.zyx[i], p.stop.zyx[i])}) for i in range(3)]
    index = [{cut: i for i, cut in enumerate(axis)} for axis in cuts]
    counts = np.zeros([len(axis) - 1 for axis in cuts], np.uint8)
    for part in parts:
        cells = tuple(
            slice(index[i][a], index[i][b]) for i, (a, b) in enumerate(zip(part.start.zyx, part.stop.zyx, strict=True))
        )
        if counts[cells].any():
            return False
        counts[cells] = 1
    return bool(counts.all())


def uncovered(whole: Box, parts: list[Box]) -> list[Box]:
    """The voxels of `whole` that no part covers, as disjoint boxes, merged; empty where nothing is missing.

    Exact for any boxes, overlapping and outside ones included: looks at the grid of all their cut planes.
    """
    import numpy as np  # noqa: PLC0415  (the vocabulary itself needs no numpy)

    inside = [part for part in (each.intersection(whole) for each in parts) if not part.is_empty]
    if not inside or whole.is_empty:
        return [] if whole.is_empty else [whole]
    cuts = [sorted({end for p in (whole, *inside) for end in (p.start.zyx[i], p.stop.zyx[i])}) for i in range(3)]
    index = [{cut: i for i, cut in enumerate(axis)} for axis in cuts]
    missing = np.ones([len(axis) - 1 for axis in cuts], bool)
    for part in inside:
        ends = zip(index, part.start.zyx, part.stop.zyx, strict=True)
        missing[tuple(slice(at[a], at[b]) for at, a, b in ends)] = False
    zs, ys, xs = cuts
    return merged(
        [
            Box.of(x=(xs[i], xs[i + 1]), y=(ys[j], ys[j + 1]), z=(zs[k], zs[k + 1]))
            for k, j, i in np.argwhere(missing).tolist()
        ]
    )


def merged(boxes: list[Box]) -> list[Box]:
    """Disjoint boxes joined where they make one box: along x, then y, then z. Covers the same voxels."""
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        runs: dict[tuple[int, ...], list[Box]] = {}
        for box in boxes:
            start, stop = tuple(box.start), tuple(box.stop)
            runs.setdefault(tuple(end for i in others for end in (start[i], stop[i])), []).append(box)
        boxes = []
        for run in runs.values():
            run.sort(key=lambda box: tuple(box.start)[axis])
            joined = run[0]
            for box in run[1:]:
                if tuple(box.start)[axis] == tuple(joined.stop)[axis]:
                    joined = Box(joined.start, box.stop)
                else:
                    boxes.append(joined)
                    joined = box
            boxes.append(joined)
    return sorted(boxes, key=lambda box: box.start.zyx)
