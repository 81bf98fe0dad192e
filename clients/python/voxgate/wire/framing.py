"""Responses of reads without a copy through the protobuf runtime: plain protobuf on the wire, written and read by hand.

The payload is the last field of a chunk, so a message is its small parts, serialized by the generated classes, joined
with the payload as it lies in memory; and a reader finds it as a view. Field order is this writer's habit and not
protobuf's promise: `parse_response` takes any order, and leaves what it does not know to the generated class.

Wire format: protobuf.dev/programming-guides/encoding. A field is a varint of (number << 3 | wire type) and its value;
wire type 0 is a varint, 2 a varint length and that many bytes, 5 four bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from voxgate.model.errors import IncompleteAnswer
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.byte_codecs import Data

_HEADER, _CHUNKS, _SUMMARY, _PROGRESS = 1, 2, 3, 4
_BOX, _DATA_BOX, _INDEX, _CRC, _DATA = 1, 2, 3, 4, 15
_LENGTH, _VARINT, _FIXED32 = 2, 0, 5
_MAX_VARINT_BYTES = 10


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


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _prefix(number: int, length: int) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(length)


def frame_response(
    chunks: Sequence[FramedChunk],
    *,
    header: volume_pb2.CutoutHeader | None = None,
    summary: volume_pb2.CutoutSummary | None = None,
) -> bytes:
    """The bytes of a ReadCutoutResponse; each payload is copied once, into its place."""
    parts: list[Data] = []
    if header is not None:
        message = header.SerializeToString()
        parts += (_prefix(_HEADER, len(message)), message)
    for chunk in chunks:
        parts += _chunk_parts(_CHUNKS, chunk)
    if summary is not None:
        message = summary.SerializeToString()
        parts += (_prefix(_SUMMARY, len(message)), message)
    return b"".join(parts)


def frame_chunk_response(header: volume_pb2.CutoutHeader, chunk: FramedChunk) -> bytes:
    """The bytes of a ReadChunkResponse, whose fields have the numbers of a ReadCutoutResponse's first two."""
    return frame_response([chunk], header=header)


def _chunk_parts(number: int, chunk: FramedChunk) -> tuple[Data, ...]:
    small = chunk.fields.SerializeToString()
    if not len(chunk.data):
        return (_prefix(number, len(small)), small)
    tail = _prefix(_DATA, len(chunk.data))
    return (_prefix(number, len(small) + len(tail) + len(chunk.data)), small, tail, chunk.data)


class _UnknownError(Exception):
    """Something this parser leaves to the generated class."""


def parse_response(data: bytes) -> ParsedResponse:
    """A ReadCutoutResponse with its payloads as views of `data`.

    Raises:
        IncompleteAnswer: for bytes that are no such message.
    """
    try:
        return _parse(memoryview(data))
    except (_UnknownError, IndexError):
        return _by_generated_class(data)


def parse_chunk_response(data: bytes) -> ParsedResponse:
    """A ReadChunkResponse, likewise: a header and at most one chunk."""
    parsed = parse_response(data)
    if len(parsed.chunks) > 1 or parsed.summary is not None or parsed.progress is not None:
        raise IncompleteAnswer("the server's answer is not one chunk", "ask again; report it if it stays")
    return parsed


def _by_generated_class(data: bytes) -> ParsedResponse:
    try:
        message = volume_pb2.ReadCutoutResponse.FromString(data)
    except DecodeError:
        raise IncompleteAnswer(
            "the server's answer is not of the contract", "ask again; report it if it stays"
        ) from None
    return ParsedResponse(
        message.header if message.HasField("header") else None,
        [FramedChunk(chunk, chunk.data) for chunk in message.chunks],
        message.summary if message.HasField("summary") else None,
        message.progress if message.HasField("progress") else None,
    )


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """The varint at a place, and the place after it."""
    number = view[at]
    if number < 0x80:
        return number, at + 1
    number &= 0x7F
    for index in range(1, _MAX_VARINT_BYTES):
        byte = view[at + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, at + index + 1
    raise _UnknownError


def _read_field(view: memoryview, at: int) -> tuple[int, Any, int]:
    """The tag at a place, its value (a view, or a number), and the place after it."""
    tag, at = _read_varint(view, at)
    kind = tag & 7
    if kind == _LENGTH:
        length, at = _read_varint(view, at)
        if at + length > len(view):
            raise _UnknownError
        return tag, view[at : at + length], at + length
    if kind == _VARINT:
        number, at = _read_varint(view, at)
        return tag, number, at
    if kind == _FIXED32:
        if at + 4 > len(view):
            raise _UnknownError
        return tag, int.from_bytes(view[at : at + 4], "little"), at + 4
    raise _UnknownError


_SINGLE: dict[int, tuple[str, Any]] = {
    _HEADER << 3 | _LENGTH: ("header", volume_pb2.CutoutHeader),
    _SUMMARY << 3 | _LENGTH: ("summary", volume_pb2.CutoutSummary),
    _PROGRESS << 3 | _LENGTH: ("progress", types_pb2.Progress),
}


def _parse(view: memoryview) -> ParsedResponse:
    parsed = ParsedResponse()
    at = 0
    while at < len(view):
        tag, value, at = _read_field(view, at)
        if tag == _CHUNKS << 3 | _LENGTH:
            parsed.chunks.append(_parse_chunk(value))
            continue
        name, kind = _SINGLE.get(tag, ("", None))
        # A field that comes twice is merged by protobuf's rules: the generated class knows them.
        if kind is None or getattr(parsed, name) is not None:
            raise _UnknownError
        try:
            setattr(parsed, name, kind.FromString(bytes(value)))
        except DecodeError:
            raise _UnknownError from None
    return parsed


def _parse_chunk(view: memoryview) -> FramedChunk:
    """Everything but the payload goes through the generated class: a few dozen bytes."""
    at = start = 0
    small = bytearray()
    data: Data = b""
    seen = False
    while at < len(view):
        tag, value, at = _read_field(view, at)
        if tag == _DATA << 3 | _LENGTH:
            if seen:
                raise _UnknownError
            data, seen = value, True
        elif tag >> 3 in (_BOX, _DATA_BOX, _INDEX, _CRC):
            small += view[start:at]
        else:
            raise _UnknownError
        start = at
    try:
        return FramedChunk(types_pb2.Chunk.FromString(bytes(small)), data)
    except DecodeError:
        raise _UnknownError from None
