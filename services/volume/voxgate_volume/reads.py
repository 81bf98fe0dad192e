"""Reads on the wire: pieces of a cutout as encoded chunks, batched into messages."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.model.errors import LimitExceeded
from voxgate.model.requests import check_box, check_channels, is_fill, raw_size
from voxgate.model.volumes import FILL, RAW, CallContext, ChunkPresence, LabelView, Volume, Voxels
from voxgate.v1 import types_pb2
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire import encodings
from voxgate.wire.requests import scale_index
from voxgate.wire.volumes import (
    box_from_proto,
    box_to_proto,
    dtype_to_proto,
    encoding_to_proto,
    fill_to_bytes,
    known_encodings,
    label_view_to_proto,
)
from voxgate_serving.settings import MAX_MESSAGE_BYTES
from voxgate_volume.cutouts import CutRequest, Piece, cut

_BATCH_BYTES = 1 << 20
_BATCH_CHUNKS = 256


class _Selection:
    """What a read request means for one volume: box, scale, channels, encodings, header."""

    def __init__(self, volume: Volume, request: pb.ReadCutoutRequest | pb.ReadChunkRequest) -> None:
        info = volume.info
        self.volume = volume
        self.scale = scale_index(info, request)
        self.box = box_from_proto(request.box)
        check_box(info, self.box, self.scale)
        self.channels = check_channels(info, list(request.channels) or None)
        chosen = encodings.choose(known_encodings(request.accept_encodings))
        # RAW stands in where compression would make a chunk larger than a message may be.
        self.encodings = tuple(dict.fromkeys((chosen, RAW, FILL)))
        self.header = pb.CutoutHeader(
            resolved_version=info.resolved_version,
            data_type=dtype_to_proto(info.dtype),
            box=box_to_proto(self.box),
            scale_index=self.scale,
            channel_count=len(self.channels),
            encodings=[encoding_to_proto(encoding) for encoding in self.encodings],
            fill_value=fill_to_bytes(info.fill_value, info.dtype),
            label_view=label_view_to_proto(LabelView.BODIES),
        )

    @property
    def raw_bytes(self) -> int:
        return raw_size(self.volume.info, self.box, len(self.channels))

    def chunk(self, piece: Piece) -> types_pb2.Chunk:
        box = box_to_proto(piece.box)
        if piece.voxels is None:
            return types_pb2.Chunk(box=box, encoding_index=self.encodings.index(FILL))
        data = encodings.encode(piece.voxels, self.encodings[0])
        if len(data) <= MAX_MESSAGE_BYTES:
            return types_pb2.Chunk(box=box, data=data)
        return types_pb2.Chunk(
            box=box, encoding_index=self.encodings.index(RAW), data=encodings.encode(piece.voxels, RAW)
        )


class CutoutMessages:
    """The messages of one ReadCutout."""

    def __init__(self, volume: Volume, request: pb.ReadCutoutRequest) -> None:
        """Understand the request.

        Raises:
            UnknownScale, EmptyBox, OutOfBounds, UnsupportedEncoding: for a bad one, before anything is read.
        """
        self._selection = _Selection(volume, request)

    @property
    def raw_bytes(self) -> int:
        """Raw bytes of the whole cutout."""
        return self._selection.raw_bytes

    def stream(self, budget_bytes: int, context: CallContext) -> Iterator[pb.ReadCutoutResponse]:
        """Header, chunks, summary; progress while nothing else goes out."""
        selection = self._selection
        yield pb.ReadCutoutResponse(header=selection.header)
        request = CutRequest(selection.box, selection.scale, selection.channels, MAX_MESSAGE_BYTES)
        batch: list[types_pb2.Chunk] = []
        batch_bytes = done_bytes = 0
        summary = pb.CutoutSummary()
        for piece in cut(selection.volume, request, budget_bytes=budget_bytes, context=context):
            if piece is None:
                yield pb.ReadCutoutResponse(progress=self._progress(done_bytes))
                continue
            done_bytes += raw_size(selection.volume.info, piece.box, len(selection.channels))
            chunk = selection.chunk(piece)
            size = len(chunk.data)
            if batch and (batch_bytes + size > MAX_MESSAGE_BYTES or len(batch) >= _BATCH_CHUNKS):
                yield pb.ReadCutoutResponse(chunks=batch)
                batch, batch_bytes = [], 0
            batch.append(chunk)
            batch_bytes += size
            summary.chunk_count += 1
            summary.size_bytes += size
            summary.absent_chunk_count += piece.voxels is None
            if batch_bytes >= _BATCH_BYTES:
                yield pb.ReadCutoutResponse(chunks=batch)
                batch, batch_bytes = [], 0
        yield pb.ReadCutoutResponse(chunks=batch, summary=summary)

    def _progress(self, done_bytes: int) -> types_pb2.Progress:
        return types_pb2.Progress(phase="reading", done_bytes=done_bytes, total_bytes=self.raw_bytes)


def read_chunk(volume: Volume, request: pb.ReadChunkRequest, limit: int) -> pb.ReadChunkResponse:
    """A small box in one message.

    Raises:
        LimitExceeded: when its raw size is over the limit.
    """
    selection = _Selection(volume, request)
    if selection.raw_bytes > limit:
        raise LimitExceeded(
            f"the chunk has {selection.raw_bytes} bytes, the limit is {limit}",
            "use ReadCutout",
            details={"asked": str(selection.raw_bytes), "limit": str(limit), "field": "box"},
        )
    voxels: Voxels | None = volume.read(selection.box, scale=selection.scale, channels=selection.channels)
    presence = volume.capability(ChunkPresence)
    if presence is not None and voxels is not None and is_fill(volume.info, voxels):
        voxels = None if presence.is_absent(selection.box, scale=selection.scale) else voxels
    return pb.ReadChunkResponse(header=selection.header, chunk=selection.chunk(Piece(selection.box, voxels)))
