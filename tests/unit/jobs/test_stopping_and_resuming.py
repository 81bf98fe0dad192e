import threading
import time
from collections import Counter

import pytest

from support.job_engines import QUICK, Bench, CountedWork, checksum_of_all, until
from voxgate.model.errors import ChunkCorrupt, FailedPrecondition, ServerBusy, StoreUnavailable, UnknownJob
from voxgate.model.jobs import JobState
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.tuning import EngineSettings, RetryPolicy

ONE = EngineSettings(running_count=1, waiting_count=1, look_s=0.02, poll_s=0.05, retry=QUICK)


def test_cancelling_stops_reading_finishes_what_runs_and_starts_nothing_more(either: Bench, gate):
    work = CountedWork(500, lambda index: index < 4 or gate.wait(30))
    name = either.start(work)
    until(lambda: work.running >= 2)
    assert either.engine.cancel(name, owner="ada").state is JobState.CANCELLING
    until(work.told_to_stop)
    assert not work.told_to_stop("writing")
    gate.set()
    job = either.end_of(name)
    assert (job.state, job.error, job.result) == (JobState.CANCELLED, None, None)
    assert work.running == 0
    assert len(work.runs) <= 4 + work.most_running
    assert job.progress.done_block_count == either.store.ledger.totals(name).done_block_count == work.runs.total()


def test_a_wish_to_stop_that_another_server_recorded_is_heard(bench: Bench):
    name = bench.start(CountedWork(100_000, lambda _: time.sleep(0.005)))
    bench.until(name, lambda job: job.progress.done_block_count > 0)
    other = Bench(store=bench.store)
    other.engine.cancel(name)
    assert bench.end_of(name).state is JobState.CANCELLED
    other.engine.close()


def test_cancelled_and_resumed_ten_times_every_block_is_done_once(either: Bench):
    work = CountedWork(120, lambda _: time.sleep(0.002))
    name = either.start(work)
    for turn in range(10):
        either.until(name, lambda job, least=10 * turn: job.progress.done_block_count > least or job.state.is_terminal)
        if either.engine.cancel(name).state is JobState.SUCCEEDED:
            break
        if either.end_of(name).state is JobState.CANCELLED:
            assert either.engine.resume(name, owner="ada").state is not JobState.CANCELLED
    job = either.end_of(name)
    assert job.state is JobState.SUCCEEDED, job
    assert job.result is not None
    assert job.result.checksum == checksum_of_all(120)
    assert job.run_count > 2
    assert work.runs == Counter(range(120))


def test_a_job_that_failed_is_resumed_where_it_stopped(bench: Bench):
    broken = [True]

    def body(index: int) -> None:
        if index == 30 and broken:
            raise ChunkCorrupt("a chunk cannot be decoded")

    work = CountedWork(60, body)
    name = bench.start(work)
    assert bench.end_of(name).state is JobState.FAILED
    broken.clear()
    assert bench.engine.resume(name).error is None
    job = bench.end_of(name)
    assert job.state is JobState.SUCCEEDED
    assert (work.runs[30], {work.runs[i] for i in range(60) if i != 30}) == (2, {1})
    with pytest.raises(FailedPrecondition, match="succeeded"):
        bench.engine.resume(name)


def test_resuming_a_job_under_way_is_harmless_and_one_of_somebody_else_impossible(bench: Bench, gate):
    name = bench.start(CountedWork(1, lambda _: gate.wait(30)))
    bench.until(name, lambda job: job.state is JobState.RUNNING)
    assert bench.engine.resume(name).state is JobState.RUNNING
    for act in (bench.engine.resume, bench.engine.cancel):
        with pytest.raises(UnknownJob):
            act(name, owner="eve")
    gate.set()
    assert bench.end_of(name).state is JobState.SUCCEEDED


def test_work_that_is_numbered_otherwise_than_it_was_is_not_resumed(bench: Bench):
    work = CountedWork(60, lambda index: time.sleep(0.01))
    name = bench.start(work)
    bench.until(name, lambda job: job.progress.done_block_count > 0)
    bench.engine.cancel(name)
    bench.end_of(name)
    work.digest = "another"
    bench.engine.resume(name)
    job = bench.end_of(name)
    assert job.state is JobState.FAILED
    assert "cut into the blocks" in job.error.message


def test_a_job_that_waits_for_its_turn_is_cancelled_without_ever_starting(gate):
    bench = Bench(ONE)
    first = bench.start(CountedWork(1, lambda _: gate.wait(30)), "a/first")
    bench.until(first, lambda job: job.state is JobState.RUNNING)
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


def test_more_jobs_than_the_engine_takes_are_refused_with_a_time_to_come_back(gate):
    bench = Bench(ONE)
    names = []
    for i in range(2):
        names.append(bench.start(CountedWork(1, lambda _: gate.wait(30)), f"a/{i}"))
        bench.until(names[0], lambda job: job.state is JobState.RUNNING)
    with pytest.raises(ServerBusy) as refused:
        bench.engine.check_room()
    assert refused.value.retry_after_s
    gate.set()
    for name in names:
        bench.end_of(name)
    bench.engine.check_room()
    bench.engine.close()


def test_closing_lets_jobs_go_and_the_next_engine_does_what_is_left(tmp_path):
    bench = Bench(store=SqlJobStore(f"sqlite:///{tmp_path / 'jobs.db'}"))
    work = CountedWork(300, lambda _: time.sleep(0.005))
    name = bench.start(work)
    bench.until(name, lambda job: job.progress.done_block_count > 3)
    bench.engine.close(grace_s=10.0)
    let_go = bench.store.get(name)
    assert (let_go.state, let_go.end_time, work.running) == (JobState.RUNNING, None, 0)
    assert 3 < let_go.progress.done_block_count < 300
    with pytest.raises(ServerBusy):
        bench.engine.check_room()
    again = Bench(store=SqlJobStore(f"sqlite:///{tmp_path / 'jobs.db'}"), works=bench.works)
    job = again.end_of(name)
    again.engine.close()
    assert (job.state, job.run_count) == (JobState.SUCCEEDED, 2)
    assert work.runs == Counter(range(300))


def test_a_job_that_was_being_cancelled_when_the_engine_closed_is_cancelled(bench: Bench, gate):
    name = bench.start(CountedWork(50, lambda _: gate.wait(30)))
    bench.until(name, lambda job: job.state is JobState.RUNNING)
    bench.engine.cancel(name)
    closing = threading.Thread(target=bench.engine.close)
    closing.start()
    gate.set()
    closing.join(20)
    assert bench.store.get(name).state is JobState.CANCELLED


def test_a_block_that_hangs_delays_closing_by_the_grace_only(gate):
    bench = Bench()
    work = CountedWork(50, lambda _: gate.wait(30))
    name = bench.start(work)
    until(lambda: work.running > 0)
    bench.engine.close(grace_s=0.05)
    assert work.told_to_stop("writing")  # writing was asked to stop, too
    assert bench.store.get(name).state is JobState.RUNNING
    gate.set()
    until(lambda: work.running == 0)
    assert bench.store.ledger.totals(name).done_block_count == 0  # what came too late is not counted
    assert bench.store.claim("another", 5.0) is not None


def test_waiting_between_tries_ends_with_a_cancel():
    patient = RetryPolicy(attempts=3, first_delay_s=3600.0, longest_delay_s=3600.0)
    bench = Bench(EngineSettings(look_s=0.02, retry=patient))

    def body(index: int) -> None:
        raise StoreUnavailable("the store does not answer")

    work = CountedWork(1, body)
    name = bench.start(work)
    until(lambda: work.runs[0] == 1)
    bench.engine.cancel(name)
    assert bench.end_of(name).state is JobState.CANCELLED
    bench.engine.close()
