"""Reads on the wire: pieces of a cutout framed as chunks and batched into messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from voxgate.model.errors import LimitExceeded
from voxgate.model.volumes import (
    FILL,
    CallContext,
    Encoding,
    LabelView,
    Volume,
)
from voxgate.v1 import types_pb2
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.framing import FramedChunk, frame_chunk_response, frame_response
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
from voxgate_volume.cutouts import Cutout, CutRequest, Piece

_BATCH_BYTES = 1 << 20
_BATCH_CHUNKS = 256


class _Selection:
    """What a read request means for one volume: the cutout, and how its answer is told."""

    def __init__(self, volume: Volume, request: pb.ReadCutoutRequest | pb.ReadChunkRequest) -> None:
        self._info = volume.info
        self._scale = scale_index(volume.info, request)
        self._box = box_from_proto(request.box)
        accepted = tuple(known_encodings(request.accept_encodings))
        channels = tuple(request.channels) or None
        wanted = CutRequest(self._box, self._scale, channels, accepted, MAX_MESSAGE_BYTES, request.want_checksums)
        self.cutout = Cutout(volume, wanted)

    def header(self, encodings: Sequence[Encoding]) -> pb.CutoutHeader:
        """What holds for every chunk of the answer, whose encodings are numbered as listed."""
        return pb.CutoutHeader(
            resolved_version=self._info.resolved_version,
            data_type=dtype_to_proto(self._info.dtype),
            box=box_to_proto(self._box),
            scale_index=self._scale,
            channel_count=len(self.cutout.channels),
            encodings=[encoding_to_proto(encoding) for encoding in encodings],
            fill_value=fill_to_bytes(self._info.fill_value, self._info.dtype),
            label_view=label_view_to_proto(LabelView.BODIES),
        )


def _chunk(piece: Piece, number: int) -> FramedChunk:
    """A piece as a chunk, its encoding by its number in the header."""
    fields = types_pb2.Chunk(box=box_to_proto(piece.box), encoding_index=number)
    if piece.data_box is not None:
        fields.data_box.CopyFrom(box_to_proto(piece.data_box))
    if piece.crc is not None:
        fields.crc32c = piece.crc
    return FramedChunk(fields, piece.data)


class CutoutMessages:
    """The messages of one ReadCutout, as bytes."""

    def __init__(self, volume: Volume, request: pb.ReadCutoutRequest) -> None:
        """Understand the request.

        Raises:
            UnknownScale, EmptyBox, OutOfBounds, UnsupportedEncoding: for a bad one, before anything is read.
        """
        self._selection = _Selection(volume, request)

    @property
    def raw_bytes(self) -> int:
        """Raw bytes of the whole cutout."""
        return self._selection.cutout.raw_bytes

    def stream(self, budget_bytes: int, context: CallContext) -> Iterator[bytes]:
        """Header, chunks, summary; progress while nothing else goes out."""
        selection = self._selection
        encodings = selection.cutout.encodings
        numbers = {encoding: number for number, encoding in enumerate(encodings)}
        yield frame_response([], header=selection.header(encodings))
        batch: list[FramedChunk] = []
        batch_bytes = done_bytes = 0
        summary = pb.CutoutSummary()
        for pieces in selection.cutout.pieces(budget_bytes=budget_bytes, context=context):
            if pieces is None:
                progress = types_pb2.Progress(phase="reading", done_bytes=done_bytes, total_bytes=self.raw_bytes)
                yield pb.ReadCutoutResponse(progress=progress).SerializeToString()
                continue
            for piece in pieces:
                size = len(piece.data)
                done_bytes += piece.box.voxel_count * selection.cutout.voxel_bytes
                if batch and (batch_bytes + size > MAX_MESSAGE_BYTES or len(batch) >= _BATCH_CHUNKS):
                    yield frame_response(batch)
                    batch, batch_bytes = [], 0
                batch.append(_chunk(piece, numbers[piece.encoding]))
                batch_bytes += size
                summary.chunk_count += 1
                summary.size_bytes += size
                summary.absent_chunk_count += piece.encoding == FILL
                if batch_bytes >= _BATCH_BYTES:
                    yield frame_response(batch)
                    batch, batch_bytes = [], 0
        yield frame_response(batch, summary=summary)


def read_chunk(volume: Volume, request: pb.ReadChunkRequest, limit: int) -> bytes:
    """A small box as one ReadChunkResponse.

    Raises:
        LimitExceeded: when its raw size is over the limit.
    """
    selection = _Selection(volume, request)
    size = selection.cutout.raw_bytes
    if size > limit:
        raise LimitExceeded(
            f"the chunk has {size} bytes, the limit is {limit}",
            "use ReadCutout",
            details={"asked": str(size), "limit": str(limit), "field": "box"},
        )
    piece = selection.cutout.single()
    return frame_chunk_response(selection.header([piece.encoding]), _chunk(piece, 0))
