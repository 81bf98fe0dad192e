"""What happens around every voxgate call: its context, its log line, its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from voxgate.model.access import not_proven
from voxgate.model.errors import Cancelled, InternalError, InvalidArgument, VoxgateError
from voxgate_serving.auth.audit import CHANGES, AuditedCall
from voxgate_serving.auth.guard import Guard
from voxgate_serving.calls import ServerCall
from voxgate_serving.observing import CallObserver
from voxgate_serving.stalls import StallWatch

_Handler = Any  # grpc.RpcMethodHandler, which cannot be subscripted at run time
_Behavior = Callable[[Any, ServerCall], Any]


class _Undecodable:
    """What came instead of a request: bytes that are no message of its kind, or one nested too deeply."""


def _reading(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A deserializer that leaves the refusal to the call: gRPC itself would answer INTERNAL and log a traceback."""

    def decoded(data: bytes) -> object:
        try:
            return read(data)
        except (DecodeError, RecursionError):
            return _Undecodable()

    return decoded


def _checked(request: Any) -> Any:
    """A request.

    Raises:
        InvalidArgument: for what is none.
    """
    if isinstance(request, _Undecodable):
        raise InvalidArgument("the request is no message of its method", "send what the contract states")
    return request


class CallInterceptor(grpc.ServerInterceptor):
    """Gives servicers a ServerCall and turns what they raise into status and details.

    Only methods of voxgate services are touched: health and reflection keep their own ways.
    """

    def __init__(
        self,
        server_id: str,
        unary_deadline_s: float,
        stream_deadline_s: float,
        observer: CallObserver | None = None,
        stalls: StallWatch | None = None,
        guard: Guard | None = None,
    ) -> None:
        """`guard` says who asks, before anything is done for them; without one, everybody is anonymous."""
        self._guard = guard
        self._server_id = server_id
        self._observer = observer or CallObserver()
        self._stalls = stalls or StallWatch(lambda: 0)
        self._unary_deadline_s = unary_deadline_s
        self._stream_deadline_s = stream_deadline_s

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], _Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a voxgate method."""
        handler = continuation(handler_call_details)
        if handler is not None and self._guard and handler_call_details.method.startswith("/grpc.reflection."):
            return grpc.stream_stream_rpc_method_handler(
                self._stream(handler_call_details.method[1:], _for_the_proven(handler.stream_stream)),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler is None or not handler_call_details.method.startswith("/voxgate."):
            return handler
        name = handler_call_details.method[1:]
        if handler.response_streaming:
            behavior: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            wrapped: Any = self._stream(name, behavior)
        else:
            behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            wrapped = self._unary(name, behavior, handler.request_streaming)
        metrics = self._observer.metrics
        return make(
            wrapped,
            metrics.counting_received(name, _reading(handler.request_deserializer)),
            metrics.counting_sent(name, handler.response_serializer),
        )

    def _unary(self, name: str, behavior: _Behavior, uploads: bool) -> Callable[[Any, grpc.ServicerContext], Any]:
        deadline_s = self._stream_deadline_s if uploads else self._unary_deadline_s

        def run(request: Any, context: grpc.ServicerContext) -> Any:
            call = self._call(context, deadline_s, name)
            watched = self._observer.watch(name, call)
            audited = self._audited(name, call)
            try:
                self._admit(call)
                asked = self._received(request, call) if uploads else _checked(request)
                answer = behavior(asked if audited is None else audited.heard(asked), call)
            except Exception as error:  # noqa: BLE001  (the border where every error becomes a status)
                watched.failed(error)
                if audited is not None:
                    audited.ended(error.reason if isinstance(error, VoxgateError) else InternalError.reason)
                call.fail(error)
            watched.finished()
            if audited is not None:
                audited.ended("OK")
            return answer

        return run

    def _stream(self, name: str, behavior: _Behavior) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def run(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            call = self._call(context, self._stream_deadline_s, name)
            watched = self._observer.watch(name, call)
            try:
                self._admit(call)
                with contextlib.closing(behavior(_checked(request), call)) as messages:
                    for message in messages:
                        with self._stalls.standing_still(context.cancel):
                            yield message
                watched.finished()
            except Exception as error:  # noqa: BLE001  (the border where every error becomes a status)
                watched.failed(error)
                call.fail(error)
            finally:
                # The generator is dropped when the caller goes away: whoever works for it learns it here too.
                call.call.stop.set()

        return run

    def _received(self, requests: Iterator[Any], call: ServerCall) -> Iterator[Any]:
        """The requests of a stream as they come.

        Raises:
            InvalidArgument: for one that is none.
            Cancelled: when the caller went away, or was ended for standing still.
        """
        while True:
            try:
                with self._stalls.standing_still(call.cancel):
                    request = next(requests, None)
            except grpc.RpcError:  # the call is over
                call.call.check()
                raise Cancelled("the caller left", "send the rest in time") from None
            if request is None:
                call.call.check()
                return
            yield _checked(request)

    def _admit(self, call: ServerCall) -> None:
        """Know whose call it is, and refuse one that has been here; nothing of it is looked at before.

        Raises:
            Unauthenticated, Unavailable, PermissionDenied.
        """
        if self._guard is not None:
            call.identify(self._guard.authenticator)
        call.refuse_loop()

    def _audited(self, name: str, call: ServerCall) -> AuditedCall | None:
        if self._guard is None or name not in CHANGES:
            return None
        return AuditedCall(self._guard.audit, name, call)

    def _call(self, context: grpc.ServicerContext, deadline_s: float, name: str) -> ServerCall:
        return ServerCall(context, deadline_s, self._server_id, tracer=self._observer.tracer, method=name)


def _for_the_proven(behavior: _Behavior) -> _Behavior:
    """Reflection, for callers who proved who they are."""

    def run(requests: Any, call: ServerCall) -> Any:
        if not call.principal.caller.is_proven:
            raise not_proven()
        return behavior(requests, call)

    return run
