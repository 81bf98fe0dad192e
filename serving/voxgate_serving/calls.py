"""One running call: its context with our facts added, and the errors it ends with."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from typing import Any, NoReturn

import grpc

from voxgate.model.errors import Cancelled, InternalError, PermissionDenied, VoxgateError
from voxgate.model.volumes import CallContext
from voxgate.wire.errors import DETAILS_KEY, status_code, to_status
from voxgate.wire.headers import REQUEST_ID_KEY, VIA_KEY
from voxgate_serving.auth.authenticator import Authenticator
from voxgate_serving.auth.principals import ANONYMOUS
from voxgate_serving.logs import logger
from voxgate_serving.tracing import NO_TRACER, Tracer

_MAX_REQUEST_ID = 64
# An answer of ours is final: what the store failed with is not asked for again by gRPC itself, as is a lost connection.
_FINAL = ("grpc-retry-pushback-ms", "-1")


class ServerCall:
    """A grpc.ServicerContext with `principal`, `request_id` and `call` (deadline and stop event) added.

    Everything else is the wrapped context's own. What is done for the call at other servers is told `call.via`: the
    servers that it came through and, last, this one; and `call.trace`, the trace that the caller's goes on in.
    """

    def __init__(
        self,
        context: grpc.ServicerContext,
        default_deadline_s: float,
        server_id: str = "",
        *,
        tracer: Tracer = NO_TRACER,
        method: str = "",
    ) -> None:
        self._context = context
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        self.request_id = metadata.get(REQUEST_ID_KEY, "")[:_MAX_REQUEST_ID] or str(uuid.uuid4())
        self.via = tuple(server.strip() for server in metadata.get(VIA_KEY, "").split(",") if server.strip())
        self.principal = ANONYMOUS
        service, _, name = method.partition("/")
        self.span = tracer.call(method, metadata, rpc_system="grpc", rpc_service=service, rpc_method=name)
        stop = threading.Event()
        # False means that the call is over already.
        if not context.add_callback(stop.set):
            stop.set()
        remaining = context.time_remaining()
        patience = default_deadline_s if remaining is None else min(remaining, 10 * 365 * 86400.0)
        self._server_id = server_id
        through = (*self.via, server_id) if server_id else self.via
        self.call = CallContext(time.monotonic() + patience, stop, through, self.principal.caller, self.span.trace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    @property
    def trace_id(self) -> str:
        """Of the trace that the call belongs to; empty for none."""
        return self.call.trace.trace_id

    def identify(self, authenticator: Authenticator) -> None:
        """Find out whose call it is.

        Raises:
            Unauthenticated, Unavailable: for credentials that prove nothing, or not now.
        """
        self.principal = authenticator.principal(sent_credentials(self._context))
        self.call = replace(self.call, caller=self.principal.caller)

    def refuse_loop(self) -> None:
        """Refuse a call that has passed through this server already.

        Raises:
            PermissionDenied: when it has.
        """
        if self._server_id in self.via:
            raise PermissionDenied(
                "the call came back to a server it already passed through", "remove the loop of remotes"
            )

    @property
    def _ids(self) -> dict[str, str]:
        """By what a line of the log is found again."""
        return {"request_id": self.request_id, "trace_id": self.trace_id}

    def fail(self, error: BaseException) -> NoReturn:
        """End the call with a typed error; anything untyped is logged and told as an internal error.

        Raises:
            Exception: always; grpc's own signal that the call was aborted.
        """
        if not isinstance(error, VoxgateError):
            logger().error("internal error", **self._ids, error=type(error).__name__, exc_info=error)
            error = InternalError(
                "the server failed", f"report request id {self.request_id}", details={"request_id": self.request_id}
            )
        elif not isinstance(error, Cancelled):
            logger().info("call refused", **self._ids, reason=error.reason, message=error.message)
        status = to_status(error)
        self._context.set_trailing_metadata(
            ((DETAILS_KEY, status.SerializeToString()), (REQUEST_ID_KEY, self.request_id), _FINAL)
        )
        self._context.abort(status_code(error), status.message)
        raise error  # abort does not return; this is for readers and type checkers


def sent_credentials(context: grpc.ServicerContext) -> list[str]:
    """Every value of `authorization` that came with a call."""
    sent = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    return [value if isinstance(value, str) else "" for value in sent]


def call_context(context: grpc.ServicerContext) -> CallContext:
    """The deadline and stop event of a running call."""
    call = getattr(context, "call", None)
    return call if isinstance(call, CallContext) else ServerCall(context, 3600.0).call
