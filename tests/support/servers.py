"""Real servers on loopback sockets, in this process or in one of their own, over remotes that a test names."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import C, OpenOptions, Volume, VolumeSpec
from voxgate_remotes.registry import Registry
from voxgate_serving.server import RunningServer, ServiceRegistration, new_server_id, start_server
from voxgate_serving.settings import ServerSettings, parse_server
from voxgate_volume.service import registrations

from .processes import until_left

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


class OneVolume:
    """A remote whose every path is the same volume: puts a test's own Volume behind a real server."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        bind = getattr(self.volume, "bound_to", None)
        return bind(options) if bind else self.volume

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        return [ListEntry("volume", is_volume=True)]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        raise NotImplementedError("this remote creates nothing")

    def resolve(self, uri: str) -> ResolvedUri | None:
        return None

    def capability(self, kind: type[C]) -> C | None:
        return None


def settings(**overrides: Any) -> ServerSettings:
    """Settings with free ports and inline meshing, unless told otherwise."""
    return parse_server({}, {"port": 0, "health_port": 0, "http_port": 0, "worker_processes": 0, **overrides})


@contextlib.contextmanager
def volume_server(registry: Registry, **overrides: Any) -> Iterator[RunningServer]:
    """The Volume, Segment, Version and Metadata services in this process."""
    chosen = settings(**overrides)
    server_id = new_server_id()
    services: list[ServiceRegistration] = registrations(registry, chosen, server_id=server_id)
    server = start_server(services, chosen, server_id)
    try:
        yield server
    finally:
        server.stop(1.0)


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    health_port: int
    log: Path

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"


@contextlib.contextmanager
def server_process(
    module: str,
    config: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    *,
    python: Path | str = sys.executable,
) -> Iterator[ServerProcess]:
    """`python -m module --config config` on free ports; ended by SIGTERM, and by force if that takes too long."""
    import json
    import os

    command = [str(python), "-m", module, "--config", str(config), "--port", "0", "--health-port", "0"]
    with log.open("w") as sink:
        process = subprocess.Popen(command, stderr=sink, text=True, env={**os.environ, **(environment or {})})
    with until_left(process):
        started = _wait_for_line(log, process, '"event": "serving"')
        facts = json.loads(started)
        yield ServerProcess(process, facts["port"], facts["health_port"], log)


def _wait_for_line(log: Path, process: subprocess.Popen[str], text: str, timeout_s: float = 60.0) -> str:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        for line in log.read_text().splitlines():
            if text in line:
                return line
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()[-2000:]}")
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def health(port: int, service: str = "") -> str:
    """The health of a service, by name of its status."""
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
