"""Channels to servers: addresses, TLS, tokens, retries of calls that may be repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from voxgate.model.errors import ConfigInvalid, InvalidArgument
from voxgate.v1 import (
    job_pb2_grpc,
    mesh_pb2_grpc,
    segment_pb2_grpc,
    transfer_pb2_grpc,
    volume_pb2,
    volume_pb2_grpc,
)

_READS = (
    ("voxgate.v1.VolumeService", ("GetServerInfo", "ListVolumes", "GetVolume", "ResolveVolume", "ReadChunk")),
    ("voxgate.v1.SegmentService", ("ListSegments", "LookupSegments")),
    ("voxgate.v1.JobService", ("GetJob", "ListJobs")),
)
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": service, "method": method} for service, methods in _READS for method in methods],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_LOCAL_HOSTS = ("localhost", "127.", "[::1]", "unix:")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client proves who it is and checks who the server is.

    Attributes:
        token: sent as "authorization: Bearer TOKEN"; empty sends nothing.
        tls: False for none, True for the system's authorities, or a file of authorities in PEM.
    """

    token: str = field(default="", repr=False)
    tls: bool | str = False


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


def _options(address: str) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.http2.max_frame_size", (1 << 24) - 1),
        ("grpc.keepalive_time_ms", 30_000),
        # One thread fewer for each stream; the caller's own thread takes the messages.
        ("SingleThreadedUnaryStream", 1),
    ]
    if address.startswith(_LOCAL_HOSTS):
        # A proxy of the environment can never be the way to this machine.
        options.append(("grpc.enable_http_proxy", 0))
    return options


def open_channel(address: str, credentials: Credentials) -> grpc.Channel:
    """A channel to "host:port". Connects on first use.

    Raises:
        InvalidArgument: for something that is no address.
        ConfigInvalid: when the file of authorities cannot be read.
    """
    if "://" in address or "/" in address.removeprefix("unix:") or not address.strip() or " " in address:
        raise InvalidArgument(f"{address!r} is not an address", 'use "host:port"')
    if credentials.tls:
        roots: bytes | None = None
        if isinstance(credentials.tls, str):
            try:
                roots = Path(credentials.tls).read_bytes()
            except OSError as error:
                raise ConfigInvalid(f"cannot read {credentials.tls}: {error.strerror}", "name a PEM file") from None
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), _options(address))
    else:
        channel = grpc.insecure_channel(address, _options(address))
    return grpc.intercept_channel(channel, _BearerToken(credentials.token)) if credentials.token else channel


class Stubs:
    """The generated stubs of every service, on as few channels as there are addresses.

    Attributes:
        volume, segment, mesh, transfer, job: the raw stubs.
        addresses: where each of them points.
    """

    def __init__(self, address: str, credentials: Credentials, elsewhere: dict[str, str]) -> None:
        """Open the channels.

        Args:
            address: of the Volume and Segment services.
            credentials: for every channel.
            elsewhere: "mesh", "transfer" or "job" -> the address of that service where it is another.
        """
        self._channels: dict[str, grpc.Channel] = {}

        def channel(where: str) -> grpc.Channel:
            if where not in self._channels:
                self._channels[where] = open_channel(where, credentials)
            return self._channels[where]

        self.addresses = {name: elsewhere.get(name) or address for name in ("volume", "mesh", "transfer", "job")}
        self.volume = volume_pb2_grpc.VolumeServiceStub(channel(address))
        # The same call as volume.ReadCutout, answering bytes: see voxgate.wire.framing.
        self.read_cutout: Any = channel(address).unary_stream(
            "/voxgate.v1.VolumeService/ReadCutout",
            request_serializer=volume_pb2.ReadCutoutRequest.SerializeToString,
            response_deserializer=None,
        )
        self.segment = segment_pb2_grpc.SegmentServiceStub(channel(address))
        self.mesh = mesh_pb2_grpc.MeshServiceStub(channel(self.addresses["mesh"]))
        self.transfer = transfer_pb2_grpc.TransferServiceStub(channel(self.addresses["transfer"]))
        self.job = job_pb2_grpc.JobServiceStub(channel(self.addresses["job"]))

    def close(self) -> None:
        """Close the channels; calls that run are cancelled."""
        for channel in self._channels.values():
            channel.close()
