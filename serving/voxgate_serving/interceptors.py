"""What happens around every voxgate call: its context, its log line, its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from voxgate.model.errors import Cancelled, InvalidArgument
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
    ) -> None:
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
            try:
                call.refuse_loop()
                answer = behavior(self._received(request, call) if uploads else _checked(request), call)
            except Exception as error:  # noqa: BLE001  (the border where every error becomes a status)
                watched.failed(error)
                call.fail(error)
            watched.finished()
            return answer

        return run

    def _stream(self, name: str, behavior: _Behavior) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def run(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            call = self._call(context, self._stream_deadline_s, name)
            watched = self._observer.watch(name, call)
            try:
                call.refuse_loop()
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

    def _call(self, context: grpc.ServicerContext, deadline_s: float, name: str) -> ServerCall:
        return ServerCall(context, deadline_s, self._server_id, tracer=self._observer.tracer, method=name)
