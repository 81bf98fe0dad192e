"""Calls go on with the trace that the program is in, where it uses OpenTelemetry; nothing is imported for that.

A program that traces has imported `opentelemetry.trace` itself; in any other, a call looks into a dictionary and goes.
"""

from __future__ import annotations

import sys
from typing import Any

from voxgate.client.around import AroundChannel
from voxgate.model.tracing import TRACEPARENT, TRACESTATE, TraceHeaders


def current_trace() -> TraceHeaders:
    """The headers of the span that the calling thread is in; none where there is none."""
    otel: Any = sys.modules.get("opentelemetry.trace")
    if otel is None:
        return ()
    try:
        span = otel.get_current_span().get_span_context()
    except AttributeError:  # it is being imported by another thread
        return ()
    if not span.is_valid:
        return ()
    parent = (TRACEPARENT, f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}")
    state = span.trace_state.to_header() if span.trace_state else ""
    return (parent, (TRACESTATE, state)) if state else (parent,)


class TracedChannel(AroundChannel):
    """A channel whose calls carry the current trace, unless they say one themselves."""

    def _awaited(self, method: Any) -> Any:
        return _Traced(method)

    def _streamed(self, method: Any) -> Any:
        return _Traced(method)


class _Traced:
    """A method of a service; it offers of grpc's what is called here."""

    def __init__(self, method: Any) -> None:
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        return self._method(request, timeout=timeout, metadata=_with_trace(metadata), **kwargs)

    def with_call(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        return self._method.with_call(request, timeout=timeout, metadata=_with_trace(metadata), **kwargs)

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        return self._method.future(request, timeout=timeout, metadata=_with_trace(metadata), **kwargs)


def _with_trace(metadata: Any) -> Any:
    if metadata and any(key == TRACEPARENT for key, _ in metadata):
        return metadata
    trace = current_trace()
    return [*(metadata or ()), *trace] if trace else metadata
