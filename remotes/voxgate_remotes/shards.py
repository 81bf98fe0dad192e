"""The chunks of a sharded precomputed scale.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md. A chunk's key is the compressed Morton
code of its cell; `voxgate_remotes.shard_files` finds it in its shard.

Tensorstore decompresses what shards hold whole, however large it becomes (measured with release 0.1.86: 1 MB of gzip,
a chunk or an index, cost 1 GiB). So raw chunks, and those that are passed on, are decompressed here, and before
tensorstore decodes others their sizes are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import CallContext, EncodedChunk, Encoding, Voxels
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY
from voxgate_remotes.parallel import share
from voxgate_remotes.precomputed_kept.shards import parsed_sharding
from voxgate_remotes.shard_files import ShardFiles

_DECODERS = 4


@dataclass(frozen=True, slots=True)
class ShardedChunks:
    """The chunks of one sharded scale.

    Attributes:
        shards: their files.
        looks_compressed: whether chunks are compressed inside of their shards.
        bounds: the scale's voxels.
        chunk_shape: the grid's cell.
        grid_origin: where the grid starts.
        voxel_bytes: of one voxel, all channels.
    """

    shards: ShardFiles
    looks_compressed: bool
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3
    voxel_bytes: int

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`: each is looked up in its shard's index.

        Raises:
            ChunkCorrupt, StoreUnavailable.
        """
        return bool(self.shards.find(self._by_key(self._cells(box)), self._most_chunks, CallContext()))

    def check(self, box: Box, time: int, context: CallContext) -> None:  # noqa: ARG002
        """Look at every stored chunk that a read of `box` would decode; satisfies tensorstores.Bounds.

        Raises:
            ChunkCorrupt: for one that is, or would become, larger than its voxels.
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        cells = self._by_key(self._cells(box))
        for key, place in self.shards.find(cells, self._most_chunks, context).items():
            context.check()
            self.shards.check(place, self._limit(cells[key]), cells[key])

    def fill(self, box: Box, channels: Sequence[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` of raw voxels into `out`, shape (c, z, y, x); `channels` None means all in order.

        Tensorstore is not needed for them, and so nothing is decompressed twice.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        cells = self._by_key(self._cells(box))
        found = self.shards.find(cells, self._most_chunks, context)
        count = self.voxel_bytes // out.dtype.itemsize
        wanted = list(range(count)) if channels is None else channels

        def work(key: int) -> None:
            context.check()
            cell = cells[key]
            inside = cell.intersection(box)
            target = out[:, *inside.slices_zyx(box.start)]
            place = found.get(key)
            data = None if place is None else self.shards.read(place, self._limit(cell), cell)
            if data is None:
                target[...] = 0
                return
            if len(data) != cell.voxel_count * self.voxel_bytes:
                raise ChunkCorrupt(f"the stored chunk with the voxels {cell} has a wrong size", REMEDY)
            voxels: Voxels = np.frombuffer(data, out.dtype).reshape(count, *cell.shape.zyx)
            for index, channel in enumerate(wanted):
                target[index] = voxels[channel, *inside.slices_zyx(cell.start)]

        share(list(cells), lambda: work, min(len(cells), _DECODERS if self.looks_compressed else 1))

    def read_encoded(self, cells: Sequence[Box], encoding: Encoding, context: CallContext) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells in order, the shard's own compression undone; None where one is absent.

        Args:
            cells: whole cells, clipped to the bounds.
            encoding: of each chunk.
            context: the caller's patience.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        context.check()
        found = self.shards.find(self._by_key(cells), self._most_chunks, context)
        chunks: list[EncodedChunk | None] = []
        for cell in cells:
            context.check()
            place = found.get(self._key(cell))
            data = None if place is None else self.shards.read(place, self._limit(cell), cell)
            chunks.append(None if data is None else EncodedChunk(data, encoding, cell))
        return chunks

    @property
    def _most_chunks(self) -> int:
        """How many there are in the scale."""
        triples = zip(self.bounds.shape, self.chunk_shape, strict=True)
        return Vec3(*(-(-extent // size) for extent, size in triples)).product

    def _limit(self, cell: Box) -> int:
        return size_limit(cell.voxel_count * self.voxel_bytes)

    def _cells(self, box: Box) -> list[Box]:
        """The cells that overlap a box, clipped to the bounds."""
        cells = grid_cells(box, self.chunk_shape, self.grid_origin)
        return [self._whole(cell) for cell in cells]

    def _whole(self, cell: Box) -> Box:
        triples = zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)
        start = Vec3(*((at - origin) // size * size + origin for at, origin, size in triples))
        return Box.at(start, self.chunk_shape).intersection(self.bounds)

    def _by_key(self, cells: Sequence[Box]) -> dict[int, Box]:
        return {self._key(cell): cell for cell in cells}

    def _key(self, cell: Box) -> int:
        """The key of the chunk in which a cell lies."""
        triples = zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)
        index = [(start - origin) // size for start, origin, size in triples]
        return self._morton(index)

    def _morton(self, cell: Sequence[int]) -> int:
        """The compressed Morton code of a grid cell: bits of x, y, z in turn, each only as far as its axis needs."""
        shape = self.bounds.shape
        bits = [(-(-extent // size) - 1).bit_length() for extent, size in zip(shape, self.chunk_shape, strict=True)]
        code = at = 0
        for bit in range(max(bits)):
            for number, width in zip(cell, bits, strict=True):
                if bit < width:
                    code |= (number >> bit & 1) << at
                    at += 1
        return code


def open_shards(folder: Path, sharding: dict[str, Any], context: Any) -> ShardFiles:  # noqa: ARG001
    """The shards of a folder; nothing is read yet.

    Raises:
        MetadataInvalid.
    """
    return ShardFiles(folder, parsed_sharding(sharding))
