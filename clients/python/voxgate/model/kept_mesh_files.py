"""The files of meshes that a store keeps, by the names that their format gives them.

Format: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md and sharded.md. Multi-resolution meshes
are a manifest `{id}.index` and fragments `{id}`, or both in `{shard}.shard`; legacy ones a manifest `{id}:{lod}` and
the fragments that it names. `info` says of which kind they are; where there is none they are legacy ones.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from voxgate.model.errors import InvalidArgument, InvalidSegmentId

MULTIRES = "neuroglancer_multilod_draco"
"""The `@type` of multi-resolution meshes."""
PIECE_BYTES = 2 << 20
"""The most bytes of one piece of a file."""

_NUMBER = r"0|[1-9][0-9]{0,39}"
_MOST_POSITION = 2**63
_REMEDY = "info, ID.index, ID, HEX.shard, ID:LOD, a fragment that it names, or segment_properties"


class MeshFileKind(enum.Enum):
    """What a file of meshes is."""

    INFO = "info"
    PROPERTIES = "segment_properties"
    INDEX = "index"
    FRAGMENTS = "fragments"
    SHARD = "shard"
    LEGACY_MANIFEST = "legacy manifest"
    LEGACY_FRAGMENT = "legacy fragment"


_GRAMMAR: tuple[tuple[MeshFileKind, re.Pattern[str]], ...] = (
    (MeshFileKind.INFO, re.compile("info")),
    (MeshFileKind.PROPERTIES, re.compile("segment_properties")),
    (MeshFileKind.INDEX, re.compile(rf"({_NUMBER})\.index")),
    (MeshFileKind.FRAGMENTS, re.compile(f"({_NUMBER})")),
    (MeshFileKind.SHARD, re.compile(r"[0-9a-f]{1,16}\.shard")),
    (MeshFileKind.LEGACY_MANIFEST, re.compile(rf"({_NUMBER}):(?:0|[1-9][0-9]{{0,9}})")),
    # Whatever a manifest may name that is one plain segment of a path; meshing jobs put bounds into it.
    (MeshFileKind.LEGACY_FRAGMENT, re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:,+=~-]{0,254}")),
)


def mesh_file_kind(name: str) -> MeshFileKind:
    """What a file is by its name.

    Raises:
        InvalidSegmentId: for a name with an id that is none: 0, or 2**64 and above.
        InvalidArgument: for what the format calls no file; whatever could lead into another folder is none.
    """
    for kind, pattern in _GRAMMAR:
        if match := pattern.fullmatch(name):
            if match.groups() and not 0 < int(match[1]) < 1 << 64:
                raise InvalidSegmentId(f"{match[1]} is no segment", "0 is background; ids are 1 to 2**64 - 1")
            return kind
    raise InvalidArgument("this is no name of a file of meshes", _REMEDY, details={"field": "name"})


def check_part(start: int, stop: int | None) -> None:
    """Refuse a part of a file that cannot be meant.

    Raises:
        InvalidArgument.
    """
    if not 0 <= start < _MOST_POSITION or (stop is not None and not start <= stop < _MOST_POSITION):
        raise InvalidArgument(
            "the part ends before it begins, or lies where no file has bytes",
            "0 <= start <= stop < 2**63",
            details={"field": "start_byte"},
        )


@dataclass(frozen=True, slots=True)
class MeshFilePiece:
    """Bytes of a file, and what is known of it; the same in every piece of one answer.

    Attributes:
        tag: another one whenever the bytes of the file are others; empty where the store has nothing that tells.
        byte_count: of the whole file; None only where the store does not tell it with a part.
        data: the next bytes, at most PIECE_BYTES.
    """

    tag: str
    byte_count: int | None
    data: bytes = b""


class StoredMeshFiles(Protocol):
    """The store keeps meshes in files that can be passed on as they are."""

    def read_mesh_file(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[MeshFilePiece] | None:
        """The bytes [start, stop) of a file, as far as it has them; up to its end where `stop` is None.

        Files that are small documents come decompressed. Fragments and shards come as they are stored.

        Args:
            name: see `mesh_file_kind`; "segment_properties" is the `info` of those that the meshes' `info` names.
            start: of the first byte.
            stop: after the last byte. With `stop` equal to `start` the file is only looked at.

        Returns:
            At least one piece; the first may be without bytes. `byte_count` is known but of a part that is all there
            and not empty. None where there is no such file.

        Raises:
            InvalidArgument: for what is no name, or no part.
            StoreUnavailable: when the store fails, or the file is replaced while it is read; also between pieces.
            ChunkCorrupt: for a document that cannot be decompressed, or is none.
            MetadataInvalid, PathRefused, Cancelled, DeadlineExceeded.
        """
        ...
