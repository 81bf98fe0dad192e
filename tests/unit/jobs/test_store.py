import contextlib
import datetime
import itertools
import threading
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from voxgate.model.errors import InternalError, InvalidArgument, RequestIdReused, UnknownJob
from voxgate.model.jobs import Job, JobError, JobFailure, JobProgress, JobState, TransferResult, TransferSpec
from voxgate_jobs.addresses import parse_address
from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.retention import Retention
from voxgate_jobs.schema import FAILURES, WINDOWS
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.states import ALLOWED
from voxgate_jobs.store import JobQuery, JobRequest
from voxgate_jobs.work import BlockResult

SPEC = TransferSpec("fib25/seg", "scratch/copy")


def request(owner="ada", request_id=None, spec=SPEC, asked=None) -> JobRequest:
    return JobRequest(owner, request_id or str(uuid.uuid4()), asked or spec, spec)


def to(state: JobState):
    return lambda job: replace(job, state=state)


def test_a_created_job_is_pending_and_has_the_first_sequence_number(store):
    job = store.create(request())
    assert (job.state, job.sequence, job.spec) == (JobState.PENDING, 1, SPEC)
    assert job.name.startswith("jobs/")


def test_a_repeated_request_answers_the_first_job_even_after_its_version_was_resolved(store):
    asked = TransferSpec("fib25/seg", "scratch/copy")
    first = store.create(request(request_id="1", asked=asked, spec=replace(asked, source_version="v7")))
    again = store.create(request(request_id="1", asked=asked, spec=replace(asked, source_version="v8")))
    assert again == first
    assert again.spec.source_version == "v7"
    assert len(store.list(JobQuery("ada")).jobs) == 1


def test_a_request_id_that_is_used_for_something_else_is_refused(store):
    store.create(request(request_id="1"))
    with pytest.raises(RequestIdReused):
        store.create(request(request_id="1", spec=replace(SPEC, destination="scratch/other")))
    assert len(store.list(JobQuery("ada")).jobs) == 1


def test_request_ids_of_different_owners_have_nothing_to_do_with_each_other(store):
    one = store.create(request(owner="ada", request_id="1"))
    other = store.create(request(owner="bob", request_id="1", spec=replace(SPEC, source="fib25/em")))
    assert one.name != other.name


def test_simultaneous_repeats_create_one_job(store):
    names: list[str] = []
    barrier = threading.Barrier(8)

    def create() -> None:
        barrier.wait(10)
        names.append(store.create(request(request_id="1")).name)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(names) == 8
    assert len(set(names)) == 1


def test_an_update_makes_a_new_record_and_leaves_the_old_one_as_it_was(store):
    before = store.create(request())
    after = store.update(before.name, to(JobState.RUNNING))
    assert (before.state, before.sequence) == (JobState.PENDING, 1)
    assert (after.state, after.sequence) == (JobState.RUNNING, 2)
    assert store.get(before.name) == after


def test_a_change_that_answers_the_same_record_changes_nothing(store):
    job = store.create(request())
    assert store.update(job.name, lambda job: job).sequence == 1


WAYS = {
    JobState.PENDING: [],
    JobState.RUNNING: [JobState.RUNNING],
    JobState.CANCELLING: [JobState.RUNNING, JobState.CANCELLING],
    JobState.SUCCEEDED: [JobState.RUNNING, JobState.SUCCEEDED],
    JobState.FAILED: [JobState.FAILED],
    JobState.CANCELLED: [JobState.CANCELLED],
}


def test_only_the_listed_changes_of_state_are_allowed(store):
    for before, after in itertools.product(JobState, JobState):
        job = store.create(request())
        for state in WAYS[before]:
            store.update(job.name, to(state))
        if after in ALLOWED[before] or (after is before and not before.is_terminal):
            assert store.update(job.name, to(after)).state is after
        else:
            with pytest.raises(InternalError):
                store.update(job.name, to(after))
            assert store.get(job.name).state is before


def test_a_job_that_failed_or_was_cancelled_can_be_taken_up_again_and_one_that_succeeded_never_changes():
    again = frozenset({JobState.PENDING})
    assert {state: ALLOWED[state] for state in JobState if state.is_terminal} == {
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: again,
        JobState.CANCELLED: again,
    }


def test_a_change_may_not_make_the_job_another_one(store):
    job = store.create(request())
    with pytest.raises(InternalError):
        store.update(job.name, lambda job: replace(job, spec=replace(SPEC, destination="scratch/other")))
    assert store.get(job.name) == job


def test_everything_that_a_change_sets_is_kept(store):
    job = store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    time = datetime.datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=datetime.UTC)
    full = store.update(
        job.name,
        lambda job: replace(
            job,
            state=JobState.FAILED,
            progress=JobProgress("copying", 2**53 + 1, 2**60 + 1, 3, 5, 1),
            error=JobError("CHUNK_CORRUPT", "DATA_LOSS", 'a "chunk" \x00 is \N{SNOWMAN}'),
            start_time=time,
            end_time=time + datetime.timedelta(hours=25),
            result=TransferResult("scratch/copy", 2**60 + 3, "ab" * 32, 7, 9, "v2"),
            provenance={"source": "fib25/seg@v7", "software": "voxgate"},
            run_count=2,
        ),
    )
    assert full.progress.total_bytes == 2**60 + 1
    assert store.get(job.name) == full
    assert store.list(JobQuery("ada")).jobs == (full,)


def test_every_change_has_a_number_even_one_to_equal_values(store):
    job = store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    shown = [store.update(job.name, lambda job: replace(job, progress=JobProgress("x"))).sequence for _ in range(3)]
    assert shown == [3, 4, 5]


def test_a_change_may_not_give_the_job_to_somebody_else(store):
    job = store.create(request())
    with pytest.raises(InternalError):
        store.update(job.name, lambda job: replace(job, owner="eve"))


def test_jobs_of_others_are_unknown(store):
    job = store.create(request(owner="ada"))
    assert store.get(job.name, owner="ada") == job
    with pytest.raises(UnknownJob):
        store.get(job.name, owner="bob")
    with pytest.raises(UnknownJob):
        store.get("jobs/0")
    with pytest.raises(UnknownJob):
        store.get("jobs/\0")


def test_waiting_answers_a_change_that_happened_before_at_once(store):
    job = store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    assert store.wait_for_change(job.name, 1, 60.0).state is JobState.RUNNING


def test_waiting_wakes_on_the_change_and_not_on_those_of_other_jobs(store):
    job, other = store.create(request()), store.create(request())
    seen: list[Job] = []
    watcher = threading.Thread(target=lambda: seen.append(store.wait_for_change(job.name, 1, 60.0)))
    watcher.start()
    store.update(other.name, to(JobState.RUNNING))
    watcher.join(0.1)
    assert watcher.is_alive()
    store.update(job.name, to(JobState.RUNNING))
    watcher.join(10)
    assert [(one.name, one.sequence) for one in seen] == [(job.name, 2)]


def test_waiting_for_a_job_that_has_ended_is_over_at_once(store):
    job = store.create(request())
    ended = store.update(job.name, to(JobState.CANCELLED))
    assert store.wait_for_change(job.name, ended.sequence, 60.0) == ended


def test_waiting_in_vain_answers_the_job_as_it_stands(store):
    job = store.create(request())
    assert store.wait_for_change(job.name, 1, 0.01) == job


def test_pages_come_newest_first_and_are_not_shifted_by_new_jobs(store):
    names = [store.create(request()).name for _ in range(5)]
    store.create(request(owner="bob"))
    first = store.list(JobQuery("ada", page_size=2))
    names.append(store.create(request()).name)
    second = store.list(JobQuery("ada", page_size=2, page_token=first.next_page_token))
    third = store.list(JobQuery("ada", page_size=2, page_token=second.next_page_token))
    assert [job.name for page in (first, second, third) for job in page.jobs] == names[4::-1]
    assert third.next_page_token == ""


def test_a_last_page_that_is_exactly_full_has_no_next(store):
    for _ in range(2):
        store.create(request())
    assert store.list(JobQuery("ada", page_size=2)).next_page_token == ""


def test_listing_filters_by_state(store):
    job, _ = store.create(request()), store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    assert [one.name for one in store.list(JobQuery("ada", state=JobState.RUNNING)).jobs] == [job.name]


@pytest.mark.parametrize("token", ["later", "-1", "1.5", "9" * 40, "\N{ARABIC-INDIC DIGIT ONE}"])
def test_a_page_token_of_somebody_else_is_refused(store, token: str):
    with pytest.raises(InvalidArgument):
        store.list(JobQuery("ada", page_token=token))


def test_the_oldest_ended_jobs_are_forgotten_and_running_ones_never(address):
    with contextlib.closing(SqlJobStore(address, kept=Retention(records=3))) as store:
        running = store.create(request())
        store.update(running.name, to(JobState.RUNNING))
        ended = [store.create(request(request_id=str(i))) for i in range(5)]
        for job in ended:
            store.update(job.name, to(JobState.CANCELLED))
        newest = store.create(request())
        assert [job.name for job in store.list(JobQuery("ada")).jobs] == [newest.name, ended[4].name, running.name]
        assert store.create(request(request_id="0")).name != ended[0].name  # its request id is free again


def test_jobs_that_ended_long_ago_are_forgotten_with_their_ledgers(address):
    with contextlib.closing(SqlJobStore(address, kept=Retention(days=30))) as store:
        jobs = [store.create(request()) for _ in range(3)]
        claims = [store.claim("me", 60) for _ in jobs]
        for days, claim in zip((31, 29, 31), claims, strict=True):
            store.ledger.begin(claim.lease, LedgerPlan(5))
            store.ledger.commit(claim.lease, 0, {3: BlockResult(10, b"\x07" * 32)})
            error = JobError("INTERNAL", "INTERNAL", "it failed")
            store.ledger.record_failure(claim.lease, JobFailure(1, error, 5, claim.job.create_time))
            end_time = claim.job.create_time - datetime.timedelta(days=days)
            store.update(claim.job.name, lambda job, end_time=end_time: replace(job, end_time=end_time))
        for job in jobs[:2]:
            store.update(job.name, to(JobState.FAILED))
        store.forget()
        kept = [job.name for job in store.list(JobQuery("ada")).jobs]
        assert kept == [jobs[2].name, jobs[1].name]  # one ended 29 days ago, one has not ended
        with pytest.raises(UnknownJob):
            store.ledger.totals(jobs[0].name)
        assert [store.ledger.totals(name).done_block_count for name in kept] == [1, 1]
        url = parse_address(address)
        with contextlib.closing(sa.create_engine(url).connect()) as connection:
            counts = [connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in (WINDOWS, FAILURES)]
        assert counts == [2, 2]
