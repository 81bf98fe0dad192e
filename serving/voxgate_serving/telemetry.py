"""Traces by OpenTelemetry's SDK, sent by OTLP. The only module that imports it: the extra `tracing`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from voxgate.model.errors import VoxgateError
from voxgate.model.tracing import Attributes, TraceHeaders
from voxgate_serving.logs import logger
from voxgate_serving.tracing import NO_TRACER, CallSpan, Tracer

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_W3C = TraceContextTextMapPropagator()


def open_tracer(environment: Mapping[str, str], service: str) -> Tracer:
    """A tracer that sends where the environment says; what else it says, the SDK itself reads."""
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "grpc")
    exporter = _exporter(protocol)
    if exporter is None:
        logger().warning("no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL is grpc or http/protobuf", stated=protocol)
        return NO_TRACER
    # The resource of the environment is stronger: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
    resource = Resource({"service.name": service}).merge(_stated_resource(environment))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return _Tracer(provider)


def _stated_resource(environment: Mapping[str, str]) -> Resource:
    stated = Resource.create()
    names = environment.get("OTEL_SERVICE_NAME", "") + environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if "service.name" in names or environment.get("OTEL_SERVICE_NAME"):
        return stated
    return Resource({key: value for key, value in stated.attributes.items() if key != "service.name"})


def _exporter(protocol: str) -> SpanExporter | None:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as by_grpc  # noqa: PLC0415  (one of two)

        return by_grpc.OTLPSpanExporter()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as by_http  # noqa: PLC0415  (one of two)

        return by_http.OTLPSpanExporter()
    return None


class _Tracer:
    """See `voxgate_serving.tracing.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("voxgate")

    def call(self, name: str, headers: Mapping[str, str], **facts: str | int) -> CallSpan:
        parent = _W3C.extract(headers, Context())
        return _CallSpan(self._tracer, self._tracer.start_span(name, parent, otel.SpanKind.SERVER, _dotted(facts)))

    def close(self) -> None:
        self._provider.shutdown()


class _CallSpan:
    def __init__(self, tracer: otel.Tracer, span: otel.Span) -> None:
        self._span = span
        self.trace = _Trace(tracer, span)

    def end(self, failure: str, **facts: str | int) -> None:
        self._span.set_attributes(_dotted(facts))
        if failure:
            self._span.set_status(otel.StatusCode.ERROR, failure)
        self._span.end()


class _Trace:
    """See `voxgate.model.tracing.Trace`: spans lie in those that the same thread is in, else in the call's."""

    def __init__(self, tracer: otel.Tracer, span: otel.Span) -> None:
        self._tracer = tracer
        self._span = span
        self.trace_id = f"{span.get_span_context().trace_id:032x}"

    @property
    def headers(self) -> TraceHeaders:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, otel.set_span_in_context(self._here(), Context()))
        return tuple(carrier.items())

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[object]:
        return self._spanned(name, attributes)

    @contextmanager
    def _spanned(self, name: str, attributes: Attributes) -> Iterator[object]:
        parent = otel.set_span_in_context(self._here(), Context())
        span = self._tracer.start_span(name, parent, otel.SpanKind.CLIENT, attributes)
        try:
            # What an exception says may hold what nobody but its caller is to see: its reason is enough here.
            with otel.use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
        except Exception as error:
            reason = error.reason if isinstance(error, VoxgateError) else type(error).__name__
            span.set_status(otel.StatusCode.ERROR, reason)
            raise
        finally:
            span.end()

    def _here(self) -> otel.Span:
        current = otel.get_current_span()
        same = current.get_span_context().trace_id == self._span.get_span_context().trace_id
        return current if same else self._span


def _dotted(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """Names as OpenTelemetry writes them, where Python cannot: rpc_method is rpc.method."""
    return {name.replace("_", ".", 1): value for name, value in facts.items()}
