"""Replacing a file of chunks: readers see the old one or the new one, and what is replaced has reached the disk.

The way is tensorstore's (release 0.1.86, kvstore "file", as its system calls show), so that its writers and ours can
write to one file: the new bytes go to `NAME.__lock`, on which an open file description lock is held and which is then
renamed to `NAME`; whoever gets a lock looks whether the file still has that name. What a crash leaves is taken over by
the next writer of the file.

Bytes go past the page cache where the file system lets them (open(2), O_DIRECT): a bulk copy would fill it with what
nobody is about to read, and copying into it costs more processor time than all that is done here (measured).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.durable import made_folders, sync_folder

_LOCK_SUFFIX = ".__lock"
_BUFFER_BYTES = 2**21
_ALIGNMENT = 4096
"""Of memory, place and size of what goes past the page cache: a multiple of what every usual disk asks for."""
_PATIENCE_S = 0.005
_BUSY = (errno.EAGAIN, errno.EACCES)
_FULL = (errno.ENOSPC, errno.EDQUOT)

Data = bytes | memoryview


def can_replace() -> bool:
    """Whether this system has what `replaced` needs."""
    return sys.platform == "linux"


class Appender:
    """Writes a file from its start, in pieces of any size."""

    def __init__(self, file: int) -> None:
        """Take the descriptor of an empty file."""
        self._file = file
        memory = mmap.mmap(-1, _BUFFER_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # starts at a page
        self._buffer = np.frombuffer(memory, np.uint8)
        self._filled = 0
        self._written = 0
        self._direct = False

    @property
    def size(self) -> int:
        """The bytes so far."""
        return self._written + self._filled

    def append(self, data: Data) -> None:
        """Add bytes; they are copied.

        Raises:
            OSError: whatever the system says.
        """
        source = np.frombuffer(data, np.uint8)  # numpy copies without the interpreter's lock
        at = 0
        while at < len(source):
            part = source[at : at + _BUFFER_BYTES - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            at += len(part)
            if self._filled == _BUFFER_BYTES:
                if self._written == 0:
                    self._direct = self._set_direct(True)
                self._write(_BUFFER_BYTES)

    def finish(self) -> None:
        """Write what is left, and cut the file to its size.

        Raises:
            OSError: whatever the system says.
        """
        size = self.size
        padded = -(-self._filled // _ALIGNMENT) * _ALIGNMENT
        self._write(padded if self._direct else self._filled)
        if self._written != size:
            os.ftruncate(self._file, size)

    def _write(self, size: int) -> None:
        at = 0
        while at < size:
            try:
                at += os.write(self._file, self._buffer[at:size].data)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._direct = self._set_direct(False)  # this disk wants more than our alignment
        self._written += size
        self._filled = 0

    def _set_direct(self, wanted: bool) -> bool:
        """Turn writing past the page cache on or off; whether it is on."""
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL) & ~os.O_DIRECT
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | (os.O_DIRECT if wanted else 0))
        except OSError:
            return False
        return wanted


@contextlib.contextmanager
def replaced(path: Path, *, fsync: bool, context: CallContext) -> Iterator[Appender]:
    """Write a file anew; when this ends without an exception it is there, else everything is as before.

    Args:
        path: the file, whose folders are made.
        fsync: whether the file, its name and its folders are durable in the end.
        context: the caller's patience, while somebody else writes this file.

    Raises:
        StoreUnavailable: when it cannot be written.
        Cancelled, DeadlineExceeded.
    """
    lock = path.with_name(path.name + _LOCK_SUFFIX)
    try:
        grown = made_folders(path.parent)
        file = _locked(lock, context)
        try:
            appender = Appender(file)
            yield appender
            appender.finish()
            if fsync:
                os.fsync(file)
            lock.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                lock.unlink()
            raise
        finally:
            os.close(file)  # the lock goes with it
        if fsync:
            for folder in (path.parent, *reversed(grown)):
                sync_folder(folder)
    except OSError as error:
        if error.errno in _FULL:
            raise StoreUnavailable("the store has no space left", "make room, then try again") from None
        raise StoreUnavailable(f"a chunk file cannot be written: {error.strerror}", "look at its host") from None


def _locked(lock: Path, context: CallContext) -> int:
    """A descriptor of the file of this name, empty and locked."""
    while True:
        file = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _take_lock(file, context)
            if _has_name(file, lock):
                os.ftruncate(file, 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # somebody wrote the whole file meanwhile, or gave up


def _take_lock(file: int, context: CallContext) -> None:
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock of 64 bits; 0, 0: every byte
    while True:
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, whole)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
            context.check()
            time.sleep(_PATIENCE_S)
        else:
            return


def _has_name(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
