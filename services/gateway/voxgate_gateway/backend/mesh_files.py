"""The files of meshes that a store keeps, as the Mesh service passes them on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import MetadataInvalid, Unimplemented, UnknownKey
from voxgate.model.kept_mesh_files import MeshFilePiece
from voxgate.v1 import mesh_pb2
from voxgate.wire.mesh_files import mesh_file_pieces
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.described import Described
from voxgate_gateway.http.ranges import Span

_READING_S = 900.0
"""Of a whole file, to a client that takes its time."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A part of a file under way; whoever does not take all of it closes it.

    Attributes:
        tag: another one whenever the bytes of the file are others; empty where the store has nothing that tells.
        byte_count: of the whole file; None where only the part is known.
        span: the bytes of it that come, as far as the file has them.
        pieces: those bytes.
    """

    tag: str
    byte_count: int | None
    span: Span
    pieces: Iterator[bytes]
    _call: Iterator[MeshFilePiece]

    def close(self) -> None:
        """End the call behind it."""
        close = getattr(self._call, "close", None)
        if close is not None:
            close()


def open_mesh_file(
    calls: Calls, described: Described, name: str, start: int = 0, stop: int | None = None
) -> OpenedFile | None:
    """The bytes [start, stop) of a file, or all from `start` on; None where there is no such file.

    Raises:
        VoxgateError: what the server answered, or ServerUnreachable; also while the pieces come.
    """
    request = mesh_pb2.ReadMeshFileRequest(
        volume=described.info.name,
        version=described.info.resolved_version,
        name=name,
        start_byte=start,
        stop_byte=stop,
    )
    stub = calls.servers.mesh(described.mesh_address or "")
    pieces = mesh_file_pieces(calls.stream(stub.ReadMeshFile, request, _READING_S), start, stop)
    try:
        first = next(pieces)
    except UnknownKey:
        return None
    ends = [end for end in (first.byte_count, stop) if end is not None]
    data = (piece.data for piece in itertools.chain((first,), pieces) if piece.data)
    return OpenedFile(first.tag, first.byte_count, Span(start, max(start, min(ends))), data, pieces)


def stored_info(calls: Calls, described: Described) -> dict[str, Any]:
    """What the `info` of stored meshes says; empty where there is none, or no stored mesh in such files.

    Raises:
        MetadataInvalid: when it cannot be read; VoxgateError: what the server answered, or ServerUnreachable.
    """
    if "mesh_files" not in described.powers or described.mesh_address is None:
        return {}
    try:
        file = open_mesh_file(calls, described, "info")
    except Unimplemented:
        return {}  # a Mesh service that is older than the server that describes volumes
    if file is None:
        return {}
    try:
        content = json.loads(b"".join(file.pieces))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise MetadataInvalid("the `info` of the stored meshes is no JSON object", "look at the store")
    return content
