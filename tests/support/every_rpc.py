"""A request for every method of the contract, about any volume: a method without one here fails the test of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from support.volume_service import BOUNDS, GRANULE, spec
from voxgate.model.geometry import Box
from voxgate.v1 import (
    mesh_pb2,
    metadata_pb2,
    segment_pb2,
    skeleton_pb2,
    transfer_pb2,
    types_pb2,
    version_pb2,
    volume_pb2,
)
from voxgate.wire import contract
from voxgate.wire.volumes import box_to_proto, spec_to_proto

METHODS: Mapping[str, MethodDescriptor] = {
    f"{method.containing_service.name}/{method.name}": method for method in contract.method_descriptors()
}
FILTERED = {"VolumeService/GetServerInfo", "VolumeService/ListRemotes", "JobService/ListJobs"}
"""They name nothing: what they list is what the caller may see."""
OF_JOBS = {name for name in METHODS if name.startswith("JobService/")} - FILTERED
Make = Callable[[str], Any]
_BOX = box_to_proto(Box(BOUNDS.start, BOUNDS.start + GRANULE))


def _id() -> str:
    return str(uuid.uuid4())


def _written(name: str) -> list[Any]:
    data = bytes(GRANULE.x * GRANULE.y * GRANULE.z * 8)
    header = volume_pb2.WriteCutoutHeader(volume=name, box=_BOX, data_type=types_pb2.DATA_TYPE_UINT64)
    chunk = types_pb2.Chunk(box=_BOX, data=data)
    return [volume_pb2.WriteCutoutRequest(header=header), volume_pb2.WriteCutoutRequest(chunks=[chunk])]


def _mesh(name: str) -> mesh_pb2.MeshSpec:
    return mesh_pb2.MeshSpec(volume=name, segment_ids=[5])


def _skeleton(name: str) -> skeleton_pb2.GetSkeletonsRequest:
    return skeleton_pb2.GetSkeletonsRequest(volume=name, segment_ids=[5])


ABOUT_A_VOLUME: Mapping[str, Make] = {
    "VolumeService/ListVolumes": lambda name: volume_pb2.ListVolumesRequest(parent=name),
    "VolumeService/GetVolume": lambda name: volume_pb2.GetVolumeRequest(volume=name),
    "VolumeService/ResolveVolume": lambda name: volume_pb2.ResolveVolumeRequest(uri=name),
    "VolumeService/ReadCutout": lambda name: volume_pb2.ReadCutoutRequest(volume=name, box=_BOX),
    "VolumeService/ReadChunk": lambda name: volume_pb2.ReadChunkRequest(volume=name, box=_BOX),
    "VolumeService/WriteCutout": _written,
    "VolumeService/CreateVolume": lambda name: volume_pb2.CreateVolumeRequest(volume=name, spec=spec_to_proto(spec())),
    "VolumeService/GetDownsampling": lambda name: volume_pb2.GetDownsamplingRequest(volume=name),
    "VolumeService/StartDownsampling": lambda name: volume_pb2.StartDownsamplingRequest(volume=name),
    "VolumeService/DeleteVolume": lambda name: volume_pb2.DeleteVolumeRequest(volume=name),
    "SegmentService/ListSegments": lambda name: segment_pb2.ListSegmentsRequest(volume=name, box=_BOX),
    "SegmentService/LookupSegments": lambda name: segment_pb2.LookupSegmentsRequest(volume=name, points=[_BOX.start]),
    "SegmentService/GetSegmentBounds": lambda name: segment_pb2.GetSegmentBoundsRequest(volume=name, segment_ids=[5]),
    "SegmentService/ReadSegmentVoxels": lambda name: segment_pb2.ReadSegmentVoxelsRequest(volume=name, segment_id=5),
    "SegmentService/GetSupervoxels": lambda name: segment_pb2.GetSupervoxelsRequest(volume=name, segment_ids=[5]),
    "SegmentService/LookupBodies": lambda name: segment_pb2.LookupBodiesRequest(volume=name, supervoxel_ids=[5]),
    "SegmentService/ReserveSegmentIds": lambda name: segment_pb2.ReserveSegmentIdsRequest(volume=name, count=3),
    "SegmentService/ListSegmentProperties": lambda name: segment_pb2.ListSegmentPropertiesRequest(volume=name),
    "VersionService/ListVersions": lambda name: version_pb2.ListVersionsRequest(volume=name),
    "VersionService/CommitVersion": lambda name: version_pb2.CommitVersionRequest(volume=name, note="n"),
    "VersionService/CreateVersion": lambda name: version_pb2.CreateVersionRequest(volume=name, note="n"),
    "VersionService/BranchVersion": lambda name: version_pb2.BranchVersionRequest(volume=name, branch="b"),
    "MetadataService/ListMetadata": lambda name: metadata_pb2.ListMetadataRequest(name=name),
    "MetadataService/GetMetadata": lambda name: metadata_pb2.GetMetadataRequest(name=name, key="k"),
    "MetadataService/SetMetadata": lambda name: metadata_pb2.SetMetadataRequest(name=name, key="k", value=b"v"),
    "MetadataService/DeleteMetadata": lambda name: metadata_pb2.DeleteMetadataRequest(name=name, key="k"),
    "MeshService/GetMeshes": lambda name: mesh_pb2.GetMeshesRequest(spec=_mesh(name)),
    "MeshService/ExportMesh": lambda name: mesh_pb2.ExportMeshRequest(
        spec=_mesh(name), format=mesh_pb2.MESH_FORMAT_PLY
    ),
    "MeshService/CreateMeshJob": lambda name: mesh_pb2.CreateMeshJobRequest(
        request_id=_id(), spec=types_pb2.MeshJobSpec(volume=name)
    ),
    "MeshService/ReadMeshFile": lambda name: mesh_pb2.ReadMeshFileRequest(volume=name, name="info"),
    "SkeletonService/GetSkeletons": _skeleton,
    "SkeletonService/ExportSkeleton": lambda name: skeleton_pb2.ExportSkeletonRequest(
        spec=_skeleton(name), format=skeleton_pb2.SKELETON_FORMAT_SWC
    ),
    "TransferService/CreateTransfer": lambda name: transfer_pb2.CreateTransferRequest(
        request_id=_id(), spec=types_pb2.TransferSpec(source=name, destination="mine/lab/copied")
    ),
    "TransferService/CreatePyramid": lambda name: transfer_pb2.CreatePyramidRequest(
        request_id=_id(), spec=types_pb2.PyramidJobSpec(volume=name)
    ),
}


def called(channel: grpc.Channel, method: str, request: Any, metadata: tuple[tuple[str, str], ...] = ()) -> list[Any]:
    """Every message of an answer; a list of requests is a stream of them."""
    described = METHODS[method]
    shape = ("stream" if described.client_streaming else "unary") + "_"
    shape += "stream" if described.server_streaming else "unary"
    answers: Any = message_factory.GetMessageClass(described.output_type)
    call = getattr(channel, shape)(
        f"/voxgate.v1.{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answers.FromString,
    )
    answer = call(iter(request) if described.client_streaming else request, metadata=metadata, timeout=60)
    return list(answer) if isinstance(answer, Iterator) else [answer]
