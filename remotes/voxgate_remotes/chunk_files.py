"""The chunks of a precomputed scale as files: which are there, and those that carry a compression suffix.

cloud-volume stores the chunk NAME as `NAME.gz` when it writes to file:// with its default compression; tensorstore
looks for NAME only and would answer the fill value, so every read looks for suffixes first. Where both are there,
cloud-volume takes the one whose suffix it saw last (cloud-files, interfaces.py, EXT_TEST_SEQUENCE) and tensorstore
the plain one: readers disagree, so that is an error.
"""

from __future__ import annotations

import itertools
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.tensorstores import STORE_ERRORS, View, fill, global_view, store_error

_UNREADABLE_SUFFIXES = (".br", ".zstd", ".xz", ".bz2")
_SAMPLED_FILES = 64
_READERS = 4
_REMEDY = "restore it from its source"
_DECODED_SLACK = 2
"""How much larger than its raw voxels an encoded chunk may be; a gzip bomb is larger."""


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """The files of one unsharded scale.

    Attributes:
        folder: where they are.
        info: the volume's `info`.
        scale: the scale's entry of `info["scales"]`.
        bounds: the scale's voxels.
        chunk_shape: the grid's cell.
        grid_origin: where the grid starts.
    """

    folder: Path
    info: dict[str, Any]
    scale: dict[str, Any]
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3

    @property
    def looks_compressed(self) -> bool:
        """Whether some of the first files carry a suffix.

        Raises:
            UnsupportedFormat: for a suffix that cannot be read.
        """
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry, _ in zip(entries, range(_SAMPLED_FILES), strict=False)]
        except OSError:
            return False
        for name in names:
            _refuse_suffix(name)
        return any(name.endswith(".gz") for name in names)

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`."""
        return any(
            os.path.lexists(path) or os.path.lexists(f"{path}.gz") or _has_unreadable(path)
            for path in map(self._path, self._cells(box))
        )

    def compressed_in(self, box: Box) -> bool:
        """Whether a chunk that overlaps `box` is stored as `NAME.gz`.

        Raises:
            UnsupportedFormat: when one is stored with a suffix that cannot be read, and not otherwise.
        """
        found = False
        for path in map(self._path, self._cells(box)):
            if os.path.lexists(f"{path}.gz"):
                found = True
            elif not os.path.lexists(path) and (suffix := _has_unreadable(path)):
                _refuse_suffix(suffix)
        return found

    def fill(self, box: Box, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` into `out` chunk by chunk, with or without suffix; `channels` None means all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        decode = self._decoder(channels, context)
        with ThreadPoolExecutor(_READERS, "voxgate-gzip") as readers:  # zlib works outside of the interpreter's lock
            for cell, data in _in_order(readers, self._bytes, self._cells(box)):
                context.check()
                part = cell.intersection(box)
                target = out[:, *part.slices_zyx(box.start)]
                target[...] = 0 if data is None else decode(cell, part, data)

    def _decoder(self, channels: list[int] | None, context: CallContext) -> Callable[[Box, Box, bytes], Voxels]:
        """What turns (chunk, part of it, encoded bytes) into the part's voxels, shape (c, z, y, x)."""
        dtype = np.dtype(self.info["data_type"].lower()).newbyteorder("<")
        channel_count = int(self.info.get("num_channels", 1))

        def raw(cell: Box, part: Box, data: bytes) -> Voxels:
            if len(data) != channel_count * cell.voxel_count * dtype.itemsize:
                raise ChunkCorrupt(f"the stored chunk with the voxels {cell} has a wrong size", _REMEDY)
            voxels = np.frombuffer(data, dtype).reshape(channel_count, *cell.shape.zyx)
            chosen = voxels if channels is None else voxels[channels]
            return chosen[:, *part.slices_zyx(cell.start)]

        if self.scale["encoding"] == "raw":
            return raw
        memory, view = self._memory_volume()

        def encoded(cell: Box, part: Box, data: bytes) -> Voxels:
            name = f"{self.scale['key']}/{_name(cell)}"
            memory[name] = data
            (z, y, x) = (slice(a, b) for a, b in zip(part.start.zyx, part.stop.zyx, strict=True))
            voxels = np.empty((len(channels or range(channel_count)), *part.shape.zyx), dtype)
            try:
                fill(view[0, :, z, y, x], channels, voxels, context)
            except STORE_ERRORS as error:
                raise store_error(error, f"reading the stored chunk with the voxels {cell}") from error
            del memory[name]
            return voxels

        return encoded

    def _memory_volume(self) -> tuple[Any, View]:
        """An empty volume of the same description in memory: tensorstore decodes the chunks that are put into it."""
        context = ts.Context()
        memory = ts.KvStore.open({"driver": "memory"}, context=context).result()
        memory["info"] = json.dumps({**self.info, "scales": [self.scale]}).encode()
        spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "memory"}, "scale_index": 0}
        return memory, global_view(ts.open(spec, context=context).result(), "xyzc", self.bounds.start)

    def _bytes(self, cell: Box) -> bytes | None:
        """The encoded chunk, without its gzip; None where it is absent."""
        path = self._path(cell)
        itemsize = np.dtype(self.info["data_type"].lower()).itemsize
        limit = _DECODED_SLACK * cell.voxel_count * itemsize * int(self.info.get("num_channels", 1)) + 65536
        plain, compressed = os.path.lexists(path), os.path.lexists(f"{path}.gz")
        if plain and compressed:
            raise ChunkCorrupt(
                f"the stored chunk with the voxels {cell} is there twice, with and without .gz", "remove the older file"
            )
        if not plain and not compressed:
            return None
        try:
            data = Path(path if plain else f"{path}.gz").read_bytes()
            return data if plain else _gunzip(data, limit)
        except (EOFError, zlib.error):
            raise ChunkCorrupt(f"the stored chunk with the voxels {cell} is not valid gzip", _REMEDY) from None
        except OSError as error:
            raise StoreUnavailable(f"the chunk {cell} cannot be read: {error.strerror}", "look at its host") from None

    def _cells(self, box: Box) -> list[Box]:
        """The whole stored chunks that overlap `box`, clipped to the bounds as their files are."""
        whole = aligned_outward(box, self.chunk_shape, self.grid_origin).intersection(self.bounds)
        return list(grid_cells(whole, self.chunk_shape, self.grid_origin))

    def _path(self, cell: Box) -> str:
        return f"{self.folder}/{_name(cell)}"


@dataclass(frozen=True, slots=True)
class ShardedChunks:
    """The chunks of one sharded scale; `sharding` is its entry of `info`, the rest as in ChunkFiles."""

    folder: Path
    sharding: dict[str, Any]
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3

    @property
    def looks_compressed(self) -> bool:
        """Whether chunks are compressed inside of their shards."""
        return self.sharding.get("data_encoding") == "gzip"

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`: each is looked up in its shard's index."""
        base = {"driver": "file", "path": f"{self.folder}/"}
        spec = {"driver": "neuroglancer_uint64_sharded", "metadata": self.sharding, "base": base}
        shards = ts.KvStore.open(spec).result()
        for cell in grid_cells(box, self.chunk_shape, self.grid_origin):
            index = [(a - o) // c for a, o, c in zip(cell.start, self.grid_origin, self.chunk_shape, strict=True)]
            key = self._morton(Vec3(*index)).to_bytes(8, "big")
            if shards.read(key).result().state != "missing":
                return True
        return False

    def _morton(self, cell: Vec3) -> int:
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


def _name(cell: Box) -> str:
    return "_".join(f"{a}-{b}" for a, b in zip(cell.start, cell.stop, strict=True))


def _gunzip(data: bytes, limit: int) -> bytes:
    """Decompress gzip members of together at most `limit` bytes.

    Raises:
        EOFError: for truncated or larger data.
        zlib.error: for what is not gzip, or fails its checksum.
    """
    found = b""
    while data or not found:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(data, limit + 1 - len(found))
        if not member.eof:
            raise EOFError
        found = found + part if found else part
        data = member.unused_data.lstrip(b"\0")
    return found


def _in_order(
    pool: ThreadPoolExecutor, read: Callable[[Box], bytes | None], cells: list[Box]
) -> Iterator[tuple[Box, bytes | None]]:
    """Each cell with its bytes, in order, a few read ahead."""
    ahead: deque[Future[bytes | None]] = deque()
    upcoming = iter(cells)
    try:
        for cell in cells:
            ahead.extend(pool.submit(read, one) for one in itertools.islice(upcoming, 2 * _READERS - len(ahead)))
            yield cell, ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()


def _has_unreadable(path: str) -> str:
    """The name of a file that holds the chunk under a suffix that cannot be read; empty where there is none."""
    return next((f"{path}{suffix}" for suffix in _UNREADABLE_SUFFIXES if os.path.lexists(f"{path}{suffix}")), "")


def _refuse_suffix(name: str) -> None:
    for suffix in _UNREADABLE_SUFFIXES:
        if name.endswith(suffix):
            raise UnsupportedFormat(f"chunks stored as files with the suffix {suffix} are not supported", "use gzip")
