"""Chunk files in one folder, opened once per read: no paths are walked again, and a chunk costs one open.

Where a chunk file stands, a symbolic link or a pipe may stand too: links are followed as tensorstore follows them, and
files are opened without blocking, so that a pipe is an error and not an endless wait.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable

_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_READ_BYTES = 2**30  # Linux reads at most 2 GiB - 4 KiB at once
REMEDY = "restore it from its source"


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[int | None]:
    """A descriptor of a folder, closed in the end; None where there is no such folder.

    Raises:
        StoreUnavailable: when it cannot be opened.
    """
    try:
        folder = os.open(path, _FOLDER)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise unreadable("the folder of the chunks", error) from None
    try:
        yield folder
    finally:
        os.close(folder)


def open_chunk(folder: int | None, name: str, where: object) -> int | None:
    """A descriptor of a chunk's file, for the caller to close; None where there is none.

    Args:
        folder: as `opened_folder` answered.
        name: relative to the folder.
        where: the chunk's voxels, for messages; made text only then.

    Raises:
        StoreUnavailable: when it cannot be opened.
    """
    if folder is None:
        return None
    try:
        return os.open(name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(f"the chunk {where}", error) from None


def has_file(folder: int | None, name: str) -> bool:
    """Whether a folder has a name, be it a dangling link."""
    return folder is not None and os.access(name, os.F_OK, dir_fd=folder, follow_symlinks=False)


def size_of(folder: int | None, name: str, where: object) -> int | None:
    """The bytes of a chunk's file; None where there is none.

    Args:
        folder: as `opened_folder` answered.
        name: relative to the folder.
        where: the chunk's voxels, for messages; made text only then.

    Raises:
        StoreUnavailable: when it cannot be looked at.
    """
    if folder is None:
        return None
    try:
        return os.stat(name, dir_fd=folder).st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(f"the chunk {where}", error) from None


def read_whole(file: int, limit: int, where: object) -> bytes:
    """All bytes of a chunk's file.

    Raises:
        ChunkCorrupt: when there are more than `limit`: nobody reads an endless file into memory.
        StoreUnavailable: for what is no file, such as a pipe, which would look like an empty one.
        OSError: whatever the system says.
    """
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailable(f"the chunk {where} is no regular file", "look at its host")
    size = found.st_size
    if size > limit:
        raise too_large(where)
    data = os.read(file, min(size, _READ_BYTES) + 1)  # one more: a file that grows is noticed
    if len(data) == size:
        return data
    parts = [data]
    while (got := sum(map(len, parts))) <= limit and (more := os.read(file, _READ_BYTES)):
        parts.append(more)
    if got > limit:
        raise ChunkCorrupt(f"the stored chunk with the voxels {where} grows while it is read", "read it again later")
    return b"".join(parts)


def too_large(where: object) -> ChunkCorrupt:
    """What is said of a chunk that is not read because of its size."""
    return ChunkCorrupt(f"the stored chunk with the voxels {where} is larger than any encoding makes it", REMEDY)


def unreadable(what: str, error: OSError) -> StoreUnavailable:
    """The system's refusal in our words, without its path."""
    return StoreUnavailable(f"{what} cannot be read: {error.strerror}", "look at its host")
