"""Channels to servers: addresses, TLS, tokens, retries of calls that may be repeated; one set of them per process."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from voxgate.client.addresses import is_this_machine, parse_target
from voxgate.client.preferences import FAST, SMALL
from voxgate.client.profile import stored_token
from voxgate.client.retrying import service_config
from voxgate.client.tls import TlsChoice, as_tls, tls_pems
from voxgate.client.tracing import TracedChannel
from voxgate.model.errors import FailedPrecondition, Unauthenticated
from voxgate.v1 import (
    job_pb2_grpc,
    mesh_pb2,
    mesh_pb2_grpc,
    metadata_pb2_grpc,
    segment_pb2_grpc,
    skeleton_pb2_grpc,
    transfer_pb2_grpc,
    version_pb2_grpc,
    volume_pb2,
    volume_pb2_grpc,
)
from voxgate.wire.allocator import tune_unless_told_otherwise
from voxgate.wire.checksums import can_checksum


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client proves who it is and checks who the server is.

    Attributes:
        token: sent as "authorization: Bearer TOKEN"; empty sends nothing.
        tls: see voxgate.client.tls.
    """

    token: str = field(default="", repr=False)
    tls: TlsChoice = False

    def __reduce__(self) -> Any:
        raise TypeError("credentials are never pickled")


@dataclass(frozen=True, slots=True)
class Server:
    """Which server, and how to reach it, without what proves who asks: what a pickle may hold.

    Attributes:
        address: "host:port" of the Volume, Segment, Version and Metadata services, or several with commas between.
        elsewhere: ("mesh", "transfer" or "job", its address) where that service is another.
        tls: as in Credentials.
        needs_token: whether a token was used; it is looked for anew where a pickle is used.
        streams: how many connections one large read is spread over.
        encodings: which to accept; empty means by the link. See voxgate.client.preferences.
        http_url: where the HTTP gateway is, as the server says; empty where it knows of none.
    """

    address: str
    elsewhere: tuple[tuple[str, str], ...] = ()
    tls: TlsChoice = False
    needs_token: bool = False
    streams: int = 1
    encodings: tuple[str, ...] = ()
    http_url: str = ""

    def address_of(self, service: str) -> str:
        """Where "volume", "mesh", "transfer" or "job" is."""
        return dict(self.elsewhere).get(service) or self.address


class _BearerToken(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor
):
    """Adds the token to every call of a channel."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def _with_token(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), self._header])

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return continuation(self._with_token(details), requests)


def _options(address: str, *, is_balanced: bool, own_connection: bool) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", service_config(is_balanced=is_balanced, resumes=True)),
        ("grpc.http2.max_frame_size", (1 << 24) - 1),
        # What is in between, and gives up on silence after 20 seconds, hears of a call that takes long.
        ("grpc.keepalive_time_ms", 15_000),
        # A read is resumed within seconds of a server's restart; by default the channel itself would wait longer.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # A name whose replicas come and go is looked up again as soon as one of them is lost; by default once in 30 s.
        ("grpc.dns_min_time_between_resolutions_ms", 2_000),
        # One thread fewer for each stream; the caller's own thread takes the messages.
        ("SingleThreadedUnaryStream", 1),
    ]
    if is_this_machine(address):
        # A proxy of the environment can never be the way to this machine.
        options.append(("grpc.enable_http_proxy", 0))
    if own_connection:
        # Channels with the same options share one connection otherwise.
        options.append(("grpc.use_local_subchannel_pool", 1))
    return options


def open_channel(address: str, credentials: Credentials, *, own_connection: bool = False) -> grpc.Channel:
    """A channel to "host:port", or to several addresses. Connects on first use.

    Args:
        address: where to; see voxgate.client.addresses.
        credentials: who asks.
        own_connection: share the connection with no other channel.

    Raises:
        InvalidArgument: for something that is no address.
        ConfigInvalid: when a file of its TLS cannot be read, or used.
    """
    target = parse_target(address)
    options = _options(address, is_balanced=target.is_balanced, own_connection=own_connection)
    tls = as_tls(credentials.tls)
    # What listens on a path of this machine has no name that a certificate could be for.
    if tls is not None and not address.startswith("unix:"):
        pems = tls_pems(tls)
        if tls.server_name:
            options.append(("grpc.ssl_target_name_override", tls.server_name))
        secret = grpc.ssl_channel_credentials(pems.ca, pems.key, pems.cert)
        channel = grpc.secure_channel(target.uri, secret, options)
    else:
        channel = grpc.insecure_channel(target.uri, options)
    if credentials.token:
        channel = grpc.intercept_channel(channel, _BearerToken(credentials.token))
    return TracedChannel(channel)


class OpenedChannels:
    """The channels of one process, each made once by `connect(address, own_connection)`, and the stubs on them."""

    def __init__(self, server: Server, connect: Callable[[str, bool], grpc.Channel]) -> None:
        self.channels: dict[str, grpc.Channel] = {}

        def channel(service: str) -> grpc.Channel:
            where = server.address_of(service)
            if where not in self.channels:
                self.channels[where] = connect(where, False)
            return self.channels[where]

        self.volume = volume_pb2_grpc.VolumeServiceStub(channel("volume"))
        self.segment = segment_pb2_grpc.SegmentServiceStub(channel("volume"))
        self.version = version_pb2_grpc.VersionServiceStub(channel("volume"))
        self.metadata = metadata_pb2_grpc.MetadataServiceStub(channel("volume"))
        self.mesh = mesh_pb2_grpc.MeshServiceStub(channel("mesh"))
        self.skeleton = skeleton_pb2_grpc.SkeletonServiceStub(channel("mesh"))
        self.transfer = transfer_pb2_grpc.TransferServiceStub(channel("transfer"))
        self.job = job_pb2_grpc.JobServiceStub(channel("job"))
        self.read_chunk: Any = channel("volume").unary_unary(
            "/voxgate.v1.VolumeService/ReadChunk",
            # The two requests have the same fields under the same numbers.
            request_serializer=volume_pb2.ReadCutoutRequest.SerializeToString,
            response_deserializer=None,
        )
        self.get_meshes: Any = channel("mesh").unary_stream(
            "/voxgate.v1.MeshService/GetMeshes",
            request_serializer=mesh_pb2.GetMeshesRequest.SerializeToString,
            response_deserializer=None,
        )
        self._lanes = [connect(server.address, True) for _ in range(1, server.streams)]
        self.read_cutout: tuple[Any, ...] = tuple(
            each.unary_stream(
                "/voxgate.v1.VolumeService/ReadCutout",
                request_serializer=volume_pb2.ReadCutoutRequest.SerializeToString,
                response_deserializer=None,
            )
            for each in (channel("volume"), *self._lanes)
        )

    def close(self) -> None:
        """Close every channel."""
        for channel in (*self.channels.values(), *self._lanes):
            channel.close()


class Stubs:
    """The generated stubs of every service, on as few channels as there are addresses. Thread-safe.

    Channels are opened at the first use in a process and never used in another: after a fork the child opens its own.
    A pickle holds the server and never the token, which is looked for again where the pickle is used.

    Attributes:
        server: which server, and how to reach it.
    """

    def __init__(self, server: Server, token: str | None = None) -> None:
        """Open nothing yet.

        Args:
            server: where every service is.
            token: proves who asks; None to look for it, when it is needed, as `connect` does.
        """
        self.server = server
        self._token = token
        self._closed = False
        self._by_process: dict[int, OpenedChannels] = {}

    def __reduce__(self) -> Any:
        return (_shared_stubs, (self.server,))

    def __deepcopy__(self, memo: dict[int, Any]) -> Stubs:
        return self

    def __copy__(self) -> Stubs:
        return self

    def with_server(self, server: Server) -> Stubs:
        """Stubs that prove the same caller to a server reached in another way."""
        return Stubs(server, self._token)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service is."""
        return {name: self.server.address_of(name) for name in ("volume", "mesh", "transfer", "job")}

    def _opened(self) -> OpenedChannels:
        if self._closed:
            raise FailedPrecondition("this client is closed", "connect again")
        here = os.getpid()
        opened = self._by_process.get(here)
        if opened is None:
            self._check_fork()
            tune_unless_told_otherwise()
            made = self._made()
            # Atomic, where a lock held by another thread at the moment of a fork would stay locked in the child.
            opened = self._by_process.setdefault(here, made)
            if opened is not made:
                made.close()
        return opened

    def _made(self) -> OpenedChannels:
        credentials = Credentials(self._found_token(), self.server.tls)
        return OpenedChannels(self.server, lambda where, own: open_channel(where, credentials, own_connection=own))

    def _check_fork(self) -> None:
        """Refuse what would hang: gRPC in the child of a process that used it, with its support for forks off."""
        is_off = os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() in ("0", "f", "n", "false", "no", "off")
        if self._by_process and is_off:
            raise FailedPrecondition(
                "this process was forked from one that was connected, and GRPC_ENABLE_FORK_SUPPORT is off",
                'unset GRPC_ENABLE_FORK_SUPPORT, or start processes with "spawn"',
            )

    def _found_token(self) -> str:
        if self._token is not None:
            return self._token
        token = stored_token(self.server.address)
        if self.server.needs_token and not token:
            raise Unauthenticated(
                "the token of this client did not travel with it", 'set VOXGATE_TOKEN here, or use "voxgate login"'
            )
        return token

    @property
    def volume(self) -> volume_pb2_grpc.VolumeServiceStub:
        """The raw stub of the Volume service."""
        return self._opened().volume

    @property
    def segment(self) -> segment_pb2_grpc.SegmentServiceStub:
        """The raw stub of the Segment service."""
        return self._opened().segment

    @property
    def version(self) -> version_pb2_grpc.VersionServiceStub:
        """The raw stub of the Version service."""
        return self._opened().version

    @property
    def metadata(self) -> metadata_pb2_grpc.MetadataServiceStub:
        """The raw stub of the Metadata service."""
        return self._opened().metadata

    @property
    def mesh(self) -> mesh_pb2_grpc.MeshServiceStub:
        """The raw stub of the Mesh service."""
        return self._opened().mesh

    @property
    def skeleton(self) -> skeleton_pb2_grpc.SkeletonServiceStub:
        """The raw stub of the Skeleton service."""
        return self._opened().skeleton

    @property
    def transfer(self) -> transfer_pb2_grpc.TransferServiceStub:
        """The raw stub of the Transfer service."""
        return self._opened().transfer

    @property
    def job(self) -> job_pb2_grpc.JobServiceStub:
        """The raw stub of the Job service."""
        return self._opened().job

    @property
    def read_cutout(self) -> Any:
        """The same call as volume.ReadCutout, answering bytes: see voxgate.wire.framing."""
        return self._opened().read_cutout[0]

    @property
    def read_chunk(self) -> Any:
        """The same call as volume.ReadChunk, taking a ReadCutoutRequest and answering bytes."""
        return self._opened().read_chunk

    @property
    def get_meshes(self) -> Any:
        """The same call as mesh.GetMeshes, answering bytes: see voxgate.wire.mesh_framing."""
        return self._opened().get_meshes

    @property
    def read_cutout_lanes(self) -> tuple[Any, ...]:
        """`read_cutout` on as many connections as `server.streams` says."""
        return self._opened().read_cutout

    @property
    def wish(self) -> tuple[str, ...]:
        """Which encodings to accept: what was asked for, else fast on this machine and small on a link."""
        return self.server.encodings or ((FAST,) if is_this_machine(self.server.address) else (SMALL,))

    @property
    def wants_checksums(self) -> bool:
        """Whether chunks should carry one: on the way to another machine, where this installation can tell."""
        return can_checksum() and not is_this_machine(self.server.address)

    def close(self) -> None:
        """Close this process's channels for good; calls that run are cancelled."""
        self._closed = True
        opened = self._by_process.get(os.getpid())
        if opened is not None:
            opened.close()


@functools.lru_cache(maxsize=64)
def _shared_stubs(server: Server) -> Stubs:
    """The stubs of every volume that was unpickled in this process; a task each would otherwise open a channel each."""
    return Stubs(server)
