"""The addresses of the Zarr dialects, and 404 for every key that is none.

`/zarr/NAME@VERSION/-/KEY` (Zarr v3) and `/zarr2/NAME@VERSION/-/KEY` (Zarr v2). Readers probe for keys of other versions
and formats, so what can be no key is refused without asking any server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import NotFound
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend import Backend, VolumeRef
from voxgate_gateway.paths import backend_of, parse_volume, segments_after, split_address
from voxgate_gateway.zarr.chunks import ChunkKey, absent, chunk, image_of_described
from voxgate_gateway.zarr.documents import v2_documents, v3_documents
from voxgate_gateway.zarr.image import Image

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One Zarr version.

    Attributes:
        prefix: the first segment of its addresses.
        documents: all metadata documents of an image, by key.
        names: the last segments that documents have.
        before_indices: the segments between a level and a chunk's indices.
    """

    prefix: str
    documents: Callable[[Image], dict[str, dict[str, Any]]]
    names: frozenset[str]
    before_indices: tuple[str, ...]

    def chunk_key(self, key: list[str]) -> ChunkKey | None:
        """The chunk that a key names; None where it is no chunk's key. Zarr writes numbers without leading zeros."""
        level, rest = key[0], tuple(key[1:])
        if rest[: len(self.before_indices)] != self.before_indices:
            return None
        numbers = (level, *rest[len(self.before_indices) :])
        if len(numbers) < 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
            return None
        return ChunkKey(int(level), tuple(map(int, numbers[1:])))

    def is_document_key(self, key: list[str]) -> bool:
        """Whether some image has a document by this key."""
        return key[-1] in self.names and (len(key) == 1 or (len(key) == 2 and bool(_NUMBER.fullmatch(key[0]))))


V3 = Dialect("zarr", v3_documents, frozenset({"zarr.json"}), ("c",))
V2 = Dialect("zarr2", v2_documents, frozenset({".zgroup", ".zattrs", ".zarray", ".zmetadata"}), ())


async def serve_v3(request: Request) -> Response:
    """Answer anything under `/zarr/`."""
    return await _serve(request, V3)


async def serve_v2(request: Request) -> Response:
    """Answer anything under `/zarr2/`."""
    return await _serve(request, V2)


async def _serve(request: Request, dialect: Dialect) -> Response:
    name, key = split_address(segments_after(request, dialect.prefix))
    if key in ([], [""]):
        raise NotFound("this is a Zarr group, which HTTP cannot list", "open its address in a reader of Zarr")
    if dialect.is_document_key(key):
        return await _document(request, dialect, parse_volume(name), "/".join(key))
    chunk_key = dialect.chunk_key(key)
    if chunk_key is None:
        raise absent("/".join(key))
    backend = backend_of(request)
    return await chunk(request, backend, await backend.described(parse_volume(name)), chunk_key)


async def _document(request: Request, dialect: Dialect, ref: VolumeRef, key: str) -> Response:
    backend: Backend = backend_of(request)
    described = await anyio.to_thread.run_sync(lambda: backend.describe(ref, fresh=True))
    document = dialect.documents(image_of_described(described)).get(key)
    if document is None:
        raise absent(key)
    return json_answer(request, document)


ROUTES = (
    Route("/zarr/{path:path}", serve_v3, methods=["GET", "HEAD"]),
    Route("/zarr2/{path:path}", serve_v2, methods=["GET", "HEAD"]),
)
