"""Engines for tests: on plain threads, and on Dask in this process; and works that count what is done to them."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from voxgate.model.errors import UnknownVolume
from voxgate.model.jobs import Job, JobSpec, TransferResult, TransferSpec
from voxgate_jobs.batches import Batch, BatchOutcome, Workshop
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.tuning import EngineSettings, RetryPolicy
from voxgate_jobs.work import BlockResult, OpenWork, Patience

QUICK = RetryPolicy(attempts=4, first_delay_s=0.001, longest_delay_s=0.01)
SETTINGS = EngineSettings(progress_s=0.0, look_s=0.02, poll_s=0.05, lease_s=5.0, retry=QUICK)


class ThreadExecutor:
    """The smallest Executor: what engines are tested with where Dask does not matter."""

    def __init__(self, open_work: OpenWork, threads: int = 2) -> None:
        self._workshop = Workshop(open_work)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def slots(self) -> int:
        return self._threads

    def submit(self, batch: Batch) -> Future[BatchOutcome]:
        return self._pool.submit(self._workshop.run, batch)

    def stop(self, run: str, *, writing: bool = False) -> None:
        self._workshop.stop(run, writing=writing)

    def forget(self, run: str) -> None:
        self._workshop.forget(run)

    def close(self) -> None:
        self._workshop.close()
        self._pool.shutdown(wait=False)


def engine_of(store: SqlJobStore, opener: OpenWork, settings: EngineSettings = SETTINGS, executor=None) -> Coordinator:
    """A coordinator on threads, unless another executor is given."""
    executor = executor or ThreadExecutor(opener)
    return Coordinator(Tools(store, store.ledger, executor, opener, settings))


def checksum_of(index: int) -> bytes:
    return hashlib.sha256(str(index).encode()).digest()


def checksum_of_all(count: int) -> str:
    return hashlib.sha256(b"".join(map(checksum_of, range(count)))).hexdigest()


class CountedWork:
    """Blocks of 10 bytes that count how often they ran; `body(index)` is what one does."""

    phase = "counting"
    digest = "counted"

    def __init__(self, block_count: int, body: Callable[[int], object] = lambda _: None, stages=()) -> None:
        self.block_count = block_count
        self.total_bytes = 10 * block_count
        self.stage_starts = stages
        self.body = body
        self.patience: list[Patience] = []
        self.runs: Counter[int] = Counter()
        self.running = 0
        self.most_running = 0
        self.flushed = 0
        self._lock = threading.Lock()

    def run_block(self, index: int) -> BlockResult:
        with self._lock:
            self.runs[index] += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            self.body(index)
        finally:
            with self._lock:
                self.running -= 1
        return BlockResult(10, checksum_of(index), copied_bytes=7, verified_bytes=10, skipped=index % 5 == 0)

    def flush(self) -> None:
        self.flushed += 1

    def box_of(self, index: int) -> None:
        return None

    def finish(self, totals, checksum: str) -> TransferResult:
        return TransferResult(
            "scratch/copy", totals.verified_bytes, checksum, totals.skipped_block_count, totals.copied_bytes
        )

    def told_to_stop(self, which: str = "reading") -> bool:
        return any(getattr(patience, which).stop.is_set() for patience in self.patience)


class Bench:
    """A store and an engine that runs the works it is given, one for each source that a spec names."""

    def __init__(self, settings: EngineSettings = SETTINGS, *, store=None, executor=None, works=None) -> None:
        self.store = store or SqlJobStore("sqlite://")
        self.works: dict[str, CountedWork] = {} if works is None else works
        self.engine = engine_of(self.store, self.open, settings, executor and executor(self.open))

    def open(self, spec: JobSpec, patience: Patience) -> CountedWork:
        assert isinstance(spec, TransferSpec)
        if spec.source not in self.works:
            raise UnknownVolume("there is no such volume")
        work = self.works[spec.source]
        work.patience.append(patience)
        return work

    def start(self, work: CountedWork | None = None, name: str = "a/b") -> str:
        if work is not None:
            self.works[name] = work
        spec = TransferSpec(name, "scratch/copy")
        job = self.store.create(JobRequest("ada", uuid.uuid4().hex, spec, spec))
        self.engine.submit(job.name)
        return job.name

    def until(self, name: str, reached: Callable[[Job], bool]) -> Job:
        return job_until(self.store, name, reached)

    def end_of(self, name: str) -> Job:
        return self.until(name, lambda job: job.state.is_terminal)


def job_until(store: SqlJobStore, name: str, reached: Callable[[Job], bool], patience_s: float = 120.0) -> Job:
    """The job once `reached` holds."""
    until_s = time.monotonic() + patience_s
    job = store.get(name)
    while time.monotonic() < until_s:
        if reached(job):
            return job
        job = store.wait_for_change(name, job.sequence, 1.0)
    raise AssertionError(f"the job got stuck: {job}")


def until(condition: Callable[[], bool], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.005)
