"""What a call's HTTP request says: its body, its timeout, who calls."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from voxgate.model.errors import DeadlineExceeded, InvalidArgument, LimitExceeded, Unimplemented
from voxgate.wire.headers import REQUEST_ID_KEY, VIA_KEY
from voxgate_gateway.web.speech import Speech

MAX_MESSAGE_BYTES = 4 << 20
"""The most that gRPC servers take."""
BODY_PATIENCE_S = 30.0
"""How long a caller may take to send it."""
_MAX_TIMEOUT_S = 30 * 86400.0
_PASSED_ON = ("authorization", "traceparent", "tracestate", VIA_KEY)
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MILLISECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


class CallerGone(Exception):
    """Whoever asked has gone away; there is nobody to answer."""


async def body_of(scope: Scope, receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        LimitExceeded: when it is larger than any message; the rest is not kept.
        DeadlineExceeded: when it comes too slowly.
        CallerGone: when it never comes.
    """
    # Base64 is a third longer; what it stands for is checked by whoever takes it apart.
    most = (MAX_MESSAGE_BYTES + 5) * 4 // 3 + 4
    length = Headers(scope=scope).get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise _too_large()
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                parts.append(message.get("body", b""))
                most -= len(parts[-1])
                if most < 0:
                    raise _too_large()
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise DeadlineExceeded("the request did not come in time", "send it in one go") from None


def checked_size(message: bytes) -> bytes:
    """The same message.

    Raises:
        LimitExceeded: when it is larger than any server takes.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise _too_large()
    return message


def timeout_of(headers: Headers, speech: Speech) -> float | None:
    """How many seconds a caller waits; None where it does not say.

    Raises:
        InvalidArgument: when it says something else.
    """
    text = headers.get(speech.timeout_header, "").strip()
    if not text:
        return None
    if speech.timeout_header == "connect-timeout-ms":
        if _MILLISECONDS.fullmatch(text):
            return min(int(text) / 1000, _MAX_TIMEOUT_S)
    elif found := _TIMEOUT.fullmatch(text):
        return min(int(found[1]) * _UNITS[found[2]], _MAX_TIMEOUT_S)
    raise InvalidArgument(f"{speech.timeout_header} cannot be {text[:40]!r}", "it is a number, in gRPC with a unit")


def refuse_unknown_ways(headers: Headers, speech: Speech) -> None:
    """Refuse what the caller announces and nobody here understands.

    Raises:
        Unimplemented: a compression.
        InvalidArgument: another version of Connect.
    """
    if speech.encoding_header and headers.get(speech.encoding_header, "identity").strip().lower() != "identity":
        raise Unimplemented("compressed requests are not taken", "send the message as it is")
    if headers.get("connect-protocol-version", "1").strip() != "1":
        raise InvalidArgument("connect-protocol-version is 1 here", "leave it out, or say 1")


def metadata_of(scope: Scope) -> tuple[tuple[str, str], ...]:
    """What is passed on of a caller's headers: who it is, and what it calls this call.

    Raises:
        InvalidArgument: when one of them cannot be passed on.
    """
    headers = Headers(scope=scope)
    found = [(REQUEST_ID_KEY, str(scope.get("state", {}).get("request_id", "")))]
    found += [(name, headers[name].strip()) for name in _PASSED_ON if name in headers]
    for name, value in found:
        if not (value.isascii() and value.isprintable()):
            raise InvalidArgument(f"{name} has characters that no call can carry", "send printable ASCII")
    return tuple((name, value) for name, value in found if value)


def _too_large() -> LimitExceeded:
    return LimitExceeded(
        f"the request is larger than {MAX_MESSAGE_BYTES} bytes",
        "ask for less at a time",
        details={"limit": str(MAX_MESSAGE_BYTES)},
    )
