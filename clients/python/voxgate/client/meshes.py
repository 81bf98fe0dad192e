"""Meshes from a Mesh service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from voxgate.client.resuming import OneVersion, answer_each
from voxgate.model.meshes import Mesh, MeshFailure, MeshProgress, MeshRequest
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import mesh_pb2, mesh_pb2_grpc
from voxgate.wire.mesh_framing import meshes_of, parse_meshes
from voxgate.wire.mesh_requests import mesh_spec_to_proto
from voxgate.wire.meshes import MeshAssembler


@dataclass(frozen=True, slots=True)
class GrpcMeshSource:
    """Meshes of one volume through a Mesh service: a `MeshSource`.

    Attributes:
        stub: of the Mesh service.
        volume: the volume's name, "remote/path".
        options: the (resolved) version, time and label view that the volume is bound to; and how long to wait.
        address: of the server, for messages to people.
        ask: the stub's GetMeshes, answering bytes: see voxgate.wire.mesh_framing; None for the stub's own.
    """

    stub: mesh_pb2_grpc.MeshServiceStub
    volume: str
    options: OpenOptions = field(default_factory=OpenOptions)
    address: str = "the server"
    ask: Any = None

    def meshes(self, request: MeshRequest, *, progress: MeshProgress | None = None) -> Iterator[Mesh | MeshFailure]:
        """Yield exactly one Mesh or MeshFailure for each requested id, as they get ready.

        A stream that breaks is taken up again: only the segments that did not come whole are asked for.

        Raises:
            IncompleteAnswer: when the stream broke the contract or ended early.
            ServerUnreachable: when the server stays away.
            VersionMoved: when the volume changed in the middle.
            VoxgateError: whatever the server refuses or fails with.
        """
        context = self.options.context
        version = OneVersion(self.options.version)
        asks = partial(self._once, request, progress)
        for answer in answer_each(request.segment_ids, asks, context=context, address=self.address):
            if isinstance(answer, Mesh):
                version.note(answer.resolved_version or None)
            yield answer

    def _once(
        self, request: MeshRequest, progress: MeshProgress | None, segment_ids: Sequence[int]
    ) -> Iterator[Mesh | MeshFailure]:
        """One stream, for some of the segments."""
        context = self.options.context
        context.check()
        timeout = None if context.deadline is None else max(0.0, context.deadline - time.monotonic())
        asked = replace(request, segment_ids=tuple(segment_ids))
        message = mesh_pb2.GetMeshesRequest(spec=mesh_spec_to_proto(self.volume, self.options, asked))
        assembler = MeshAssembler(segment_ids)
        call = (self.ask or self.stub.GetMeshes)(message, timeout=timeout)
        try:
            for answer in call:
                context.check()
                response = parse_meshes(answer) if isinstance(answer, bytes) else meshes_of(answer)
                told = response.progress
                if progress is not None and told is not None:
                    progress(told.phase, told.done_bytes, told.total_bytes)
                yield from assembler.add(response)
            assembler.finish()
        finally:
            # Whoever stops iterating stops the server's work too.
            call.cancel()
