import datetime
import random
import uuid
from dataclasses import replace

import numpy as np
import pytest

from voxgate.model.errors import FailedPrecondition, InternalError, InvalidArgument, UnknownJob
from voxgate.model.geometry import Box
from voxgate.model.jobs import JobBlock, JobError, JobFailure, JobState, TransferSpec
from voxgate_jobs.database import Database
from voxgate_jobs.leases import LeaseLost
from voxgate_jobs.ledger import WINDOW_BLOCKS, LedgerPlan, LedgerTotals
from voxgate_jobs.sqlledger import SqlLedger
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import BlockResult

SPEC = TransferSpec("fib25/seg", "scratch/copy")
BLOCKS = 2 * WINDOW_BLOCKS + 77
TIME = datetime.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=datetime.UTC)


def begun(store, block_count=BLOCKS, digest="plan"):
    store.create(JobRequest("ada", str(uuid.uuid4()), SPEC, SPEC))
    claim = store.claim("me", 3600.0)
    store.ledger.begin(claim.lease, LedgerPlan(block_count, digest))
    return claim.lease


def result(block: int) -> BlockResult:
    """A block's result as it is whenever the block is done."""
    noise = random.Random(block)
    return BlockResult(noise.randrange(2**33), noise.randbytes(32), noise.randrange(2**33), block % 7, block % 5 == 0)


def results(*blocks: int) -> dict[int, BlockResult]:
    return {block: result(block) for block in blocks}


def totals(*blocks: int) -> LedgerTotals:
    done = [result(block) for block in blocks]
    return LedgerTotals(
        len(done),
        sum(one.byte_count for one in done),
        sum(one.copied_bytes for one in done),
        sum(one.verified_bytes for one in done),
        sum(one.skipped for one in done),
    )


def test_a_plan_cuts_its_blocks_into_windows_and_the_last_may_be_short():
    assert [LedgerPlan(count).window_count for count in (0, 1, 4096, 4097)] == [0, 1, 1, 2]
    assert LedgerPlan(BLOCKS).blocks(2) == range(8192, 8269)


def test_nothing_is_done_at_first(store):
    lease = begun(store)
    assert store.ledger.plan(lease.job) == LedgerPlan(BLOCKS, "plan")
    assert store.ledger.totals(lease.job) == LedgerTotals()
    assert list(store.ledger.unfinished(lease.job)) == [0, 1, 2]
    window = store.ledger.window(lease.job, 2)
    assert window.missing() == list(range(8192, BLOCKS))
    assert window.checksums.shape == (77, 32)
    assert list(store.ledger.manifest(lease.job)) == []


def test_blocks_that_are_committed_are_done_and_no_others(store):
    lease = begun(store)
    store.ledger.commit(lease, 1, results(4096, 8191, 5000))
    store.ledger.commit(lease, 1, results(4097))
    window = store.ledger.window(lease.job, 1)
    assert (np.flatnonzero(window.done) + 4096).tolist() == [4096, 4097, 5000, 8191]
    for block in range(4096, 8192):
        expected = result(block).checksum if block in (4096, 4097, 5000, 8191) else bytes(32)
        assert window.checksums[block - 4096].tobytes() == expected
    assert store.ledger.totals(lease.job) == totals(4096, 4097, 5000, 8191)


def test_committing_a_block_again_changes_nothing(store):
    lease = begun(store)
    store.ledger.commit(lease, 0, results(1, 2))
    store.ledger.commit(lease, 0, results(1, 2))
    store.ledger.commit(lease, 0, results(2, 3))
    store.ledger.commit(lease, 0, {})
    assert store.ledger.totals(lease.job) == totals(1, 2, 3)


@pytest.mark.parametrize(
    "bad",
    [
        {4096: result(4096)},
        {-1: result(0)},
        {5: BlockResult(1, b"short")},
        {7: replace(result(7), checksum=b"\1" * 32)},
    ],
)
def test_a_commit_that_cannot_be_right_is_refused_whole(store, bad):
    lease = begun(store)
    store.ledger.commit(lease, 0, results(7))
    with pytest.raises(InternalError):
        store.ledger.commit(lease, 0, results(8) | bad)
    assert store.ledger.totals(lease.job) == totals(7)


def test_a_window_that_the_plan_has_not_is_refused(store):
    lease = begun(store)
    for index in (-1, 3):
        with pytest.raises(InternalError):
            store.ledger.window(lease.job, index)
        with pytest.raises(InternalError):
            store.ledger.commit(lease, index, {})


def test_a_window_whose_blocks_are_all_done_is_finished(store):
    lease = begun(store)
    store.ledger.commit(lease, 2, results(*range(8192, BLOCKS)))
    store.ledger.commit(lease, 0, results(*range(4096)))
    assert list(store.ledger.unfinished(lease.job)) == [1]
    assert store.ledger.window(lease.job, 2).missing() == []


def test_whoever_takes_the_job_up_finds_what_is_done(store):
    lease = begun(store)
    store.ledger.commit(lease, 0, results(3))
    store.release(lease)
    again = store.claim("other", 3600.0).lease
    assert store.ledger.begin(again, LedgerPlan(BLOCKS, "plan")) == totals(3)
    store.ledger.commit(again, 0, results(4))
    with pytest.raises(LeaseLost):
        store.ledger.commit(lease, 0, results(5))
    assert store.ledger.totals(lease.job) == totals(3, 4)


@pytest.mark.parametrize("plan", [LedgerPlan(BLOCKS, "another plan"), LedgerPlan(BLOCKS + 1, "plan")])
def test_work_that_is_cut_otherwise_than_before_is_refused_once_a_block_is_done(store, plan):
    lease = begun(store)
    store.ledger.begin(lease, plan)
    store.ledger.begin(lease, LedgerPlan(BLOCKS, "plan"))
    store.ledger.commit(lease, 0, results(3))
    with pytest.raises(FailedPrecondition):
        store.ledger.begin(lease, plan)
    assert store.ledger.plan(lease.job) == LedgerPlan(BLOCKS, "plan")


def test_a_job_that_has_not_begun_has_an_empty_manifest_and_no_windows(store):
    job = store.create(JobRequest("ada", "1", SPEC, SPEC))
    assert store.ledger.plan(job.name) is None
    assert list(store.ledger.manifest(job.name)) == []
    with pytest.raises(InternalError):
        store.ledger.window(job.name, 0)
    with pytest.raises(InternalError):
        store.ledger.unfinished(job.name)


def test_the_ledger_of_an_unknown_job_is_unknown(store):
    for ask in (store.ledger.plan, store.ledger.totals, store.ledger.manifest, store.ledger.failures):
        with pytest.raises(UnknownJob):
            ask("jobs/0")


def test_the_manifest_has_every_finished_block_in_order_from_any_block_on(store):
    lease = begun(store)
    done = [0, 9, 4095, 4096, 8192, BLOCKS - 1]
    for index in (2, 0, 1):
        store.ledger.commit(lease, index, results(*(block for block in done if block // WINDOW_BLOCKS == index)))
    blocks = [JobBlock(block, result(block).checksum) for block in done]
    assert list(store.ledger.manifest(lease.job)) == blocks
    assert list(store.ledger.manifest(lease.job, first_block=10)) == blocks[2:]
    assert list(store.ledger.manifest(lease.job, first_block=4096)) == blocks[3:]
    assert list(store.ledger.manifest(lease.job, first_block=BLOCKS)) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_commits_comes_to_the_same(store, seed):
    noise = random.Random(seed)
    lease = begun(store)
    done: set[int] = set()
    for _ in range(12):
        index = noise.randrange(3)
        blocks = noise.sample(LedgerPlan(BLOCKS).blocks(index), noise.randrange(1, 70))
        store.ledger.commit(lease, index, results(*blocks))
        done.update(blocks)
    assert store.ledger.totals(lease.job) == totals(*done)
    manifest = {block.block_index: block.checksum for block in store.ledger.manifest(lease.job)}
    assert manifest == {block: result(block).checksum for block in done}


def failure(block: int, attempts: int = 5, **more) -> JobFailure:
    return JobFailure(block, JobError("STORE_UNAVAILABLE", "UNAVAILABLE", "gone"), attempts, TIME, **more)


def test_failures_come_latest_first_each_block_once(store):
    lease = begun(store)
    boxed = failure(7, box=Box.of(x=(-3, 2**40), y=(5, 7), z=(2, 9)), scale=2)
    for each in (failure(1), failure(2), boxed, failure(1, attempts=9)):
        store.ledger.record_failure(lease, each)
    assert store.ledger.failures(lease.job).failures == (failure(1, attempts=9), boxed, failure(2))


def test_pages_of_failures_are_not_shifted_by_new_ones(store):
    lease = begun(store)
    for block in range(5):
        store.ledger.record_failure(lease, failure(block))
    first = store.ledger.failures(lease.job, page_size=2)
    store.ledger.record_failure(lease, failure(99))
    second = store.ledger.failures(lease.job, page_size=2, page_token=first.next_page_token)
    third = store.ledger.failures(lease.job, page_size=2, page_token=second.next_page_token)
    assert [[one.block_index for one in page.failures] for page in (first, second, third)] == [[4, 3], [2, 1], [0]]
    assert third.next_page_token == ""
    with pytest.raises(InvalidArgument):
        store.ledger.failures(lease.job, page_token="next")


def test_of_very_many_failures_of_a_job_the_oldest_are_dropped(address):
    store = SqlJobStore(address)
    one, other = begun(store), begun(store)
    few = SqlLedger(Database(address), kept_failures=3)
    few.record_failure(other, failure(0))
    for block in range(6):
        few.record_failure(one, failure(block))
    assert [each.block_index for each in few.failures(one.job).failures] == [5, 4, 3]
    assert [each.block_index for each in few.failures(other.job).failures] == [0]


def test_a_failure_that_is_told_by_who_lost_the_job_is_refused(store):
    lease = begun(store)
    store.update(lease.job, lambda job: replace(job, state=JobState.FAILED), lease=lease)
    with pytest.raises(LeaseLost):
        store.ledger.record_failure(lease, failure(1))
    assert store.ledger.failures(lease.job).failures == ()
