"""Responses of reads without a copy through the protobuf runtime: plain protobuf on the wire, written and read by hand.

The payload is the last field of a chunk, so a message is its small parts, serialized by the generated classes, joined
with the payload as it lies in memory; and a reader finds it as a view. Field order is this writer's habit and not
protobuf's promise: `parse_response` takes any order, and leaves what it does not know to the generated class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from voxgate.model.errors import IncompleteAnswer
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.byte_codecs import Data
from voxgate.wire.fields import (
    LENGTH,
    message_field,
    parsed,
    payload_field,
    read_field,
    read_payload,
    set_single,
)

_HEADER, _CHUNKS, _SUMMARY, _PROGRESS = 1, 2, 3, 4
_BOX, _DATA_BOX, _INDEX, _CRC, _DATA = 1, 2, 3, 4, 15
_SMALL = (_BOX, _DATA_BOX, _INDEX, _CRC)


@dataclass(frozen=True, slots=True)
class FramedChunk:
    """A chunk on its way: its small fields as a message (without data), and its payload."""

    fields: types_pb2.Chunk
    data: Data


@dataclass(slots=True)
class ParsedResponse:
    """A response as it arrived; `chunks` pairs small fields with a view of the payload."""

    header: volume_pb2.CutoutHeader | None = None
    chunks: list[FramedChunk] = field(default_factory=list)
    summary: volume_pb2.CutoutSummary | None = None
    progress: types_pb2.Progress | None = None


def frame_response(
    chunks: Sequence[FramedChunk],
    *,
    header: volume_pb2.CutoutHeader | None = None,
    summary: volume_pb2.CutoutSummary | None = None,
) -> bytes:
    """The bytes of a ReadCutoutResponse; each payload is copied once, into its place."""
    parts: list[Data] = []
    if header is not None:
        parts += message_field(_HEADER, header)
    for chunk in chunks:
        parts += payload_field(_CHUNKS, chunk.fields, _DATA, (chunk.data,))
    if summary is not None:
        parts += message_field(_SUMMARY, summary)
    return b"".join(parts)


def frame_chunk_response(header: volume_pb2.CutoutHeader, chunk: FramedChunk) -> bytes:
    """The bytes of a ReadChunkResponse, whose fields have the numbers of a ReadCutoutResponse's first two."""
    return frame_response([chunk], header=header)


def parse_response(data: bytes) -> ParsedResponse:
    """A ReadCutoutResponse with its payloads as views of `data`.

    Raises:
        IncompleteAnswer: for bytes that are no such message.
    """
    return parsed(data, _parse, volume_pb2.ReadCutoutResponse, _of_message)


def parse_chunk_response(data: bytes) -> ParsedResponse:
    """A ReadChunkResponse, likewise: a header and at most one chunk."""
    response = parse_response(data)
    if len(response.chunks) > 1 or response.summary is not None or response.progress is not None:
        raise IncompleteAnswer("the server's answer is not one chunk", "ask again; report it if it stays")
    return response


def _of_message(message: volume_pb2.ReadCutoutResponse) -> ParsedResponse:
    return ParsedResponse(
        message.header if message.HasField("header") else None,
        [FramedChunk(chunk, chunk.data) for chunk in message.chunks],
        message.summary if message.HasField("summary") else None,
        message.progress if message.HasField("progress") else None,
    )


_SINGLE: dict[int, tuple[str, Any]] = {
    _HEADER << 3 | LENGTH: ("header", volume_pb2.CutoutHeader),
    _SUMMARY << 3 | LENGTH: ("summary", volume_pb2.CutoutSummary),
    _PROGRESS << 3 | LENGTH: ("progress", types_pb2.Progress),
}


def _parse(view: memoryview) -> ParsedResponse:
    response = ParsedResponse()
    at = 0
    while at < len(view):
        tag, value, at = read_field(view, at)
        if tag == _CHUNKS << 3 | LENGTH:
            response.chunks.append(FramedChunk(*read_payload(value, types_pb2.Chunk, _DATA, _SMALL)))
        else:
            set_single(response, _SINGLE, tag, value)
    return response
