"""Gateways as stores of other servers, and who asked them what over HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.servers import volume_server
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import BossSettings, GatewaySettings
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.server import RunningServer

TOKEN = "the-operators-own"


@dataclass(frozen=True)
class Request:
    """What one request said.

    Attributes:
        headers: by lower-case name.
    """

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Wiretap:
    """A way to a server on this machine that notes the heads of HTTP requests; nothing is changed on it."""

    port: int
    seen: list[Request] = field(default_factory=list)

    def count(self, part: str = "") -> int:
        """How many requests had this in their path."""
        return sum(part in each.path for each in list(self.seen))


@contextlib.contextmanager
def wiretap(port: int) -> Iterator[Wiretap]:
    """Listen between clients and the server at a port."""
    listener = socket.create_server(("127.0.0.1", 0))
    tap = Wiretap(listener.getsockname()[1])
    threads: list[threading.Thread] = []
    ends: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                ends.extend((client, server))
                for pump in ((client, server, _Heads(tap.seen)), (server, client, None)):
                    threads.append(threading.Thread(target=_pump, args=pump, daemon=True))
                    threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield tap
    finally:
        for each in (listener, *ends):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in (accepting, *threads):
            thread.join(5)


def _pump(source: socket.socket, sink: socket.socket, heads: _Heads | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            if heads is not None:
                heads.feed(data)
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class _Heads:
    """Finds the heads in the bytes of requests, one after another, bodies with a stated length between them."""

    def __init__(self, seen: list[Request]) -> None:
        self._seen = seen
        self._bytes = b""
        self._body_left = 0

    def feed(self, data: bytes) -> None:
        self._bytes += data
        while True:
            skipped = min(self._body_left, len(self._bytes))
            self._bytes, self._body_left = self._bytes[skipped:], self._body_left - skipped
            head, ends, rest = self._bytes.partition(b"\r\n\r\n")
            if not ends:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self._seen.append(Request(method, path, headers))
            self._bytes, self._body_left = rest, int(headers.get("content-length", 0))


@dataclass(frozen=True)
class Hop:
    """A server, its gateway, and the way to that, which is listened to.

    Attributes:
        server: of gRPC.
        tap: what was asked of its gateway.
    """

    server: RunningServer
    tap: Wiretap

    @property
    def url(self) -> str:
        """Of the gateway."""
        return f"http://127.0.0.1:{self.tap.port}"

    def as_boss(self, **stated: Any) -> dict[str, Any]:
        """A remote that is this gateway's BossDB dialect, with a token of the operator's."""
        told = {"uri": f"bossdb://{self.url}", "credentials": {"token": TOKEN}, "writable": True}
        return {**told, "options": {"verify_writes": False}, **stated}


@contextlib.contextmanager
def hop(registry: Registry, **boss: Any) -> Iterator[Hop]:
    """A server with these remotes and its gateway; settings of the dialect by keyword."""
    with volume_server(registry) as server:
        gateway = Gateway(server.address, port=0, settings=GatewaySettings(bossdb=BossSettings(**boss)))
        gateway.start()
        try:
            with wiretap(gateway.port) as tap:
                yield Hop(server, tap)
        finally:
            gateway.stop(1.0)


def registry_of(**tables: Mapping[str, Any]) -> Registry:
    """Remotes by name, as tables of voxgate.toml."""
    return Registry.from_config(parse_remotes(tables, Path.cwd()))
