"""Reading bytes of an HDF5 file that its owner may write to at any time: locked as the HDF5 library locks it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voxgate.model.errors import ChunkCorrupt, StoreAccessDenied, StoreBusy, StoreUnavailable, UnknownVolume

BUSY_S = 2.0
_MOST_AT_ONCE = 1 << 30  # Linux reads at most 2 GiB - 4 KiB at once

Identity = tuple[int, int, int, int]
"""A state of a file: its device, inode, size and time of modification in nanoseconds."""


def identity_of(status: os.stat_result) -> Identity:
    """The state that a file is in."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def busy() -> StoreBusy:
    """Somebody writes to the file."""
    return StoreBusy(
        "another program has the HDF5 file open for writing, or died while it had",
        "close it there; after a crash, run `h5clear -s` on the file",
        retry_after_s=BUSY_S,
    )


class HeldFile:
    """A file that is open for reading."""

    def __init__(self, file: Path, descriptor: int) -> None:
        """Take a file and a descriptor of it."""
        self._file = file
        self._descriptor = descriptor
        self.identity = identity_of(os.fstat(descriptor))

    @property
    def is_unchanged(self) -> bool:
        """Whether its name still leads to it, and nobody wrote to it."""
        try:
            return identity_of(os.stat(self._file)) == self.identity == identity_of(os.fstat(self._descriptor))
        except OSError:
            return False

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill a buffer with the bytes from a place on.

        Raises:
            ChunkCorrupt: when the file ends before.
            StoreUnavailable: when it cannot be read.
        """
        done = 0
        try:
            while done < len(buffer):
                count = os.preadv(self._descriptor, [buffer[done : done + _MOST_AT_ONCE]], offset + done)
                if count == 0:
                    break
                done += count
        except OverflowError:  # no file is so long
            pass
        except OSError as error:
            raise _unreadable(error) from None
        if done < len(buffer):
            raise ChunkCorrupt("the file is damaged or cut off: voxels lie past its end", "restore it from its source")


@contextmanager
def held(file: Path) -> Iterator[HeldFile]:
    """A file, open and locked against writers through the HDF5 library for as long as the context lasts.

    Raises:
        UnknownVolume, StoreBusy, StoreAccessDenied, StoreUnavailable.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise UnknownVolume("there is no such file", "list the level above") from None
    except PermissionError:
        raise StoreAccessDenied(
            "the server may not read the HDF5 file", "its operator checks the file's permissions"
        ) from None
    except OSError as error:
        raise _unreadable(error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnknownVolume("there is no such file", "list the level above")
        _lock(descriptor)
        yield HeldFile(file, descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """The lock that the HDF5 library's readers take; where a file system has none, there is none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy() from None
    except OSError:
        return


def _unreadable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the HDF5 file cannot be read: {os.strerror(error.errno or 0)}", "look at the store's host"
    )
