"""Jobs by REST over real servers: listed, followed by events, cancelled, taken up again, looked into."""

from __future__ import annotations

import itertools
import json
import subprocess
import uuid

import httpx
import numpy as np
import pytest

import voxgate
from support.event_streams import event_stream
from support.rest import problem_of
from support.slow_jobs import slow_suite
from voxgate.model.geometry import Box

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    with slow_suite(tmp_path_factory.mktemp("scratch")) as suite:
        yield suite


@pytest.fixture(scope="module")
def client(suite):
    with voxgate.connect(f"127.0.0.1:{suite.server.port}") as connected:
        yield connected


@pytest.fixture(scope="module")
def http(suite):
    with httpx.Client(base_url=suite.gateway.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def ended(client):
    """The path of a job that succeeded."""
    job = client.transfer("made/seg", "held/ended", scales=[0])
    job.result(60)
    return path_of(job)


@pytest.fixture
def name():
    return f"scratch/{uuid.uuid4().hex}"


def path_of(job) -> str:
    return f"/api/v1/{job.name}"


def test_a_job_is_told_as_the_command_line_tells_it(client, http, ended):
    job = client.job(ended.removeprefix("/api/v1/")).job
    told = http.get(ended).json()
    assert (told["name"], told["kind"], told["state"]) == (job.name, "transfer", "succeeded")
    assert (told["source"], told["destination"]) == ("made/seg", "held/ended")
    assert told["result"]["checksum"] == job.result.checksum
    assert told["progress"]["done_bytes"] == job.progress.done_bytes == 90 * 80 * 40 * 8
    assert told["spec"]["scales"] == [0]


def test_places_are_lists_as_everywhere_in_rest(client, http, name):
    box = Box.of(x=(-5, 60), y=(13, 71), z=(901, 922))
    job = client.transfer("made/seg", name, box=box, to=(7, -3, 0), scales=[0])
    job.result(60)
    spec = http.get(path_of(job)).json()["spec"]
    assert (spec["box"], spec["to"]) == ({"start": [-5, 13, 901], "stop": [60, 71, 922]}, [7, -3, 0])


def test_jobs_are_listed_newest_first_page_by_page_and_by_state(client, http, ended):
    for number in range(3):
        client.transfer("made/em", f"held/listed{number}", scales=[0]).result(60)
    every = [each["name"] for each in http.get(JOBS).json()["jobs"]]
    assert every == [each.name for each in client.jobs()]
    assert len(every) >= 4
    found, token = [], ""
    while True:
        page = http.get(JOBS, params={"page_size": 2, **({"page_token": token} if token else {})}).json()
        assert len(page["jobs"]) <= 2
        found += [each["name"] for each in page["jobs"]]
        token = page["next_page_token"]
        if not token:
            break
    assert found == every
    succeeded = http.get(JOBS, params={"state": "succeeded"}).json()["jobs"]
    assert f"jobs/{ended.rpartition('/')[2]}" in [each["name"] for each in succeeded]
    assert {each["state"] for each in succeeded} == {"succeeded"}
    assert problem_of(http.get(JOBS, params={"state": "asleep"}))["details"] == {"field": "state"}


def test_a_job_is_followed_live_until_it_has_ended(client, http, name):
    job = client.transfer("slow/seg", name, scales=[0])
    with event_stream(http, f"{path_of(job)}/events", accept_encoding="gzip") as stream:
        told = list(stream.jobs())
    assert stream.retry_ms is not None
    ids = [each.id for each in told]
    assert ids == sorted(set(ids))
    done = [each.data["progress"]["done_bytes"] for each in told]
    assert done == sorted(done)
    assert any(0 < each < done[-1] for each in done)
    assert [each.data["state"] == "succeeded" for each in told] == [False] * (len(told) - 1) + [True]
    assert told[-1].data == http.get(path_of(job)).json()


def test_a_stream_that_broke_goes_on_after_the_last_event_and_after_the_end_there_is_no_more(client, http, name):
    job = client.transfer("slow/seg", name, scales=[0])
    with event_stream(http, f"{path_of(job)}/events") as stream:
        first = list(itertools.islice(stream.jobs(), 2))
    with event_stream(http, f"{path_of(job)}/events", last_event_id=str(first[-1].id)) as stream:
        rest = list(stream.jobs())
    assert rest[0].id > first[-1].id
    assert rest[-1].data["state"] == "succeeded"
    again = http.get(f"{path_of(job)}/events", headers={"last-event-id": str(rest[-1].id)})
    assert (again.status_code, again.content) == (204, b"")
    # Who has not heard of the end is told.
    with event_stream(http, f"{path_of(job)}/events", last_event_id=str(first[-1].id)) as stream:
        assert [each.data["state"] for each in stream.jobs()] == ["succeeded"]


@pytest.mark.parametrize("told", ["-1", "1.5", "0x10", "9" * 30, "now", "٣"])
def test_an_id_that_no_event_had_is_refused(http, ended, told):
    answer = http.get(f"{ended}/events", headers={"last-event-id": told.encode()})
    assert (answer.status_code, problem_of(answer)["reason"]) == (400, "INVALID_REQUEST")


def test_a_job_is_cancelled_and_taken_up_and_the_copy_is_whole(client, http, name):
    job = client.transfer("slow/seg", name, scales=[0])
    with event_stream(http, f"{path_of(job)}/events") as stream:
        for each in stream.jobs():
            if each.data["state"] == "running" and each.data["progress"]["done_block_count"] > 0:
                answer = http.post(f"{path_of(job)}/cancel")
                assert answer.status_code == 200
                assert answer.json()["state"] in ("cancelling", "cancelled")
                break
        states = [each.data["state"] for each in stream.jobs()]
    assert states[-1] == "cancelled"
    assert http.get(path_of(job)).json()["progress"]["done_bytes"] < 300 * 260 * 140 * 8
    assert http.post(f"{path_of(job)}/resume").json()["state"] in ("pending", "running")
    with event_stream(http, f"{path_of(job)}/events") as stream:
        last = list(stream.jobs())[-1]
    assert (last.data["state"], last.data["run_count"]) == ("succeeded", 2)
    np.testing.assert_array_equal(client.volume(name)[...], client.volume("slow/seg")[...])


@pytest.mark.parametrize(
    "page", [{"origin": "http://elsewhere.lab"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_pages_of_other_origins_neither_cancel_nor_resume(client, http, name, page):
    job = client.transfer("slow/seg", name, scales=[0])
    assert problem_of(http.post(f"{path_of(job)}/cancel", headers=page))["status"] == 403
    assert job.refresh().state.value in ("pending", "running")
    assert http.post(f"{path_of(job)}/cancel", headers={"origin": str(http.base_url)}).status_code == 200
    list(job.watch(60))
    assert problem_of(http.post(f"{path_of(job)}/resume", headers=page))["status"] == 403
    assert job.refresh().state.value == "cancelled"


def test_a_change_is_asked_for_by_post_alone(client, http, ended):
    for method in ("GET", "PUT", "DELETE"):
        answer = http.request(method, f"{ended}/cancel")
        assert (problem_of(answer)["status"], answer.headers["allow"]) == (405, "POST, OPTIONS")
    asked = {"origin": "http://elsewhere.lab", "access-control-request-method": "POST"}
    allowed = http.options(f"{ended}/cancel", headers=asked).headers["access-control-allow-methods"]
    assert "POST" not in allowed


def test_blocks_that_failed_are_told_with_where_and_why(client, http, name):
    job = client.transfer("made/seg", name, scales=[0], dtype="uint8")
    assert list(job.watch(60))[-1].state.value == "failed"
    record = http.get(path_of(job)).json()
    assert "uint8" in record["error"]["message"]
    told = http.get(f"{path_of(job)}/failures").json()["failures"]
    expected = list(job.failures())
    assert [(each["block"], each["error"]["message"]) for each in told] == [
        (each.block_index, each.error.message) for each in expected
    ]
    assert told[0]["box"] == {"start": list(expected[0].box.start), "stop": list(expected[0].box.stop)}
    assert len(http.get(f"{path_of(job)}/failures", params={"page_size": 1}).json()["failures"]) == 1


@pytest.mark.parametrize("what", ["", "/failures", "/events"])
def test_a_job_that_there_is_not_is_not_found(http, what):
    answer = problem_of(http.get(f"{JOBS}/none{what}"))
    assert (answer["status"], answer["reason"]) == (404, "UNKNOWN_JOB")


def test_what_cannot_be_done_to_a_job_is_refused_and_what_is_done_is_harmless(http, ended):
    assert problem_of(http.post(f"{ended}/resume"))["status"] == 422
    assert http.post(f"{ended}/cancel").json()["state"] == "succeeded"
    for action in ("cancel", "resume"):
        assert problem_of(http.post(f"{JOBS}/none/{action}"))["status"] == 404


def test_nothing_of_jobs_is_kept_by_caches(http, ended):
    for path in (JOBS, ended, f"{ended}/failures", f"{ended}/events"):
        assert http.get(path).headers["cache-control"] == "no-store"
    assert http.head(f"{ended}/events").headers["content-type"].startswith("text/event-stream")


def test_curl_follows_a_job_and_ends_with_it(client, http, name):
    job = client.transfer("slow/seg", name, scales=[0])
    command = ["curl", "-sSfN", f"{http.base_url}{path_of(job)}/events"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.startswith("retry: ")
    *_, last = [line for line in said.splitlines() if line.startswith("data: ")]
    assert json.loads(last.removeprefix("data: "))["state"] == "succeeded"
