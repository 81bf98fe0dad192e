"""Writing whole shards of Zarr v3 ourselves: tensorstore goes on writing everything else.

Format: zarr-specs.readthedocs.io, sharding_indexed. A shard is its chunks in any order, then for each chunk, in C order
of the array's axes, two little-endian uint64, where it starts and how long it is, and the CRC-32C of these numbers. A
chunk with no voxel inside of the array is absent, 2**64 - 1 twice, as tensorstore has it; every other one is there,
also where it is nothing but the fill value. Voxels of a chunk that lie outside of the array are the fill value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.volumes import CallContext, Scale, VolumeInfo, Voxels
from voxgate_remotes.chunk_encoders import Encode, crc32c, encoder_of
from voxgate_remotes.parallel import share
from voxgate_remotes.replacing import Appender, can_replace, replaced
from voxgate_remotes.zarr_chunks import Extents, Layout, named

_ABSENT = 2**64 - 1
_MOST_BYTES = 2**31 - 1
_THREADS = 2
_AXES = "tczyx"

Place = tuple[int, ...]
"""Numbers along the array's axes, in their order."""


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Writes whole shards of one array; made by `shard_writer`. Thread-safe.

    Attributes:
        folder: the array's.
        layout: how it is cut.
        level: the scale it is.
        shape: the array's.
        dtype: of its voxels.
        fill_value: of its voxels.
        encoder: makes what encodes chunks, for one thread.
        fsync: whether files are durable when a write ends.
    """

    folder: Path
    layout: Layout
    level: Scale
    shape: Place
    dtype: np.dtype[Any]
    fill_value: float
    encoder: Callable[[], Encode]
    fsync: bool

    def takes(self, box: Box) -> bool:
        """Whether a box is whole shards, as far as the array goes."""
        level = self.level
        return aligned_outward(box, level.write_granule_shape, level.grid_origin).intersection(level.bounds) == box

    def write(self, box: Box, voxels: Voxels, time: int, context: CallContext) -> None:
        """Write shards, each at once: readers see the old one or the new one.

        Args:
            box: one that is taken.
            voxels: array of shape (c, z, y, x), all channels.
            time: where along that axis.
            context: the caller's patience.

        Raises:
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        start, array = self._in_array(box, voxels, time)
        stop = tuple(map(sum, zip(start, array.shape, strict=True)))

        def worker() -> Callable[[Place], None]:
            encode, scratch = self.encoder(), np.empty(self._of(self.layout.stored), self.dtype)

            def work(cell: Place) -> None:
                name = self.layout.name(dict(zip(self.layout.axes, cell, strict=True)))
                with replaced(self.folder / name, fsync=self.fsync, context=context) as file:
                    self._write_shard(file, cell, _Voxels(array, start), (encode, scratch), context)

            return work

        cells = list(_cells(start, stop, self._of(self.layout.files)))
        share(cells, worker, min(len(cells), _THREADS))

    def _of(self, extents: Extents) -> Place:
        """Numbers by axis in the order of the array's."""
        return tuple(extents[axis] for axis in self.layout.axes)

    def _in_array(self, box: Box, voxels: Voxels, time: int) -> tuple[Place, Voxels]:
        """Where a write starts in the array, and its voxels along the array's axes."""
        (x, y, z), axes = box.start - self.level.bounds.start, self.layout.axes
        starts = {"t": time, "c": 0, "z": z, "y": y, "x": x}
        kept = [_AXES.index(axis) for axis in axes]
        dropped = tuple(index for index in range(len(_AXES)) if index not in kept)
        whole = voxels[np.newaxis]
        array = whole.transpose(*kept, *dropped).reshape([whole.shape[index] for index in kept])
        return self._of(starts), array

    def _write_shard(
        self, file: Appender, cell: Place, voxels: _Voxels, tools: tuple[Encode, Voxels], context: CallContext
    ) -> None:
        encode, scratch = tools
        shard, chunk = self._of(self.layout.files), self._of(self.layout.stored)
        counts = [whole // part for whole, part in zip(shard, chunk, strict=True)]
        index = np.full((*counts, 2), _ABSENT, "<u8")
        for inside in np.ndindex(*counts):
            first = tuple(
                at * whole + number * part for at, whole, number, part in zip(cell, shard, inside, chunk, strict=True)
            )
            if any(at >= extent for at, extent in zip(first, self.shape, strict=True)):
                continue
            context.check()
            voxels.copy_chunk(first, scratch, self.fill_value)
            start = file.size
            file.append(encode(scratch))
            index[inside] = start, file.size - start
        numbers = index.tobytes()
        file.append(numbers + crc32c(numbers))


@dataclass(frozen=True, slots=True)
class _Voxels:
    """Part of an array: its voxels along the array's axes, and where it starts."""

    array: npt.NDArray[Any]
    start: Place

    def copy_chunk(self, first: Place, out: Voxels, fill_value: float) -> None:
        """Copy the chunk that starts at `first`; what of it is not in the part becomes the fill value."""
        low = [at - begin for at, begin in zip(first, self.start, strict=True)]
        part = self.array[tuple(slice(at, at + extent) for at, extent in zip(low, out.shape, strict=True))]
        if part.shape == out.shape:
            np.copyto(out, part)
            return
        out.fill(fill_value)
        out[tuple(map(slice, part.shape))] = part


def _cells(start: Place, stop: Place, extents: Place) -> Iterator[Place]:
    """The cells of a grid from 0 that a region touches; the last axis fastest."""
    spans = zip(start, stop, extents, strict=True)
    return itertools.product(*(range(low // size, -(-high // size)) for low, high, size in spans))


@dataclass(frozen=True, slots=True)
class ArrayFiles:
    """An array as its metadata says it is kept.

    Attributes:
        folder: where it is.
        document: its `zarr.json`; of version 2 its `.zarray`.
        layout: how it is cut, by that document.
    """

    folder: Path
    document: dict[str, Any]
    layout: Layout


def shard_writer(array: ArrayFiles, info: VolumeInfo, scale: int, *, fsync: bool) -> ShardWriter | None:
    """What writes whole shards of a scale; None where tensorstore has to: something of them is not known here.

    Args:
        array: that tensorstore could open.
        info: the volume's description.
        scale: which of its scales the array is.
        fsync: whether files are durable when a write ends.
    """
    layout, level = array.layout, info.scales[scale]
    codecs = _codecs_in_shards(array)
    encoder = encoder_of(codecs, info.dtype) if codecs else None
    chunk_bytes = math.prod(layout.stored.values()) * info.dtype.itemsize
    if encoder is None or chunk_bytes > _MOST_BYTES or layout.files.get("t", 1) != 1 or not can_replace():
        return None
    (z, y, x) = level.bounds.shape.zyx
    extents = {"t": info.time_count, "c": info.channel_count, "z": z, "y": y, "x": x}
    return ShardWriter(
        folder=array.folder,
        layout=layout,
        level=level,
        shape=tuple(extents[axis] for axis in layout.axes),
        dtype=info.dtype,
        fill_value=info.fill_value,
        encoder=encoder,
        fsync=fsync,
    )


def _codecs_in_shards(array: ArrayFiles) -> list[dict[str, Any]]:
    """The codecs of the chunks in shards that are indexed at their end, by plain numbers; else none."""
    sharding = array.layout.sharding
    if sharding is None or len(array.document["codecs"]) != 1 or sharding.get("index_location", "end") != "end":
        return []
    index = [named(codec) for codec in sharding.get("index_codecs", [])]
    if index != [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]:
        return []
    return [named(codec) for codec in sharding["codecs"]]
