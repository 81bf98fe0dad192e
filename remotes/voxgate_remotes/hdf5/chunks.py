"""Reading the voxels of one dataset into an array: chunk by chunk, or in blocks where it lies in one piece."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable, VoxgateError
from voxgate.model.geometry import Box, slabs
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.hdf5.datasets import ChunkIndex, Layer, is_allocated
from voxgate_remotes.hdf5.files import Object, library
from voxgate_remotes.hdf5.filters import Undecodable, decoded, measured, needs_library
from voxgate_remotes.parallel import share

_BLOCK_BYTES = 8 << 20
_THREADED_BYTES = 1 << 20
_MOST_THREADS = 4
_READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError)
"""What h5py raises while it reads voxels."""

Cell = tuple[int, ...]
"""The first indices of a chunk, in the dataset's order."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a dataset.

    Attributes:
        box: global coordinates.
        channels: in this order.
        time: index along t; 0 where the dataset has no such axis.
        out: array of shape (c, z, y, x) to fill, of the stored number type, little-endian.
        context: looked at between chunks and blocks.
    """

    box: Box
    channels: Sequence[int]
    time: int
    out: Voxels
    context: CallContext


class DatasetReader:
    """Reads boxes of one open dataset. HDF5 takes one call at a time; chunks are decoded outside of it, in threads."""

    def __init__(self, dataset: Object, layer: Layer, index: ChunkIndex) -> None:
        """Take an open dataset and what is known of its chunks."""
        self._dataset = dataset
        self._layer = layer
        self._index = index
        self._stored = layer.stored

    def read(self, request: Request) -> None:
        """Fill `request.out`.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        if not request.channels:
            return
        request.context.check()
        if not self._is_stored:
            request.out[...] = self._fill
        elif self._stored.chunks is not None:
            self._read_chunks(request)
        else:
            for box in slabs(request.box, voxel_bytes=self._stored.dtype.itemsize, slab_bytes=_BLOCK_BYTES):
                request.context.check()
                self._read_block(request, box)

    def is_absent(self, box: Box, time: int, channel_count: int, context: CallContext) -> bool:
        """Whether nothing is stored of a box, in any channel."""
        if self._stored.chunks is None or not self._is_stored:
            return not self._is_stored
        for cell in self._cells(box, range(channel_count), time):
            context.check()
            try:
                # A buffer too small for any chunk: refused where one is stored, before it is read.
                found = self._dataset.id.read_direct_chunk(cell, out=np.empty(0, np.uint8))
            except ValueError:
                return False
            except _READ_ERRORS as error:
                if not self._is_missing(cell, error):
                    raise self._failure(cell, error) from error
            else:
                return found is None
        return True

    @property
    def _is_stored(self) -> bool:
        """Whether anything is."""
        return not self._index.is_empty if self._stored.chunks is not None else is_allocated(self._dataset)

    @property
    def _fill(self) -> Any:
        return np.frombuffer(self._stored.fill, self._stored.dtype)[0]

    # -- chunks

    def _read_chunks(self, request: Request) -> None:
        cells = list(self._cells(request.box, request.channels, request.time))
        work = len(cells) * self._stored.chunk_bytes
        threaded = self._stored.pipeline and work >= _THREADED_BYTES
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(cells)) if threaded else 1

        def worker() -> Callable[[Cell], None]:
            buffer = np.empty(size_limit(self._stored.chunk_bytes), np.uint8)

            def read(cell: Cell) -> None:
                request.context.check()
                self._read_chunk(request, cell, buffer)

            return read

        share(cells, worker, threads)

    def _read_chunk(self, request: Request, cell: Cell, buffer: np.ndarray[Any, Any]) -> None:
        stored = self._stored
        if cell in self._index.misfits:
            raise ChunkCorrupt(f"the stored chunk at {cell} is damaged: it has another size than it declares", _RESTORE)
        try:
            skipped, data = self._dataset.id.read_direct_chunk(cell, out=buffer)
        except _READ_ERRORS as error:
            if not self._is_missing(cell, error):
                raise self._failure(cell, error) from error
            self._place(request, np.broadcast_to(self._fill, stored.chunks or ()), cell)
            return
        try:
            if needs_library(stored.pipeline):
                measured(data, stored.pipeline, skipped, stored.chunk_bytes)
                voxels = self._by_library(cell)
            else:
                raw = decoded(data, stored.pipeline, skipped, stored.chunk_bytes)
                voxels = np.frombuffer(raw, stored.dtype).reshape(stored.chunks)
        except Undecodable as error:
            raise ChunkCorrupt(f"the stored chunk at {cell} is damaged: {error}", _RESTORE) from None
        except _READ_ERRORS as error:
            raise self._failure(cell, error) from error
        self._place(request, voxels, cell)

    def _by_library(self, cell: Cell) -> Voxels:
        """The voxels of a chunk inside of the dataset's extent, in its own order, decoded by the HDF5 library."""
        chunks = self._stored.chunks or ()
        counts = [min(c, n - start) for start, c, n in zip(cell, chunks, self._stored.shape, strict=True)]
        voxels: Voxels = np.empty(counts, self._stored.dtype)
        self._select(cell, counts, voxels, (0,) * len(counts))
        return voxels

    def _is_missing(self, cell: Cell, error: Exception) -> bool:
        """Whether reading a chunk failed because it is not stored, which is no failure."""
        if "storage is not allocated" in str(error):
            return True
        if isinstance(error, ValueError):
            return False
        try:
            # Slow in large datasets, so only where this HDF5 library does not say it itself.
            return self._dataset.id.get_chunk_info_by_coord(cell).byte_offset is None
        except _READ_ERRORS:
            return False

    def _cells(self, box: Box, channels: Sequence[int], time: int) -> Iterator[Cell]:
        """The chunks with voxels of a box, in the order in which they are numbered."""
        chunks = self._stored.chunks or self._stored.shape
        axes = []
        for axis, size in zip(self._layer.axes, chunks, strict=True):
            if axis == "c":
                axes.append(sorted({channel // size * size for channel in channels}))
            else:
                start, stop = self._span(box, axis, time)
                axes.append(list(range(start // size * size, stop, size)))
        yield from itertools.product(*axes)

    def _span(self, box: Box, axis: str, time: int) -> tuple[int, int]:
        """Where a box lies along an axis of the dataset, not of channels."""
        if axis == "t":
            return time, time + 1
        start = getattr(self._layer.start, axis)
        return getattr(box.start, axis) - start, getattr(box.stop, axis) - start

    def _place(self, request: Request, voxels: Voxels, first: Cell) -> None:
        """Put what `out` wants of some voxels there; they are in the dataset's order and start at `first`."""
        cut: list[Any] = []
        into: dict[str, slice] = dict.fromkeys("zyx", slice(None))
        channels = [(0, place) for place in range(len(request.channels))]
        for axis, start, size in zip(self._layer.axes, first, voxels.shape, strict=True):
            if axis == "c":
                channels = [(c - start, p) for p, c in enumerate(request.channels) if start <= c < start + size]
                cut.append(slice(None))
                continue
            low, high = self._span(request.box, axis, request.time)
            a, b = max(low, start), min(high, start + size)
            cut.append(a - start if axis == "t" else slice(a - start, b - start))
            if axis != "t":
                into[axis] = slice(a - low, b - low)
        ordered = _in_order(voxels[tuple(cut)], self._layer.axes.replace("t", ""))
        where = (into["z"], into["y"], into["x"])
        for channel, place in channels:
            request.out[place][where] = ordered[channel]

    # -- voxels in one piece

    def _read_block(self, request: Request, box: Box) -> None:
        """Read part of a request's box: straight into `out` where both are in the same order."""
        axes = self._layer.axes
        wanted = list(request.channels)
        in_a_row = wanted == list(range(wanted[0], wanted[0] + len(wanted)))
        low, high = min(wanted), max(wanted) + 1
        spans = [(low, high) if axis == "c" else self._span(box, axis, request.time) for axis in axes]
        start, counts = [a for a, _ in spans], [b - a for a, b in spans]
        try:
            if request.out.flags.c_contiguous and request.out.flags.aligned and in_a_row and _is_in_order(axes):
                place = (0, *(box.start - request.box.start).zyx)
                self._select(start, counts, request.out, place, (len(wanted), *box.shape.zyx))
                return
            voxels: Voxels = np.empty(counts, self._stored.dtype)
            self._select(start, counts, voxels, (0,) * len(counts))
        except _READ_ERRORS as error:
            raise self._failure(tuple(start), error) from error
        self._place(request, voxels, tuple(start))

    def _select(
        self,
        start: Sequence[int],
        counts: Sequence[int],
        into: Voxels,
        place: Sequence[int],
        shape: Sequence[int] | None = None,
    ) -> None:
        """Read a hyperslab into part of a C-order array of the same number type; byte order is converted."""
        h5s = library().h5s
        there = self._dataset.id.get_space()
        there.select_hyperslab(tuple(start), tuple(counts))
        here = h5s.create_simple(into.shape)
        here.select_hyperslab(tuple(place), tuple(shape or counts))
        self._dataset.id.read(here, there, into)

    def _failure(self, cell: Sequence[int], error: Exception) -> VoxgateError:
        """The HDF5 library's exception in our words; its own message may name paths."""
        number = error.errno if isinstance(error, OSError) else None
        if number:
            return StoreUnavailable(f"the HDF5 file cannot be read: {os.strerror(number)}", "look at the store's host")
        where = f"the stored voxels at {tuple(cell)}"
        if isinstance(error, ValueError):
            return ChunkCorrupt(f"{where} take more room than any chunk of this dataset can", _RESTORE)
        return ChunkCorrupt(f"{where} cannot be read: the file is damaged or cut off there", _RESTORE)


_RESTORE = "restore the file from its source"


def _is_in_order(axes: str) -> bool:
    """Whether a dataset has its axes in the order of t, c, z, y, x: then its voxels lie as an answer's do."""
    return axes in ("".join(a for a in "tczyx" if a in axes),)


def _in_order(voxels: Voxels, axes: str) -> Voxels:
    """Voxels as a view with the axes c, z, y, x."""
    ordered = voxels.transpose([axes.index(axis) for axis in "czyx" if axis in axes])
    for place, axis in enumerate("czyx"):
        if axis not in axes:
            ordered = np.expand_dims(ordered, place)
    return ordered
