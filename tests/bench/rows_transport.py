"""Rows of transport: the same bytes through our service and through others; memory; bytes on the wire."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
from collections.abc import Iterator
from typing import Any

from tests.bench.data import Data
from tests.bench.harness import Contender, Work
from tests.bench.processes import Player, peak_memory, peer_server, player
from tests.bench.rows_reading import same, spans, volume_service
from tests.support.servers import ServerProcess, server_process
from voxgate import Box

_UNARY_EDGE = 64
_UNARY_COUNT = 400
_AT_ONCE = 8


@contextlib.contextmanager
def constant_service(data: Data, edge: int) -> Iterator[ServerProcess]:
    """The real Volume service over one volume in memory, "constant", a cube."""
    folder = data.folder.parent
    config = folder / f"constant-{edge}.toml"
    config.write_text(f'[remotes.constant]\nuri = "constant:"\noptions = {{ edge = {edge} }}\n')
    with server_process("tests.bench.constant_server", config, folder / "constant.log") as server:
        yield server


def _no_answer(one: Any, other: Any) -> bool:
    """Transports carry whatever bytes: the number of them is checked by their being written into an array."""
    return True


@contextlib.contextmanager
def _stream(data: Data, name: str, kind: str, function: str) -> Iterator[Work]:
    whole = Box.of(x=(0, data.edge), y=(0, data.edge), z=(0, data.edge))
    total = whole.voxel_count
    with (
        constant_service(data, data.edge) as server,
        peer_server(kind, total) as port,
        player(
            "voxgate over gRPC", "sdk", address=server.address, volume="constant", box=spans(whole), into=True
        ) as ours,
        player(name, function, port=port, total=total) as peer,
    ):
        yield Work([ours.contender(), peer.contender()], _no_answer, total / 1e6)


@contextlib.contextmanager
def against_socket(data: Data) -> Iterator[Work]:
    """G1."""
    with _stream(data, "raw socket, recv_into", "socket", "raw_socket") as work:
        yield work


@contextlib.contextmanager
def against_plain_grpc(data: Data) -> Iterator[Work]:
    """G2."""
    with _stream(data, "plain gRPC, all defaults", "grpc", "plain_grpc") as work:
        yield work


@contextlib.contextmanager
def against_flight(data: Data) -> Iterator[Work]:
    """G3."""
    with _stream(data, "Arrow Flight, DoGet", "flight", "flight") as work:
        yield work


@contextlib.contextmanager
def unary(data: Data) -> Iterator[Work]:
    """G8."""
    many: dict[str, Any] = {"count": _UNARY_COUNT, "at_once": _AT_ONCE}
    with constant_service(data, data.edge) as server, peer_server("http", _UNARY_EDGE**3) as port:
        chunk: dict[str, Any] = {"address": server.address, "volume": "constant", "edge": _UNARY_EDGE, **many}
        with (
            player("voxgate ReadChunk, stub", "unary_stub", **chunk) as ours,
            player("uvicorn + urllib3", "urllib3_get", port=port, **many) as peer,
            player("voxgate SDK, read", "unary_sdk", **chunk) as other,
        ):
            yield Work([one.contender() for one in (ours, peer, other)], same, _UNARY_COUNT, "requests")


@contextlib.contextmanager
def wire_size(data: Data) -> Iterator[Work]:
    """C1: bytes that a proxy between client and server counts, HTTP/2 and all.

    What counts is what the SDK asks of a server elsewhere by default; on this machine it asks for what is fast.
    """
    box = spans(data.whole)
    raw_bytes = float(data.whole.voxel_count * 8)
    with contextlib.ExitStack() as stack:
        direct: dict[str, Any] = {"folder": str(data.folder), "volume": data.seg_raw(), "box": box}
        reads = {
            "link, from compressed_segmentation": (data.seg(), "small"),
            "link, from raw": (data.seg_raw(), "small"),
            "link, from .gz": (data.seg_gzip(), "small"),
            "loopback, from compressed_segmentation": (data.seg(), ""),
            "loopback, from raw": (data.seg_raw(), ""),
        }
        server = stack.enter_context(volume_service(data))
        reference = stack.enter_context(player("raw uint64", "tensorstore", **direct))
        contenders = [Contender("raw uint64", lambda: reference.ask("answer"), lambda: raw_bytes)]
        for name, (volume, wish) in reads.items():
            proxy = stack.enter_context(counting_proxy(server.port))
            arguments: dict[str, Any] = {
                "address": proxy.address,
                "volume": f"bench/{volume}",
                "box": box,
                "wish": wish,
            }
            one = stack.enter_context(player(name, "sdk", **arguments))
            ask = functools.partial(one.ask, "answer")
            contenders.append(Contender(one.name, ask, functools.partial(_counted, proxy, one)))
        contenders[:2] = contenders[1::-1]
        yield Work(contenders, same, unit="bytes", most_rounds=1)


class Proxy:
    """Passes TCP on and counts what comes back. `address` is where to connect."""

    def __init__(self, port: int) -> None:
        self.received = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, sink, counts in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(source, sink, counts), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):  # reset
            while data := source.recv(1 << 18):
                if counts:
                    self.received += len(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):  # gone already
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def counting_proxy(port: int) -> Iterator[Proxy]:
    """A proxy before a server of this machine."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()


def _counted(proxy: Proxy, reader: Player) -> float:
    before = proxy.received
    reader.ask("run")
    return float(proxy.received - before)


@contextlib.contextmanager
def memory(data: Data) -> Iterator[Work]:
    """M0: one ReadCutout each, of a fresh server. Eight times as many bytes: at 512, 1 GiB and 8 GiB."""

    def contender(edge: int) -> Contender:
        def measure() -> float:
            with (
                constant_service(data, edge) as server,
                player("drained", "drained", address=server.address, volume="constant", edge=edge) as client,
            ):
                client.ask("run")
                return float(peak_memory(server.process.pid))

        return Contender(f"server's peak, streaming {edge**3 >> 20} MiB", lambda: None, measure)

    yield Work([contender(2 * data.edge), contender(4 * data.edge)], same, unit="bytes", most_rounds=1)
