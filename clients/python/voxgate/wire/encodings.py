"""Voxels to bytes and back, for the encodings this installation can do.

Raw bytes are little-endian, x fastest, then y, z, channel: exactly a C-order (c, z, y, x) array. Compressed bytes come
from the other side, so their decoded size is bounded by the box they claim to fill.
"""

from __future__ import annotations

import functools
import importlib.util
import zlib
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, UnsupportedEncoding
from voxgate.model.volumes import FILL, RAW, ArrayCodec, ByteCodec, Encoding, Voxels

_GZIP_WINDOW = 31
_ZSTD_LEVEL = 1
_GZIP_LEVEL = 1

GZIP = Encoding(ArrayCodec.RAW, ByteCodec.GZIP)
ZSTD = Encoding(ArrayCodec.RAW, ByteCodec.ZSTD)


@functools.cache
def _has_zstd() -> bool:
    return importlib.util.find_spec("zstandard") is not None


def available_encodings() -> tuple[Encoding, ...]:
    """What this installation can encode and decode, besides FILL."""
    return (RAW, ZSTD, GZIP) if _has_zstd() else (RAW, GZIP)


def choose(accepted: list[Encoding]) -> Encoding:
    """The first accepted encoding that can be produced; RAW when nothing is asked for.

    Raises:
        UnsupportedEncoding: when none can.
    """
    for encoding in accepted or [RAW]:
        if encoding in available_encodings():
            return encoding
    raise UnsupportedEncoding(
        "none of the accepted encodings can be produced", "accept raw, or see GetServerInfo.encodings"
    )


def encode(voxels: Voxels, encoding: Encoding) -> bytes:
    """Voxels of shape (c, z, y, x), little-endian, as bytes.

    Raises:
        UnsupportedEncoding: for one that cannot be produced.
    """
    if encoding not in available_encodings():
        raise UnsupportedEncoding(f"cannot encode {encoding.array.value}+{encoding.bytes.value}", "use raw")
    if encoding.bytes is ByteCodec.NONE:
        return voxels.tobytes()
    contiguous = np.ascontiguousarray(voxels).reshape(-1).view(np.uint8).data
    if encoding.bytes is ByteCodec.GZIP:
        return zlib.compress(contiguous, _GZIP_LEVEL, _GZIP_WINDOW)
    import zstandard  # noqa: PLC0415  (an extra)

    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(contiguous)


def decode(data: bytes, encoding: Encoding, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Voxels:
    """Bytes as voxels of `shape` (c, z, y, x); of raw bytes a read-only view.

    Raises:
        UnsupportedEncoding: for an encoding this installation cannot decode, and for FILL, which has no bytes.
        ChunkCorrupt: when the bytes do not decode to exactly that many voxels.
    """
    if encoding == FILL or encoding not in available_encodings():
        raise UnsupportedEncoding(
            f"cannot decode {encoding.array.value}+{encoding.bytes.value}", 'install "voxgate[codecs]", or ask for raw'
        )
    size = int(np.prod(shape)) * dtype.itemsize
    raw = _inflate(data, encoding.bytes, size)
    if len(raw) != size:
        raise ChunkCorrupt(f"a chunk decodes to {len(raw)} bytes instead of {size}", "ask again; report it if it stays")
    return np.frombuffer(raw, dtype).reshape(shape)


def _inflate(data: bytes, codec: ByteCodec, size: int) -> bytes:
    """Undo a byte codec; never yields more than one byte beyond `size`."""
    if codec is ByteCodec.NONE:
        return data
    corrupt = ChunkCorrupt("a chunk's compressed bytes cannot be decoded", "ask again; report it if it stays")
    if codec is ByteCodec.GZIP:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        try:
            raw = inflater.decompress(data, size + 1)
        except zlib.error:
            raise corrupt from None
        if len(raw) == size and not inflater.eof:
            raise corrupt
        return raw
    import zstandard  # noqa: PLC0415  (an extra)

    try:
        if zstandard.frame_content_size(data) > size:
            raise corrupt
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size + 1)
    except zstandard.ZstdError:
        raise corrupt from None
