"""Files that the services behind make of a segment, passed on as they come: no thread waits, none is held whole."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import IncompleteAnswer
from voxgate.model.meshes import MeshRequest
from voxgate.model.skeletons import SkeletonRequest
from voxgate.model.volumes import OpenOptions
from voxgate.v1 import mesh_pb2, skeleton_pb2
from voxgate.wire.errors import error_from_item
from voxgate.wire.mesh_requests import mesh_format_to_proto, mesh_spec_to_proto
from voxgate.wire.skeleton_requests import skeleton_request_to_proto
from voxgate_gateway.backend.calls import Metadata
from voxgate_gateway.backend.forwarding import Call, CallFailed, Forwarder, error_of
from voxgate_gateway.backend.methods import method_of

_MAKING_S = 900.0
"""How long the work may take."""
_MESH = method_of(mesh_pb2.DESCRIPTOR, "MeshService", "ExportMesh")
_SKELETON = method_of(skeleton_pb2.DESCRIPTOR, "SkeletonService", "ExportSkeleton")


@dataclass(frozen=True, slots=True)
class FileStream:
    """A file on its way.

    Attributes:
        media_type: what it is.
        pieces: its bytes, in order; raises what goes wrong on the way, so that nobody takes a part for the whole.
    """

    media_type: str
    pieces: AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Files:
    """What makes files, on behalf of one caller.

    Attributes:
        forwarder: knows where the Mesh and Skeleton services are.
        metadata: the caller's identity and request id.
    """

    forwarder: Forwarder
    metadata: Metadata

    async def mesh(self, volume: str, options: OpenOptions, wish: MeshRequest, fmt: str) -> FileStream:
        """The file of a mesh, once it is made; `fmt` is one of MESH_FORMATS.

        Raises:
            SegmentNotFound: when there is no such segment.
            VoxgateError: what the server answered, or ServerUnreachable.
        """
        spec = mesh_spec_to_proto(volume, options, wish)
        request = mesh_pb2.ExportMeshRequest(spec=spec, format=mesh_format_to_proto(fmt))
        call = Call(_MESH, request.SerializeToString(), self.metadata, _MAKING_S)
        return await _begun(_pieces(self.forwarder, call, mesh_pb2.ExportMeshResponse))

    async def skeleton(self, volume: str, options: OpenOptions, wish: SkeletonRequest) -> FileStream:
        """The SWC file of a skeleton, once it is made.

        Raises:
            SegmentNotFound: when there is no such segment, or no skeleton of it.
            VoxgateError: what the server answered, or ServerUnreachable.
        """
        spec = skeleton_request_to_proto(volume, options, wish)
        request = skeleton_pb2.ExportSkeletonRequest(spec=spec, format=skeleton_pb2.SKELETON_FORMAT_SWC)
        call = Call(_SKELETON, request.SerializeToString(), self.metadata, _MAKING_S)
        return await _begun(_pieces(self.forwarder, call, skeleton_pb2.ExportSkeletonResponse))


async def _begun(pieces: AsyncGenerator[bytes, None]) -> FileStream:
    """The stream after its first piece, which is its media type."""
    async for media_type in pieces:
        return FileStream(media_type.decode(), pieces)
    raise _incomplete()


async def _pieces(forwarder: Forwarder, call: Call, kind: Any) -> AsyncGenerator[bytes, None]:
    """The media type of a file, then its bytes."""
    has_header = has_end = False
    try:
        async with contextlib.aclosing(forwarder.messages(call)) as messages:
            async for message in messages:
                told = kind.FromString(message)
                if told.HasField("header"):
                    has_header = True
                    yield told.header.media_type.encode()
                for end in _ends(told):
                    has_end = True
                    if end.HasField("error"):
                        raise error_from_item(end.error)
                if told.data:
                    yield told.data
    except CallFailed as failed:
        raise error_of(failed.ending) from None
    if not (has_header and has_end):
        raise _incomplete()


def _ends(told: Any) -> list[Any]:
    """Of a mesh's file several, of a skeleton's one; none but in the last message."""
    if isinstance(told, mesh_pb2.ExportMeshResponse):
        return list(told.ends)
    return [told.end] if told.HasField("end") else []


def _incomplete() -> IncompleteAnswer:
    return IncompleteAnswer("the file came without its end", "ask again", retry_after_s=2.0)
