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
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, EncodedChunk, Encoding, Voxels
from voxgate_remotes.file_access import REMEDY
from voxgate_remotes.parallel import share
from voxgate_remotes.precomputed_kept.shards import parsed_sharding
from voxgate_remotes.shard_files import ShardFiles
from voxgate_remotes.shard_grid import ShardGrid

_DECODERS = 4


@dataclass(frozen=True, slots=True)
class ShardedChunks:
    """The chunks of one sharded scale.

    Attributes:
        shards: their files.
        looks_compressed: whether chunks are compressed inside of their shards.
        grid: what they are.
    """

    shards: ShardFiles
    looks_compressed: bool
    grid: ShardGrid

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`: each is looked up in its shard's index.

        Raises:
            ChunkCorrupt, StoreUnavailable.
        """
        return bool(self.shards.find(self.grid.cells(box), self.grid.most_chunks, CallContext()))

    def check(self, box: Box, time: int, context: CallContext) -> None:  # noqa: ARG002
        """Look at every stored chunk that a read of `box` would decode; satisfies tensorstores.Bounds.

        Raises:
            ChunkCorrupt: for one that is, or would become, larger than its voxels.
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        cells = self.grid.cells(box)
        for key, place in self.shards.find(cells, self.grid.most_chunks, context).items():
            context.check()
            self.shards.check(place, self.grid.limit(cells[key]), cells[key])

    def fill(self, box: Box, channels: Sequence[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` of raw voxels into `out`, shape (c, z, y, x); `channels` None means all in order.

        Tensorstore is not needed for them, and so nothing is decompressed twice.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        cells = self.grid.cells(box)
        found = self.shards.find(cells, self.grid.most_chunks, context)
        count = self.grid.voxel_bytes // out.dtype.itemsize
        wanted = list(range(count)) if channels is None else channels

        def work(key: int) -> None:
            context.check()
            cell = cells[key]
            inside = cell.intersection(box)
            target = out[:, *inside.slices_zyx(box.start)]
            place = found.get(key)
            data = None if place is None else self.shards.read(place, self.grid.limit(cell), cell)
            if data is None:
                target[...] = 0
                return
            if len(data) != cell.voxel_count * self.grid.voxel_bytes:
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
        found = self.shards.find({self.grid.key(cell): cell for cell in cells}, self.grid.most_chunks, context)
        chunks: list[EncodedChunk | None] = []
        for cell in cells:
            context.check()
            place = found.get(self.grid.key(cell))
            data = None if place is None else self.shards.read(place, self.grid.limit(cell), cell)
            chunks.append(None if data is None else EncodedChunk(data, encoding, cell))
        return chunks


def open_shards(folder: Path, sharding: dict[str, Any], context: Any) -> ShardFiles:  # noqa: ARG001
    """The shards of a folder; nothing is read yet.

    Raises:
        MetadataInvalid.
    """
    return ShardFiles(folder, parsed_sharding(sharding))
