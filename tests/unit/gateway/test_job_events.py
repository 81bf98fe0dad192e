"""Streams of events whose servers go away, whose readers are slow, and that are too many."""

from __future__ import annotations

import asyncio
import threading
import time

import grpc
import httpx
import pytest

from support.event_streams import event_stream
from support.rest import problem_of
from support.web_calls import gateway_to as gateway_to_all
from support.web_calls import scripted, telling
from voxgate.client.retrying import ATTEMPTS
from voxgate.model.jobs import Job, JobProgress, JobState, TransferSpec
from voxgate.v1 import job_pb2 as pb
from voxgate.v1 import volume_pb2
from voxgate.wire.jobs import job_to_proto
from voxgate_gateway import app
from voxgate_gateway.http import events
from voxgate_gateway.http.events import Latest

GET, WATCH, LIST = "JobService/GetJob", "JobService/WatchJob", "JobService/ListJobs"
EVENTS = "/api/v1/jobs/one/events"


def gateway_to(acts):
    """A server with one service more: the gateway asks where jobs are."""
    return gateway_to_all({"VolumeService/GetServerInfo": telling(volume_pb2.GetServerInfoResponse()), **acts})


def job(state=JobState.RUNNING, done=0, **facts) -> Job:
    return Job("jobs/one", "ada", "r", TransferSpec("a/b", "c/d"), state, JobProgress("copying", done, 10**9), **facts)


GOT = telling(pb.GetJobResponse(job=job_to_proto(job())))


def change(sequence: int, told: Job) -> bytes:
    return pb.WatchJobResponse(sequence=sequence, job=job_to_proto(told)).SerializeToString()


class Watches:
    """Answers WatchJob, each time by the next of some acts; remembers after which sequence it was asked."""

    def __init__(self, *acts) -> None:
        self.acts = list(acts)
        self.after: list[int] = []

    def __call__(self, request, context):
        self.after.append(pb.WatchJobRequest.FromString(request).after_sequence)
        yield from self.acts[min(len(self.after), len(self.acts)) - 1](context)


def breaks(*changes, code=grpc.StatusCode.UNAVAILABLE):
    def act(context):
        yield from changes
        context.abort(code, "gone")

    return act


def ends(*changes):
    return lambda _context: iter(changes)


@pytest.fixture
def http():
    with httpx.Client(timeout=60) as client:
        yield client


def test_a_stream_outlasts_its_server_and_goes_on_after_what_was_told(http):
    watches = Watches(
        breaks(change(3, job())),
        *[breaks()] * ATTEMPTS,
        breaks(change(7, job(done=5)), code=grpc.StatusCode.DEADLINE_EXCEEDED),
        ends(change(9, job(JobState.SUCCEEDED, 10))),
    )
    with gateway_to({GET: GOT, WATCH: watches}) as (_, gateway), event_stream(http, gateway.url + EVENTS) as stream:
        told = list(stream)
    assert [each.id for each in told if each.name == "job"] == [3, 7, 9]
    (trouble,) = [each.data for each in told if each.name == "trouble"]
    assert trouble["reason"]
    assert trouble["detail"]
    assert watches.after == [0, *[3] * ATTEMPTS, 3, 7]


def test_jobs_are_asked_of_the_server_that_keeps_them(http):
    watches = Watches(ends(change(9, job(JobState.SUCCEEDED, 10))))
    with scripted({GET: GOT, WATCH: watches}) as (_, where):
        there = volume_pb2.ServiceEndpoint(service="voxgate.v1.JobService", address=where)
        info = telling(volume_pb2.GetServerInfoResponse(services=[there]))
        with gateway_to_all({"VolumeService/GetServerInfo": info}) as (_, gateway):
            assert http.get(gateway.url + "/api/v1/jobs/one").json()["name"] == "jobs/one"
            with event_stream(http, gateway.url + EVENTS) as stream:
                assert [each.id for each in stream] == [9]


def test_a_stream_that_broke_itself_asks_for_what_came_after(http):
    watches = Watches(ends(change(9, job(JobState.SUCCEEDED, 10))))
    with (
        gateway_to({GET: GOT, WATCH: watches}) as (_, gateway),
        event_stream(http, gateway.url + EVENTS, last_event_id="7") as stream,
    ):
        assert [each.id for each in stream] == [9]
    assert watches.after == [7]


def test_a_stream_is_never_silent_for_long(http, monkeypatch):
    monkeypatch.setattr(events, "SILENCE_S", 0.05)
    more = threading.Event()

    def act(_context):
        yield change(3, job())
        more.wait(60)
        # A sign of life is no change.
        yield change(3, job())
        yield change(4, job(JobState.CANCELLED))

    with (
        gateway_to({GET: GOT, WATCH: Watches(act)}) as (_, gateway),
        event_stream(http, gateway.url + EVENTS) as stream,
    ):
        names = [next(stream).name for _ in range(4)]
        more.set()
        rest = [each.id for each in stream.jobs()]
    assert names[0] == "job"
    assert "" in names[1:]
    assert rest == [4]


def test_a_job_that_too_many_watch_is_asked_for_now_and_then(http, monkeypatch):
    monkeypatch.setattr("voxgate_gateway.jobs.following._POLL_S", 0.01)
    states = iter([JobState.RUNNING] * 3 + [JobState.SUCCEEDED])

    def getting(_request, _context):
        yield pb.GetJobResponse(job=job_to_proto(job(next(states)))).SerializeToString()

    watches = Watches(breaks(code=grpc.StatusCode.RESOURCE_EXHAUSTED))
    with (
        gateway_to({GET: getting, WATCH: watches}) as (_, gateway),
        event_stream(http, gateway.url + EVENTS) as stream,
    ):
        told = list(stream)
    assert told[-1].data["state"] == "succeeded"
    # Where to go on from is not known then.
    assert {each.id for each in told} == {None}


def test_a_job_that_is_forgotten_meanwhile_ends_its_stream_with_why(http):
    watches = Watches(breaks(change(3, job())), breaks(code=grpc.StatusCode.NOT_FOUND))
    with gateway_to({GET: GOT, WATCH: watches}) as (_, gateway), event_stream(http, gateway.url + EVENTS) as stream:
        assert [each.name for each in stream] == ["job", "trouble"]


def test_a_reader_that_is_slow_gets_the_newest_and_holds_nobody_up(http):
    count, all_taken = 3000, threading.Event()

    def act(_context):
        for sequence in range(1, count):
            # Together far more than all buffers on the way.
            yield change(sequence, job(done=sequence, provenance={"note": "x" * 20_000}))
        all_taken.set()
        yield change(count, job(JobState.SUCCEEDED, count))

    with (
        gateway_to({GET: GOT, WATCH: Watches(act)}) as (_, gateway),
        event_stream(http, gateway.url + EVENTS) as stream,
    ):
        assert all_taken.wait(120)
        ids = [each.id for each in stream.jobs()]
    assert ids == sorted(set(ids))
    assert ids[-1] == count
    assert len(ids) < count / 2


def test_a_reader_that_leaves_ends_the_watch(http):
    def act(context):
        yield change(3, job())
        while context.is_active():
            time.sleep(0.01)

    with gateway_to({GET: GOT, WATCH: Watches(act)}) as (script, gateway):
        with event_stream(http, gateway.url + EVENTS) as stream:
            next(stream)
            script.ended.clear()
        assert script.ended.wait(60)


def test_a_gateway_that_stops_does_not_wait_for_its_streams(http):
    def act(context):
        yield change(3, job())
        while context.is_active():
            time.sleep(0.01)

    with (
        gateway_to({GET: GOT, WATCH: Watches(act)}) as (_, gateway),
        event_stream(http, gateway.url + EVENTS) as stream,
    ):
        next(stream)
        stopping = threading.Thread(target=gateway.stop, args=(600,))
        stopping.start()
        # What was cut short is not taken for the whole.
        with pytest.raises(httpx.RemoteProtocolError):
            list(stream)
        stopping.join(60)
        assert not stopping.is_alive()


def test_more_streams_than_there_are_places_for_are_refused_until_one_ends(http, monkeypatch):
    monkeypatch.setattr(app, "STREAMS_AT_A_TIME", 1)
    more = threading.Event()

    def act(_context):
        yield change(3, job())
        more.wait(60)
        yield change(4, job(JobState.SUCCEEDED))

    with gateway_to({GET: GOT, WATCH: Watches(act)}) as (_, gateway):
        with event_stream(http, gateway.url + EVENTS) as stream:
            next(stream)
            for path in (EVENTS, "/jobs/events"):
                refused = http.get(gateway.url + path)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            more.set()
            assert [each.id for each in stream] == [4]
        with event_stream(http, gateway.url + EVENTS) as stream:
            assert next(stream).id == 3


def test_a_server_without_jobs_says_so(http):
    with gateway_to({}) as (_, gateway):
        told = problem_of(http.get(f"{gateway.url}/api/v1/jobs"))
        assert (told["status"], told["reason"]) == (501, "UNIMPLEMENTED")
        assert "jobs" in told["detail"]
        page = http.get(f"{gateway.url}/jobs")
        assert page.status_code == 200
        assert "no server behind this gateway keeps jobs" in page.text


def test_the_page_s_stream_tells_each_job_once_until_it_changes_and_outlasts_its_server(http, monkeypatch):
    monkeypatch.setattr("voxgate_gateway.jobs.page._PERIOD_S", 0.02)
    asked = iter(range(10**6))

    def listing(_request, context):
        number = next(asked)
        if 2 <= number < 2 + ATTEMPTS:
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        told = [job(done=0 if number < 2 else 10**9 // 4)]
        yield pb.ListJobsResponse(jobs=map(job_to_proto, told)).SerializeToString()

    with gateway_to({LIST: listing}) as (_, gateway), event_stream(http, gateway.url + "/jobs/events") as stream:
        told = [each for each in (next(stream) for _ in range(6)) if each.name]
    assert [each.name for each in told] == ["job", "trouble", "job"]
    assert [told[0].data["done"], told[2].data["done"]] == [0.0, 0.25]
    assert "953.7 MiB" not in told[0].data["error"]


def test_only_the_newest_is_held_and_the_source_ends_with_its_reader():
    closed = []

    async def source():
        try:
            for number in range(1000):
                yield number
                await asyncio.sleep(0)
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    async def read():
        seen = []
        async with Latest(source()) as latest:
            async for each in latest.tellings():
                seen.append(each)
                await asyncio.sleep(0.05)
                if each == 999:
                    return seen
        return []

    seen = asyncio.run(read())
    assert seen[-1] == 999
    assert len(seen) < 100
    assert closed == [True]
