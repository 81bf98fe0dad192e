from __future__ import annotations

import dataclasses
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.standin_volumes import image
from voxgate_gateway.http.coding import accepts_gzip, compressed
from voxgate_gateway.http.conditions import compressed_etag, etag_of, has_it
from voxgate_gateway.http.ranges import Span, Unsatisfiable, asked_span

CELL = "/ng/lab/em/-/8_8_33/-7-9_1000-1020_21-29"
LENGTH = 16 * 20 * 8 * 2


@pytest.fixture
def body(http):
    return http.get(CELL).content


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=3-9", 3, 10),
        ("bytes=5000-", 5000, LENGTH),
        ("bytes=-132", LENGTH - 132, LENGTH),
        ("bytes=-999999999999", 0, LENGTH),
        ("bytes=5119-99999999", 5119, LENGTH),
        ("BYTES=3-9", 3, 10),
    ],
)
def test_one_range_is_answered_exactly(http, body, asked, start, stop):
    answer = http.get(CELL, headers={"range": asked})
    assert answer.status_code == 206
    assert answer.content == body[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{LENGTH}"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=5120-", "bytes=99999999999-999999999999", "bytes=-0"])
def test_a_range_without_a_byte_in_it_is_416_with_the_length(http, asked):
    answer = http.get(CELL, headers={"range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{LENGTH}"
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=1-2,5-6",
        "bytes=9-3",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes",
        "bytes=1",
        "bytes=--1",
        "x" * 999,
    ],
)
def test_several_ranges_and_what_is_no_range_are_answered_with_the_whole(http, body, asked):
    answer = http.get(CELL, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, body)
    assert "content-range" not in answer.headers


def test_a_range_stands_only_while_the_body_is_the_one_it_was_of(http, body):
    etag = http.get(CELL).headers["etag"]
    assert http.get(CELL, headers={"range": "bytes=1-4", "if-range": etag}).status_code == 206
    for other in ('"other"', f"W/{etag}", "Sun, 06 Nov 1994 08:49:37 GMT"):
        answer = http.get(CELL, headers={"range": "bytes=1-4", "if-range": other})
        assert (answer.status_code, answer.content) == (200, body)


def test_a_range_of_head_is_ignored(http):
    answer = http.head(CELL, headers={"range": "bytes=1-4"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(LENGTH))


def test_documents_are_compressed_for_who_takes_it_and_said_to_vary(http):
    path = "/ng/lab/em/-/info"
    plain = http.get(path, headers={"accept-encoding": "identity"})
    zipped = http.get(path, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    for answer in (plain, zipped):
        assert "Accept-Encoding" in answer.headers["vary"]
    assert plain.json() == zipped.json()


def test_a_range_is_always_one_of_the_plain_bytes(http):
    path = "/ng/lab/em/-/info"
    plain = http.get(path, headers={"accept-encoding": "identity"}).content
    answer = http.get(path, headers={"accept-encoding": "gzip", "range": "bytes=2-8"})
    assert (answer.status_code, answer.content) == (206, plain[2:9])
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("", False),
        ("gzip;q=nonsense", False),
        ("x" * 5000 + ", gzip", False),
    ],
)
def test_gzip_is_sent_only_to_who_takes_it(header, takes):
    assert accepts_gzip(header) is takes


def test_compressing_twice_gives_the_same_bytes():
    assert compressed(b"abc" * 999) == compressed(b"abc" * 999)
    assert gzip.decompress(compressed(b"abc" * 999)) == b"abc" * 999


@given(st.binary(min_size=0, max_size=64), st.integers(0, 400_000))
def test_bodies_that_differ_have_other_etags(change, at):
    body = bytearray(b"\x07" * 400_000)
    before = etag_of(bytes(body))
    body[at : at + len(change)] = change
    assert (etag_of(bytes(body)) == before) == (bytes(body) == b"\x07" * 400_000)
    assert etag_of(memoryview(bytes(body))) == etag_of(bytes(body))


def test_words_that_change_places_change_the_etag():
    one = bytes(range(8)) + bytes(range(8, 16)) + bytes(40_000)
    other = one[8:16] + one[:8] + one[16:]
    assert etag_of(one) != etag_of(other)


def test_if_none_match_knows_lists_weak_tags_stars_and_compressed_bodies():
    tag = '"abc"'
    for given_tags in (tag, f'"x", {tag}', f"W/{tag}", "*", compressed_etag(tag)):
        assert has_it({"if-none-match": given_tags}, tag)
    for given_tags in ("", '"ab"', "abc"):
        assert not has_it({"if-none-match": given_tags}, tag)
    assert not has_it({}, tag)


@given(st.text(max_size=40), st.integers(0, 2**70))
def test_no_range_header_is_a_fault(header, length):
    try:
        span = asked_span(header, length)
    except Unsatisfiable:
        return
    assert span is None or 0 <= span.start < span.stop <= length


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100))
def test_ranges_are_cut_as_slices_are(first, last, length):
    whole = bytes(range(100))[:length]
    try:
        span = asked_span(f"bytes={first}-{last}", length)
    except Unsatisfiable:
        assert first >= length
        return
    if last < first:
        assert span is None
    else:
        assert isinstance(span, Span)
        assert whole[span.start : span.stop] == whole[first : last + 1]


def versioned(stand_in, version, *, immutable):
    info, arrays = image("lab/em")
    stand_in.volumes["lab/em"] = (dataclasses.replace(info, resolved_version=version, immutable=immutable), arrays)


def test_voxels_of_a_committed_version_are_kept_for_ever_where_the_url_names_it(http, stand_in):
    versioned(stand_in, "v1", immutable=True)
    answer = http.get(CELL.replace("/-/", "@v1/-/"))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert http.get(CELL).headers["cache-control"] == "no-cache"
    assert http.get("/ng/lab/em@v1/-/info").headers["cache-control"] == "no-cache"


def test_what_is_answered_to_somebody_is_for_no_shared_cache(http, stand_in):
    versioned(stand_in, "v1", immutable=True)
    answer = http.get(CELL.replace("/-/", "@v1/-/"), headers={"authorization": "Bearer x"})
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_a_branch_or_an_open_version_is_asked_for_anew(http, stand_in):
    versioned(stand_in, "0a1b", immutable=True)
    assert http.get(CELL.replace("/-/", "@main/-/")).headers["cache-control"] == "no-cache"
    versioned(stand_in, "v2", immutable=False)
    assert http.get(CELL.replace("/-/", "@v2/-/")).headers["cache-control"] == "no-cache"


def test_voxels_that_never_change_are_not_read_to_say_so(http, stand_in):
    versioned(stand_in, "v1", immutable=True)
    path = CELL.replace("/-/", "@v1/-/")
    etag = http.get(path).headers["etag"]
    reads = stand_in.calls.count("ReadChunk")
    assert http.get(path, headers={"if-none-match": etag}).status_code == 304
    assert stand_in.calls.count("ReadChunk") == reads


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_writes_are_refused_with_the_reason(http, method):
    answer = http.request(method, CELL, content=b"x" * 300_000)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    problem = answer.json()["error"]
    assert "reading" in problem["message"]
    assert "gRPC" in problem["remedy"]
