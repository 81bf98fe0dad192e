"""Starting the suite for the demo, as `voxgate serve` or as three processes, and ending every process of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
Remotes = Mapping[str, Mapping[str, str | bool]]
"""The `[remotes]` table of a configuration."""

_START_S = 60.0
_STOP_S = 15.0
_POLL_S = 0.05
_SHOWN_LOG_LINES = 15


class DemoFailed(Exception):
    """Something is not as it should be; the message says what."""


@dataclass(frozen=True, slots=True)
class RunningSuite:
    """A suite to talk to.

    Attributes:
        address: the one address to connect to.
        http: the gateway's URL; empty without one.
        scratch: the folder behind the remote "scratch"; None where it is not on this machine.
    """

    address: str
    http: str = ""
    scratch: Path | None = None


@dataclass(slots=True)
class _Processes:
    """Processes that this program started, each the leader of a group of its own."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, arguments: list[str], settings: Mapping[str, str] | None = None) -> _Started:
        """Start `python -m …`; what it says goes to NAME.out and NAME.log."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
        out, log = self.folder / f"{name}.out", self.folder / f"{name}.log"
        with out.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**own, **(settings or {})},
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends the others in order
            )
        self.started.append(process)
        return _Started(name, process, out, log)

    def stop(self) -> None:
        """End every process: politely, then for certain, helpers that they started included."""
        with _undisturbed():
            for process in reversed(self.started):
                if process.poll() is None:
                    process.terminate()
            for process in self.started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
                _end_group(process.pid)
                process.wait(_STOP_S)


@dataclass(frozen=True, slots=True)
class _Started:
    name: str
    process: subprocess.Popen[bytes]
    out: Path
    log: Path

    def told(self, file: Path, key: str) -> dict[str, Any]:
        """Wait for the first JSON line in `file` that has `key`.

        Raises:
            DemoFailed: when the process ends or stays silent.
        """
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            ended = self.process.poll() is not None
            for line in file.read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    said = json.loads(line)
                    if isinstance(said, dict) and key in said:
                        return said
            if ended:
                break
            time.sleep(_POLL_S)
        last = "\n".join((self.out.read_text() + self.log.read_text()).splitlines()[-_SHOWN_LOG_LINES:])
        state = f"ended with {self.process.returncode}" if self.process.poll() is not None else "stayed silent"
        raise DemoFailed(f"{self.name} {state} instead of serving; its last words:\n{last}")

    def serving_at(self) -> str:
        """The address that a service logs once it serves."""
        said = self.told(self.log, "port")
        return f"127.0.0.1:{said['port']}"


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C keep the first from ending everything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_group(leader: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@contextlib.contextmanager
def running_suite(output: Path, *, three_processes: bool) -> Iterator[RunningSuite]:
    """Serve the samples and a writable folder on free ports of this machine, until the block ends.

    Args:
        output: gets `scratch/`, the configuration and the logs.
        three_processes: start the Volume, Mesh and Transfer services each on its own instead of `voxgate serve`.

    Raises:
        DemoFailed: when it does not start.
    """
    scratch = output / "scratch"
    scratch.mkdir(parents=True)
    remotes: dict[str, dict[str, str | bool]] = {
        "fib25": {"uri": str(SAMPLES / "fib25")},
        "aniso": {"uri": str(SAMPLES / "aniso")},
        "scratch": {"uri": str(scratch.resolve()), "writable": True, "format": "zarr3"},
    }
    with serving(output, remotes, three_processes=three_processes) as suite:
        yield RunningSuite(suite.address, suite.http, scratch)


@contextlib.contextmanager
def serving(folder: Path, remotes: Remotes, *, three_processes: bool = False) -> Iterator[RunningSuite]:
    """Serve remotes on free ports of this machine, until the block ends; see `running_suite`."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    config = folder / "voxgate.toml"
    config.write_text(_configuration(remotes))
    processes = _Processes(logs)
    try:
        if three_processes:
            address, http = _start_three(processes, config), ""
        else:
            arguments = ["voxgate.cli", "serve", "--config", str(config), "--json", "--port", "0"]
            serve = processes.start("serve", [*arguments, "--health-port", "0", "--http-port", "0"])
            said = serve.told(serve.out, "grpc")
            address, http = said["grpc"], said["http"]
        yield RunningSuite(address, http)
    finally:
        processes.stop()


def _start_three(processes: _Processes, config: Path) -> str:
    free = ["--config", str(config), "--port", "0", "--health-port", "0"]
    mesh = processes.start("mesh", ["voxgate_mesh", *free])
    transfer = processes.start("transfer", ["voxgate_transfer", *free])
    sisters = {"VOXGATE_MESH_ADDRESS": mesh.serving_at(), "VOXGATE_TRANSFER_ADDRESS": transfer.serving_at()}
    return processes.start("volume", ["voxgate_volume", *free], sisters).serving_at()


def _configuration(remotes: Remotes) -> str:
    lines = ["# Serve the same again: voxgate serve --config voxgate.toml"]
    for name, table in remotes.items():
        lines += ["", f"[remotes.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
