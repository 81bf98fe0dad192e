"""Addresses, queries and bodies that nobody meant: of pages, pictures, the viewer, the protos and calls over HTTP.

Those of precomputed are in test_bad_clients.py, those of Zarr in test_zarr_http.py. There is no OpenAPI document that a
tool could take them from.
"""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.plain_http import get, request_of, said, status_of
from support.servers import SAMPLES, volume_server
from voxgate_gateway.server import Gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

STARTS = ("/", "/preview/", "/preview/lab/", "/view/", "/view/lab/em/", "/view/lab/seg/-", "/static/", "/viewer/")
STARTS += ("/viewer/v/1/", "/jobs", "/jobs/", "/api/v1/jobs/", "/protos/", "/protos/voxgate/v1/", "/healthz", "/readyz")
STARTS += ("/voxgate.v1.VolumeService/",)
WORDS = """
lab em seg two - lab/em lab/seg/- lab/two/- em@v em@ @ em@1@2 . .. %2e%2e %2f..%2f.. %00 %ff %zz % ~ ; index.html
page.css page.js view.js icon.svg volume.proto main.bundle.js GetVolume ListVolumes ReadChunk WriteCutout nothing
"""
MARKUP = "<zz onload=1>"
"""Must never be in a page as it is."""
TEXTS = st.one_of(
    st.sampled_from(["lab", "lab/em", "", "nothing", "a/../b", "-", MARKUP, f'"{MARKUP}', "9" * 400, "\x00"]),
    st.sampled_from(["1,2,3", "nan,1,2", "inf,0,0", "1e308,1e308,1e308", "some", "0", str(2**64), "5,,7", "-1"]),
    st.text(max_size=20),
)
PIECES = st.one_of(st.sampled_from(WORDS.split()), st.text(string.printable, max_size=12), st.just(quote(MARKUP)))
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["under", "state", "page", "segments", "position", "position_nm", "x", "connect", "message"]),
        TEXTS,
    ),
    max_size=3,
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-host", "host", "content-type"]),
        st.one_of(
            st.sampled_from(["/user/x/proxy/8080/", "/user/x", "//evil", "https", "javascript", MARKUP, "a.b:99999"]),
            st.text(string.printable, max_size=30),
        ),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def real():
    """Before the services themselves: what they answer to anything is part of what is asked here."""
    remote = RemoteConfig(uri=(SAMPLES / "aniso").as_uri())
    with volume_server(Registry.from_config(RemotesConfig(remotes={"lab": remote}))) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        yield gateway
        gateway.stop(1)


def assert_told_well(answer: bytes, *honest: int) -> None:
    """An honest status, and none of what the request had in it, or of what we have in us, on the page."""
    assert answer == b"" or status_of(answer) < 500 or status_of(answer) in (503, *honest), answer[:400]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Traceback" not in answer
    if b"text/html" in head.lower():
        assert MARKUP.encode() not in body


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(STARTS),
    pieces=st.lists(PIECES, max_size=4),
    query=QUERIES,
    headers=HEADERS,
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE"]),
)
def test_no_address_of_a_page_is_a_fault_or_comes_back_as_markup(shared, start, pieces, query, headers, method):
    asked = "&".join(f"{name}={quote(text, safe='')}" for name, text in query)
    target = f"{start}{'/'.join(pieces)}{'?' if asked else ''}{asked}"
    # 501: nobody behind keeps jobs.
    assert_told_well(said(shared.port, request_of(target, headers, method)), 501)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    service=st.sampled_from(["VolumeService", "SegmentService", "MeshService", "TransferService", "Nothing", ""]),
    call=st.sampled_from(["GetVolume", "ListVolumes", "ReadChunk", "ReadCutout", "CreateVolume", "Nothing", ""]),
    content=st.sampled_from(
        [
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/proto",
            "application/json",
            "application/connect+proto",
            "application/connect+json",
            "application/grpc",
            "text/plain",
        ]
    ),
    body=st.one_of(
        st.just(b"\xff\xff\xff"),
        st.binary(max_size=60),
        st.binary(max_size=40).map(lambda inside: b"\0" + len(inside).to_bytes(4, "big") + inside),
        st.sampled_from([b"{}", b'{"volume": "lab/seg"}', b'{"volume": 7}', b"[" * 2000, b'{"volume": "\\ud800"}']),
    ),
)
def test_no_body_of_a_call_is_a_fault(real, service, call, content, body):
    target = f"/voxgate.v1.{service}/{call}"
    # 501 is what Connect says of a call that is not there.
    assert_told_well(said(real.port, request_of(target, [("content-type", content)], "POST", body)), 501)


def test_pages_are_well_after_all_this(shared):
    """Runs last, against the same gateway."""
    for path in ("/", "/preview/lab/em", "/view/lab/em/-", "/ng/lab/em/-/info"):
        assert status_of(said(shared.port, get(path))) == 200
