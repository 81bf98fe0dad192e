"""Calls over HTTP: what is forwarded and how, what is refused, and what a browser is told of it."""

from __future__ import annotations

import base64
import json
import struct

import httpx
import pytest
from google.protobuf import json_format

from support.web_calls import call, connect_reason, connect_stream, framed, told
from voxgate.model.errors import ServerBusy
from voxgate.v1 import volume_pb2 as pb
from voxgate_gateway.backend import forwarding, methods
from voxgate_gateway.server import Gateway
from voxgate_gateway.web import asking

GET_VOLUME = "VolumeService/GetVolume"
EM = pb.GetVolumeRequest(volume="lab/em").SerializeToString()


def connect(url: str, method: str, body: bytes, kind: str = "application/json", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{url}/voxgate.v1.{method}", content=body, headers={"content-type": kind, **named}, timeout=60)


@pytest.mark.parametrize("text", [False, True])
def test_a_unary_call_answers_its_message_and_its_trailers(gateway, text):
    answered = call(gateway.url, GET_VOLUME, EM, text=text)
    assert (answered.code, answered.message, answered.details) == (0, "", [])
    (message,) = answered.messages
    assert pb.GetVolumeResponse.FromString(message).volume.name == "lab/em"


def test_the_same_in_connect_s_two_forms(gateway):
    answer = connect(gateway.url, GET_VOLUME, EM, "application/proto", connect_protocol_version="1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/proto")
    volume = pb.GetVolumeResponse.FromString(answer.content)
    answer = connect(gateway.url, GET_VOLUME, b'{"volume": "lab/em"}')
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert json_format.Parse(answer.content, pb.GetVolumeResponse()) == volume
    assert answer.json()["volume"]["scales"][0]["bounds"]["start"] == {"x": "-7", "y": "1000", "z": "21"}


def test_identity_goes_along_and_nothing_else_does(gateway, stand_in):
    sent = {
        "authorization": "Bearer abc",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x_request_id": "my-call-7",
        "voxgate_via": "one,two",
        "cookie": "secret=1",
        "x_other": "y",
    }
    answered = call(gateway.url, GET_VOLUME, EM, **sent)
    assert answered.code == 0
    assert answered.headers["x-request-id"] == "my-call-7"
    got = {name: value for name, value in stand_in.metadata.items() if name != "user-agent"}
    assert got == {
        "authorization": "Bearer abc",
        "traceparent": sent["traceparent"],
        "x-request-id": "my-call-7",
        "voxgate-via": "one,two",
    }


def test_a_header_that_no_call_can_carry_is_refused(gateway, stand_in):
    answered = told(
        httpx.post(
            f"{gateway.url}/voxgate.v1.{GET_VOLUME}",
            content=framed(EM),
            headers=[(b"content-type", b"application/grpc-web+proto"), (b"authorization", b"Bearer \xe9")],
        )
    )
    assert (answered.code, answered.reason) == (3, "INVALID_REQUEST")
    assert stand_in.calls == []


def test_a_typed_error_arrives_with_its_details(gateway, stand_in):
    stand_in.failures["GetVolume"] = ServerBusy("no room für dich", "try later", retry_after_s=7.5)
    answered = call(gateway.url, GET_VOLUME, EM)
    assert (answered.code, answered.message, answered.messages) == (8, "no room für dich", [])
    info, retry = answered.details
    assert (info.reason, dict(info.metadata)) == ("SERVER_BUSY", {"remedy": "try later"})
    assert retry.retry_delay.ToMilliseconds() == 7500
    answer = connect(gateway.url, GET_VOLUME, EM, "application/proto")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/json")
    assert answer.headers["retry-after"] == "8"
    problem = answer.json()
    assert (problem["code"], problem["message"]) == ("resource_exhausted", "no room für dich")
    assert connect_reason(problem) == "SERVER_BUSY"


@pytest.mark.parametrize(
    "path",
    [
        "/voxgate.v1.VolumeService/Nothing",
        "/voxgate.v1.NoService/GetVolume",
        "/voxgate.v2.VolumeService/GetVolume",
        "/voxgate.v1.VolumeService/",
        "/voxgate.v1.VolumeService/GetVolume/",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/ng/lab/em/-/info",
    ],
)
def test_only_methods_of_the_contract_are_forwarded(gateway, stand_in, path):
    answer = httpx.post(gateway.url + path, content=framed(EM), headers={"content-type": "application/grpc-web+proto"})
    answered = told(answer)
    assert (answered.code, answered.reason) == (12, "UNIMPLEMENTED")
    assert stand_in.calls == []


CHANGING = (
    "BranchVersion CancelJob CommitVersion CreateMeshJob CreatePyramid CreateTransfer CreateVersion CreateVolume "
    "DeleteMetadata DeleteVolume ReserveSegmentIds ResumeJob SetMetadata StartDownsampling WriteCutout"
)


def test_whatever_changes_something_is_refused_and_everything_else_is_known():
    """A web page of anybody's can reach a port on its visitor's machine: it may look, and not touch."""
    refused = set()
    for module in methods.FILES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                try:
                    methods.find_method(f"/{service.full_name}/{method.name}")
                except methods.PermissionDenied:
                    refused.add(method.name)
    # A method of a new verb has to be put on one side or the other, here too.
    assert " ".join(sorted(refused)) == CHANGING


@pytest.mark.parametrize("method", ["VolumeService/DeleteVolume", "VolumeService/WriteCutout", "JobService/CancelJob"])
def test_a_change_is_refused_with_a_reason_and_never_forwarded(gateway, stand_in, method):
    answered = call(gateway.url, method, b"")
    assert (answered.code, answered.reason) == (7, "PERMISSION_DENIED")
    answer = connect(gateway.url, method, b"{}")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert stand_in.calls == []


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/grpc", "application/grpc-web+json", "application/x-www-form-urlencoded"],
)
def test_other_content_types_are_told_which_are_taken(gateway, stand_in, content_type):
    answer = httpx.post(
        f"{gateway.url}/voxgate.v1.{GET_VOLUME}", content=framed(EM), headers={"content-type": content_type}
    )
    assert answer.status_code == 415
    assert "application/grpc-web" in answer.headers["accept-post"]
    assert stand_in.calls == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_call_is_a_post(gateway, method):
    answer = httpx.request(method, f"{gateway.url}/voxgate.v1.{GET_VOLUME}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


def test_a_stream_is_not_asked_for_as_one_message(gateway):
    answer = connect(gateway.url, "VolumeService/ReadCutout", b"{}")
    assert answer.status_code == 415
    assert "application/connect+proto" in answer.json()["error"]["message"]


def test_a_preflight_allows_what_clients_in_browsers_send_and_their_answers_can_be_read(gateway):
    asked = (
        "content-type,x-grpc-web,x-user-agent,grpc-timeout,authorization,connect-protocol-version,connect-timeout-ms"
    )
    preflight = httpx.options(
        f"{gateway.url}/voxgate.v1.{GET_VOLUME}",
        headers={
            "origin": "https://lab.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": asked,
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"].split(", ")
    assert set(asked.split(",")) <= set(preflight.headers["access-control-allow-headers"].split(", "))
    exposed = set(call(gateway.url, GET_VOLUME, EM).headers["access-control-expose-headers"].split(", "))
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"} <= exposed


def test_a_request_larger_than_any_message_is_refused_before_it_is_kept(gateway, stand_in):
    big = bytes(asking.MAX_MESSAGE_BYTES + 1)
    for text in (False, True):
        answered = call(gateway.url, GET_VOLUME, big, text=text)
        assert (answered.code, answered.reason) == (3, "LIMIT_EXCEEDED")

    def endless():
        for _ in range(40):
            yield bytes(1 << 20)

    # Its length is not said beforehand.
    answer = httpx.post(
        f"{gateway.url}/voxgate.v1.{GET_VOLUME}",
        content=endless(),
        headers={"content-type": "application/grpc-web+proto"},
        timeout=60,
    )
    assert told(answer).reason == "LIMIT_EXCEEDED"
    assert connect(gateway.url, GET_VOLUME, big).status_code == 400
    assert stand_in.calls == []
    assert call(gateway.url, GET_VOLUME, EM).code == 0


@pytest.mark.parametrize("body", [b"", b"\0\0\0", struct.pack(">BI", 0, 5) + b"four", framed(EM) * 2, framed(EM, 0x80)])
def test_a_body_that_is_not_one_message_is_refused(gateway, stand_in, body):
    for kind in ("application/grpc-web+proto", "application/grpc-web-text"):
        content = base64.b64encode(body) if "text" in kind else body
        answer = httpx.post(f"{gateway.url}/voxgate.v1.{GET_VOLUME}", content=content, headers={"content-type": kind})
        assert told(answer, kind).code == 3
    messages, end = connect_stream(connect(gateway.url, "VolumeService/ReadCutout", body, "application/connect+proto"))
    assert (messages, end["error"]["code"]) == ([], "invalid_argument")
    assert stand_in.calls == []


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"volum": "x"}', '{"volume": 7}', "[" * 20000, '{"volume": "\ud800"}', "\x00"]
)
def test_json_that_is_no_such_request_is_refused(gateway, stand_in, text):
    answer = connect(gateway.url, GET_VOLUME, text.encode("utf-8", "surrogatepass"))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert connect_reason(answer.json()) == "INVALID_REQUEST"
    assert stand_in.calls == []


def test_bytes_that_are_no_such_message_are_the_caller_s_fault(gateway, stand_in):
    for method in (GET_VOLUME, "VolumeService/ReadCutout"):
        answered = call(gateway.url, method, b"\xff\xff\xff")
        assert (answered.code, answered.reason) == (3, "INVALID_REQUEST")
    assert connect(gateway.url, GET_VOLUME, b"\x0a\x05abc", "application/proto").status_code == 400
    assert stand_in.calls == []


def test_fields_of_a_newer_contract_are_passed_on(gateway, stand_in):
    assert call(gateway.url, GET_VOLUME, EM + b"\xa2\x06\x03new").code == 0
    assert stand_in.calls == ["GetVolume"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"connect_protocol_version": "2"}, "invalid_argument"),
        ({"content_encoding": "gzip"}, "unimplemented"),
        ({"connect_timeout_ms": "soon"}, "invalid_argument"),
    ],
)
def test_ways_of_connect_that_nobody_here_knows_are_refused(gateway, stand_in, headers, code):
    answer = connect(gateway.url, GET_VOLUME, EM, "application/proto", **headers)
    assert answer.json()["code"] == code
    assert stand_in.calls == []


def test_a_server_that_is_down_is_unavailable_and_its_address_is_not_told():
    down = Gateway("127.0.0.1:1", port=0)
    down.start()
    try:
        answered = call(down.url, GET_VOLUME, EM, grpc_timeout="20S")
        assert (answered.code, answered.reason, answered.messages) == (14, "", [])
        assert "127.0.0.1" not in answered.message
        assert [detail.retry_delay.seconds for detail in answered.details] == [2]
        # Where its sister services are is not to be found out either.
        assert call(down.url, "MeshService/GetMeshes", b"", grpc_timeout="20S").code == 14
        answer = connect(down.url, GET_VOLUME, b"{}", connect_timeout_ms="20000")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "2"
    finally:
        down.stop(1)


def test_more_calls_than_there_is_room_for_are_told_to_come_back(gateway, monkeypatch):
    monkeypatch.setattr(forwarding, "CALLS_AT_A_TIME", 0)
    answered = call(gateway.url, GET_VOLUME, EM)
    assert (answered.code, answered.reason) == (8, "SERVER_BUSY")
    monkeypatch.undo()
    assert call(gateway.url, GET_VOLUME, EM).code == 0


def test_an_error_in_json_is_json(gateway):
    problem = json.loads(connect(gateway.url, GET_VOLUME, b'{"volume": "lab/none"}').content)
    assert problem["code"] == "not_found"
    assert connect_reason(problem) == "UNKNOWN_VOLUME"


def test_calls_work_under_a_prefix(gateway):
    assert call(f"{gateway.url}/user/x/proxy/8080", GET_VOLUME, EM, x_forwarded_prefix="/user/x/proxy/8080").code == 0
