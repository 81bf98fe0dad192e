"""What servers say of themselves, as Prometheus reads it."""

import contextlib
import socket
import time

import grpc
import httpx
import pytest

from support.chains import far_store
from support.scraped import scraped, scraped_until
from support.servers import volume_server
from support.volume_service import BOUNDS, ids, memory_registry, spec
from support.web_calls import framed, scripted
from voxgate.client.connection import connect
from voxgate.model.errors import UnknownRemote, UnknownVolume
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings

SERVICE = "voxgate.v1.VolumeService"
CUTOUT = f"{SERVICE}/ReadCutout"


@contextlib.contextmanager
def read_as_bytes(address):
    """ReadCutout whose messages are the bytes that were sent."""
    with grpc.insecure_channel(address) as channel:
        yield channel.unary_stream(
            f"/{CUTOUT}",
            request_serializer=volume_pb2.ReadCutoutRequest.SerializeToString,
            response_deserializer=None,
        )


def whole(address):
    """A request for all of a volume."""
    with grpc.insecure_channel(address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        level = stub.GetVolume(volume_pb2.GetVolumeRequest(volume="mem/lab/seg"), timeout=60).volume.scales[0]
    return volume_pb2.ReadCutoutRequest(volume="mem/lab/seg", box=level.bounds)


def test_a_stream_is_counted_when_it_ends_with_every_byte_of_it():
    registry, _ = far_store()
    with volume_server(registry, metrics_port=0) as server:
        request = whole(server.address)
        with read_as_bytes(server.address) as read:
            sent = sum(len(message) for message in read(request, timeout=60))
        page = scraped_until(
            server.metrics_port, lambda page: page.value("voxgate_calls_total", method=CUTOUT, code="OK")
        )
    assert page.value("voxgate_calls_started_total", method=CUTOUT) == 1
    assert page.value("voxgate_calls_total", method=CUTOUT, code="OK") == 1
    assert page.value("voxgate_calls_running", method=CUTOUT) == 0
    assert page.value("voxgate_call_sent_bytes_total", method=CUTOUT) == sent
    assert page.value("voxgate_call_received_bytes_total", method=CUTOUT) == len(request.SerializeToString())
    assert page.value("voxgate_call_seconds_count", method=CUTOUT) == 1
    assert page.value("voxgate_call_seconds_bucket", method=CUTOUT, le="+Inf") == 1
    assert page.kinds["voxgate_call_seconds"] == "histogram"


def test_a_stream_that_its_caller_leaves_is_running_until_then_and_cancelled_afterwards():
    registry, store = far_store()
    with volume_server(registry, metrics_port=0) as server:
        request = whole(server.address)
        store.state.gate.clear()
        try:
            with read_as_bytes(server.address) as read:
                call = read(request, timeout=60)
                assert next(call)
                assert store.reading.wait(60)
                running = scraped(server.metrics_port)
                call.cancel()
                over = scraped_until(
                    server.metrics_port, lambda page: page.value("voxgate_calls_running", method=CUTOUT) == 0
                )
        finally:
            store.state.gate.set()
    assert running.value("voxgate_calls_running", method=CUTOUT) == 1
    assert running.value("voxgate_call_threads_busy") >= 1
    assert running.value("voxgate_budget_used_bytes", service="volume") > 0
    assert running.value("voxgate_calls_total", method=CUTOUT, code="CANCELLED") is None
    assert over.value("voxgate_calls_total", method=CUTOUT, code="CANCELLED") == 1
    assert over.value("voxgate_call_failures_total", method=CUTOUT, reason="CANCELLED") == 1
    assert over.value("voxgate_call_sent_bytes_total", method=CUTOUT) > 0


def test_a_stream_whose_deadline_passes_is_counted_as_that():
    registry, store = far_store()
    with volume_server(registry, metrics_port=0) as server:
        request = whole(server.address)
        store.state.gate.clear()
        try:
            with read_as_bytes(server.address) as read, pytest.raises(grpc.RpcError):
                list(read(request, timeout=1))
            page = scraped_until(server.metrics_port, lambda page: page.total("voxgate_calls_total", method=CUTOUT))
        finally:
            store.state.gate.set()
    assert page.value("voxgate_calls_total", method=CUTOUT, code="DEADLINE_EXCEEDED") == 1


def test_calls_that_wait_for_a_thread_are_seen():
    registry, store = far_store()
    with volume_server(registry, metrics_port=0, workers=1) as server:
        request = whole(server.address)
        store.state.gate.clear()
        try:
            with read_as_bytes(server.address) as read:
                calls = [read(request, timeout=60) for _ in range(3)]
                page = scraped_until(server.metrics_port, lambda page: page.value("voxgate_calls_waiting") == 2)
                for call in calls:
                    call.cancel()
        finally:
            store.state.gate.set()
    assert page.value("voxgate_call_threads") == page.value("voxgate_call_threads_busy") == 1


def test_errors_are_counted_by_reason_and_nothing_that_a_caller_makes_up_is_a_label(tmp_path):
    made_up = "nothing-of-this-name-7f3a"
    with volume_server(memory_registry(tmp_path), metrics_port=0) as server, connect(server.address) as client:
        for name, error in ((f"mem/{made_up}", UnknownVolume), (f"{made_up}/x", UnknownRemote)):
            with pytest.raises(error):
                client.volume(name)
        with grpc.insecure_channel(server.address) as channel:
            for method in (f"/{SERVICE}/{made_up}", f"/voxgate.v1.{made_up}/Get"):
                with pytest.raises(grpc.RpcError):
                    channel.unary_unary(method)(b"", timeout=60)
        page = scraped_until(
            server.metrics_port, lambda page: page.total("voxgate_call_failures_total", reason="UNKNOWN_REMOTE")
        )
    assert page.value("voxgate_call_failures_total", method=f"{SERVICE}/GetVolume", reason="UNKNOWN_VOLUME") == 1
    assert page.value("voxgate_calls_total", method=f"{SERVICE}/GetVolume", code="NOT_FOUND") == 2
    errors = {"remote": "mem", "operation": "open", "reason": "UNKNOWN_VOLUME"}
    assert page.value("voxgate_remote_errors_total", **errors) == 1
    assert made_up not in page.text


def test_what_is_read_from_and_written_to_a_store_is_counted_for_its_remote(tmp_path):
    with volume_server(memory_registry(tmp_path), metrics_port=0) as server, connect(server.address) as client:
        volume = client.create("mem/lab/seg", spec())
        voxels = ids()
        volume.write(BOUNDS, voxels)
        volume.read(BOUNDS)
        page = scraped(server.metrics_port)
    assert page.value("voxgate_remote_bytes_total", remote="mem", operation="write") == voxels.nbytes
    assert page.total("voxgate_remote_bytes_total", remote="mem") >= 2 * voxels.nbytes
    assert page.value("voxgate_remote_request_seconds_count", remote="mem", operation="create") == 1
    assert page.labels("voxgate_remote_bytes_total") == {"remote", "operation"}


@contextlib.contextmanager
def gateway_with_metrics(address):
    gateway = Gateway(address, port=0, settings=GatewaySettings(metrics_port=0))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop(1)


def test_the_gateway_counts_its_requests_on_a_port_of_its_own():
    registry, _ = far_store()
    made_up = "nothing-of-this-name-7f3a"
    with volume_server(registry) as server, gateway_with_metrics(server.address) as gateway:
        info = httpx.get(f"{gateway.url}/ng/mem/lab/seg/-/info", headers={"accept-encoding": "identity"}, timeout=60)
        assert info.status_code == 200
        assert httpx.get(f"{gateway.url}/ng/mem/{made_up}/-/info", timeout=60).status_code == 404
        assert httpx.request("PROPFIND", f"{gateway.url}/{made_up}", timeout=60).status_code == 404
        page = scraped_until(
            gateway.metrics_port, lambda page: page.total("voxgate_gateway_requests_total", dialect="other")
        )
        public = httpx.get(f"{gateway.url}/metrics", timeout=60)
    counted = {"dialect": "precomputed", "method": "GET"}
    assert page.value("voxgate_gateway_requests_total", **counted, status="200") == 1
    assert page.value("voxgate_gateway_requests_total", **counted, status="404") == 1
    assert page.value("voxgate_gateway_requests_total", dialect="other", method="other", status="404") == 1
    assert page.value("voxgate_gateway_request_seconds_count", dialect="precomputed") == 2
    assert page.value("voxgate_gateway_sent_bytes_total", dialect="precomputed") >= len(info.content)
    assert made_up not in page.text.lower()
    assert public.status_code == 404


def test_a_stream_through_the_gateway_that_its_caller_leaves_is_cancelled():
    """The backend sends one message and then nothing more."""

    def once(request, context):
        yield b"first"
        while context.is_active():
            time.sleep(0.02)

    method = "VolumeService/ReadCutout"
    with scripted({method: once}) as (script, address), gateway_with_metrics(address) as gateway:
        body = framed(b"")
        head = f"POST /voxgate.v1.{method} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            received = b""
            while b"first" not in received:
                received += connection.recv(65536)
            running = scraped(gateway.metrics_port)
        assert script.ended.wait(60)
        counted = {"dialect": "calls", "method": "POST", "status": "cancelled"}
        page = scraped_until(gateway.metrics_port, lambda page: page.value("voxgate_gateway_requests_total", **counted))
    assert running.value("voxgate_gateway_requests_running") == 1
    assert page.value("voxgate_gateway_requests_running") == 0
    assert page.value("voxgate_gateway_sent_bytes_total", dialect="calls") == len(framed(b"first"))
    assert page.value("voxgate_gateway_received_bytes_total", dialect="calls") == len(body)
