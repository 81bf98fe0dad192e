import threading
import time
from collections import Counter

from support.job_engines import QUICK, SETTINGS, Bench, CountedWork, checksum_of_all, until
from voxgate.model.errors import ChunkCorrupt, StoreUnavailable
from voxgate.model.jobs import JobState, TransferResult
from voxgate_jobs.tuning import EngineSettings, RetryPolicy
from voxgate_jobs.work import Patience


def test_every_block_runs_once_and_checksums_count_in_the_order_of_the_plan(either: Bench):
    for block_count in (0, 1, 4, 37, 500):
        work = CountedWork(block_count, lambda index: time.sleep(0.003 * (index % 3 == 0)))  # finishes out of order
        job = either.end_of(either.start(work))
        assert job.state is JobState.SUCCEEDED, job.error
        skipped = len(range(0, block_count, 5))
        expected = TransferResult(
            "scratch/copy", 10 * block_count, checksum_of_all(block_count), skipped, 7 * block_count
        )
        assert job.result == expected
        assert work.runs == Counter(range(block_count))
        progress = job.progress
        assert (progress.done_block_count, progress.total_block_count) == (block_count, block_count)
        assert (progress.done_bytes, progress.total_bytes) == (10 * block_count, 10 * block_count)
        assert job.start_time is not None
        assert job.end_time is not None
        assert job.create_time <= job.start_time <= job.end_time
        assert job.run_count == 1


def test_blocks_run_at_once_and_many_in_one_task_when_they_are_quick(either: Bench):
    work = CountedWork(2000)
    assert either.end_of(either.start(work)).state is JobState.SUCCEEDED
    assert work.flushed < 500  # once for each task
    both = threading.Barrier(2)
    assert either.end_of(either.start(CountedWork(2, lambda _: both.wait(30)))).state is JobState.SUCCEEDED


def test_work_of_more_than_one_window_is_all_done(bench: Bench):
    work = CountedWork(9000)
    job = bench.end_of(bench.start(work))
    assert job.result is not None
    assert (job.result.checksum, work.runs.total(), len(work.runs)) == (checksum_of_all(9000), 9000, 9000)


def test_no_block_of_a_stage_begins_before_all_of_the_stage_before_are_in_the_ledger(bench: Bench):
    done: list[int] = []

    def body(index: int) -> None:
        done.append(bench.store.ledger.totals(name[0]).done_block_count)
        time.sleep(0.002)

    name: list[str] = []
    work = CountedWork(40, lambda index: index < 17 or body(index), stages=(17, 33))
    bench.works["a/b"] = work
    started = threading.Event()
    work.body = lambda index: (started.wait(30), body(index))
    name.append(bench.start())
    started.set()
    assert bench.end_of(name[0]).state is JobState.SUCCEEDED
    assert min(done[17:33]) >= 17  # in the order in which they began
    assert min(done[33:]) >= 33


def test_progress_is_told_while_the_job_runs(bench: Bench, gate):
    name = bench.start(CountedWork(4, lambda index: index != 2 or gate.wait(30)))
    job = bench.until(name, lambda job: job.progress.done_block_count == 3)
    assert (job.state, job.progress.done_bytes, job.progress.phase) == (JobState.RUNNING, 30, "counting")


def test_progress_is_coalesced():
    bench = Bench(EngineSettings(progress_s=3600.0))
    job = bench.end_of(bench.start(CountedWork(200)))
    bench.engine.close()
    assert job.progress.done_block_count == 200
    assert job.sequence <= 4  # created, taken up, shown once, ended


def test_a_block_is_tried_again_while_the_store_is_unavailable(either: Bench):
    failures = Counter({3: 3, 7: 1})
    work = CountedWork(9)

    def body(index: int) -> None:
        if failures[index]:
            failures[index] -= 1
            raise StoreUnavailable("the store does not answer", retry_after_s=3600.0)

    work.body = body
    job = either.end_of(either.start(work))
    assert job.state is JobState.SUCCEEDED, job.error
    assert (work.runs[3], work.runs[7], work.runs[0]) == (4, 2, 1)
    assert job.progress.failed_block_count == 0
    assert either.store.ledger.failures(job.name).failures == ()


def test_a_store_that_stays_unavailable_fails_the_job_and_the_block_is_noted(bench: Bench):
    def body(index: int) -> None:
        if index == 2:
            raise StoreUnavailable("the store does not answer")

    work = CountedWork(9, body)
    job = bench.end_of(bench.start(work))
    assert job.error is not None
    assert (job.state, job.error.reason, job.error.code) == (JobState.FAILED, "STORE_UNAVAILABLE", "UNAVAILABLE")
    assert work.runs[2] == QUICK.attempts
    assert (job.progress.failed_block_count, job.result) == (1, None)
    (failure,) = bench.store.ledger.failures(job.name).failures
    assert (failure.block_index, failure.attempt_count, failure.error.reason) == (2, 4, "STORE_UNAVAILABLE")


def test_any_other_error_fails_the_job_at_once_and_what_runs_is_finished_and_kept(bench: Bench, gate):
    def body(index: int) -> None:
        if index == 1:
            raise ChunkCorrupt("a chunk cannot be decoded")
        if index == 0:
            gate.wait(30)

    work = CountedWork(500, body)
    name = bench.start(work)
    until(work.told_to_stop)  # noticed although block 0 is not done yet
    assert not work.told_to_stop("writing")
    gate.set()
    job = bench.end_of(name)
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "CHUNK_CORRUPT")
    assert work.runs[1] == 1
    assert work.runs.total() < 500
    assert bench.store.ledger.window(name, 0).done[0]
    assert bench.store.ledger.totals(name).done_block_count == job.progress.done_block_count


def test_a_fault_of_ours_fails_the_job_without_telling_its_text(either: Bench):
    def body(index: int) -> None:
        raise ZeroDivisionError("/srv/secret")

    job = either.end_of(either.start(CountedWork(3, body)))
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "INTERNAL")
    assert "secret" not in job.error.message


def test_work_that_cannot_be_opened_fails_the_job(bench: Bench):
    job = bench.end_of(bench.start(None, name="no/such"))
    assert job.error is not None
    assert (job.state, job.error.reason, job.error.code) == (JobState.FAILED, "UNKNOWN_VOLUME", "NOT_FOUND")


def test_blocks_that_cannot_be_made_durable_are_not_in_the_ledger(bench: Bench):
    class Leaky(CountedWork):
        def flush(self) -> None:
            raise OSError("no space left")

    job = bench.end_of(bench.start(Leaky(7)))
    assert job.state is JobState.FAILED
    assert bench.store.ledger.totals(job.name).done_block_count == 0


def test_two_engines_share_a_store_and_no_block_runs_twice():
    works: dict[str, CountedWork] = {}
    one = Bench(SETTINGS, works=works)
    other = Bench(SETTINGS, store=one.store, works=works)
    names = [one.start(CountedWork(60, lambda _: time.sleep(0.002)), f"a/{i}") for i in range(8)]
    jobs = [one.end_of(name) for name in names]
    one.engine.close()
    other.engine.close()
    assert {(job.state, job.run_count) for job in jobs} == {(JobState.SUCCEEDED, 1)}
    assert all(work.runs == Counter(range(60)) for work in works.values())


def test_the_delays_double_up_to_the_longest_and_stores_are_heard_up_to_it():
    policy = RetryPolicy(5, 1.0, 3.0)
    assert [policy.delay_s(attempts) for attempts in (1, 2, 3, 4)] == [1.0, 2.0, 3.0, 3.0]
    assert [policy.delay_s(1, asked) for asked in (0.5, 2.5, 60.0)] == [1.0, 2.5, 3.0]


def test_patience_has_two_ends_that_do_not_touch():
    patience = Patience()
    patience.reading.stop.set()
    patience.writing.check()
