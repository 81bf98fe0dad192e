"""Reading the files of one folder, whole or in part, wherever it is; no more of them than is sane.

Programs that write through cloud-files (cloud-volume, igneous) store compressed files of a local folder as `NAME.gz`,
`NAME.br` … and those of object stores under their own name, with a Content-Encoding that not every transport undoes:
so what is no mesh and looks compressed is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt, InvalidSegmentId, MetadataInvalid, StoreAccessDenied
from voxgate.model.kept_mesh_files import MeshFilePiece
from voxgate.model.volumes import CallContext
from voxgate_remotes.folders import Folder
from voxgate_remotes.precomputed_kept.parts import stored_pieces
from voxgate_remotes.suffixes import GZIP, SUFFIXES, Suffix, undone
from voxgate_remotes.tensorstores import STORE_ERRORS, store_error, wait

T = TypeVar("T")

MOST_BYTES = 2**30
"""The most bytes that one mesh or skeleton may have, stored or decoded."""

REMEDY = "make it anew"


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
        """A file, parsed, as it is or with a compression suffix; None where it is absent.

        Args:
            name: relative to the folder.
            parse: raises ChunkCorrupt for what it cannot parse.
            limit: the most bytes, compressed or not.

        Raises:
            ChunkCorrupt: also for too many bytes, and for a file that is there with several suffixes, or in a folder
                of this machine with and without one; PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        plain = self._bytes(name, limit)
        if plain is None or self._folder.path is not None:  # elsewhere, readers know of no suffixes
            found = self._suffixed(name, limit)
            if len(found) + (plain is not None) > 1:
                raise ChunkCorrupt(f"`{name}` is there twice: readers differ in which one counts", "remove the older")
            if found:
                return self._parsed(*found[0], parse, limit)
        if plain is None:
            return None
        try:
            return parse(plain)
        except ChunkCorrupt:
            suffix = next((each for each in SUFFIXES if each.magic and plain.startswith(each.magic)), None)
            if suffix is None:
                raise
        return parse(undone(plain, suffix, limit, f"`{name}`", REMEDY))

    def _suffixed(self, name: str, limit: int) -> list[tuple[bytes, Suffix]]:
        """What is there under a name with each suffix."""
        names = [f"{name}{suffix.ending}" for suffix in SUFFIXES]
        if self._folder.path is None:
            stored = self._asked(names, None)
            if any(data is not None and len(data) > limit for data in stored):
                raise ChunkCorrupt(f"`{name}` has more than {limit} bytes", REMEDY)
        else:
            stored = [self._bytes(each, limit) for each in names]
        return [(data, suffix) for data, suffix in zip(stored, SUFFIXES, strict=True) if data is not None]

    def _parsed(self, data: bytes, suffix: Suffix, parse: Callable[[bytes], T], limit: int) -> T:
        """What was stored with a suffix; a web server may have undone it: some take it for its own."""
        try:
            plain = undone(data, suffix, limit, "what is stored with a compression suffix", REMEDY)
        except ChunkCorrupt:
            if self._folder.path is not None or (suffix.magic and data.startswith(suffix.magic)):
                raise
            plain = data
        return parse(plain)

    def below(self, relative: str) -> KeptFiles:
        """The files of a folder that a file of this one names.

        Raises:
            PathRefused: when it leads out of the remote.
        """
        return KeptFiles(self._folder.within(relative), self._context)

    def pieces(self, name: str, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
        """The bytes [start, stop) of a file as it is stored; see `stored_pieces`. Nothing of one that is absent."""
        return stored_pieces(self._folder, self._context, name, (start, stop))

    def part(self, name: str, start: int, stop: int) -> bytes | None:
        """The bytes [start, stop) of a file; None where it is absent.

        Raises:
            ChunkCorrupt: when it has no such bytes; PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        if not 0 <= start <= stop < 2**63 or stop - start > MOST_BYTES:
            raise ChunkCorrupt(f"what is stored of `{name}` states {stop - start} bytes at {start}", REMEDY)
        (data,) = self._asked([name], slice(start, stop))
        if data is not None and len(data) != stop - start:
            raise ChunkCorrupt(f"`{name}` is shorter than is stated of it", REMEDY)
        return data

    def _bytes(self, name: str, limit: int) -> bytes | None:
        if self._folder.path is None:  # `Folder.read` is for documents: it may take a page in HTML for an absent one
            (data,) = self._asked([name], None)
            if data is not None and len(data) > limit:
                raise ChunkCorrupt(f"`{name}` has more than {limit} bytes", REMEDY)
            return data
        self._folder.within(name)
        self._context.check()
        try:
            return self._folder.read(name, limit)
        except MetadataInvalid as error:
            raise ChunkCorrupt(f"`{name}` has more than {limit} bytes", REMEDY) from error

    def _asked(self, names: list[str], byte_range: slice | None) -> list[bytes | None]:
        """What tensorstore reads of files, all of them at once; None where one is absent."""
        for name in names:
            self._folder.within(name)  # the name was found in a file, or the file may be a link: both are looked at
        self._context.check()
        try:
            store = wait(ts.KvStore.open(self._folder.kvstore()), self._context)
            futures = [store.read(name, byte_range=byte_range) for name in names]
            found = [wait(future, self._context) for future in futures]
        except STORE_ERRORS as error:
            if str(error).startswith("OUT_OF_RANGE"):
                raise ChunkCorrupt(f"`{names[0]}` is shorter than is stated of it", REMEDY) from error
            raise store_error(error, f"reading `{names[0]}`") from error
        return [None if one.state == "missing" else bytes(one.value) for one in found]


def gunzipped(data: bytes, limit: int) -> bytes:
    """What was compressed with gzip.

    Raises:
        ChunkCorrupt: when it is cut short, is more than `limit` bytes, or was not.
    """
    return undone(data, GZIP, limit, "what is compressed", REMEDY)


def check_id(segment_id: int) -> None:
    """Refuse background.

    Raises:
        InvalidSegmentId: for 0, and for what is no id.
    """
    if not 0 < segment_id < 1 << 64:
        raise InvalidSegmentId(f"{segment_id} is no segment", "0 is background; ids are 1 to 2**64 - 1")
