"""Parsing a TIFF file, by tifffile: its pages, and what its description says of them. No pixels are read."""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate_remotes.images.chains import following
from voxgate_remotes.images.layout import NONE, Layout, layout_of
from voxgate_remotes.images.reading import OpenFile, tifffile_library
from voxgate_remotes.images.windows import Page

T = TypeVar("T")

_FOREIGN = frozenset(
    "avs bif eer fluoview indica lsm mdgel ndpi ndtiff nih philips qpi scanimage scn sis stk svs".split()  # noqa: SIM905
)
"""Formats of instruments whose pages follow rules of their own, by tifffile's names."""


@dataclass(frozen=True, slots=True)
class ParsedTiff:
    """A TIFF file.

    Attributes:
        pages: in the file's order; they may differ.
        ome: OME-XML, where the file is an OME-TIFF; else empty.
        imagej: what ImageJ wrote into the description; empty where it wrote none.
        shaped: what tifffile wrote into the description: "shape", mostly "axes"; empty where it wrote none.
        resolution: pixels for each unit along x and y; None where the file does not say.
        resolution_unit: TIFF's number: 1 none, 2 inch, 3 centimetre.
    """

    pages: tuple[Page, ...]
    ome: str = ""
    imagej: Mapping[str, Any] = field(default_factory=dict)
    shaped: Mapping[str, Any] = field(default_factory=dict)
    resolution: tuple[float, float] | None = None
    resolution_unit: int = 1


def ome_xml(file: OpenFile) -> str:
    """The OME-XML of a file; empty where it has none. Looks at the first page only.

    Raises:
        MetadataInvalid: when it is no TIFF file.
    """
    return _with_tiff(file, lambda tiff: (tiff.pages[0].description or "") if tiff.pages[0].is_ome else "")


def parse_tiff(file: OpenFile) -> ParsedTiff:
    """Parse the pages and the description of a file.

    Raises:
        MetadataInvalid: when it is truncated or no TIFF.
        UnsupportedFormat: for what cannot be read exactly, and for instruments' formats of their own.
    """
    return _with_tiff(file, lambda tiff: _parsed(tiff, file))


def _with_tiff(file: OpenFile, use: Callable[[Any], T]) -> T:
    """What `use` answers of the file as tifffile sees it."""
    library = tifffile_library()
    # On bad data tifffile fails in many ways; all of them mean that the file cannot be used.
    failures = (
        *(library.TiffFileError, OSError, ValueError, KeyError, IndexError, TypeError, struct.error, AttributeError),
        *(RuntimeError, OverflowError, MemoryError, ZeroDivisionError, AssertionError, NotImplementedError),
    )
    try:
        with os.fdopen(os.dup(file.descriptor), "rb") as handle:
            handle.seek(0)
            with library.TiffFile(handle, name=file.name, _multifile=False) as tiff:
                return use(tiff)
    except failures:
        raise MetadataInvalid(f"`{file.name}` is truncated or no TIFF file", "restore it from its source") from None


def _parsed(tiff: Any, file: OpenFile) -> ParsedTiff:
    foreign = sorted(_FOREIGN & set(tiff.flags))
    if foreign and not tiff.is_ome:
        raise UnsupportedFormat(
            f"`{file.name}` is a {foreign[0].upper()} file, whose pages follow rules of their own",
            "save it as OME-TIFF",
        )
    count = len(tiff.pages)
    if count == 0:
        raise MetadataInvalid(f"`{file.name}` has no pages", "restore it from its source")
    if following(file.read, int(tiff.pages[count - 1].offset)):  # tifffile would leave the other pages out
        raise MetadataInvalid(
            f"`{file.name}` is truncated, or its pages are damaged: what follows page {count - 1} is not there",
            "restore it from its source",
        )
    first = tiff.pages[0]
    shaped: tuple[dict[str, Any], ...] = tiff.shaped_metadata or ({},)
    if len(shaped) > 1:
        raise UnsupportedFormat(f"`{file.name}` holds {len(shaped)} arrays", "save each in a file of its own")
    imagej = dict(tiff.imagej_metadata or {}) if tiff.is_imagej else {}
    layouts: dict[Layout, Layout] = {}
    pages = tuple(_page(tiff.pages[index], index, file.name, layouts) for index in range(count))
    return ParsedTiff(
        pages=_with_pages_of_one(pages, _planes_said(imagej, shaped[0], first), bool(first.is_contiguous)),
        ome=(tiff.ome_metadata or "") if tiff.is_ome else "",
        imagej=imagej,
        shaped=dict(shaped[0]) if not (tiff.is_ome or imagej) else {},
        resolution=_resolution(first),
        resolution_unit=int(first.tags.valueof(296, 2)),
    )


def _page(page: Any, index: int, name: str, layouts: dict[Layout, Layout]) -> Page:
    where = f"page {index} of `{name}`"
    layout = layout_of(page, where)
    layout = layouts.setdefault(layout, layout)  # pages share one
    offsets, counts = np.array(page.dataoffsets, np.uint64), np.array(page.databytecounts, np.uint64)
    if not len(offsets) == len(counts) == layout.segment_count:
        if layout.compression == NONE and page.is_contiguous and len(offsets):
            return _one_strip(layout, int(offsets[0]))
        raise MetadataInvalid(
            f"{where} declares {layout.segment_count} tiles or strips and has {min(len(offsets), len(counts))}",
            "restore the file from its source",
        )
    return Page(layout, offsets, counts)


def _one_strip(layout: Layout, offset: int) -> Page:
    """A page whose uncompressed pixels follow one another."""
    layout = dataclasses.replace(layout, tiled=False, segment_height=layout.height, segment_width=layout.width)
    size = layout.height * layout.row_bytes
    starts = np.arange(layout.segment_count, dtype=np.uint64) * np.uint64(size) + np.uint64(offset)
    return Page(layout, starts, np.full(len(starts), size, np.uint64))


def _planes_said(imagej: Mapping[str, Any], shaped: Mapping[str, Any], first: Any) -> int:
    """How many pictures the description says there are; 0 where it does not say."""
    if isinstance(imagej.get("images"), int):
        return int(imagej["images"])
    shape = shaped.get("shape")
    if isinstance(shape, (list, tuple)) and all(isinstance(extent, int) for extent in shape):
        return int(np.prod([int(extent) for extent in shape], dtype=object)) // max(1, int(first.size))
    return 0


def _with_pages_of_one(pages: tuple[Page, ...], count: int, contiguous: bool) -> tuple[Page, ...]:
    """ImageJ (above 4 GiB) and tifffile (when asked to) describe one page, and the others follow without a header."""
    (first, *rest) = pages
    if rest or count <= 1 or not contiguous or first.layout.compression != NONE or count > 1 << 24:
        return pages
    offset = int(first.offsets[0])
    one = _one_strip(first.layout, offset)
    size = int(one.counts.sum())
    return tuple(_one_strip(first.layout, offset + index * size) for index in range(count))


def _resolution(page: Any) -> tuple[float, float] | None:
    """Pixels for each unit along x and y."""
    found = []
    for tag in (282, 283):
        value = page.tags.valueof(tag)
        if not isinstance(value, tuple) or len(value) != 2 or not (value[0] and value[1]):
            return None
        found.append(value[0] / value[1])
    return (found[0], found[1])
