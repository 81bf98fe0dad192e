"""Patience with clients: what a connection may cost, on top of uvicorn's own protocol.

A request whose headers are too many or too slow is refused, and a connection that takes nothing of its answer any more
is cut: its answer is held in memory until then.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 << 10
"""The most bytes of a request before its body."""
MAX_WAITING = 1000
"""The most requests that a client may send before it takes the answers of those before."""
HEAD_PATIENCE_S = 20.0
"""How long a client may take to send them."""
STALL_PATIENCE_S = 60.0
"""How long a client may take none of an answer that waits for it."""
SILENCE_PATIENCE_S = 5.0
"""How long a call goes on whose client says that it will say no more: it may have gone away, which looks the same."""


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 by llhttp, with limits on the head of a request, on the time it takes, and on stalled answers."""

    head_bytes: int = 0
    in_head: bool = True
    head_timer: asyncio.TimerHandle | None = None
    stall_timer: asyncio.TimerHandle | None = None
    stalled_with: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._end_head()
        self._end_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head; refuse what is too long before the parser keeps it."""
        while self.in_head and data:
            if self.head_timer is None:
                self._await_head()
            # With the end of a head comes what follows it, so a little more than the limit passes.
            room = 2 * MAX_HEAD_BYTES - self.head_bytes
            if room <= 0:
                self._refuse(431, "the headers are too long")
                return
            part, data = data[:room], data[room:]
            self.head_bytes += len(part)
            super().data_received(part)
            if len(self.pipeline) > MAX_WAITING:
                self._refuse(431, "too many requests came before their answers were taken")
            if self.transport.is_closing():
                return
        if data:
            super().data_received(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that has said all it will say still gets its answer."""
        if self.cycle is None or self.cycle.response_complete:
            return None
        if self.scheme == "https":
            # asyncio's TLS has no half-closed connections.
            return None
        self.cycle.keep_alive = False
        self.loop.call_later(SILENCE_PATIENCE_S, self._end_call)
        return True

    def on_message_begin(self) -> None:
        """A head begins."""
        self.in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.in_head, self.head_bytes = False, 0
        self._end_head()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._refuse(431, "the headers are too long")
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A next head may come; uvicorn waits for its first byte as long as it keeps connections alive."""
        self.in_head = True
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server stops: whoever follows something is not waited for, and asks again later."""
        super().shutdown()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.scope.get("state", {}).get("ends_with_server"):
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not keep up; give it time, while it takes anything."""
        super().pause_writing()
        self._await_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._end_stall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        if not self.transport.is_closing():
            self._refuse(400, msg)

    def _end_call(self) -> None:
        """End what works for its client alone, and may have nothing to send for a long time: see web.calls."""
        if not self.cycle.response_complete and self.cycle.scope.get("state", {}).get("ends_with_caller", False):
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        self._end_head()
        problem: dict[str, Any] = {"reason": "HTTP", "message": message, "remedy": "send a shorter, plain request"}
        body = json.dumps({"error": problem}).encode()
        phrase = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}[status]
        head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (
            status,
            phrase,
            len(body),
        )
        self.transport.write(
            head + b"access-control-allow-origin: *\r\ncache-control: no-store\r\nconnection: close\r\n\r\n" + body
        )
        self.transport.close()

    def _await_head(self) -> None:
        self.head_timer = self.loop.call_later(HEAD_PATIENCE_S, self.transport.close)

    def _end_head(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _await_writing(self) -> None:
        self._end_stall()
        self.stalled_with = self.transport.get_write_buffer_size()
        self.stall_timer = self.loop.call_later(STALL_PATIENCE_S, self._look_at_stall)

    def _look_at_stall(self) -> None:
        if self.transport.get_write_buffer_size() >= self.stalled_with:
            self.transport.abort()
        else:
            self._await_writing()

    def _end_stall(self) -> None:
        if self.stall_timer is not None:
            self.stall_timer.cancel()
            self.stall_timer = None
