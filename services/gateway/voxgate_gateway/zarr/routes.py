"""What the Zarr dialects answer: metadata documents and chunks by their keys, and 404 for every other key.

`/zarr/NAME@VERSION/-/KEY` (Zarr v3) and `/zarr2/NAME@VERSION/-/KEY` (Zarr v2): the segment `-` closes the name.
Readers probe for keys of other versions and formats, so a key that is no key is refused without asking any server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.model.errors import NotFound
from voxgate.model.volumes import ByteCodec
from voxgate.wire.byte_codecs import deflate
from voxgate_gateway.answers import body_answer, json_answer
from voxgate_gateway.backend import Backend, Described, VolumeRef
from voxgate_gateway.paths import backend_of, parse_volume, segments_after
from voxgate_gateway.zarr.documents import v2_documents, v3_documents
from voxgate_gateway.zarr.image import Image, image_of

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_CLOSES_THE_NAME = "-"
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """A chunk: its level, and its indices in the order of the array's axes."""

    level: int
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One Zarr version.

    Attributes:
        prefix: the first segment of its URLs.
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


V3 = Dialect("zarr", v3_documents, frozenset({"zarr.json"}), ("c",))
V2 = Dialect("zarr2", v2_documents, frozenset({".zgroup", ".zattrs", ".zarray", ".zmetadata"}), ())


def serve_v3(request: Request) -> Response:
    """Answer anything under `/zarr/`."""
    return _serve(request, V3)


def serve_v2(request: Request) -> Response:
    """Answer anything under `/zarr2/`."""
    return _serve(request, V2)


def _serve(request: Request, dialect: Dialect) -> Response:
    name, key = _split(segments_after(request, dialect.prefix))
    if not name or not key:
        raise NotFound(
            f"nothing is served at {request.url.path}",
            f"open /{dialect.prefix}/NAME/-/ or /{dialect.prefix}/NAME@VERSION/-/ as a Zarr group",
        )
    if key[-1] in dialect.names:
        return _document(request, dialect, parse_volume(name), "/".join(key))
    chunk = dialect.chunk_key(key)
    if chunk is None:
        raise _absent("/".join(key))
    return _chunk(request, parse_volume(name), chunk)


def _split(segments: list[str]) -> tuple[list[str], list[str]]:
    """The segments of the name and those of the key. No key has a segment `-`, so the last one is meant."""
    if _CLOSES_THE_NAME not in segments:
        return [], []
    at = len(segments) - 1 - segments[::-1].index(_CLOSES_THE_NAME)
    return segments[:at], segments[at + 1 :]


def _absent(key: str) -> NotFound:
    return NotFound(f"there is no key {key[:200]!r}", "the group's metadata lists its arrays and their extents")


def _document(request: Request, dialect: Dialect, ref: VolumeRef, key: str) -> Response:
    # Only a few keys can be there; the others need no server.
    level, slash, name = key.rpartition("/")
    if name not in dialect.names or (slash and not _NUMBER.fullmatch(level)):
        raise _absent(key)
    described = backend_of(request).describe(ref, fresh=True)
    document = dialect.documents(image_of(described.info, described.max_chunk_bytes)).get(key)
    if document is None:
        raise _absent(key)
    return json_answer(request, document)


def _chunk(request: Request, ref: VolumeRef, key: ChunkKey) -> Response:
    backend = backend_of(request)
    described = backend.describe(ref)
    body = _read(backend, described, key)
    return body_answer(request, body, "application/octet-stream", cache_control=_cache_control(described))


def _read(backend: Backend, described: Described, key: ChunkKey) -> bytes:
    """A chunk's bytes: a Zstandard frame of all its voxels, fill values where nothing is stored.

    Raises:
        NotFound: outside the array.
        VoxgateError: what the server answered; no failure is a chunk of fill values.
    """
    image = image_of(described.info, described.max_chunk_bytes)
    cell = image.cell(image.levels[key.level], key.indices) if key.level < len(image.levels) else None
    if cell is None:
        raise _absent(f"{key.level}/{'/'.join(map(str, key.indices))}")
    channel, box = cell
    whole = image.padded(backend.read_array(described, box, scale=key.level, channel=channel))
    return bytes(deflate(whole.reshape(-1).view(np.uint8).data, ByteCodec.ZSTD))


def _cache_control(described: Described) -> str:
    """For ever where the URL states a version that cannot change; else the ETag is asked for each time."""
    return _FOREVER if described.info.immutable and described.ref.version else "no-cache"


ROUTES = (
    Route("/zarr/{path:path}", serve_v3, methods=["GET", "HEAD"]),
    Route("/zarr2/{path:path}", serve_v2, methods=["GET", "HEAD"]),
)
