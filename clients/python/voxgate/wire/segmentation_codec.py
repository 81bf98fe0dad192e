"""Neuroglancer's compressed_segmentation: blocks of few ids as tables and small indices.

Format: github.com/google/neuroglancer, src/sliceview/compressed_segmentation/README.md. The first words are one offset
a channel; a channel starts with two 32-bit words a block (24 bits table offset, 8 bits index width; offset of the
indices), all in 32-bit words from the channel's start; indices of a block are packed little-endian, x fastest.

The library that decodes trusts its input: bytes cut short make it read past their end and answer nonsense, or worse.
So every offset is checked here first, and a block whose table could reach past the end has its indices looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import Voxels
from voxgate.wire.byte_codecs import Data, has_module

DTYPES = (np.dtype("<u4"), np.dtype("<u8"))
DEFAULT_BLOCK = Vec3(8, 8, 8)
_IS_WIDTH = np.isin(np.arange(256), [0, 1, 2, 4, 8, 16, 32])

_Words = np.ndarray[Any, np.dtype[np.uint32]]
Part = tuple[slice, slice, slice]
"""Slices of z, y, x with a start and a stop."""


def available() -> bool:
    """Whether this installation can encode and decode."""
    return has_module("compressed_segmentation")


def encode_segmentation(voxels: Voxels, block: Vec3) -> bytes:
    """Voxels of shape (c, z, y, x), uint32 or uint64."""
    channels = [_encode_channel(channel, block) for channel in voxels]
    starts = np.cumsum([len(channels), *(len(words) for words in channels[:-1])]).astype("<u4")
    return b"".join([starts.tobytes(), *(words.tobytes() for words in channels)])


def _encode_channel(channel: Voxels, block: Vec3) -> _Words:
    """The words of one (z, y, x) channel. The library crashes on several channels at once."""
    import compressed_segmentation  # noqa: PLC0415  (an extra)

    fortran = np.asfortranarray(channel.transpose(2, 1, 0))
    if not fortran.flags.writeable:  # the library asks for a buffer that it could write to, and never does
        fortran = fortran.copy(order="F")
    encoded = compressed_segmentation.compress(fortran, block_size=tuple(block), order="F")
    return np.frombuffer(encoded, "<u4")[1:]


def decode_segmentation(
    data: Data, shape: tuple[int, ...], dtype: np.dtype[Any], block: Vec3, part: Part | None = None
) -> Voxels:
    """Bytes as voxels of `shape` (c, z, y, x), or as the `part` of them (slices of z, y, x).

    Of a part only the blocks that it touches are decoded.

    Raises:
        ChunkCorrupt: when an offset or an index leads outside of the bytes.
    """
    words = _checked_words(data, shape)
    size = (shape[3], shape[2], shape[1])
    spans = [(0, extent) for extent in size] if part is None else [(cut.start, cut.stop) for cut in reversed(part)]
    decoded = [_decode_channel(words[start:], size, dtype, block, spans) for start in words[: shape[0]].tolist()]
    return decoded[0][np.newaxis] if shape[0] == 1 else np.stack(decoded)


def may_hold(data: Data, shape: tuple[int, ...], dtype: np.dtype[Any], block: Vec3, segment_ids: Iterable[int]) -> bool:
    """Whether one of these ids may occur in a chunk of `shape` (c, z, y, x); never False where one does.

    Looks for ids in the tables, wherever they lie, and decodes nothing.

    Raises:
        ChunkCorrupt: as decode_segmentation.
    """
    words = _checked_words(data, shape)
    for start in words[: shape[0]].tolist():
        _check_channel(words[start:], (shape[3], shape[2], shape[1]), dtype.itemsize // 4, block)
    if dtype.itemsize == 4:
        return any(bool((words == segment_id).any()) for segment_id in segment_ids)
    low, high = words[:-1], words[1:]
    halves = [divmod(segment_id, 1 << 32) for segment_id in segment_ids]
    return any(bool((high[np.flatnonzero(low == lower)] == upper).any()) for upper, lower in halves)


def _checked_words(data: Data, shape: tuple[int, ...]) -> _Words:
    if len(data) % 4 or len(data) < 4 * shape[0]:
        raise _corrupt()
    return np.frombuffer(data, "<u4")


def _decode_channel(
    channel: _Words, size: tuple[int, int, int], dtype: np.dtype[Any], block: Vec3, spans: list[tuple[int, int]]
) -> Voxels:
    """The (z, y, x) voxels within `spans` (start, stop on x, y, z) of one channel."""
    import compressed_segmentation  # noqa: PLC0415  (an extra)

    _check_channel(channel, size, dtype.itemsize // 4, block)
    grid = [-(-extent // cell) for extent, cell in zip(size, block, strict=True)]
    first = [start // cell for (start, _), cell in zip(spans, block, strict=True)]
    last = [-(-stop // cell) for (_, stop), cell in zip(spans, block, strict=True)]
    # The blocks of a part, under the same offsets, are a chunk of their own: only their headers move to the front.
    headers = channel[: 2 * grid[0] * grid[1] * grid[2]].reshape(grid[2], grid[1], grid[0], 2)
    wanted = headers[first[2] : last[2], first[1] : last[1], first[0] : last[0]]
    whole = np.empty(len(channel) + 1, "<u4")
    whole[0] = 1
    whole[1 : 1 + wanted.size] = wanted.reshape(-1)
    whole[1 + wanted.size :] = channel[wanted.size :]
    low = [i * cell for i, cell in zip(first, block, strict=True)]
    extent = [min(i * cell, end) - start for i, cell, end, start in zip(last, block, size, low, strict=True)]
    voxels = compressed_segmentation.decompress(whole.tobytes(), extent, dtype, block_size=tuple(block), order="F")
    inside = tuple(slice(start - base, stop - base) for (start, stop), base in zip(spans, low, strict=True))
    cut: Voxels = voxels.reshape(extent, order="F")[inside].transpose(2, 1, 0)
    return cut


def _corrupt() -> ChunkCorrupt:
    return ChunkCorrupt("a compressed_segmentation chunk leads outside of its bytes", "restore it from its source")


def _check_channel(channel: _Words, size: tuple[int, int, int], words_per_id: int, block: Vec3) -> None:
    """Refuse a channel whose offsets or indices lead outside of it."""
    grid = [-(-extent // cell) for extent, cell in zip(size, block, strict=True)]
    blocks = grid[0] * grid[1] * grid[2]
    if len(channel) < 2 * blocks:
        raise _corrupt()
    headers = channel[: 2 * blocks].reshape(blocks, 2).astype(np.int64)
    _check_blocks(channel, headers, words_per_id, block.product)


def _check_blocks(channel: _Words, headers: np.ndarray[Any, Any], words_per_id: int, block_voxels: int) -> None:
    tables, widths, values = headers[:, 0] & 0xFFFFFF, headers[:, 0] >> 24, headers[:, 1]
    if not _IS_WIDTH[widths].all():
        raise _corrupt()
    value_words = (widths * block_voxels + 31) // 32
    if (values + value_words > len(channel)).any() or (tables + words_per_id > len(channel)).any():
        raise _corrupt()
    # Most tables cannot reach the end, however large their indices are.
    reach = tables + words_per_id * (np.int64(1) << np.minimum(widths, 31))
    for i in np.flatnonzero(reach > len(channel)):
        width = int(widths[i])
        packed = channel[values[i] : values[i] + value_words[i]].astype(np.uint64)
        largest = 0
        if width:
            shifts = np.arange(0, 32, width, dtype=np.uint64)
            indices = (packed[:, None] >> shifts) & np.uint64((1 << width) - 1)
            largest = int(indices.reshape(-1)[:block_voxels].max(initial=0))
        if tables[i] + words_per_id * (largest + 1) > len(channel):
            raise _corrupt()
