"""The page of jobs as it comes, before any script runs: a plain list with everything in it."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from html import unescape

import grpc
import httpx
import pytest

from support.event_streams import event_stream
from support.web_calls import gateway_to, telling
from voxgate.model.jobs import (
    Job,
    JobError,
    JobProgress,
    JobState,
    MeshJobSpec,
    PyramidJobSpec,
    TransferSpec,
)
from voxgate.v1 import job_pb2 as pb
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.jobs import job_to_proto
from voxgate_gateway.jobs.shown import Rates, shown

BEGAN = datetime.datetime(2026, 11, 22, 23, 59, 30, tzinfo=datetime.UTC)
RUNNING = Job(
    "jobs/one",
    "ada",
    "r",
    TransferSpec("lab/em", "scratch/em"),
    JobState.RUNNING,
    JobProgress("copying", 3 << 30, 4 << 30, 6000, 8000, 2),
    create_time=BEGAN,
    start_time=BEGAN,
)
FAILED = replace(
    RUNNING,
    name="jobs/two",
    spec=MeshJobSpec("lab/<b>seg</b>", destination="scratch/m"),
    state=JobState.FAILED,
    error=JobError("STORE_REFUSED", "FAILED_PRECONDITION", "no room & no <hope>; make some"),
    end_time=BEGAN + datetime.timedelta(hours=26, minutes=3),
)


def answering(*jobs, token=""):
    """What a server with these jobs answers; and the requests for them."""
    asked = []

    def listing(request, _context):
        asked.append(pb.ListJobsRequest.FromString(request))
        yield pb.ListJobsResponse(jobs=map(job_to_proto, jobs), next_page_token=token).SerializeToString()

    return {
        "VolumeService/GetServerInfo": telling(volume_pb2.GetServerInfoResponse()),
        "JobService/ListJobs": listing,
    }, asked


def page_of(*jobs, query="", token=""):
    acts, asked = answering(*jobs, token=token)
    with gateway_to(acts) as (_, gateway):
        answer = httpx.get(f"{gateway.url}/jobs{query}", timeout=60)
    return answer, asked


def test_without_a_script_it_is_a_list_with_everything_in_it():
    answer, _ = page_of(RUNNING, FAILED)
    text = unescape(re.sub(r"<[^>]*>", " ", answer.text))
    assert "lab/em to scratch/em" in text
    assert "copying · 3 GiB of 4 GiB · 6,000 of 8,000 blocks · 2 failed · created 2026-11-22 23:59 UTC" in text
    assert '<progress max="1" value="0.75"' in answer.text
    assert "Meshes of lab/<b>seg</b> into scratch/m" in text
    assert "no room & no <hope>; make some" in text
    assert "took 1 d 2 h" in text
    assert 'href="./api/v1/jobs/two/failures"' in answer.text
    # Buttons would do nothing.
    assert re.findall(r"<button [^>]*data-act[^>]*>", answer.text)
    assert all(" hidden" in each for each in re.findall(r"<button [^>]*data-act[^>]*>", answer.text))


def test_what_others_named_is_text_and_no_markup():
    answer, _ = page_of(FAILED)
    assert "<b>seg" not in answer.text
    assert "<hope>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_states_and_pages_are_asked_for_and_lead_on():
    answer, (asked,) = page_of(FAILED, query="?state=failed&page=a%20b%26", token='c"&d')
    assert (asked.state, asked.page_token) == (types_pb2.JOB_STATE_FAILED, "a b&")
    assert 'href="./jobs?page=c%22%26d&amp;state=failed"' in answer.text
    # New jobs are none of an older page's, or of one state's.
    assert "data-live" not in answer.text
    assert "data-live" in page_of(FAILED)[0].text


def test_a_state_that_there_is_not_is_refused():
    answer, asked = page_of(query="?state=asleep<")
    assert (answer.status_code, asked) == (400, [])
    assert "asleep&lt;" in answer.text


def test_no_jobs_are_said_to_be_none():
    assert "No jobs here" in page_of()[0].text


def test_a_server_that_is_away_is_said_to_be():
    acts, _ = answering()

    def gone(_request, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        yield b""

    with gateway_to({**acts, "JobService/ListJobs": gone}) as (_, gateway):
        answer = httpx.get(f"{gateway.url}/jobs", timeout=60)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "does not answer" in answer.text


def test_a_full_page_with_its_script_and_style_is_small():
    long = replace(FAILED, error=JobError("INTERNAL", "INTERNAL", "x" * 600))
    acts, _ = answering(*(replace(long, name=f"jobs/{number}") for number in range(50)))
    with gateway_to(acts) as (_, gateway), httpx.Client(base_url=gateway.url, timeout=60) as http:
        page = http.get("/jobs")
        others = [http.get(f"/static/{name}") for name in ("page.css", "jobs.js", "icon.svg")]
    assert {each.status_code for each in others} == {200}
    assert sum(len(each.content) for each in (page, *others)) < 300_000


@pytest.mark.parametrize(
    ("state", "done", "actions"),
    [
        (JobState.PENDING, 0.75, ("cancel",)),
        (JobState.RUNNING, 0.75, ("cancel",)),
        (JobState.CANCELLING, 0.75, ()),
        (JobState.SUCCEEDED, 1.0, ()),
        (JobState.FAILED, 0.75, ("resume",)),
        (JobState.CANCELLED, 0.75, ("resume",)),
    ],
)
def test_what_can_be_done_to_a_job_depends_on_its_state(state, done, actions):
    found = shown(replace(RUNNING, state=state))
    assert (found.state, found.done, found.actions) == (state.value, done, actions)


@pytest.mark.parametrize("is_loopback", [True, False])
def test_nothing_is_offered_that_is_refused(monkeypatch, is_loopback):
    monkeypatch.setattr("voxgate_gateway.server.is_loopback", lambda _: is_loopback)
    acts, _ = answering(RUNNING)
    cancelled = telling(pb.CancelJobResponse(job=job_to_proto(RUNNING)))
    with gateway_to({**acts, "JobService/CancelJob": cancelled}) as (_, gateway), httpx.Client() as http:
        with event_stream(http, f"{gateway.url}/jobs/events") as stream:
            assert next(stream).data["actions"] == (["cancel"] if is_loopback else [])
        status = http.post(f"{gateway.url}/api/v1/jobs/one/cancel").status_code
    assert status == (200 if is_loopback else 403)


def test_how_far_a_job_has_come_is_unknown_until_it_says_so():
    unknown = replace(RUNNING, progress=JobProgress("planning"))
    assert shown(unknown).done is None
    assert shown(replace(unknown, state=JobState.PENDING)).done == 0.0
    assert shown(replace(RUNNING, spec=PyramidJobSpec("lab/em"))).title == "Pyramid of lab/em"


def test_rates_are_of_late_and_say_when_it_will_be_done():
    rates = Rates()

    def seen(now_s, done):
        return rates.of(replace(RUNNING, progress=JobProgress("copying", done, 1000 << 20)), now_s)

    assert seen(0.0, 0) is None
    assert seen(0.1, 10 << 20) is None  # too soon to say
    assert seen(2.0, 20 << 20) == 10 << 20
    assert seen(4.0, 60 << 20) == 15 << 20
    assert seen(6.0, 60 << 20) == 7.5 * 2**20
    text = shown(replace(RUNNING, progress=JobProgress("copying", 100 << 20, 1000 << 20)), 10 << 20).text
    assert "10 MiB/s · 1 min 30 s left" in text
    # One that was taken up begins anew.
    assert rates.of(replace(RUNNING, state=JobState.CANCELLED), 7.0) is None
    assert seen(8.0, 60 << 20) is None
