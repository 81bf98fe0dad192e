"""Byte codecs: what is applied to an array codec's bytes, and undone within a stated size.

Compressed bytes come from elsewhere, so nothing here yields more than the caller says there may be.
"""

from __future__ import annotations

import functools
import importlib.util
import zlib

from voxgate.model.errors import ChunkCorrupt, UnsupportedEncoding
from voxgate.model.volumes import ByteCodec

Data = bytes | memoryview

_GZIP_WINDOW = 31
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1
_BLOSC_HEADER = 16
_EXTRA = 'install "voxgate[codecs]", or ask for raw'


@functools.cache
def has_module(name: str) -> bool:
    """Whether an optional library is installed; it is imported only where it is used."""
    return importlib.util.find_spec(name) is not None


def can_deflate(codec: ByteCodec) -> bool:
    """Whether this installation can apply a codec."""
    return codec in (ByteCodec.NONE, ByteCodec.GZIP) or (codec is ByteCodec.ZSTD and has_module("zstandard"))


def can_inflate(codec: ByteCodec) -> bool:
    """Whether this installation can undo a codec."""
    return can_deflate(codec) or (codec is ByteCodec.BLOSC and has_module("numcodecs"))


def deflate(data: Data, codec: ByteCodec) -> Data:
    """Apply a codec.

    Raises:
        UnsupportedEncoding: for one that cannot be applied.
    """
    if codec is ByteCodec.NONE:
        return data
    if codec is ByteCodec.GZIP:
        return zlib.compress(data, _GZIP_LEVEL, _GZIP_WINDOW)
    if not can_deflate(codec):
        raise UnsupportedEncoding(f"cannot compress with {codec.value}", _EXTRA)
    import zstandard  # noqa: PLC0415  (an extra)

    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def inflate(data: Data, codec: ByteCodec, limit: int) -> Data:
    """Undo a codec; never yields more than `limit` bytes.

    Raises:
        ChunkCorrupt: for bytes that cannot be decompressed, or would be more than that.
        UnsupportedEncoding: for a codec that cannot be undone.
    """
    if codec is ByteCodec.NONE:
        return data
    if not can_inflate(codec):
        raise UnsupportedEncoding(f"cannot decompress {codec.value}", _EXTRA)
    if codec is ByteCodec.GZIP:
        return _gunzip(data, limit)
    return _unzstd(data, limit) if codec is ByteCodec.ZSTD else _unblosc(data, limit)


def _corrupt() -> ChunkCorrupt:
    return ChunkCorrupt("a chunk's compressed bytes cannot be decoded", "ask again; report it if it stays")


def _gunzip(data: Data, limit: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        raw = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise _corrupt() from None
    if not inflater.eof or len(raw) > limit:
        raise _corrupt()
    return raw


def _unzstd(data: Data, limit: int) -> bytes:
    import zstandard  # noqa: PLC0415  (an extra)

    try:
        stated = zstandard.frame_content_size(data)
        if stated > limit:
            raise _corrupt()
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit)
    except zstandard.ZstdError:
        raise _corrupt() from None


def _unblosc(data: Data, limit: int) -> bytes:
    """Blosc 1: bytes 4 to 8 of the header are the decoded size, 12 to 16 the encoded one (c-blosc, README_HEADER)."""
    from numcodecs import blosc  # noqa: PLC0415  (an extra)

    header = bytes(data[:_BLOSC_HEADER])
    if len(header) < _BLOSC_HEADER or int.from_bytes(header[12:16], "little") != len(data):
        raise _corrupt()
    if int.from_bytes(header[4:8], "little") > limit:
        raise _corrupt()
    try:
        raw: bytes = blosc.decompress(data)
    except (RuntimeError, ValueError):
        raise _corrupt() from None
    return raw
