"""Stored multi-resolution meshes: the store's own files, by range, at the names that their format gives them.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/meshes.md and sharded.md. A reader asks for
`info` and then for `ID.index` and parts of `ID`, or for parts of `HEX.shard`; nothing is decoded on the way. Where such
meshes are stored they are all that readers of the format see: a segment without one has none, because nobody could add
it to somebody else's shards.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voxgate.model.errors import InvalidArgument, NotFound, SegmentNotFound, StoreUnavailable
from voxgate.model.kept_mesh_files import MULTIRES
from voxgate_gateway.answers import Part, asked_part, caching, known_answer, length_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.mesh_files import OpenedFile, open_mesh_file, stored_info
from voxgate_gateway.http.conditions import etag_of_name, still_wants_range
from voxgate_gateway.http.ranges import first_ask

_NUMBER = r"0|[1-9][0-9]{0,39}"
_OF_A_SEGMENT = re.compile(rf"({_NUMBER})(?:\.index)?", re.ASCII)
_SHARD = re.compile(r"[0-9a-f]{1,16}\.shard")
_JOINED_BYTES = 4 << 20
_STORED = "the info of stored meshes"
_OCTETS = "application/octet-stream"


def segment_id_of(digits: str) -> int:
    """A segment's id.

    Raises:
        InvalidArgument: for one that is no 64-bit number.
        SegmentNotFound: for 0, which is background.
    """
    number = int(digits)
    if number >= 1 << 64:
        raise InvalidArgument(f"{digits} is no segment id", "ids are below 2**64")
    if number == 0:
        raise SegmentNotFound("0 is background, not a segment", "ask for another id")
    return number


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """The files of a volume's stored meshes.

    Attributes:
        backend: bound to the caller.
        described: the volume.
        info: what the `info` of the meshes says; empty where none are stored in such files.
    """

    backend: Backend
    described: Described
    info: dict[str, Any]

    @property
    def are_multires(self) -> bool:
        """Whether they are multi-resolution meshes."""
        return self.info.get("@type") == MULTIRES

    def has_name(self, name: str) -> bool:
        """Whether a name is one of a file of multi-resolution meshes, be it there or not.

        Raises:
            InvalidArgument, SegmentNotFound: for one with an id that is none.
        """
        if match := _OF_A_SEGMENT.fullmatch(name):
            segment_id_of(match[1])
            return True
        return name == "info" or _SHARD.fullmatch(name) is not None

    async def answer(self, request: Request, name: str) -> Response:
        """Answer GET or HEAD with a file, or with the one range of it that is asked for.

        Raises:
            NotFound: when there is none.
            StoreUnavailable: when it is replaced meanwhile; and what the server answered.
        """
        lasting = caching(request, lasting=self.described.is_lasting and _is_data(name))
        file = await self._opened(name, *first_ask(request.method, request.headers.get("range", "")))
        headers = {"cache-control": lasting, "accept-ranges": "bytes", "x-voxgate-mesh": "origin=stored"}
        media_type = _OCTETS if _is_data(name) else "application/json"
        etag = self._etag(name, file)
        if etag:
            headers["etag"] = etag
            if known := known_answer(request, etag, cache_control=lasting):
                file.close()
                return known
        if request.method == "HEAD":
            return length_answer(file.byte_count or 0, media_type, headers)
        part = await self._part(request, name, file, headers)
        if isinstance(part, Response):
            file.close()
            return part
        if part.span != file.span:
            file.close()
            tag, file = file.tag, await self._opened(name, part.span.start, part.span.stop)
            if file.tag != tag:
                file.close()
                raise StoreUnavailable("the file was replaced while it was read", "ask again", retry_after_s=1.0)
        return await _sent(file, part, media_type)

    async def _part(self, request: Request, name: str, file: OpenedFile, headers: dict[str, str]) -> Part | Response:
        """What is sent of a file of which a part was opened."""
        length = file.byte_count
        if length is None:
            if still_wants_range(request.headers, headers.get("etag", "")):
                span = file.span
                told = {"content-range": f"bytes {span.start}-{span.stop - 1}/*", "content-length": str(_length(span))}
                return Part(span, 206, headers | told)
            looked_at = await self._opened(name, 0, 0)
            length = looked_at.byte_count or 0
        return asked_part(request, length, headers)

    async def _opened(self, name: str, start: int, stop: int | None) -> OpenedFile:
        calls, described = self.backend.calls, self.described
        file = await anyio.to_thread.run_sync(open_mesh_file, calls, described, name, start, stop)
        if file is None:
            raise NotFound(
                f"there is no {name!r} among the stored meshes of {described.info.name}",
                "segments without a stored mesh have ID:0, made when it is asked for",
            )
        return file

    def _etag(self, name: str, file: OpenedFile) -> str:
        if file.tag:
            return f'"m-{file.tag}"'
        info = self.described.info
        if not self.described.is_unchanging:
            return ""  # nothing says when the bytes change
        return etag_of_name(info.name, info.resolved_version, "mesh", name)


async def stored_files(backend: Backend, described: Described, *, fresh: bool = False) -> StoredFiles:
    """What is stored of a volume's meshes; `fresh` asks anew, and not what was found with the description."""
    found: dict[str, Any] | None = None if fresh else described.worked_out.get(_STORED)
    if found is None:
        found = await anyio.to_thread.run_sync(stored_info, backend.calls, described)
        described.worked_out[_STORED] = found
    return StoredFiles(backend, described, found)


async def mesh_properties(request: Request, backend: Backend, described: Described, folder: str) -> Response:
    """Answer `mesh/FOLDER/info`, the segment properties that the `info` of stored meshes names.

    Raises:
        NotFound: for any other folder.
    """
    files = await stored_files(backend, described)
    if not files.are_multires or files.info.get("segment_properties") != folder:
        raise NotFound(f"there is no {folder[:100]!r} among meshes", "mesh/info says what there is")
    return await files.answer(request, "segment_properties")


def _is_data(name: str) -> bool:
    """Whether a file is one of meshes; the others say where those are, and are asked for anew each time."""
    return name not in ("info", "segment_properties")


def _length(span: Any) -> int:
    return int(span.stop - span.start)


async def _sent(file: OpenedFile, part: Part, media_type: str) -> Response:
    """The bytes of a file; a large part leaves piece by piece."""
    if _length(part.span) <= _JOINED_BYTES:
        body = await anyio.to_thread.run_sync(b"".join, file.pieces)
        return Response(body, part.status, part.headers, media_type)
    first = await anyio.to_thread.run_sync(next, file.pieces)  # what fails at once is answered with its status
    return StreamingResponse(_pieces(first, file), part.status, part.headers, media_type)


async def _pieces(first: bytes, file: OpenedFile) -> AsyncIterator[bytes]:
    try:
        piece: bytes | None = first
        while piece is not None:
            yield piece
            piece = await anyio.to_thread.run_sync(next, file.pieces, None)
    finally:
        file.close()
