"""Faults with real processes: killed, locked out, raced."""

import contextlib
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import job_writers
from support.job_writers import BLOCKS
from voxgate.model.errors import Unavailable
from voxgate.model.jobs import JobState, TransferSpec
from voxgate_jobs.leases import LeaseLost
from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest

SPEC = TransferSpec("fib25/seg", "scratch/copy")


def create(store):
    return store.create(JobRequest("ada", str(uuid.uuid4()), SPEC, SPEC))


@contextlib.contextmanager
def writer(*arguments: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "support.job_writers", *arguments]
    tests = Path(job_writers.__file__).parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tests) as process:
        try:
            yield process
        finally:
            process.kill()


def claimed(store, holder):
    """Claim the one job there is; PostgreSQL passes over one that a transaction is just looking at."""
    while (claim := store.claim(holder, -1.0)) is None:
        time.sleep(0.01)
    return claim


def answered(line: str) -> set[int]:
    word, *numbers = line.split()
    # A line that the kill cut short is no answer; whole ones end with their newline.
    return {int(number) for number in numbers} if word == "committed" and line.endswith("\n") else set()


def test_a_commit_that_was_answered_outlives_a_kill_and_none_is_half_there(address):
    seed = random.randrange(2**32)
    print("seed", seed)
    noise = random.Random(seed)
    store = SqlJobStore(address)
    job = create(store)
    promised: set[int] = set()
    for attempt in range(5):
        with writer("commit", address, f"writer {attempt}") as process:
            assert process.stdout.readline() == f"claimed {job.name}\n"
            for _ in range(noise.randrange(1, 30)):
                promised |= answered(process.stdout.readline())
            process.kill()
            for line in process.stdout:
                promised |= answered(line)
        claimed(store, "auditor")  # PostgreSQL may still be busy with what the killed one asked: it is too late now
        done = {block.block_index: block.checksum for block in store.ledger.manifest(job.name)}
        assert promised <= done.keys()
        assert all(checksum == job_writers.result(block).checksum for block, checksum in done.items())
        # One commit at most was made and not answered: whole, or not at all.
        assert len(done.keys() - promised) in (0, job_writers.STEP, 4096 % job_writers.STEP)
        promised = set(done)
        totals = store.ledger.totals(job.name)
        assert totals.done_bytes == sum(block + 1 for block in done)
        assert totals.skipped_block_count == sum(block % 2 == 0 for block in done)
    with writer("commit", address, "the last") as process:
        assert process.stdout.read().endswith("finished\n")
    assert [block.block_index for block in store.ledger.manifest(job.name)] == list(range(BLOCKS))
    assert store.get(job.name).run_count == 11
    store.close()


def test_of_two_processes_that_claim_a_job_one_gets_it(address):
    store = SqlJobStore(address)
    for _ in range(3):
        job = create(store)
        with writer("claim", address, "one") as one, writer("claim", address, "two") as two:
            both = (one, two)
            assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
            for process in both:
                process.stdin.write("go\n")
                process.stdin.flush()
            assert sorted(process.stdout.readline() for process in both) == [f"{job.name}\n", "nothing\n"]
    store.close()


def test_a_coordinator_that_was_thought_dead_cannot_commit_after_another_took_over(address):
    first, second = SqlJobStore(address), SqlJobStore(address)
    create(first)
    frozen = first.claim("frozen", -1.0)
    first.ledger.begin(frozen.lease, LedgerPlan(BLOCKS))
    awake = second.claim("awake", 3600.0)
    second.ledger.commit(awake.lease, 0, {1: job_writers.result(1)})
    with pytest.raises(LeaseLost):
        first.ledger.commit(frozen.lease, 0, {2: job_writers.result(2)})
    assert [block.block_index for block in first.ledger.manifest(awake.job.name)] == [1]


def test_what_another_process_changes_wakes_who_waits(address):
    store = SqlJobStore(address)
    job = create(store)
    with writer("change", address, job.name) as process:
        assert process.stdout.readline() == "ready\n"
        seen = []
        watcher = threading.Thread(target=lambda: seen.append(store.wait_for_change(job.name, 1, 240.0)))
        watcher.start()
        process.stdin.write("go\n")
        process.stdin.flush()
        watcher.join(120)
    assert [one.state for one in seen] == [JobState.RUNNING]
    store.close()


def test_a_file_that_another_process_has_locked_is_waited_for(tmp_path):
    path = tmp_path / "jobs.db"
    store = SqlJobStore(f"sqlite:///{path}", patience_s=120.0)
    job = create(store)
    with writer("lock", str(path), "2") as process:
        assert process.stdout.readline() == "locked\n"
        assert store.get(job.name) == job  # readers are not locked out
        claim = store.claim("me", 3600.0)
        store.ledger.begin(claim.lease, LedgerPlan(BLOCKS))
        store.ledger.commit(claim.lease, 0, {7: job_writers.result(7)})
    assert store.ledger.totals(job.name).done_block_count == 1


def test_a_file_that_stays_locked_is_unavailable_and_nothing_is_half_done(tmp_path):
    path = tmp_path / "jobs.db"
    store = SqlJobStore(f"sqlite:///{path}", patience_s=0.5)
    job = create(store)
    with writer("lock", str(path), "600") as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(Unavailable) as refused:
            store.update(job.name, lambda job: replace(job, state=JobState.RUNNING))
        with pytest.raises(Unavailable):
            create(store)
    assert refused.value.retry_after_s is not None
    assert str(path) not in str(refused.value)
    assert store.get(job.name) == job
    assert store.update(job.name, lambda job: replace(job, state=JobState.RUNNING)).sequence == 2
