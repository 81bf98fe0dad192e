"""Cutouts as bytes: one c-blosc 1 buffer of the (z, y, x) C-order little-endian voxels, without a shape.

Source: the blosc renderer and parser of jhuapl-boss/boss (bossspatialdb); a buffer's 16-byte header is described in
c-blosc's README_CHUNK_FORMAT: version, codec version, flags, type size, then the sizes of the voxels, of a block and
of the buffer as uint32.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import blosc

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box

HEADER = struct.Struct("<4B3I")
_FORMAT_VERSIONS = (1, 2)


def encoded(voxels: npt.NDArray[Any]) -> bytes:
    """A C-order array as a buffer, its bytes shuffled by the size of a voxel."""
    return bytes(blosc.compress(voxels, b"lz4", 5, blosc.SHUFFLE))


def decode(body: bytes, box: Box, target: npt.NDArray[Any]) -> None:
    """Decode a buffer into `target`, straight where its memory allows.

    Args:
        body: what the store answered.
        box: what was asked for.
        target: array of shape (z, y, x), in the volume's dtype, any strides.

    Raises:
        ChunkCorrupt: for anything but a whole buffer of just as many bytes; nothing is decompressed to find out.
    """
    _check(body, box, target.nbytes)
    straight = target.flags.c_contiguous and target.flags.writeable
    room = target if straight else np.empty(target.shape, target.dtype)
    try:
        blosc.decompress(body, room.reshape(-1).view(np.uint8))
    except (RuntimeError, ValueError):
        raise _corrupt(box, "it cannot be decompressed") from None
    if not straight:
        target[...] = room


def _check(body: bytes, box: Box, expected: int) -> None:
    if len(body) < HEADER.size:
        raise _corrupt(box, f"it has {len(body)} bytes")
    version, _, _, _, voxel_bytes, _, buffer_bytes = HEADER.unpack_from(body)
    if version not in _FORMAT_VERSIONS:
        raise _corrupt(box, "it is no blosc buffer")
    if buffer_bytes != len(body):
        raise _corrupt(box, f"it has {len(body)} bytes and should have {buffer_bytes}")
    if voxel_bytes != expected:
        raise _corrupt(box, f"it holds {voxel_bytes} bytes of voxels and should hold {expected}")


def _corrupt(box: Box, why: str) -> ChunkCorrupt:
    remedy = "try again; if it stays, look at the store's own log"
    return ChunkCorrupt(f"the store's answer for the voxels {box} is not what was asked for: {why}", remedy)
