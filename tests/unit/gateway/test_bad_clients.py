"""What clients send that no browser would, over plain sockets."""

from __future__ import annotations

import contextlib
import socket
import string
from http.client import HTTPResponse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.plain_http import get, request_of, said, status_of
from voxgate_gateway.http import protocol

CELL = "/ng/lab/em/-/8_8_33/-7-9_1000-1020_21-29"


def is_well(port: int) -> bool:
    return status_of(said(port, get(CELL))) == 200


def test_a_header_of_ten_megabytes_is_refused_and_not_kept(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /ng/lab/em/-/info HTTP/1.1\r\nhost: x\r\nx-long: ")
            for _ in range(160):
                connection.sendall(b"a" * 65536)
        with contextlib.suppress(ConnectionError):
            received = connection.recv(65536)
    assert received == b"" or status_of(received) == 431
    assert is_well(shared.port)


def test_a_head_a_little_too_long_is_told_so(shared):
    answer = said(shared.port, get(CELL, "x-long: " + "a" * (protocol.MAX_HEAD_BYTES + 1)))
    assert status_of(answer) == 431
    assert b"too long" in answer
    assert status_of(said(shared.port, get(CELL + "?" + "q" * protocol.MAX_HEAD_BYTES))) == 431


def test_many_small_headers_are_counted_together(shared):
    answer = said(shared.port, get(CELL, *(f"x-{i}: {'a' * 60}" for i in range(1500))))
    assert answer == b"" or status_of(answer) == 431


def test_a_body_that_comes_together_with_its_head_is_not_counted_as_head(shared):
    body = b"{" * (1 << 20)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        # How much comes at once is up to the system; on a connection that had much to carry before, all of it may.
        for _ in range(20):
            connection.sendall(request_of("/v1/collection/new", [], "POST", body).replace(b"close", b"keep-alive", 1))
            with HTTPResponse(connection) as answer:
                answer.begin()
                assert answer.status == 400
                assert b"JSON" in answer.read()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"CONNECT /ng/lab/em/-/info HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_harms_nobody(shared, data):
    answer = said(shared.port, data)
    assert answer == b"" or status_of(answer) < 500
    assert b"Traceback" not in answer
    assert is_well(shared.port)


def test_a_head_that_takes_too_long_is_not_waited_for(shared, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PATIENCE_S", 0.3)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: ")
        assert connection.recv(10) == b""
    assert is_well(shared.port)


def test_a_next_head_that_takes_too_long_is_not_waited_for_either(shared, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PATIENCE_S", 1.5)  # more than this thread may be kept waiting before it sends
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):  # head and body may come one after the other
            part = connection.recv(65536)
            assert part
            answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /healthz HT")
        assert connection.recv(10) == b""


def _send_for_ever(connection, data):
    """Until the other side has hung up."""
    for _ in range(200):
        connection.sendall(data)


def test_an_answer_that_nobody_takes_is_not_held_for_ever(shared, monkeypatch):
    monkeypatch.setattr(protocol, "STALL_PATIENCE_S", 0.3)
    request = get(CELL).replace(b"connection: close\r\n", b"") * 2000
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", shared.port))
        with pytest.raises(OSError, match=r"reset|pipe"):
            _send_for_ever(connection, request)
    assert is_well(shared.port)


def test_a_client_that_hangs_up_early_harms_nobody(shared):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
            connection.sendall(get(CELL))
    assert is_well(shared.port)


_WORDS = """
lab em seg two - info provenance mesh skeletons segment_properties 8_8_33 raw jpeg png compressed_segmentation .. . ~ _
%2e%2e %2f %5c %00 %ff %25 %zz @v em@ em%40v em@1@2 1:0 18446744073709551616:0 0:0 :0 1.ngmesh zarr.json
-7-9_1000-1020_21-29 0-1_0-1_0-1 9-3_0-1_0-1 -1--2_3-4_5-6 99999999999999999999-1_0-1_0-1
"""
_PIECES = st.one_of(
    st.just(""),
    st.sampled_from(_WORDS.split()),
    st.text(string.printable, max_size=12),
    st.from_regex(r"-?[0-9]{1,20}--?[0-9]{1,20}_-?[0-9]{1,20}--?[0-9]{1,20}_[0-9]{1,3}-[0-9]{1,3}", fullmatch=True),
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["range", "if-range", "if-none-match", "accept-encoding", "x-request-id", "authorization", "host"]
        ),
        st.one_of(
            st.sampled_from(["bytes=0-5", "bytes=-3", "*", '"x"', "gzip"]), st.text(string.printable, max_size=30)
        ),
    ),
    max_size=3,
)


@pytest.mark.parametrize("encoding", ["raw", "jpeg", "png", "compressed_segmentation", "webp"])
@pytest.mark.parametrize("name", ["em", "seg", "two"])
def test_every_encoding_of_every_volume_is_served_or_refused(shared, name, encoding):
    assert status_of(said(shared.port, get(f"/ng/lab/{name}/-/{encoding}/info"))) in (200, 400, 404)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/ng/", "/ng/lab/em/-/", "/ng/lab/seg/-/", "/ng/lab/em/-/8_8_33/", "/"]),
    st.lists(_PIECES, max_size=6),
    _HEADERS,
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "BREW"]),
)
def test_no_address_and_no_header_is_a_fault(shared, start, pieces, headers, method):
    target = (start + "/".join(pieces)).encode("ascii", "replace").decode()
    target = "".join(f"%{ord(c):02x}" if c in string.whitespace else c for c in target)
    clean = [f"{name}: {value.translate({10: None, 13: None, 11: None, 12: None})}" for name, value in headers]
    answer = said(shared.port, get(target, *clean).replace(b"GET", method.encode(), 1))
    assert answer == b"" or status_of(answer) < 500 or status_of(answer) == 503
    assert b"Traceback" not in answer
