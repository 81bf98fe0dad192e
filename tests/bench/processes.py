"""Processes of a benchmark: contenders and servers, each one ended by its id when the block ends."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise ProcessFailed(f"{self.name} has no pipes")
        with contextlib.suppress(BrokenPipeError):
            stdin.write(what + "\n")
            stdin.flush()
        line = stdout.readline()
        if not line:
            raise ProcessFailed(f"{self.name} ended with {self.process.wait(_STOP_S)}")
        return json.loads(line)

    def contender(self) -> Contender:
        """This process, measured in seconds."""
        return Contender(self.name, lambda: self.ask("answer"), lambda: float(self.ask("seconds")))


@contextlib.contextmanager
def player(name: str, function: str, **arguments: Any) -> Iterator[Player]:
    """Start `function` of tests.bench.clients with these arguments and wait until it is ready."""
    target = f"tests.bench.clients:{function}"
    with _process("tests.bench.player", target, json.dumps(arguments)) as process:
        started = Player(name, process)
        if process.stdout is None or not process.stdout.readline():
            raise ProcessFailed(f"{name} did not start")
        yield started


@contextlib.contextmanager
def peer_server(kind: str, *arguments: int) -> Iterator[int]:
    """A server of tests.bench.peers; yields its port."""
    with _process("tests.bench.peers", kind, *map(str, arguments)) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise ProcessFailed(f"the {kind} server did not start")
        yield int(line)


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m module`, with no tuning inherited. It also ends by itself when its standard input does."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(_TUNING)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
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
