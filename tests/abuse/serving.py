"""A whole suite in processes of its own, with volumes that may be harmed, and what its processes cost."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import psutil

import voxgate
from support.processes import FREE_PORTS, VOXGATE, announcing
from support.servers import SAMPLES
from support.stores import labels, voxels, write_precomputed

PATIENCE_S = 30.0
"""How long anybody waits here for an answer; nothing takes this long but on a machine that does more than this."""


@dataclass(frozen=True)
class Suite:
    """A running suite.

    Attributes:
        process: of `voxgate serve`.
        grpc: "host:port".
        http: the gateway's URL.
        log: the file that both write to.
    """

    process: psutil.Process
    grpc: str
    http: str
    log: Path

    @property
    def http_port(self) -> int:
        """The gateway's."""
        return int(self.http.rpartition(":")[2])

    def resident_bytes(self) -> int:
        """Of all its processes."""
        total = 0
        for process in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def is_well(self) -> float:
        """Seconds that the next caller waits: one over gRPC, who reads voxels, and one over HTTP.

        Raises:
            Exception: when either is not served.
        """
        began = time.monotonic()
        while True:
            try:
                with voxgate.connect(self.grpc) as client:
                    assert client.volume("files/seg")[:4, :4, :4].shape == (4, 4, 4)
                break
            except voxgate.errors.VoxgateError:
                assert time.monotonic() - began < 2 * PATIENCE_S, "the next caller was not served"
        assert httpx.get(f"{self.http}/healthz", timeout=PATIENCE_S).status_code == 200
        return time.monotonic() - began

    def faults(self) -> list[str]:
        """What the log says that nobody should have to read: untyped errors and tracebacks."""
        lines = self.log.read_text(errors="replace").splitlines()
        words = ("internal error", "Traceback (most recent call last)", "Exception ", "Fatal Python error")
        return [line[:1500] for line in lines if any(word in line for word in words)]


@contextlib.contextmanager
def running_suite(folder: Path, **settings: Any) -> Iterator[Suite]:
    """A suite over memory, files that take writes, and the samples.

    Args:
        folder: an empty one, for its files.
        settings: of `[server]`.
    """
    files = folder / "files"
    write_precomputed(files / "seg", labels(), encoding="compressed_segmentation")
    write_precomputed(files / "em", voxels("uint8"))
    shutil.copytree(SAMPLES / "aniso", folder / "aniso")
    config = folder / "voxgate.toml"
    told = {"jobs_url": f"sqlite:///{folder}/jobs.sqlite", "worker_processes": 0, **settings}
    config.write_text(
        "[server]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())
        + '[remotes.mem]\nuri = "memory://"\nwritable = true\ndeletable = true\n'
        + f'[remotes.files]\nuri = "{files.as_uri()}"\nwritable = true\n'
        + f'[remotes.aniso]\nuri = "{(folder / "aniso").as_uri()}"\n'
    )
    command = [*VOXGATE, "serve", "--config", str(config), *FREE_PORTS]
    log = folder / "log"
    with announcing(command, log) as (process, said):
        suite = Suite(psutil.Process(process.pid), said["grpc"], said["http"], log)
        with voxgate.connect(suite.grpc) as client:
            client.create("mem/seg", shape=(10, 9, 8), dtype="uint64", voxel_size_nm=(4, 4, 40))
            big = client.create("mem/big", shape=(192, 192, 192), dtype="uint8", voxel_size_nm=(4, 4, 40))
            big[:, :, :] = np.random.default_rng(5).integers(1, 255, (192, 192, 192), np.uint8)
        yield suite


@contextlib.contextmanager
def raw_channel(address: str) -> Iterator[grpc.Channel]:
    """A channel that retries nothing and refuses no answer for its size."""
    options = [
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
    ]
    with grpc.insecure_channel(address, options=options) as channel:
        yield channel
