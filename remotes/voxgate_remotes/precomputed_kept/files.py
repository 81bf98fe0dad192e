"""Reading the files of one folder, whole or in part, wherever it is; no more of them than is sane.

Programs that write through cloud-files (cloud-volume, igneous) store compressed files of a local folder as `NAME.gz`
and those of object stores under their own name, with a Content-Encoding that not every transport undoes: so what is
no mesh and looks like gzip (RFC 1952) is looked at once more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, InvalidSegmentId, MetadataInvalid, StoreAccessDenied
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import Folder
from voxgate_remotes.tensorstores import STORE_ERRORS, store_error, wait

T = TypeVar("T")

MOST_BYTES = 2**30
"""The most bytes that one mesh or skeleton may have, stored or decoded."""

REMEDY = "make it anew"
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: the largest window, with gzip's header


class KeptFiles:
    """The files of one folder that a volume's `info` names, for one caller. Thread-safe."""

    def __init__(self, folder: Folder, context: CallContext) -> None:
        self._folder = folder
        self._context = context

    @property
    def context(self) -> CallContext:
        """The caller's patience."""
        return self._context

    def info(self) -> dict[str, Any] | None:
        """The folder's own `info`; None where it has none.

        Raises:
            MetadataInvalid, PathRefused, StoreUnavailable.
        """
        self._folder.within("info")
        self._context.check()
        try:
            return self._folder.json("info")
        except StoreAccessDenied:  # so does a bucket answer that we may not list, where there is none
            return None

    def whole(self, name: str, parse: Callable[[bytes], T], limit: int = MOST_BYTES) -> T | None:
        """A file, parsed, as it is or compressed with gzip; None where it is absent.

        Args:
            name: relative to the folder.
            parse: raises ChunkCorrupt for what it cannot parse.
            limit: the most bytes, compressed or not.

        Raises:
            ChunkCorrupt: also for too many bytes; PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        plain = self._bytes(name, limit)
        if plain is None:
            compressed = self._bytes(f"{name}.gz", limit)
            return None if compressed is None else parse(gunzipped(compressed, limit))
        try:
            return parse(plain)
        except ChunkCorrupt:
            if not plain.startswith(_GZIP_MAGIC):
                raise
        return parse(gunzipped(plain, limit))

    def part(self, name: str, start: int, stop: int) -> bytes | None:
        """The bytes [start, stop) of a file; None where it is absent.

        Raises:
            ChunkCorrupt: when it has no such bytes; PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        if not 0 <= start <= stop < 2**63 or stop - start > MOST_BYTES:
            raise ChunkCorrupt(f"what is stored of `{name}` states {stop - start} bytes at {start}", REMEDY)
        data = self._asked(name, slice(start, stop))
        if data is not None and len(data) != stop - start:
            raise ChunkCorrupt(f"`{name}` is shorter than is stated of it", REMEDY)
        return data

    def _bytes(self, name: str, limit: int) -> bytes | None:
        if self._folder.path is None:  # `Folder.read` is for documents: it may take a page in HTML for an absent one
            data = self._asked(name, None)
            if data is not None and len(data) > limit:
                raise ChunkCorrupt(f"`{name}` has more than {limit} bytes", REMEDY)
            return data
        self._folder.within(name)
        self._context.check()
        try:
            return self._folder.read(name, limit)
        except MetadataInvalid as error:
            raise ChunkCorrupt(f"`{name}` has more than {limit} bytes", REMEDY) from error

    def _asked(self, name: str, byte_range: slice | None) -> bytes | None:
        """What tensorstore reads of a file; None where it is absent."""
        self._folder.within(name)  # the name was found in a file, or the file may be a link: both are looked at
        self._context.check()
        try:
            store = wait(ts.KvStore.open(self._folder.kvstore()), self._context)
            found = wait(store.read(name, byte_range=byte_range), self._context)
        except STORE_ERRORS as error:
            if str(error).startswith("OUT_OF_RANGE"):
                raise ChunkCorrupt(f"`{name}` is shorter than is stated of it", REMEDY) from error
            raise store_error(error, f"reading `{name}`") from error
        return None if found.state == "missing" else bytes(found.value)


def gunzipped(data: bytes, limit: int) -> bytes:
    """What was compressed with gzip.

    Raises:
        ChunkCorrupt: when it is cut short, is more than `limit` bytes, or was not.
    """
    unzip = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = unzip.decompress(data, limit + 1)
    except zlib.error:
        raise ChunkCorrupt("compressed bytes cannot be decompressed", REMEDY) from None
    if len(plain) > limit or not unzip.eof:
        raise ChunkCorrupt(f"compressed bytes are cut short, or become more than {limit}", REMEDY)
    return plain


def check_id(segment_id: int) -> None:
    """Refuse background.

    Raises:
        InvalidSegmentId: for 0, and for what is no id.
    """
    if not 0 < segment_id < 1 << 64:
        raise InvalidSegmentId(f"{segment_id} is no segment", "0 is background; ids are 1 to 2**64 - 1")
