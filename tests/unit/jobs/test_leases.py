import contextlib
import threading
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from voxgate.model.errors import InternalError
from voxgate.model.jobs import JobState, TransferSpec
from voxgate_jobs.addresses import parse_address
from voxgate_jobs.documents import VERSION
from voxgate_jobs.leases import LeaseLost
from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.schema import JOBS
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import BlockResult

SPEC = TransferSpec("fib25/seg", "scratch/copy")
LONG_S = 3600.0
OVER_S = -1.0
"""A lease that is over as soon as it is handed out: no test waits for a clock."""


def create(store):
    return store.create(JobRequest("ada", str(uuid.uuid4()), SPEC, SPEC))


def to(state: JobState):
    return lambda job: replace(job, state=state)


def test_a_claimed_job_runs_and_says_since_when_and_how_often(store):
    created = create(store)
    claim = store.claim("one", LONG_S)
    assert (claim.job.state, claim.job.run_count, claim.job.sequence) == (JobState.RUNNING, 1, 2)
    assert claim.job.start_time >= created.create_time
    assert store.get(created.name) == claim.job
    assert (claim.lease.job, claim.lease.holder) == (created.name, "one")
    assert (claim.lease.until - claim.job.start_time).total_seconds() == pytest.approx(LONG_S)


def test_the_oldest_job_is_claimed_first_and_none_twice(store):
    names = [create(store).name for _ in range(3)]
    assert [store.claim(f"holder {i}", LONG_S).job.name for i in range(3)] == names
    assert store.claim("late", LONG_S) is None


def test_nobody_claims_what_has_ended(store):
    for ways in ([JobState.CANCELLED], [JobState.FAILED], [JobState.RUNNING, JobState.SUCCEEDED]):
        job = create(store)
        for state in ways:
            store.update(job.name, to(state))
    assert store.claim("one", LONG_S) is None


def test_who_waits_for_a_job_learns_that_it_was_claimed(store):
    job = create(store)
    seen = []
    watcher = threading.Thread(target=lambda: seen.append(store.wait_for_change(job.name, 1, 60.0)))
    watcher.start()
    store.claim("one", LONG_S)
    watcher.join(30)
    assert [one.state for one in seen] == [JobState.RUNNING]


def test_a_lease_that_is_over_is_claimed_by_the_next_and_lost_to_the_first(store):
    create(store)
    first = store.claim("one", OVER_S)
    store.ledger.begin(first.lease, LedgerPlan(9))  # over, but nobody else has claimed it: it is good still
    second = store.claim("two", LONG_S)
    assert second.job.name == first.job.name
    assert second.lease.fence > first.lease.fence
    assert (second.job.run_count, second.job.start_time) == (2, first.job.start_time)
    called = []
    for lost in (
        lambda: store.update(first.job.name, called.append, lease=first.lease),
        lambda: store.renew(first.lease, LONG_S),
        lambda: store.ledger.begin(first.lease, LedgerPlan(9)),
        lambda: store.ledger.commit(first.lease, 0, {0: BlockResult(1, b"\1" * 32)}),
    ):
        with pytest.raises(LeaseLost):
            lost()
    assert called == []
    assert store.ledger.totals(first.job.name).done_block_count == 0
    assert store.get(first.job.name) == second.job


def test_a_renewed_lease_lasts_longer_and_nobody_who_waits_is_woken(store):
    create(store)
    claim = store.claim("one", OVER_S)
    renewed = store.renew(claim.lease, LONG_S)
    assert renewed.until > claim.lease.until
    assert renewed.fence == claim.lease.fence
    assert store.claim("two", LONG_S) is None
    assert store.get(claim.job.name).sequence == claim.job.sequence


def test_a_released_job_is_claimed_at_once_and_goes_on(store):
    create(store)
    first = store.claim("one", LONG_S)
    store.release(first.lease)
    store.release(first.lease)
    second = store.claim("two", LONG_S)
    assert (second.job.state, second.job.run_count) == (JobState.RUNNING, 2)
    store.release(first.lease)  # of a lease that was lost: nobody's loss
    assert store.claim("three", LONG_S) is None


def test_a_released_lease_is_good_for_nothing(store):
    create(store)
    claim = store.claim("one", LONG_S)
    store.release(claim.lease)
    with pytest.raises(LeaseLost):
        store.update(claim.job.name, to(JobState.SUCCEEDED), lease=claim.lease)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_a_lease_ends_with_its_job(store, state):
    create(store)
    claim = store.claim("one", LONG_S)
    assert store.update(claim.job.name, to(state), lease=claim.lease).state is state
    with pytest.raises(LeaseLost):
        store.renew(claim.lease, LONG_S)


def test_a_job_that_is_resumed_is_claimed_anew_with_a_higher_fence(store):
    create(store)
    first = store.claim("one", LONG_S)
    store.update(first.job.name, to(JobState.FAILED), lease=first.lease)
    store.update(first.job.name, to(JobState.PENDING))
    second = store.claim("one", LONG_S)
    assert second.lease.fence > first.lease.fence
    assert second.job.run_count == 2
    with pytest.raises(LeaseLost):
        store.renew(first.lease, LONG_S)


def test_a_job_that_is_to_stop_and_that_nobody_runs_is_claimed_to_be_ended(store):
    create(store)
    first = store.claim("one", OVER_S)
    store.update(first.job.name, to(JobState.CANCELLING))
    second = store.claim("two", LONG_S)
    assert (second.job.state, second.job.run_count) == (JobState.CANCELLING, 1)
    assert store.update(second.job.name, to(JobState.CANCELLED), lease=second.lease).state is JobState.CANCELLED


def test_anybody_may_ask_a_leased_job_to_stop_and_its_holder_goes_on_to_end_it(store):
    create(store)
    claim = store.claim("one", LONG_S)
    assert store.update(claim.job.name, to(JobState.CANCELLING)).state is JobState.CANCELLING
    assert store.claim("two", LONG_S) is None
    store.update(claim.job.name, to(JobState.CANCELLED), lease=claim.lease)


def test_a_lease_is_good_for_its_own_job_only(store):
    jobs = [create(store), create(store)]
    claim = store.claim("one", LONG_S)
    with pytest.raises(InternalError):
        store.update(jobs[1].name, to(JobState.RUNNING), lease=claim.lease)


def test_threads_that_claim_at_once_get_a_job_each(store):
    names = sorted(create(store).name for _ in range(6))
    claims = []
    barrier = threading.Barrier(8)

    def claim(holder: int) -> None:
        barrier.wait(30)
        # On PostgreSQL a job that another transaction looks at is passed over, not waited for.
        for _ in range(20):
            claims.append(store.claim(f"holder {holder}", LONG_S))

    threads = [threading.Thread(target=claim, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(claims) == 160
    assert sorted(claim.job.name for claim in claims if claim is not None) == names


def test_a_job_that_only_a_newer_release_understands_is_left_to_it(address):
    with contextlib.closing(SqlJobStore(address)) as store:
        newer, ours = create(store), create(store)
        with contextlib.closing(sa.create_engine(parse_address(address)).connect()) as connection, connection.begin():
            newer_document = sa.update(JOBS).where(JOBS.c.name == newer.name).values(document_version=VERSION + 1)
            connection.execute(newer_document)
        assert store.claim("one", LONG_S).job.name == ours.name
        assert store.claim("two", LONG_S) is None
