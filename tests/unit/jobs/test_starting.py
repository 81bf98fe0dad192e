"""Jobs are started once for a request, and one after the other for a destination."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.job_engines import Bench, CountedWork
from voxgate.model.errors import AlreadyExists, Cancelled, RequestIdReused
from voxgate.model.jobs import JobState, TransferSpec
from voxgate.model.names import VolumeName
from voxgate.model.volumes import CallContext
from voxgate_jobs.starting import Starter

ASKED = TransferSpec("a/b", "scratch/copy")
COPY = VolumeName.parse("scratch/copy")
PATIENCE_S = 60


@pytest.fixture
def starter(bench: Bench) -> Starter:
    bench.works["a/b"] = CountedWork(3)
    return Starter(bench.store, bench.engine)


def resolved():
    return ASKED, {"method": "test"}


def test_a_repeated_request_answers_its_first_job_and_prepares_nothing(bench: Bench, starter: Starter):
    prepared = []
    jobs = [
        starter.start(("ada", "1"), ASKED, COPY, lambda: prepared.append(1) or resolved(), CallContext())
        for _ in range(3)
    ]
    assert len({job.name for job in jobs}) == len(prepared) == 1
    assert bench.end_of(jobs[0].name).state is JobState.SUCCEEDED
    with pytest.raises(RequestIdReused):
        starter.start(("ada", "1"), TransferSpec("a/c", "scratch/copy"), COPY, resolved, CallContext())


def test_what_cannot_be_prepared_leaves_no_job_and_the_request_free(bench: Bench, starter: Starter):
    def refused():
        raise AlreadyExists("it is there", "choose another")

    with pytest.raises(AlreadyExists):
        starter.start(("ada", "1"), ASKED, COPY, refused, CallContext())
    assert bench.store.find("ada", "1", ASKED) is None
    job = starter.start(("ada", "1"), ASKED, COPY, resolved, CallContext())
    assert bench.end_of(job.name).state is JobState.SUCCEEDED


@pytest.mark.parametrize("waits_for", ["the same request", "the same destination"])
def test_a_call_that_waits_for_another_leaves_with_its_caller(starter: Starter, waits_for):
    preparing, go_on, impatient = threading.Event(), threading.Event(), CallContext()
    prepared = []

    def slowly():
        preparing.set()
        assert go_on.wait(PATIENCE_S)
        return resolved()

    request = ("ada", "1") if waits_for == "the same request" else ("ada", uuid.uuid4().hex)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(starter.start, ("ada", "1"), ASKED, COPY, slowly, CallContext())
        assert preparing.wait(PATIENCE_S)
        second = threads.submit(starter.start, request, ASKED, COPY, lambda: prepared.append(1), impatient)
        impatient.stop.set()
        with pytest.raises(Cancelled):
            second.result(PATIENCE_S)
        go_on.set()
        assert first.result(PATIENCE_S).spec == ASKED
    assert not prepared
