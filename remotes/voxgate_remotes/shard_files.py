"""Where the shard files of a precomputed scale have its chunks, and what these say of their sizes.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md, as told in
`voxgate_remotes.precomputed_kept.shards`, which looks for one value at a time; chunks are looked for together.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY, open_chunk, opened_folder, too_large, unreadable
from voxgate_remotes.precomputed_kept.shards import Sharding, Stored

_ENTRY_BYTES, _ROW_BYTES = 16, 24
_MOST_EXPANSION = 1032
"""Of deflate: 258 bytes from 2 bits."""
_HARMLESS_BYTES = 2**26
_GZIP_WINDOW = 31


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The shards of one scale.

    Attributes:
        folder: where they are.
        sharding: how chunks are spread over them.
    """

    folder: Path
    sharding: Sharding

    def find(self, cells: Mapping[int, Box], most_chunks: int, context: CallContext) -> dict[int, Stored]:
        """Where those chunks are that there are, by key. Each index is read once.

        Args:
            cells: the voxels of each chunk that is looked for, by key.
            most_chunks: how many an index can list; of none, more than 64 MiB are read or decompressed.
            context: the caller's patience.

        Raises:
            ChunkCorrupt: when an index cannot be right, or leads out of its shard.
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        asked: dict[tuple[str, int], list[int]] = defaultdict(list)
        for key in cells:
            asked[self.sharding.place(key)].append(key)
        limit = index_limit(most_chunks)
        found: dict[int, Stored] = {}
        with opened_folder(self.folder) as folder:
            for (name, minishard), keys in asked.items():
                context.check()
                with _opened(folder, name, cells[keys[0]]) as shard:
                    if shard is not None:
                        rows = rows_of(self.sharding, self._index(shard, minishard, limit), name, keys)
                        for key, stored in rows.items():
                            shard.check(stored.start, stored.stop, cells[key])
                        found |= rows
        return found

    def check(self, stored: Stored, limit: int, where: object) -> None:
        """Make sure that a chunk has at most `limit` bytes, or at most 64 MiB decompressed.

        It is decompressed only where it could become more: by deflate nothing grows more than 1032 times.

        Raises:
            ChunkCorrupt: names `where`; StoreUnavailable.
        """
        size = stored.stop - stored.start
        if size > limit:
            raise too_large(where)
        if self.sharding.data_is_gzip and _MOST_EXPANSION * size > max(limit, _HARMLESS_BYTES):
            self.read(stored, limit, where)

    def read(self, stored: Stored, limit: int, where: object) -> bytes | None:
        """A chunk, decompressed, of at most `limit` bytes; None where its shard went away.

        Raises:
            ChunkCorrupt: names `where`; StoreUnavailable.
        """
        if stored.stop - stored.start > limit:
            raise too_large(where)
        with opened_folder(self.folder) as folder, _opened(folder, stored.name, where) as shard:
            data = None if shard is None else shard.part(stored.start, stored.stop)
        if data is None or not self.sharding.data_is_gzip:
            return data
        return gunzipped(data, limit, f"the stored chunk with the voxels {where}")

    def _index(self, shard: _Shard, minishard: int, limit: int) -> bytes:
        """The index of a minishard, decompressed; empty where there is none."""
        what = f"the index of the stored chunk with the voxels {shard.where}"
        place = index_place(self.sharding, shard.part(*entry_place(minishard)), limit, what)
        return b"" if place is None else index_of(self.sharding, shard.part(*place), limit, what)


def index_limit(most_chunks: int) -> int:
    """The most bytes that an index which can list so many chunks may have."""
    return min(size_limit(_ROW_BYTES * most_chunks), _HARMLESS_BYTES)


def entry_place(minishard: int) -> tuple[int, int]:
    """Where a shard says where the index of a minishard is: its first byte, and the one after the last."""
    return _ENTRY_BYTES * minishard, _ENTRY_BYTES * (minishard + 1)


def index_place(sharding: Sharding, entry: bytes, limit: int, what: str) -> tuple[int, int] | None:
    """Where a shard has an index: its first byte, and the one after the last; None where it has none.

    Raises:
        ChunkCorrupt: when it has more than `limit` bytes, or less than none; names `what` it is.
    """
    start, stop = (int(number) for number in np.frombuffer(entry, "<u8"))
    if start == stop:
        return None
    if not 0 < stop - start <= limit:
        raise ChunkCorrupt(f"{what} states that it has {stop - start} bytes", REMEDY)
    return sharding.index_bytes + start, sharding.index_bytes + stop


def index_of(sharding: Sharding, stored: bytes, limit: int, what: str) -> bytes:
    """An index, decompressed to at most `limit` bytes.

    Raises:
        ChunkCorrupt: names `what` it is.
    """
    index = gunzipped(stored, limit, what) if sharding.index_is_gzip else stored
    if len(index) % _ROW_BYTES:
        raise ChunkCorrupt(f"{what} has no whole number of rows", REMEDY)
    return index


def rows_of(sharding: Sharding, index: bytes, name: str, keys: Sequence[int]) -> dict[int, Stored]:
    """What the index of a minishard in the shard `name` says of chunks, by key."""
    ids, gaps, sizes = np.frombuffer(index, "<u8").reshape(3, -1)
    ids = np.cumsum(ids, dtype=np.uint64)
    # A start that wraps around 2**64 ends up far behind any file, which is noticed when it is read.
    stops = np.cumsum(gaps + sizes, dtype=np.uint64)
    (rows,) = np.nonzero(np.isin(ids, np.array(keys, np.uint64)))
    first = sharding.index_bytes
    return {
        int(ids[row]): Stored(name, first + int(stops[row]) - int(sizes[row]), first + int(stops[row]))
        for row in rows[::-1]  # the first of two rows counts
    }


@dataclass(frozen=True, slots=True)
class _Shard:
    """An open shard.

    Attributes:
        file: a descriptor.
        size: of the file.
        where: a chunk that is looked for in it, for messages.
    """

    file: int
    size: int
    where: object

    def check(self, start: int, stop: int, where: object) -> None:
        """Make sure that a shard has the bytes of a chunk.

        Raises:
            ChunkCorrupt.
        """
        if not 0 <= start <= stop <= self.size:
            raise ChunkCorrupt(f"a shard ends before the stored chunk with the voxels {where} does", REMEDY)

    def part(self, start: int, stop: int) -> bytes:
        """Bytes of the shard.

        Raises:
            ChunkCorrupt; OSError: whatever the system says.
        """
        self.check(start, stop, self.where)
        data = os.pread(self.file, stop - start, start)
        self.check(start, stop if len(data) == stop - start else -1, self.where)
        return data


@contextlib.contextmanager
def _opened(folder: int | None, name: str, where: object) -> Iterator[_Shard | None]:
    """A shard, closed in the end; None where there is none.

    Raises:
        StoreUnavailable.
    """
    file = open_chunk(folder, name, where)
    if file is None:
        yield None
        return
    try:
        yield _Shard(file, os.fstat(file).st_size, where)
    except OSError as error:
        raise unreadable(f"the shard of the chunk {where}", error) from None
    finally:
        os.close(file)


def gunzipped(data: bytes, limit: int, what: str) -> bytes:
    """What was compressed with gzip, of at most `limit` bytes.

    Raises:
        ChunkCorrupt.
    """
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        found = stream.decompress(data, limit + 1)
    except zlib.error:
        raise ChunkCorrupt(f"{what} is not valid gzip", REMEDY) from None
    if len(found) > limit:
        raise ChunkCorrupt(f"{what} becomes larger than any encoding makes it", REMEDY)
    if not stream.eof:
        raise ChunkCorrupt(f"{what} is cut short", REMEDY)
    return found
