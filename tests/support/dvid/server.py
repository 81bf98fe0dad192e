"""The server over real sockets: HTTP/1.1 that stays open, a log of requests, and faults on demand."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .labels import Crashed
from .routing import answer
from .store import Store
from .wire import PLAIN, Reply, Request

_BUFFER = 64 << 10
_GO_BUFFER = 2048  # up to here the original's answers say their length, above they come in chunks


@dataclass(frozen=True)
class Logged:
    """One request as it was answered. `query` is decoded, `status` is 0 for a connection that was dropped."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int


@dataclass
class _Fault:
    reply: Reply
    times: int
    only: str = ""
    cut: int | None = None


@dataclass
class DvidServer:
    """A running server. Everything may be changed while it runs.

    With an `admin_token`, making a repository needs it in the query, as the original does since 2026; without one,
    everybody may, as before.
    """

    store: Store = field(default_factory=Store)
    requests: list[Logged] = field(default_factory=list)
    latency_s: float = 0.0
    admin_token: str | None = None
    throttle: threading.BoundedSemaphore = field(default_factory=threading.BoundedSemaphore)
    address: str = ""
    _faults: list[_Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def fail_next(
        self, status: int, text: str = "", headers: dict[str, str] | None = None, *, times: int = 1, only: str = ""
    ) -> None:
        """Answer the next requests whose path holds `only` with this instead."""
        self._faults.append(_Fault(Reply(text.encode(), PLAIN, status, headers or {}), times, only))

    def answer_next(self, body: bytes, *, only: str = "", times: int = 1) -> None:
        """Answer the next requests whose path holds `only` with 200 and these bytes instead."""
        self._faults.append(_Fault(Reply(body), times, only))

    def forget_faults(self) -> None:
        """Answer truly from now on."""
        self._faults.clear()

    def redirect_next(self, to: str, *, status: int = 302, times: int = 1) -> None:
        self.fail_next(status, headers={"Location": to}, times=times)

    def cut_next(self, after: int, *, times: int = 1, only: str = "") -> None:
        """Send the true headers and `after` bytes of the body, then drop the connection."""
        self._faults.append(_Fault(Reply(), times, only, after))

    def paths(self, method: str | None = None) -> list[str]:
        return [one.path for one in list(self.requests) if method in (None, one.method)]

    def _fault(self, path: str) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times and fault.only in path:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _BUFFER
    dvid: DvidServer

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body, query = self._body(), dict(parse_qsl(split.query, keep_blank_values=True))
        token = self.dvid.admin_token
        admin = token is not None and query.get("admintoken") == token
        path = unquote(split.path)
        request = Request(
            self.command,
            path,
            tuple(piece for piece in path.removeprefix("/api/").split("/") if piece),
            query,
            body,
            admin,
            admin or self.dvid.admin_token is None,
            self.headers.get("Range", ""),
        )
        if self.dvid.latency_s:
            time.sleep(self.dvid.latency_s)
        fault = self.dvid._fault(self.path)
        if fault is not None and fault.cut is None:
            self._send(fault.reply, request, None)
            return
        try:
            self._send(self._throttled(request), request, None if fault is None else fault.cut)
        except Crashed:
            self._log(request, 0)
            self.close_connection = True

    def _throttled(self, request: Request) -> Reply:
        if request.query.get("throttle") not in ("true", "on"):
            return answer(self.dvid.store, request)
        if not self.dvid.throttle.acquire(blocking=False):
            text = "Server already running 1 throttled operations (max = 1)\n"
            return Reply(text.encode(), PLAIN, 503)
        try:
            return answer(self.dvid.store, request)
        finally:
            self.dvid.throttle.release()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while length := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _log(self, request: Request, status: int) -> None:
        entry = Logged(self.command, request.path, request.query, dict(self.headers), status)
        self.dvid.requests.append(entry)

    def _send(self, reply: Reply, request: Request, cut: int | None) -> None:
        self._log(request, reply.status if cut is None else 0)
        chunked = len(reply.body) > _GO_BUFFER and "Content-Length" not in reply.headers
        self.send_response_only(reply.status)
        self.send_header("Access-Control-Allow-Origin", "*")
        if reply.content_type is not None:
            self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.status != 204 and "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(memoryview(reply.body), chunked, cut)

    def _send_body(self, body: memoryview, chunked: bool, cut: int | None) -> None:
        if cut is not None:
            first = b"%x\r\n" % len(body) if chunked else b""
            self.wfile.write(first)
            self.wfile.write(body[:cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif chunked:
            self.wfile.write(b"%x\r\n" % len(body))
            self.wfile.write(body)
            self.wfile.write(b"\r\n0\r\n\r\n")
        else:
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Tests look at `requests` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no event; anything else is a fault of ours, and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def dvid_server(store: Store | None = None) -> Iterator[DvidServer]:
    """A server on a port of the system's choosing, until the block ends."""
    running = DvidServer(store or Store())
    handler = type("Handler", (_Handler,), {"dvid": running})
    with _Server(("127.0.0.1", 0), handler) as listener:
        running.address = f"127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            listener.shutdown()
            thread.join()
