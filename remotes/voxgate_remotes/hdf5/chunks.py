"""Reading the voxels of one dataset into an array: chunk by chunk, or in blocks where it lies in one piece.

From the bytes of the file, where the HDF5 library said they are; the library itself does not open it here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, slabs
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.hdf5.access import HeldFile
from voxgate_remotes.hdf5.datasets import Layer
from voxgate_remotes.hdf5.filters import Undecodable, decoded, measured, needs_library
from voxgate_remotes.hdf5.foreign import Container
from voxgate_remotes.hdf5.index import Cell, ChunkIndex, Place
from voxgate_remotes.hdf5.layout import Request, cells_of, place, span, window
from voxgate_remotes.hdf5.pieces import Piece
from voxgate_remotes.parallel import share

_BLOCK_BYTES = 8 << 20
_THREADED_BYTES = 1 << 20
_MOST_THREADS = 4
_RESTORE = "restore the file from its source"


class DatasetReader:
    """Reads boxes of one dataset of an open file. Chunks are read and decoded in threads."""

    def __init__(self, file: HeldFile, layer: Layer, index: ChunkIndex) -> None:
        """Take an open file and where the dataset's voxels are in it."""
        self._file = file
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
        if self._index.is_empty:
            request.out[...] = self._fill
        elif self._stored.chunks is not None:
            self._read_chunks(request)
        elif self._index.inline is not None:
            voxels = np.frombuffer(self._index.inline, self._stored.dtype).reshape(self._stored.shape)
            place(self._layer, request, voxels, (0,) * voxels.ndim)
        else:
            self._read_blocks(request)

    def is_absent(self, box: Box, time: int, channel_count: int, context: CallContext) -> bool:
        """Whether nothing is stored of a box, in any channel."""
        if self._stored.chunks is None or self._index.is_empty:
            return self._index.is_empty
        for cell in cells_of(self._layer, box, range(channel_count), time):
            context.check()
            if self._index.find(cell) is not None:
                return False
        return True

    @property
    def _fill(self) -> Any:
        return np.frombuffer(self._stored.fill, self._stored.dtype)[0]

    # -- chunks

    def _read_chunks(self, request: Request) -> None:
        cells = list(cells_of(self._layer, request.box, request.channels, request.time))
        work = len(cells) * self._stored.chunk_bytes
        threaded = self._stored.pipeline and work >= _THREADED_BYTES
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(cells)) if threaded else 1
        with Container(self._stored) as container:

            def worker() -> Callable[[Cell], None]:
                buffer = np.empty(size_limit(self._stored.chunk_bytes), np.uint8)

                def read(cell: Cell) -> None:
                    request.context.check()
                    where = self._index.find(cell)
                    if where is None:
                        voxels = np.broadcast_to(self._fill, self._stored.chunks or ())
                    else:
                        voxels = self._chunk(cell, where, buffer, container)
                    place(self._layer, request, voxels, cell)

                return read

            share(cells, worker, threads)

    def _chunk(self, cell: Cell, where: Place, buffer: np.ndarray[Any, Any], container: Container) -> Voxels:
        """The voxels of a stored chunk; they may lie in `buffer`."""
        stored = self._stored
        if where.size > len(buffer):
            raise ChunkCorrupt(
                f"the stored voxels at {cell} take more room than any chunk of this dataset can", _RESTORE
            )
        data = buffer[: where.size].data
        try:
            self._file.read_into(data, where.offset)
            applied = tuple(each for index, each in enumerate(stored.pipeline) if not where.skipped >> index & 1)
            if needs_library(applied):
                measured(data, applied, stored.chunk_bytes)
                return container.decoded(data, applied)
            raw = decoded(data, applied, stored.chunk_bytes)
        except Undecodable as error:
            raise ChunkCorrupt(f"the stored chunk at {cell} is damaged: {error}", _RESTORE) from None
        except ChunkCorrupt as error:
            raise ChunkCorrupt(f"the stored chunk at {cell} cannot be read: {error.message}", _RESTORE) from None
        voxels: Voxels = np.frombuffer(raw, stored.dtype).reshape(stored.chunks or ())
        return voxels

    # -- voxels in one piece

    def _read_blocks(self, request: Request) -> None:
        assert self._index.whole is not None  # noqa: S101  (it is neither empty, nor in chunks, nor inline)
        piece = Piece(self._file, self._index.whole.offset, self._stored)
        low, high = min(request.channels), max(request.channels) + 1
        for box in slabs(request.box, voxel_bytes=self._stored.dtype.itemsize, slab_bytes=_BLOCK_BYTES):
            request.context.check()
            spans = [
                (low, high) if axis == "c" else span(self._layer, box, axis, request.time) for axis in self._layer.axes
            ]
            start = [a for a, _ in spans]
            into = window(self._layer, request, box)
            if into is not None:
                piece.read(start, into)
                continue
            voxels: Voxels = np.empty([b - a for a, b in spans], self._stored.dtype)
            piece.read(start, voxels)
            place(self._layer, request, voxels, start)
