"""Planes of voxels as pictures: PNG, which loses nothing, and JPEG; ids as colours. Nothing here scales a value."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import UnsupportedEncoding

INSTALL = "pip install 'voxgate[codecs]' where the gateway runs"
# The odd constant of Fibonacci hashing (2**64 / golden ratio): neighbouring ids get unlike colours.
_SPREAD = 0x9E3779B97F4A7C15
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

    The colours say which voxels belong together, and no id can be read from them.
    """
    mixed = ids.astype(np.uint64) * np.uint64(_SPREAD)
    parts = [((mixed >> np.uint64(shift)) & np.uint64(0xFF)).astype(np.uint16) for shift in (56, 40, 24)]
    picture = (np.stack(parts, axis=-1) * 3 // 4 + 64).astype(np.uint8)
    picture[ids == 0] = 24
    return picture
