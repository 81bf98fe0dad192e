"""Reading a window of a TIFF page: only the strips and tiles, of uncompressed ones only the rows, that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt
from voxgate_remotes.images.codecs import decoded
from voxgate_remotes.images.layout import DEFLATES, NONE, Layout
from voxgate_remotes.images.reading import OpenFile

_BAND_BYTES = 8 << 20
_DEFLATE_RATIO = 1100
"""Deflate cannot make more than about 1,032 bytes of one: what declares more is no picture."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a picture, half-open: rows y0 to y1, columns x0 to x1."""

    y0: int
    y1: int
    x0: int
    x1: int


Targets = Sequence[tuple[int, npt.NDArray[Any]]]
"""Which sample of each pixel goes into which array; each of the window's shape (y, x)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a file.

    Attributes:
        layout: of its pixels.
        offsets: where each segment starts in the file.
        counts: how many bytes each has.
    """

    layout: Layout
    offsets: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.uint64]


def read_window(file: OpenFile, page: Page, window: Window, targets: Targets, where: str) -> None:
    """Fill arrays with a window of a page.

    Raises:
        ChunkCorrupt: when a strip or tile is truncated, absent or cannot be decoded.
        StoreUnavailable: when the file cannot be read.
    """
    layout = page.layout
    rows = range(window.y0 // layout.segment_height, -(-window.y1 // layout.segment_height))
    columns = range(window.x0 // layout.segment_width, -(-window.x1 // layout.segment_width))
    planes = sorted({sample for sample, _ in targets}) if layout.planar else [0]
    for plane in planes:
        wanted = [(0 if layout.planar else s, target) for s, target in targets if s == plane or not layout.planar]
        for row in rows:
            for column in columns:
                index = (plane * layout.down + row) * layout.across + column
                _read_segment(_Segment(file, page, index, (row, column), where), window, wanted)


@dataclass(frozen=True, slots=True)
class _Segment:
    """One strip or tile: its index in the page's tables, and its place (row, column) in the grid of segments."""

    file: OpenFile
    page: Page
    index: int
    place: tuple[int, int]
    where: str


def _read_segment(segment: _Segment, window: Window, targets: Targets) -> None:
    """Fill the part of the targets that a segment has."""
    layout = segment.page.layout
    top, left = segment.place[0] * layout.segment_height, segment.place[1] * layout.segment_width
    y0, y1 = max(window.y0, top), min(window.y1, top + layout.segment_height)
    x0, x1 = max(window.x0, left), min(window.x1, left + layout.segment_width)
    step = y1 - y0
    if layout.compression == NONE:
        step = max(1, _BAND_BYTES // layout.row_bytes)
    for start in range(y0, y1, step):
        stop = min(start + step, y1)
        pixels = _rows(segment, start - top, stop - top)[:, x0 - left : x1 - left]
        for sample, target in targets:
            target[start - window.y0 : stop - window.y0, x0 - window.x0 : x1 - window.x0] = pixels[:, :, sample]


def _rows(segment: _Segment, start: int, stop: int) -> npt.NDArray[Any]:
    """The rows `start` to `stop` of a segment: shape (rows, segment width, samples)."""
    layout, height = segment.page.layout, segment.page.layout.height_of(segment.place[0])
    offset, count = int(segment.page.offsets[segment.index]), int(segment.page.counts[segment.index])
    if not count:
        raise ChunkCorrupt(f"{segment.where} lacks the pixels of a tile or strip", "restore the file from its source")
    if layout.compression == NONE:
        if count < height * layout.row_bytes:
            raise ChunkCorrupt(f"{segment.where} has less pixels than it declares", "restore the file from its source")
        rows = stop - start
        data = segment.file.read(offset + start * layout.row_bytes, rows * layout.row_bytes)
        return decoded(layout, data, rows, segment.where)
    if layout.compression in DEFLATES and height * layout.row_bytes > count * _DEFLATE_RATIO + 4096:
        raise ChunkCorrupt(f"{segment.where} declares more pixels than it can hold", "restore the file from its source")
    # Longer than any compression makes pixels: not read at all.
    data = segment.file.read(offset, min(count, 2 * height * layout.row_bytes + (1 << 16)))
    return decoded(layout, data, height, segment.where)[start:stop]
