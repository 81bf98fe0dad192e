"""How segments are spread over partitions: as sharded files spread them, so that a partition is a shard.

Format: github.com/google/neuroglancer, src/datasource/precomputed/sharded.md: the low bits of the hash of
`id >> preshift_bits` say the minishard, those above the shard. Algorithm of the hash: Austin Appleby,
github.com/aappleby/smhasher, MurmurHash3.cpp, MurmurHash3_x86_128 for 8 bytes and the seed 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MINISHARD_BITS = 6
"""Of sharded output: 64 indices a shard, of some hundred segments each where a shard has some ten thousand."""

_Words = npt.NDArray[np.uint64]  # each below 2**32
_WORD = np.uint64(0xFFFFFFFF)
_LENGTH = np.uint64(8)
_C1, _C2, _C3 = np.uint64(0x239B961B), np.uint64(0xAB0E9789), np.uint64(0x38B34AE5)
_MIX1, _MIX2 = np.uint64(0x85EBCA6B), np.uint64(0xC2B2AE35)


def partitions_of(segment_ids: npt.NDArray[np.uint64], partition_count: int) -> npt.NDArray[np.int64]:
    """The partition of each segment, shape (n,), of a power of two of them."""
    hashes = hashed(np.ascontiguousarray(segment_ids, np.uint64))
    return (hashes >> np.uint64(MINISHARD_BITS) & np.uint64(partition_count - 1)).astype(np.int64)


def hashed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The low 64 bits of the hash of each number's 8 little-endian bytes."""
    first = _times(_rotated(_times(numbers & _WORD, _C1), 15), _C2)
    second = _times(_rotated(_times(numbers >> np.uint64(32), _C2), 16), _C3)
    nothing = np.zeros_like(first)
    words = _spread([word ^ _LENGTH for word in (first, second, nothing, nothing)])
    words = _spread([_mixed(word) for word in words])
    return words[0] | words[1] << np.uint64(32)


def _times(words: _Words, factor: np.uint64) -> _Words:
    return words * factor & _WORD


def _rotated(words: _Words, bits: int) -> _Words:
    return (words << np.uint64(bits) | words >> np.uint64(32 - bits)) & _WORD


def _spread(words: list[_Words]) -> list[_Words]:
    first = (words[0] + words[1] + words[2] + words[3]) & _WORD
    return [first, *((word + first) & _WORD for word in words[1:])]


def _mixed(words: _Words) -> _Words:
    words = _times(words ^ words >> np.uint64(16), _MIX1)
    words = _times(words ^ words >> np.uint64(13), _MIX2)
    return words ^ words >> np.uint64(16)
