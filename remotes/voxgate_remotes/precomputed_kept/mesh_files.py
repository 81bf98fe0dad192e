"""The files of the meshes that a precomputed volume keeps, as they are, to be passed on.

Small documents are read whole, decompressed where they were stored so, and looked at: what is broken is said here, in
words, and not by a reader that takes it for a mesh. Fragments and shards are read in parts, as they are stored.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid, StoreAccessDenied
from voxgate.model.kept_mesh_files import PIECE_BYTES, MeshFileKind, MeshFilePiece, check_part, mesh_file_kind
from voxgate_remotes.precomputed_kept.files import MOST_BYTES, REMEDY, KeptFiles
from voxgate_remotes.precomputed_kept.legacy import fragment_names, parsed_fragment
from voxgate_remotes.precomputed_kept.multires import parsed_manifest

_MOST_DOCUMENT_BYTES = 2**26
_MOST_PROPERTIES_BYTES = 2**28


@dataclass(frozen=True, slots=True)
class _Document:
    """How a file is read that is read whole: the most bytes it may have, and what refuses one that is broken."""

    most_bytes: int
    check: Callable[[bytes], object]

    def parsed(self, data: bytes) -> bytes:
        """The same bytes, looked at."""
        self.check(data)
        return data


def _is_page(data: bytes) -> bool:
    """Whether it is HTML: some web servers answer with a page to whatever they do not have."""
    return data.lstrip()[:1] == b"<"


def _json(data: bytes) -> None:
    if _is_page(data):
        return
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ChunkCorrupt("an `info` of meshes or their properties is truncated, or no JSON object", REMEDY)


_DOCUMENTS = {
    MeshFileKind.INFO: _Document(_MOST_DOCUMENT_BYTES, _json),
    MeshFileKind.PROPERTIES: _Document(_MOST_PROPERTIES_BYTES, _json),
    MeshFileKind.INDEX: _Document(_MOST_DOCUMENT_BYTES, parsed_manifest),
    MeshFileKind.LEGACY_MANIFEST: _Document(_MOST_DOCUMENT_BYTES, fragment_names),
    MeshFileKind.LEGACY_FRAGMENT: _Document(MOST_BYTES, parsed_fragment),
}
"""Every other kind is read in parts."""


class PrecomputedMeshFiles:
    """Files of meshes that are kept, for one caller; satisfies StoredMeshFiles."""

    def __init__(self, files: Callable[[], KeptFiles]) -> None:
        """Take what opens the folder: nothing is looked at before a file is asked for."""
        self._open = files

    def read_mesh_file(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[MeshFilePiece] | None:
        """A part of a file; see `StoredMeshFiles.read_mesh_file`."""
        kind = mesh_file_kind(name)
        check_part(start, stop)
        document = _DOCUMENTS.get(kind)
        if document is None:
            pieces = self._files.pieces(name, start, stop)
        else:
            found = self._properties(document) if kind is MeshFileKind.PROPERTIES else self._whole(name, document)
            pieces = _cut(found, start, stop)
        first = next(pieces, None)  # is read now: whoever asks is told at once whether there is such a file
        return None if first is None else itertools.chain((first,), pieces)

    @functools.cached_property
    def _files(self) -> KeptFiles:
        return self._open()

    def _whole(self, name: str, document: _Document) -> bytes | None:
        try:
            return _told(self._files.whole(name, document.parsed, document.most_bytes))
        except StoreAccessDenied:
            if name != "info":
                raise
            return None  # so does a bucket answer that we may not list, where there is none

    def _properties(self, document: _Document) -> bytes | None:
        """The `info` in the folder of properties that the meshes' own `info` names."""
        info = self._whole("info", _DOCUMENTS[MeshFileKind.INFO])
        named = None if info is None else json.loads(info).get("segment_properties")
        if named is None or named == "":
            return None
        if not isinstance(named, str):
            raise MetadataInvalid("`segment_properties` in the meshes' `info` is no name of a folder", "correct it")
        return _told(self._files.below(named).whole("info", document.parsed, document.most_bytes))


def _told(document: bytes | None) -> bytes | None:
    return None if document is None or _is_page(document) else document


def _cut(data: bytes | None, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
    """A part of a document, in pieces; nothing of None."""
    if data is None:
        return
    facts = hashlib.blake2b(data, digest_size=16).hexdigest(), len(data)
    part = memoryview(data)[start:stop]
    for at in range(0, max(1, len(part)), PIECE_BYTES):
        yield MeshFilePiece(*facts, bytes(part[at : at + PIECE_BYTES]))
