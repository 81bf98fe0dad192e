"""Reading part of raw chunks straight into an array: one copy out of the page cache, one into place.

tensorstore reads whole files into fresh memory. Here only the planes that are asked for are read, into a small buffer
that stays in the processor's cache, and are copied from there; small boxes out of large chunks gain most.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Voxels
from voxgate_remotes.file_access import REMEDY

_BUFFER_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class Span:
    """What of one cell lies in a box, along one axis.

    Attributes:
        name: the cell's part of a file name, "start-stop".
        start: where the cell starts, clipped to the bounds.
        stop: where it stops.
        low: the first voxel that is asked for.
        high: the voxel after the last one.
    """

    name: str
    start: int
    stop: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Part:
    """What of one cell lies in a box: its span on each axis."""

    x: Span
    y: Span
    z: Span

    @property
    def name(self) -> str:
        """The name of the cell's file."""
        return f"{self.x.name}_{self.y.name}_{self.z.name}"

    @property
    def cell(self) -> Box:
        """All voxels of the cell."""
        return Box.of(*((span.start, span.stop) for span in (self.x, self.y, self.z)))

    @property
    def inside(self) -> Box:
        """The voxels of the cell that are asked for."""
        return Box.of(*((span.low, span.high) for span in (self.x, self.y, self.z)))

    def __str__(self) -> str:
        return str(self.cell)

    def of(self, out: Voxels, box: Box) -> Voxels:
        """The view of an array of `box`, shape (c, z, y, x), that this part fills."""
        x, y, z = box.start
        return out[
            :, self.z.low - z : self.z.high - z, self.y.low - y : self.y.high - y, self.x.low - x : self.x.high - x
        ]


def parts_of(box: Box, bounds: Box, chunk_shape: Vec3, grid_origin: Vec3) -> list[Part]:
    """The cells of a grid, clipped to `bounds`, that overlap `box`: x fastest, then y, z."""
    axes = zip(box.start, box.stop, bounds.start, bounds.stop, chunk_shape, grid_origin, strict=True)
    xs, ys, zs = (_spans(*axis) for axis in axes)
    return [Part(x, y, z) for z in zs for y in ys for x in xs]


def _spans(low: int, high: int, first: int, last: int, size: int, origin: int) -> list[Span]:
    found = []
    for cell in range(origin + (low - origin) // size * size, high, size):
        start, stop = max(cell, first), min(cell + size, last)
        found.append(Span(f"{start}-{stop}", start, stop, max(start, low), min(stop, high)))
    return found


class RawReader:
    """Copies parts of raw chunks into place. It has a buffer, so each thread takes one of its own."""

    def __init__(self, dtype: np.dtype[Any], channel_count: int) -> None:
        """Take the voxels' type and the number of channels of each chunk."""
        self._dtype = dtype
        self._channel_count = channel_count
        self._buffer = bytearray(_BUFFER_BYTES)

    def from_file(self, file: int, part: Part, channels: Sequence[int], target: Voxels) -> None:
        """Copy the voxels of `part` from a chunk's file.

        Args:
            file: a descriptor.
            part: which voxels.
            channels: in the order of the target's.
            target: array of shape (c, z, y, x), any strides.

        Raises:
            ChunkCorrupt: when the file has not exactly the bytes of the chunk.
            OSError: whatever the system says.
        """
        self._check(os.fstat(file).st_size, part)
        planes, rows = part.z.stop - part.z.start, part.y.stop - part.y.start
        voxel = self._dtype.itemsize
        row = (part.x.stop - part.x.start) * voxel
        width, skipped = part.x.high - part.x.low, (part.x.low - part.x.start) * voxel
        for index, channel in enumerate(channels):
            for z, y in _blocks(part, row, _BUFFER_BYTES):
                first = (channel * planes + z.start) * rows + y.start
                self._fetch(file, first * row, ((len(z) - 1) * rows + len(y)) * row, part)
                strides = (rows * row, row, voxel)
                view: Voxels = np.ndarray((len(z), len(y), width), self._dtype, self._buffer, skipped, strides)
                at_z, at_y = z.start + part.z.start - part.z.low, y.start + part.y.start - part.y.low
                target[index, at_z : at_z + len(z), at_y : at_y + len(y)] = view

    def from_bytes(self, data: bytes, part: Part, channels: Sequence[int], target: Voxels) -> None:
        """Copy the voxels of `part` from a chunk's bytes; arguments and errors as in `from_file`."""
        self._check(len(data), part)
        cell = part.cell
        voxels = np.frombuffer(data, self._dtype).reshape(self._channel_count, *cell.shape.zyx)
        inside = part.inside.slices_zyx(cell.start)
        for index, channel in enumerate(channels):
            target[index] = voxels[channel, *inside]

    def _check(self, size: int, part: Part) -> None:
        extents = [span.stop - span.start for span in (part.x, part.y, part.z)]
        if size != self._channel_count * math.prod(extents) * self._dtype.itemsize:
            raise ChunkCorrupt(f"the stored chunk with the voxels {part.cell} has a wrong size", REMEDY)

    def _fetch(self, file: int, start: int, size: int, part: Part) -> None:
        """Read bytes of a file into the buffer."""
        if size > len(self._buffer):
            self._buffer = bytearray(size)
        view = memoryview(self._buffer)[:size]
        got = os.preadv(file, [view], start)
        while got < size:
            more = os.preadv(file, [view[got:]], start + got)
            if not more:
                raise ChunkCorrupt(f"the stored chunk with the voxels {part.cell} was cut while it was read", REMEDY)
            got += more


def _blocks(part: Part, row: int, size: int) -> Iterator[tuple[range, range]]:
    """The part's planes and rows, counted from the cell's first, in the pieces that are read at once.

    Args:
        part: which voxels.
        row: the bytes of a row of the cell.
        size: about how many bytes to read at once; at least a row is.
    """
    z = range(part.z.low - part.z.start, part.z.high - part.z.start)
    y = range(part.y.low - part.y.start, part.y.high - part.y.start)
    plane = row * (part.y.stop - part.y.start)
    if plane <= size:
        step = size // plane
        for first in range(0, len(z), step):
            yield z[first : first + step], y
        return
    step = max(1, size // row)
    for one in range(len(z)):
        for first in range(0, len(y), step):
            yield z[one : one + 1], y[first : first + step]
