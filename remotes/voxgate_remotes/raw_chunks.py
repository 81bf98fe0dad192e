"""Reading part of raw chunks straight into an array: one copy out of the page cache, one into place.

tensorstore reads whole files into fresh memory. Here only the planes that are asked for are read, into a small buffer
that stays in the processor's cache, and are copied from there; small boxes out of large chunks gain most.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Voxels
from voxgate_remotes.file_access import REMEDY

_BUFFER_BYTES = 2**18


class Span(NamedTuple):
    """What of one cell lies in a box, along one axis; a tuple, because there are many and they are made often.

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


class Part(NamedTuple):
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
        return Box.of(*((span.start, span.stop) for span in self))

    @property
    def inside(self) -> Box:
        """The voxels of the cell that are asked for."""
        return Box.of(*((span.low, span.high) for span in self))

    def __str__(self) -> str:
        return str(self.cell)

    def of(self, out: Voxels, box: Box) -> Voxels:
        """The view of an array of `box`, shape (c, z, y, x), that this part fills."""
        x, y, z = self
        at = box.start
        return out[:, z.low - at.z : z.high - at.z, y.low - at.y : y.high - at.y, x.low - at.x : x.high - at.x]


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
        x, y, z = part
        voxel = self._dtype.itemsize
        row, rows, planes = (x.stop - x.start) * voxel, y.stop - y.start, z.stop - z.start
        if os.fstat(file).st_size != self._channel_count * planes * rows * row:
            raise _wrong_size(part)
        strides = (rows * row, row, voxel)
        width, skipped = x.high - x.low, (x.low - x.start) * voxel
        for index, channel in enumerate(channels):
            for low_z, high_z, low_y, high_y in _blocks(part, row):
                first = ((channel * planes + low_z - z.start) * rows + low_y - y.start) * row
                self._fetch(file, first, ((high_z - low_z - 1) * rows + high_y - low_y) * row, part)
                shape = (high_z - low_z, high_y - low_y, width)
                view: Voxels = np.ndarray(shape, self._dtype, self._buffer, skipped, strides)
                target[index, low_z - z.low : high_z - z.low, low_y - y.low : high_y - y.low] = view

    def from_bytes(self, data: bytes, part: Part, channels: Sequence[int], target: Voxels) -> None:
        """Copy the voxels of `part` from a chunk's bytes; arguments and errors as in `from_file`."""
        cell = part.cell
        if len(data) != self._channel_count * cell.voxel_count * self._dtype.itemsize:
            raise _wrong_size(part)
        voxels = np.frombuffer(data, self._dtype).reshape(self._channel_count, *cell.shape.zyx)
        inside = part.inside.slices_zyx(cell.start)
        for index, channel in enumerate(channels):
            target[index] = voxels[channel, *inside]

    def _fetch(self, file: int, start: int, size: int, part: Part) -> None:
        """Read bytes of a file into the buffer."""
        if size > len(self._buffer):
            self._buffer = bytearray(size)
        view = memoryview(self._buffer)[:size]
        got = os.preadv(file, [view], start)
        while got < size:
            more = os.preadv(file, [view[got:]], start + got)
            if not more:
                raise ChunkCorrupt(f"the stored chunk with the voxels {part} was cut while it was read", REMEDY)
            got += more


def _wrong_size(part: Part) -> ChunkCorrupt:
    return ChunkCorrupt(f"the stored chunk with the voxels {part} has a wrong size", REMEDY)


def _blocks(part: Part, row: int) -> list[tuple[int, int, int, int]]:
    """What of a part is read at once, as (z start, z stop, y start, y stop): a buffer of whole planes, or of rows.

    `row` is the bytes of a row of the cell; at least one is read.
    """
    _, y, z = part
    planes = _BUFFER_BYTES // (row * (y.stop - y.start))
    if planes >= z.high - z.low:
        return [(z.low, z.high, y.low, y.high)]
    if planes:
        return [(at, min(at + planes, z.high), y.low, y.high) for at in range(z.low, z.high, planes)]
    rows = max(1, _BUFFER_BYTES // row)
    starts = itertools.product(range(z.low, z.high), range(y.low, y.high, rows))
    return [(plane, plane + 1, at, min(at + rows, y.high)) for plane, at in starts]
