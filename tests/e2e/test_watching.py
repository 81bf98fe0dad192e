"""A transfer that is watched outlives its server: the watch goes on when another one takes the job up."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import voxgate
from support.processes import VOXGATE, announcing
from voxgate.model.jobs import JobState

CONFIG = """
[server]
worker_processes = 0
jobs_url = "sqlite:///{folder}/jobs.db"

[remotes.slow]
uri = "procedural://"
options = {{ latency_ms = 2000, size = "90,80,40", offset = "-7,11,900", chunk = "32,16,8" }}

[remotes.quick]
uri = "procedural://"
options = {{ size = "90,80,40", offset = "-7,11,900", chunk = "32,16,8" }}

[remotes.out]
uri = "{folder}/out"
writable = true
"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Where servers are started one after the other."""
    (tmp_path / "out").mkdir()
    (tmp_path / "voxgate.toml").write_text(CONFIG.format(folder=tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextlib.contextmanager
def served(folder: Path, address: str) -> Iterator[subprocess.Popen[str]]:
    """`voxgate serve`, until the block ends or it is killed."""
    ports = ["--port", address.rpartition(":")[2], "--health-port", "0", "--http-port", "0"]
    command = [*VOXGATE, "serve", "--config", str(folder / "voxgate.toml"), *ports, "--json"]
    with announcing(command, folder / "log") as (process, _):
        yield process


def test_a_watched_transfer_ends_well_though_its_server_was_killed_in_the_middle(tmp_path: Path, address: str):
    command = [*VOXGATE, "transfer", "slow/seg", "out/seg", "--scale", "0", "--watch", "--json", "--server", address]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(served(tmp_path, address))
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(watching.kill)
        with voxgate.connect(address) as client:
            until = time.monotonic() + 60
            while not [job for job in client.jobs(JobState.RUNNING) if job.job.progress.phase]:
                assert watching.poll() is None, watching.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)
        first.kill()
        first.wait(30)
        stack.enter_context(served(tmp_path, address))
        said, complaint = watching.communicate(timeout=120)
        assert (watching.returncode, complaint) == (0, "")
        job = json.loads(said)["job"]
        assert (job["state"], job["run_count"]) == ("succeeded", 2)
        with voxgate.connect(address) as client:
            np.testing.assert_array_equal(client.volume("out/seg")[...], client.volume("quick/seg")[...])
            assert client.job(job["name"]).manifest().checksum == job["result"]["checksum"]
