"""How the pixels of one TIFF page lie in its file, and what of TIFF is refused.

Format: TIFF 6.0 (1992), sections 2 to 10 (byte order, strips, samples, PackBits), 13 and 14 (LZW, predictor), 15
(tiles), 22 (JPEG, as Technical Note 2 changed it); Adobe Photoshop TIFF Technical Note 3 (predictor 3); BigTIFF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate_remotes.images.reading import MOST_DECODED_BYTES
from voxgate_remotes.tensorstores import checked_dtype

NONE, LZW, JPEG, DEFLATES, PACKBITS, ZSTD, LZMA = 1, 5, 7, (8, 32946), 32773, 50000, 34925
_COMPRESSIONS = (NONE, LZW, JPEG, *DEFLATES, PACKBITS, ZSTD, LZMA)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
_ALPHA = (1, 2)
_CHUNK_BYTES = 1 << 20

Shape = tuple[int, int, int, "np.dtype[Any]"]
"""What all pictures of a volume have in common: height, width, samples of a pixel, little-endian dtype."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a page.

    Attributes:
        height: rows.
        width: pixels of a row.
        samples: of a pixel; 3 of an RGB picture.
        dtype: of a sample, in the file's byte order.
        planar: each sample has segments of its own, all of the first sample's first.
        compression: TIFF's number of it.
        predictor: TIFF's number of it.
        photometric: TIFF's number of what the samples mean.
        segment_height: rows of a strip or tile.
        segment_width: pixels of its rows.
        tiled: segments are tiles, all of one size; strips end with the picture.
        names: of the samples; empty strings where TIFF has none.
        jpeg_tables: quantisation and Huffman tables that the page's JPEG streams share.
    """

    height: int
    width: int
    samples: int
    dtype: np.dtype[Any]
    planar: bool
    compression: int
    predictor: int
    photometric: int
    segment_height: int
    segment_width: int
    tiled: bool
    names: tuple[str, ...]
    jpeg_tables: bytes = b""

    @property
    def shape(self) -> Shape:
        """What all pages of a volume have in common."""
        return (self.height, self.width, self.samples, self.dtype.newbyteorder("<"))

    @property
    def across(self) -> int:
        """Segments beside each other."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Segments below each other."""
        return -(-self.height // self.segment_height)

    @property
    def segment_count(self) -> int:
        """Segments of the page."""
        return self.across * self.down * (self.samples if self.planar else 1)

    @property
    def segment_samples(self) -> int:
        """Samples of a pixel within one segment."""
        return 1 if self.planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Decoded bytes of a row of a segment."""
        return self.segment_width * self.segment_samples * self.dtype.itemsize

    @property
    def chunk_shape(self) -> Vec3:
        """The unit of reading: a tile, or strips of about 1 MiB (uncompressed rows can be read one by one)."""
        if self.tiled:
            return Vec3(min(self.segment_width, self.width), min(self.segment_height, self.height), 1)
        step = 1 if self.compression == NONE else self.segment_height
        rows = max(1, _CHUNK_BYTES // (step * self.row_bytes)) * step
        return Vec3(self.width, min(rows, self.height), 1)

    def height_of(self, row: int) -> int:
        """Stored rows of the segments in a row of segments."""
        return self.segment_height if self.tiled else min(self.segment_height, self.height - row * self.segment_height)


def layout_of(page: Any, where: str) -> Layout:
    """The layout of a page that tifffile parsed.

    Args:
        page: a tifffile.TiffPage.
        where: the page, for messages: "`a.tif`", "page 3 of `a.tif`".

    Raises:
        UnsupportedFormat: for what cannot be read exactly; MetadataInvalid: for tags that contradict one another.
    """
    tags = page.tags
    height, width, samples = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    if min(height, width, samples) < 1:
        raise MetadataInvalid(f"{where} declares no pixels", "restore it from its source")
    if page.imagedepth != 1 or (page.is_tiled and page.tiledepth != 1):
        raise UnsupportedFormat(f"{where} has three-dimensional tiles", "save it with a page for each slice")
    photometric = int(tags.valueof(262, _BLACK_IS_ZERO))
    _check_meaning(photometric, samples, where)
    dtype = _dtype(page, where)
    compression, predictor = int(page.compression), int(page.predictor)
    _check_compression(page, compression, predictor, photometric, where)
    tiled = bool(page.is_tiled)
    segment_height = int(page.tilelength) if tiled else min(int(page.rowsperstrip) or height, height)
    layout = Layout(
        height=height,
        width=width,
        samples=samples,
        dtype=dtype,
        planar=samples > 1 and int(page.planarconfig) == 2,
        compression=compression,
        predictor=1 if compression == JPEG else predictor,
        photometric=photometric,
        segment_height=segment_height,
        segment_width=int(page.tilewidth) if tiled else width,
        tiled=tiled,
        names=_names(photometric, samples, tags.valueof(338, ())),
        jpeg_tables=bytes(page.jpegtables or b"") if compression == JPEG else b"",
    )
    if min(layout.segment_height, layout.segment_width) < 1:
        raise MetadataInvalid(f"{where} declares tiles without pixels", "restore it from its source")
    if compression != NONE and layout.row_bytes * layout.segment_height > MOST_DECODED_BYTES:
        raise UnsupportedFormat(
            f"{where} has compressed parts of {layout.row_bytes * layout.segment_height} bytes each",
            f"save it in tiles or strips of at most {MOST_DECODED_BYTES} bytes",
        )
    return layout


def _check_meaning(photometric: int, samples: int, where: str) -> None:
    if photometric == PALETTE:
        raise UnsupportedFormat(
            f"{where} is a picture with a palette: its numbers are colours of a table", "save it as grey or RGB"
        )
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) or (photometric in (RGB, YCBCR) and samples >= 3):
        return
    raise UnsupportedFormat(f"{where} has the colour space {photometric} of TIFF", "save it as grey or RGB")


def _dtype(page: Any, where: str) -> np.dtype[Any]:
    bits = page.tags.valueof(258, 1)
    each = set(bits) if isinstance(bits, tuple) else {bits}
    if page.dtype is None or len(each) != 1 or each != {page.dtype.itemsize * 8}:
        said = "1-bit" if each == {1} else f"{'/'.join(map(str, sorted(each)))}-bit"
        raise UnsupportedFormat(f"{where} has {said} samples", "save it with 8, 16, 32 or 64 bits")
    return checked_dtype(page.dtype).newbyteorder(page.parent.byteorder)


def _check_compression(page: Any, compression: int, predictor: int, photometric: int, where: str) -> None:
    name = str(getattr(page.compression, "name", compression))
    supported = compression in _COMPRESSIONS and (photometric != YCBCR or compression == JPEG)
    components = int(page.samplesperpixel) if int(page.planarconfig) == 1 else 1
    known = (3,) if photometric == YCBCR or (photometric == RGB and components > 1) else (1,)
    if compression == JPEG and (page.dtype.itemsize != 1 or components not in known):
        supported = False
    if not supported:
        raise UnsupportedFormat(
            f"{where} is compressed with {name}, in a way that is not supported", "save it with deflate, or without"
        )
    floats = page.dtype.kind == "f"
    if compression != JPEG and (predictor not in (1, 2, 3) or (predictor == 3 and not floats)):
        raise UnsupportedFormat(f"{where} has the predictor {predictor} of TIFF", "save it with deflate, or without")
    if page.fillorder != 1 and compression != NONE:
        raise UnsupportedFormat(f"{where} has reversed bits", "save it with FillOrder 1")


def _names(photometric: int, samples: int, extra: Any) -> tuple[str, ...]:
    """The names of a pixel's samples."""
    named = ["R", "G", "B"] if photometric in (RGB, YCBCR) else [""]
    extras = [int(each) for each in (extra if isinstance(extra, tuple) else (extra,))]
    rest = samples - len(named)
    named += ["A" if each in _ALPHA else "" for each in extras[:rest]]
    return tuple(named + [""] * (samples - len(named)))
