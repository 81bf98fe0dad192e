"""Decoding one strip or tile of a TIFF page, never to more bytes than the page declares.

Deflate is Python's own; LZW, PackBits, Zstandard and LZMA are libtiff's, which comes with Pillow: the strip is handed
over as a grey picture of bytes, so that it is decoded the same whatever its dtype.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, UnsupportedFormat
from voxgate_remotes.images.layout import DEFLATES, JPEG, NONE, Layout
from voxgate_remotes.images.reading import pillow_image

PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What Pillow raises for damaged files."""


def decoded(layout: Layout, data: bytes, rows: int, where: str) -> npt.NDArray[Any]:
    """The samples of a segment.

    Args:
        layout: of its page.
        data: the stored bytes.
        rows: of the segment.
        where: for messages.

    Returns:
        Array of shape (rows, segment width, samples), in the layout's dtype, of any byte order.

    Raises:
        ChunkCorrupt: when the data cannot be decoded, or to less than declared.
    """
    shape = (rows, layout.segment_width, layout.segment_samples)
    if layout.compression == JPEG:
        return _jpeg(layout, data, shape, where)
    raw = _bytes(layout, data, rows, where)
    if len(raw) < rows * layout.row_bytes:
        raise corrupt(where)
    return _unpredicted(layout, np.frombuffer(raw, np.uint8, rows * layout.row_bytes), shape)


def corrupt(where: str) -> ChunkCorrupt:
    """What a reader is told of damaged pixels."""
    return ChunkCorrupt(f"{where} cannot be decoded", "restore the file from its source")


def _bytes(layout: Layout, data: bytes, rows: int, where: str) -> Any:
    if layout.compression == NONE:
        return data
    if layout.compression in DEFLATES:
        try:
            return zlib.decompressobj().decompress(data, rows * layout.row_bytes)
        except zlib.error:
            raise corrupt(where) from None
    return _by_libtiff(layout, data, rows, where)


def _by_libtiff(layout: Layout, data: bytes, rows: int, where: str) -> npt.NDArray[np.uint8]:
    """The bytes of a strip, decoded as a picture of one byte a pixel."""
    entries = (
        (256, layout.row_bytes),  # width
        (257, rows),  # length
        (258, 8),  # bits per sample
        (259, layout.compression),
        (262, 1),  # black is zero
        (273, 8),  # where the strip is
        (277, 1),  # samples per pixel
        (278, rows),  # rows per strip
        (279, len(data)),
    )
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in entries)
    padding = b"\0" * (len(data) % 2)
    header = struct.pack("<2sHI", b"II", 42, 8 + len(data) + len(padding))
    picture = io.BytesIO(b"".join((header, data, padding, directory, b"\0" * 4)))
    return _pixels(picture, (rows, layout.row_bytes), ("TIFF",), where).reshape(-1)


def _jpeg(layout: Layout, data: bytes, shape: tuple[int, int, int], where: str) -> npt.NDArray[np.uint8]:
    if len(layout.jpeg_tables) > 4:
        # Tables are a stream of their own: without its end, and without the start of the other, they are one.
        data = layout.jpeg_tables[:-2] + data[2:]
    wanted = shape if shape[2] > 1 else shape[:2]
    return _pixels(io.BytesIO(data), wanted, ("JPEG",), where).reshape(shape)


def _pixels(file: io.BytesIO, shape: tuple[int, ...], formats: tuple[str, ...], where: str) -> npt.NDArray[np.uint8]:
    """The pixels of a picture of bytes, looked at only when it declares the shape."""
    library = pillow_image()
    try:
        with library.open(file, formats=formats) as picture:
            mode = {2: "L", 3: "RGB"}[len(shape)]
            if (picture.height, picture.width) != shape[:2] or picture.mode != mode:
                raise corrupt(where)
            pixels: npt.NDArray[np.uint8] = np.asarray(picture)
    except library.DecompressionBombError:
        raise too_large(where) from None
    except PILLOW_ERRORS:
        raise corrupt(where) from None
    if pixels.shape != shape:
        raise corrupt(where)
    return pixels


def too_large(where: str) -> UnsupportedFormat:
    """What a reader is told of compressed pictures that Pillow does not decode in one piece."""
    return UnsupportedFormat(
        f"{where} has more pixels in one compressed piece than are decoded at once",
        "save it as TIFF, in tiles or without compression",
    )


def _unpredicted(layout: Layout, raw: npt.NDArray[np.uint8], shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """Undo the differences of neighbours along a row (predictor 2, and 3 on the bytes of floats)."""
    dtype, (rows, width, samples) = layout.dtype, shape
    if layout.predictor == 1:
        return raw.view(dtype).reshape(shape)
    if layout.predictor == 2:
        unsigned = np.dtype(f"u{dtype.itemsize}")
        differences = raw.view(unsigned.newbyteorder(dtype.byteorder)).reshape(shape)
        return np.cumsum(differences, axis=1, dtype=unsigned).view(dtype.newbyteorder("="))
    planes = np.cumsum(raw.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    planes = planes.reshape(rows, dtype.itemsize, width * samples)
    # The most significant byte of every float of a row comes first, whatever the file's byte order.
    return np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">")).reshape(shape)
