"""What happens around every voxgate call: its context, its log line, its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from voxgate_serving.calls import ServerCall

_Handler = Any  # grpc.RpcMethodHandler, which cannot be subscripted at run time
_Behavior = Callable[[Any, ServerCall], Any]


class CallInterceptor(grpc.ServerInterceptor):
    """Gives servicers a ServerCall and turns what they raise into status and details.

    Only methods of voxgate services are touched: health and reflection keep their own ways.
    """

    def __init__(self, server_id: str, unary_deadline_s: float, stream_deadline_s: float) -> None:
        self._server_id = server_id
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
        if handler.response_streaming:
            behavior: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            wrapped: Any = self._stream(behavior)
        else:
            behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            wrapped = self._unary(behavior, handler.request_streaming)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _unary(self, behavior: _Behavior, uploads: bool) -> Callable[[Any, grpc.ServicerContext], Any]:
        deadline_s = self._stream_deadline_s if uploads else self._unary_deadline_s

        def run(request: Any, context: grpc.ServicerContext) -> Any:
            call = ServerCall(context, deadline_s, self._server_id)
            try:
                call.refuse_loop()
                return behavior(request, call)
            except Exception as error:  # noqa: BLE001  (the border where every error becomes a status)
                call.fail(error)

        return run

    def _stream(self, behavior: _Behavior) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def run(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            call = ServerCall(context, self._stream_deadline_s, self._server_id)
            try:
                call.refuse_loop()
                yield from behavior(request, call)
            except Exception as error:  # noqa: BLE001  (the border where every error becomes a status)
                call.fail(error)
            finally:
                # The generator is dropped when the caller goes away: whoever works for it learns it here too.
                call.call.stop.set()

        return run
