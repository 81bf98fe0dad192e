"""HTTP/1.1 with kept connections, a thread each."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from .errors import FrameworkError, Refusal, ServerError
from .faults import Fault, Faults
from .messages import Record, Reply, Request, User
from .requests import Requests
from .routes import answer
from .state import State

_TOGETHER = 1 << 16
"""Bytes up to which head and body go out in one piece."""


class BossHTTPServer(http.server.ThreadingHTTPServer):
    """Listens on this machine only."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    state: State
    faults: Faults
    requests: Requests
    token: str
    latency_s: float
    on_request: Callable[[Request], None] | None

    def __init__(self, port: int, state: State, token: str) -> None:
        self.state, self.token = state, token
        self.faults, self.requests = Faults(), Requests()
        self.latency_s, self.on_request = 0.0, None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """End every connection that is open, as a restart of something in between does."""
        with self._lock:
            open_ones = list(self._connections)
        for connection in open_ones:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def user_of(self, authorization: str) -> User:
        """Who an Authorization header tells.

        Raises:
            FrameworkError: 401 for a token that nobody has.
        """
        scheme, _, token = authorization.partition(" ")
        if not authorization or scheme.lower() not in ("token", "bearer"):
            return User.ANONYMOUS
        if token.strip() == self.token:
            return User.OWNER
        if token.strip() == "public":
            return User.PUBLIC
        raise FrameworkError(401, "Invalid token.", (("WWW-Authenticate", "Token"),))

    def reply_to(self, request: Request) -> Reply:
        """The reply without faults."""
        try:
            if request.method not in ("GET", "HEAD", "OPTIONS") and request.user is User.ANONYMOUS:
                raise FrameworkError(401, "Authentication credentials were not provided.")
            return answer(self.state, request)
        except Refusal as refusal:
            return refusal.reply
        except Exception:  # noqa: BLE001 - what the framework does with what nobody catches
            return ServerError().reply


class Handler(http.server.BaseHTTPRequestHandler):
    """Reads a request, has it answered, and sends what a fault leaves of the reply."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    server: BossHTTPServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Tests look at `requests` instead."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        target, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        parsed = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if self.server.latency_s:
            time.sleep(self.server.latency_s)
        request, reply = self._authenticated(urllib.parse.unquote(target), parsed, headers, body)
        fault = self.server.faults.take(request)
        if self.server.on_request is not None:
            self.server.on_request(request)
        if fault is not None and fault.reply is not None:
            reply = fault.reply
        elif fault is not None and fault.redirect_to is not None:
            location = fault.redirect_to + self.path
            reply = Reply(fault.redirect_status, b"", "text/html", (("Location", location),))
        elif reply is None:
            if fault is not None and fault.hold is not None:
                fault.hold.wait()
            reply = self.server.reply_to(request)
        sizes = (len(body), len(reply.body))
        self.server.requests.add(Record(self.command, request.path, query, reply.status, headers, *sizes))
        self._send(reply, fault)

    def _authenticated(
        self, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[Request, Reply | None]:
        """The request, and the refusal when its token is nobody's."""
        try:
            user = self.server.user_of(headers.get("authorization", ""))
        except FrameworkError as refused:
            return Request(self.command, path, query, headers, body, User.ANONYMOUS), refused.reply
        return Request(self.command, path, query, headers, body, user), None

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        body = reply.body
        if fault is not None and fault.short_body is not None:
            body = body[: fault.short_body]
        self.send_response_only(reply.status)
        if reply.status != 204:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in reply.headers:
            self.send_header(name, value)
        head = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer: list[bytes] = []
        if fault is not None and fault.cut_after is not None:
            body = body[: fault.cut_after]
            self.close_connection = True
        if len(body) <= _TOGETHER:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - the base class's names

    def do_OPTIONS(self) -> None:
        """Browsers ask before they send the Authorization header."""
        allowed = (("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE"),)
        self._send(Reply(200, b"", "text/html", (*allowed, ("Access-Control-Allow-Headers", "*, authorization"))), None)
