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
from voxgate_remotes.images.layout import DEFLATES, JPEG, NONE, RGB, Layout
from voxgate_remotes.images.reading import pillow_image

PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What Pillow raises for damaged files."""

_WIDTH, _ROWS, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _JPEG_TABLES = 277, 278, 279, 347


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
    fields = {_WIDTH: layout.row_bytes, _COMPRESSION: layout.compression, _PHOTOMETRIC: 1, _SAMPLES: 1}
    return _pixels(_one_strip(fields, rows, data), (rows, layout.row_bytes), ("TIFF",), where).reshape(-1)


def _one_strip(fields: dict[int, int], rows: int, data: bytes, tables: bytes = b"") -> io.BytesIO:
    """A TIFF file of one strip."""
    long, undefined = 4, 7
    numbers = {**fields, _ROWS: rows, _BITS: 8, _STRIP: 8, _ROWS_PER_STRIP: rows, _STRIP_BYTES: len(data)}
    entries = [(tag, long, 1, number) for tag, number in numbers.items()]
    if tables:
        entries.append((_JPEG_TABLES, undefined, len(tables), 8 + len(data)))
    body = data + tables
    body += b"\0" * (len(body) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    header = struct.pack("<2sHI", b"II", 42, 8 + len(body))
    return io.BytesIO(b"".join((header, body, directory, b"\0" * 4)))


def _jpeg(layout: Layout, data: bytes, shape: tuple[int, int, int], where: str) -> npt.NDArray[np.uint8]:
    if layout.photometric == RGB and shape[2] == 3:
        # Alone, a JPEG stream of three components is taken for YCbCr; that it is not is said beside it.
        fields = {_WIDTH: shape[1], _COMPRESSION: JPEG, _PHOTOMETRIC: RGB, _SAMPLES: 3}
        return _pixels(_one_strip(fields, shape[0], data, layout.jpeg_tables), shape, ("TIFF",), where)
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
