"""Streams over HTTP: message by message, never held whole, ended with their callers."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time

import grpc
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.web_calls import GRPC_WEB, call, connect_stream, framed, frames, gateway_to, scripted
from voxgate.v1 import mesh_pb2, volume_pb2
from voxgate_gateway.http import protocol
from voxgate_gateway.web import asking

READ = "VolumeService/ReadCutout"
MESSAGE = bytes(range(256)) * 4096  # a megabyte


def sent(port: int, body: bytes, *, method: str = READ, kind: str = GRPC_WEB, length: int | None = None):
    """A connection on which a call has been asked for, not read from yet; its buffers are small."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", port))
    lines = [f"POST /voxgate.v1.{method} HTTP/1.1", "host: x", f"content-type: {kind}"]
    lines += [f"content-length: {len(body) if length is None else length}", "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def read_whole(connection: socket.socket) -> bytes:
    """The body of the answer."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    assert response.status == 200
    return response.read()


def settled(count, patience_s: float = 2.0) -> int:
    """A count that has not grown for a while."""
    last, since = count(), time.monotonic()
    while time.monotonic() - since < patience_s:
        time.sleep(0.05)
        if count() != last:
            last, since = count(), time.monotonic()
    return last


@pytest.mark.parametrize("text", [False, True])
def test_messages_of_all_sizes_arrive_in_their_order(text):
    messages = [b"", b"a", b"bb", b"ccc", MESSAGE, b"", MESSAGE[:-1]]
    with gateway_to({READ: lambda request, context: [request, *messages]}) as (_, gateway):
        request = volume_pb2.ReadCutoutRequest(volume="a/b").SerializeToString() + b"\xa2\x06\x03new"
        answered = call(gateway.url, READ, request, text=text)
    # Whatever a newer contract adds arrives at the server too.
    assert (answered.code, answered.messages) == (0, [request, *messages])


def test_a_message_is_sent_when_it_comes():
    go_on = threading.Event()

    def two(request, context):
        yield b"first"
        assert go_on.wait(60)
        yield b"second"

    with gateway_to({READ: two}) as (_, gateway):
        headers = {"content-type": GRPC_WEB}
        url = f"{gateway.url}/voxgate.v1.{READ}"
        with httpx.stream("POST", url, content=framed(b""), headers=headers, timeout=60) as answer:
            pieces = answer.iter_raw()
            assert next(pieces) == framed(b"first")
            go_on.set()
            rest = frames(b"".join(pieces))
    assert rest[0] == (0, b"second")
    assert rest[1][1].startswith(b"grpc-status: 0\r\n")


def test_an_error_after_messages_does_not_hide_them():
    def failing(request, context):
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "127.0.0.1 of us says no")

    with gateway_to({READ: failing}) as (_, gateway):
        answered = call(gateway.url, READ, b"")
        # Without details of ours, a status' text is gRPC's own: it may name addresses.
        assert (answered.code, answered.message, answered.messages) == (15, "the call failed", [b"one"])
        url = f"{gateway.url}/voxgate.v1.{READ}"
        answer = httpx.post(url, content=framed(b""), headers={"content-type": "application/connect+proto"})
    messages, end = connect_stream(answer)
    assert messages == [b"one"]
    assert (end["error"]["code"], end["error"]["message"]) == ("data_loss", "the call failed")


def test_a_stream_in_json_has_its_messages_and_its_end_in_json():
    told = mesh_pb2.GetMeshesResponse(parts=[mesh_pb2.MeshPart(segment_id=2**64 - 3, vertex_count=2, data=b"\x00\xff")])
    asked = []

    def meshes(request, context):
        asked.append(mesh_pb2.GetMeshesRequest.FromString(request))
        yield told.SerializeToString()

    info = volume_pb2.GetServerInfoResponse(server_id="x").SerializeToString()
    acts = {"MeshService/GetMeshes": meshes, "VolumeService/GetServerInfo": lambda request, context: [info]}
    with gateway_to(acts) as (_, gateway):
        body = framed(json.dumps({"spec": {"volume": "a/b", "segmentIds": [str(2**64 - 3)]}}).encode())
        url = f"{gateway.url}/voxgate.v1.MeshService/GetMeshes"
        answer = httpx.post(url, content=body, headers={"content-type": "application/connect+json"})
    messages, end = connect_stream(answer)
    assert list(asked[0].spec.segment_ids) == [2**64 - 3]
    (part,) = json.loads(messages[0])["parts"]
    assert (part["segmentId"], part["vertexCount"], part["data"]) == (str(2**64 - 3), 2, "AP8=")
    # What is zero is said.
    assert (part["firstVertex"], part["hasNormals"]) == (0, False)
    assert end == {}


def test_a_service_elsewhere_is_found_where_the_volume_server_says():
    def meshes(request, context):
        return [b"from there"]

    with scripted({"MeshService/GetMeshes": meshes}) as (there, where):
        endpoint = volume_pb2.ServiceEndpoint(service="voxgate.v1.MeshService", address=where)
        info = volume_pb2.GetServerInfoResponse(services=[endpoint]).SerializeToString()
        with gateway_to({"VolumeService/GetServerInfo": lambda request, context: [info]}) as (_, gateway):
            answered = call(gateway.url, "MeshService/GetMeshes", b"", authorization="Bearer me")
    assert (answered.code, answered.messages) == (0, [b"from there"])
    assert there.metadata["authorization"] == "Bearer me"


def test_a_timeout_is_the_server_s_too_and_ends_the_call():
    def endless(request, context):
        yield b"one"
        while context.is_active():
            time.sleep(0.02)

    with gateway_to({READ: endless}) as (script, gateway):
        answered = call(gateway.url, READ, b"", grpc_timeout="1500m")
        assert (answered.code, answered.messages) == (4, [b"one"])
        assert 0 < script.time_remaining <= 1.5
        assert script.ended.wait(30)
        script.acts[READ] = lambda request, context: [b"two"]
        assert call(gateway.url, READ, b"").code == 0
        assert script.time_remaining is None or script.time_remaining > 1e6


@pytest.mark.parametrize("reset", [False, True])
def test_a_caller_that_goes_away_ends_the_call_though_nothing_is_sent(reset, monkeypatch):
    monkeypatch.setattr(protocol, "SILENCE_PATIENCE_S", 0.2)
    began = threading.Event()

    def silent(request, context):
        began.set()
        while context.is_active():
            time.sleep(0.02)
        yield b""

    with gateway_to({READ: silent}) as (script, gateway):
        connection = sent(gateway.port, framed(b""))
        assert began.wait(30)
        assert not script.ended.wait(0.3)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        assert script.ended.wait(30)


def test_a_caller_that_only_says_no_more_gets_its_answer():
    with gateway_to({READ: lambda request, context: [b"one"]}) as (_, gateway):
        with contextlib.closing(sent(gateway.port, framed(b""))) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert frames(read_whole(connection))[0] == (0, b"one")


def test_a_caller_that_does_not_read_stops_the_server_and_loses_nothing():
    count = 90
    produced = []

    def much(request, context):
        for number in range(count):
            produced.append(number)
            yield number.to_bytes(4, "big") + MESSAGE

    with gateway_to({READ: much}) as (_, gateway):
        with contextlib.closing(sent(gateway.port, framed(b""))) as connection:
            # What is on its way fills buffers of sockets and of HTTP/2, and no more.
            assert settled(lambda: len(produced)) < count // 2
            *messages, (last, trailers) = frames(read_whole(connection))
    assert [int.from_bytes(message[:4], "big") for _, message in messages] == list(range(count))
    assert all(message[4:] == MESSAGE for _, message in messages)
    assert (last, trailers) == (0x80, b"grpc-status: 0\r\n")


def test_a_caller_that_never_reads_is_cut_and_its_call_ended(monkeypatch):
    monkeypatch.setattr(protocol, "STALL_PATIENCE_S", 0.5)

    def much(request, context):
        while context.is_active():
            yield MESSAGE

    with gateway_to({READ: much}) as (script, gateway):
        with contextlib.closing(sent(gateway.port, framed(b""))):
            assert script.ended.wait(60)


def test_a_gateway_that_stops_tells_its_streams(caplog):
    began = threading.Event()

    def silent(request, context):
        yield b"one"
        began.set()
        while context.is_active():
            time.sleep(0.02)

    with gateway_to({READ: silent}) as (script, gateway):
        with contextlib.closing(sent(gateway.port, framed(b""))) as connection:
            assert began.wait(30)
            gateway.stop(1)
            (_, message), (last, trailers) = frames(read_whole(connection))
        assert script.ended.wait(30)
    assert (message, last) == (b"one", 0x80)
    assert trailers.startswith(b"grpc-status: 14\r\ngrpc-message: the gateway is stopping")
    assert not [record for record in caplog.records if record.exc_info]


def test_a_body_that_comes_too_slowly_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(asking, "BODY_PATIENCE_S", 0.3)
    with gateway_to({}) as (script, gateway):
        with contextlib.closing(sent(gateway.port, framed(b"part of it"), length=1000)) as connection:
            ((flags, trailers),) = frames(read_whole(connection))
    assert flags == 0x80
    assert trailers.startswith(b"grpc-status: 4\r\n")
    assert not script.ended.is_set()


def test_many_streams_at_once_leave_the_gateway_s_threads_alone():
    """More silent streams than the gateway has threads; a call, and a page that needs a thread, are answered."""
    held = threading.Event()
    under_way = threading.Semaphore(0)

    def silent(request, context):
        under_way.release()
        held.wait(60)
        yield b""

    with gateway_to({READ: silent}) as (_, gateway):
        connections = [sent(gateway.port, framed(b"")) for _ in range(60)]
        try:
            # The scripted server works on eight of them at a time; the gateway holds all.
            assert all(under_way.acquire(timeout=30) for _ in range(8))
            assert httpx.get(f"{gateway.url}/protos/", timeout=30).status_code == 200
            assert call(gateway.url, "VolumeService/NoSuch", b"").code == 12
        finally:
            held.set()
            bodies = [read_whole(connection) for connection in connections]
            for connection in connections:
                connection.close()
    assert {body[-len(b"grpc-status: 0\r\n") :] for body in bodies} == {b"grpc-status: 0\r\n"}


@pytest.fixture(scope="module")
def echo():
    with gateway_to({READ: lambda request, context: [request]}) as (_, gateway):
        yield gateway


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(framed)),
    st.sampled_from(["grpc-web", "grpc-web+proto", "grpc-web-text", "connect+proto", "connect+json", "proto", "json"]),
    st.sampled_from(["VolumeService/ReadCutout", "VolumeService/GetVolume", "VolumeService/%2e%2e/x", "X/Y"]),
)
def test_whatever_is_sent_is_answered_in_its_own_words(echo, body, kind, method):
    kind = f"application/{kind}"
    answer = httpx.post(f"{echo.url}/voxgate.v1.{method}", content=body, headers={"content-type": kind}, timeout=60)
    if kind in ("application/proto", "application/json"):
        assert answer.status_code in (200, 400, 404, 415, 500, 501)
        assert answer.status_code == 200 or answer.json()
    elif "connect" in kind:
        connect_stream(answer)
    else:
        assert answer.status_code == 200
        assert answer.content
