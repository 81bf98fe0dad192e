"""Voxels as bodies: what is answered by Accept, and taken by Content-Type.

Source: renderers and parsers of jhuapl-boss/boss (bossspatialdb): blosc is one c-blosc 1 buffer of the C-order,
little-endian voxels without a shape; npygz is a .npy file in a zlib stream, neither gzip nor .npz; a JPEG of shape
(z, y, x) has z * y rows. What the service calls blosc-python is a pickle: whoever reads one runs what it says, so here
it is neither taken nor given.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.pictures import jpeg_of

BLOSC, NPYGZ, JPEG, PICKLED = "application/blosc", "application/npygz", "image/jpeg", "application/blosc-python"
_OFFERED = (BLOSC, NPYGZ, JPEG)
"""In the service's order of preference."""
_BLOSC_HEADER = struct.Struct("<4B3I")
_BLOSC_VERSIONS = (1, 2)
_NPY_HEADER_BYTES = 1 << 16
_NPYGZ_LEVEL = 1
_HEADER_ERRORS = (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)
"""Of a .npy header, which is a Python literal."""
JPEG_QUALITY = 85
Array = npt.NDArray[Any]


def negotiated(accept: str, offered: tuple[str, ...] = _OFFERED) -> str:
    """The media type of an answer, by an Accept header: its most particular range that fits, the first of equals.

    Raises:
        BossError: 406 where nothing fits.
    """
    ranges = [part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    for wanted in sorted(ranges, key=lambda media: (media == "*/*", media.endswith("/*"))):
        for media in offered:
            if wanted in ("*/*", media, media.partition("/")[0] + "/*"):
                return media
    raise BossError(Code.BAD_REQUEST, "Could not satisfy the request Accept header.", status=406)


def check_jpeg(dtype: np.dtype[Any], *, is_timed: bool) -> None:
    """Check that voxels can be a JPEG, before any is read.

    Raises:
        BossError: for voxels with a time axis, and for any type but uint8.
    """
    if is_timed:
        raise BossError(Code.UNSUPPORTED_4D, "The cutout service JPEG interface does not support 4D cutouts")
    if dtype != np.uint8:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, "The JPEG interface only supports uint8 image data")


def encode(voxels: Array, media: str) -> bytes:
    """Voxels of shape (z, y, x), with time (t, z, y, x), C-order, as a body of BLOSC, NPYGZ or JPEG."""
    if media == BLOSC:
        from numcodecs import blosc  # noqa: PLC0415  (slow to import)

        return bytes(blosc.compress(voxels, b"lz4", 5, blosc.SHUFFLE))
    if media == JPEG:
        return jpeg_of(voxels.reshape(-1, voxels.shape[-1], 1), JPEG_QUALITY)
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(voxels))
    deflater = zlib.compressobj(_NPYGZ_LEVEL)
    return b"".join((deflater.compress(file.getvalue()), deflater.compress(voxels.data), deflater.flush()))


def media_of(content_type: str) -> str:
    """The media type of an upload.

    Raises:
        BossError: 415 for one that is not taken.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == PICKLED:
        raise BossError(Code.BAD_REQUEST, f"{PICKLED} is a pickle, which is never read; send {BLOSC}", status=415)
    if media not in (BLOSC, NPYGZ):
        raise BossError(Code.BAD_REQUEST, f'Unsupported media type "{media[:100]}" in request.', status=415)
    return media


def decode(body: bytes, media: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The voxels of an upload, C-order; nothing larger than they should be is ever made.

    Raises:
        BossError: 400/2001 for bytes that cannot be read or another dtype, 400/2002 for another shape.
    """
    return _of_blosc(body, shape, dtype) if media == BLOSC else _of_npygz(body, shape, dtype)


def _of_blosc(body: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    unread = BossError(Code.DATATYPE_DOES_NOT_MATCH, "Failed to decompress data. Verify the datatype.")
    if len(body) < _BLOSC_HEADER.size:
        raise unread
    version, _, _, _, voxel_bytes, _, body_bytes = _BLOSC_HEADER.unpack_from(body)
    if version not in _BLOSC_VERSIONS or body_bytes != len(body):
        raise unread
    expected = math.prod(shape) * dtype.itemsize
    if voxel_bytes != expected:
        raise BossError(
            Code.DATA_DIMENSION_MISMATCH,
            f"Failed to unpack data. Verify datatype and dimensions: {voxel_bytes} bytes, not {expected}",
        )
    from numcodecs import blosc  # noqa: PLC0415  (slow to import)

    voxels = np.empty(shape, dtype)
    try:
        blosc.decompress(body, voxels.reshape(-1).view(np.uint8))
    except (RuntimeError, ValueError):
        raise unread from None
    return voxels


def _of_npygz(body: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    unread = BossError(Code.DATA_DIMENSION_MISMATCH, "Failed to unpack data.")
    expected = math.prod(shape) * dtype.itemsize
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(body, expected + _NPY_HEADER_BYTES)
    except zlib.error:
        raise unread from None
    if not inflater.eof or inflater.unused_data:
        raise unread
    # The header alone: what it says is checked before anything of that size is made.
    file = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        told_shape, is_fortran, told_dtype = read(file)
    except _HEADER_ERRORS:
        raise unread from None
    if told_dtype != dtype:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, f"Datatype does not match channel: it has {dtype.name}")
    if told_shape != shape:
        raise BossError(Code.DATA_DIMENSION_MISMATCH, "Data dimensions in URL do not match POSTed data.")
    if len(raw) - file.tell() != expected:
        raise unread
    voxels = np.frombuffer(raw, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    return np.ascontiguousarray(voxels)
