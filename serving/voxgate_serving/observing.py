"""What is noticed of every call: its numbers, its span, and a line of the log."""

from __future__ import annotations

import logging
import threading
import time

import grpc

from voxgate.model.errors import Cancelled, DeadlineExceeded, InternalError, VoxgateError
from voxgate.wire.errors import status_code
from voxgate_serving.call_metrics import CallMetrics
from voxgate_serving.calls import ServerCall
from voxgate_serving.logs import is_told, logger
from voxgate_serving.tracing import NO_TRACER, Tracer

_ALMOST_S = 0.2
"""A caller's clock started before ours, by the way of its request: it gives up a little earlier than we would."""


class CallObserver:
    """Watches the calls of one server. Thread-safe."""

    def __init__(self, tracer: Tracer = NO_TRACER) -> None:
        self.tracer = tracer
        self.metrics = CallMetrics()

    def watch(self, method: str, call: ServerCall) -> Watched:
        """A call has begun; it is followed until it ends, whoever ends it."""
        self.metrics.began(method)
        watched = Watched(method, call, self.metrics)
        if not call.add_callback(watched.left):
            watched.left()
        return watched


class Watched:
    """One call. The first end that it is told of counts."""

    def __init__(self, method: str, call: ServerCall, metrics: CallMetrics) -> None:
        self._method = method
        self._call = call
        self._metrics = metrics
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._is_over = False

    def finished(self) -> None:
        """All of the answer was made."""
        self._end(grpc.StatusCode.OK.name, "")

    def failed(self, error: BaseException) -> None:
        """It ends with an error."""
        typed = error if isinstance(error, VoxgateError) else InternalError("")
        self._end(status_code(typed).name, typed.reason)

    def left(self) -> None:
        """The connection knows the call no more: where it did not end here, its caller left, or ran out of time."""
        if self._is_over:  # as nearly every call is
            return
        deadline = self._call.call.deadline
        is_late = deadline is not None and time.monotonic() >= deadline - _ALMOST_S
        self.failed(DeadlineExceeded("") if is_late else Cancelled(""))

    def _end(self, code: str, reason: str) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        seconds = time.perf_counter() - self._began
        self._metrics.ended(self._method, code, reason, seconds)
        call = self._call
        call.span.end(reason, rpc_grpc_status=code, voxgate_request_id=call.request_id)
        if is_told(logging.DEBUG):
            logger().debug(
                "call",
                method=self._method,
                code=code,
                reason=reason,
                seconds=round(seconds, 6),
                request_id=call.request_id,
                trace_id=call.trace_id,
            )
