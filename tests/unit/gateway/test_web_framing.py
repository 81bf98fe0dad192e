"""Frames, base64, timeouts: what callers may send, and what they may not."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from support.web_calls import framed, frames
from support.web_calls import from_text as from_quads
from voxgate.model.errors import InvalidArgument, Unimplemented, VoxgateError
from voxgate_gateway.backend.forwarding import Ending
from voxgate_gateway.web.asking import timeout_of
from voxgate_gateway.web.framing import frame, from_text, only_message
from voxgate_gateway.web.speech import SPEECHES, speech_of

CONNECT, GRPC_WEB = SPEECHES["application/proto"], SPEECHES["application/grpc-web-text"]


@given(st.binary(max_size=300))
def test_a_message_in_its_frame_comes_out_again(message):
    assert frame(message) == framed(message)
    assert only_message(framed(message)) == message


@given(st.binary(max_size=100), st.data())
def test_a_body_cut_anywhere_is_refused(message, data):
    whole = framed(message)
    stop = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidArgument):
        only_message(whole[:stop])


@given(st.binary(max_size=100), st.binary(min_size=1, max_size=100))
def test_a_body_with_more_than_one_message_is_refused(message, more):
    with pytest.raises(InvalidArgument):
        only_message(framed(message) + more)


@given(st.binary(max_size=20), st.integers(1, 255))
def test_frames_of_other_kinds_are_refused(message, flags):
    with pytest.raises(Unimplemented if flags == 1 else InvalidArgument):
        only_message(framed(message, flags))


@given(st.binary(max_size=200))
def test_any_body_is_one_message_or_a_typed_refusal(body):
    try:
        message = only_message(body)
    except VoxgateError:
        return
    assert framed(message) == body


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6))
def test_base64_in_pieces_with_padding_of_their_own_is_read(pieces):
    assert from_text(b"".join(map(base64.b64encode, pieces))) == b"".join(pieces)


@pytest.mark.parametrize(
    "text", [b"A", b"AAA", b"AAA=A", b"====", b"AA A", b"AA\nAA", b"AAA-", b"\xff\xfe\xfd\xfc", b"AAAA="]
)
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(InvalidArgument):
        from_text(text)


@given(st.text(max_size=80), st.binary(max_size=30), st.integers(1, 16))
def test_trailers_are_ascii_lines_whatever_a_message_says(message, details, code):
    ((flags, text),) = frames(from_quads(GRPC_WEB.end(Ending(code, message, details))))
    assert flags == 0x80
    lines = text.decode("ascii").split("\r\n")
    assert lines[0] == f"grpc-status: {code}"
    assert len(lines) == 2 + bool(message) + bool(details)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("30S", 30), ("1500m", 1.5), ("5u", 5e-6), ("7n", 7e-9), ("99999999H", 30 * 86400)],
)
def test_timeouts_have_grpc_s_units(text, seconds):
    assert timeout_of(Headers({"grpc-timeout": text}), GRPC_WEB) == pytest.approx(seconds)


def test_connect_has_milliseconds_and_no_timeout_is_none():
    assert timeout_of(Headers({"connect-timeout-ms": "2500"}), CONNECT) == 2.5
    assert timeout_of(Headers({"grpc-timeout": "1S"}), CONNECT) is None
    assert timeout_of(Headers({}), GRPC_WEB) is None


@pytest.mark.parametrize("text", ["5", "S", "5s", "-5S", "5 S", "123456789S", "5SS", "\u0661S", "1e3S"])
def test_what_is_no_timeout_is_refused(text):
    raw = [(b"grpc-timeout", text.encode())]
    with pytest.raises(InvalidArgument):
        timeout_of(Headers(raw=raw), GRPC_WEB)
    with pytest.raises(InvalidArgument):
        timeout_of(Headers(raw=[(b"connect-timeout-ms", b"x" + text.encode())]), CONNECT)


@pytest.mark.parametrize(
    ("content_type", "known"),
    [
        ("application/grpc-web", True),
        ("Application/gRPC-Web+Proto", True),
        ("application/json; charset=utf-8", True),
        ("application/grpc-web+thrift", False),
        ("application/grpc", False),
        ("", False),
    ],
)
def test_content_types_are_known_by_their_name_alone(content_type, known):
    assert (speech_of(content_type) is not None) is known
