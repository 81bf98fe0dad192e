"""The stored chunks of a Zarr array as they are, where their bytes are in the contract's order.

Formats: zarr-specs.readthedocs.io (v2, v3, sharding_indexed). A chunk's file holds a whole cell of the grid, also at
the edges. Its voxels can be passed on where x is fastest, then y, z, channel, and where one file has all channels of
one time; inner chunks of shards come through tensorstore's kvstore, which reads and checks the shard's index.
"""

from __future__ import annotations

import math
import os
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box
from voxgate.model.volumes import (
    ByteCodec,
    CallContext,
    EncodedChunk,
    Encoding,
    Scale,
)
from voxgate_remotes.chunk_bounds import ChunkBounds, Coded, Sharded, content_of_codecs
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY, open_chunk, opened_folder, read_whole, unreadable
from voxgate_remotes.grid import cell_index, whole_cell
from voxgate_remotes.tensorstores import STORE_ERRORS, store_error, wait

_BYTE_CODECS = {"gzip": ByteCodec.GZIP, "zstd": ByteCodec.ZSTD, "blosc": ByteCodec.BLOSC}

Extents = dict[str, int]
"""A number by axis, letters of t c z y x."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array is cut into files, and what is in one; from its metadata.

    Attributes:
        axes: the array's axes in its own order.
        fastest_last: the axes in the order of the bytes, slowest first.
        stored: the extents of what is decoded at once.
        files: the extents of what is in one file: a shard, else the same.
        prefix: what file names start with.
        separator: between the numbers of a name.
        encoding: how chunks are kept; None where our words cannot say it.
        sharding: the configuration of the sharding codec; None without shards.
        content: of a file, as far as its size goes.
    """

    axes: str
    fastest_last: str
    stored: Extents
    files: Extents
    prefix: str
    separator: str
    encoding: Encoding | None
    sharding: dict[str, Any] | None
    content: Coded | Sharded

    @property
    def in_our_order(self) -> bool:
        """Whether x is fastest, then y, z."""
        return self.fastest_last.lstrip("tc") in ("zyx", "yx")

    def name(self, index: Extents) -> str:
        """The file of a grid position."""
        return self.prefix + self.separator.join(str(index[axis]) for axis in self.axes)

    def can_be_passed(self, channel_count: int) -> bool:
        """Whether a chunk's bytes are one time's voxels of all channels, x fastest, then y, z, channel."""
        whole = self.stored.get("t", 1) == 1 and self.stored.get("c", 1) == channel_count
        return self.encoding is not None and self.in_our_order and whole


def layout_of(document: dict[str, Any], version: int, axes: str, voxel_bytes: int) -> Layout:
    """The layout of an array that tensorstore could open.

    Args:
        document: its `.zarray` or `zarr.json`.
        version: 2 or 3.
        axes: its axes in its own order.
        voxel_bytes: of one voxel of one channel.

    Raises:
        UnsupportedFormat: for codecs whose chunks could become of any size.
    """
    return _of_v2(document, axes, voxel_bytes) if version == 2 else _of_v3(document, axes, voxel_bytes)


def _of_v2(document: dict[str, Any], axes: str, voxel_bytes: int) -> Layout:
    compressor = document.get("compressor")
    plain = not document.get("filters") and document["dtype"][0] in "<|"
    extents = dict(zip(axes, document["chunks"], strict=True))
    raw_bytes = math.prod(extents.values()) * voxel_bytes
    return Layout(
        axes=axes,
        fastest_last=axes if document.get("order") == "C" else axes[::-1],
        stored=extents,
        files=extents,
        prefix="",
        separator=document.get("dimension_separator", "."),
        encoding=_encoding([compressor["id"]] if compressor else []) if plain else None,
        sharding=None,
        content=Coded(extents, raw_bytes, blosc=(compressor or {}).get("id") == "blosc"),
    )


def _of_v3(document: dict[str, Any], axes: str, voxel_bytes: int) -> Layout:
    files = dict(zip(axes, document["chunk_grid"]["configuration"]["chunk_shape"], strict=True))
    codecs = [named(codec) for codec in document["codecs"]]
    sharding = codecs[0]["configuration"] if codecs[0]["name"] == "sharding_indexed" else None
    outside = codecs[1:] if sharding else []
    stored = dict(zip(axes, sharding["chunk_shape"], strict=True)) if sharding else files
    first, *rest = [named(codec) for codec in sharding["codecs"]] if sharding else codecs
    little = voxel_bytes == 1 or first.get("configuration", {}).get("endian") == "little"
    plain = first["name"] == "bytes" and little and not outside
    keys = named(document.get("chunk_key_encoding", "default"))
    default = keys["name"] == "default"
    separator = keys.get("configuration", {}).get("separator", "/" if default else ".")
    return Layout(
        axes=axes,
        fastest_last=axes,
        stored=stored,
        files=files,
        prefix=f"c{separator}" if default else "",
        separator=separator,
        encoding=_encoding([codec["name"] for codec in rest]) if plain else None,
        sharding=sharding,
        content=content_of_codecs(codecs, axes, files, voxel_bytes),
    )


def named(extension: str | dict[str, Any]) -> dict[str, Any]:
    """A codec or the like, which v3 lets be its bare name."""
    return {"name": extension} if isinstance(extension, str) else extension


def bounds_of_files(folder: Path, layout: Layout, level: Scale, channel_count: int) -> ChunkBounds:
    """What an array's files may be, by its layout."""
    return ChunkBounds(
        folder=folder,
        axes=layout.axes,
        prefix=layout.prefix,
        separator=layout.separator,
        content=layout.content,
        start=level.bounds.start,
        channel_count=channel_count,
    )


def _encoding(names: list[str]) -> Encoding | None:
    """C-order voxels behind at most one codec of bytes that we have a word for."""
    if not names:
        return Encoding()
    return Encoding(bytes=_BYTE_CODECS[names[0]]) if len(names) == 1 and names[0] in _BYTE_CODECS else None


@dataclass(frozen=True, slots=True)
class ZarrChunks:
    """The stored chunks of one array.

    Attributes:
        folder: the array's.
        layout: how it is cut.
        level: the scale it is.
        voxel_bytes: of one voxel, all channels.
        encodings: what chunks come in; empty where they cannot be passed on.
        context: a ts.Context, for shards.
        bounds: of the array's files.
    """

    folder: Path
    layout: Layout
    level: Scale
    voxel_bytes: int
    encodings: tuple[Encoding, ...]
    context: Any
    bounds: ChunkBounds

    def read_encoded(self, cells: Sequence[Box], time: int, context: CallContext) -> list[EncodedChunk | None]:
        """The chunks of grid cells in order, at a time; see `voxgate.model.volumes.EncodedChunks.read_encoded`."""
        if self.layout.sharding is not None:
            return self._from_shards(cells, time, context)
        with opened_folder(self.folder) as folder:
            return [self._from_file(folder, cell, time, context) for cell in cells]

    def _from_file(self, folder: int | None, cell: Box, time: int, context: CallContext) -> EncodedChunk | None:
        context.check()
        file = open_chunk(folder, self.layout.name(self._index(cell, time)), cell)
        if file is None:
            return None
        try:
            data = read_whole(file, self._limit, cell)
        except OSError as error:
            raise unreadable(f"the chunk {cell}", error) from None
        finally:
            os.close(file)
        return self._chunk(cell, data)

    def _from_shards(self, cells: Sequence[Box], time: int, context: CallContext) -> list[EncodedChunk | None]:
        by_shard: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        ratio = {axis: self.layout.files[axis] // self.layout.stored[axis] for axis in self.layout.axes}
        for position, cell in enumerate(cells):
            index = self._index(cell, time)
            shard = {axis: index[axis] // ratio[axis] for axis in index}
            inside = [index[axis] % ratio[axis] for axis in self.layout.axes]
            by_shard[self.layout.name(shard)].append((position, struct.pack(f">{len(inside)}I", *inside)))
        for cell in cells:
            self.bounds.check(cell, time, context)
        together = ts.Batch()  # each index is read once for all chunks that it lists
        futures: dict[int, Any] = {}
        try:
            for name, asked in by_shard.items():
                shard_store = self._opened_shard(name, list(ratio.values()))
                futures |= {position: shard_store.read(key, batch=together) for position, key in asked}
        except STORE_ERRORS as error:
            raise store_error(error, "opening the shards") from error
        finally:
            together.submit()
        return [self._awaited(cell, futures[position], context) for position, cell in enumerate(cells)]

    def _opened_shard(self, name: str, grid_shape: list[int]) -> Any:
        """A ts.KvStore of the inner chunks of one shard, by the big-endian uint32 numbers of their place in it."""
        sharding = self.layout.sharding or {}
        spec = {
            "driver": "zarr3_sharding_indexed",
            "base": {"driver": "file", "path": f"{self.folder}/{name}"},
            "grid_shape": grid_shape,
            "index_codecs": sharding["index_codecs"],
            "index_location": sharding.get("index_location", "end"),
        }
        return ts.KvStore.open(spec, context=self.context).result()

    def _awaited(self, cell: Box, future: Any, context: CallContext) -> EncodedChunk | None:
        try:
            found = wait(future, context)
        except STORE_ERRORS as error:
            raise store_error(error, f"reading the stored chunk with the voxels {cell}") from error
        if found.state == "missing":
            return None
        if len(found.value) > self._limit:
            raise ChunkCorrupt(f"the stored chunk with the voxels {cell} is larger than its voxels", REMEDY)
        return self._chunk(cell, found.value)

    def _index(self, cell: Box, time: int) -> Extents:
        """The grid position of a chunk; the one chunk of all channels is the first along them."""
        place = cell_index(self.level, cell)
        numbers = {"t": time, "c": 0, "z": place.z, "y": place.y, "x": place.x}
        return {axis: numbers[axis] for axis in self.layout.axes}

    def _chunk(self, cell: Box, data: bytes) -> EncodedChunk:
        return EncodedChunk(data, self.encodings[0], whole_cell(self.level, cell_index(self.level, cell)))

    @property
    def _limit(self) -> int:
        return size_limit(self.level.stored_chunk_shape.product * self.voxel_bytes)
