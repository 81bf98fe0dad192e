import threading
from dataclasses import replace

import pytest

from voxgate.model.errors import Cancelled, Unavailable, UnknownJob
from voxgate.model.jobs import Job, JobState, TransferSpec
from voxgate.model.volumes import CallContext
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_transfer.watching import watch

SPEC = TransferSpec("a/seg", "b/copy")


@pytest.fixture
def store() -> SqlJobStore:
    return SqlJobStore("sqlite://")


@pytest.fixture
def job(store: SqlJobStore) -> Job:
    return store.create(JobRequest("ada", "1", SPEC, SPEC))


def become(store: SqlJobStore, job: Job, state: JobState) -> Job:
    return store.update(job.name, lambda job: replace(job, state=state))


def test_a_watch_tells_the_job_as_it_stands_then_its_changes_then_ends_with_it(store, job):
    stream = watch(store, job.name, 0, context=CallContext())
    assert next(stream) == job
    running = become(store, job, JobState.RUNNING)
    assert next(stream) == running
    ended = become(store, job, JobState.FAILED)
    assert list(stream) == [ended]


def test_a_watch_taken_up_again_tells_what_came_since(store, job):
    running = become(store, job, JobState.RUNNING)
    assert next(watch(store, job.name, 1, context=CallContext())) == running
    stream = watch(store, job.name, running.sequence, context=CallContext())
    later = threading.Timer(0.1, become, (store, job, JobState.FAILED))
    later.start()
    assert [seen.state for seen in stream] == [JobState.FAILED]


def test_who_knows_the_end_already_is_told_it_again(store, job):
    ended = become(store, job, JobState.CANCELLED)
    assert list(watch(store, job.name, ended.sequence, context=CallContext())) == [ended]


def test_a_silent_job_is_told_as_it_stands_now_and_then(store, job):
    stream = watch(store, job.name, job.sequence, context=CallContext(), heartbeat_s=0.02)
    assert [next(stream) for _ in range(3)] == [job] * 3


def test_a_caller_who_is_gone_is_not_waited_for(store, job):
    context = CallContext()
    stream = watch(store, job.name, job.sequence, context=context)
    gone = threading.Timer(0.1, context.stop.set)
    gone.start()
    with pytest.raises(Cancelled):
        next(stream)


def test_a_job_that_does_not_exist_cannot_be_watched(store):
    with pytest.raises(UnknownJob):
        next(watch(store, "jobs/none", 0, context=CallContext()))


def test_who_watches_is_told_to_come_back_when_the_server_stops(store, job):
    stopping = threading.Event()
    stream = watch(store, job.name, 0, context=CallContext(), stopping=stopping)
    assert next(stream) == job
    stopping.set()
    with pytest.raises(Unavailable, match="stopping"):
        next(stream)
