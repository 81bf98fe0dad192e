"""A collector of traces on a loopback socket, by both protocols of OTLP, that keeps what it is sent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True)
class Span:
    """One span as it arrived; ids in hex, an empty parent is none."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failure: str
    attributes: dict[str, Any]


class Collector:
    """What arrived so far. Thread-safe."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self._arrived = threading.Condition()
        self._spans: list[Span] = []

    def wait_for(self, is_there: Callable[[list[Span]], bool], timeout_s: float = 60.0) -> list[Span]:
        """The spans that arrived, once they satisfy a condition."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: is_there(self._spans), timeout_s), self._spans
            return list(self._spans)

    def take(self, request: pb.ExportTraceServiceRequest) -> None:
        """Keep a request's spans."""
        found = [
            _span(resource.resource.attributes, span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._arrived:
            self._spans += found
            self._arrived.notify_all()


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _span(resource: Any, span: Any) -> Span:
    service = _values(resource).get("service.name", "")
    ids = (each.hex() for each in (span.trace_id, span.span_id, span.parent_span_id))
    failure = span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else ""
    return Span(service, span.name, *ids, span.kind, failure, _values(span.attributes))


@contextlib.contextmanager
def collector_by_grpc() -> Iterator[Collector]:
    """A collector that speaks OTLP over gRPC; `environment` is what makes a process send to it."""
    collector = Collector()

    class Servicer(pb_grpc.TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802  (the protocol's)
            collector.take(request)
            return pb.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    pb_grpc.add_TraceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    collector.environment = _environment(f"http://127.0.0.1:{port}", "grpc")
    try:
        yield collector
    finally:
        server.stop(0).wait()


@contextlib.contextmanager
def collector_by_http() -> Iterator[Collector]:
    """A collector that speaks OTLP over HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_ours = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if is_ours:
                collector.take(pb.ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if is_ours else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.environment = _environment(f"http://127.0.0.1:{server.server_address[1]}", "http/protobuf")
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _environment(endpoint: str, protocol: str) -> dict[str, str]:
    # Spans are sent at once, and not every five seconds.
    return {ENDPOINT: endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_BSP_SCHEDULE_DELAY": "50"}
