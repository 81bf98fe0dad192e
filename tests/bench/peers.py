"""Servers that are not ours: `python -m tests.bench.peers KIND [BYTES]` serves until its input ends.

Each prints its port first. All of them serve the same bytes, in pieces of `PIECE_BYTES`, as large as our messages.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

from tests.bench.constant_server import constant_bytes
from voxgate.v1 import types_pb2, volume_pb2, volume_pb2_grpc

PIECE_BYTES = 2 << 20


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    return listener


@contextlib.contextmanager
def raw_socket(total: int) -> Iterator[int]:
    """Sends `total` bytes for every byte that it receives."""
    piece = memoryview(constant_bytes(PIECE_BYTES))
    listener = _listening()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                while connection.recv(1):
                    for start in range(0, total, PIECE_BYTES):
                        connection.sendall(piece[: min(PIECE_BYTES, total - start)])

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]


class _PlainVolumes(volume_pb2_grpc.VolumeServiceServicer):
    """What the generated classes make of a stream, with nothing around them."""

    def __init__(self, total: int) -> None:
        self._pieces = [min(PIECE_BYTES, total - start) for start in range(0, total, PIECE_BYTES)]
        self._data = constant_bytes(PIECE_BYTES).tobytes()

    def ReadCutout(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for number, size in enumerate(self._pieces):
            data = self._data if size == PIECE_BYTES else self._data[:size]
            z = types_pb2.Vec3(z=number)
            box = types_pb2.Box(start=z, stop=types_pb2.Vec3(x=size, y=1, z=number + 1))
            yield volume_pb2.ReadCutoutResponse(chunks=[types_pb2.Chunk(box=box, data=data)])


@contextlib.contextmanager
def plain_grpc(total: int) -> Iterator[int]:
    """Plain upb: the generated servicer and stub, grpc's and glibc's defaults."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    volume_pb2_grpc.add_VolumeServiceServicer_to_server(_PlainVolumes(total), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0).wait()


@contextlib.contextmanager
def flight(total: int) -> Iterator[int]:
    """Arrow Flight, record batches of one uint8 column."""
    import pyarrow as pa
    from pyarrow import flight as fl

    schema = pa.schema([("data", pa.uint8())])
    sizes = [min(PIECE_BYTES, total - start) for start in range(0, total, PIECE_BYTES)]
    piece = constant_bytes(PIECE_BYTES)
    batches = {size: pa.RecordBatch.from_arrays([pa.array(piece[:size])], schema=schema) for size in set(sizes)}

    class Server(fl.FlightServerBase):  # type: ignore[misc]
        def do_get(self, context: Any, ticket: Any) -> Any:
            return fl.RecordBatchStream(pa.RecordBatchReader.from_batches(schema, [batches[size] for size in sizes]))

    server = Server("grpc://127.0.0.1:0")
    threading.Thread(target=server.serve, daemon=True).start()
    yield server.port
    server.shutdown()


@contextlib.contextmanager
def http(total: int) -> Iterator[int]:
    """uvicorn (uvloop, httptools) with an application that answers `total` bytes."""
    import uvicorn

    body = constant_bytes(total).tobytes()
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(total).encode())]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listener = _listening()
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(5)


_KINDS = {"socket": raw_socket, "grpc": plain_grpc, "flight": flight, "http": http}


def main(kind: str, total: int) -> None:
    """Serve until standard input ends."""
    with _KINDS[kind](total) as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
