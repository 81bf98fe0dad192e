"""Processes of a benchmark: contenders and servers, each one ended by its id when the block ends."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.harness import Contender

ROOT = Path(__file__).resolve().parents[2]
_TUNING = ("VOXGATE_", "MALLOC_", "OMP_")
_STOP_S = 20.0


class ProcessFailed(Exception):
    """A process of a row ended early; what it said is on standard error."""


@dataclass(frozen=True, slots=True)
class Player:
    """A contender in a process of its own; see `tests.bench.player`."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, what: str) -> Any:
        """One request, one answer.

        Raises:
            ProcessFailed: when the process ended instead.
        """
        return _asked(self.name, self.process, what)

    def contender(self) -> Contender:
        """This process, measured in seconds."""
        return Contender(self.name, lambda: self.ask("answer"), lambda: float(self.ask("seconds")))


@contextlib.contextmanager
def player(
    name: str, function: str, *, environment: str = "", module: str = "clients", **arguments: Any
) -> Iterator[Player]:
    """Start a function with these arguments and wait until it is ready.

    Args:
        name: as the table shows it.
        function: of tests.bench.clients; of tests.bench.clients_X in the environment of a peer X.
        environment: the peer whose environment it runs in; empty for our own.
        module: of tests.bench, where the function is in another one.
        arguments: of the function.
    """
    python = peer_python(environment) if environment else Path(sys.executable)
    where = f"tests.bench.clients_{environment}" if environment else f"tests.bench.{module}"
    with _process(python, "tests.bench.player", f"{where}:{function}", json.dumps(arguments)) as process:
        _started(name, process)
        yield Player(name, process)


def peer_python(name: str) -> Path:
    """The interpreter of a published client's own environment; see `has_environment`."""
    return ROOT / ".venv-peers" / name / "bin" / "python"


def has_environment(name: str) -> bool:
    """Whether `make peers` has made a peer's environment."""
    return peer_python(name).exists()


@dataclass(frozen=True, slots=True)
class StoreServer:
    """A server of tests.bench.stores.

    Attributes:
        kind: which.
        process: its own.
        port: on this machine.
        about: what else it says of itself, such as its token.
    """

    kind: str
    process: subprocess.Popen[str]
    port: int
    about: Mapping[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self) -> int:
        """How many requests it has answered."""
        return int(_asked(self.kind, self.process, "requests"))

    def delay(self, seconds: float) -> None:
        """Have every request from now on wait."""
        _asked(self.kind, self.process, f"latency {seconds}")


@contextlib.contextmanager
def store_server(kind: str, **arguments: Any) -> Iterator[StoreServer]:
    """A store of tests.bench.stores in a process of its own."""
    with _process(Path(sys.executable), "tests.bench.stores", kind, json.dumps(arguments)) as process:
        about = _started(kind, process)
        yield StoreServer(kind, process, about.pop("port"), about)


def _started(name: str, process: subprocess.Popen[str]) -> Any:
    """What a process says first."""
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise ProcessFailed(f"{name} did not start")
    return json.loads(line)


def _asked(name: str, process: subprocess.Popen[str], what: str) -> Any:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise ProcessFailed(f"{name} has no pipes")
    with contextlib.suppress(BrokenPipeError):
        stdin.write(what + "\n")
        stdin.flush()
    line = stdout.readline()
    if not line:
        raise ProcessFailed(f"{name} ended with {process.wait(_STOP_S)}")
    return json.loads(line)


@contextlib.contextmanager
def peer_server(kind: str, *arguments: int) -> Iterator[int]:
    """A server of tests.bench.peers; yields its port."""
    with _process(Path(sys.executable), "tests.bench.peers", kind, *map(str, arguments)) as process:
        yield int(_started(f"the {kind} server", process))


@contextlib.contextmanager
def _process(python: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m module`, with no tuning inherited. It also ends by itself when its standard input does."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(_TUNING)}
    process = subprocess.Popen(
        [str(python), "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=own,
    )
    try:
        yield process
    finally:
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            end_process(process)


def end_process(process: subprocess.Popen[Any]) -> None:
    """End a process that we started, by force if it takes too long."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)


def peak_memory(pid: int) -> int:
    """The largest resident size that a process has had, in bytes (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise ProcessFailed(f"process {pid} is gone")
