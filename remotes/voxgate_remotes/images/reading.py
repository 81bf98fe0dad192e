"""Files as they are read here: never through a symbolic link, and noticed when they change under the reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.model.errors import ChunkCorrupt, ChunkMissing, StoreUnavailable, UnsupportedFormat

Stamp = tuple[int, int, int]
"""What tells one state of a file from another: (modification time, size, inode)."""

MOST_DECODED_BYTES = 1 << 30
"""What one strip, tile or picture may decode to."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open for reading at any place, by several threads.

    Attributes:
        descriptor: for os.pread.
        name: of the file, without its folder: for messages.
        stamp: what it looked like when it was opened.
    """

    descriptor: int
    name: str
    stamp: Stamp

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.stamp[1]

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            ChunkCorrupt: when the file ends before.
            StoreUnavailable: when it cannot be read.
        """
        if count > self.size - offset:
            raise ChunkCorrupt(f"`{self.name}` is truncated", "restore it from its source")
        parts = []
        try:
            while count > 0:
                part = os.pread(self.descriptor, count, offset)
                if not part:
                    raise ChunkCorrupt(f"`{self.name}` is truncated", "restore it from its source")
                parts.append(part)
                offset, count = offset + len(part), count - len(part)
        except OSError as error:
            raise unreadable(self.name, error) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def check_unchanged(self) -> None:
        """Refuse what was read when the file was written to meanwhile.

        Raises:
            StoreUnavailable.
        """
        if _stamp(os.fstat(self.descriptor)) != self.stamp:
            raise changed(self.name)


@contextmanager
def opened(path: Path, expected: Stamp | None = None) -> Iterator[OpenFile]:
    """A file, closed at the end of the block.

    Args:
        path: a real path: a symbolic link that took its place is not followed.
        expected: what it looked like when the volume was opened; None for any.

    Raises:
        ChunkMissing: when it is not there.
        StoreUnavailable: when it cannot be read, or changed since.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ChunkMissing(f"`{path.name}` is not there any more", "restore it from its source") from None
    except OSError as error:
        raise unreadable(path.name, error) from None
    try:
        file = OpenFile(descriptor, path.name, _stamp(os.fstat(descriptor)))
        if expected is not None and file.stamp != expected:
            raise changed(path.name)
        yield file
    finally:
        os.close(descriptor)


def unreadable(name: str, error: OSError) -> StoreUnavailable:
    """What the operating system refused."""
    return StoreUnavailable(f"`{name}` cannot be read: {error.strerror}", "look at the store's host")


def changed(name: str) -> StoreUnavailable:
    """What a reader is told whose file was replaced or written to; trying again opens the volume as it is now."""
    return StoreUnavailable(f"`{name}` was changed while it was read", "read again; the volume is opened anew")


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def tifffile_library() -> Any:
    """The library tifffile; it parses the headers of TIFF files.

    Raises:
        UnsupportedFormat: when it is not installed.
    """
    try:
        import tifffile  # noqa: PLC0415  (an extra)
    except ImportError:
        raise _missing("tifffile") from None
    return tifffile


def pillow_image() -> Any:
    """Pillow's module Image; it decodes PNG, JPEG and the compressions of TIFF.

    Raises:
        UnsupportedFormat: when it is not installed.
    """
    try:
        from PIL import Image  # noqa: PLC0415  (an extra)
    except ImportError:
        raise _missing("Pillow") from None
    return Image


def _missing(library: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"pictures need the library {library}, which this server lacks", "pip install 'voxgate-remotes[images]'"
    )
