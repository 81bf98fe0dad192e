"""Batches of blocks, and the workshop that runs them: what happens on every worker, be it a thread here or far away.

A batch is names and numbers only. The workshop opens the work itself, with the stores and credentials of its process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from voxgate.model.errors import Cancelled, FailedPrecondition, InternalError, ServerBusy, Unavailable
from voxgate.model.jobs import JobError
from voxgate_jobs.documents import from_text, spec_from_document
from voxgate_jobs.failures import job_error
from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.work import BlockResult, OpenWork, Patience, Work

_LOG = logging.getLogger(__name__)
_REMEMBERED_RUNS = 1024
"""Ended runs whose late batches are turned away; a batch is late by seconds, not by a thousand jobs."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some blocks of a job.

    Attributes:
        run: names one taking-up of a job by one coordinator; what is opened for it is opened once.
        document: the job's spec as the text of a document, see `voxgate_jobs.documents`.
        blocks: numbers of blocks, ascending.
        plan: how whoever sends the batch numbers the blocks; None where nobody compares.
    """

    run: str
    document: str
    blocks: tuple[int, ...]
    plan: LedgerPlan | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a batch stopped early.

    Attributes:
        error: what happened.
        block: the block that failed; None when the work could not be opened, or not be made durable.
        may_pass: whether trying again may help.
        retry_after_s: seconds that the store asks for.
    """

    error: JobError
    block: int | None
    may_pass: bool
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch: the results are durable; blocks in neither attribute were not done, and are not to blame.

    Attributes:
        results: by number of the block.
        trouble: why not all are done; None when all are, or the run was stopped.
        seconds: how long it took.
    """

    results: dict[int, BlockResult]
    trouble: Trouble | None = None
    seconds: float = 0.0


def trouble_of(error: Exception, block: int | None) -> Trouble:
    """An error as it travels: no exception is pickled, and nothing that only the log may have."""
    may_pass = isinstance(error, Unavailable | ServerBusy)
    if not may_pass:
        _LOG.warning("block %s failed", "of no number" if block is None else block, exc_info=error)
    asked_s = getattr(error, "retry_after_s", None)
    return Trouble(job_error(error), block, may_pass, asked_s or 0.0)


@dataclass(slots=True, eq=False)
class _OpenRun:
    """One run's work here. `lock` is held while it is opened."""

    patience: Patience = field(default_factory=Patience)
    lock: threading.Lock = field(default_factory=threading.Lock)
    work: Work | None = None
    users: int = 0


class Workshop:
    """Runs batches with works that stay open between them. Thread-safe.

    Args:
        open_work: opens a job's stores.
        keep: works that stay open though no batch of theirs runs.
    """

    def __init__(self, open_work: OpenWork, *, keep: int = 4) -> None:
        self._open_work = open_work
        self._keep = keep
        self._lock = threading.Lock()
        self._runs: dict[str, _OpenRun] = {}  # the least recently used first
        self._ended = deque[str](maxlen=_REMEMBERED_RUNS)

    def run(self, batch: Batch) -> BatchOutcome:
        """Run a batch's blocks one after the other until one fails or the run is stopped; never raises."""
        started = time.monotonic()
        results: dict[int, BlockResult] = {}
        run = self._taken(batch.run)
        if run is None:
            return BatchOutcome({})
        at: int | None = None
        trouble: Trouble | None = None
        try:
            work = self._opened(run, batch.document)
            _check_plan(work, batch.plan)
            for at in batch.blocks:
                run.patience.reading.check()
                results[at] = work.run_block(at)
        except Exception as error:  # noqa: BLE001  (whatever it was, the coordinator is told)
            stopped = isinstance(error, Cancelled) and run.patience.reading.stop.is_set()
            trouble = None if stopped else trouble_of(error, at)
        try:
            if results and run.work is not None:
                run.work.flush()
        except Exception as error:  # noqa: BLE001  (as above)
            results, trouble = {}, trouble_of(error, None)
        finally:
            self._returned(run)
        return BatchOutcome(results, trouble, time.monotonic() - started)

    def stop(self, run: str, *, writing: bool = False) -> None:
        """Let a run's batches end soon: after the block that is being written; with `writing` not even then."""
        with self._lock:
            known = self._runs.setdefault(run, _OpenRun())
        known.patience.reading.stop.set()
        if writing:
            known.patience.writing.stop.set()

    def forget(self, run: str) -> None:
        """Let go of a run that has ended; batches of it that come late are answered without results."""
        with self._lock:
            self._ended.append(run)
            known = self._runs.pop(run, None)
        if known is not None:
            known.patience.reading.stop.set()

    def close(self) -> None:
        """Stop every run."""
        with self._lock:
            runs = list(self._runs)
        for run in runs:
            self.stop(run, writing=True)
            self.forget(run)

    def _taken(self, name: str) -> _OpenRun | None:
        with self._lock:
            if name in self._ended:
                return None
            run = self._runs.pop(name, None) or _OpenRun()
            self._runs[name] = run
            run.users += 1
            # One that was told to stop must not be opened anew by a batch that comes late.
            idle = [
                key for key, other in self._runs.items() if not (other.users or other.patience.reading.stop.is_set())
            ]
            for key in idle[: max(0, len(self._runs) - self._keep)]:
                del self._runs[key]
            return run

    def _returned(self, run: _OpenRun) -> None:
        with self._lock:
            run.users -= 1

    def _opened(self, run: _OpenRun, document: str) -> Work:
        with run.lock:
            run.patience.reading.check()
            if run.work is None:
                run.work = self._open_work(spec_from_document(from_text(document)), run.patience)
            return run.work


def _check_plan(work: Work, plan: LedgerPlan | None) -> None:
    """Refuse numbers that mean other blocks here: they would be done well, and counted as what they are not.

    Raises:
        FailedPrecondition: when the work is cut otherwise here than where the batch comes from.
    """
    if plan is not None and plan != LedgerPlan(work.block_count, work.digest):
        raise FailedPrecondition(
            "a worker cuts the work into other blocks than its coordinator",
            "run one release with equal remotes on both, then resume the job",
        )


def lost(attempts: int) -> JobError:
    """The record of blocks whose workers died each time that they were tried."""
    what = InternalError(f"{attempts} workers in a row died at this block", "look at the workers' logs and memory")
    return JobError(what.reason, "INTERNAL", str(what))
