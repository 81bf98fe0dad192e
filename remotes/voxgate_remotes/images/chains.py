"""The chain of pages of a TIFF file: each says where the next one is, the last one 0.

Format: TIFF 6.0, section 2 (8-byte header, 12-byte entries); BigTIFF (16-byte header, 20-byte entries).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from voxgate.model.errors import VoxgateError
from voxgate_remotes.images.reading import opened

Read = Callable[[int, int], bytes]
"""Bytes of a file: (offset, count) -> exactly those; raises ChunkCorrupt where it ends before."""

_ORDERS = {b"II": "<", b"MM": ">"}


def first(read: Read) -> int:
    """The offset of the first page.

    Raises:
        struct.error: when it is no TIFF file.
    """
    order, is_big = _kind(read)
    return _number(order + ("Q" if is_big else "I"), read, 8 if is_big else 4)


def following(read: Read, page: int) -> int:
    """The offset of the page after the one at an offset; 0 after the last one.

    Raises:
        struct.error: when it is no TIFF file.
    """
    order, is_big = _kind(read)
    count_format, entry, pointer_format = ("Q", 20, "Q") if is_big else ("H", 12, "I")
    count = _number(order + count_format, read, page)
    return _number(order + pointer_format, read, page + struct.calcsize(order + count_format) + count * entry)


def has_several_pages(path: Path) -> bool:
    """Whether a file has a second page; False for what is no TIFF file. Reads a few bytes."""
    try:
        with opened(path) as file:
            return following(file.read, first(file.read)) != 0
    except (VoxgateError, struct.error):
        return False


def _kind(read: Read) -> tuple[str, bool]:
    """The byte order, and whether it is a BigTIFF."""
    start = read(0, 4)
    order = _ORDERS.get(start[:2])
    version = struct.unpack(f"{order}H", start[2:])[0] if order else 0
    if order is None or version not in (42, 43):
        raise struct.error("no TIFF file")
    return order, version == 43


def _number(layout: str, read: Read, offset: int) -> int:
    return int(struct.unpack(layout, read(offset, struct.calcsize(layout)))[0])
