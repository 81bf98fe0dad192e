"""Cutouts over the wire: streams assembled into one array, arrays cut into streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from voxgate.model.errors import ChunkCorrupt, IncompleteAnswer, PartialWriteError
from voxgate.model.geometry import Box, covered_once, grid_cells, slabs, uncovered
from voxgate.model.volumes import (
    RAW,
    ArrayCodec,
    ByteCodec,
    Encoding,
    Scale,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire import encodings
from voxgate.wire.checksums import can_checksum, crc32c
from voxgate.wire.errors import error_from_item
from voxgate.wire.framing import FramedChunk, parse_chunk_response, parse_response
from voxgate.wire.volumes import (
    box_from_proto,
    box_to_proto,
    dtype_to_proto,
    encoding_from_proto,
    encoding_to_proto,
    fill_from_bytes,
)

_MESSAGE_BYTES = 2 << 20
_WORTH_A_THREAD_BYTES = 256 << 10
_COPIES_WAITING = 3
_REMEDY = "ask again; report it if it stays"


class _Copier:
    """Copies decoded chunks in a thread of its own: decoding holds the interpreter's lock, copying does not."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[Future[None]] = deque()

    def copy(self, target: Voxels, voxels: Voxels) -> None:
        """Copy now or soon; at most a few chunks wait."""
        if voxels.nbytes < _WORTH_A_THREAD_BYTES:
            target[...] = voxels
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "voxgate-copy")
        while len(self._running) >= _COPIES_WAITING:
            self._running.popleft().result()
        self._running.append(self._pool.submit(np.copyto, target, voxels))

    def settle(self) -> None:
        """Wait until everything is in its place; the thread ends."""
        while self._running:
            self._running.popleft().result()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class CutoutAssembler:
    """Puts the chunks of one read into an array and knows whether every voxel came exactly once.

    Attributes:
        resolved_version: the version that the header says was read; None before it came.
        summary: the last message's; None before it came.
    """

    def __init__(self, info: VolumeInfo, box: Box, out: Voxels) -> None:
        self._info = info
        self._box = box
        self._out = out
        self._encodings: list[Encoding] = []
        self._fill: int | float = 0
        self._covered: list[Box] = []
        self._copier = _Copier()
        self.resolved_version: str | None = None
        self.summary: volume_pb2.CutoutSummary | None = None

    @property
    def missing(self) -> list[Box]:
        """The parts of the box that no chunk has covered yet, disjoint and merged; the others are in their place."""
        self._copier.settle()
        return uncovered(self._box, self._covered)

    def header(self, header: volume_pb2.CutoutHeader) -> None:
        """Take the header.

        Raises:
            IncompleteAnswer: when it speaks of other voxels than were asked for.
        """
        same_type = header.data_type == dtype_to_proto(self._info.dtype)
        if not same_type or box_from_proto(header.box) != self._box or header.channel_count != self._out.shape[0]:
            raise IncompleteAnswer("the server answered for other voxels than were asked for", _REMEDY)
        self._encodings = [encoding_from_proto(encoding) for encoding in header.encodings]
        self._fill = fill_from_bytes(header.fill_value, self._info.dtype)
        self.resolved_version = header.resolved_version

    def chunk(self, framed: FramedChunk) -> None:
        """Decode one chunk into its place.

        Raises:
            IncompleteAnswer: for a chunk outside the box or of an encoding the header does not list.
            ChunkCorrupt: naming the box, when it cannot be decoded or its checksum differs.
            UnsupportedEncoding: when nothing here decodes it.
        """
        chunk = framed.fields
        box = box_from_proto(chunk.box)
        data_box = box_from_proto(chunk.data_box) if chunk.HasField("data_box") else box
        if box.is_empty or not self._box.contains(box) or not data_box.contains(box):
            raise IncompleteAnswer(f"the server sent a chunk {box} that was not asked for", _REMEDY)
        if chunk.encoding_index >= len(self._encodings):
            raise IncompleteAnswer("the server sent a chunk before the header that explains it", _REMEDY)
        encoding = self._encodings[chunk.encoding_index]
        target = self._out[(slice(None), *box.slices_zyx(self._box.start))]
        if encoding.array is ArrayCodec.FILL:
            target[...] = self._fill
        else:
            named = {"box": str(box)}
            if chunk.HasField("crc32c") and can_checksum() and crc32c(framed.data) != chunk.crc32c:
                raise ChunkCorrupt(f"the bytes of {box} were damaged on their way", "ask again", details=named)
            shape = (self._out.shape[0], *data_box.shape.zyx)
            part = box.slices_zyx(data_box.start)
            try:
                voxels = encodings.decode(framed.data, encoding, shape, self._info.dtype, part=part)
            except ChunkCorrupt as error:
                raise ChunkCorrupt(f"{box}: {error.message}", error.remedy, details=named) from error
            if encoding.array is ArrayCodec.RAW and encoding.bytes is ByteCodec.NONE:
                target[...] = voxels
            else:
                self._copier.copy(target, voxels)
        self._covered.append(box)

    def response(self, data: bytes) -> None:
        """Take one message of a stream, as its bytes."""
        response = parse_response(data)
        if response.header is not None:
            self.header(response.header)
        for chunk in response.chunks:
            self.chunk(chunk)
        if response.summary is not None:
            self.summary = response.summary

    def single(self, data: bytes) -> None:
        """Take the one message of a small read, as its bytes."""
        response = parse_chunk_response(data)
        if response.header is not None:
            self.header(response.header)
        for chunk in response.chunks:
            self.chunk(chunk)
        self.summary = volume_pb2.CutoutSummary(chunk_count=len(response.chunks))

    def finish(self) -> Voxels:
        """The whole array.

        Raises:
            IncompleteAnswer: when a voxel did not come, or came twice, or the stream has no summary.
        """
        self._copier.settle()
        if self.summary is None or not covered_once(self._box, self._covered):
            raise IncompleteAnswer(f"the stream ended before {self._box} was covered", "ask again")
        return self._out


def write_messages(
    header: volume_pb2.WriteCutoutHeader, info: VolumeInfo, level: Scale, voxels: Voxels
) -> Iterator[volume_pb2.WriteCutoutRequest]:
    """The messages of one write: header, then chunks granule by granule, each at most 2 MiB raw.

    `voxels` has shape (c, z, y, x) and fills the header's box.
    """
    box = box_from_proto(header.box)
    compress = info.kind is VolumeKind.SEGMENTATION and encodings.ZSTD in encodings.encodable(info.dtype)
    chosen = encodings.ZSTD if compress else RAW
    header.encodings.extend([encoding_to_proto(chosen), encoding_to_proto(RAW)])
    yield volume_pb2.WriteCutoutRequest(header=header)
    voxel_bytes = info.dtype.itemsize * info.channel_count
    batch: list[types_pb2.Chunk] = []
    size = 0
    for granule in grid_cells(box, level.write_granule_shape, level.grid_origin):
        for part in slabs(granule, voxel_bytes=voxel_bytes, slab_bytes=_MESSAGE_BYTES):
            piece = voxels[(slice(None), *part.slices_zyx(box.start))]
            data, index = encodings.encode(piece, chosen), 0
            if len(data) > _MESSAGE_BYTES:
                data, index = encodings.encode(piece, RAW), 1
            if size + len(data) > _MESSAGE_BYTES:
                yield volume_pb2.WriteCutoutRequest(chunks=batch)
                batch, size = [], 0
            batch.append(types_pb2.Chunk(box=box_to_proto(part), encoding_index=index, data=bytes(data)))
            size += len(data)
    if batch:
        yield volume_pb2.WriteCutoutRequest(chunks=batch)


def check_written(response: volume_pb2.WriteCutoutResponse) -> None:
    """Raise when a write was not complete.

    Raises:
        PartialWriteError: naming the boxes that were not written; its cause is why the first was not.
    """
    if response.outcome == volume_pb2.WRITE_OUTCOME_COMPLETE:
        return
    failures = tuple((str(box_from_proto(f.box)), f.error.message) for f in response.failures)
    first = f": {failures[0][0]}: {failures[0][1]}" if failures else ""
    cause = error_from_item(response.failures[0].error) if failures else None
    raise PartialWriteError(f"some boxes were not written{first}", "write them again", failures=failures) from cause
