"""A block that kills its workers is found, and the blocks that died beside it are not blamed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from support.job_engines import Bench, CountedWork, ThreadExecutor, checksum_of_all
from voxgate.model.jobs import Job, JobState
from voxgate_jobs.batches import Batch, BatchOutcome
from voxgate_jobs.executors import BatchLost

DEADLY = 2
BLOCKS = 20


class OneWorker(ThreadExecutor):
    """All batches share one worker: whatever is in flight together with the deadly block dies with it."""

    def __init__(self, open_work, kills: int) -> None:
        super().__init__(open_work, threads=4)
        self.kills = kills
        self.in_flight: list[Batch] = []
        self.doomed: list[Batch] = []
        self.died_beside = threading.Event()
        self.lock = threading.Lock()

    def submit(self, batch: Batch) -> Future[BatchOutcome]:
        with self.lock:
            self.in_flight.append(batch)
            if self.kills and any(DEADLY in other.blocks for other in self.in_flight):
                self.doomed = list(self.in_flight)
                if len(self.doomed) > 1:
                    self.died_beside.set()
        return self._pool.submit(self._run, batch)

    def _run(self, batch: Batch) -> BatchOutcome:
        try:
            if DEADLY in batch.blocks and self.kills:
                assert self.died_beside.wait(30)  # the first time others are with it, whatever the machine does
                with self.lock:
                    self.kills -= 1
            with self.lock:
                died = batch in self.doomed
            if died:
                raise BatchLost("the workers died", suspect=True)
            return self._workshop.run(batch)
        finally:
            with self.lock:
                self.in_flight.remove(batch)
                if batch in self.doomed:
                    self.doomed.remove(batch)


@pytest.fixture
def end_with() -> Iterator[Callable[[int], tuple[Bench, Job]]]:
    benches: list[Bench] = []

    def end_with(kills: int) -> tuple[Bench, Job]:
        benches.append(Bench(executor=lambda opener: OneWorker(opener, kills)))
        return benches[0], benches[0].end_of(benches[0].start(CountedWork(BLOCKS)))

    yield end_with
    for bench in benches:
        bench.engine.close(grace_s=5.0)


def test_the_blocks_that_died_beside_it_are_not_blamed(end_with):
    bench, job = end_with(10**6)
    assert job.state is JobState.FAILED
    assert "3 workers in a row died" in job.error.message
    failures = bench.store.ledger.failures(job.name).failures
    assert [(failure.block_index, failure.attempt_count) for failure in failures] == [(DEADLY, 3)]


def test_workers_that_die_now_and_then_fail_no_job(end_with):
    bench, job = end_with(2)
    assert job.state is JobState.SUCCEEDED, job.error
    assert job.result.checksum == checksum_of_all(BLOCKS)
    assert not bench.store.ledger.failures(job.name).failures
