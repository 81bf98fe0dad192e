"""Emulators of S3 and of Google Cloud Storage, as processes of their own environments (`make peers`) on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import tensorstore as ts

from support.gcs_front import gcs_front
from support.peers import peer_python
from support.processes import until_left
from voxgate_remotes.config import RemoteConfig

BUCKET = "lab-bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "testing"}
"""For S3's emulator, which takes any; cloud-files wants the third as well."""
GCS_URL = "TENSORSTORE_GCS_HTTP_URL"
_STARTS_IN_S = 60.0


@dataclass(frozen=True)
class Emulator:
    """A running emulator with one bucket, BUCKET.

    Attributes:
        kind: "s3" or "gs".
        url: of its server.
    """

    kind: str
    url: str

    def uri(self, prefix: str = "") -> str:
        """Of a prefix of the bucket."""
        return f"{self.kind}://{BUCKET}/{prefix}".rstrip("/")

    def config(self, prefix: str = "", **stated: Any) -> RemoteConfig:
        """A remote of it; `options` are added to what leads there."""
        options = {"endpoint": self.url} if self.kind == "s3" else {}
        return RemoteConfig(uri=self.uri(prefix), **{**stated, "options": {**options, **stated.get("options", {})}})

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """Tensorstore's spec of a prefix, for other people's writers."""
        where = {"bucket": BUCKET, "path": f"{prefix}/"}
        if self.kind == "gs":
            return {"driver": "gcs", **where}
        credentials = {"aws_region": "us-east-1", "aws_credentials": {"type": "environment"}}
        return {"driver": "s3", "endpoint": self.url, **where, **credentials}

    def upload(self, folder: Path, prefix: str) -> None:
        """Put all files of a folder under a prefix."""
        store = ts.KvStore.open(self.kvstore(prefix)).result()
        files = [file for file in folder.rglob("*") if file.is_file()]
        for written in [store.write(file.relative_to(folder).as_posix(), file.read_bytes()) for file in files]:
            written.result()


@contextlib.contextmanager
def s3_emulator(log: Path) -> Iterator[Emulator]:
    """S3 by moto, with access keys in this process's environment; skips the test where there is none."""
    port = _free_port()
    command = [peer_python("moto").parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with _environment(KEYS), _running(command, f"{url}/moto-api/", log):
        requests.put(f"{url}/{BUCKET}", timeout=20).raise_for_status()
        yield Emulator("s3", url)


@contextlib.contextmanager
def gcs_emulator(log: Path) -> Iterator[Emulator]:
    """GCS by gcp-storage-emulator, with this process's tensorstore told to ask it; skips the test where there is none.

    What it leaves out stands in front of it; see `support.gcs_front`.
    """
    port = _free_port()
    program = peer_python("gcs").parent / "gcp-storage-emulator"
    command = [program, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory", "--quiet"]
    url = f"http://127.0.0.1:{port}"
    with (
        _running(command, f"{url}/storage/v1/b?project=lab", log),
        gcs_front(url) as front,
        _environment({GCS_URL: front}),
    ):
        made = requests.post(f"{url}/storage/v1/b?project=lab", json={"name": BUCKET}, timeout=20)
        made.raise_for_status()
        yield Emulator("gs", front)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _running(command: list[Any], url: str, log: Path) -> Iterator[None]:
    """A server until the block ends, from when it answers at `url`."""
    with log.open("wb") as sink:
        process = subprocess.Popen([str(word) for word in command], stdout=sink, stderr=sink, cwd=log.parent)
    with until_left(process, 10):
        until = time.monotonic() + _STARTS_IN_S
        while True:
            with contextlib.suppress(requests.RequestException):
                requests.get(url, timeout=5)
                break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the emulator did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
