from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import socket

import httpx
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.standin_volumes import StandIn, image, segmentation, served, two_channels
from voxgate.model.errors import ChunkCorrupt, DeadlineExceeded, InternalError, ServerBusy, StoreUnavailable
from voxgate_gateway.server import Gateway
from voxgate_gateway.zarr.image import image_of

EDGE = {"/zarr/lab/em/-/0/c/3/1/2": 0, "/zarr2/lab/em/-/0/3/1/2": 0}
"""The last chunk of the finest scale: 5 x 18 x 13 voxels of the 8 x 20 x 16 that a chunk has."""


def voxels_of(answer, shape, dtype):
    assert answer.status_code == 200, answer.text
    return np.frombuffer(zstandard.ZstdDecompressor().decompress(answer.content), dtype).reshape(shape)


@pytest.mark.parametrize("path", ["/zarr/lab/em/-/1/c/2/0/1", "/zarr2/lab/em/-/1/2/0/1"])
@pytest.mark.parametrize("margin", [0, 3])
def test_a_chunk_holds_the_voxels_of_its_place_in_c_order(http, stand_in, path, margin):
    stand_in.margin = margin
    whole = voxels_of(http.get(path), (8, 20, 16), "<u2")
    expected = stand_in.volumes["lab/em"][1][1][0, 16:24, 0:20, 16:32]
    assert np.array_equal(whole[: expected.shape[0], : expected.shape[1], : expected.shape[2]], expected)


@pytest.mark.parametrize("path", EDGE)
def test_a_chunk_at_the_edge_is_padded_with_the_fill_value(http, stand_in, path):
    info, arrays = stand_in.volumes["lab/em"]
    stand_in.volumes["lab/em"] = (dataclasses.replace(info, fill_value=777), arrays)
    whole = voxels_of(http.get(path), (8, 20, 16), "<u2")
    expected = np.full((8, 20, 16), 777)
    expected[:5, :18, :13] = arrays[0][0, 24:, 20:, 32:]
    assert np.array_equal(whole, expected)


def test_of_several_channels_only_the_one_asked_for_is_read(http, stand_in):
    for path in ("/zarr/lab/two/-/0/c/1/2/0/1", "/zarr2/lab/two/-/0/1/2/0/1"):
        whole = voxels_of(http.get(path), (3, 4, 5), "<f4")
        assert np.array_equal(whole[:1], stand_in.volumes["lab/two"][1][0][1, 6:7, 0:4, 5:10])


def test_an_absent_chunk_is_sent_as_fill_values_and_never_as_not_found(http, stand_in):
    info, _ = image("lab/empty", fill_value=513)
    stand_in.volumes["lab/empty"] = (info, [None, None])
    assert np.all(voxels_of(http.get("/zarr/lab/empty/-/0/c/0/0/0"), (8, 20, 16), "<u2") == 513)


def test_metadata_is_asked_for_anew_and_chunks_of_a_kept_version_never(http, stand_in):
    info, arrays = image("lab/kept", resolved_version="v7", immutable=True)
    stand_in.volumes["lab/kept"] = (info, arrays)
    stated, current = ("lab/kept@v7", "lab/kept")
    for prefix, document, chunk in (("zarr", "zarr.json", "0/c/0/0/0"), ("zarr2", ".zattrs", "0/0/0/0")):
        for name in (stated, current):
            assert http.get(f"/{prefix}/{name}/-/{document}").headers["cache-control"] == "no-cache"
        kept = http.get(f"/{prefix}/{stated}/-/{chunk}").headers["cache-control"]
        assert "immutable" in kept
        assert "max-age=31536000" in kept
        assert http.get(f"/{prefix}/{current}/-/{chunk}").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/zarr/lab/seg/-/zarr.json", "/zarr2/lab/seg/-/0/.zarray", *EDGE])
def test_head_is_get_without_its_body_and_an_etag_saves_the_second_one(http, path):
    got = http.get(path, headers={"accept-encoding": "identity"})
    head = http.head(path, headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "cache-control"):
        assert head.headers[name] == got.headers[name]
    assert got.headers["content-length"] == str(len(got.content))
    again = http.get(path, headers={"if-none-match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


PROBES = ("", ".zgroup", ".zarray", ".zattrs", ".zmetadata", "0", "0/", "0/.zarray", "0/c", "info", "attributes.json")


@pytest.mark.parametrize("probe", [*PROBES, "labels/zarr.json", "0/0/0/0", "0/c/0/0/0/", "a/zarr.json", "-1/zarr.json"])
def test_what_readers_of_other_formats_probe_for_is_not_found_and_asks_no_server(http, stand_in, probe):
    before = len(stand_in.calls)
    for method in ("GET", "HEAD"):
        answer = http.request(method, f"/zarr/lab/em/-/{probe}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json"
    assert len(stand_in.calls) == before


@pytest.mark.parametrize(
    "key",
    [
        "0/c/4/0/0",
        "0/c/0/2/0",
        "2/c/0/0/0",
        "0/c/0/0",
        "0/c/0/0/0/0",
        "0/c/00/0/0",
        "0/c/-1/0/0",
        "0/c/+1/0/0",
        "0/c/1e0/0/0",
        "0/c/0.0.0",
        "00/c/0/0/0",
        f"0/c/{2**63}/0/0",
        f"0/c/{'9' * 400}/0/0",
        f"{'9' * 18}/c/0/0/0",
        "0/c/%D9%A0/0/0",
        "0/c/0/0/%30",
        "2/zarr.json",
        "0/c/zarr.json",
        "0/1/zarr.json",
    ],
)
def test_a_key_that_no_chunk_has_is_not_found(http, stand_in, key):
    before = stand_in.calls.count("ReadChunk")
    assert http.get(f"/zarr/lab/em/-/{key}").status_code == 404
    assert stand_in.calls.count("ReadChunk") == before


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/zarr/lab/none/-/zarr.json", 404, "UNKNOWN_VOLUME"),
        ("/zarr/lab/em/zarr.json", 404, "UNKNOWN_VOLUME"),
        ("/zarr/LAB/em/-/zarr.json", 400, "MALFORMED_NAME"),
        ("/zarr/lab/..%2Fem/-/zarr.json", 400, "MALFORMED_NAME"),
        ("/zarr/lab/%2e%2e/em/-/zarr.json", 400, "MALFORMED_NAME"),
        ("/zarr/-/zarr.json", 400, "MALFORMED_NAME"),
        ("/zarr2/lab/times/-/.zattrs", 422, "UNSUPPORTED_FORMAT"),
        ("/zarr/lab/times/-/0/c/0/0/0", 422, "UNSUPPORTED_FORMAT"),
    ],
)
def test_a_bad_name_or_volume_is_refused_with_its_reason(http, stand_in, path, status, reason):
    info, arrays = image("lab/times")
    stand_in.volumes["lab/times"] = (dataclasses.replace(info, axes="tzyx", time_count=2), arrays)
    answer = http.get(path)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert answer.json()["error"]["remedy"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ServerBusy("busy", "later", retry_after_s=3.0), 503),
        (StoreUnavailable("the store is down", "later"), 503),
        (DeadlineExceeded("too slow", "later"), 504),
        (ChunkCorrupt("cannot be decoded", "restore it"), 422),
        (InternalError("the server failed", "report it"), 502),
    ],
)
def test_a_failure_is_no_chunk_and_no_404(http, stand_in, failure, status):
    stand_in.failures["ReadChunk lab/em"] = failure
    for path in EDGE:
        answer = http.get(path)
        assert answer.status_code == status
        assert answer.json()["error"]["reason"] == failure.reason
        assert ("retry-after" in answer.headers) is (status in (503, 504))


def test_a_service_that_is_down_is_busy_and_not_empty():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        gateway = Gateway(f"127.0.0.1:{nobody.getsockname()[1]}", port=0)
        gateway.start()
        try:
            for path in ("/zarr/lab/em/-/zarr.json", "/zarr2/lab/em/-/.zmetadata", *EDGE):
                answer = httpx.get(gateway.url + path, timeout=30)
                assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "SERVER_UNREACHABLE")
                assert int(answer.headers["retry-after"]) >= 1
        finally:
            gateway.stop(1)


def test_nothing_is_written_and_the_reason_is_said(http):
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        answer = http.request(method, "/zarr/lab/em/-/0/c/0/0/0", content=b"x")
        assert answer.status_code == 405
        assert answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def fuzzed():
    """A gateway's port, and what may be found in it."""
    made = (image(), segmentation(), two_channels())
    volumes = {info.name: (info, arrays) for info, arrays in made}
    with served(StandIn(volumes)) as address:
        gateway = Gateway(address, port=0)
        gateway.start()
        yield gateway.port, {path for info, _ in made for path in every_path(info)}
        gateway.stop(1)


def every_path(info):
    """Every path of a volume that must be answered with 200."""
    whole = image_of(info, 2 << 20)
    for prefix, names, arrays, between in (
        ("zarr", ("zarr.json",), ("zarr.json",), ("c",)),
        ("zarr2", (".zgroup", ".zattrs", ".zmetadata"), (".zarray", ".zattrs"), ()),
    ):
        top = f"/{prefix}/{info.name}/-/"
        yield from (top + name for name in names)
        for index, level in enumerate(whole.levels):
            yield from (f"{top}{index}/{name}" for name in arrays)
            counts = [-(-n // edge) for n, edge in zip(whole.shape(level), whole.chunk_shape, strict=True)]
            for cell in itertools.product(*map(range, counts)):
                yield top + "/".join([str(index), *between, *map(str, cell)])


def asked(port, method, path):
    """Status and body of a request whose path is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_every_key_of_every_volume_is_there(fuzzed):
    port, paths = fuzzed
    assert len(paths) > 150
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


odd = [
    "",
    ".",
    "..",
    "%2e%2e",
    "%2F",
    "%2f..",
    "%00",
    "%ff",
    "%",
    "%zz",
    "-",
    "--",
    "c",
    "00",
    "-1",
    "+0",
    "1e3",
    "0x1",
]
odd += [
    "~",
    "*",
    "{}",
    "'",
    '"',
    "<",
    "\\",
    "a" * 5000,
    "9" * 400,
    str(2**64),
    "lab@",
    "lab@v1",
    "em@",
    "@",
    "em@1@2",
    ";",
]
plain = [
    "lab",
    "em",
    "seg",
    "two",
    "-",
    "0",
    "1",
    "2",
    "3",
    "c",
    "zarr.json",
    ".zarray",
    ".zattrs",
    ".zgroup",
    ".zmetadata",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prefix=st.sampled_from(["zarr", "zarr2"]),
    name=st.sampled_from(["lab/em/-/", "lab/two/-/", ""]),
    rest=st.lists(st.sampled_from(plain) | st.sampled_from(odd), max_size=7),
    method=st.sampled_from(["GET", "HEAD"]),
    query=st.sampled_from(["", "?", "?a=/-/zarr.json", "#x"]),
)
def test_no_path_whatever_is_answered_with_a_fault_or_with_what_is_not_there(fuzzed, prefix, name, rest, method, query):
    port, paths = fuzzed
    path = f"/{prefix}/{name}{'/'.join(rest)}"
    status, body = asked(port, method, path + query)
    assert 200 <= status < 500 or status == 503
    # A version may be stated of any of these volumes, and "#" ends no path that is sent.
    if query != "#x" and "@" not in path:
        assert (status == 200) is (path in paths)
    if status != 200 and method == "GET" and body.startswith(b"{"):
        assert json.loads(body)["error"]["message"]
