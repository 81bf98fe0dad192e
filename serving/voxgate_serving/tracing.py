"""Traces of calls: taken over from the caller, told to a collector where the environment names one, and passed on.

The environment is OpenTelemetry's: see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
Nothing of OpenTelemetry is imported unless OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from voxgate.model.tracing import PassedOn, Trace, trace_headers
from voxgate_serving.logs import logger

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class CallSpan(Protocol):
    """One call, or request, in a trace."""

    @property
    def trace(self) -> Trace:
        """The trace from this call on."""
        ...

    def end(self, failure: str, **facts: str | int) -> None:
        """The call is over. `failure` is empty for success; else a reason or a status, never a caller's text."""
        ...


class Tracer(Protocol):
    """What notices calls. Thread-safe."""

    def call(self, name: str, headers: Mapping[str, str], **facts: str | int) -> CallSpan:
        """A call begins.

        Args:
            name: of few: "voxgate.v1.VolumeService/ReadCutout".
            headers: of the call, names in lower case; its trace goes on with it.
            facts: what is said of it beside its name, in the words of OpenTelemetry's semantic conventions.
        """
        ...

    def close(self) -> None:
        """Tell what was noticed so far; notice nothing more."""
        ...


class _Unnoticed:
    """A call that nobody here notices; whoever is asked on its behalf may."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.trace: Trace = PassedOn(trace_headers(headers)) if "traceparent" in headers else _NOT_TRACED

    def end(self, failure: str, **facts: str | int) -> None:
        """Nothing."""


class NoTracer:
    """Notices nothing, and passes on what callers say of their traces."""

    def call(self, name: str, headers: Mapping[str, str], **facts: str | int) -> CallSpan:  # noqa: ARG002  (a Tracer's)
        """A call begins; see Tracer."""
        return _Unnoticed(headers)

    def close(self) -> None:
        """Nothing."""


_NOT_TRACED = PassedOn()
NO_TRACER: Tracer = NoTracer()


def tracer_of(environment: Mapping[str, str], service: str) -> Tracer:
    """What the environment asks for.

    Args:
        environment: the process's.
        service: this process's name in traces, where OTEL_SERVICE_NAME says none: "voxgate-volume".
    """
    is_asked = any(environment.get(name) for name in _ENDPOINTS)
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not is_asked or is_off or environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return NO_TRACER
    try:
        from voxgate_serving.telemetry import open_tracer  # noqa: PLC0415  (an extra, and only where it is asked for)
    except ImportError as error:
        logger().warning("no traces are sent: install voxgate-serving[tracing]", missing=error.name)
        return NO_TRACER
    return open_tracer(environment, service)
