"""Channels to the servers behind, and calls whose errors are ours."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from voxgate.client.tls_looking import tls_trouble
from voxgate.model.errors import ServerUnreachable, TlsFailed, VoxgateError
from voxgate.v1 import mesh_pb2_grpc, segment_pb2_grpc, skeleton_pb2_grpc, volume_pb2, volume_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate_gateway.backend.underway import Underway
from voxgate_gateway.backend.ways import Way
from voxgate_serving.logs import logger

CALL_TIMEOUT_S = 30.0

Metadata = tuple[tuple[str, str], ...]
A = TypeVar("A")


class Servers:
    """The servers behind: the volume server, and others where it names them. Thread-safe."""

    def __init__(self, address: str, way: Way | None = None) -> None:
        self._address = address
        self._way = way or Way()
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}

    def channel(self, address: str = "") -> grpc.Channel:
        """The channel to an address; empty means the volume server's. Connects on first use."""
        where = address or self._address
        with self._lock:
            if where not in self._channels:
                self._channels[where] = self._way.channel(where)
            return self._channels[where]

    @functools.cached_property
    def volume(self) -> volume_pb2_grpc.VolumeServiceStub:
        """The Volume service."""
        return volume_pb2_grpc.VolumeServiceStub(self.channel())

    @functools.cached_property
    def read_chunk(self) -> Any:
        """ReadChunk, answering the message's bytes: its payload is found in them and never copied."""
        return self.channel().unary_unary(
            "/voxgate.v1.VolumeService/ReadChunk",
            request_serializer=volume_pb2.ReadChunkRequest.SerializeToString,
            response_deserializer=None,
        )

    @functools.cached_property
    def read_cutout(self) -> Any:
        """ReadCutout, answering the messages' bytes: as `read_chunk`."""
        return self.channel().unary_stream(
            "/voxgate.v1.VolumeService/ReadCutout",
            request_serializer=volume_pb2.ReadCutoutRequest.SerializeToString,
            response_deserializer=None,
        )

    @functools.cached_property
    def segment(self) -> segment_pb2_grpc.SegmentServiceStub:
        """The Segment service."""
        return segment_pb2_grpc.SegmentServiceStub(self.channel())

    def mesh(self, address: str) -> mesh_pb2_grpc.MeshServiceStub:
        """The Mesh service at an address."""
        return mesh_pb2_grpc.MeshServiceStub(self.channel(address))

    def skeleton(self, address: str) -> skeleton_pb2_grpc.SkeletonServiceStub:
        """The Skeleton service at an address."""
        return skeleton_pb2_grpc.SkeletonServiceStub(self.channel(address))

    def refuse_tls_trouble(self) -> None:
        """Look why the volume server does not answer; takes a few seconds at most.

        Raises:
            ServerUnreachable: when it and the gateway do not agree on TLS. The log says on what.
        """
        trouble = tls_trouble(self._address, self._way.tls)
        if trouble is not None:
            logger().error("no TLS with the services", message=trouble.message, remedy=trouble.remedy)
            raise _no_tls_in_common()

    def close(self) -> None:
        """Cut the connections; calls under way fail."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls on behalf of one caller.

    Attributes:
        servers: whom to call.
        metadata: the caller's identity, request id and way through servers.
        underway: notes the calls of `unary` and `stream`, to end them with the caller's request; None where they are
            finished whether anybody waits for them or not.
    """

    servers: Servers
    metadata: Metadata = ()
    underway: Underway | None = None

    @property
    def identity(self) -> str:
        """What the caller proves who they are with; empty for nobody."""
        return next((value for key, value in self.metadata if key == "authorization"), "")

    def unary(self, method: Callable[..., A], request: Any, timeout_s: float = CALL_TIMEOUT_S) -> A:
        """The answer of a call.

        Raises:
            VoxgateError: what the server answered, or ServerUnreachable.
        """
        with typed_errors():
            if self.underway is None:
                return method(request, timeout=timeout_s, metadata=self.metadata)
            call: Any = method.future(request, timeout=timeout_s, metadata=self.metadata)  # type: ignore[attr-defined]
            with self.underway.noted(call):
                answer: A = call.result()
                return answer

    def stream(self, method: Callable[..., Any], request: Any, timeout_s: float) -> Iterator[Any]:
        """The messages of a streaming call; whoever stops iterating ends it.

        Raises:
            VoxgateError: what the server answered, or ServerUnreachable.
        """
        call = method(request, timeout=timeout_s, metadata=self.metadata)
        try:
            with typed_errors(), contextlib.nullcontext() if self.underway is None else self.underway.noted(call):
                yield from call
        finally:
            call.cancel()

    async def answer(self, method: Any, request: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """The answer of a call, for which no thread waits.

        Raises:
            VoxgateError: what the server answered, or ServerUnreachable.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        call = method.future(request, timeout=timeout_s, metadata=self.metadata)

        def settle() -> None:
            if not waiting.done():
                waiting.set_result(None)

        def told(_: object) -> None:
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle)

        call.add_done_callback(told)
        try:
            await waiting
        except asyncio.CancelledError:
            call.cancel()
            raise
        with typed_errors():
            return call.result()


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """Raise what a call failed with as the typed error that it stands for."""
    try:
        yield
    except (grpc.RpcError, grpc.FutureCancelledError) as error:
        raise _typed(error) from None
    except ValueError as error:
        # "Cannot invoke RPC on closed channel": the gateway is stopping.
        if "closed channel" not in str(error):
            raise
        raise ServerUnreachable("the gateway is stopping", "try again in a moment", retry_after_s=2.0) from None


def _no_tls_in_common() -> ServerUnreachable:
    message = "the gateway and the server behind it do not agree on TLS"
    return ServerUnreachable(message, "its operator looks at [gateway.services_tls]", retry_after_s=30.0)


def _typed(error: Exception) -> VoxgateError:
    if not isinstance(error, grpc.RpcError):
        return ServerUnreachable("the gateway is stopping", "try again in a moment", retry_after_s=2.0)
    typed = from_rpc_error(error)
    if isinstance(typed, TlsFailed):
        return _no_tls_in_common()
    if isinstance(typed, ServerUnreachable):
        # The SDK's own remedy speaks to somebody who starts servers; the gateway's callers do not.
        return ServerUnreachable("the volume server does not answer", "try again in a moment", retry_after_s=2.0)
    return typed
