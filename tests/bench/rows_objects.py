"""Rows of buckets: the S3 emulator behind a proxy that makes it far away; both contenders ask through the proxy."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorstore as ts

from tests.bench.data import Data
from tests.bench.harness import Work
from tests.bench.processes import ROOT, Player, ProcessFailed, end_process, peer_python, player
from tests.bench.rows_reading import same, spans

MOTO = "moto"
_BUCKET = "bench-bucket"
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_SESSION_TOKEN": "bench"}
_FAR_S = 0.03
_STARTS_IN_S = 60.0


@contextlib.contextmanager
def s3_far(data: Data) -> Iterator[Work]:
    """R6: raw image chunks in S3, 30 ms away."""
    volume = data.em()
    with _environment(), _moto(data.folder.parent / "moto.log") as port, _delayed(port, _FAR_S) as far:
        _upload(data.folder / volume, volume, f"http://127.0.0.1:{port}")
        endpoint = f"http://127.0.0.1:{far.port}"
        remote = {"uri": f"s3://{_BUCKET}", "options": {"endpoint": endpoint}}
        where: dict[str, Any] = {"volume": volume, "box": spans(data.misaligned)}
        with (
            player("voxgate adapter", "remote_adapter", remote=remote, **where) as ours,
            player("cloud-volume", "cloud_volume_s3", endpoint=endpoint, bucket=_BUCKET, **where) as theirs,
        ):
            players = (ours, theirs)
            counts = {one.name: _requests_of(far, one) for one in players}
            contenders = [one.contender() for one in players]
            yield Work(contenders, same, data.misaligned.voxel_count / 1e6, requests=counts)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Keys that the emulator takes, for the contenders."""
    before = dict(os.environ)
    os.environ.update(_KEYS)
    try:
        yield
    finally:
        for name in _KEYS:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in _KEYS if name in before})


@contextlib.contextmanager
def _moto(log: Path) -> Iterator[int]:
    """The emulator with an empty bucket, in a process of its own; yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = peer_python(MOTO).parent / "moto_server"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(program), "-H", "127.0.0.1", "-p", str(port)], stdout=sink, stderr=sink, cwd=ROOT
        )
    try:
        until = time.monotonic() + _STARTS_IN_S
        while not _made_bucket(port):
            if process.poll() is not None or time.monotonic() > until:
                raise ProcessFailed("moto did not start")
            time.sleep(0.1)
        yield port
    finally:
        end_process(process)


def _made_bucket(port: int) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{_BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _upload(folder: Path, prefix: str, endpoint: str) -> None:
    where = {"driver": "s3", "bucket": _BUCKET, "path": f"{prefix}/", "endpoint": endpoint, "aws_region": "us-east-1"}
    store = ts.KvStore.open({**where, "aws_credentials": {"type": "environment"}}).result()
    files = [file for file in folder.rglob("*") if file.is_file()]
    for start in range(0, len(files), 32):
        batch = files[start : start + 32]
        for written in [store.write(str(file.relative_to(folder)), file.read_bytes()) for file in batch]:
            written.result()


@dataclass
class _Far:
    """A proxy that hands on what clients send after a while.

    Attributes:
        port: its own.
        seconds: the while.
        requests: how many it has handed on: reads of a whole object are one packet each.
    """

    port: int
    seconds: float
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def delay(self, data: bytes) -> None:
        """Wait, and count."""
        with self.lock:
            self.requests += data.count(b"GET /") + data.count(b"HEAD /")
        time.sleep(self.seconds)


def _requests_of(far: _Far, one: Player) -> int:
    """How many requests one run of a contender sends that has run before."""
    one.ask("run")
    before = far.requests
    one.ask("run")
    return far.requests - before


@contextlib.contextmanager
def _delayed(port: int, seconds: float) -> Iterator[_Far]:
    """A proxy in front of a server of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    far = _Far(int(listener.getsockname()[1]), seconds)
    threading.Thread(target=_accept, args=(listener, port, far), daemon=True).start()
    try:
        yield far
    finally:
        listener.close()


def _accept(listener: socket.socket, port: int, far: _Far) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_pump, args=(client, server, far), daemon=True).start()
        threading.Thread(target=_pump, args=(server, client, None), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, far: _Far | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 18):
            if far is not None:
                far.delay(data)
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
