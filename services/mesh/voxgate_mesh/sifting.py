"""Stored chunks that say which segments they hold: to find one in a large volume, few of them need to be decoded.

compressed_segmentation keeps tables of the ids that occur; looking through those takes a tenth of decoding the voxels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, aligned_outward, grid_cells
from voxgate.model.volumes import ArrayCodec, EncodedChunk, EncodedChunks, Volume, VolumeInfo, Voxels
from voxgate.wire import encodings

_FEW = 8
"""Tables are looked through once for each id; of more ids most chunks hold one anyway."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """Reads what stored chunks of one scale hold of a few segments. Thread-safe.

    Attributes:
        chunks: the stored chunks.
        info: of the volume, which has one channel.
        scale: index of the scale.
        segment_ids: what is looked for; none of them is the value of absent voxels.
    """

    chunks: EncodedChunks
    info: VolumeInfo
    scale: int
    segment_ids: tuple[int, ...]

    def read(self, box: Box) -> Iterator[tuple[Box, Voxels]]:
        """Read a box of the bounds.

        Yields:
            A part of the box that lies in one chunk, and its voxels, of shape (1, z, y, x). Where no part is, none of
            the segments is.

        Raises:
            ChunkCorrupt: naming the chunk; and what reading stored chunks raises.
        """
        level = self.info.scales[self.scale]
        whole = aligned_outward(box, level.stored_chunk_shape, level.grid_origin).intersection(level.bounds)
        cells = list(grid_cells(whole, level.stored_chunk_shape, level.grid_origin))
        for cell, chunk in zip(cells, self.chunks.read_encoded(cells, scale=self.scale), strict=True):
            part = cell.intersection(box)
            found = None if chunk is None else self._decoded(chunk, cell, part)
            if found is not None:
                yield part, found

    def _decoded(self, chunk: EncodedChunk, cell: Box, part: Box) -> Voxels | None:
        """The voxels of a part of a chunk; None where it holds none of the segments."""
        data, encoding, dtype = chunk.data, chunk.encoding, self.info.dtype
        shape = (1, *chunk.data_box.shape.zyx)
        try:
            if not encodings.may_hold(data, encoding, shape, dtype, self.segment_ids):
                return None
            return encodings.decode(data, encoding, shape, dtype, part=part.slices_zyx(chunk.data_box.start))
        except ChunkCorrupt as error:
            raise ChunkCorrupt(f"{cell}: {error.message}", error.remedy, details={"box": str(cell)}) from error


def sieve_for(volume: Volume, scale: int, segment_ids: Sequence[int]) -> Sieve | None:
    """What leaves out chunks without these segments; None where the store's chunks do not tell, or ids are many."""
    info = volume.info
    if not 0 < len(segment_ids) <= _FEW or info.channel_count != 1 or info.fill_value in segment_ids:
        return None
    chunks = volume.capability(EncodedChunks)
    stored = () if chunks is None else chunks.encodings_of(scale)
    known = encodings.decodable(info.dtype)
    tells = all(each.array is ArrayCodec.COMPRESSED_SEGMENTATION and encodings.accepts(known, each) for each in stored)
    if chunks is None or not stored or not tells:
        return None
    return Sieve(chunks, info, scale, tuple(each for each in segment_ids if each <= np.iinfo(info.dtype).max))
