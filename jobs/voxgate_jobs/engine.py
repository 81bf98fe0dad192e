"""The engine of one machine: jobs on threads, block by block, within a bounded window."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from voxgate.model.errors import Cancelled, ServerBusy, Unavailable
from voxgate.model.jobs import Job, JobError, JobProgress, JobState, TransferResult
from voxgate_jobs.failures import job_error
from voxgate_jobs.store import JobStore
from voxgate_jobs.work import BlockResult, OpenWork, Patience, Work

_LOG = logging.getLogger(__name__)
_SLICE_S = 0.1
"""How long a job sleeps on its oldest block before it looks whether it was cancelled or another block failed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a block is tried again when its store or server says that trying again may help.

    Attributes:
        attempts: tries in all, at least 1.
        first_delay_s: seconds before the second try; doubled before each further one.
        longest_delay_s: a store that asks for more patience than this does not get it.
    """

    attempts: int = 5
    first_delay_s: float = 0.25
    longest_delay_s: float = 10.0

    def delays(self) -> Iterator[float]:
        """Seconds to wait after the first, second … failed try; ends where no try is left."""
        for attempt in range(self.attempts - 1):
            yield min(self.first_delay_s * 2**attempt, self.longest_delay_s)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How much a ThreadEngine does at once.

    Attributes:
        worker_count: blocks run at once, over all jobs.
        window: how far a job may run ahead of its oldest unfinished block: what a restart would have to redo.
        running_count: jobs that run at once; the others wait.
        waiting_count: jobs that may wait; more are refused.
        progress_interval_s: a record's progress changes at most this often.
    """

    worker_count: int = 2
    window: int = 8
    running_count: int = 4
    waiting_count: int = 64
    progress_interval_s: float = 0.25
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(slots=True)
class _Run:
    """One submitted job. Only its own thread counts; `recorded` is when the record last said so."""

    name: str
    patience: Patience = field(default_factory=Patience)
    progress: JobProgress = field(default_factory=JobProgress)
    done: threading.Event = field(default_factory=threading.Event)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    recorded: float = 0.0

    def count(self, result: BlockResult) -> None:
        """Add one finished block; called in the order of the plan."""
        self.digest.update(result.checksum)
        done_bytes = self.progress.done_bytes + result.byte_count
        self.progress = replace(
            self.progress, done_bytes=done_bytes, done_block_count=self.progress.done_block_count + 1
        )


class ThreadEngine:
    """An Engine on the threads of this process.

    Args:
        store: where the records are.
        open_work: opens a job's stores when its turn comes.
        settings: how much at once.
    """

    def __init__(self, store: JobStore, open_work: OpenWork, settings: EngineSettings | None = None) -> None:
        self._store = store
        self._open_work = open_work
        self._settings = settings or EngineSettings()
        self._jobs = ThreadPoolExecutor(self._settings.running_count, thread_name_prefix="voxgate-job")
        self._blocks = ThreadPoolExecutor(self._settings.worker_count, thread_name_prefix="voxgate-block")
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._closing = False

    def check_room(self) -> None:
        """See Engine."""
        with self._lock:
            full = len(self._runs) >= self._settings.running_count + self._settings.waiting_count
            if self._closing or full:
                why = "is stopping" if self._closing else "has as many jobs waiting as it takes"
                raise ServerBusy(f"the server {why}", "try again later", retry_after_s=10.0)

    def submit(self, name: str) -> None:
        """See Engine."""
        run = _Run(name)
        with self._lock:
            closing = self._closing
            if not closing:
                self._runs[name] = run
                self._jobs.submit(self._run, run)
        if closing:
            self._store.update(name, _stopped_by_server)

    def cancel(self, name: str, *, owner: str | None = None) -> Job:
        """See Engine. The record says so first, so that the job's own thread knows why it was stopped."""
        self._store.get(name, owner=owner)
        job = self._store.update(name, _cancelling)
        with self._lock:
            run = self._runs.get(name)
        if run is not None and not job.state.is_terminal:
            run.patience.reading.stop.set()
        return job

    def close(self, *, grace_s: float = 10.0) -> None:
        """See Engine. Jobs that were not cancelled by their owner end FAILED, because nobody asked them to stop."""
        with self._lock:
            self._closing = True
            runs = list(self._runs.values())
        for run in runs:
            run.patience.reading.stop.set()
        self._jobs.shutdown(wait=False, cancel_futures=True)
        started = [run for run in runs if self._store.get(run.name).state is not JobState.PENDING]
        until = time.monotonic() + grace_s
        for run in started:
            run.done.wait(max(0.0, until - time.monotonic()))
        for run in started:
            run.patience.writing.stop.set()
        for run in started:
            run.done.wait(_SLICE_S)
        for run in runs:
            self._store.update(run.name, _stopped_by_server)
        self._blocks.shutdown(wait=False)

    def _run(self, run: _Run) -> None:
        try:
            job = self._store.update(run.name, _started)
            if job.state is JobState.RUNNING:
                self._work_through(run, job)
        finally:
            with self._lock:
                self._runs.pop(run.name, None)
            run.done.set()

    def _work_through(self, run: _Run, job: Job) -> None:
        try:
            run.patience.reading.check()
            result = self._run_blocks(run, self._open_work(job.spec, run.patience))
        except Exception as error:  # noqa: BLE001  (the top of a thread: whatever it was, the record must end)
            if not isinstance(error, Cancelled):
                _LOG.warning("job %s failed", run.name, exc_info=error)
            ending = functools.partial(self._ended_badly, run=run, error=error)
            self._store.update(run.name, ending)
        else:
            self._store.update(run.name, lambda job: _ended_well(job, run.progress, result))

    def _ended_badly(self, job: Job, run: _Run, error: Exception) -> Job:
        if job.state.is_terminal:
            return job
        if isinstance(error, Cancelled) and (job.state is JobState.CANCELLING or self._closing):
            return _stopped_by_server(replace(job, progress=run.progress))
        return _ended(replace(job, progress=run.progress), JobState.FAILED, job_error(error))

    def _run_blocks(self, run: _Run, work: Work) -> TransferResult:
        totals = JobProgress(work.phase, total_bytes=work.total_bytes, total_block_count=work.block_count)
        run.progress = totals
        self._store.update(run.name, lambda job: replace(job, progress=totals))
        pending = deque[Future[BlockResult]]()
        with self._nothing_left_behind(run, pending):
            for index in range(work.block_count):
                if len(pending) == self._settings.window:
                    self._take_oldest(run, pending)
                pending.append(self._blocks.submit(self._run_block, run, work, index))
            while pending:
                self._take_oldest(run, pending)
        return work.result(run.progress.done_bytes, run.digest.hexdigest())

    @contextlib.contextmanager
    def _nothing_left_behind(self, run: _Run, pending: deque[Future[BlockResult]]) -> Iterator[None]:
        """Leave only when no block of the job runs any more: no voxel is written after the record has ended."""
        try:
            yield
        finally:
            run.patience.reading.stop.set()
            # Only what runs is waited for: a cancelled future counts as done to wait() only once a worker has met it.
            running = [future for future in pending if not future.cancel()]
            wait(running)
            errors = [future.exception() for future in running]
            failed = sum(error is not None and not isinstance(error, Cancelled) for error in errors)
            run.progress = replace(run.progress, failed_block_count=failed)

    def _take_oldest(self, run: _Run, pending: deque[Future[BlockResult]]) -> None:
        """Wait for the oldest block and count it: results count in the order of the plan, whatever the threads do."""
        while not wait((pending[0],), timeout=_SLICE_S).done:
            run.patience.reading.check()
            for future in pending:
                if future.done():
                    future.result()  # raises what stopped it, without waiting for the blocks before it
        run.count(pending[0].result())
        pending.popleft()
        if time.monotonic() - run.recorded > self._settings.progress_interval_s:
            run.recorded = time.monotonic()
            self._store.update(run.name, lambda job: _shows(job, run.progress))

    def _run_block(self, run: _Run, work: Work, index: int) -> BlockResult:
        stop = run.patience.reading.stop
        for delay_s in self._settings.retry.delays():
            run.patience.reading.check()
            try:
                return work.run_block(index)
            except (Unavailable, ServerBusy) as error:
                asked_s = min(error.retry_after_s or 0.0, self._settings.retry.longest_delay_s)
                _LOG.info("job %s tries block %d again: %s", run.name, index, error)
                stop.wait(max(delay_s, asked_s))
        run.patience.reading.check()
        return work.run_block(index)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _started(job: Job) -> Job:
    return job if job.state is not JobState.PENDING else replace(job, state=JobState.RUNNING, start_time=_now())


def _cancelling(job: Job) -> Job:
    if job.state is JobState.PENDING:
        return _ended(job, JobState.CANCELLED)
    return replace(job, state=JobState.CANCELLING) if job.state is JobState.RUNNING else job


def _shows(job: Job, progress: JobProgress) -> Job:
    return job if job.state.is_terminal else replace(job, progress=progress)


def _ended(job: Job, state: JobState, error: JobError | None = None) -> Job:
    return job if job.state.is_terminal else replace(job, state=state, error=error, end_time=_now())


def _ended_well(job: Job, progress: JobProgress, result: TransferResult) -> Job:
    if job.state is JobState.CANCELLING:  # told to stop while the last block finished
        return _ended(replace(job, progress=progress), JobState.CANCELLED)
    return job if job.state.is_terminal else replace(_ended(job, JobState.SUCCEEDED), progress=progress, result=result)


def _stopped_by_server(job: Job) -> Job:
    if job.state is JobState.CANCELLING:
        return _ended(job, JobState.CANCELLED)
    message = "the server stopped before the job was done; start it again, with a destination that does not exist yet"
    return _ended(job, JobState.FAILED, JobError("CANCELLED", "CANCELLED", message))
