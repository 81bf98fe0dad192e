"""Chunks: named by their box, encoded as `info` says, passed through where the store has them so."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import anyio.to_thread
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from voxgate.model.errors import UnknownScale, UnsupportedEncoding
from voxgate.model.geometry import Box
from voxgate.model.volumes import FILL, ArrayCodec, ByteCodec, Encoding, Voxels
from voxgate.wire.byte_codecs import Data
from voxgate.wire.encodings import encode
from voxgate.wire.segmentation_codec import DEFAULT_BLOCK, available, encode_segmentation
from voxgate_gateway.answers import Content, caching, content_answer, known_answer, length_answer, wants_gzip
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.chunks import Chunk, ChunkWish
from voxgate_gateway.grid import format_cell, require_cell
from voxgate_gateway.http.conditions import etag_of_name
from voxgate_gateway.pictures import INSTALL, jpeg_of, png_of
from voxgate_gateway.precomputed.layout import Level, levels_of

_MEDIA_TYPES = {ArrayCodec.JPEG: "image/jpeg", ArrayCodec.PNG: "image/png"}
_OCTETS = "application/octet-stream"
_INLINE_BYTES = 1 << 14
_JPEG_QUALITY = 90
"""Where the operator says no other."""


async def chunk(
    request: Request, backend: Backend, described: Described, where: tuple[str, Box], wanted: str
) -> Response:
    """Answer one chunk.

    Args:
        request: GET or HEAD.
        backend: bound to the caller.
        described: the volume.
        where: the key of the scale, and the box.
        wanted: the encoding that the address asks for; see `levels_of`.

    Raises:
        UnknownScale, OutOfBounds, InvalidArgument: for a box that is no chunk of the volume.
        VoxgateError: what the server answered; no failure is a blank chunk.
    """
    key, box = where
    index, level = _level(described, key, wanted)
    require_cell(box, level.scale.bounds, level.chunk)
    lasting = caching(request, lasting=described.is_lasting)
    form = _Form(level.encoding, _quality(request, described, level.encoding))
    etag = _lasting_etag(described, level, box, form) if described.is_unchanging else ""
    if etag and (known := known_answer(request, etag, cache_control=lasting)):
        return known
    if request.method == "HEAD" and level.encoding.array is ArrayCodec.RAW:
        # The length follows from the box: no voxel is read to tell it.
        size = box.voxel_count * described.info.dtype.itemsize * described.info.channel_count
        return length_answer(size, _OCTETS, {"cache-control": lasting, **({"etag": etag} if etag else {})})
    wish = ChunkWish(box, index, None, _accepted(request, level))
    content = await _content(backend, described, wish, form)
    if etag:
        content = replace(content, etag=etag if not content.coding else f'{etag[:-1]}-stored"')
    return content_answer(request, content, cache_control=lasting)


@dataclass(frozen=True, slots=True)
class _Form:
    """How voxels leave; `quality` is that of a JPEG, else 0."""

    encoding: Encoding
    quality: int


def _quality(request: Request, described: Described, encoding: Encoding) -> int:
    if encoding.array is not ArrayCodec.JPEG:
        return 0
    return request.app.state.precomputed.jpeg_quality(described.info.name) or _JPEG_QUALITY


async def _content(backend: Backend, described: Described, wish: ChunkWish, form: _Form) -> Content:
    chunk, encoding = await backend.fetch(described, wish), form.encoding
    # Tables of ids become a third as long for little work; pictures are compressed, and voxels of images hardly shrink.
    tables = encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION
    media_type = _MEDIA_TYPES.get(encoding.array, _OCTETS)
    if chunk.held == chunk.box and replace(chunk.encoding, bytes=ByteCodec.NONE) == encoding:
        coding = "gzip" if chunk.encoding.bytes is ByteCodec.GZIP else ""
        return Content(chunk.data, media_type, coding=coding, compressible=tables)
    if encoding.array is ArrayCodec.RAW and len(chunk.data) <= _INLINE_BYTES:
        return Content(_encoded(chunk, form), media_type)
    return Content(await anyio.to_thread.run_sync(_encoded, chunk, form), media_type, compressible=tables)


def _level(described: Described, key: str, wanted: str) -> tuple[int, Level]:
    for index, level in enumerate(_levels(described, wanted)):
        if level.key == key:
            return index, level
    known = ", ".join(level.key for level in _levels(described, wanted))
    raise UnknownScale(f"{described.info.name} has no scale {key[:100]!r}", f"its scales are {known}")


def _levels(described: Described, wanted: str) -> list[Level]:
    key = ("precomputed", wanted)
    if key not in described.worked_out:
        described.worked_out[key] = levels_of(described, wanted)
    found: list[Level] = described.worked_out[key]
    return found


def _accepted(request: Request, level: Level) -> tuple[Encoding, ...]:
    """What the server may answer: the encoding itself; compressed, where the store has it so and the client takes it.

    Raw voxels last: they are what everything can be made of.
    """
    encoding = level.encoding
    if encoding.array not in (ArrayCodec.RAW, ArrayCodec.COMPRESSED_SEGMENTATION, ArrayCodec.PNG, ArrayCodec.JPEG):
        return ()
    accepted = [encoding]
    zipped = replace(encoding, bytes=ByteCodec.GZIP)
    if zipped in level.scale.stored_encodings and wants_gzip(request):
        accepted.append(zipped)
    if encoding.array is not ArrayCodec.RAW:
        accepted.append(Encoding())
    return tuple(accepted)


def _lasting_etag(described: Described, level: Level, box: Box, form: _Form) -> str:
    """Of voxels that never change, what names them is enough: nothing has to be read to say that they are the same."""
    info = described.info
    return etag_of_name(info.name, info.resolved_version, level.key, format_cell(box), form, info.dtype.str)


def _encoded(chunk: Chunk, form: _Form) -> Data:
    if chunk.encoding == FILL:
        return _blank(form, (chunk.channels, *chunk.box.shape.zyx), chunk.fill.tobytes(), chunk.dtype.str)
    return _in(form, chunk.voxels())


@functools.lru_cache(maxsize=16)
def _blank(form: _Form, shape: tuple[int, ...], fill: bytes, dtype: str) -> Data:
    """A chunk that nobody stored: most of many volumes."""
    return _in(form, np.broadcast_to(np.frombuffer(fill, dtype), shape))


def _in(form: _Form, voxels: Voxels) -> Data:
    encoding = form.encoding
    if encoding.array in _MEDIA_TYPES:
        return _picture(form, voxels)
    if encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION:
        if not available():
            raise UnsupportedEncoding("compressed_segmentation cannot be made here", INSTALL)
        # Of whatever blocks the store has.
        return encode_segmentation(voxels, encoding.block_shape or DEFAULT_BLOCK)
    return encode(voxels, encoding)


def _picture(form: _Form, voxels: Voxels) -> bytes:
    """Voxels (c, z, y, x) as one picture of x columns and y * z rows, as the format recommends."""
    channels, depth, height, width = voxels.shape
    rows = np.ascontiguousarray(np.moveaxis(voxels, 0, -1)).reshape(depth * height, width, channels)
    return jpeg_of(rows, form.quality) if form.encoding.array is ArrayCodec.JPEG else png_of(rows)
