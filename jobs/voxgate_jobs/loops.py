"""The loop of a run: batches out, results in, and what is durable committed to the ledger."""

from __future__ import annotations

import functools
import logging
import queue
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

from voxgate.model.errors import Unavailable
from voxgate.model.jobs import Job, JobError, JobFailure, JobProgress, JobState
from voxgate_jobs import records
from voxgate_jobs.backlog import MissingBlocks, Postponed, Suspects
from voxgate_jobs.batches import Batch, BatchOutcome, Trouble, lost
from voxgate_jobs.documents import spec_to_document, to_text
from voxgate_jobs.executors import BatchLost, Executor
from voxgate_jobs.leases import Lease, LeaseLost
from voxgate_jobs.ledger import WINDOW_BLOCKS, Ledger, LedgerPlan
from voxgate_jobs.signals import Abandoned, Signals
from voxgate_jobs.store import JobStore
from voxgate_jobs.tuning import EngineSettings
from voxgate_jobs.work import BlockResult, Work

_LOG = logging.getLogger(__name__)
_SLICE_S = 0.1
"""How long a run sleeps before it looks around."""
_BATCHES_PER_SLOT = 2
"""One that runs and one that waits, so that no worker waits for us."""


class LoopTools(Protocol):
    """What a loop works with."""

    @property
    def store(self) -> JobStore:
        """The records."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What is done."""
        ...

    @property
    def executor(self) -> Executor:
        """Where blocks run."""
        ...

    @property
    def settings(self) -> EngineSettings:
        """How much at once."""
        ...


class BlockLoop:
    """Does the blocks of a job that its ledger lacks. Memory does not grow with their number.

    Args:
        job: the record.
        lease: the right to change it.
        work: the job's open work, for counting and naming its blocks.
        tools: what to work with.
        signals: when to end early.

    Attributes:
        progress: what is done.
        error: why the job cannot go on; None while it can.
    """

    def __init__(self, job: Job, lease: Lease, work: Work, tools: LoopTools, signals: Signals) -> None:
        self._job = job
        self._lease = lease
        self._work = work
        self._ledger, self._store = tools.ledger, tools.store
        self._executor, self._settings = tools.executor, tools.settings
        self._signals = signals
        self._finished: queue.SimpleQueue[Future[BatchOutcome]] = queue.SimpleQueue()
        self._running: dict[Future[BatchOutcome], tuple[int, ...]] = {}
        self._postponed = Postponed()
        self._suspects = Suspects()
        self._results: dict[int, dict[int, BlockResult]] = {}  # by window, then by block
        self._attempts: dict[int, int] = {}  # of blocks that have failed and may pass yet
        self._in_a_row = 0
        self._block_s = 0.0
        self._committed_at = time.monotonic()
        self._looked_at = self._shown_at = 0.0
        self.progress = job.progress
        self.error: JobError | None = None

    def run(self, key: str) -> None:
        """Work until every block is done, `error` is set or the signals say stop; nothing runs afterwards.

        Args:
            key: names this run to the executor.

        Raises:
            LeaseLost, Abandoned: when the job is to be let go at once.
            FailedPrecondition: when the blocks were numbered otherwise before.
        """
        missing = self._begin()
        plan = LedgerPlan(self._work.block_count, self._work.digest)
        batch = Batch(key, to_text(spec_to_document(self._job.spec)), (), plan)
        try:
            while not self._signals.stopping and self.error is None:
                self._look()
                self._submit(missing, batch)
                if self._is_settled and self._signals.insist(missing.is_empty):
                    return
                self._take()
                self._commit()
        except LeaseLost:
            self._signals.abandon()
            raise
        finally:
            self._drain(key)

    def _begin(self) -> MissingBlocks:
        work, name = self._work, self._job.name
        plan = LedgerPlan(work.block_count, work.digest)
        totals = self._signals.insist(lambda: self._ledger.begin(self._lease, plan))
        self.progress = JobProgress(
            phase=work.phase,
            done_bytes=totals.done_bytes,
            total_bytes=work.total_bytes,
            done_block_count=totals.done_block_count,
            total_block_count=work.block_count,
        )
        return self._signals.insist(lambda: MissingBlocks(self._ledger, name, work.stage_starts))

    # Batches out.

    @property
    def _is_settled(self) -> bool:
        """Whether every block that was taken is done and committed."""
        return not (self._running or self._postponed or self._suspects or self._results)

    def _submit(self, missing: MissingBlocks, batch: Batch) -> None:
        """Keep every slot of the executor busy, first with blocks that are tried again."""
        try:
            limit = _BATCHES_PER_SLOT * self._executor.slots()
            if self._suspects:
                self._submit_alone(batch)
                return
            while len(self._running) < limit and self._uncommitted < WINDOW_BLOCKS:
                blocks = self._postponed.take(time.monotonic())
                if not blocks and len(self._running) + len(self._postponed) < limit:
                    blocks = missing.take(self._batch_size(limit), all_before_done=self._is_settled)
                if not blocks:
                    return
                self._send(replace(batch, blocks=blocks))
        except Unavailable as error:
            _LOG.info("%s waits: %s", self._job.name, error)

    def _submit_alone(self, batch: Batch) -> None:
        blocks = () if self._running else self._suspects.take(time.monotonic())
        if blocks:
            self._send(replace(batch, blocks=blocks))

    def _send(self, batch: Batch) -> None:
        try:
            future = self._executor.submit(batch)
        except Unavailable:
            self._again(batch.blocks, time.monotonic() + self._settings.retry.first_delay_s)
            raise
        self._running[future] = batch.blocks
        future.add_done_callback(self._finished.put)

    def _again(self, blocks: tuple[int, ...], due: float) -> None:
        """Try again what was not run, alone if that is how it was to be run."""
        later = self._suspects if self._suspects.interrupted(blocks) else self._postponed
        later.add(due, blocks)

    @property
    def _uncommitted(self) -> int:
        return sum(map(len, self._results.values()))

    def _batch_size(self, limit: int) -> int:
        """About `batch_s` seconds of work, as measured; less near the end, so that the slots end together."""
        if self._block_s == 0.0:
            return 1
        fitting = min(self._settings.batch_blocks, int(self._settings.batch_s / self._block_s))
        left = self.progress.total_block_count - self.progress.done_block_count
        return max(1, min(fitting, left // limit))

    # Results in.

    def _take(self) -> None:
        """Wait for a batch, a little while, and take every one that is done."""
        try:
            self._took(self._finished.get(timeout=_SLICE_S))
            while not self._finished.empty():
                self._took(self._finished.get_nowait())
        except queue.Empty:
            return

    def _took(self, future: Future[BatchOutcome]) -> None:
        blocks = self._running.pop(future)
        try:
            outcome = future.result()
        except BatchLost as error:
            self._lost(blocks, suspect=error.suspect)
            return
        self._suspects.returned(blocks)
        for index, result in outcome.results.items():
            self._results.setdefault(index // WINDOW_BLOCKS, {})[index] = result
            self._attempts.pop(index, None)
        if outcome.results:
            self._in_a_row = 0
            mean = max(1e-6, outcome.seconds / len(outcome.results))
            self._block_s = mean if self._block_s == 0.0 else 0.7 * self._block_s + 0.3 * mean
            done = self.progress.done_block_count + len(outcome.results)
            done_bytes = self.progress.done_bytes + sum(result.byte_count for result in outcome.results.values())
            self.progress = replace(self.progress, done_block_count=done, done_bytes=done_bytes)
        left = tuple(block for block in blocks if block not in outcome.results)
        if outcome.trouble is None:
            self._postponed.add(time.monotonic(), left)
        else:
            self._troubled(left, outcome.trouble)

    def _troubled(self, left: tuple[int, ...], trouble: Trouble) -> None:
        """Postpone what a batch did not do; give up on what failed too often."""
        retry, now, failed = self._settings.retry, time.monotonic(), trouble.block
        if failed is None:
            self._in_a_row += 1
            rounds = self._in_a_row // (1 + len(self._running))
            if not trouble.may_pass or rounds >= retry.attempts:
                self._fail(trouble.error)
            self._postponed.add(now + retry.delay_s(1 + rounds, trouble.retry_after_s), left)
            return
        attempts = self._attempts[failed] = self._attempts.get(failed, 0) + 1
        if not trouble.may_pass or attempts >= retry.attempts:
            self._failed_for_good(failed, trouble.error, attempts)
        else:
            _LOG.info("%s tries block %d again: %s", self._job.name, failed, trouble.error.message)
            self._postponed.add(now + retry.delay_s(attempts, trouble.retry_after_s), (failed,))
        self._postponed.add(
            now + retry.delay_s(1, trouble.retry_after_s), tuple(block for block in left if block != failed)
        )

    def _lost(self, blocks: tuple[int, ...], *, suspect: bool) -> None:
        """Run a lost batch again; one that workers died at block by block and alone, to find which of them it is."""
        now = time.monotonic()
        if not suspect:
            self._again(blocks, now)
            return
        for block in blocks:
            deaths = self._suspects.lost(block)
            if deaths >= self._settings.lost_attempts:
                self._failed_for_good(block, lost(deaths), deaths)
            else:
                self._suspects.add(now + self._settings.retry.delay_s(1 + deaths), (block,))

    def _failed_for_good(self, block: int, error: JobError, attempts: int) -> None:
        scale, box = self._work.box_of(block) or (0, None)
        self._attempts.pop(block, None)
        failure = JobFailure(block, error, attempts, records.now(), box, scale)
        self._signals.insist(lambda: self._ledger.record_failure(self._lease, failure))
        self.progress = replace(self.progress, failed_block_count=self.progress.failed_block_count + 1)
        self._fail(error)

    def _fail(self, error: JobError) -> None:
        """Begin nothing more; what runs is finished and kept."""
        self.error = self.error or error

    # What is durable is committed.

    def _commit(self) -> None:
        """Commit now and then, and whenever nothing runs; a database that is away is asked again later."""
        due = time.monotonic() - self._committed_at >= self._settings.commit_s
        if due or self._uncommitted >= self._settings.commit_blocks or not self._running:
            try:
                self._commit_all()
            except Unavailable as error:
                _LOG.warning("%s keeps %d blocks: %s", self._job.name, self._uncommitted, error)

    def _commit_all(self) -> None:
        for window in sorted(self._results):
            self._ledger.commit(self._lease, window, self._results[window])
            del self._results[window]
        self._committed_at = time.monotonic()

    def _look(self) -> None:
        """Show how far the job is, and learn whether it is to stop; a database that is away is asked again later."""
        if self._signals.lost:
            raise Abandoned
        now, progress = time.monotonic(), self.progress
        try:
            if progress != self._job.progress and now - self._shown_at >= self._settings.progress_s:
                self._shown_at = self._looked_at = now
                change = functools.partial(records.shows, progress=progress)
                self._job = self._store.update(self._job.name, change, lease=self._lease)
            elif now - self._looked_at >= self._settings.look_s:
                self._looked_at = now
                self._job = self._store.get(self._job.name)
        except Unavailable as error:
            _LOG.warning("%s goes on: %s", self._job.name, error)
        if self._job.state is not JobState.RUNNING:
            self._signals.stop()

    def _drain(self, key: str) -> None:
        """Leave when no block runs any more: no voxel is written after the record has ended."""
        if self._running:
            self._executor.stop(key)
        until = time.monotonic() + self._settings.drain_s
        while self._running and time.monotonic() < until and not self._signals.lost:
            self._take()
        if self._signals.lost:
            raise Abandoned
        if self._running:
            _LOG.warning("%s leaves %d batches that do not answer", self._job.name, len(self._running))
        self._signals.insist(self._commit_all)
