"""One trace through the gateway, the services and the store, told to a collector over real sockets."""

import os
import re

import grpc
import httpx
import numpy as np
import pytest

from support.bossdb import bossdb_server
from support.chains import far_store, two_hops
from support.collectors import collector_by_grpc, collector_by_http
from support.processes import FREE_PORTS, VOXGATE, announcing
from support.servers import volume_server
from voxgate.client.connection import connect
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.volumes import box_to_proto
from voxgate_serving.settings import parse_server
from voxgate_serving.tracing import NO_TRACER, tracer_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
SERVER, CLIENT = 2, 3
BOX = Box.of(x=(3, 40), y=(5, 21), z=(2, 9))


@pytest.fixture(scope="module", params=[collector_by_grpc, collector_by_http], ids=["grpc", "http"])
def traced(request, tmp_path_factory):
    """A whole suite, its gateway in a process of its own, before a BossDB; what the collector and the store got."""
    folder = tmp_path_factory.mktemp("traced")
    with request.param() as collector, bossdb_server() as store:
        voxels = np.arange(16 * 64 * 64, dtype=np.uint8).reshape(16, 64, 64)
        store.store.add_channel("lab", "mouse", "em", voxels)
        config = folder / "voxgate.toml"
        config.write_text(
            f'[remotes.far]\nuri = "bossdb://http://{store.address}"\ncredentials = {{ token = "{store.token}" }}\n'
        )
        environment = {**os.environ, **collector.environment}
        command = [*VOXGATE, "serve", "--config", str(config), "--log-format", "json", *FREE_PORTS]
        with announcing(command, folder / "log", environment) as (_, where):
            yield collector, store, where, folder / "log"


def asked(spans, name, trace_id=TRACE_ID):
    return [span for span in spans if span.name == name and span.trace_id == trace_id]


def test_one_trace_holds_the_gateway_the_service_the_store_and_the_request_to_it(traced):
    collector, store, where, _ = traced
    address = f"{where['http']}/zarr/far/lab/mouse/em/-/0/c/0/0/0"
    answer = httpx.get(address, headers={"traceparent": PARENT, "tracestate": "lab=7"}, timeout=60)
    assert answer.status_code == 200, answer.text
    names = ("GET zarr", "voxgate.v1.VolumeService/ReadChunk", "store.read")
    spans = collector.wait_for(lambda spans: all(asked(spans, name) for name in names))
    (gateway,) = asked(spans, "GET zarr")
    assert (gateway.service, gateway.kind, gateway.parent_id) == ("voxgate-gateway", SERVER, PARENT_ID)
    call = next(span for span in asked(spans, names[1]) if span.parent_id == gateway.span_id)
    assert (call.service, call.kind) == ("voxgate", SERVER)
    read = next(span for span in asked(spans, "store.read") if span.parent_id == call.span_id)
    assert (read.kind, read.attributes["voxgate.remote"]) == (CLIENT, "far")
    sent = [record.headers.get("traceparent", "") for record in store.requests if "/cutout/" in record.path]
    # From a thread of the adapter's own it is the call's.
    assert sent
    assert set(sent) <= {f"00-{TRACE_ID}-{each.span_id}-01" for each in (read, call)}


def test_a_refused_call_says_its_reason_in_its_span_and_its_trace_in_the_log(traced):
    collector, _, where, log = traced
    with grpc.insecure_channel(where["grpc"]) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.GetVolumeRequest(volume="far/lab/mouse/nothing")
        with pytest.raises(grpc.RpcError):
            stub.GetVolume(request, metadata=(("traceparent", PARENT), ("x-request-id", "r-17")), timeout=60)
    name = "voxgate.v1.VolumeService/GetVolume"
    spans = collector.wait_for(lambda spans: any(span.failure for span in asked(spans, name)))
    span = next(span for span in asked(spans, name) if span.failure)
    assert span.failure == "UNKNOWN_VOLUME"
    assert (span.attributes["rpc.grpc_status"], span.attributes["voxgate.request_id"]) == ("NOT_FOUND", "r-17")
    line = next(line for line in log.read_text().splitlines() if "r-17" in line)
    assert f'"trace_id": "{TRACE_ID}"' in line


def test_a_call_without_a_trace_begins_one(traced):
    collector, _, where, _ = traced
    assert httpx.get(f"{where['http']}/readyz", timeout=60).status_code == 200
    spans = collector.wait_for(lambda spans: any(span.name == "GET health" for span in spans))
    begun = next(span for span in spans if span.name == "GET health")
    assert begun.parent_id == ""
    assert begun.trace_id != TRACE_ID


def test_servers_that_trace_nothing_pass_a_trace_on_to_the_last_store():
    registry, store = far_store()
    with two_hops(registry) as (_, near, _, _), grpc.insecure_channel(near.address) as channel:
        request = volume_pb2.ReadCutoutRequest(volume="next/next/lab/seg", box=box_to_proto(BOX))
        metadata = (("traceparent", PARENT), ("tracestate", "lab=7"))
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        bounds = stub.GetVolume(volume_pb2.GetVolumeRequest(volume="next/next/lab/seg"), timeout=60).volume.scales[0]
        request.box.CopyFrom(bounds.bounds)
        list(stub.ReadCutout(request, metadata=metadata, timeout=60))
    assert store.contexts[-1].trace.headers == metadata


def test_a_header_that_is_no_trace_is_passed_on_to_nobody():
    registry, store = far_store()
    with volume_server(registry) as server, grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        for wrong in ("00-" + "0" * 32 + f"-{PARENT_ID}-01", f"00-{TRACE_ID.upper()}-{PARENT_ID}-01", "x"):
            stub.GetVolume(
                volume_pb2.GetVolumeRequest(volume="mem/lab/seg"), metadata=(("traceparent", wrong),), timeout=60
            )
            assert store.contexts[-1].trace.headers == ()


def test_the_client_goes_on_with_the_trace_that_its_program_is_in():
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    registry, store = far_store()
    with volume_server(registry) as server, connect(server.address) as client:
        volume = client.volume("mem/lab/seg")
        with TracerProvider().get_tracer("test").start_as_current_span("my analysis") as span:
            volume.read(volume.info.scales[0].bounds)
        inside = store.contexts[-1].trace.trace_id
        volume.read(volume.info.scales[0].bounds)
    assert inside == trace.format_trace_id(span.get_span_context().trace_id)
    assert store.contexts[-1].trace.trace_id == ""


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_the_environment_asks_for_it(environment):
    assert tracer_of(environment, "voxgate-volume") is NO_TRACER


def test_a_protocol_that_is_none_is_told_and_nothing_is_traced(caplog):
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    with caplog.at_level("WARNING", logger="voxgate"):
        assert tracer_of(environment, "voxgate-volume") is NO_TRACER
    assert re.search("no traces are sent", caplog.text)


def test_the_settings_of_servers_say_nothing_of_traces():
    assert not [name for name in type(parse_server({}, {})).model_fields if "trace" in name or "otel" in name]
