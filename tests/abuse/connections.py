"""Cases of abuse against a running suite: bombs, slow and idle connections, requests of absurd size.

Each case ends in a typed refusal or an honest answer, and the next caller is served.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import grpc
from abuse.serving import PATIENCE_S, Suite, raw_channel

from support.plain_http import get, request_of, said, status_of
from voxgate.v1 import segment_pb2, volume_pb2

_VOLUME, _SEGMENT = "/voxgate.v1.VolumeService", "/voxgate.v1.SegmentService"
_BOMB_BYTES = 200 << 20


def cases(connections: int) -> dict[str, Callable[[Suite], str]]:
    """Every case by name; each answers what was refused and how, or raises AssertionError.

    Args:
        connections: how many connections are held open at once.
    """
    return {
        "a gRPC message that gzip makes 200 MiB of": _grpc_bomb,
        "a request nested 10,000 deep": _nesting,
        "10^6 segment ids in one request": _many_ids,
        "metadata of 200 kB in one gRPC call": _long_metadata,
        "an HTTP body with Content-Encoding: gzip": _http_gzip,
        "an HTTP header of 1 MiB": _long_header,
        "an HTTP address of 1 MiB": _long_address,
        "an HTTP body that says it has 2^62 bytes": _long_body,
        "a negative and a doubled Content-Length": _lengths,
        "chunks of HTTP with an absurd size": _chunked,
        "40 uploads over gRPC that send nothing": _silent_uploads,
        "40 cutouts over gRPC that nobody reads": _unread_cutouts,
        "200 requests over HTTP of a byte now and then": _slowloris,
        f"{connections} connections to HTTP that say nothing": lambda suite: _idle(suite, suite.http_port, connections),
        f"{connections} connections to gRPC that say nothing": lambda suite: _idle(
            suite, int(suite.grpc.rpartition(":")[2]), connections
        ),
    }


def _refused(call: Callable[[], object], *codes: str) -> str:
    code = "OK"
    try:
        call()
    except grpc.RpcError as error:
        code = str(error.code().name)
    assert code in codes, code
    return code


def _grpc_bomb(suite: Suite) -> str:
    with raw_channel(suite.grpc) as channel:
        call = channel.unary_unary(f"{_VOLUME}/GetVolume")
        return _refused(
            lambda: call(bytes(_BOMB_BYTES), compression=grpc.Compression.Gzip, timeout=PATIENCE_S),
            "RESOURCE_EXHAUSTED",
            "INTERNAL",  # the message that is too large after it was inflated, in gRPC's own words
        )


def _nesting(suite: Suite) -> str:
    data = b""
    for _ in range(10_000):
        data = b"\x0a" + _varint(len(data)) + data
    with raw_channel(suite.grpc) as channel:
        call = channel.unary_unary(f"{_VOLUME}/CreateVolume")
        deep = _refused(lambda: call(b"\x12" + _varint(len(data)) + data, timeout=PATIENCE_S), "INVALID_ARGUMENT")
        groups = _refused(lambda: call(b"\x7b" * 100_000, timeout=PATIENCE_S), "INVALID_ARGUMENT")
    return f"{deep}, {groups}"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _many_ids(suite: Suite) -> str:
    request = segment_pb2.GetSegmentBoundsRequest(volume="files/seg", segment_ids=range(2**20, 2**20 + 10**6))
    with raw_channel(suite.grpc) as channel:
        call = channel.unary_unary(f"{_SEGMENT}/GetSegmentBounds")
        return _refused(
            lambda: call(request.SerializeToString(), timeout=PATIENCE_S), "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"
        )


def _long_metadata(suite: Suite) -> str:
    with raw_channel(suite.grpc) as channel:
        call = channel.unary_unary(f"{_VOLUME}/GetServerInfo")
        return _refused(
            lambda: call(b"", metadata=[("x-request-id", "a" * 200_000)], timeout=PATIENCE_S),
            "RESOURCE_EXHAUSTED",
            "UNAVAILABLE",
        )


def _status(suite: Suite, request: bytes, *statuses: int) -> str:
    answer = said(suite.http_port, request, timeout=PATIENCE_S)
    if not answer:
        return "the connection was ended"  # before all was sent, so the refusal may be lost on its way
    status = status_of(answer)
    assert status in statuses, status
    return str(status)


def _http_gzip(suite: Suite) -> str:
    body = gzip.compress(bytes(64 << 20))
    told = [("content-encoding", "gzip"), ("content-type", "application/proto")]
    call = _status(suite, request_of(f"{_VOLUME}/GetVolume", told, "POST", body), 400, 415, 501)
    told = [("content-encoding", "gzip"), ("content-type", "application/blosc")]
    upload = request_of("/v1/cutout/a/b/c/0/0:9/0:9/0:9/", told, "POST", body)
    return f"{call}, {_status(suite, upload, 400, 404, 413, 415)}"


def _long_header(suite: Suite) -> str:
    return _status(suite, get("/", f"x-a: {'a' * (1 << 20)}"), 431)


def _long_address(suite: Suite) -> str:
    return _status(suite, get(f"/ng/{'a' * (1 << 20)}/-/info"), 414, 431)


def _long_body(suite: Suite) -> str:
    head = f"POST {_VOLUME}/GetVolume HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/proto\r\n"
    return _status(suite, head.encode() + b"content-length: %d\r\n\r\nabc" % (1 << 62), 200, 400, 413)


def _lengths(suite: Suite) -> str:
    found = []
    for lines in (
        "content-length: -5",
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 9\r\ntransfer-encoding: chunked",
    ):
        request = f"POST {_VOLUME}/GetVolume HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n\r\nabcdefghi"
        found.append(_status(suite, request.encode(), 400, 415))
    return ", ".join(found)


def _chunked(suite: Suite) -> str:
    head = f"POST {_VOLUME}/GetVolume HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/proto\r\n"
    return _status(suite, head.encode() + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc", 400, 413)


def _silent_uploads(suite: Suite) -> str:
    end = threading.Event()
    with raw_channel(suite.grpc) as channel:
        upload = channel.stream_unary(f"{_VOLUME}/WriteCutout")
        held = [upload.future(iter(end.wait, True), timeout=600) for _ in range(40)]  # dropped, they would end
        time.sleep(2)  # until all of them have begun
        waited = suite.is_well()
        assert any(one.done() for one in held), "none was ended, so nothing was seen"
        end.set()
    return f"the next caller waited {waited:.1f} s"


def _unread_cutouts(suite: Suite) -> str:
    request = volume_pb2.ReadCutoutRequest(volume="mem/big")
    with raw_channel(suite.grpc) as channel:
        info = volume_pb2.GetVolumeResponse.FromString(
            channel.unary_unary(f"{_VOLUME}/GetVolume")(
                volume_pb2.GetVolumeRequest(volume="mem/big").SerializeToString(), timeout=PATIENCE_S
            )
        )
        request.box.CopyFrom(info.volume.scales[0].bounds)
        read = channel.unary_stream(f"{_VOLUME}/ReadCutout")
        held = [read(request.SerializeToString(), timeout=600) for _ in range(40)]
        time.sleep(2)  # until all of them have begun
        waited = suite.is_well()
        for one in held:
            one.cancel()
    return f"the next caller waited {waited:.1f} s"


def _slowloris(suite: Suite) -> str:
    with contextlib.ExitStack() as stack:
        held = [_connected(stack, suite.http_port) for _ in range(200)]
        for byte in b"GET / H":
            for connection in held:
                with contextlib.suppress(OSError):
                    connection.send(bytes([byte]))
        waited = suite.is_well()
        began = time.monotonic()
        gone = sum(_is_ended(connection) for connection in held)
        assert gone == len(held), f"{len(held) - gone} are still open"
        return f"the next caller waited {waited:.1f} s; all ended after {time.monotonic() - began:.0f} s"


def _connected(stack: contextlib.ExitStack, port: int) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE_S))


def _is_ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def _many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, count + 500)
    assert hard == resource.RLIM_INFINITY or wanted <= hard, f"this machine allows {hard} open files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _idle(suite: Suite, port: int, count: int) -> str:
    with _many_files(count), contextlib.ExitStack() as stack:
        opened = 0
        for _ in range(count):
            try:
                connection = _connected(stack, port)
            except OSError:
                continue
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            opened += 1
        assert opened > 0.99 * count, f"{opened} of {count} were taken"
        waited = suite.is_well()
    return f"{opened} held; the next caller waited {waited:.1f} s"


def run(suite: Suite, connections: int) -> Iterator[tuple[str, str, str]]:
    """Run every case; yields its name, what it answered, and what was wrong (empty for nothing)."""
    for name, case in cases(connections).items():
        try:
            answer, fault = case(suite), ""
            after = suite.is_well()
            answer += f"; served after it in {after:.2f} s"
        except (AssertionError, OSError, grpc.RpcError, http.client.HTTPException) as error:
            answer, fault = "", f"{type(error).__name__}: {str(error)[:300]}"
        yield name, answer, fault
