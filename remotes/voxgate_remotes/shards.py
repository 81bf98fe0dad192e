"""The chunks of a sharded precomputed scale.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md. A chunk's key is the compressed Morton
code of its cell; tensorstore's kvstore finds it in its shard and undoes the shard's own compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import CallContext, EncodedChunk, Encoding
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY
from voxgate_remotes.tensorstores import STORE_ERRORS, file_store, store_error, wait


@dataclass(frozen=True, slots=True)
class ShardedChunks:
    """The chunks of one sharded scale.

    Attributes:
        shards: a ts.KvStore of the chunks, by key.
        looks_compressed: whether chunks are compressed inside of their shards.
        bounds: the scale's voxels.
        chunk_shape: the grid's cell.
        grid_origin: where the grid starts.
        voxel_bytes: of one voxel, all channels.
    """

    shards: Any
    looks_compressed: bool
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3
    voxel_bytes: int

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`: each is looked up in its shard's index.

        Raises:
            one of STORE_ERRORS.
        """
        cells = grid_cells(box, self.chunk_shape, self.grid_origin)
        return any(self.shards.read(self._key(cell)).result().state != "missing" for cell in cells)

    def read_encoded(self, cells: Sequence[Box], encoding: Encoding, context: CallContext) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells as they are in their shards, in order; None where one is absent.

        Args:
            cells: whole cells, clipped to the bounds.
            encoding: of each chunk.
            context: the caller's patience.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        context.check()
        together = ts.Batch()  # each index is read once for all chunks that it lists
        futures = [self.shards.read(self._key(cell), batch=together) for cell in cells]
        together.submit()
        chunks: list[EncodedChunk | None] = []
        for cell, future in zip(cells, futures, strict=True):
            try:
                found = wait(future, context)
            except STORE_ERRORS as error:
                raise store_error(error, f"reading the stored chunk with the voxels {cell}") from error
            if found.state == "missing":
                chunks.append(None)
                continue
            data: bytes = found.value
            if len(data) > size_limit(cell.voxel_count * self.voxel_bytes):
                raise ChunkCorrupt(f"the stored chunk with the voxels {cell} is larger than its voxels", REMEDY)
            chunks.append(EncodedChunk(data, encoding, cell))
        return chunks

    def _key(self, cell: Box) -> bytes:
        """The key of the chunk in which a cell lies."""
        triples = zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)
        index = [(start - origin) // size for start, origin, size in triples]
        return self._morton(index).to_bytes(8, "big")

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


def open_shards(folder: Path, sharding: dict[str, Any], context: Any) -> Any:
    """A ts.KvStore of the chunks in the shards of a folder, by key; nothing is read yet.

    Raises:
        StoreUnavailable, UnsupportedFormat, ChunkCorrupt.
    """
    spec = {"driver": "neuroglancer_uint64_sharded", "metadata": sharding, "base": file_store(folder)}
    try:
        return ts.KvStore.open(spec, context=context).result()
    except STORE_ERRORS as error:
        raise store_error(error, "opening the shards") from error
