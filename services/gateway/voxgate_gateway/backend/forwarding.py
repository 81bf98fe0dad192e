"""Calls passed on as the bytes they are, for whoever speaks gRPC over HTTP/1.1 with us: no thread waits for them.

The channels are grpc.aio's: a stream that lasts an hour holds a coroutine, and the next message is taken from the
server when the one before has left, so that no more than one of them is held here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from voxgate.model.errors import ServerBusy, ServerUnreachable, VoxgateError
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.errors import DETAILS_KEY, error_from_status, status_code, to_status
from voxgate_gateway.backend.calls import Metadata
from voxgate_gateway.backend.described import Recent
from voxgate_gateway.backend.methods import Method
from voxgate_gateway.backend.ways import Way

CALLS_AT_A_TIME = 256
"""Each holds one message, of at most four megabytes."""
_RETRY_S = 2
_ASK_S = 5.0
_ENDPOINTS_S = 30.0
_HOME = "voxgate.v1.VolumeService"
_INFO = f"/{_HOME}/GetServerInfo"
# What gRPC itself says may have addresses in it.
_TEXTS = {
    grpc.StatusCode.CANCELLED: "the server ended the call",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the deadline passed",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "the message is too large, or the server has no room",
    grpc.StatusCode.UNAVAILABLE: "the server does not answer; try again in a moment",
    grpc.StatusCode.UNIMPLEMENTED: "the server has no such method",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended.

    Attributes:
        code: gRPC's number; 0 is success.
        message: for people; empty on success.
        details: a serialized google.rpc.Status; empty where nobody gave one.
        retry_after_s: when to try again; None where that is not said.
    """

    code: int = 0
    message: str = ""
    details: bytes = b""
    retry_after_s: float | None = None

    @property
    def status(self) -> status_pb2.Status:
        """The details, taken apart."""
        return status_pb2.Status.FromString(self.details)

    @property
    def has_reason(self) -> bool:
        """Whether one of our servers said why; proxies and dead servers do not."""
        return any(detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) for detail in self.status.details)


class CallFailed(Exception):
    """A call that ended otherwise than well; `ending` says how."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.message)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Call:
    """What to call.

    Attributes:
        method: which method.
        request: its serialized request.
        metadata: the caller's.
        timeout_s: until it is given up; None leaves that to the server.
    """

    method: Method
    request: bytes
    metadata: Metadata = ()
    timeout_s: float | None = None


class Forwarder:
    """Passes calls on to the server at an address, or to where that says that a service is. For one event loop."""

    def __init__(self, address: str, way: Way | None = None) -> None:
        self._address = address
        self._way = way or Way()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._endpoints: Recent[str, Mapping[str, str]] = Recent(_ENDPOINTS_S)
        self._under_way = 0

    async def messages(self, call: Call) -> AsyncGenerator[bytes, None]:
        """The serialized messages of the answer; whoever stops iterating, or is cancelled, ends the call.

        Raises:
            CallFailed: when it ends otherwise than well; also after some messages.
        """
        if self._under_way >= CALLS_AT_A_TIME:
            busy = ServerBusy("too many calls are under way here", "try again in a moment", retry_after_s=1.0)
            raise CallFailed(ending_of(busy))
        self._under_way += 1
        try:
            where = await self._where(call)
            # One message or many: on the wire they are the same.
            method: Any = self._channel(where).unary_stream(call.method.path)
            running = method(call.request, timeout=call.timeout_s, metadata=grpc.aio.Metadata(*call.metadata))
            try:
                while (message := await running.read()) is not grpc.aio.EOF:
                    yield message
            finally:
                running.cancel()
        except grpc.aio.AioRpcError as error:
            raise CallFailed(_ending(error)) from None
        except grpc.aio.UsageError:
            # The channel is closed: the gateway is stopping.
            raise CallFailed(_plain(grpc.StatusCode.UNAVAILABLE)) from None
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Cut the connections; calls under way fail."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, where: str) -> grpc.aio.Channel:
        if where not in self._channels:
            self._channels[where] = self._way.aio_channel(where or self._address)
        return self._channels[where]

    async def _where(self, call: Call) -> str:
        """Where a service is; empty for the server that we know."""
        if call.method.service == _HOME:
            return ""
        endpoints = self._endpoints.get(self._address)
        if endpoints is None:
            ask: Any = self._channel("").unary_unary(_INFO, response_deserializer=pb.GetServerInfoResponse.FromString)
            patience = _ASK_S if call.timeout_s is None else min(_ASK_S, call.timeout_s)
            told = await ask(b"", timeout=patience, metadata=grpc.aio.Metadata(*call.metadata))
            endpoints = {endpoint.service: endpoint.address for endpoint in told.services}
            self._endpoints.put(self._address, endpoints)
        return endpoints.get(call.method.service, "")


def ending_of(error: VoxgateError) -> Ending:
    """How a call ends that fails here, before it is anybody else's."""
    status = to_status(error)
    return Ending(int(status_code(error).value[0]), status.message, status.SerializeToString(), error.retry_after_s)


def _ending(error: grpc.aio.AioRpcError) -> Ending:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                break
            return Ending(int(error.code().value[0]), status.message, value, _retry_after_s(status))
    return _plain(error.code())


def error_of(ending: Ending) -> VoxgateError:
    """The typed error that a failed call stands for, where the call was our own."""
    if ending.code == grpc.StatusCode.UNAVAILABLE.value[0] and not ending.has_reason:
        return ServerUnreachable(
            "the server behind the gateway does not answer", "try again in a moment", retry_after_s=_RETRY_S
        )
    return error_from_status(ending.status)


def unavailable(message: str) -> Ending:
    """How a call ends that nobody answered: with when to try again, and without a reason of the contract's."""
    number = int(grpc.StatusCode.UNAVAILABLE.value[0])
    status = status_pb2.Status(code=number, message=message)
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = _RETRY_S
    packed = any_pb2.Any()
    packed.Pack(retry)
    status.details.append(packed)
    return Ending(number, message, status.SerializeToString(), float(_RETRY_S))


def _plain(code: grpc.StatusCode) -> Ending:
    message = _TEXTS.get(code, "the call failed")
    if code is grpc.StatusCode.UNAVAILABLE:
        return unavailable(message)
    number = int(code.value[0])
    return Ending(number, message, status_pb2.Status(code=number, message=message).SerializeToString())


def _retry_after_s(status: status_pb2.Status) -> float | None:
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry):
            return float(retry.retry_delay.ToMilliseconds() / 1000)
    return None
