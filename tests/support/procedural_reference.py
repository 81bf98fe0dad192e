"""The procedural remote's formulas once more: one voxel at a time, in Python's own integers, from their description."""

import numpy as np

from voxgate.model.geometry import Box, Vec3

WORD = 2**64


def mix(word: int) -> int:
    word = (word + 0x9E3779B97F4A7C15) % WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % WORD
    return word ^ (word >> 31)


def coordinate_hash(seed: int, z: int, y: int, x: int) -> int:
    word = seed % WORD
    for coordinate in (z, y, x):
        word = mix(word ^ (coordinate % WORD))
    return word


def integer_of(value: int, dtype: np.dtype) -> int:
    """Unsigned bits as a number of `dtype`."""
    bits = dtype.itemsize * 8
    return value - 2**bits if dtype.kind == "i" and value >= 2 ** (bits - 1) else value


def noise_voxel(seed: int, at: Vec3, dtype: np.dtype) -> int | float:
    word = coordinate_hash(seed, at.z, at.y, at.x)
    if dtype.kind == "f":
        digits = 24 if dtype.itemsize == 4 else 53
        return (word >> (64 - digits)) / 2**digits
    return integer_of(word >> (64 - dtype.itemsize * 8), dtype)


def smooth_voxel(seed: int, at: Vec3, dtype: np.dtype) -> int | float:
    total = 0
    (cz, fz), (cy, fy), (cx, fx) = divmod(at.z, 8), divmod(at.y, 32), divmod(at.x, 32)
    for dz, wz in ((0, 8 - fz), (1, fz)):
        for dy, wy in ((0, 32 - fy), (1, fy)):
            for dx, wx in ((0, 32 - fx), (1, fx)):
                total += wz * wy * wx * (coordinate_hash(seed, cz + dz, cy + dy, cx + dx) >> 48)
    value = total // (8 * 32 * 32)
    if dtype.kind == "f":
        return value / 65536
    if dtype.itemsize == 1:
        value //= 256
    if dtype.kind == "i" and dtype.itemsize <= 2:
        value -= 2 ** (dtype.itemsize * 8 - 1)
    return value


def cell_voxel(seed: int, at: Vec3, dtype: np.dtype) -> int:
    cz, fz = divmod(at.z, 12)
    cy, fy = divmod(at.y + coordinate_hash(seed, cz, 0, 1) % 40, 40)
    cx, fx = divmod(at.x + coordinate_hash(seed, cz, cy, 2) % 48, 48)
    if 0 in (fz, fy, fx):
        return 0
    return coordinate_hash(seed, cz, cy, cx) >> (64 - dtype.itemsize * 8) or 1


def world(seed: int, box: Box, factor: Vec3, dtype: np.dtype, *, pattern: str, channel: int = 0) -> np.ndarray:
    """The voxels of `box`, in voxels of the scale with this factor: array of shape (z, y, x)."""
    voxel = {"cells": cell_voxel, "smooth": smooth_voxel, "noise": noise_voxel}[pattern]
    world_seed = seed if pattern == "cells" else mix((seed + channel + 1) % WORD)
    out = np.empty(box.shape.zyx, dtype)
    for z, y, x in np.ndindex(*out.shape):
        at = box.start + Vec3(x, y, z)
        out[z, y, x] = voxel(world_seed, Vec3(at.x * factor.x, at.y * factor.y, at.z * factor.z), dtype)
    return out
