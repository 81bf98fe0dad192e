"""What is noticed of every request: its numbers, its span, and a line of the log.

Labels are dialects, statuses and the few methods of HTTP: nothing that a caller can make up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgate.model.measures import Durations
from voxgate.model.tracing import TRACEPARENT, TRACESTATE
from voxgate_serving.logs import is_told, logger
from voxgate_serving.metrics import Metric, histogram
from voxgate_serving.tracing import NO_TRACER, Tracer

OTHER = "other"
CANCELLED = "cancelled"
_DIALECTS = {
    "": "pages",
    "api": "rest",
    "healthz": "health",
    "jobs": "pages",
    "latest": "bossdb",
    "ng": "precomputed",
    "ping": "bossdb",
    "preview": "pages",
    "protos": "protos",
    "readyz": "health",
    "static": "pages",
    "view": "viewer",
    "viewer": "viewer",
    "zarr": "zarr",
    "zarr2": "zarr",
}
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_TRACE = (TRACEPARENT.encode(), TRACESTATE.encode())


def dialect_of(path: str) -> str:
    """Which of few things is asked for: a dialect, or a part of the gateway's own; else "other"."""
    first = path.lstrip("/").partition("/")[0]
    if first.startswith("voxgate."):
        return "calls"
    if first == "v1" or first.startswith("v0."):
        return "bossdb"
    return _DIALECTS.get(first, OTHER)


class RequestMetrics:
    """Counts requests. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._durations: dict[str, Durations] = {}
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._received: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()

    def began(self) -> None:
        """A request is there."""
        with self._lock:
            self._running += 1

    def ended(self, seen: Seen, seconds: float) -> None:
        """It is over, whoever ended it."""
        with self._lock:
            self._running -= 1
            self._requests[seen.dialect, seen.method, seen.status] += 1
            self._received[seen.dialect] += seen.received
            self._sent[seen.dialect] += seen.sent
            spent = self._durations.setdefault(seen.dialect, Durations())
        spent.add(seconds)

    def metrics(self) -> list[Metric]:
        """All of it, as it is now."""
        with self._lock:
            running, requests, durations = self._running, dict(self._requests), dict(self._durations)
            sizes = (
                ("received", "bytes of requests' bodies", dict(self._received)),
                ("sent", "bytes of answers' bodies", dict(self._sent)),
            )
        asked = 'requests that ended, by status; "cancelled" where the client left before the end'
        found = [Metric("voxgate_gateway_requests_running", "requests that are worked on", "gauge", {}, running)]
        for (dialect, method, status), count in requests.items():
            labels = {"dialect": dialect, "method": method, "status": status}
            found.append(Metric("voxgate_gateway_requests_total", asked, "counter", labels, count))
        for name, text, by_dialect in sizes:
            for dialect, size in by_dialect.items():
                metric = f"voxgate_gateway_{name}_bytes_total"
                found.append(Metric(metric, text, "counter", {"dialect": dialect}, size))
        for dialect, spent in durations.items():
            text = "seconds from a request's head to the end of its answer"
            found += histogram("voxgate_gateway_request_seconds", text, {"dialect": dialect}, spent.spread())
        return found


class Seen:
    """What was seen of one request."""

    def __init__(self, dialect: str, method: str) -> None:
        self.dialect = dialect
        self.method = method if method in _METHODS else OTHER
        self.received = self.sent = 0
        self.code = 0
        self.is_whole = False

    @property
    def status(self) -> str:
        """How it ended: a status of HTTP, or "cancelled"."""
        return str(self.code) if self.is_whole and self.code else CANCELLED


class RequestObserver:
    """Watches the requests of one gateway. Thread-safe."""

    def __init__(self, tracer: Tracer = NO_TRACER) -> None:
        self.tracer = tracer
        self.metrics = RequestMetrics()


class Observed:
    """ASGI middleware: the first to see a request, and the last to see its answer."""

    def __init__(self, app: ASGIApp, observer: RequestObserver) -> None:
        self._app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the servers behind are told that they work for its span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Seen(dialect_of(scope["path"]), scope["method"])
        headers = Headers(scope=scope)
        heard = {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if name in headers}
        name = f"{seen.method} {seen.dialect}"
        span = self._observer.tracer.call(name, heard, http_request_method=seen.method, url_path=scope["path"])
        inner = _with_trace(scope, span.trace.headers)
        inner["state"]["trace_id"] = span.trace.trace_id

        async def receive_counted() -> Message:
            message = await receive()
            seen.received += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                seen.code = message["status"]
            elif message["type"] == "http.response.body":
                seen.sent += len(message.get("body", b""))
                seen.is_whole = not message.get("more_body", False)

        began = time.perf_counter()
        self._observer.metrics.began()
        try:
            await self._app(inner, receive_counted, send_counted)
        except asyncio.CancelledError:
            seen.is_whole = False
            raise
        finally:
            seconds = time.perf_counter() - began
            self._observer.metrics.ended(seen, seconds)
            failed = seen.status if not seen.is_whole or seen.code >= 500 else ""
            span.end(failed, http_response_status_code=seen.code)
            _log(seen, inner, seconds)


def _with_trace(scope: Scope, headers: tuple[tuple[str, str], ...]) -> Scope:
    """The request as if it had come in this trace: what passes its headers on passes on these."""
    kept = [(name, value) for name, value in scope["headers"] if name not in _TRACE]
    ours = [(name.encode(), value.encode()) for name, value in headers]
    # The state is the same object: the server looks into it, too.
    return {**scope, "headers": [*kept, *ours], "state": scope.setdefault("state", {})}


def _log(seen: Seen, scope: Scope, seconds: float) -> None:
    if is_told(logging.DEBUG):
        state = scope["state"]
        logger().debug(
            "request",
            method=seen.method,
            path=scope["path"],
            status=seen.status,
            sent=seen.sent,
            seconds=round(seconds, 6),
            request_id=str(state.get("request_id", "")),
            trace_id=str(state.get("trace_id", "")),
        )
