"""Voxels in bodies: what the service sends by Accept and takes by Content-Type."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import blosc
from PIL import Image

from .errors import BossError, Code, FrameworkError
from .messages import Reply

Array = npt.NDArray[Any]
BLOSC = "application/blosc"
NPYGZ = "application/npygz"
JPEG = "image/jpeg"
PICKLED = "application/blosc-python"
OFFERED = (BLOSC, PICKLED, NPYGZ, JPEG)
"""In the service's order of preference."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How blosc replies are compressed; what python-blosc does when told nothing."""

    cname: str = "blosclz"
    clevel: int = 9


def negotiate(accept: str) -> str:
    """The media type to answer a cutout with, by the Accept header.

    Raises:
        FrameworkError: 406 when nothing fits; pickled blosc never does here, for reading it runs what it says.
    """
    ranges = [part.partition(";")[0].strip() for part in (accept or "*/*").split(",")]
    for wanted in sorted(ranges, key=lambda media: (media == "*/*", media.endswith("/*"))):
        for offered in OFFERED:
            if offered != PICKLED and wanted in ("*/*", offered, offered.partition("/")[0] + "/*"):
                return offered
    raise FrameworkError(406, "Could not satisfy the request Accept header.")


def encode(voxels: Array, media: str, compression: Compression) -> Reply:
    """Voxels of shape (z, y, x), or (t, z, y, x) when the address has a time range, as a reply.

    Raises:
        BossError: a JPEG of more than uint8, or with time.
    """
    if media == BLOSC:
        codec = compression.cname.encode()
        return Reply(200, blosc.compress(np.ascontiguousarray(voxels), codec, compression.clevel, blosc.SHUFFLE), media)
    if media == NPYGZ:
        file = io.BytesIO()
        np.save(file, voxels, allow_pickle=False)
        return Reply(200, zlib.compress(file.getvalue()), media)
    return Reply(200, _jpeg(voxels), media)


def _jpeg(voxels: Array) -> bytes:
    if voxels.ndim != 3:
        raise BossError(Code.UNSUPPORTED_4D, "The cutout service JPEG interface does not support 4D cutouts")
    if voxels.dtype != np.uint8:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, "The JPEG interface only supports uint8 image data")
    file = io.BytesIO()
    depth, height, width = voxels.shape
    Image.fromarray(voxels.reshape(depth * height, width)).save(file, "JPEG", quality=85)
    return file.getvalue()


def decode(body: bytes, media: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The voxels of an upload, of the shape that its address tells.

    Raises:
        FrameworkError: 415 for a media type that is not taken.
        BossError: the body cannot be read, or has another dtype or shape.
    """
    kind = media.partition(";")[0].strip().lower()
    if kind == BLOSC:
        return _from_blosc(body, shape, dtype)
    if kind == NPYGZ:
        return _from_npygz(body, shape, dtype)
    raise FrameworkError(415, f'Unsupported media type "{media}" in request.')


def _from_blosc(body: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    try:
        flat = np.frombuffer(blosc.decompress(body), dtype)
    except (RuntimeError, ValueError) as error:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, "Failed to decompress data. Verify the datatype.") from error
    if flat.size != np.prod(shape):
        raise BossError(Code.DATA_DIMENSION_MISMATCH, "Failed to unpack data. Verify datatype and dimensions.")
    return flat.reshape(shape)


def _from_npygz(body: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    try:
        voxels: Array = np.load(io.BytesIO(zlib.decompress(body)), allow_pickle=False)
    except (zlib.error, ValueError, EOFError) as error:
        raise BossError(Code.DATA_DIMENSION_MISMATCH, "Failed to unpack data.") from error
    if voxels.dtype != dtype:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, "Datatype does not match channel")
    if voxels.shape != shape:
        raise BossError(Code.DATA_DIMENSION_MISMATCH, "Data dimensions in URL do not match POSTed data.")
    return voxels
