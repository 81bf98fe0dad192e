"""Chunks of Zarr arrays: whole ones, Zstandard frames, as the server or even the store has them where it has them so.

A frame is the same in both Zarr versions. Chunks at the end of an array are padded with the fill value.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import anyio.to_thread
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import NotFound
from voxgate.model.volumes import FILL, RAW
from voxgate.wire.byte_codecs import Data
from voxgate.wire.encodings import ZSTD, encode
from voxgate_gateway.answers import Content, caching, content_answer, known_answer
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.chunks import Chunk, ChunkWish
from voxgate_gateway.http.conditions import etag_of_name
from voxgate_gateway.zarr.image import Image, image_of

_OCTETS = "application/octet-stream"
_INLINE_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """A chunk: its level, and its indices in the order of the array's axes."""

    level: int
    indices: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.level}/{'/'.join(map(str, self.indices))}"


def image_of_described(described: Described) -> Image:
    """The image that a volume is served as, worked out once.

    Raises:
        UnsupportedFormat.
    """
    if "zarr" not in described.worked_out:
        described.worked_out["zarr"] = image_of(described.info, described.max_chunk_bytes)
    found: Image = described.worked_out["zarr"]
    return found


def absent(key: str) -> NotFound:
    """Nothing has this key, which tells a reader of Zarr that it is not there."""
    return NotFound(f"there is no key {key[:200]!r}", "the group's metadata lists its arrays and their extents")


async def chunk(request: Request, backend: Backend, described: Described, key: ChunkKey) -> Response:
    """Answer one chunk.

    Raises:
        NotFound: where the array has none.
        UnsupportedFormat: for a volume that is no image.
        VoxgateError: what the server answered; no failure is a chunk of fill values.
    """
    image = image_of_described(described)
    cell = image.cell(image.levels[key.level], key.indices) if key.level < len(image.levels) else None
    if cell is None:
        raise absent(str(key))
    lasting = caching(request, lasting=described.is_lasting)
    etag = _lasting_etag(described, image, key) if described.is_unchanging else ""
    if etag and (known := known_answer(request, etag, cache_control=lasting)):
        return known
    channel, box = cell
    # A chunk that is to be padded is needed raw.
    accepted = (ZSTD, RAW) if box.shape == image.chunk else (RAW,)
    wish = ChunkWish(box, key.level, channel, accepted)
    got = await backend.fetch(described, wish)
    return content_answer(request, Content(await _frame(image, got), _OCTETS, etag), cache_control=lasting)


async def _frame(image: Image, got: Chunk) -> Data:
    if got.encoding == ZSTD and got.held == got.box and got.box.shape == image.chunk:
        return got.data
    if got.encoding == FILL:
        return _blank(image.chunk.zyx, got.fill.tobytes(), got.dtype.str)
    if len(got.data) <= _INLINE_BYTES:
        return _made(image, got)
    return await anyio.to_thread.run_sync(_made, image, got)


def _made(image: Image, got: Chunk) -> Data:
    return encode(image.padded(got.voxels()), ZSTD)


@functools.lru_cache(maxsize=16)
def _blank(shape: tuple[int, int, int], fill: bytes, dtype: str) -> Data:
    """A chunk that nobody stored: most of many volumes."""
    return encode(np.broadcast_to(np.frombuffer(fill, dtype), (1, *shape)), ZSTD)


def _lasting_etag(described: Described, image: Image, key: ChunkKey) -> str:
    """Of voxels that never change, what names them is enough: nothing has to be read to say that they are the same."""
    info = described.info
    return etag_of_name("zarr", info.name, info.resolved_version, key, image.chunk, info.dtype.str)
