"""The volume server as dialects see it: descriptions, listings and voxels. Thread-safe.

Most handlers run in a bounded pool of threads, so most calls block; chunks come by the thousand, and no thread waits
for those that are asked for with `fetch`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import anyio.to_thread

from voxgate.model.errors import ServerUnreachable, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.volumes import Voxels
from voxgate.v1 import types_pb2
from voxgate.v1 import volume_pb2 as pb
from voxgate.wire.volumes import facts_from_proto, known_encodings
from voxgate_gateway.backend.calls import CALL_TIMEOUT_S, Calls, Metadata, Servers
from voxgate_gateway.backend.chunks import Chunk, ChunkWish, chunk_answer, chunk_request
from voxgate_gateway.backend.cutouts import CutoutWish, read_cutout
from voxgate_gateway.backend.described import MAX_AGE_S, Described, Key, Listed, Recent, VolumeRef
from voxgate_gateway.backend.segments import has_skeletonizer
from voxgate_gateway.backend.underway import Underway
from voxgate_gateway.backend.ways import Way
from voxgate_gateway.grid import MAX_CHUNK_BYTES

_PING_TIMEOUT_S = 2.0
_MAX_ENTRIES = 10_000
_SKELETONIZERS_S = 300.0
_CHUNKS_AT_A_TIME = 64
"""Chunks that no thread waits for: each takes megabytes on its way, and a server does no more of them at a time."""
_MESH, _SKELETON = "voxgate.v1.MeshService", "voxgate.v1.SkeletonService"


class Backend:
    """The servers behind one address.

    Every method raises the VoxgateError that the server answered, or ServerUnreachable.

    Attributes:
        calls: for what this class does not wrap.
    """

    def __init__(self, address: str, way: Way | None = None) -> None:
        self._known: Recent[Key, Described] = Recent(MAX_AGE_S)
        self._skeletonizers: Recent[str, bool] = Recent(_SKELETONIZERS_S)
        self._turns = asyncio.Semaphore(_CHUNKS_AT_A_TIME)
        self.calls = Calls(Servers(address, way))

    def bound_to(self, metadata: Metadata, underway: Underway | None = None) -> Backend:
        """The same backend, its calls carrying one caller's identity and request id, and ending with `underway`."""
        bound = object.__new__(Backend)
        bound._known, bound._skeletonizers = self._known, self._skeletonizers
        bound._turns, bound.calls = self._turns, Calls(self.calls.servers, metadata, underway)
        return bound

    def close(self) -> None:
        """Cut the connections; calls under way fail."""
        self.calls.servers.close()

    def ping(self) -> str:
        """The server's id, if it answers within two seconds."""
        try:
            return self._server_info(_PING_TIMEOUT_S).server_id
        except ServerUnreachable:
            self.calls.servers.refuse_tls_trouble()
            raise

    def list(self, parent: str, *, timeout_s: float = CALL_TIMEOUT_S) -> list[Listed]:
        """The groups and volumes right under `parent` (empty: the remotes), at most 10 000."""
        until = time.monotonic() + timeout_s
        entries: list[Listed] = []
        token = ""
        while len(entries) < _MAX_ENTRIES:
            left = max(until - time.monotonic(), 0.01)
            page, token = self.list_page(parent, 0, token, timeout_s=left)
            entries += page
            if not token:
                break
        return entries

    def list_page(
        self, parent: str, page_size: int, token: str, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> tuple[Sequence[Listed], str]:
        """At most `page_size` entries (0: as many as the server likes), and the token of the next page, or ""."""
        request = pb.ListVolumesRequest(parent=parent, page_size=page_size, page_token=token)
        page = self.calls.unary(self.calls.servers.volume.ListVolumes, request, timeout_s)
        # What holds metadata alone has no voxels to show, and nothing below it.
        there = [e for e in page.entries if e.kind != pb.ENTRY_KIND_KEY_VALUES]
        return tuple(Listed(e.name, e.kind == pb.ENTRY_KIND_VOLUME) for e in there), page.next_page_token

    def describe(self, ref: VolumeRef, *, fresh: bool = False, timeout_s: float = CALL_TIMEOUT_S) -> Described:
        """A volume's description, a few seconds old at most; `fresh` asks the server anyway."""
        key = (self.calls.identity, ref)
        described = None if fresh else self._known.get(key)
        if described is None:
            request = pb.GetVolumeRequest(volume=ref.name, version=ref.version)
            answer = self.calls.unary(self.calls.servers.volume.GetVolume, request, timeout_s)
            described = _described(ref, answer.volume, self._server_info(timeout_s))
            if self._skeletonizers.get(described.mesh_address or "") is False:
                described = replace(described, can_skeletonize=False)
            self._known.put(key, described)
        return described

    def checked(self, described: Described) -> Described:
        """The same, sure of whether skeletons can be computed: asked of the Mesh service once in a while."""
        kept = "stored_skeletons" in described.powers
        if kept or not (described.can_skeletonize and described.offers("skeletons")):
            return described
        can = self._skeletonizers.get(described.mesh_address or "")
        if can is None:
            can = has_skeletonizer(self.calls, described)
            self._skeletonizers.put(described.mesh_address or "", can)
        sure = replace(described, can_skeletonize=can, worked_out={})
        self._known.put((self.calls.identity, described.ref), sure)
        return sure

    async def described(self, ref: VolumeRef) -> Described:
        """As `describe`, from a handler that is no thread."""
        known = self._known.get((self.calls.identity, ref))
        return known if known is not None else await anyio.to_thread.run_sync(self.describe, ref)

    def read_array(self, described: Described, box: Box, *, scale: int, channel: int | None = None) -> Voxels:
        """The voxels of a box, shape (c, z, y, x); of one channel, where one is named, (1, z, y, x)."""
        wish = ChunkWish(box, scale, channel)
        request = chunk_request(described.info, wish)
        try:
            return chunk_answer(self.calls.unary(self.calls.servers.read_chunk, request), described.info, wish).voxels()
        except VoxgateError:
            self._distrust(described)
            raise

    def read_cutout(self, described: Described, wish: CutoutWish) -> Voxels:
        """The voxels of a box of any size, shape (c, z, y, x); see `backend.cutouts.read_cutout`."""
        try:
            return read_cutout(self.calls, described, wish)
        except VoxgateError:
            self._distrust(described)
            raise

    async def fetch(self, described: Described, wish: ChunkWish) -> Chunk:
        """A chunk as the server has it, in one of the encodings that are accepted. No thread waits for it."""
        try:
            async with self._turns:
                message = await self.calls.answer(self.calls.servers.read_chunk, chunk_request(described.info, wish))
            return chunk_answer(message, described.info, wish)
        except VoxgateError:
            self._distrust(described)
            raise

    def forget(self, ref: VolumeRef) -> None:
        """Ask about a volume anew: it was changed or deleted."""
        self._known.forget((self.calls.identity, ref))

    def _distrust(self, described: Described) -> None:
        """Whatever it was, the next request should not trust what was known before."""
        self._known.forget((self.calls.identity, described.ref))

    def _server_info(self, timeout_s: float) -> pb.GetServerInfoResponse:
        return self.calls.unary(self.calls.servers.volume.GetServerInfo, pb.GetServerInfoRequest(), timeout_s)


def _described(ref: VolumeRef, volume: types_pb2.Volume, server: pb.GetServerInfoResponse) -> Described:
    facts = facts_from_proto(volume)
    limit = server.limits.max_chunk_bytes
    services = {endpoint.service: endpoint for endpoint in server.services}
    # Which plug-ins a service elsewhere has, the volume server does not know.
    skeletons = services.get(_SKELETON)
    can_skeletonize = skeletons is not None and bool(skeletons.plugins or skeletons.address)
    return Described(
        ref,
        facts.info,
        min(limit, MAX_CHUNK_BYTES) if limit else MAX_CHUNK_BYTES,
        facts.powers,
        tuple(known_encodings(server.encodings)),
        services[_MESH].address if _MESH in services else None,
        can_skeletonize,
        server.limits.max_cutout_bytes,
    )
