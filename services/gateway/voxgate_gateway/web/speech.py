"""How callers speak: which content type means what, and what a call's messages and its end look like in it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import anyio.to_thread

from voxgate.wire.errors import DETAILS_KEY
from voxgate_gateway.backend.forwarding import Ending
from voxgate_gateway.backend.methods import Method
from voxgate_gateway.web import framing

_TYPE_PREFIX = "type.googleapis.com/"
# gRPC's numbers as Connect has them: a name, and the HTTP status of an answer without a stream.
_CONNECT_CODES = {
    1: ("canceled", 499),
    2: ("unknown", 500),
    3: ("invalid_argument", 400),
    4: ("deadline_exceeded", 504),
    5: ("not_found", 404),
    6: ("already_exists", 409),
    7: ("permission_denied", 403),
    8: ("resource_exhausted", 429),
    9: ("failed_precondition", 400),
    10: ("aborted", 409),
    11: ("out_of_range", 400),
    12: ("unimplemented", 501),
    13: ("internal", 500),
    14: ("unavailable", 503),
    15: ("data_loss", 500),
    16: ("unauthenticated", 401),
}


class Speech(Protocol):
    """One way to speak.

    Attributes:
        content_type: of the answer.
        timeout_header: where a caller says how long it waits.
        is_bare: whether the answer is one message and nothing around it, so that its HTTP status is the call's.
        encoding_header: where a caller says that it compressed.
    """

    @property
    def content_type(self) -> str: ...  # noqa: D102
    @property
    def timeout_header(self) -> str: ...  # noqa: D102
    @property
    def is_bare(self) -> bool: ...  # noqa: D102
    @property
    def encoding_header(self) -> str: ...  # noqa: D102

    async def request(self, method: Method, body: bytes) -> bytes:
        """The serialized request in a body.

        Raises:
            InvalidArgument, Unimplemented: when there is none.
        """

    async def message(self, method: Method, message: bytes) -> bytes:
        """One message of the answer, as it is sent.

        Raises:
            InternalError: when it cannot be told in this speech.
        """

    def end(self, ending: Ending) -> bytes:
        """What is sent last."""


@dataclass(frozen=True, slots=True)
class GrpcWeb:
    """gRPC-Web: frames, and trailers in a frame of their own."""

    content_type: str
    is_text: bool = False
    timeout_header: str = "grpc-timeout"
    is_bare: bool = False
    encoding_header: str = ""  # each frame says it

    async def request(self, method: Method, body: bytes) -> bytes:  # noqa: ARG002  (Speech's shape)
        """See Speech."""
        return framing.only_message(framing.from_text(body) if self.is_text else body)

    async def message(self, method: Method, message: bytes) -> bytes:  # noqa: ARG002  (Speech's shape)
        """See Speech."""
        return self._sent(framing.frame(message))

    def end(self, ending: Ending) -> bytes:
        """See Speech."""
        trailers = {"grpc-status": str(ending.code)}
        if ending.message:
            trailers["grpc-message"] = quote(ending.message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        if ending.details:
            trailers[DETAILS_KEY] = _base64(ending.details)
        text = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        return self._sent(framing.frame(text.encode("ascii"), framing.GRPC_WEB_END))

    def _sent(self, data: bytes) -> bytes:
        return framing.to_text(data) if self.is_text else data


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect: a bare message for one answer, frames and a last one in JSON for a stream."""

    content_type: str
    is_bare: bool
    is_json: bool
    timeout_header: str = "connect-timeout-ms"

    @property
    def encoding_header(self) -> str:
        """See Speech."""
        return "content-encoding" if self.is_bare else "connect-content-encoding"

    async def request(self, method: Method, body: bytes) -> bytes:
        """See Speech."""
        message = body if self.is_bare else framing.only_message(body)
        return await anyio.to_thread.run_sync(method.request_from_json, message) if self.is_json else message

    async def message(self, method: Method, message: bytes) -> bytes:
        """See Speech."""
        told = await anyio.to_thread.run_sync(method.answer_to_json, message) if self.is_json else message
        return told if self.is_bare else framing.frame(told)

    def end(self, ending: Ending) -> bytes:
        """See Speech."""
        problem = connect_error(ending)
        if self.is_bare:
            return json.dumps(problem).encode()
        return framing.frame(json.dumps({"error": problem} if ending.code else {}).encode(), framing.CONNECT_END)


SPEECHES: dict[str, Speech] = {
    speech.content_type: speech
    for speech in (
        GrpcWeb("application/grpc-web"),
        GrpcWeb("application/grpc-web+proto"),
        GrpcWeb("application/grpc-web-text", is_text=True),
        GrpcWeb("application/grpc-web-text+proto", is_text=True),
        Connect("application/proto", is_bare=True, is_json=False),
        Connect("application/json", is_bare=True, is_json=True),
        Connect("application/connect+proto", is_bare=False, is_json=False),
        Connect("application/connect+json", is_bare=False, is_json=True),
    )
}


def speech_of(content_type: str) -> Speech | None:
    """The speech of a content type, whatever its parameters; None for any other."""
    return SPEECHES.get(content_type.partition(";")[0].strip().lower())


def http_status(code: int) -> int:
    """The HTTP status of a call that ended so, for an answer without a stream."""
    return _CONNECT_CODES.get(code, ("unknown", 500))[1] if code else 200


def connect_error(ending: Ending) -> dict[str, Any]:
    """An ending as Connect's JSON has it."""
    details = [
        {"type": detail.type_url.removeprefix(_TYPE_PREFIX), "value": _base64(detail.value)}
        for detail in ending.status.details
    ]
    problem = {"code": _CONNECT_CODES.get(ending.code, ("unknown", 500))[0], "message": ending.message}
    return {**problem, "details": details} if details else problem


def _base64(data: bytes) -> str:
    """Both protocols leave padding out."""
    return base64.b64encode(data).decode("ascii").rstrip("=")
