"""The suite under test: what `voxgate serve` starts, over the samples."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a suite of its own process listens; it serves samples/fib25 and samples/aniso."""
    folder: pathlib.Path = tmp_path_factory.mktemp("suite")
    free_ports = ["--port", "0", "--health-port", "0", "--http-port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VOXGATE_")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate_standalone", "--json", *free_ports],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # empty when the process ends without listening
        assert line, (folder / "log").read_text()
        yield json.loads(line)["grpc"]
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
