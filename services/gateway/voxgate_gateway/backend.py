"""The gRPC services behind the gateway, as the few calls that dialects need. Synchronous and thread-safe.

Handlers run in a bounded pool of threads, so blocking stubs are the simplest thing that works here, and the one the
rest of the suite uses too.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
import numpy as np

from voxgate.model.errors import ChunkCorrupt, ServerUnreachable, VersionMoved, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.volumes import FILL, VolumeInfo, Voxels
from voxgate.v1 import volume_pb2 as pb
from voxgate.v1 import volume_pb2_grpc
from voxgate.wire.encodings import decode
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import box_from_proto, box_to_proto, dtype_to_proto, encoding_from_proto, volume_from_proto
from voxgate_gateway.grid import MAX_CHUNK_BYTES

MAX_AGE_S = 5.0
"""How long a description is trusted for chunk requests; an `info` request always asks anew."""

_CALL_TIMEOUT_S = 30.0
_PING_TIMEOUT_S = 2.0
_MAX_KNOWN = 512
_MAX_ENTRIES = 10_000
_CHANNEL_OPTIONS = (
    # Every replica behind a headless service gets its share, and a replica that just went away costs no request.
    (
        "grpc.service_config",
        json.dumps(
            {
                "loadBalancingConfig": [{"round_robin": {}}],
                "methodConfig": [
                    {
                        "name": [{"service": "voxgate.v1.VolumeService"}],
                        "retryPolicy": {
                            "maxAttempts": 3,
                            "initialBackoff": "0.05s",
                            "maxBackoff": "0.5s",
                            "backoffMultiplier": 2,
                            "retryableStatusCodes": ["UNAVAILABLE"],
                        },
                    }
                ],
            }
        ),
    ),
    ("grpc.max_reconnect_backoff_ms", 2000),
)

Metadata = tuple[tuple[str, str], ...]
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class VolumeRef:
    """A volume by name, and the version asked for; empty means the current one."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A volume as it is served.

    Attributes:
        ref: what was asked for.
        info: the volume's description; chunks are read at its resolved version.
        max_chunk_bytes: the most raw bytes one chunk may have.
    """

    ref: VolumeRef
    info: VolumeInfo
    max_chunk_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing: a full name, and whether it is a volume (else a group)."""

    name: str
    is_volume: bool


class _Known:
    """Descriptions for a few seconds, by caller and volume: chunks of one volume come by the hundred."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, VolumeRef], tuple[float, Described]] = {}

    def get(self, key: tuple[str, VolumeRef]) -> Described | None:
        with self._lock:
            until, described = self._entries.get(key, (0.0, None))
        return described if time.monotonic() < until else None

    def put(self, key: tuple[str, VolumeRef], described: Described) -> None:
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= _MAX_KNOWN:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (time.monotonic() + MAX_AGE_S, described)

    def forget(self, key: tuple[str, VolumeRef]) -> None:
        with self._lock:
            self._entries.pop(key, None)


class Backend:
    """The volume server at one address.

    Every method raises the VoxgateError that the server answered, or ServerUnreachable.
    """

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._stub = volume_pb2_grpc.VolumeServiceStub(self._channel)
        self._known = _Known()
        self._metadata: Metadata = ()

    def bound_to(self, metadata: Metadata) -> Backend:
        """The same backend, its calls carrying one caller's identity and request id."""
        bound = object.__new__(Backend)
        bound._channel, bound._stub, bound._known = self._channel, self._stub, self._known
        bound._metadata = metadata
        return bound

    def close(self) -> None:
        """Cut the connection; calls under way fail."""
        self._channel.close()

    def ping(self) -> str:
        """The server's id, if it answers within two seconds."""
        return self._server_info(_PING_TIMEOUT_S).server_id

    def list(self, parent: str, *, timeout_s: float = _CALL_TIMEOUT_S) -> list[Listed]:
        """The groups and volumes right under `parent` (empty: the remotes), at most 10 000."""
        until = time.monotonic() + timeout_s
        entries: list[Listed] = []
        token = ""
        while len(entries) < _MAX_ENTRIES:
            request = pb.ListVolumesRequest(parent=parent, page_token=token)
            page = self._list_page(request, max(until - time.monotonic(), 0.01))
            # What holds metadata alone has no voxels to show, and nothing below it.
            there = [e for e in page.entries if e.kind != pb.ENTRY_KIND_KEY_VALUES]
            entries += [Listed(e.name, e.kind == pb.ENTRY_KIND_VOLUME) for e in there]
            token = page.next_page_token
            if not token:
                break
        return entries

    def describe(self, ref: VolumeRef, *, fresh: bool = False, timeout_s: float = _CALL_TIMEOUT_S) -> Described:
        """A volume's description, a few seconds old at most; `fresh` asks the server anyway."""
        key = self._key(ref)
        described = None if fresh else self._known.get(key)
        if described is None:
            request = pb.GetVolumeRequest(volume=ref.name, version=ref.version)
            answer = _call(lambda: self._stub.GetVolume(request, timeout=timeout_s, metadata=self._metadata))
            limit = self._server_info(timeout_s).limits.max_chunk_bytes
            budget = min(limit, MAX_CHUNK_BYTES) if limit else MAX_CHUNK_BYTES
            described = Described(ref, volume_from_proto(answer.volume), budget)
            self._known.put(key, described)
        return described

    def read_chunk(self, described: Described, box: Box, *, scale: int) -> bytes:
        """The raw bytes of a box: little-endian, x fastest, then y, z, channel; absent voxels are the fill value."""
        return self.read_array(described, box, scale=scale).tobytes()

    def read_array(self, described: Described, box: Box, *, scale: int, channel: int | None = None) -> Voxels:
        """The voxels of a box, shape (c, z, y, x); of one channel, where one is named, (1, z, y, x)."""
        info = described.info
        request = pb.ReadChunkRequest(
            volume=info.name, version=info.resolved_version, scale_index=scale, box=box_to_proto(box)
        )
        if channel is not None:
            request.channels.append(channel)
        channels = info.channel_count if channel is None else 1
        try:
            answer = _call(lambda: self._stub.ReadChunk(request, timeout=_CALL_TIMEOUT_S, metadata=self._metadata))
            return _voxels(answer, info, box, channels)
        except VoxgateError:
            # Whatever it was, the next request should not trust what was known before.
            self._known.forget(self._key(described.ref))
            raise

    def _list_page(self, request: pb.ListVolumesRequest, timeout_s: float) -> pb.ListVolumesResponse:
        return _call(lambda: self._stub.ListVolumes(request, timeout=timeout_s, metadata=self._metadata))

    def _server_info(self, timeout_s: float) -> pb.GetServerInfoResponse:
        request = pb.GetServerInfoRequest()
        return _call(lambda: self._stub.GetServerInfo(request, timeout=timeout_s, metadata=self._metadata))

    def _key(self, ref: VolumeRef) -> tuple[str, VolumeRef]:
        return (next((value for key, value in self._metadata if key == "authorization"), ""), ref)


def _call(call: Callable[[], A]) -> A:
    try:
        return call()
    except grpc.RpcError as error:
        typed = from_rpc_error(error)
        if isinstance(typed, ServerUnreachable):
            # The SDK's own remedy speaks to somebody who starts servers; the gateway's callers do not.
            typed = ServerUnreachable("the volume server does not answer", "try again in a moment", retry_after_s=2.0)
        raise typed from None


def _voxels(answer: pb.ReadChunkResponse, info: VolumeInfo, box: Box, channels: int) -> Voxels:
    header, chunk = answer.header, answer.chunk
    if header.data_type != dtype_to_proto(info.dtype) or header.channel_count != channels:
        raise VersionMoved(f"{info.name} changed while it was read", "ask for its info again")
    if box_from_proto(chunk.box) != box or chunk.encoding_index >= len(header.encodings):
        raise ChunkCorrupt("the volume server answered another box than was asked for", "report it with the request id")
    shape = (channels, *box.shape.zyx)
    encoding = encoding_from_proto(header.encodings[chunk.encoding_index])
    if encoding == FILL:
        fill = np.frombuffer(header.fill_value or bytes(info.dtype.itemsize), info.dtype)
        return np.broadcast_to(fill[0], shape)
    held = box_from_proto(chunk.data_box) if chunk.HasField("data_box") else box
    if not held.contains(box):
        raise ChunkCorrupt("a chunk does not hold the box it answers", "ask again; report it if it stays")
    voxels = decode(chunk.data, encoding, (channels, *held.shape.zyx), info.dtype)
    return voxels[(slice(None), *box.slices_zyx(held.start))]
