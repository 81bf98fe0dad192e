"""One ReadChunk: what is asked, and what its answer holds, checked before anybody believes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, IncompleteAnswer, VersionMoved
from voxgate.model.geometry import Box
from voxgate.model.volumes import FILL, Encoding, VolumeInfo, Voxels
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.byte_codecs import Data
from voxgate.wire.encodings import decode
from voxgate.wire.framing import parse_chunk_response
from voxgate.wire.volumes import box_from_proto, box_to_proto, dtype_to_proto, encoding_from_proto, encoding_to_proto


@dataclass(frozen=True, slots=True)
class ChunkWish:
    """What to read, in one message.

    Attributes:
        box: in voxels of the scale.
        scale: by index.
        channel: one channel; None means all.
        accept: the encodings that the answer may be in, best first; empty means raw.
    """

    box: Box
    scale: int
    channel: int | None = None
    accept: Sequence[Encoding] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A box of voxels as it came.

    Attributes:
        box: the box asked for.
        data: its bytes, a view of the message; empty for FILL.
        encoding: what they are encoded in.
        held: what they decode to; contains the box.
        channels: how many.
        dtype: of the voxels.
        fill: the value of absent voxels, an array of one element.
    """

    box: Box
    data: Data
    encoding: Encoding
    held: Box
    channels: int
    dtype: np.dtype[Any]
    fill: Voxels

    def voxels(self) -> Voxels:
        """The voxels of the box, shape (c, z, y, x); read-only.

        Raises:
            ChunkCorrupt: when they cannot be decoded.
        """
        if self.encoding == FILL:
            return np.broadcast_to(self.fill[0], (self.channels, *self.box.shape.zyx))
        whole = decode(self.data, self.encoding, (self.channels, *self.held.shape.zyx), self.dtype)
        return whole[(slice(None), *self.box.slices_zyx(self.held.start))]


def chunk_request(info: VolumeInfo, wish: ChunkWish) -> pb.ReadChunkRequest:
    """The request for one chunk of a volume, at the version that is known of it."""
    return pb.ReadChunkRequest(
        volume=info.name,
        version=info.resolved_version,
        scale_index=wish.scale,
        box=box_to_proto(wish.box),
        channels=() if wish.channel is None else (wish.channel,),
        accept_encodings=[encoding_to_proto(encoding) for encoding in wish.accept],
    )


def chunk_answer(message: bytes, info: VolumeInfo, wish: ChunkWish) -> Chunk:
    """The chunk that a ReadChunkResponse holds.

    Raises:
        VersionMoved: when the volume is of another type than it was.
        ChunkCorrupt, IncompleteAnswer: when the answer is not about what was asked.
    """
    answer = parse_chunk_response(message)
    header = answer.header
    if header is None or not answer.chunks:
        raise IncompleteAnswer("the volume server's answer has no chunk", "ask again; report it if it stays")
    channels = info.channel_count if wish.channel is None else 1
    if header.data_type != dtype_to_proto(info.dtype) or header.channel_count != channels:
        raise VersionMoved(f"{info.name} changed while it was read", "ask for its info again")
    fields = answer.chunks[0].fields
    if box_from_proto(fields.box) != wish.box or fields.encoding_index >= len(header.encodings):
        raise ChunkCorrupt("the volume server answered another box than was asked for", "report it with the request id")
    held = box_from_proto(fields.data_box) if fields.HasField("data_box") else wish.box
    if not held.contains(wish.box):
        raise ChunkCorrupt("a chunk does not hold the box it answers", "ask again; report it if it stays")
    encoding = encoding_from_proto(header.encodings[fields.encoding_index])
    fill = np.frombuffer(header.fill_value or bytes(info.dtype.itemsize), info.dtype, 1)
    return Chunk(wish.box, answer.chunks[0].data, encoding, held, channels, info.dtype, fill)
