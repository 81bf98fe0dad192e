"""Voxels as functions of their coordinates: what the procedural remote computes, one formula a pattern.

Every formula is integer arithmetic on 64-bit words around one hash, so it is exact at any coordinate and cannot depend
on how a box is cut. With `mix` as splitmix64 (Steele, Lea, Flood 2014, as in Vigna's public splitmix64.c), all words
modulo 2**64 and negative coordinates in two's complement:

    hash(seed, z, y, x) = mix(mix(mix(seed ^ z) ^ y) ^ x)

- noise: the top bits of hash(seed, z, y, x), as many as the dtype has; of a float, the top 24 or 53 as a part of 1.
- smooth: 16-bit values hash >> 48 on a lattice every 8 (z), 32 (y) and 32 (x) voxels, linearly interpolated between,
  rounded down once; uint8 takes the upper 8 bits, signed types of 8 and 16 bits are centred on 0, floats are in [0, 1).
- cells: a brick wall. With floor division, cell numbers are cz = z // 12, cy = (y + hash(seed, cz, 0, 1) % 40) // 40,
  cx = (x + hash(seed, cz, cy, 2) % 48) // 48, and the segment is the top bits of hash(seed, cz, cy, cx), 1 if those
  are 0. The first voxel of a cell on each axis is a membrane: background, 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Coordinates = npt.NDArray[np.int64]
"""Ascending coordinates along one axis, scale 0."""
Words = npt.NDArray[np.uint64]

_MASK = 2**64 - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_LATTICE_BITS_ZYX = (3, 5, 5)
_CELL_Z, _CELL_Y, _CELL_X = 12, 40, 48


def splitmix64(word: int) -> int:
    """Mix one 64-bit word."""
    word = (word + _GOLDEN) & _MASK
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK
    return word ^ (word >> 31)


def _mix(words: Words) -> Words:
    """Mix an array of words; numpy's array arithmetic wraps as it should."""
    words = words + np.uint64(_GOLDEN)
    words ^= words >> np.uint64(30)
    words *= np.uint64(_FIRST)
    words ^= words >> np.uint64(27)
    words *= np.uint64(_SECOND)
    words ^= words >> np.uint64(31)
    return words


def _hash(seed: int, z: Coordinates, y: Coordinates, x: Coordinates) -> Words:
    """The hash at broadcast coordinates."""
    words = _mix(np.uint64(seed & _MASK) ^ z.view(np.uint64))
    words = _mix(words ^ y.view(np.uint64))
    return _mix(words ^ x.view(np.uint64))


def _top_bits(words: Words, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """As many of the highest bits as an integer dtype has, as that dtype."""
    bits = dtype.itemsize * 8
    return (words >> np.uint64(64 - bits)).astype(f"<u{dtype.itemsize}").view(dtype)


def noise(seed: int, z: Coordinates, y: Coordinates, x: Coordinates, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Independent voxels that use every bit of `dtype`: array of shape (len(z), len(y), len(x))."""
    words = _hash(seed, z[:, None, None], y[None, :, None], x[None, None, :])
    if dtype.kind != "f":
        return _top_bits(words, dtype)
    digits = 24 if dtype.itemsize == 4 else 53
    return ((words >> np.uint64(64 - digits)) * 2.0**-digits).astype(dtype)


def smooth(seed: int, z: Coordinates, y: Coordinates, x: Coordinates, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A cloudy image: array of shape (len(z), len(y), len(x))."""
    knots = [
        np.unique(np.concatenate([axis >> bits, (axis >> bits) + 1]))
        for axis, bits in zip((z, y, x), _LATTICE_BITS_ZYX, strict=True)
    ]
    lattice = _hash(seed, knots[0][:, None, None], knots[1][None, :, None], knots[2][None, None, :])
    values = (lattice >> np.uint64(48)).astype(np.uint32)
    # x first: the arrays are smallest while the other two axes are still lattices. 16 + 13 bits fit in 32.
    for axis, coordinates in ((2, x), (1, y), (0, z)):
        bits = _LATTICE_BITS_ZYX[axis]
        low = np.searchsorted(knots[axis], coordinates >> bits)
        high = np.searchsorted(knots[axis], (coordinates >> bits) + 1)
        part = (coordinates & ((1 << bits) - 1)).astype(np.uint32)
        part = part.reshape([-1 if i == axis else 1 for i in range(3)])
        values = values.take(low, axis) * (np.uint32(1 << bits) - part) + values.take(high, axis) * part
    return _from_16_bits(values >> np.uint32(sum(_LATTICE_BITS_ZYX)), dtype)


def _from_16_bits(values: npt.NDArray[np.uint32], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind == "f":
        return (values * 2.0**-16).astype(dtype)
    if dtype.itemsize == 1:
        values = values >> np.uint32(8)
    if dtype.kind == "i" and dtype.itemsize <= 2:
        return (values.astype(np.int32) - (1 << (dtype.itemsize * 8 - 1))).astype(dtype)
    return values.astype(dtype)


def cells(seed: int, z: Coordinates, y: Coordinates, x: Coordinates, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A segmentation into a brick wall of cells: array of shape (len(z), len(y), len(x))."""
    layers, layer_of_z = np.unique(z // _CELL_Z, return_inverse=True)
    cz = layers[:, None]
    y_shift = (_hash(seed, cz, np.zeros_like(cz), np.ones_like(cz)) % np.uint64(_CELL_Y)).astype(np.int64)
    y_shifted = y[None, :] + y_shift
    cy = y_shifted // _CELL_Y
    x_shift = (_hash(seed, cz, cy, np.full_like(cy, 2)) % np.uint64(_CELL_X)).astype(np.int64)
    x_shifted = x[None, None, :] + x_shift[:, :, None]
    segments = _top_bits(_hash(seed, cz[:, :, None], cy[:, :, None], x_shifted // _CELL_X), dtype)
    segments[segments == 0] = 1
    segments[(y_shifted % _CELL_Y == 0)[:, :, None] | (x_shifted % _CELL_X == 0)] = 0
    voxels = segments[layer_of_z]
    voxels[z % _CELL_Z == 0] = 0
    return voxels
