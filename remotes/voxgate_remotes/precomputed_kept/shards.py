"""Where shard files have the data of a segment.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md. The file `{shard}.shard` (hexadecimal,
padded to ceil(shard_bits / 4) digits) starts with 2**minishard_bits pairs of uint64, start and end of each minishard's
index, counted from the end of these pairs; a minishard's index is a uint64 array of shape (3, n) with ids (each the
sum of those up to it), starts (each counted from the end of the data before it) and sizes. Bits of the hash of
`id >> preshift_bits` choose the minishard (the lowest) and the shard (those above).

Tensorstore's driver for such files tells what they hold but not where it is, and where it is matters: the fragments
of a multi-resolution mesh lie right before its manifest. So the index is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid
from voxgate_remotes.precomputed_kept.files import MOST_BYTES, REMEDY, KeptFiles, gunzipped
from voxgate_remotes.precomputed_kept.murmur import murmurhash3_low64

TYPE = "neuroglancer_uint64_sharded_v1"
_MOST_INDEX_BYTES = 2**28
_ENCODINGS = ("raw", "gzip")
_ENTRY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sharding:
    """How segments are spread over shards; the names are the format's."""

    preshift_bits: int
    is_hashed: bool
    minishard_bits: int
    shard_bits: int
    index_is_gzip: bool
    data_is_gzip: bool

    def place(self, segment_id: int) -> tuple[str, int]:
        """The file, and the number of the minishard in it, that would have a segment."""
        chosen = segment_id >> self.preshift_bits
        if self.is_hashed:
            chosen = murmurhash3_low64(chosen)
        minishard = chosen & (1 << self.minishard_bits) - 1
        shard = chosen >> self.minishard_bits & (1 << self.shard_bits) - 1
        return f"{shard:0{-(-self.shard_bits // 4)}x}.shard" if self.shard_bits else "0.shard", minishard

    @property
    def index_bytes(self) -> int:
        """The size of the index at the start of each shard."""
        return _ENTRY_BYTES << self.minishard_bits


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a value is.

    Attributes:
        name: its shard file.
        start: of its first byte in that file.
        stop: after its last byte.
    """

    name: str
    start: int
    stop: int


def parsed_sharding(stated: Any) -> Sharding:
    """A sharding specification.

    Raises:
        MetadataInvalid: when it is none.
    """
    if not isinstance(stated, dict) or stated.get("@type") != TYPE:
        raise MetadataInvalid("`sharding` in `info` is not of the one known type", f"it is {TYPE!r}")
    preshift, minishard, shard = (_bits(stated, name) for name in ("preshift_bits", "minishard_bits", "shard_bits"))
    encodings = [stated.get(name, "raw") for name in ("minishard_index_encoding", "data_encoding")]
    known = stated.get("hash") in ("identity", "murmurhash3_x86_128") and all(each in _ENCODINGS for each in encodings)
    if not known or minishard > 32 or minishard + shard > 64:
        raise MetadataInvalid("`sharding` in `info` contradicts its format", "compare it with the format's description")
    return Sharding(
        preshift, stated["hash"] != "identity", minishard, shard, encodings[0] == "gzip", encodings[1] == "gzip"
    )


def _bits(stated: dict[str, Any], name: str) -> int:
    bits = stated.get(name)
    if type(bits) is not int or not 0 <= bits <= 64:
        raise MetadataInvalid(f"`{name}` of `sharding` in `info` is no number of bits", "it is 0 to 64")
    return bits


class Shards:
    """Values by segment id, in the shard files of a folder."""

    def __init__(self, files: KeptFiles, sharding: Sharding) -> None:
        self._files = files
        self._sharding = sharding

    def find(self, segment_id: int) -> Stored | None:
        """Where the value of a segment is; None where there is none.

        Raises:
            ChunkCorrupt: when an index cannot be right; and what `KeptFiles.part` raises.
        """
        name, minishard = self._sharding.place(segment_id)
        entry = self._files.part(name, _ENTRY_BYTES * minishard, _ENTRY_BYTES * (minishard + 1))
        if entry is None:
            return None
        start, stop = (int(number) for number in np.frombuffer(entry, "<u8"))
        if start == stop:
            return None
        if not 0 < stop - start <= _MOST_INDEX_BYTES:
            raise ChunkCorrupt(f"an index in `{name}` states that it has {stop - start} bytes", REMEDY)
        first = self._sharding.index_bytes
        index = self._files.part(name, first + start, first + stop)
        return None if index is None else self._row(index, segment_id, name)

    def read(self, stored: Stored) -> bytes:
        """A value, decompressed.

        Raises:
            ChunkCorrupt: when it cannot be; and what `KeptFiles.part` raises.
        """
        data = self._files.part(stored.name, stored.start, stored.stop)
        if data is None:
            raise ChunkCorrupt(f"`{stored.name}` went away while it was read", "read it again")
        return gunzipped(data, MOST_BYTES) if self._sharding.data_is_gzip else data

    def _row(self, index: bytes, segment_id: int, name: str) -> Stored | None:
        if self._sharding.index_is_gzip:
            index = gunzipped(index, _MOST_INDEX_BYTES)
        if len(index) % 24:
            raise ChunkCorrupt(f"an index in `{name}` has {len(index)} bytes, which is no number of rows", REMEDY)
        ids, gaps, sizes = np.frombuffer(index, "<u8").reshape(3, -1)
        (rows,) = np.nonzero(np.cumsum(ids, dtype=np.uint64) == segment_id)
        if not len(rows):
            return None
        row = int(rows[0])
        # A start that wraps around 2**64 ends up far behind any file, which is noticed when it is read.
        before = int(gaps[: row + 1].sum(dtype=np.uint64)) + int(sizes[:row].sum(dtype=np.uint64))
        start = self._sharding.index_bytes + before % 2**64
        return Stored(name, start, start + int(sizes[row]))
