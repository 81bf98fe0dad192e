"""The voxels of one channel: tiles, absent where nothing was written, at every resolution."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CUBOID = (16, 512, 512)
"""z, y, x: the service's unit of storage, at every resolution."""
TILE = (16, 128, 128)
"""z, y, x: ours, small, so that little volumes are cheap to keep. Cuboids are whole tiles."""
Array = npt.NDArray[Any]
ZYX = tuple[int, ...]
"""Three numbers, in this order."""


@dataclass(frozen=True, slots=True)
class Level:
    """A resolution; `iso` names the second pyramid that anisotropic experiments get beside the first."""

    resolution: int
    iso: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """Half-open, z, y, x, in voxels of its own resolution, counted from the coordinates' zero."""

    start: ZYX
    stop: ZYX

    @classmethod
    def of(cls, corner: ZYX, array: Array) -> Region:
        """Where a (z, y, x) array lies whose first voxel is at (z, y, x)."""
        return cls(corner, tuple(first + size for first, size in zip(corner, array.shape[-3:], strict=True)))

    @property
    def shape(self) -> ZYX:
        return tuple(stop - start for start, stop in zip(self.start, self.stop, strict=True))

    def clipped(self, other: Region) -> Region | None:
        """What lies in both, or None."""
        start = tuple(map(max, self.start, other.start))
        stop = tuple(map(min, self.stop, other.stop))
        return Region(start, stop) if all(a < b for a, b in zip(start, stop, strict=True)) else None

    def joined(self, other: Region) -> Region:
        """The smallest region around both."""
        return Region(tuple(map(min, self.start, other.start)), tuple(map(max, self.stop, other.stop)))

    def slices(self, origin: ZYX) -> tuple[slice, ...]:
        """Where this lies in an array whose first voxel is at `origin`."""
        edges = zip(self.start, self.stop, origin, strict=True)
        return tuple(slice(start - first, stop - first) for start, stop, first in edges)


def cell(index: ZYX, edges: ZYX) -> Region:
    """The voxels of one cell of a grid."""
    start = tuple(number * edge for number, edge in zip(index, edges, strict=True))
    return Region(start, tuple(first + edge for first, edge in zip(start, edges, strict=True)))


def grown(region: Region, edges: ZYX) -> Region:
    """The smallest region of whole cells around one."""
    start = tuple(first // edge * edge for first, edge in zip(region.start, edges, strict=True))
    return Region(start, tuple(-(-last // edge) * edge for last, edge in zip(region.stop, edges, strict=True)))


def tiles_of(region: Region) -> Iterator[tuple[ZYX, Region]]:
    """(tile, part of the region in it) of every tile that a region touches."""
    ranges = (
        range(start // edge, -(-stop // edge))
        for start, stop, edge in zip(region.start, region.stop, TILE, strict=True)
    )
    for index in itertools.product(*ranges):
        part = region.clipped(cell(index, TILE))
        assert part is not None
        yield index, part


class Voxels:
    """Tiles by (level, time sample, tile index). Reading takes no lock; writers hold the channel's."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._tiles: dict[tuple[Level, int, ZYX], Array] = {}
        self._written: dict[Level, Region] = {}

    def read(self, level: Level, region: Region, times: range = range(1)) -> Array:
        """Voxels of shape (t, z, y, x); zeros where nothing was written."""
        found = np.zeros((len(times), *region.shape), self.dtype)
        for place, time in enumerate(times):
            for index, part in tiles_of(region):
                tile = self._tiles.get((level, time, index))
                if tile is not None:
                    found[place][part.slices(region.start)] = tile[part.slices(cell(index, TILE).start)]
        return found

    def overlay(self, level: Level, corner: ZYX, array: Array, first_time: int = 0) -> None:
        """Write the voxels of a (t, z, y, x) array that are not zero: zeros leave what is there."""
        for target, source in self._parts(level, corner, array, first_time):
            np.copyto(target, source, where=source != 0)

    def replace(self, level: Level, corner: ZYX, array: Array, first_time: int = 0) -> None:
        """Write all voxels of a (t, z, y, x) array."""
        for target, source in self._parts(level, corner, array, first_time):
            target[...] = source

    def erase(self, level: Level, region: Region, times: range = range(1)) -> None:
        """Make voxels zero."""
        for time, (index, part) in itertools.product(times, list(tiles_of(region))):
            tile = self._tiles.get((level, time, index))
            if tile is not None:
                tile[part.slices(cell(index, TILE).start)] = 0

    def written(self, level: Level) -> Region | None:
        """A region around everything that was ever written to a level."""
        return self._written.get(level)

    def tiles_holding(self, level: Level, label: int, time: int = 0) -> Iterator[tuple[Region, Array]]:
        """(region, mask) of every tile with a voxel of a value."""
        for (at, when, index), tile in list(self._tiles.items()):
            if (at, when) == (level, time):
                mask = tile == np.array(label, self.dtype)
                if mask.any():
                    yield cell(index, TILE), mask

    def _parts(self, level: Level, corner: ZYX, array: Array, first_time: int) -> Iterator[tuple[Array, Array]]:
        region = Region.of(corner, array)
        earlier = self._written.get(level)
        self._written[level] = region.joined(earlier) if earlier else region
        for place, (index, part) in itertools.product(range(len(array)), list(tiles_of(region))):
            key = (level, first_time + place, index)
            if key not in self._tiles:
                self._tiles[key] = np.zeros(TILE, self.dtype)
            tile = self._tiles[key]
            yield tile[part.slices(cell(index, TILE).start)], array[place][part.slices(region.start)]
