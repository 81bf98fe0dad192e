"""Planes of voxels as pictures: PNG, which loses nothing, and JPEG; ids as colours. Nothing here scales a value."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import UnsupportedEncoding

INSTALL = "pip install 'voxgate[codecs]' where the gateway runs"
_BACKGROUND = 24
_PIXELS = npt.NDArray[Any]


def jpeg_of(rows: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Pixels of shape (y, x, 1) or (y, x, 3) as a JPEG; the colours are not sampled down.

    Raises:
        UnsupportedEncoding: where the library is not installed.
    """
    try:
        import simplejpeg  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise UnsupportedEncoding("jpeg cannot be made here", INSTALL) from None

    rows = np.ascontiguousarray(rows)
    if rows.shape[2] == 1:
        return bytes(simplejpeg.encode_jpeg(rows, quality=quality, colorspace="GRAY"))
    return bytes(simplejpeg.encode_jpeg(rows, quality=quality, colorspace="RGB", colorsubsampling="444"))


def png_of(rows: _PIXELS) -> bytes:
    """Pixels of shape (y, x, c) as a PNG: uint8 with 1 to 4 components, or uint16 with one, each value as it is.

    Raises:
        UnsupportedEncoding: where the library is not installed.
    """
    try:
        from PIL import Image  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise UnsupportedEncoding("png cannot be made here", INSTALL) from None

    written = io.BytesIO()
    Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows).save(written, "PNG", compress_level=1)
    return written.getvalue()


def id_colours(ids: _PIXELS) -> npt.NDArray[np.uint8]:
    """A colour for each id: shape (y, x) of integers becomes (y, x, 3). Equal ids have equal colours, 0 is dark.

    They are neuroglancer's, as it shows a segmentation that nobody changed (seed 0; src/segment_color.ts and
    src/gpu_hash/hash_function.ts), so a picture and the viewer agree. No id can be read from them.
    """
    wide = ids.astype(np.int64, copy=False).view(np.uint64) if ids.dtype.kind == "i" else ids.astype(np.uint64)
    low, high = wide.astype(np.uint32), (wide >> np.uint64(32)).astype(np.uint32)
    picture: npt.NDArray[np.uint8] = _colour_table()[_mixed(_mixed(np.zeros_like(low), low), high) & np.uint32(0xFFFF)]
    picture[ids == 0] = _BACKGROUND
    return picture


def _mixed(state: npt.NDArray[np.uint32], value: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """One round of MurmurHash3 (32 bits) without its end; numbers wrap."""
    mixed = state ^ _turned(value * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
    return _turned(mixed, 13) * np.uint32(5) + np.uint32(0xE6546B64)


def _turned(value: npt.NDArray[np.uint32], by: int) -> npt.NDArray[np.uint32]:
    return (value << np.uint32(by)) | (value >> np.uint32(32 - by))


@functools.cache
def _colour_table() -> npt.NDArray[np.uint8]:
    """The colours that there are, by 16 bits: hue of the lower eight, saturation of the others, full value."""
    bits = np.arange(1 << 16)
    sector, rest = np.divmod((bits & 0xFF) / 255 * 6, 1)
    saturation = 0.5 + (bits >> 8) / 255 / 2
    full, least = np.ones(1 << 16), 1 - saturation
    falling, rising = 1 - saturation * rest, 1 - saturation * (1 - rest)
    sectors = [
        (full, rising, least),
        (falling, full, least),
        (least, full, rising),
        (least, falling, full),
        (rising, least, full),
        (full, least, falling),
    ]
    parts = [np.choose(sector.astype(int) % 6, [each[i] for each in sectors]) for i in range(3)]
    table: npt.NDArray[np.uint8] = np.rint(np.stack(parts, axis=-1) * 255).astype(np.uint8)
    return table
