"""What the chunks of an unsharded precomputed scale are, wherever they are stored, and decoding one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorstore as ts

from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.raw_chunks import Part, RawReader, parts_of
from voxgate_remotes.suffixes import Suffix, undone
from voxgate_remotes.tensorstores import STORE_ERRORS, View, fill, global_view, store_error

Decode = Callable[[bytes, Part, Voxels], None]
"""Puts what is asked for of a chunk's bytes into voxels of shape (c, z, y, x)."""

_PICTURES = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """The chunks of one unsharded scale.

    Attributes:
        info: the volume's `info`.
        scale: the scale's entry of `info["scales"]`.
        bounds: the scale's voxels.
        chunk_shape: the grid's cell.
        grid_origin: where the grid starts.
    """

    info: dict[str, Any]
    scale: dict[str, Any]
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels."""
        name: str = self.info["data_type"]
        return np.dtype(name.lower()).newbyteorder("<")

    @property
    def channel_count(self) -> int:
        """Of every chunk."""
        return int(self.info.get("num_channels", 1))

    @property
    def is_raw(self) -> bool:
        """Whether chunks are voxels as they are, but for a compression suffix."""
        return bool(self.scale["encoding"] == "raw")

    @property
    def first_cell(self) -> Box:
        """A whole cell; those at the bounds may be smaller."""
        return Box.at(self.bounds.start, self.chunk_shape)

    def is_whole(self, box: Box) -> bool:
        """Whether a box cuts no chunk."""
        return aligned_outward(box, self.chunk_shape, self.grid_origin).intersection(self.bounds) == box

    def parts(self, box: Box) -> list[Part]:
        """The chunks that overlap a box."""
        return parts_of(box, self.bounds, self.chunk_shape, self.grid_origin)

    def stored_limit(self, cell: Box) -> int:
        """The most bytes that the file of a cell's chunk may have."""
        return size_limit(self._raw_bytes(cell))

    def limit(self, cell: Box) -> int:
        """The most bytes that the chunk of a cell may have without its suffix's compression: for voxels just theirs."""
        return self._raw_bytes(cell) if self.is_raw else size_limit(self._raw_bytes(cell))

    def _raw_bytes(self, cell: Box) -> int:
        return cell.voxel_count * self.dtype.itemsize * self.channel_count

    def undone(self, data: bytes, suffix: Suffix, cell: Box) -> bytes:
        """A chunk without its suffix's compression.

        Raises:
            ChunkCorrupt.
        """
        return undone(data, suffix, self.limit(cell), f"the stored chunk with the voxels {cell}")

    def is_bare(self, data: bytes, cell: Box) -> bool:
        """Whether bytes begin like a chunk without a suffix's compression, or of raw ones have its very size.

        A compressed_segmentation starts with where each channel starts, in uint32: the first one after those numbers
        (github.com/google/neuroglancer, src/sliceview/compressed_segmentation).
        """
        if self.is_raw:
            return len(data) == self._raw_bytes(cell)
        return data.startswith(_PICTURES.get(self.scale["encoding"], self.channel_count.to_bytes(4, "little")))

    def decoder(self, channels: list[int] | None, context: CallContext) -> Decode:
        """What decodes a chunk and puts its part into the part's voxels; for one thread.

        Args:
            channels: those wanted; None for all in order.
            context: the caller's patience.

        Raises:
            of the decoder, ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """
        if self.is_raw:
            wanted = range(self.channel_count) if channels is None else channels
            reader = RawReader(self.dtype, self.channel_count)
            return lambda data, part, target: reader.from_bytes(data, part, wanted, target)
        memory, view = self._memory_volume()

        def decode(data: bytes, part: Part, target: Voxels) -> None:
            name = f"{self.scale['key']}/{part.name}"
            memory[name] = data
            inside = part.inside
            (z, y, x) = (slice(a, b) for a, b in zip(inside.start.zyx, inside.stop.zyx, strict=True))
            try:
                fill(view[0, :, z, y, x], channels, target, context)
            except STORE_ERRORS as error:
                raise store_error(error, f"reading the stored chunk with the voxels {part}") from error
            del memory[name]

        return decode

    def _memory_volume(self) -> tuple[Any, View]:
        """An empty volume of the same description in memory: tensorstore decodes the chunks that are put into it."""
        context = ts.Context()
        memory = ts.KvStore.open({"driver": "memory"}, context=context).result()
        memory["info"] = json.dumps({**self.info, "scales": [self.scale]}).encode()
        spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "memory"}, "scale_index": 0}
        return memory, global_view(ts.open(spec, context=context).result(), "xyzc", self.bounds.start)
