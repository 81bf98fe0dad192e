"""Stored chunks decoded by other people's decoders, none of them voxgate's."""

import gzip
import io
import math

import compressed_segmentation
import numcodecs.blosc
import numpy as np
import zstandard
from PIL import Image

from voxgate.model.volumes import (
    ArrayCodec,
    ByteCodec,
    EncodedChunk,
    VolumeInfo,
)


def decode(chunk: EncodedChunk, info: VolumeInfo) -> np.ndarray:
    """The voxels of the chunk's data_box, shape (c, z, y, x)."""
    data = decompressed(bytes(chunk.data), chunk.encoding.bytes)
    shape = (info.channel_count, *chunk.data_box.shape.zyx)
    if chunk.encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION:
        found = compressed_segmentation.decompress(
            data, shape[::-1], info.dtype.newbyteorder("="), block_size=tuple(chunk.encoding.block_shape), order="F"
        )
        return found.transpose(3, 2, 1, 0).astype(info.dtype)
    if chunk.encoding.array in (ArrayCodec.JPEG, ArrayCodec.PNG):
        pixels = np.asarray(Image.open(io.BytesIO(data)))  # rows, columns, channels
        assert pixels.size == math.prod(shape)
        return np.moveaxis(pixels.reshape(*shape[1:], shape[0]), -1, 0).astype(info.dtype)
    assert len(data) == math.prod(shape) * info.dtype.itemsize
    return np.frombuffer(data, info.dtype).reshape(shape)


def decompressed(data: bytes, codec: ByteCodec) -> bytes:
    if codec is ByteCodec.GZIP:
        return gzip.decompress(data)
    if codec is ByteCodec.ZSTD:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if codec is ByteCodec.BLOSC:
        return numcodecs.blosc.decompress(data)
    return data
