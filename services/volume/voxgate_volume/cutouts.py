"""Cutouts: any box as pieces ready to send. Pure: knows no grpc.

Stored chunks leave as they are stored where the caller accepts that; everything else is read in blocks of whole stored
chunks, cut, and encoded. All of it happens ahead of the caller, in threads, within a byte budget.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from voxgate.model.geometry import Box, Vec3, grid_cells, slabs
from voxgate.model.requests import check_box, check_channels, is_fill, raw_size
from voxgate.model.volumes import (
    FILL,
    RAW,
    ArrayCodec,
    CallContext,
    ChunkPresence,
    EncodedChunk,
    Encoding,
    ReadTuning,
    Tuned,
    Volume,
    Voxels,
)
from voxgate.wire import encodings
from voxgate.wire.byte_codecs import Data
from voxgate.wire.checksums import can_checksum, crc32c
from voxgate_blocks.plans import plan_blocks
from voxgate_blocks.readahead import ReadAhead, work_ahead
from voxgate_volume.passing import Passing, cell_of, passing_of, single_cell

_BLOCK_BYTES = 4 << 20
_BLOCKS_IN_FLIGHT = 8
_LEAST_AT_ONCE = 4
_TICK_S = 5.0
_ENCODING_THREADS = 2
_SEGMENTATION_CELL = Vec3(64, 64, 64)
_NOTHING = b""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a cutout, ready to send.

    Attributes:
        box: the part of the request it answers.
        encoding: of its bytes; FILL where every voxel is absent and has the fill value.
        data: the bytes.
        data_box: what the bytes decode to, where that is more than `box`.
        crc: their CRC-32C, where it was asked for.
    """

    box: Box
    encoding: Encoding
    data: Data = _NOTHING
    data_box: Box | None = None
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class CutRequest:
    """What to read and how to send it.

    Attributes:
        box: inside the scale's bounds.
        scale: index of the scale.
        channels: None means all.
        accepted: the encodings the caller decodes, best first; empty means RAW.
        piece_bytes: the most bytes of a piece, as sent.
        checksums: whether pieces carry a checksum.
    """

    box: Box
    scale: int = 0
    channels: tuple[int, ...] | None = None
    accepted: tuple[Encoding, ...] = ()
    piece_bytes: int = 2 << 20
    checksums: bool = False


class Cutout:
    """One cutout of a volume: what encodings it will come in, and its pieces."""

    def __init__(self, volume: Volume, request: CutRequest) -> None:
        """Understand the request.

        Raises:
            EmptyBox, OutOfBounds, UnknownScale, UnsupportedEncoding: before anything is read.
        """
        info = volume.info
        self._volume = volume
        self._request = request
        self._level = check_box(info, request.box, request.scale)
        self.channels = check_channels(info, request.channels)
        self._chosen = encodings.choose(list(request.accepted), info.dtype)
        self._all_channels = self.channels == tuple(range(info.channel_count))
        self._presence = volume.capability(ChunkPresence)
        self.voxel_bytes = info.dtype.itemsize * len(self.channels)
        self._checksums = request.checksums and can_checksum()

    @functools.cached_property
    def _passing(self) -> Passing | None:
        """How stored chunks are passed on; those of a chunk hold all channels."""
        if not self._all_channels:
            return None
        return passing_of(self._volume, self._request.scale, self._request.accepted, raw_too=False)

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """Every encoding that one of `pieces` may have."""
        passed = self._passing.outgoing.values() if self._passing else ()
        return tuple(dict.fromkeys((self._chosen, RAW, FILL, *passed)))

    @property
    def raw_bytes(self) -> int:
        """Raw bytes of all voxels of the box."""
        return raw_size(self._volume.info, self._request.box, len(self.channels))

    def pieces(self, *, budget_bytes: int, context: CallContext) -> Generator[list[Piece] | None]:
        """Pieces that cover every voxel exactly once, a block's at a time; None while the store keeps us waiting.

        `budget_bytes` is the number of raw bytes held at once; one block of stored chunks is always held.
        """
        threads = self._threads()
        block_bytes = self._block_bytes(budget_bytes, threads)
        blocks = plan_blocks(self._level, self._request.box, voxel_bytes=self.voxel_bytes, block_bytes=block_bytes)
        if threads == 1:
            # Nothing is waited for, and a second thread would only take turns with the one that sends.
            for block in blocks:
                context.check()
                yield self._block(block)
            return

        def size_of(block: Box) -> int:
            return block.voxel_count * self.voxel_bytes

        ahead = ReadAhead(budget_bytes, threads, _TICK_S)
        for _, pieces in work_ahead(blocks, self._block, size_of, ahead=ahead, context=context):
            yield pieces

    @functools.cached_property
    def _tuning(self) -> ReadTuning:
        """How the store says that it is read fastest."""
        tuned = self._volume.capability(Tuned)
        return ReadTuning() if tuned is None else tuned.tuning

    def _block_bytes(self, budget_bytes: int, threads: int) -> int:
        """About how many raw bytes one read has: as the store likes it, and so that several of them fit the budget.

        What a store far away answers in a second grows with the bytes that are asked for at a time, in however many
        requests, and every request costs the store: so there are fewer than threads rather than smaller ones.
        """
        if self._tuning.request_bytes:
            at_once = min(threads, _LEAST_AT_ONCE) + (self.raw_bytes > budget_bytes)  # one is being sent
            wanted, most = self._tuning.request_bytes, budget_bytes // at_once
        else:
            wanted, most = _BLOCK_BYTES, budget_bytes // _BLOCKS_IN_FLIGHT
        return max(self._request.piece_bytes, min(wanted, most))

    def _threads(self) -> int:
        """How many blocks are worked on at a time."""
        threads = self._tuning.parallel_reads
        compresses = self._passing is None and self._chosen != RAW
        return max(threads, _ENCODING_THREADS) if compresses else threads

    def single(self) -> Piece:
        """The whole box as one piece; its caller has checked its size."""
        box, scale = self._request.box, self._request.scale
        cell = single_cell(self._level, box)
        passing = self._passing_single(cell) if cell is not None else None
        if passing is not None and cell is not None:
            (chunk,) = passing.chunks.read_encoded([cell], scale=scale)
            if chunk is None:
                return Piece(box, FILL)
            sent = passing.send(chunk, self._request.piece_bytes)
            if sent is not None and (sent[0].array is not ArrayCodec.RAW or chunk.data_box == box):
                return self._piece(box, sent[0], sent[1], chunk.data_box)
            voxels, start = self._voxels_of(box, chunk)
            return self._encoded(box, _cut(voxels, start, box))
        voxels = self._volume.read(box, scale=scale, channels=self._request.channels)
        if is_fill(self._volume.info, voxels) and self._presence and self._presence.is_absent(box, scale=scale):
            return Piece(box, FILL)
        return self._encoded(box, voxels)

    def _passing_single(self, cell: Box) -> Passing | None:
        """How the one stored chunk of a small read is passed on; a part of a plain raw one is read by itself."""
        usual = self._level.stored_encodings[:1]
        if not self._all_channels or (usual == (RAW,) and cell != self._request.box):
            return None
        return passing_of(self._volume, self._request.scale, self._request.accepted or (RAW,), raw_too=True)

    def _block(self, block: Box) -> list[Piece]:
        """The pieces of one block of the plan."""
        if self._passing is not None:
            return self._passed(self._passing, block)
        voxels = self._volume.read(block, scale=self._request.scale, channels=self._request.channels)
        absent = self._absent_chunks(block, voxels)
        if not absent:
            return [self._encoded(part, _cut(voxels, block, part)) for part in self._parts(block)]
        pieces: list[Piece] = []
        for chunk in grid_cells(block, self._level.stored_chunk_shape, self._level.grid_origin):
            if chunk in absent:
                pieces.append(Piece(chunk, FILL))
            else:
                pieces.extend(self._encoded(part, _cut(voxels, block, part)) for part in self._parts(chunk))
        return pieces

    def _passed(self, passing: Passing, block: Box) -> list[Piece]:
        """A block's stored chunks as they are stored; those that cannot be passed on are decoded here."""
        shape, origin = self._level.stored_chunk_shape, self._level.grid_origin
        parts = list(grid_cells(block, shape, origin))
        cells = [cell_of(self._level, part) for part in parts]
        found = passing.chunks.read_encoded(cells, scale=self._request.scale)
        pieces: list[Piece] = []
        for part, chunk in zip(parts, found, strict=True):
            sent = None if chunk is None else passing.send(chunk, self._request.piece_bytes)
            if chunk is None:
                pieces.append(Piece(part, FILL))
            elif sent is not None:
                pieces.append(self._piece(part, sent[0], sent[1], chunk.data_box))
            else:
                pieces.extend(self._decoded(part, chunk))
        return pieces

    def _decoded(self, part: Box, chunk: EncodedChunk) -> Iterator[Piece]:
        voxels, start = self._voxels_of(part, chunk)
        for one in self._parts(part):
            yield self._encoded(one, _cut(voxels, start, one))

    def _voxels_of(self, part: Box, chunk: EncodedChunk) -> tuple[Voxels, Box]:
        """Voxels that hold a part of a stored chunk, and their box: decoded here, or by the store where we cannot."""
        info = self._volume.info
        if not encodings.accepts(encodings.decodable(info.dtype), chunk.encoding):
            return self._volume.read(part, scale=self._request.scale), part
        shape = (info.channel_count, *chunk.data_box.shape.zyx)
        return encodings.decode(chunk.data, chunk.encoding, shape, info.dtype), chunk.data_box

    def _absent_chunks(self, block: Box, voxels: Voxels) -> set[Box]:
        """The stored chunks (clipped to the block) that are not there. Only those that read as fill are asked about."""
        if self._presence is None:
            return set()
        return {
            chunk
            for chunk in grid_cells(block, self._level.stored_chunk_shape, self._level.grid_origin)
            if is_fill(self._volume.info, _cut(voxels, block, chunk))
            and self._presence.is_absent(chunk, scale=self._request.scale)
        }

    def _parts(self, box: Box) -> Iterator[Box]:
        """A box cut for encoding: flat slabs, which are contiguous; cubes where ids are gathered in tables."""
        pieces = slabs(box, voxel_bytes=self.voxel_bytes, slab_bytes=self._request.piece_bytes)
        if self._chosen.array is not ArrayCodec.COMPRESSED_SEGMENTATION:
            return pieces
        cubes = grid_cells(box, _SEGMENTATION_CELL, box.start)
        limit = self._request.piece_bytes
        return itertools.chain.from_iterable(
            slabs(cube, voxel_bytes=self.voxel_bytes, slab_bytes=limit) for cube in cubes
        )

    def _encoded(self, box: Box, voxels: Voxels) -> Piece:
        """RAW stands in where compression would make a piece larger than it may be."""
        data = encodings.encode(voxels, self._chosen)
        if len(data) <= self._request.piece_bytes:
            return self._piece(box, self._chosen, data, box)
        return self._piece(box, RAW, encodings.encode(voxels, RAW), box)

    def _piece(self, box: Box, encoding: Encoding, data: Data, data_box: Box) -> Piece:
        crc = crc32c(data) if self._checksums else None
        return Piece(box, encoding, data, None if data_box == box else data_box, crc)


def _cut(voxels: Voxels, block: Box, part: Box) -> Voxels:
    """The part of a block's voxels."""
    return voxels[(slice(None), *part.slices_zyx(block.start))]
