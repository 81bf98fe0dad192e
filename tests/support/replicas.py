"""Several processes of the same service, killed or drained one after the other while somebody reads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import urllib3

from support.envoy import Place
from support.faults import Program, ended_at_last, free_port, until
from support.servers import health

_LOOPBACK = "127.0.0.1"


@dataclass
class Replica:
    """One process of a service at ports that stay.

    Attributes:
        service: "volume", "mesh", "transfer" or "gateway".
        program: what is started.
        place: its ports.
        generation: how often it was started.
    """

    service: str
    program: Program
    place: Place
    generation: int = field(default=0)

    @property
    def address(self) -> str:
        """Of its service."""
        return f"{_LOOPBACK}:{self.place.port}"

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self.program.process.pid

    def start(self) -> None:
        """Start it; it need not be ready."""
        self.program.start()
        self.generation += 1

    @property
    def is_well(self) -> bool:
        """Whether it takes calls."""
        if not self.program.is_running:
            return False
        with contextlib.suppress(grpc.RpcError, urllib3.exceptions.HTTPError):
            if self.place.health_port:
                return health(self.place.health_port, "ready") == "SERVING"
            return urllib3.request("GET", f"http://{self.address}/healthz", retries=False, timeout=5).status == 200
        return False

    def end(self, how: signal.Signals) -> None:
        """End it by SIGKILL, children and all, or let it drain by SIGTERM; returns when it has ended."""
        if how is signal.SIGKILL:
            self.program.kill()
            return
        os.kill(self.pid, how)
        self.program.process.wait(120)


def replicas_of(service: str, count: int, config: Path, folder: Path, *arguments: str) -> list[Replica]:
    """So many replicas of a service, not started.

    Args:
        service: "volume", "mesh", "transfer" or "gateway".
        count: how many.
        config: voxgate.toml.
        folder: for their logs.
        arguments: more of their command lines.
    """
    made = []
    for number in range(count):
        place = Place(free_port(), 0 if service == "gateway" else free_port())
        ports = ["--port", str(place.port), *(["--health-port", str(place.health_port)] if place.health_port else [])]
        command = [sys.executable, "-m", f"voxgate_{service}", "--config", str(config), *ports, *arguments]
        made.append(Replica(service, Program(command, folder / f"{service}-{number}.log"), place))
    return made


@contextlib.contextmanager
def running(replicas: Sequence[Replica]) -> Iterator[None]:
    """Start replicas and wait until each takes calls; they end with the block."""
    with ended_at_last([each.program for each in replicas]):
        for each in replicas:
            each.start()
        for each in replicas:
            until(lambda each=each: each.is_well, f"{each.service} at {each.address}: {each.program.said()}")
        yield


def places(replicas: Sequence[Replica]) -> dict[str, list[Place]]:
    """Where they are, by service: what Envoy is told."""
    found: dict[str, list[Place]] = {}
    for each in replicas:
        found.setdefault(each.service, []).append(each.place)
    return found
