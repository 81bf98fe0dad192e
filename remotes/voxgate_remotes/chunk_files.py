"""The chunks of an unsharded precomputed scale as files: which are there, and those that carry a compression suffix.

cloud-volume stores the chunk NAME as `NAME.gz` when it writes to file:// with its default compression; tensorstore
looks for NAME only and would answer the fill value, so every read looks for suffixes first. Where both are there,
cloud-volume takes the one whose suffix it saw last (cloud-files, interfaces.py, EXT_TEST_SEQUENCE) and tensorstore
the plain one: readers disagree, so that is an error.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import (
    ByteCodec,
    CallContext,
    EncodedChunk,
    Encoding,
    Voxels,
)
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY, has_file, open_chunk, opened_folder, read_whole, unreadable
from voxgate_remotes.parallel import share
from voxgate_remotes.raw_chunks import Part, RawReader, parts_of
from voxgate_remotes.tensorstores import STORE_ERRORS, View, fill, global_view, store_error

_UNREADABLE_SUFFIXES = (".br", ".zstd", ".xz", ".bz2")
_SAMPLED_FILES = 64
_DECODERS = 4
_COPIERS = 2
_WORTH_A_THREAD_BYTES = 2**23


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
        looks_compressed: whether some files carried a compression suffix when the volume was opened.
    """

    folder: Path
    info: dict[str, Any]
    scale: dict[str, Any]
    bounds: Box
    chunk_shape: Vec3
    grid_origin: Vec3
    looks_compressed: bool

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

    def any_in(self, box: Box) -> bool:
        """Whether a stored chunk overlaps `box`."""
        with opened_folder(self.folder) as folder:
            return any(
                has_file(folder, name) or has_file(folder, f"{name}.gz") or _has_unreadable(folder, name)
                for name in (part.name for part in self._parts(box))
            )

    def compressed_in(self, box: Box) -> bool:
        """Whether a chunk that overlaps `box` is stored as `NAME.gz`.

        Raises:
            UnsupportedFormat: when one is stored with a suffix that cannot be read, and not otherwise.
        """
        found = False
        with opened_folder(self.folder) as folder:
            for name in (part.name for part in self._parts(box)):
                if has_file(folder, f"{name}.gz"):
                    found = True
                elif not has_file(folder, name):
                    _refuse_suffix(_has_unreadable(folder, name))
        return found

    def fill(self, box: Box, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` into `out` chunk by chunk, with or without suffix; `channels` None means all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """

        def worker() -> Callable[[Part], None]:
            copy = self._copier(channels, context)

            def work(part: Part) -> None:
                context.check()
                target = part.of(out, box)
                found = self._find(folder, part.name, part)
                if found is None:
                    target[...] = 0
                    return
                try:
                    copy(*found, part, target)
                except OSError as error:
                    raise unreadable(f"the chunk {part}", error) from None
                finally:
                    os.close(found[0])

            return work

        parts = self._parts(box)
        with opened_folder(self.folder) as folder:
            share(parts, worker, min(len(parts), self._threads(out.nbytes)))

    def read_encoded(self, cells: Sequence[Box], encoding: Encoding, context: CallContext) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells as they are, in order; None where one is absent.

        One after the other: where files are in the page cache, threads cost more than they gain (measured).

        Args:
            cells: whole cells, clipped to the bounds.
            encoding: of a chunk without a compression suffix.
            context: the caller's patience.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """
        with opened_folder(self.folder) as folder:
            return [self._encoded(folder, cell, encoding, context) for cell in cells]

    def _encoded(self, folder: int | None, cell: Box, encoding: Encoding, context: CallContext) -> EncodedChunk | None:
        context.check()
        found = self._find(folder, chunk_name(cell), cell)
        if found is None:
            return None
        file, codec = found
        try:
            data = read_whole(file, self._limit(cell), cell)
        except OSError as error:
            raise unreadable(f"the chunk {cell}", error) from None
        finally:
            os.close(file)
        return EncodedChunk(data, replace(encoding, bytes=codec), cell)

    def _find(self, folder: int | None, name: str, where: object) -> tuple[int, ByteCodec] | None:
        """A chunk's file, opened for the caller to close, and what it is compressed with; None where it is absent.

        Args:
            folder: as `opened_folder` answered.
            name: the chunk's, without suffix.
            where: the chunk's voxels, for messages.

        Raises:
            ChunkCorrupt: when it is there twice.
            UnsupportedFormat: when it is there with a suffix that cannot be read.
            StoreUnavailable: when it cannot be opened.
        """
        file = open_chunk(folder, name, where)
        if file is None:
            file = open_chunk(folder, f"{name}.gz", where)
            if file is None:
                _refuse_suffix(_has_unreadable(folder, name))
                return None
            return file, ByteCodec.GZIP
        if has_file(folder, f"{name}.gz"):
            os.close(file)
            raise ChunkCorrupt(
                f"the stored chunk with the voxels {where} is there twice, with and without .gz",
                "remove the older file",
            )
        return file, ByteCodec.NONE

    def _threads(self, size: int) -> int:
        """How many threads pay for a read of `size` bytes: copying is bound by memory, decoding is not."""
        if self.looks_compressed or not self.is_raw:
            return _DECODERS
        return _COPIERS if size >= _WORTH_A_THREAD_BYTES else 1

    def _copier(
        self, channels: list[int] | None, context: CallContext
    ) -> Callable[[int, ByteCodec, Part, Voxels], None]:
        """What puts the part of a chunk that lies in (file, compression) into the part's voxels; for one thread."""
        wanted = range(self.channel_count) if channels is None else channels
        reader = RawReader(self.dtype, self.channel_count)
        decode = None if self.is_raw else self._decoder(channels, context)

        def copy(file: int, codec: ByteCodec, part: Part, target: Voxels) -> None:
            if decode is None and codec is ByteCodec.NONE:
                reader.from_file(file, part, wanted, target)
                return
            data = read_whole(file, self._limit(part.cell), part)
            if codec is ByteCodec.GZIP:
                data = _gunzip(data, self._limit(part.cell), part)
            if decode is None:
                reader.from_bytes(data, part, wanted, target)
            else:
                decode(data, part, target)

        return copy

    def _decoder(self, channels: list[int] | None, context: CallContext) -> Callable[[bytes, Part, Voxels], None]:
        """What decodes a chunk of another encoding than raw into its part's voxels; for one thread."""
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

    def _limit(self, cell: Box) -> int:
        """The most bytes that the chunk of a cell may have, encoded or decoded."""
        return size_limit(cell.voxel_count * self.dtype.itemsize * self.channel_count)

    def _parts(self, box: Box) -> list[Part]:
        return parts_of(box, self.bounds, self.chunk_shape, self.grid_origin)


def looks_compressed(folder: Path) -> bool:
    """Whether some of the first files of a scale's folder carry a suffix.

    Raises:
        UnsupportedFormat: for a suffix that cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_SAMPLED_FILES), strict=False)]
    except OSError:
        return False
    for name in names:
        _refuse_suffix(name)
    return any(name.endswith(".gz") for name in names)


def chunk_name(cell: Box) -> str:
    """The name of a cell's file."""
    return "_".join(f"{a}-{b}" for a, b in zip(cell.start, cell.stop, strict=True))


def _gunzip(data: bytes, limit: int, where: object) -> bytes:
    """Decompress gzip members of together at most `limit` bytes.

    Raises:
        ChunkCorrupt: for truncated or larger data, and what is not gzip or fails its checksum.
    """
    found = b""
    corrupt = ChunkCorrupt(f"the stored chunk with the voxels {where} is not valid gzip", REMEDY)
    while data or not found:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data, limit + 1 - len(found))
        except zlib.error:
            raise corrupt from None
        if not member.eof:
            raise corrupt
        found = found + part if found else part
        data = member.unused_data.lstrip(b"\0")
    return found


def _has_unreadable(folder: int | None, name: str) -> str:
    """The name of a file that holds the chunk under a suffix that cannot be read; empty where there is none."""
    return next((f"{name}{suffix}" for suffix in _UNREADABLE_SUFFIXES if has_file(folder, f"{name}{suffix}")), "")


def _refuse_suffix(name: str) -> None:
    for suffix in _UNREADABLE_SUFFIXES:
        if name.endswith(suffix):
            raise UnsupportedFormat(f"chunks stored as files with the suffix {suffix} are not supported", "use gzip")
