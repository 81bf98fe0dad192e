"""Fields of protobuf messages by hand, for messages whose payload is not to be copied through the protobuf runtime.

Wire format: protobuf.dev/programming-guides/encoding. A field is a varint of (number << 3 | wire type) and its value;
wire type 0 is a varint, 2 a varint length and that many bytes, 5 four bytes. Whoever reads by hand leaves what is not
known here to the generated class, which knows how repeated and unknown fields are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from voxgate.model.errors import IncompleteAnswer
from voxgate.wire.byte_codecs import Data

LENGTH, VARINT, FIXED32 = 2, 0, 5
_MAX_VARINT_BYTES = 10

M = TypeVar("M", bound=Message)
P = TypeVar("P")


class UnknownFieldError(Exception):
    """Something that is left to the generated class."""


def varint(number: int) -> bytes:
    """A number, seven bits a byte, least first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def prefix(number: int, length: int) -> bytes:
    """What stands before the `length` bytes of a field."""
    return varint(number << 3 | LENGTH) + varint(length)


def message_field(number: int, message: Message) -> tuple[bytes, bytes]:
    """A message as a field of another."""
    data = message.SerializeToString()
    return prefix(number, len(data)), data


def payload_field(number: int, fields: Message, payload_number: int, payload: tuple[Data, ...]) -> tuple[Data, ...]:
    """A message as a field of another: its small fields, and its payload as it lies in memory, in as many pieces."""
    small = fields.SerializeToString()
    size = sum(memoryview(piece).nbytes for piece in payload)
    if not size:
        return (prefix(number, len(small)), small)
    tail = prefix(payload_number, size)
    return (prefix(number, len(small) + len(tail) + size), small, tail, *payload)


def read_varint(view: memoryview, at: int) -> tuple[int, int]:
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
    raise UnknownFieldError


def read_field(view: memoryview, at: int) -> tuple[int, Any, int]:
    """The tag at a place, its value (a view, or a number), and the place after it."""
    tag, at = read_varint(view, at)
    kind = tag & 7
    if kind == LENGTH:
        length, at = read_varint(view, at)
        if at + length > len(view):
            raise UnknownFieldError
        return tag, view[at : at + length], at + length
    if kind == VARINT:
        number, at = read_varint(view, at)
        return tag, number, at
    if kind == FIXED32:
        if at + 4 > len(view):
            raise UnknownFieldError
        return tag, int.from_bytes(view[at : at + 4], "little"), at + 4
    raise UnknownFieldError


def read_message(kind: type[M], data: Data | bytearray) -> M:
    """A message without payload, by its generated class."""
    try:
        return kind.FromString(bytes(data))
    except DecodeError:
        raise UnknownFieldError from None


def set_single(answer: object, kinds: Mapping[int, tuple[str, type[Any]]], tag: int, data: Data) -> None:
    """Set the attribute of a field that comes once.

    Args:
        answer: with an attribute for each field, None while it has not come.
        kinds: by tag, the attribute and the field's class.
        tag: of the field that came.
        data: its bytes.

    Raises:
        UnknownFieldError: for another field, and one that comes again: protobuf merges those by rules of its own.
    """
    name, kind = kinds.get(tag, ("", None))
    if kind is None or getattr(answer, name) is not None:
        raise UnknownFieldError
    setattr(answer, name, read_message(kind, data))


def read_payload(view: memoryview, kind: type[M], payload: int, small: Collection[int]) -> tuple[M, Data]:
    """A message with a payload: its small fields by its generated class, and a view of the payload.

    Args:
        view: the message's bytes.
        kind: its class.
        payload: the number of the payload's field.
        small: the numbers of the other fields.
    """
    at = start = 0
    fields = bytearray()
    data: Data = b""
    seen = False
    while at < len(view):
        tag, value, at = read_field(view, at)
        if tag == payload << 3 | LENGTH:
            if seen:
                raise UnknownFieldError
            data, seen = value, True
        elif tag >> 3 in small:
            fields += view[start:at]
        else:
            raise UnknownFieldError
        start = at
    return read_message(kind, fields), data


def parsed(data: bytes, by_hand: Callable[[memoryview], P], kind: type[M], by_class: Callable[[M], P]) -> P:
    """A message by hand, or where that fails by its generated class.

    Raises:
        IncompleteAnswer: for bytes that are no such message.
    """
    try:
        return by_hand(memoryview(data))
    except (UnknownFieldError, IndexError):
        pass
    try:
        return by_class(kind.FromString(data))
    except DecodeError:
        raise IncompleteAnswer(
            "the server's answer is not of the contract", "ask again; report it if it stays"
        ) from None
