"""A Dask cluster of workers that have one thread and one processor each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.processes import ROOT, ProcessFailed, end_process
from tests.support.scripted_http import closed_port

_START_S = 60.0


@contextlib.contextmanager
def cluster(folder: Path, count: int) -> Iterator[str]:
    """The address of its scheduler, as soon as all workers are there.

    Args:
        folder: gets logs; `bench.toml` in it is the workers' configuration, read when their first block comes.
        count: how many workers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = closed_port()
    address = f"tcp://127.0.0.1:{port}"
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    environment = {**os.environ, "VOXGATE_CONFIG": str(folder / "bench.toml")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_dask(folder / "scheduler.log", ["scheduler", "--port", str(port)], environment))
        cores = sorted(os.sched_getaffinity(0))
        for number in range(count):
            process = stack.enter_context(_dask(folder / f"worker-{number}.log", worker, environment))
            os.sched_setaffinity(process.pid, {cores[number % len(cores)]})
        _wait_for(address, count)
        yield address


@contextlib.contextmanager
def _dask(log: Path, arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        end_process(process)


def _wait_for(address: str, count: int) -> None:
    from distributed import Client

    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), Client(address, timeout=5, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=_START_S)
            return
    raise ProcessFailed("the Dask cluster did not start")
