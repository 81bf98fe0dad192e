"""Voxels to bytes and back, for the encodings this installation can do.

Raw bytes are little-endian, x fastest, then y, z, channel: exactly a C-order (c, z, y, x) array. What comes from the
other side is bounded by the box it claims to fill before it is decoded.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, UnsupportedEncoding
from voxgate.model.volumes import (
    RAW,
    ArrayCodec,
    ByteCodec,
    Encoding,
    Voxels,
)
from voxgate.wire import picture_codecs, segmentation_codec
from voxgate.wire.byte_codecs import Data, can_deflate, can_inflate, deflate, inflate
from voxgate.wire.segmentation_codec import Part

GZIP = Encoding(ArrayCodec.RAW, ByteCodec.GZIP)
ZSTD = Encoding(ArrayCodec.RAW, ByteCodec.ZSTD)
SEGMENTATION = Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.NONE, segmentation_codec.DEFAULT_BLOCK)
SEGMENTATION_ZSTD = replace(SEGMENTATION, bytes=ByteCodec.ZSTD)

_SLACK = 65_536
"""Encoded bytes may be a little larger than the voxels: tables, headers, incompressible noise."""


@functools.cache
def decodable(dtype: np.dtype[Any]) -> tuple[Encoding, ...]:
    """What this installation can decode for voxels of a type, besides FILL; block shapes are unset: any."""
    arrays = [ArrayCodec.RAW]
    if dtype in segmentation_codec.DTYPES and segmentation_codec.available():
        arrays.append(ArrayCodec.COMPRESSED_SEGMENTATION)
    if dtype == np.uint8 and picture_codecs.has_jpeg():
        arrays.append(ArrayCodec.JPEG)
    if dtype in (np.dtype("|u1"), np.dtype("<u2")) and picture_codecs.has_png():
        arrays.append(ArrayCodec.PNG)
    return tuple(Encoding(array, codec) for array, codec in itertools.product(arrays, ByteCodec) if can_inflate(codec))


@functools.cache
def encodable(dtype: np.dtype[Any]) -> tuple[Encoding, ...]:
    """What this installation can encode, losslessly, for voxels of a type."""
    arrays = [RAW]
    if dtype in segmentation_codec.DTYPES and segmentation_codec.available():
        arrays.append(SEGMENTATION)
    found = (replace(array, bytes=codec) for array, codec in itertools.product(arrays, ByteCodec))
    return tuple(encoding for encoding in found if can_deflate(encoding.bytes))


def accepts(accepted: Iterable[Encoding], encoding: Encoding) -> bool:
    """Whether a list of accepted encodings has one; an unset block shape accepts any."""
    return any(
        (one.array, one.bytes) == (encoding.array, encoding.bytes) and one.block_shape in (None, encoding.block_shape)
        for one in accepted
    )


def choose(accepted: list[Encoding], dtype: np.dtype[Any]) -> Encoding:
    """The first accepted encoding that can be produced; RAW when nothing is asked for.

    Raises:
        UnsupportedEncoding: when none can.
    """
    possible = encodable(dtype)
    for wanted in accepted or [RAW]:
        for encoding in possible:
            if accepts([wanted], encoding):
                return encoding
    raise UnsupportedEncoding(
        "none of the accepted encodings can be produced", "accept raw, or see GetServerInfo.encodings"
    )


def encode(voxels: Voxels, encoding: Encoding) -> Data:
    """Voxels of shape (c, z, y, x), little-endian, as bytes; of contiguous voxels, RAW is a view.

    Raises:
        UnsupportedEncoding: for one that cannot be produced.
    """
    if not accepts(encodable(voxels.dtype), encoding):
        raise UnsupportedEncoding(f"cannot encode {_name(encoding)}", "use raw")
    if encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION and encoding.block_shape is not None:
        return deflate(segmentation_codec.encode_segmentation(voxels, encoding.block_shape), encoding.bytes)
    return deflate(np.ascontiguousarray(voxels).reshape(-1).view(np.uint8).data, encoding.bytes)


def decode(
    data: Data, encoding: Encoding, shape: tuple[int, ...], dtype: np.dtype[Any], *, part: Part | None = None
) -> Voxels:
    """Bytes as voxels of `shape` (c, z, y, x), or as the `part` of them; of raw bytes a read-only view.

    Args:
        data: the encoded bytes.
        encoding: what they are encoded in.
        shape: what the whole of them decodes to.
        dtype: the volume's.
        part: slices of z, y, x, each with a start and a stop; None means everything.

    Raises:
        UnsupportedEncoding: for an encoding this installation cannot decode, and for FILL, which has no bytes.
        ChunkCorrupt: when the bytes do not decode to exactly that many voxels.
    """
    if not accepts(decodable(dtype), encoding):
        raise UnsupportedEncoding(f"cannot decode {_name(encoding)}", 'install "voxgate[codecs]", or ask for raw')
    size = int(np.prod(shape)) * dtype.itemsize
    if encoding.array is ArrayCodec.RAW:
        raw = inflate(data, encoding.bytes, size)
        if len(raw) != size:
            raise ChunkCorrupt(f"a chunk decodes to {len(raw)} bytes instead of {size}", "ask again")
        return _cut(np.frombuffer(raw, dtype).reshape(shape), part)
    inner = inflate(data, encoding.bytes, 2 * size + _SLACK)
    if encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION:
        block = encoding.block_shape or segmentation_codec.DEFAULT_BLOCK
        return segmentation_codec.decode_segmentation(inner, shape, dtype, block, part)
    if encoding.array is ArrayCodec.JPEG:
        return _cut(picture_codecs.decode_jpeg(inner, shape, dtype), part)
    return _cut(picture_codecs.decode_png(inner, shape, dtype), part)


def may_hold(
    data: Data, encoding: Encoding, shape: tuple[int, ...], dtype: np.dtype[Any], segment_ids: Iterable[int]
) -> bool:
    """Whether one of these ids may occur in a chunk of COMPRESSED_SEGMENTATION, found without decoding its voxels.

    Raises:
        ChunkCorrupt: when the bytes cannot be decoded.
    """
    inner = inflate(data, encoding.bytes, 2 * int(np.prod(shape)) * dtype.itemsize + _SLACK)
    block = encoding.block_shape or segmentation_codec.DEFAULT_BLOCK
    return segmentation_codec.may_hold(inner, shape, dtype, block, segment_ids)


def _cut(voxels: Voxels, part: Part | None) -> Voxels:
    return voxels if part is None else voxels[(slice(None), *part)]


def _name(encoding: Encoding) -> str:
    return f"{encoding.array.value}+{encoding.bytes.value}"
