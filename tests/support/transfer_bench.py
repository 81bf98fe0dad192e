"""Transfers between remotes in memory and everything behind them, for tests without a socket."""

import functools
import uuid

import numpy as np

from support.transfers import BOXES, memory_registry, voxels_of_scale
from voxgate.model.jobs import Job, TransferSpec
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.executors import DaskExecutor
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.tuning import EngineSettings, RetryPolicy
from voxgate_transfer.transfers import Transfers, open_transfer

TASK_BYTES = 20_000
TOTAL_BYTES = 8 * sum(box.voxel_count for box in BOXES)
SETTINGS = EngineSettings(retry=RetryPolicy(attempts=4, first_delay_s=0.001, longest_delay_s=0.01), progress_s=0.0)


class Bench:
    """Transfers between two remotes in memory, and everything behind them."""

    def __init__(self, settings: EngineSettings = SETTINGS) -> None:
        self.registry, self.source, self.destination = memory_registry()
        self.store = SqlJobStore("sqlite://")
        self.engine = self.another_engine(settings)
        self.transfers = Transfers(self.registry, self.store, self.engine)

    def another_engine(self, settings: EngineSettings = SETTINGS) -> Coordinator:
        """A coordinator over the same records and stores."""
        opener = functools.partial(open_transfer, self.registry, task_bytes=TASK_BYTES)
        return Coordinator(Tools(self.store, self.store.ledger, DaskExecutor.embedded(opener, 2), opener, settings))

    def start(self, destination: str = "b/copy", request_id: str = "", **spec) -> Job:
        asked = TransferSpec(**{"source": "a/seg", "destination": destination, **spec})
        return self.transfers.start("ada", request_id or str(uuid.uuid4()), asked, CallContext())

    def end_of(self, job: Job) -> Job:
        for _ in range(1000):
            if job.state.is_terminal:
                return job
            job = self.store.wait_for_change(job.name, job.sequence, 10.0)
        raise AssertionError(f"the job got stuck: {job}")

    def arrived(self, name: str = "b/copy") -> bool:
        volume = self.registry.open(name, OpenOptions())
        pairs = [(volume.read(box, scale=i), voxels_of_scale(i)) for i, box in enumerate(BOXES)]
        return all(np.array_equal(copy, original) for copy, original in pairs)
