"""Cutouts: any box as pieces small enough to send, absent voxels told apart from stored ones. Pure: knows no grpc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voxgate.model.geometry import Box, grid_cells, slabs
from voxgate.model.requests import check_box, check_channels, is_fill
from voxgate.model.volumes import CallContext, ChunkPresence, Scale, Volume, Voxels
from voxgate_blocks.plans import plan_blocks
from voxgate_blocks.readahead import ReadAhead, Selection, read_blocks

_BLOCK_BYTES = 8 << 20
_BLOCKS_IN_FLIGHT = 8
_TICK_S = 5.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a cutout.

    Attributes:
        box: the part of the request it answers.
        voxels: array of shape (c, z, y, x); None where every voxel is absent and has the fill value.
    """

    box: Box
    voxels: Voxels | None


@dataclass(frozen=True, slots=True)
class CutRequest:
    """What to read and in what pieces.

    Attributes:
        box: inside the scale's bounds.
        scale: index of the scale.
        channels: None means all.
        piece_bytes: the most raw bytes of a piece.
    """

    box: Box
    scale: int = 0
    channels: tuple[int, ...] | None = None
    piece_bytes: int = 2 << 20


def cut(volume: Volume, request: CutRequest, *, budget_bytes: int, context: CallContext) -> Iterator[Piece | None]:
    """Read a box as pieces that cover every voxel exactly once; None now and then while the store keeps us waiting.

    `budget_bytes` is the number of raw bytes held at once; one block of stored chunks is always held.

    Raises:
        EmptyBox, OutOfBounds, UnknownScale: before anything is read.
    """
    box, scale, channels = request.box, request.scale, request.channels
    level = check_box(volume.info, box, scale)
    voxel_bytes = volume.info.dtype.itemsize * len(check_channels(volume.info, channels))
    block_bytes = max(request.piece_bytes, min(_BLOCK_BYTES, budget_bytes // _BLOCKS_IN_FLIGHT))
    boxes = plan_blocks(level, box, voxel_bytes=voxel_bytes, block_bytes=block_bytes)
    presence = volume.capability(ChunkPresence)
    ahead = ReadAhead(in_flight_bytes=budget_bytes, tick_s=_TICK_S)
    for block, voxels in read_blocks(volume, boxes, Selection(scale, channels), ahead=ahead, context=context):
        if voxels is None:
            yield None
            continue
        for part in _parts(volume, presence, block, voxels, scale):
            if part.voxels is None:
                yield part
                continue
            for slab in slabs(part.box, voxel_bytes=voxel_bytes, slab_bytes=request.piece_bytes):
                yield Piece(slab, part.voxels[(slice(None), *slab.slices_zyx(part.box.start))])


def _parts(volume: Volume, presence: ChunkPresence | None, block: Box, voxels: Voxels, scale: int) -> Iterator[Piece]:
    """The block whole; or, where stored chunks of it are absent, chunk by chunk."""
    absent = _absent_chunks(volume, presence, block, voxels, scale)
    if not absent:
        yield Piece(block, voxels)
        return
    level: Scale = volume.info.scales[scale]
    for chunk in grid_cells(block, level.stored_chunk_shape, level.grid_origin):
        part = voxels[(slice(None), *chunk.slices_zyx(block.start))]
        yield Piece(chunk, None if chunk in absent else part)


def _absent_chunks(volume: Volume, presence: ChunkPresence | None, block: Box, voxels: Voxels, scale: int) -> set[Box]:
    """The stored chunks (clipped to the block) that are not there. Only chunks that read as fill are asked about."""
    if presence is None:
        return set()
    level = volume.info.scales[scale]
    return {
        chunk
        for chunk in grid_cells(block, level.stored_chunk_shape, level.grid_origin)
        if is_fill(volume.info, voxels[(slice(None), *chunk.slices_zyx(block.start))])
        and presence.is_absent(chunk, scale=scale)
    }
