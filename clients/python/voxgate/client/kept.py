"""What the store of a volume on a server keeps ready or makes by itself: meshes, skeletons, coarser levels."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.client.calls import BoundCalls
from voxgate.client.meshes import GrpcMeshSource
from voxgate.client.skeletons import GrpcSkeletonSource
from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import SegmentNotFound
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.skeletons import Skeleton, SkeletonRequest
from voxgate.v1 import volume_pb2
from voxgate.wire.downsampling import downsampling_from_proto


def mesh_source(calls: BoundCalls) -> GrpcMeshSource:
    """Meshes of the volume, by the server's Mesh service."""
    stubs = calls.stubs
    return GrpcMeshSource(stubs.mesh, calls.facts.info.name, calls.bound, stubs.addresses["mesh"], stubs.get_meshes)


def skeleton_source(calls: BoundCalls) -> GrpcSkeletonSource:
    """Skeletons of the volume, by the server's Skeleton service, which is where its Mesh service is."""
    return GrpcSkeletonSource(calls.stubs.skeleton, calls.facts.info.name, calls.bound, calls.stubs.addresses["mesh"])


@dataclass(frozen=True, slots=True)
class RemoteKept:
    """Satisfies StoredMeshes and StoredSkeletons.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """The mesh that the store keeps; see `StoredMeshes.stored_mesh`."""
        (answer,) = mesh_source(self.calls).meshes(MeshRequest((segment_id,), source="stored"))
        if isinstance(answer, Mesh):
            return answer
        if isinstance(answer.error, SegmentNotFound):
            return None
        raise answer.error

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """The skeleton that the store keeps; see `StoredSkeletons.stored_skeleton`.

        Raises:
            IncompleteAnswer: when the stream broke the contract or ended early.
        """
        (answer,) = skeleton_source(self.calls).skeletons(SkeletonRequest((segment_id,), source="stored"))
        if isinstance(answer, Skeleton):
            return answer
        if isinstance(answer.error, SegmentNotFound):
            return None
        raise answer.error


@dataclass(frozen=True, slots=True)
class RemoteDownsampling:
    """Satisfies Downsampling.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def downsampling(self) -> DownsamplingState:
        """How far the store is; see `Downsampling.downsampling`."""
        request = volume_pb2.GetDownsamplingRequest(volume=self.calls.facts.info.name)
        return downsampling_from_proto(self.calls.unary(self.calls.stubs.volume.GetDownsampling, request).state)

    def start_downsampling(self) -> DownsamplingState:
        """Ask for the coarser levels; see `Downsampling.start_downsampling`."""
        request = volume_pb2.StartDownsamplingRequest(volume=self.calls.facts.info.name)
        return downsampling_from_proto(self.calls.unary(self.calls.stubs.volume.StartDownsampling, request).state)
