import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from voxgate.model.errors import ChunkCorrupt, ServerBusy, StoreUnavailable, UnknownJob, UnknownVolume
from voxgate.model.jobs import Job, JobState, TransferResult, TransferSpec
from voxgate.model.volumes import CallContext
from voxgate_jobs.engine import EngineSettings, RetryPolicy, ThreadEngine
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import BlockResult, Patience

QUICK = RetryPolicy(attempts=4, first_delay_s=0.001, longest_delay_s=0.01)
SETTINGS = EngineSettings(worker_count=3, window=5, progress_interval_s=0.0, retry=QUICK)


class CountedWork:
    """Blocks that count how often they ran; `body(index)` is what one does."""

    phase = "counting"

    def __init__(self, block_count: int, body: Callable[[int], None] = lambda _: None) -> None:
        self.block_count = block_count
        self.total_bytes = 10 * block_count
        self.body = body
        self.patience = Patience()
        self.runs: Counter[int] = Counter()
        self.running = 0
        self.most_running = 0
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
        return BlockResult(10, bytes([index]))

    def told_to_stop_reading(self) -> bool:
        return self.patience.reading.stop.is_set()

    def result(self, byte_count: int, checksum: str) -> TransferResult:
        return TransferResult("scratch/copy", byte_count, checksum)


class Bench:
    """A store and an engine that runs the works it is given, one for each job."""

    def __init__(self, settings: EngineSettings = SETTINGS) -> None:
        self.store = SqlJobStore("sqlite://")
        self.works: dict[str, CountedWork] = {}
        self.engine = ThreadEngine(self.store, self._open, settings)

    def _open(self, spec: TransferSpec, patience: Patience) -> CountedWork:
        if spec.source not in self.works:
            raise UnknownVolume("there is no such volume")
        work = self.works[spec.source]
        work.patience = patience
        return work

    def start(self, work: CountedWork | None = None, name: str = "a/b") -> str:
        if work is not None:
            self.works[name] = work
        spec = TransferSpec(name, "scratch/copy")
        job = self.store.create(JobRequest("ada", f"{name}{time.monotonic_ns()}", spec, spec))
        self.engine.submit(job.name)
        return job.name

    def until(self, name: str, reached: Callable[[Job], bool]) -> Job:
        job = self.store.get(name)
        for _ in range(1000):
            if reached(job):
                return job
            job = self.store.wait_for_change(name, job.sequence, 10.0)
        raise AssertionError(f"the job got stuck: {job}")

    def end_of(self, name: str) -> Job:
        return self.until(name, lambda job: job.state.is_terminal)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.engine.close(grace_s=5.0)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("block_count", [0, 1, 4, 5, 6, 37])
def test_every_block_runs_once_and_results_count_in_the_order_of_the_plan(bench: Bench, block_count: int):
    work = CountedWork(block_count, lambda index: time.sleep(0.003 * (index % 3 == 0)))  # finishes out of order
    job = bench.end_of(bench.start(work))
    assert job.state is JobState.SUCCEEDED, job.error
    assert job.result == TransferResult(
        "scratch/copy", 10 * block_count, hashlib.sha256(bytes(range(block_count))).hexdigest()
    )
    assert work.runs == Counter(range(block_count))
    progress = job.progress
    assert (progress.done_block_count, progress.total_block_count) == (block_count, block_count)
    assert (progress.done_bytes, progress.total_bytes) == (10 * block_count, 10 * block_count)
    assert job.start_time is not None
    assert job.end_time is not None
    assert job.create_time <= job.start_time <= job.end_time


def test_no_more_blocks_run_at_once_than_there_are_workers(bench: Bench):
    work = CountedWork(30, lambda _: time.sleep(0.002))
    bench.end_of(bench.start(work))
    assert 1 < work.most_running <= SETTINGS.worker_count


def test_a_job_runs_ahead_of_its_oldest_block_by_no_more_than_the_window(bench: Bench):
    gate = threading.Event()
    work = CountedWork(30, lambda index: None if index else gate.wait(30) and None)
    name = bench.start(work)
    until(lambda: len(work.runs) == SETTINGS.window)
    time.sleep(0.3)  # longer than the engine sleeps between two looks
    assert sorted(work.runs) == list(range(SETTINGS.window))
    gate.set()
    assert bench.end_of(name).state is JobState.SUCCEEDED


def test_progress_is_told_while_the_job_runs(bench: Bench):
    gate = threading.Event()
    work = CountedWork(4, lambda index: gate.wait(30) and None if index == 2 else None)
    name = bench.start(work)
    job = bench.until(name, lambda job: job.progress.done_block_count == 2)
    assert (job.state, job.progress.done_bytes, job.progress.phase) == (JobState.RUNNING, 20, "counting")
    gate.set()
    bench.end_of(name)


def test_progress_is_coalesced():
    bench = Bench(EngineSettings(worker_count=2, progress_interval_s=3600.0))
    job = bench.end_of(bench.start(CountedWork(200)))
    bench.engine.close()
    assert job.progress.done_block_count == 200
    assert job.sequence <= 5  # created, started, totals, the first block, ended


def test_a_block_is_tried_again_while_the_store_is_unavailable(bench: Bench):
    failures = Counter({3: 3, 7: 1})
    work = CountedWork(9)

    def body(index: int) -> None:
        if failures[index]:
            failures[index] -= 1
            raise StoreUnavailable("the store does not answer", retry_after_s=3600.0)

    work.body = body
    job = bench.end_of(bench.start(work))
    assert job.state is JobState.SUCCEEDED, job.error
    assert job.result is not None
    assert job.result.verified_bytes == 90
    assert (work.runs[3], work.runs[7], work.runs[0]) == (4, 2, 1)
    assert job.progress.failed_block_count == 0


def test_a_store_that_stays_unavailable_fails_the_job(bench: Bench):
    def body(index: int) -> None:
        if index == 2:
            raise StoreUnavailable("the store does not answer")

    work = CountedWork(9, body)
    job = bench.end_of(bench.start(work))
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.reason, job.error.code) == ("STORE_UNAVAILABLE", "UNAVAILABLE")
    assert work.runs[2] == QUICK.attempts
    assert job.progress.failed_block_count == 1
    assert job.result is None


def test_any_other_error_fails_the_job_at_once_and_starts_no_further_blocks(bench: Bench):
    gate = threading.Event()

    def body(index: int) -> None:
        if index == 1:
            raise ChunkCorrupt("a chunk cannot be decoded")
        if index == 0:
            gate.wait(30)

    work = CountedWork(500, body)
    name = bench.start(work)
    until(work.told_to_stop_reading)  # noticed although block 0 is not done yet
    assert not work.patience.writing.stop.is_set()
    gate.set()
    job = bench.end_of(name)
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "CHUNK_CORRUPT")
    assert work.runs[1] == 1
    assert len(work.runs) <= SETTINGS.window


def test_a_fault_of_ours_fails_the_job_without_telling_its_text(bench: Bench):
    def body(index: int) -> None:
        raise ZeroDivisionError("/srv/secret")

    job = bench.end_of(bench.start(CountedWork(3, body)))
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "INTERNAL")
    assert "secret" not in job.error.message


def test_work_that_cannot_be_opened_fails_the_job(bench: Bench):
    job = bench.end_of(bench.start(None, name="no/such"))
    assert job.error is not None
    assert (job.state, job.error.reason, job.error.code) == (JobState.FAILED, "UNKNOWN_VOLUME", "NOT_FOUND")


def test_cancelling_stops_reading_finishes_what_runs_and_starts_nothing_more(bench: Bench):
    gate = threading.Event()
    work = CountedWork(500, lambda index: gate.wait(30) and None if index >= 4 else None)
    name = bench.start(work)
    until(lambda: work.running == SETTINGS.worker_count)
    cancelled = bench.engine.cancel(name, owner="ada")
    assert cancelled.state is JobState.CANCELLING
    until(work.told_to_stop_reading)
    assert not work.patience.writing.stop.is_set()
    gate.set()
    job = bench.end_of(name)
    assert (job.state, job.error, job.result) == (JobState.CANCELLED, None, None)
    assert work.running == 0
    assert len(work.runs) <= 4 + SETTINGS.worker_count


def test_no_block_runs_when_a_record_has_ended(bench: Bench):
    started = threading.Event()

    def body(index: int) -> None:
        if index == 0:
            started.wait(30)
            raise ChunkCorrupt("a chunk cannot be decoded")
        started.set()
        time.sleep(0.3)

    work = CountedWork(20, body)
    assert bench.end_of(bench.start(work)).state is JobState.FAILED
    assert work.running == 0


def test_a_job_that_waits_for_its_turn_is_cancelled_without_ever_starting():
    bench = Bench(EngineSettings(running_count=1, retry=QUICK))
    gate = threading.Event()
    first = bench.start(CountedWork(1, lambda _: gate.wait(30) and None), "a/first")
    waiting = CountedWork(1)
    second = bench.start(waiting, "a/second")
    job = bench.engine.cancel(second)
    assert (job.state, job.start_time) == (JobState.CANCELLED, None)
    gate.set()
    assert bench.end_of(first).state is JobState.SUCCEEDED
    bench.engine.close()
    assert bench.store.get(second) == job
    assert not waiting.runs


def test_cancelling_again_or_after_the_end_is_harmless(bench: Bench):
    name = bench.start(CountedWork(2))
    ended = bench.end_of(name)
    assert bench.engine.cancel(name) == ended
    assert bench.engine.cancel(name) == ended


def test_a_job_of_somebody_else_cannot_be_cancelled(bench: Bench):
    gate = threading.Event()
    name = bench.start(CountedWork(1, lambda _: gate.wait(30) and None))
    with pytest.raises(UnknownJob):
        bench.engine.cancel(name, owner="eve")
    gate.set()
    assert bench.end_of(name).state is JobState.SUCCEEDED


def test_two_jobs_run_side_by_side(bench: Bench):
    both = threading.Barrier(2)
    names = [bench.start(CountedWork(1, lambda _: both.wait(30) and None), f"a/{i}") for i in range(2)]
    assert [bench.end_of(name).state for name in names] == [JobState.SUCCEEDED] * 2


def test_more_jobs_than_the_engine_takes_are_refused_with_a_time_to_come_back():
    bench = Bench(EngineSettings(running_count=1, waiting_count=1))
    gate = threading.Event()
    names = [bench.start(CountedWork(1, lambda _: gate.wait(30) and None), f"a/{i}") for i in range(2)]
    with pytest.raises(ServerBusy) as refused:
        bench.engine.check_room()
    assert refused.value.retry_after_s
    gate.set()
    for name in names:
        bench.end_of(name)
    bench.engine.check_room()
    bench.engine.close()


def test_closing_ends_running_and_waiting_jobs_and_says_why():
    bench = Bench(EngineSettings(running_count=1, worker_count=2, retry=QUICK))
    work = CountedWork(500, lambda _: time.sleep(0.01))
    running, waiting = bench.start(work, "a/running"), bench.start(CountedWork(1), "a/waiting")
    until(lambda: len(work.runs) > 3)
    bench.engine.close(grace_s=10.0)
    for name in (running, waiting):
        job = bench.store.get(name)
        assert job.error is not None
        assert (job.state, job.error.reason) == (JobState.FAILED, "CANCELLED")
        assert "server stopped" in job.error.message
        assert job.end_time is not None
    assert work.running == 0
    assert len(work.runs) < 500
    with pytest.raises(ServerBusy):
        bench.engine.check_room()


def test_a_job_that_was_being_cancelled_when_the_engine_closed_is_cancelled():
    bench = Bench()
    gate = threading.Event()
    name = bench.start(CountedWork(50, lambda _: gate.wait(30) and None))
    bench.until(name, lambda job: job.state is JobState.RUNNING)
    bench.engine.cancel(name)
    closing = threading.Thread(target=bench.engine.close)
    closing.start()
    gate.set()
    closing.join(20)
    assert bench.store.get(name).state is JobState.CANCELLED


def test_a_block_that_hangs_delays_closing_by_the_grace_only_and_its_job_ends_all_the_same():
    threads_before = set(threading.enumerate())
    bench = Bench()
    gate = threading.Event()
    work = CountedWork(50, lambda _: gate.wait(30) and None)
    name = bench.start(work)
    until(lambda: work.running > 0)
    bench.engine.close(grace_s=0.05)
    assert work.patience.writing.stop.is_set()  # writing was asked to stop, too
    assert bench.store.get(name).state is JobState.FAILED
    gate.set()
    until(lambda: work.running == 0)
    assert bench.store.get(name).state is JobState.FAILED  # what came too late changed nothing
    until(lambda: not set(threading.enumerate()) - threads_before)


def test_a_job_submitted_while_the_engine_closes_ends_at_once():
    bench = Bench()
    bench.engine.close()
    job = bench.store.get(bench.start(CountedWork(1)))
    assert job.state is JobState.FAILED


def test_waiting_between_tries_ends_with_a_cancel():
    bench = Bench(EngineSettings(retry=RetryPolicy(attempts=3, first_delay_s=3600.0, longest_delay_s=3600.0)))

    def body(index: int) -> None:
        raise StoreUnavailable("the store does not answer")

    work = CountedWork(1, body)
    name = bench.start(work)
    until(lambda: work.runs[0] == 1)
    bench.engine.cancel(name)
    assert bench.end_of(name).state is JobState.CANCELLED
    bench.engine.close()


def test_the_delays_double_up_to_the_longest():
    assert list(RetryPolicy(5, 1.0, 3.0).delays()) == [1.0, 2.0, 3.0, 3.0]
    assert list(RetryPolicy(1).delays()) == []


def test_patience_has_two_ends_that_do_not_touch():
    patience = Patience()
    patience.reading.stop.set()
    patience.writing.check()
    assert isinstance(patience.reading, CallContext)
