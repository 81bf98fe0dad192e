"""Jobs in processes that tests kill: a work whose every effect is on disk, and a coordinator's process.

`python -m support.killed_jobs DATABASE [SCHEDULER]` is a coordinator that runs jobs until it is killed.
The work of a spec: its source is "folder/…" by base64 of a folder's path, its destination "x/COUNT-MILLISECONDS".
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import threading
import time
import uuid
from pathlib import Path

from voxgate.model.jobs import JobSpec, TransferResult, TransferSpec
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.executors import DaskExecutor, SchedulerAddress
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.tuning import EngineSettings
from voxgate_jobs.work import BlockResult, Patience

SETTINGS = EngineSettings(
    batch_s=0.05, commit_s=0.2, progress_s=0.05, look_s=0.05, poll_s=0.1, lease_s=2.0, drain_s=10.0
)
OPENER = "support.killed_jobs:opener"


class DiskWork:
    """Each block writes its file whole, and one line for each time that it ran."""

    phase = "writing"
    digest = "disk"
    stage_starts = ()

    def __init__(self, folder: Path, block_count: int, block_s: float) -> None:
        self.block_count = block_count
        self.total_bytes = 1000 * block_count
        self._folder = folder
        self._block_s = block_s

    def run_block(self, index: int) -> BlockResult:
        with (self._folder / "runs").open("a") as log:
            log.write(f"{index}\n")
        if (self._folder / f"deadly-{index}").exists():
            os._exit(9)
        time.sleep(self._block_s)
        data = data_of(index)
        part = self._folder / f".{index}-{uuid.uuid4().hex}"
        part.write_bytes(data)
        part.rename(self._folder / f"block-{index}")
        return BlockResult(len(data), hashlib.sha256(data).digest(), len(data), len(data))

    def flush(self) -> None:
        """Killed processes lose nothing that they wrote; only power does."""

    def box_of(self, index: int) -> None:
        return None

    def finish(self, totals, checksum: str) -> TransferResult:
        return TransferResult("x/y", totals.verified_bytes, checksum)


def data_of(index: int) -> bytes:
    return hashlib.sha256(f"{index}".encode()).digest() * 31 + bytes(8)


def spec_of(folder: Path, block_count: int, block_ms: int) -> TransferSpec:
    named = base64.b32encode(str(folder).encode()).decode()
    return TransferSpec(f"folder/{named}", f"x/{block_count}-{block_ms}")


def open_work(spec: JobSpec, patience: Patience) -> DiskWork:
    assert isinstance(spec, TransferSpec)
    folder = Path(base64.b32decode(spec.source.partition("/")[2]).decode())
    count, milliseconds = spec.destination.partition("/")[2].split("-")
    return DiskWork(folder, int(count), int(milliseconds) / 1000)


def opener():
    return open_work


def coordinator(database: str, scheduler: str = "") -> Coordinator:
    store = SqlJobStore(database)
    if scheduler:
        executor = DaskExecutor.remote(SchedulerAddress(scheduler), opener=OPENER)
    else:
        executor = DaskExecutor.embedded(open_work, 2)
    return Coordinator(Tools(store, store.ledger, executor, open_work, SETTINGS))


if __name__ == "__main__":
    coordinator(*sys.argv[1:])
    print("ready", flush=True)
    threading.Event().wait()
