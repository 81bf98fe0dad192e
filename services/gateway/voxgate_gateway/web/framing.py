"""Messages in a body: a byte of flags, four bytes of length (big-endian), the message.

gRPC-Web (grpc/doc/PROTOCOL-WEB.md) and Connect's streams (connectrpc.com/docs/protocol) share this frame and differ in
the flag of the last one. gRPC-Web's text form is base64 of it, frame by frame, so padding occurs in the middle.
"""

from __future__ import annotations

import base64
import re
import struct

from voxgate.model.errors import InvalidArgument, Unimplemented

COMPRESSED, CONNECT_END, GRPC_WEB_END = 0x01, 0x02, 0x80
_HEADER = struct.Struct(">BI")
_REMEDY = "send one message: a zero byte, its length in four bytes (big-endian), the message"
_PADDED = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def frame(payload: bytes, flags: int = 0) -> bytes:
    """A payload in its frame."""
    return _HEADER.pack(flags, len(payload)) + payload


def only_message(body: bytes) -> bytes:
    """The message of a body that has one frame.

    Raises:
        InvalidArgument: when it is cut off, has more than one, or has another kind of frame.
        Unimplemented: when it is compressed.
    """
    if len(body) < _HEADER.size:
        raise InvalidArgument(f"the body has {len(body)} bytes, which is no message", _REMEDY)
    flags, length = _HEADER.unpack_from(body)
    if flags == COMPRESSED:
        raise Unimplemented("compressed requests are not taken", "send the message as it is")
    if flags:
        raise InvalidArgument(f"the first frame has the flags {flags:#04x}", _REMEDY)
    if length != len(body) - _HEADER.size:
        raise InvalidArgument(
            f"the frame says {length} bytes, and {len(body) - _HEADER.size} came", "one message is a whole request here"
        )
    return body[_HEADER.size :]


def to_text(data: bytes) -> bytes:
    """Base64, padded."""
    return base64.b64encode(data)


def from_text(text: bytes) -> bytes:
    """What base64 stands for, pieces with padding of their own one after the other.

    Raises:
        InvalidArgument: when it is no base64.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(text):
        found = _PADDED.match(text, at)
        if found is None or found.end() == at:
            raise InvalidArgument("the body is no base64", "application/grpc-web takes bytes as they are")
        parts.append(base64.b64decode(found.group()))
        at = found.end()
    return b"".join(parts)
