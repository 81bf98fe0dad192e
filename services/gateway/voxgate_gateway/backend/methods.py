"""The methods of the contract, found by their path: what may be forwarded, and JSON for those who ask in it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from voxgate.model.errors import InternalError, InvalidArgument, PermissionDenied, Unimplemented
from voxgate.wire.contract import FILES, reads


@dataclass(frozen=True, slots=True)
class Method:
    """A method of one service of voxgate.v1 that reads.

    Attributes:
        service: its full name, as in "voxgate.v1.VolumeService".
        name: as in "GetVolume".
        is_stream: whether the answer is a stream of messages.
        asked: what a request is.
        answered: what a message of the answer is.
    """

    service: str
    name: str
    is_stream: bool
    asked: Descriptor
    answered: Descriptor

    @property
    def path(self) -> str:
        """As gRPC calls it, as in "/voxgate.v1.VolumeService/GetVolume"."""
        return f"/{self.service}/{self.name}"

    def checked(self, request: bytes) -> bytes:
        """The same bytes, which a server would take: gRPC servers call it their own fault when they cannot.

        Raises:
            InvalidArgument: when they are no such message.
        """
        try:
            GetMessageClass(self.asked).FromString(request)
        except DecodeError:
            raise InvalidArgument(
                f"the request is no {self.asked.name}", "it is a protobuf message; /protos/ has its definition"
            ) from None
        return request

    def request_from_json(self, text: bytes) -> bytes:
        """A request's bytes, from the contract's JSON.

        Raises:
            InvalidArgument: when it is no JSON, or no such request; a name that is unknown is no slip to be forgiven.
        """
        message = GetMessageClass(self.asked)()
        try:
            if text.lstrip()[:1] not in (b"{", b""):
                raise ValueError
            json_format.Parse(text or b"{}", message)
        except (json_format.ParseError, RecursionError, ValueError, TypeError) as error:
            said = str(error).partition("\n")[0][:200] if isinstance(error, json_format.ParseError) else "it is no JSON"
            raise InvalidArgument(
                f"the request is no {self.asked.name} in JSON: {said}", "names and types are those of the protos"
            ) from None
        return message.SerializeToString()

    def answer_to_json(self, message: bytes) -> bytes:
        """The contract's JSON of one message of the answer; 64-bit numbers are strings, bytes are base64.

        Raises:
            InternalError: when the message is none.
        """
        try:
            parsed = GetMessageClass(self.answered).FromString(message)
        except DecodeError:
            raise InternalError("the server's answer cannot be read", "ask in protobuf") from None
        # A program without the protos would take a place at 0 that is left out for no place.
        return json_format.MessageToJson(parsed, indent=None, always_print_fields_with_no_presence=True).encode()


def method_of(file: FileDescriptor, service: str, name: str) -> Method:
    """A method that the gateway calls on its own, whatever it does."""
    found = file.services_by_name[service]
    each = found.methods_by_name[name]
    return Method(found.full_name, each.name, each.server_streaming, each.input_type, each.output_type)


def find_method(path: str) -> Method:
    """The method that a request's path names.

    Raises:
        Unimplemented: for what is no method of voxgate.v1, and for one that takes a stream, which browsers cannot send.
        PermissionDenied: for one that changes something.
    """
    found = _methods().get(path)
    if isinstance(found, Method):
        return found
    if found is None:
        raise Unimplemented("there is no such method here", "services of voxgate.v1 are; /protos/ has the contract")
    raise PermissionDenied(
        f"{found} is not taken here: everything at this port is served for reading",
        "call it at the server's gRPC port",
    )


@functools.cache
def _methods() -> Mapping[str, Method | str]:
    """By path: what reads is a Method, what does not is only a name."""
    found: dict[str, Method | str] = {}
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for each in service.methods:
                method = method_of(file.DESCRIPTOR, service.name, each.name)
                is_taken = reads(each.name) and not each.client_streaming
                found[method.path] = method if is_taken else each.name
    return found
