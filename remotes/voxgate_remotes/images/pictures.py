"""PNG and JPEG pictures, by Pillow: what their headers declare, and their pixels, unchanged.

Format: PNG specification (W3C 2003), 11.2.2 IHDR. Pillow reads 16-bit RGB as 8-bit and expands palettes silently, so
the header is looked at here and such pictures are refused. JPEG is lossy; its pixels are what the decoder gives.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, UnsupportedFormat
from voxgate_remotes.images.codecs import PILLOW_ERRORS, corrupt, too_large
from voxgate_remotes.images.layout import Shape
from voxgate_remotes.images.naming import JPEG, PNG
from voxgate_remotes.images.reading import MOST_DECODED_BYTES, OpenFile, pillow_image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEFLATE_RATIO = 1100
_PNG_TYPES = {0: ("",), 2: ("R", "G", "B"), 4: ("", "A"), 6: ("R", "G", "B", "A")}
_JPEG_MODES = {"L": ("",), "RGB": ("R", "G", "B")}


@dataclass(frozen=True, slots=True)
class Picture:
    """What the header of a picture declares.

    Attributes:
        shape: height, width, samples of a pixel, dtype.
        names: of the samples.
    """

    shape: Shape
    names: tuple[str, ...]

    @property
    def decoded_bytes(self) -> int:
        """Bytes of its pixels."""
        height, width, samples, dtype = self.shape
        return height * width * samples * dtype.itemsize


def header_of(file: OpenFile, kind: str) -> Picture:
    """The header of a PNG or JPEG file.

    Raises:
        ChunkCorrupt: when it is damaged, or declares more pixels than the file can hold.
        UnsupportedFormat: for palettes, less than 8 bits, 16-bit colours, CMYK, and pictures too large to decode.
    """
    picture = _png_header(file) if kind == PNG else _jpeg_header(file)
    library = pillow_image()
    most = library.MAX_IMAGE_PIXELS
    pixels = picture.shape[0] * picture.shape[1]
    if picture.decoded_bytes > MOST_DECODED_BYTES or (most is not None and pixels > 2 * most):
        raise too_large(f"`{file.name}`")
    return picture


def _png_header(file: OpenFile) -> Picture:
    where = f"`{file.name}`"
    start = file.read(0, 33)
    if start[:8] != _SIGNATURE or start[12:16] != b"IHDR":
        raise ChunkCorrupt(f"{where} is no PNG file", "restore it from its source")
    width, height, depth, colour = struct.unpack(">IIBB", start[16:26])
    if colour == 3:
        raise UnsupportedFormat(f"{where} is a picture with a palette", "save it as grey or RGB")
    if depth < 8:
        raise UnsupportedFormat(f"{where} has {depth}-bit pixels", "save it with 8 or 16 bits")
    if colour not in _PNG_TYPES or depth not in (8, 16) or not width or not height:
        raise ChunkCorrupt(f"{where} has a damaged header", "restore it from its source")
    if depth == 16 and colour != 0:
        raise UnsupportedFormat(f"{where} has 16-bit colours, which PNG decoders round to 8 bits", "save it as TIFF")
    names = _PNG_TYPES[colour]
    picture = Picture((height, width, len(names), np.dtype("<u2" if depth == 16 else "u1")), names)
    if picture.decoded_bytes > file.size * _DEFLATE_RATIO + 4096:
        raise ChunkCorrupt(f"{where} declares more pixels than it can hold", "restore it from its source")
    return picture


def _jpeg_header(file: OpenFile) -> Picture:
    with _opened(file, JPEG) as picture:
        names = _JPEG_MODES.get(picture.mode)
        if names is None:
            raise UnsupportedFormat(f"`{file.name}` has the colours {picture.mode}", "save it as grey or RGB")
        return Picture((picture.height, picture.width, len(names), np.dtype("u1")), names)


def pixels_of(file: OpenFile, kind: str, picture: Picture) -> npt.NDArray[Any]:
    """The pixels of a file whose header was looked at: shape (y, x, samples).

    Raises:
        ChunkCorrupt: when they cannot be decoded.
    """
    height, width, samples, dtype = picture.shape
    where = f"`{file.name}`"
    with _opened(file, kind) as opened:
        try:
            found = np.asarray(opened)
        except PILLOW_ERRORS:
            raise corrupt(where) from None
    if found.shape != ((height, width, samples) if samples > 1 else (height, width)):
        raise corrupt(where)
    if found.dtype != dtype and not (dtype == "<u2" and found.dtype.kind in "iu"):
        raise corrupt(where)
    # Some releases of Pillow hold 16-bit grey as 32-bit numbers: the same numbers.
    return found.astype(dtype, copy=False).reshape(height, width, samples)


def _opened(file: OpenFile, kind: str) -> Any:
    library = pillow_image()
    try:
        return library.open(io.BufferedReader(_At(file)), formats=(kind,))
    except (library.DecompressionBombError, MemoryError):
        raise too_large(f"`{file.name}`") from None
    except PILLOW_ERRORS:
        raise corrupt(f"`{file.name}`") from None


class _At(io.RawIOBase):
    """An open file as Pillow wants it: with a place of its own, and without closing it."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._file.size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._file.descriptor, len(buffer), self._place)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
