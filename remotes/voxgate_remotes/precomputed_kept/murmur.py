"""MurmurHash3_x86_128 of a 64-bit number, the hash by which sharded files are spread.

Algorithm: Austin Appleby, github.com/aappleby/smhasher, MurmurHash3.cpp, for 8 bytes and the seed 0: there is no block
of 16 bytes, only a tail that fills the first two of the four words.
"""

from __future__ import annotations

_WORD = 0xFFFFFFFF
_LENGTH = 8
_C1, _C2, _C3 = 0x239B961B, 0xAB0E9789, 0x38B34AE5


def murmurhash3_low64(number: int) -> int:
    """The low 64 bits of the hash of an unsigned 64-bit number's 8 little-endian bytes."""
    first = _rotated(_times(number & _WORD, _C1), 15)
    second = _rotated(_times(number >> 32, _C2), 16)
    words = [_times(first, _C2), _times(second, _C3), 0, 0]
    words = _spread([word ^ _LENGTH for word in words])
    words = _spread([_mixed(word) for word in words])
    return words[0] | words[1] << 32


def _times(word: int, factor: int) -> int:
    return word * factor & _WORD


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD


def _spread(words: list[int]) -> list[int]:
    first = sum(words) & _WORD
    return [first, *((word + first) & _WORD for word in words[1:])]


def _mixed(word: int) -> int:
    word = _times(word ^ word >> 16, 0x85EBCA6B)
    word = _times(word ^ word >> 13, 0xC2B2AE35)
    return word ^ word >> 16
