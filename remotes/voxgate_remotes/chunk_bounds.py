"""What a stored chunk says of its size, looked at before tensorstore decodes it: of files of this machine, in place.

Tensorstore decodes gzip, zlib, bzip2, xz and zstd bit by bit and stops at the size that the metadata declares (measured
with release 0.1.86: 4 MiB at most for chunks of 256 KiB that decode to 1 GiB). Three things it believes: the size in a
blosc header, for which it makes room at once (58 kB cost 1 GiB), the size of a file, and the sizes in a shard's index.
So these are compared with the metadata first. What is decoded and what is read of one chunk is then at most
`encoded.size_limit` of its voxels, twice their bytes and 64 KiB; a shard, which may be read whole, twice that.

What is far away is looked at by `fetched_chunks`, with the same rules, once it is here.

A file that is replaced between this look and tensorstore's is not seen.

Formats: github.com/Blosc/c-blosc, README_CHUNK_FORMAT.rst (16 bytes; uint32 at 4: decoded bytes, little-endian);
zarr-specs.readthedocs.io, sharding_indexed (uint64 pairs, offset and size, 2**64 - 1 twice for an absent chunk);
github.com/saalfeldlab/n5 (uint16 mode and rank, uint32 for each axis, in mode 1 one more; big-endian).
"""

from __future__ import annotations

import itertools
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import REMEDY, open_chunk, opened_folder, unreadable

_SHARD_SLACK = 2
_BLOSC_SIZE_AT = 4
_ABSENT = 2**64 - 1
_CHECKSUM = "crc32c"
_CHECKSUM_BYTES = 4

Ranges = Mapping[str, tuple[int, int]]
"""First voxel and the one after the last by axis, letters of t c z y x, from where an array, shard or chunk starts."""


class Span(NamedTuple):
    """What of one cell of a grid is asked for, along one axis; a tuple, because there are many.

    Attributes:
        at: the cell's place in the grid.
        text: the same, as file names have it.
        low: the first voxel that is asked for, from the cell's own start.
        high: the voxel after the last one.
    """

    at: int
    text: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Coded:
    """What is decoded at once.

    Attributes:
        extents: its voxels, by axis.
        raw_bytes: of its voxels.
        blosc: whether blosc was the last to encode it.
        n5: whether it has N5's header.
        limit: the most bytes that may be stored of it, and that it may say it decodes to.
        size_at: where blosc says how many these are, unless N5's header has its longer form.
    """

    extents: Mapping[str, int]
    raw_bytes: int
    blosc: bool = False
    n5: bool = False
    limit: int = field(init=False)
    size_at: int = field(init=False)

    def __post_init__(self) -> None:
        """Compute what every look needs."""
        object.__setattr__(self, "limit", size_limit(self.raw_bytes))
        object.__setattr__(self, "size_at", _BLOSC_SIZE_AT + (4 + 4 * len(self.extents) if self.n5 else 0))


@dataclass(frozen=True, slots=True)
class Sharded:
    """What holds chunks and an index of them.

    Attributes:
        extents: its voxels, by axis.
        axes: in the order of the index, slowest first.
        inner: each of its chunks.
        index_first: whether the index is at the start.
        byte_order: of the index's numbers, "<" or ">".
        checksum_bytes: after the index.
    """

    extents: Mapping[str, int]
    axes: str
    inner: Coded | Sharded
    index_first: bool
    byte_order: str
    checksum_bytes: int

    @property
    def counts(self) -> list[int]:
        """How many chunks along each axis."""
        return [self.extents[axis] // self.inner.extents[axis] for axis in self.axes]

    @property
    def index_bytes(self) -> int:
        """The size of the index."""
        return 16 * math.prod(self.counts) + self.checksum_bytes

    @property
    def limit(self) -> int:
        """The most bytes that may be stored of it. Some writers leave what they replace in place, so it is more."""
        return _SHARD_SLACK * math.prod(self.counts) * self.inner.limit + self.index_bytes


@dataclass(frozen=True, slots=True)
class ChunkBounds:
    """The files of one array, compared with what its metadata declares; satisfies tensorstores.Bounds.

    Attributes:
        folder: the array's.
        axes: in the order of file names.
        prefix: what file names start with.
        separator: between the numbers of a name.
        content: of a file.
        start: global coordinates of the first voxel.
        channel_count: of the array.
    """

    folder: Path
    axes: str
    prefix: str
    separator: str
    content: Coded | Sharded
    start: Vec3
    channel_count: int

    def check(self, box: Box, time: int, context: CallContext) -> None:
        """Look at every stored chunk that a read of `box` would decode.

        Raises:
            ChunkCorrupt: names the chunk that is, or would become, larger than its voxels.
            StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        spatial = zip("xyz", zip(box.start - self.start, box.stop - self.start, strict=True), strict=True)
        asked: Ranges = {"t": (time, time + 1), "c": (0, self.channel_count), **dict(spatial)}
        with opened_folder(self.folder) as folder:
            if folder is None:
                return
            for cell in cells_of(asked, self.axes, self.content.extents):
                context.check()
                place = _Place(self, self.axes, cell, self.content.extents)
                file = open_chunk(folder, self.prefix + self.separator.join([span.text for span in cell]), place)
                if file is None:
                    continue
                try:
                    if not _is_harmless(file, self.content):
                        _check(file, (0, _size(file, place)), self.content, place)
                except OSError as error:
                    raise unreadable(f"the chunk {place}", error) from None
                finally:
                    os.close(file)


def _is_harmless(file: int, content: Coded | Sharded) -> bool:
    """A first look with as few calls as can be: of many chunks, nearly all pass. False where a second is needed."""
    if isinstance(content, Sharded) or os.lseek(file, 0, os.SEEK_END) > content.limit:
        return False
    if not content.blosc:
        return True
    head = os.pread(file, content.size_at + 4, 0)
    is_usual = not content.n5 or head[:2] == b"\0\0"
    return is_usual and int.from_bytes(head[content.size_at :], "little") <= content.limit


def _size(file: int, place: object) -> int:
    """The size of a file.

    Raises:
        StoreUnavailable: for a folder, whose size means nothing.
    """
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailable(f"the chunk {place} is no regular file", "look at its host")
    return found.st_size


class _Place(NamedTuple):
    """Which chunk is looked at; made text only for a message.

    Attributes:
        bounds: of its array.
        axes: of its grid.
        cell: of that grid, with what is asked for.
        extents: of a cell.
        outer: the shard that the grid is in.
    """

    bounds: ChunkBounds
    axes: str
    cell: tuple[Span, ...]
    extents: Mapping[str, int]
    outer: _Place | None = None

    @property
    def asked(self) -> Ranges:
        """What is asked for, from the chunk's own start."""
        return {axis: (span.low, span.high) for axis, span in zip(self.axes, self.cell, strict=True)}

    def first(self, axis: str) -> int:
        """The chunk's first voxel, in the array."""
        outside = 0 if self.outer is None else self.outer.first(axis)
        at = self.axes.find(axis)
        return outside + (0 if at < 0 else self.cell[at].at * self.extents[axis])

    def __str__(self) -> str:
        shape = Vec3(*(self.extents.get(axis, 1) for axis in "xyz"))
        return str(Box.at(Vec3(*map(self.first, "xyz")) + self.bounds.start, shape))


def cells_of(asked: Ranges, axes: str, extents: Mapping[str, int]) -> Iterator[tuple[Span, ...]]:
    """The cells of a grid that overlap ranges."""
    spans = []
    for axis in axes:
        (low, high), size = asked[axis], extents[axis]
        cells = range(low // size, -(-high // size))
        spans.append([Span(at, str(at), max(low - at * size, 0), min(high - at * size, size)) for at in cells])
    return itertools.product(*spans)


def _check(file: int, region: tuple[int, int], content: Coded | Sharded, place: _Place) -> None:
    """Compare what is stored in a region of a file, as (start, bytes), with what it is to hold."""
    start, size = region
    if size > content.limit:
        raise ChunkCorrupt(f"the stored chunk with the voxels {place} is larger than any encoding makes it", REMEDY)
    if isinstance(content, Sharded):
        _check_shard(file, region, content, place)
    elif content.blosc:
        _check_blosc(file, start, content, place)


def _check_shard(file: int, region: tuple[int, int], shard: Sharded, place: _Place) -> None:
    start, size = region
    if size < shard.index_bytes:
        return  # who reads it says what is wrong with it
    index = os.pread(file, shard.index_bytes, start if shard.index_first else start + size - shard.index_bytes)
    pairs, counts, content = struct.Struct(f"{shard.byte_order}QQ"), shard.counts, shard.inner
    for cell in cells_of(place.asked, shard.axes, content.extents):
        number = 0
        for span, count in zip(cell, counts, strict=True):
            number = number * count + span.at
        offset, length = pairs.unpack_from(index, pairs.size * number)
        if offset == length == _ABSENT:
            continue
        inner = _Place(place.bounds, shard.axes, cell, content.extents, place)
        if offset + length > size:
            raise ChunkCorrupt(f"a shard ends before the stored chunk with the voxels {inner} does", REMEDY)
        _check(file, (start + offset, length), content, inner)


def _check_blosc(file: int, start: int, content: Coded, place: _Place) -> None:
    check_header(os.pread(file, content.size_at + 8, start), content, place)


def check_header(head: bytes, content: Coded, place: object) -> None:
    """Compare what the header of a chunk by blosc says with what it is to hold.

    Args:
        head: the first bytes of what is stored of it: 8 more than `content.size_at`, or all there are.
        content: what it is to hold.
        place: its voxels, for the message.

    Raises:
        ChunkCorrupt.
    """
    at = content.size_at
    if content.n5 and head[:2] == b"\0\1":
        at += 4
    if len(head) < at + 4:
        return  # who reads it says what is wrong with it
    (decoded,) = struct.unpack_from("<I", head, at)
    if decoded > content.limit:
        raise ChunkCorrupt(
            f"the stored chunk with the voxels {place} says that it decodes to {decoded} bytes, "
            f"its voxels are {content.raw_bytes}",
            REMEDY,
        )


def content_of_codecs(
    codecs: Sequence[str | dict[str, Any]], axes: str, extents: Mapping[str, int], voxel_bytes: int
) -> Coded | Sharded:
    """What the codecs of Zarr v3 make of a chunk.

    Args:
        codecs: in the order of encoding, of an array that tensorstore could open.
        axes: of the chunk, in the array's order.
        extents: of the chunk, by axis.
        voxel_bytes: of one voxel of one channel.

    Raises:
        UnsupportedFormat: for blosc that is encoded again, because its header cannot be looked at.
    """
    names = []
    for name, configuration in map(_named, codecs):
        if name == "transpose":
            order, places = configuration["order"], range(len(axes))
            axes = "".join(axes[at] for at in (places if order == "C" else places[::-1] if order == "F" else order))
        if name == "sharding_indexed":
            return _sharded(configuration, axes, extents, voxel_bytes)
        names.append(name)
    while names and names[-1] == _CHECKSUM:
        names.pop()
    if "blosc" in names[:-1]:
        raise UnsupportedFormat("chunks are encoded by blosc and then once more", "write the array with blosc last")
    return Coded(extents, math.prod(extents.values()) * voxel_bytes, blosc=names[-1:] == ["blosc"])


def _sharded(configuration: dict[str, Any], axes: str, extents: Mapping[str, int], voxel_bytes: int) -> Sharded:
    """A shard, if its index is written as the specification recommends, with or without checksum.

    Raises:
        UnsupportedFormat.
    """
    (first, of_bytes), *rest = map(_named, configuration["index_codecs"])
    if first != "bytes" or any(name != _CHECKSUM for name, _ in rest):
        raise UnsupportedFormat("the index of shards is encoded in an unusual way", "use `bytes` and `crc32c`")
    return Sharded(
        extents=extents,
        axes=axes,
        inner=content_of_codecs(
            configuration["codecs"], axes, dict(zip(axes, configuration["chunk_shape"], strict=True)), voxel_bytes
        ),
        index_first=configuration.get("index_location", "end") == "start",
        byte_order=">" if of_bytes.get("endian") == "big" else "<",
        checksum_bytes=_CHECKSUM_BYTES * len(rest),
    )


def _named(codec: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A codec's name, which v3 lets stand alone, and its configuration."""
    return (codec, {}) if isinstance(codec, str) else (codec["name"], codec.get("configuration", {}))
