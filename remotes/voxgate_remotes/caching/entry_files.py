"""Files of a cache: one part of one chunk each, which says what it is and is believed only if it is whole.

A file is written beside its place and renamed into it. It has no fsync: what a crash leaves of it fails its checksum,
and what is not there is asked of the store again. Layout, little-endian: 8 bytes "VOXGATEc", the key's digest (32),
when the store was asked (float64), length of the facts (uint32) and of the data (uint64), facts, data, and the CRC-32
(zlib's) of everything before it (uint32).
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from voxgate_remotes.caching.keys import Kept, Key

_MAGIC = b"VOXGATEc"
_HEAD = struct.Struct("<8s32sdIQ")
_CRC = struct.Struct("<I")
_TEMPORARY = ".part-"
_TEMPORARY_LIVES_S = 600.0
_TOUCHED_AFTER_S = 60.0
_BLOCK = 4096
FILE_LIMIT = 256 << 20
"""Larger files are not ours."""


class DamagedFile(Exception):
    """A file is not what should be in its place."""


def disk_size(size: int) -> int:
    """What a file of so many bytes takes on disk, about."""
    return -(-size // _BLOCK) * _BLOCK


def write_entry(path: Path, key: Key, kept: Kept) -> int:
    """Put a part of a chunk in its place.

    Returns:
        The bytes that it takes on disk.

    Raises:
        OSError.
    """
    head = _HEAD.pack(_MAGIC, key.digest, kept.made, len(kept.facts), len(kept.data))
    crc = zlib.crc32(kept.data, zlib.crc32(kept.facts, zlib.crc32(head)))
    parts = [head, kept.facts, kept.data, _CRC.pack(crc)]
    temporary = path.with_name(f"{_TEMPORARY}{os.urandom(8).hex()}")
    try:
        with _new_file(temporary) as descriptor:
            for part in parts:
                _write_all(descriptor, part)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return disk_size(sum(map(len, parts)))


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def read_entry(path: Path, key: Key) -> Kept:
    """A part of a chunk from its place; the file counts as used.

    Raises:
        FileNotFoundError: when there is none.
        DamagedFile: when it is not whole, or of something else.
        OSError.
    """
    # A pipe in its place must not be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or not _HEAD.size + _CRC.size <= facts.st_size <= FILE_LIMIT:
            raise DamagedFile
        kept = _understood(descriptor, facts.st_size, key)
        if abs(time.time() - facts.st_mtime) > _TOUCHED_AFTER_S:
            with contextlib.suppress(OSError):
                os.utime(descriptor)
    finally:
        os.close(descriptor)
    return kept


def _understood(descriptor: int, size: int, key: Key) -> Kept:
    head = os.read(descriptor, _HEAD.size)
    if len(head) < _HEAD.size:
        raise DamagedFile
    magic, digest, made, facts_length, data_length = _HEAD.unpack(head)
    if magic != _MAGIC or digest != key.digest or _HEAD.size + facts_length + data_length + _CRC.size != size:
        raise DamagedFile
    facts, data, tail = (os.read(descriptor, length) for length in (facts_length, data_length, _CRC.size))
    crc = zlib.crc32(data, zlib.crc32(facts, zlib.crc32(head)))
    if len(facts) != facts_length or len(data) != data_length or tail != _CRC.pack(crc):
        raise DamagedFile
    return Kept(data, facts, made)


def entry_files(root: Path) -> Iterator[tuple[float, int, str]]:
    """(last use, bytes on disk, path) of every file of a cache; what killed writers left is removed by the way."""
    folders = [os.fspath(root)]
    while folders:
        with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if not entry.name.startswith(_TEMPORARY):
                        yield facts.st_mtime, disk_size(facts.st_size), entry.path
                    elif time.time() - facts.st_mtime > _TEMPORARY_LIVES_S:
                        os.unlink(entry.path)
