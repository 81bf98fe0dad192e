"""Stores that are waited for, on this machine: `python -m tests.bench.stores KIND ARGUMENTS`, ended with its input.

The servers of the tests, with voxels in memory, and a server of static files. Each prints its port first; then one
word a line on standard input asks for something: "requests" is answered with the number of requests so far, and
"latency SECONDS" is what every request waits from then on, before it is looked at.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from tests.support.bossdb import Compression, bossdb_server
from tests.support.dvid import dvid_server

BOSS_PATH = "bench/sample/em"
"""Collection, experiment, channel."""
DVID_ALIAS = "bench"
DVID_INSTANCE = "em"
DVID_BLOCK = 64
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its port, how many requests it answered, and how to make it slower."""

    port: int
    requests: Callable[[], int]
    delay: Callable[[float], None]
    about: dict[str, Any]


@contextlib.contextmanager
def bossdb(voxels: str, start: list[int], cname: str = "lz4", clevel: int = 1) -> Iterator[Serving]:
    """A channel with the voxels (z, y, x) of a .npy file at `start` (x, y, z); blosc replies made by this codec."""
    with bossdb_server(compression=Compression(cname, clevel)) as server:
        x, y, z = start
        collection, experiment, channel = BOSS_PATH.split("/")
        server.store.add_channel(collection, experiment, channel, np.load(voxels, mmap_mode="r"), start=(x, y, z))

        def delay(seconds: float) -> None:
            server.latency_s = seconds

        port = int(server.address.rpartition(":")[2])
        yield Serving(port, lambda: len(server.requests), delay, {"token": server.token})


@contextlib.contextmanager
def dvid(voxels: str, start: list[int]) -> Iterator[Serving]:
    """A uint8blk instance with the voxels (z, y, x) of a .npy file at `start` (x, y, z), in blocks of 64^3.

    The instance says of itself that it ends where the voxels end; the blocks that they cut are filled up with zeros.
    """
    with dvid_server() as server:
        array = np.load(voxels, mmap_mode="r")
        root = server.store.add_repo(alias=DVID_ALIAS)
        edge = ",".join([str(DVID_BLOCK)] * 3)
        instance = server.store.add_instance(root, DVID_INSTANCE, "uint8blk", BlockSize=edge)
        _, node, _ = server.store.instance(root, DVID_INSTANCE)
        low = [at // DVID_BLOCK * DVID_BLOCK for at in start]
        before = [at - first for at, first in zip(start, low, strict=True)][::-1]
        whole = [-(-(skip + size) // DVID_BLOCK) * DVID_BLOCK for skip, size in zip(before, array.shape, strict=True)]
        for z in range(0, whole[0], DVID_BLOCK):  # a slab of blocks at a time
            slab = np.zeros((DVID_BLOCK, whole[1], whole[2]), np.uint8)
            first, last = max(before[0], z), min(before[0] + array.shape[0], z + DVID_BLOCK)
            rows, columns = (slice(before[i], before[i] + array.shape[i]) for i in (1, 2))
            slab[first - z : last - z, rows, columns] = array[first - before[0] : last - before[0]]
            corner = (low[0], low[1], low[2] + z)
            for where, block in instance.blocks.cut(corner, slab):
                instance.blocks.put(node.uuid, where, block)
        x, y, z = start
        instance.grow(node, (x, y, z), array.shape[::-1])

        def delay(seconds: float) -> None:
            server.latency_s = seconds

        port = int(server.address.rpartition(":")[2])
        yield Serving(port, lambda: len(server.requests), delay, {"root": root})


class _Files(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder: Path
    latency_s = 0.0
    served = 0
    counting = threading.Lock()

    def do_GET(self) -> None:
        """A file, whole."""
        kind = type(self)
        if kind.latency_s:
            time.sleep(kind.latency_s)
        with kind.counting:
            kind.served += 1
        relative = unquote(urlsplit(self.path).path).lstrip("/")
        file = kind.folder / relative
        if ".." in relative.split("/") or not file.is_file():
            self.send_response_only(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with file.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self.send_response_only(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            at = 0
            while at < size:
                at += os.sendfile(self.connection.fileno(), source.fileno(), at, min(_PIECE, size - at))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Requests are counted, not written down."""


class _FileServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def files(folder: str) -> Iterator[Serving]:
    """The files below a folder, whole, as a bucket behind plain HTTP serves them."""

    class Handler(_Files):
        """Of this folder."""

    Handler.folder, Handler.counting = Path(folder), threading.Lock()
    with _FileServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()

        def delay(seconds: float) -> None:
            Handler.latency_s = seconds

        yield Serving(server.server_address[1], lambda: Handler.served, delay, {})
        server.shutdown()
        thread.join()


_KINDS: dict[str, Callable[..., contextlib.AbstractContextManager[Serving]]] = {
    "bossdb": bossdb,
    "dvid": dvid,
    "files": files,
}


def main(kind: str, arguments: str) -> None:
    """Serve until standard input ends."""
    with _KINDS[kind](**json.loads(arguments)) as serving:
        _say({"port": serving.port, **serving.about})
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "latency":
                serving.delay(float(value))
            _say(serving.requests())


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
