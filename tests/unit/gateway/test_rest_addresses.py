"""Whatever comes under `/api/v1` is answered in JSON that programs understand, and never by a fault."""

from __future__ import annotations

import json
import string
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.plain_http import get, said, status_of
from support.rest import on, problem_of
from voxgate.model.errors import PermissionDenied, StoreUnavailable, Unauthenticated

WORDS = ["volumes", "lab", "em", "seg", "lab%2Fem", "lab%2Fem%40v", "-", "info", "cutout", "slice", "openapi.json"]
PIECES = st.one_of(
    st.sampled_from([*WORDS, "", ".", "..", "%2e%2e", "%00", "%0A", "%ff", "em@v", "@", "~"]),
    st.text(string.printable, max_size=9).map(lambda text: quote(text, safe="")),
    st.binary(max_size=6).map(lambda raw: "".join(f"%{byte:02X}" for byte in raw)),
)
VALUES = st.one_of(
    st.sampled_from(["0:1", "1001", ":", "-1:", "0,1", "npy", "raw", "yz", "window", "slice", "0:1e300", "nan:nan"]),
    st.text(max_size=12),
)
NAMES = ["x", "y", "z", "scale", "scale_key", "channel", "time", "labels", "format", "plane", "mapping", "window", "zz"]
QUERIES = st.lists(st.tuples(st.sampled_from([*NAMES, "prefix", "page_size", "page_token"]), VALUES), max_size=6)


@given(st.lists(PIECES, max_size=6), QUERIES)
@settings(max_examples=150, deadline=None)
def test_any_address_and_query_is_answered_or_refused_in_json(shared, pieces, query):
    asked = "&".join(f"{name}={quote(value)}" for name, value in query)
    answer = said(shared.port, get(f"/api/v1/{'/'.join(pieces)}?{asked}"))
    status = status_of(answer)
    assert status in (200, 400, 404, 405, 422, 501), answer[:500]
    if status != 200:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-type: application/problem+json" in head.lower()
        told = json.loads(body)
        assert told["status"] == status
        assert "Traceback" not in body.decode()


def test_an_address_of_nothing_says_what_is_near(http):
    told = problem_of(http.get(on("lab/em", "cutuot")))
    assert (told["status"], told["reason"]) == (404, "HTTP")
    assert "did you mean /cutout?" in told["remedy"]
    assert problem_of(http.get(on("lab/nothing", "info")))["reason"] == "UNKNOWN_VOLUME"
    assert problem_of(http.get("/api/v1/volumes/lab/em/info"))["reason"] == "UNKNOWN_VOLUME"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_methods_that_are_not_taken_are_refused_with_those_that_are(http, method):
    answer = http.request(method, on("lab/em", "info"))
    assert (answer.status_code, problem_of(answer)["status"]) == (405, 405)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_says_what_an_operation_takes(http):
    job = "/api/v1/jobs/04194f1703dc4f968d65591edaaa8b75"
    assert http.options(f"{job}/cancel").headers["allow"] == "POST, OPTIONS"
    assert http.options(job).headers["allow"] == "GET, HEAD, OPTIONS"
    assert http.options(on("lab/em", "info")).headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (StoreUnavailable("it is away", "wait", retry_after_s=3.2), 503),
        (PermissionDenied("not yours", "ask"), 403),
        (Unauthenticated("who are you", "say"), 401),
    ],
)
def test_what_the_server_refuses_is_a_problem_with_its_own_words(http, stand_in, failure, status):
    stand_in.failures["GetVolume"] = failure
    answer = http.get(on("lab/em", "info"))
    told = problem_of(answer)
    assert (told["status"], told["detail"], told["remedy"]) == (status, failure.message, failure.remedy)
    assert answer.headers.get("retry-after") == ("4" if status == 503 else None)


def test_the_callers_identity_reaches_the_server(http, stand_in):
    http.get(on("lab/em", "info"), headers={"authorization": "Bearer me"})
    assert stand_in.metadata["authorization"] == "Bearer me"


def test_a_listing_comes_in_pages_to_its_end(http):
    names, token = [], ""
    while True:
        page = http.get("/api/v1/volumes", params={"prefix": "lab", **({"page_token": token} if token else {})}).json()
        names += [entry["name"] for entry in page["entries"]]
        token = page["next_page_token"]
        if not token:
            break
    assert names == ["lab/em", "lab/seg", "lab/two"]


def test_a_fault_of_ours_is_a_problem_that_tells_nothing(gateway, monkeypatch):
    def broken(*_):
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr("voxgate_gateway.rest.volumes.info_document", broken)
    answer = httpx.get(f"{gateway.url}{on('lab/em', 'info')}", timeout=20)
    assert (answer.status_code, problem_of(answer)["reason"]) == (500, "INTERNAL")
    assert "secret" not in answer.text
