"""What is kept of a chunk in one form and asked for in another: voxels, and chunks as they are stored.

Only plain raw chunks are both. Others are kept in the form that they were asked for: to decode them is their adapter's
business, which is asked for voxels, or their reader's, who is sent them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import filled, is_fill
from voxgate.model.volumes import RAW, ArrayCodec, ByteCodec, EncodedChunk, Encoding, VolumeInfo, Voxels
from voxgate_remotes.caching.keys import Kept

ABSENT, PRESENT = b"absent", b"present"


def kept_chunk(chunk: EncodedChunk | None) -> Kept:
    """A stored chunk as it is kept; None is one that is absent."""
    if chunk is None:
        return Kept(b"", ABSENT)
    encoding, box = chunk.encoding, chunk.data_box
    block = None if encoding.block_shape is None else list(encoding.block_shape)
    said = [encoding.array.value, encoding.bytes.value, block, list(box.start), list(box.stop)]
    return Kept(bytes(chunk.data), json.dumps(said).encode())


def stored_chunk(kept: Kept) -> EncodedChunk | None:
    """The stored chunk that `kept_chunk` made something of."""
    if kept.facts == ABSENT:
        return None
    array, codec, block, start, stop = json.loads(kept.facts)
    encoding = Encoding(ArrayCodec(array), ByteCodec(codec), None if block is None else Vec3(*block))
    return EncodedChunk(kept.data, encoding, Box(Vec3(*start), Vec3(*stop)))


def voxels_of(kept: Kept, cell: Box, info: VolumeInfo) -> Voxels | None:
    """The voxels (c, z, y, x) of a cell of which the stored chunk is kept; None where it has to be decoded."""
    chunk, shape = stored_chunk(kept), (info.channel_count, *cell.shape.zyx)
    if chunk is None:
        return filled(info, shape)
    decoded = (info.channel_count, *chunk.data_box.shape.zyx)
    if chunk.encoding != RAW or len(chunk.data) != np.prod(decoded) * info.dtype.itemsize:
        return None
    voxels = np.frombuffer(chunk.data, info.dtype).reshape(decoded)
    return voxels[:, *cell.slices_zyx(chunk.data_box.start)]


def chunk_of(channels: Sequence[Kept], cell: Box, info: VolumeInfo) -> Kept | None:
    """The plain raw chunk of a cell of which the voxels of every channel are kept.

    None where all have the fill value: whether such a chunk is absent, its voxels do not say.
    """
    voxels = np.empty((info.channel_count, *cell.shape.zyx), info.dtype)
    for row, kept in zip(voxels, channels, strict=True):
        values = np.frombuffer(kept.data, info.dtype)
        row[...] = values[0] if values.size == 1 else values.reshape(cell.shape.zyx)
    if is_fill(info, voxels):
        return None
    chunk = EncodedChunk(voxels.tobytes(), RAW, cell)
    return kept_chunk(chunk)._replace(made=min(kept.made for kept in channels))
