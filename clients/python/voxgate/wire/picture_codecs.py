"""Chunks as pictures: JPEG and PNG, as neuroglancer's precomputed format lays them out.

Format: github.com/google/neuroglancer, src/datasource/precomputed/volume.md: one picture whose pixels, row after row,
are the chunk's voxels x fastest, then y, then z; its components are the channels.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.volumes import Voxels
from voxgate.wire.byte_codecs import Data, has_module

_PNG_MODES = {("|u1", 1): "L", ("|u1", 2): "LA", ("|u1", 3): "RGB", ("|u1", 4): "RGBA", ("<u2", 1): "I;16"}

_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error)
"""What Pillow's readers raise for bytes that are no picture."""


def has_jpeg() -> bool:
    """Whether this installation can decode JPEG."""
    return has_module("simplejpeg")


def has_png() -> bool:
    """Whether this installation can decode PNG."""
    return has_module("PIL")


def decode_jpeg(data: Data, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Voxels:
    """Bytes as uint8 voxels of `shape` (c, z, y, x), c of 1 or 3.

    Raises:
        ChunkCorrupt: when they are no JPEG, or one of another size; its size is looked at before it is decoded.
    """
    import simplejpeg  # noqa: PLC0415  (an extra)

    channels, voxels = shape[0], int(np.prod(shape[1:]))
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(bytes(data))
        if height * width != voxels or dtype != np.uint8 or channels not in (1, 3):
            raise _corrupt("JPEG")
        pixels = simplejpeg.decode_jpeg(bytes(data), colorspace="GRAY" if channels == 1 else "RGB")
    except ValueError:
        raise _corrupt("JPEG") from None
    return _voxels_of(pixels.reshape(voxels, channels), shape)


def decode_png(data: Data, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Voxels:
    """Bytes as uint8 voxels of 1 to 4 channels or uint16 voxels of one, of `shape` (c, z, y, x).

    Raises:
        ChunkCorrupt: when they are no PNG, or one of another size or type; looked at before it is decoded.
    """
    from PIL import Image  # noqa: PLC0415  (an extra)

    channels, voxels = shape[0], int(np.prod(shape[1:]))
    mode = _PNG_MODES.get((dtype.str, channels))
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width * picture.height != voxels or picture.mode != mode:
                raise _corrupt("PNG")
            pixels = np.asarray(picture, dtype)
    except (*_PILLOW_ERRORS, Image.DecompressionBombError):
        raise _corrupt("PNG") from None
    return _voxels_of(pixels.reshape(voxels, channels), shape)


def _voxels_of(pixels: np.ndarray[Any, Any], shape: tuple[int, ...]) -> Voxels:
    return np.moveaxis(pixels, -1, 0).reshape(shape)


def _corrupt(kind: str) -> ChunkCorrupt:
    return ChunkCorrupt(f"a chunk is not the {kind} picture of its voxels", "restore it from its source")
