"""How many jobs are in each state, as the page of metrics says it."""

import uuid
from dataclasses import replace

from voxgate.model.jobs import JobState, TransferSpec
from voxgate_jobs.store import JobRequest

SPEC = TransferSpec("fib25/seg", "scratch/copy")


def test_every_state_is_counted_those_without_jobs_too(store):
    names = [store.create(JobRequest("ada", str(uuid.uuid4()), SPEC, SPEC)).name for _ in range(4)]
    store.update(names[0], lambda job: replace(job, state=JobState.CANCELLED))
    store.update(names[3], lambda job: replace(job, state=JobState.FAILED))
    assert store.counts() == {
        "pending": 2,
        "running": 0,
        "cancelling": 0,
        "succeeded": 0,
        "failed": 1,
        "cancelled": 1,
    }
