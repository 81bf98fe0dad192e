"""gRPC-Web and Connect spoken by hand, without the code under test; and a gRPC server that does as it is told."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import grpc
import httpx
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from voxgate_gateway.server import Gateway

GRPC_WEB, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"


def framed(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """(flags, payload) of every frame; nothing may be left over."""
    found = []
    at = 0
    while at < len(body):
        flags, length = struct.unpack_from(">BI", body, at)
        found.append((flags, body[at + 5 : at + 5 + length]))
        at += 5 + length
    assert at == len(body)
    return found


def from_text(text: bytes) -> bytes:
    """Base64 that may be padded in the middle: four characters are always three bytes or fewer."""
    assert len(text) % 4 == 0
    return b"".join(base64.b64decode(text[at : at + 4], validate=True) for at in range(0, len(text), 4))


@dataclass(frozen=True)
class Answered:
    """How a call was answered.

    Attributes:
        code: gRPC's number.
        message: of the status.
        messages: serialized.
        details: what the status has in its details, unpacked: ErrorInfo and RetryInfo.
        headers: of HTTP.
    """

    code: int
    message: str
    messages: list[bytes]
    details: list[Any]
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def reason(self) -> str:
        infos = [detail for detail in self.details if isinstance(detail, error_details_pb2.ErrorInfo)]
        assert all(info.domain == "voxgate" for info in infos)
        return infos[0].reason if infos else ""


def call(url: str, method: str, request: bytes, *, text: bool = False, **headers: str) -> Answered:
    """One call in gRPC-Web."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = framed(request)
    kind = TEXT if text else GRPC_WEB
    answer = httpx.post(
        f"{url}/voxgate.v1.{method}",
        content=base64.b64encode(body) if text else body,
        headers={"content-type": kind, "x-grpc-web": "1", **named},
        timeout=60,
    )
    return told(answer, kind)


def told(answer: httpx.Response, kind: str = GRPC_WEB) -> Answered:
    """What an answer in gRPC-Web says."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == kind
    body = from_text(answer.content) if "text" in kind else answer.content
    *messages, (last, trailers) = frames(body)
    assert last == 0x80
    assert all(flags == 0 for flags, _ in messages)
    lines = trailers.decode("ascii").split("\r\n")
    assert lines.pop() == ""
    said = dict(line.split(": ", 1) for line in lines)
    return Answered(
        int(said["grpc-status"]),
        unquote(said.get("grpc-message", "")),
        [message for _, message in messages],
        _unpacked(said.get("grpc-status-details-bin", "")),
        answer.headers,
    )


def _unpacked(encoded: str) -> list[Any]:
    status = status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    found = []
    for detail in status.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo, error_details_pb2.BadRequest):
            message = kind()
            if detail.Unpack(message):
                found.append(message)
    return found


def connect_reason(problem: dict[str, Any]) -> str:
    """The reason in an error as Connect has it."""
    for detail in problem.get("details", ()):
        if detail["type"] == "google.rpc.ErrorInfo":
            value = detail["value"]
            return error_details_pb2.ErrorInfo.FromString(base64.b64decode(value + "=" * (-len(value) % 4))).reason
    return ""


def connect_stream(answer: httpx.Response) -> tuple[list[bytes], dict[str, Any]]:
    """The messages of a Connect stream, and what its end says."""
    assert answer.status_code == 200, answer.text
    *messages, (last, end) = frames(answer.content)
    assert last == 2
    return [message for _, message in messages], json.loads(end)


Act = Callable[[bytes, grpc.ServicerContext], Iterable[bytes]]


def telling(*messages: Message) -> Act:
    """Answers these, whatever is asked."""
    return lambda _request, _context: [message.SerializeToString() for message in messages]


class Scripted(grpc.GenericRpcHandler):
    """Answers methods of voxgate.v1 by functions, and remembers what it was asked with.

    Attributes:
        acts: by "Service/Method".
        metadata: of the last call.
        time_remaining: of the last call.
        ended: set when a call has ended, however.
    """

    def __init__(self, acts: dict[str, Act]) -> None:
        self.acts = acts
        self.metadata: dict[str, str | bytes] = {}
        self.time_remaining: float | None = None
        self.ended = threading.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        act = self.acts.get(handler_call_details.method.removeprefix("/voxgate.v1."))
        if act is None:
            return None

        def run(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            self.metadata = dict(context.invocation_metadata())
            self.time_remaining = context.time_remaining()
            context.add_callback(self.ended.set)
            yield from act(request, context)

        return grpc.unary_stream_rpc_method_handler(run)


@contextlib.contextmanager
def scripted(acts: dict[str, Act]) -> Iterator[tuple[Scripted, str]]:
    """Serve it on a loopback port; yields it and its address."""
    script = Scripted(acts)
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((script,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield script, f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextlib.contextmanager
def gateway_to(acts: dict[str, Act]) -> Iterator[tuple[Scripted, Gateway]]:
    """A scripted server and a gateway in front of it."""
    with scripted(acts) as (script, address):
        gateway = Gateway(address, port=0)
        gateway.start()
        try:
            yield script, gateway
        finally:
            gateway.stop(1)
