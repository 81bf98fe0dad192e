"""Servicers whose methods may answer bytes: messages framed by hand leave as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

_MAKERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def serialize(answer: Any) -> bytes:
    """A message, or the bytes of one."""
    serialized: bytes = answer if isinstance(answer, bytes) else answer.SerializeToString()
    return serialized


def add_servicer(server: grpc.Server, servicer: object, service: ServiceDescriptor) -> None:
    """Add a servicer to a server as its generated function would, but let methods answer bytes.

    Args:
        server: not yet started.
        servicer: has a method for each of the service's.
        service: as in `volume_pb2.DESCRIPTOR.services_by_name["VolumeService"]`.
    """
    handlers = {method.name: _handler(servicer, method) for method in service.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    server.add_registered_method_handlers(service.full_name, handlers)


def _handler(servicer: object, method: MethodDescriptor) -> Any:
    request: Any = message_factory.GetMessageClass(method.input_type)
    return _MAKERS[method.client_streaming, method.server_streaming](
        getattr(servicer, method.name), request_deserializer=request.FromString, response_serializer=serialize
    )
