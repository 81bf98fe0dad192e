"""The chunks of a sharded precomputed scale and their keys, wherever the shards are.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md. A chunk's key is the compressed Morton
code of its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate_remotes.encoded import size_limit


@dataclass(frozen=True, slots=True)
class ShardGrid:
    """The chunks of one sharded scale.

    Attributes:
        bounds: the scale's voxels.
        chunk_shape: the grid's cell.
        grid_origin: where the grid starts.
        voxel_bytes: of one voxel, all channels.
    """

    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3
    voxel_bytes: int

    @property
    def most_chunks(self) -> int:
        """How many there are in the scale."""
        triples = zip(self.bounds.shape, self.chunk_shape, strict=True)
        return Vec3(*(-(-extent // size) for extent, size in triples)).product

    def limit(self, cell: Box) -> int:
        """The most bytes that the chunk of a cell may have."""
        return size_limit(cell.voxel_count * self.voxel_bytes)

    def cells(self, box: Box) -> dict[int, Box]:
        """The cells that overlap a box, clipped to the bounds, by key."""
        whole = (self._whole(cell) for cell in grid_cells(box, self.chunk_shape, self.grid_origin))
        return {self.key(cell): cell for cell in whole}

    def key(self, cell: Box) -> int:
        """The key of the chunk in which a cell lies."""
        triples = zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)
        index = [(start - origin) // size for start, origin, size in triples]
        return self._morton(index)

    def _whole(self, cell: Box) -> Box:
        triples = zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)
        start = Vec3(*((at - origin) // size * size + origin for at, origin, size in triples))
        return Box.at(start, self.chunk_shape).intersection(self.bounds)

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
