"""Processes that a test starts: ended by SIGTERM, and by force if that takes too long."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

VOXGATE = (sys.executable, "-m", "voxgate.cli")
"""The command line of this environment."""
FREE_PORTS = ("--port", "0", "--health-port", "0", "--http-port", "0", "--json")
"""Any server's options: its ports are free ones, and it prints them."""
_STARTS_IN_MS = 120_000


def end(process: subprocess.Popen[Any], patience_s: float = 30.0) -> None:
    """End a process that we started, if it has not ended, and close what it printed to."""
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    if process.stdout:
        process.stdout.close()


@contextlib.contextmanager
def until_left(process: subprocess.Popen[Any], patience_s: float = 30.0) -> Iterator[None]:
    """End a process when the block is left."""
    try:
        yield
    finally:
        end(process, patience_s)


@contextlib.contextmanager
def announcing(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A server until the block ends, from when it has printed its addresses; what it says goes to a log.

    Yields:
        The process, and what it printed, such as {"grpc": "127.0.0.1:50051"}.
    """
    with log.open("a") as sink:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True, env=environment)
    with until_left(process):
        assert process.stdout is not None
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(process.stdout, select.POLLIN)
        assert waiting.poll(_STARTS_IN_MS), log.read_text()
        line = process.stdout.readline()
        started = json.loads(line or "{}")
        assert "grpc" in started, line + log.read_text()
        yield process, started
