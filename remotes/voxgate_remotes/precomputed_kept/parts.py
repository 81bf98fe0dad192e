"""Parts of files as they are stored, piece by piece, and how long the files are.

On this machine a file is opened once, so that what is read is of one file, whoever replaces it meanwhile. Elsewhere
tensorstore reads; it tells no sizes, and takes a part that ends behind a file for an error. So a size is searched for,
with several questions for single bytes at a time, where it has to be known. That the pieces are of one file is known
by the generation that tensorstore passes on: a strong ETag of S3 and of web servers, a number of GCS (seen in release
0.1.86).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable
from voxgate.model.kept_mesh_files import PIECE_BYTES, MeshFilePiece
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import Folder
from voxgate_remotes.known_sizes import is_shorter
from voxgate_remotes.tensorstores import STORE_ERRORS, store_error, wait

_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
_TELLS = b"\0"
"""How a generation begins that tells one content from another; a weak ETag, or none, is another kind of generation."""
_FIRST_PLACES = tuple(1 << 3 * power for power in range(16))
_PLACES = 16


def stored_pieces(
    folder: Folder, context: CallContext, name: str, part: tuple[int, int | None]
) -> Iterator[MeshFilePiece]:
    """The bytes of a part of a file, with what is known of it; nothing where there is no such file.

    Args:
        folder: that has the file.
        context: the caller's patience.
        name: in the folder.
        part: its first byte, and the one after its last; None for the end of the file.

    Raises:
        PathRefused, StoreUnavailable, ChunkCorrupt, Cancelled, DeadlineExceeded.
    """
    here = folder.within(name).path  # looks where a link leads
    context.check()
    return _FarFile(folder, context, name).pieces(*part) if here is None else _here(here, context, part)


def _here(path: Path, context: CallContext, part: tuple[int, int | None]) -> Iterator[MeshFilePiece]:
    try:
        file = os.open(path, _FILE)
    except OSError as error:
        if error.errno in _ABSENT:
            return
        raise _unreadable(path.name, error) from None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return
        known_by = f"{found.st_dev}-{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"
        facts = _tag_of(known_by.encode()), found.st_size
        at, end = part[0], found.st_size if part[1] is None else min(part[1], found.st_size)
        if at >= end:
            yield MeshFilePiece(*facts)
        while at < end:
            context.check()
            data = os.pread(file, min(PIECE_BYTES, end - at), at)
            if not data:
                raise _changed(path.name)
            at += len(data)
            yield MeshFilePiece(*facts, data)
    except OSError as error:
        raise _unreadable(path.name, error) from None
    finally:
        os.close(file)


class _Absent(Exception):
    """There is no such file."""


class _FarFile:
    """A file that is not on this machine."""

    def __init__(self, folder: Folder, context: CallContext, name: str) -> None:
        self._folder = folder
        self._context = context
        self._name = name
        self._generation: bytes | None = None

    def pieces(self, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
        """See `stored_pieces`."""
        try:
            yield from self._pieces(start, stop)
        except _Absent:
            if self._generation is not None:  # it was there a moment ago
                raise _changed(self._name) from None

    def _pieces(self, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
        if stop is not None and start < stop <= start + PIECE_BYTES:
            data = self._part(start, stop)
            if data is not None:
                yield MeshFilePiece(self._tag, None, data)
                return
        size = None if stop is not None and start < stop and self._part(stop - 1, stop) is not None else self._size()
        end = min(each for each in (size, stop) if each is not None)
        if start >= end:
            yield MeshFilePiece(self._tag, size)
        for at in range(start, end, PIECE_BYTES):
            data = self._part(at, min(at + PIECE_BYTES, end))
            if data is None:
                raise _changed(self._name)
            yield MeshFilePiece(self._tag, size, data)

    def _size(self) -> int:
        """How many bytes the file has."""
        low, high, places = 0, 0, _FIRST_PLACES
        while True:
            has = [data is not None for data in self._parts([slice(place, place + 1) for place in places])]
            there = has.index(False) if False in has else len(has)
            if there:
                low = places[there - 1] + 1
            if there < len(places):
                high = places[there]
            if not high:
                raise ChunkCorrupt(f"`{self._name}` is longer than any file of meshes", "make it anew")
            if high - low <= PIECE_BYTES:
                break
            step = (high - low) // (_PLACES + 1)
            places = tuple(low + step * each for each in range(1, _PLACES + 1))
        (rest,) = self._parts([slice(low, None)])
        return low + len(rest or b"")

    def _part(self, start: int, stop: int) -> bytes | None:
        """Bytes of the file; None where it does not have all of them."""
        (data,) = self._parts([slice(start, stop)])
        return data

    def _parts(self, parts: Sequence[slice]) -> list[bytes | None]:
        """Several parts of the file, asked for at once; None for one that is not all there."""
        doing = f"reading `{self._name}`"
        self._context.check()
        patience = self._folder.patience(self._context, doing)
        try:
            store = wait(ts.KvStore.open(self._folder.kvstore()), patience)
            return [self._answer(each, patience) for each in [store.read(self._name, byte_range=p) for p in parts]]
        except STORE_ERRORS as error:
            raise store_error(error, doing) from error

    def _answer(self, future: object, patience: CallContext) -> bytes | None:
        try:
            found = wait(future, patience)
        except STORE_ERRORS as error:
            if is_shorter(error):
                return None
            raise
        if found.state == "missing":
            raise _Absent
        generation = bytes(found.stamp.generation)
        if self._generation not in (None, generation):
            raise _changed(self._name)
        self._generation = generation
        return bytes(found.value)

    @property
    def _tag(self) -> str:
        known_by = self._generation or b""
        return _tag_of(known_by) if known_by.startswith(_TELLS) else ""


def _tag_of(known_by: bytes) -> str:
    return hashlib.blake2b(known_by, digest_size=16).hexdigest()


def _changed(name: str) -> StoreUnavailable:
    return StoreUnavailable(f"`{name}` was replaced while it was read", "read it again", retry_after_s=1.0)


def _unreadable(name: str, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"`{name}` cannot be read: {error.strerror}", "look at the store's host")
