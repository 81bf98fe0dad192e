"""What the services behind make of segments: meshes, skeletons, properties; each of one volume, as it is described."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.errors import (
    IncompleteAnswer,
    MissingCapability,
    SegmentNotFound,
    Unimplemented,
    VersionMoved,
    VoxgateError,
)
from voxgate.model.segment_properties import SegmentTable
from voxgate.model.skeletons import Skeleton
from voxgate.v1 import mesh_pb2, segment_pb2, skeleton_pb2
from voxgate.wire.errors import error_from_item
from voxgate.wire.segment_properties import TableAssembler
from voxgate.wire.skeletons import SkeletonAssembler
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.described import Described

_MAKING_S = 900.0
"""How long a mesh or a skeleton may take: whoever asked for it may have gone long before, and asks again."""
_PROBE_S = 10.0
_NOWHERE = 2**64 - 1
_PAGE = 100_000
_MOST_BEGINNINGS = 3


@dataclass(frozen=True, slots=True)
class MeshFile:
    """The mesh of one segment as a fragment of neuroglancer's legacy meshes.

    Attributes:
        pieces: its bytes, in order, as they came.
        origin: "stored" or "computed".
        scale: the index of the scale that was meshed.
        face_count: its triangles.
    """

    pieces: tuple[bytes, ...]
    origin: str
    scale: int
    face_count: int

    @property
    def byte_count(self) -> int:
        """The length of the file."""
        return sum(map(len, self.pieces))


def mesh_file(calls: Calls, described: Described, segment_id: int, most_faces: int) -> MeshFile:
    """The mesh of a segment: the store's own, as it is; else made from voxels.

    Made from voxels, it has no more than `most_faces` triangles and comes from the coarsest scale that has clearly more
    than these, or the finest within the server's limits: looked at, both are the same surface.

    Raises:
        SegmentNotFound: when there is no such segment.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    if described.mesh_address is None:
        raise MissingCapability("no Mesh service is behind this gateway", "start one beside the volume server")
    spec = mesh_pb2.MeshSpec(
        volume=described.info.name, version=described.info.resolved_version, segment_ids=[segment_id]
    )
    if "stored_meshes" in described.powers:
        spec.source = mesh_pb2.MESH_SOURCE_STORED
        try:
            return _exported(calls, described.mesh_address, spec)
        except SegmentNotFound:
            if any(scale.voxel_size_nm is None for scale in described.info.scales):
                raise
    spec.source = mesh_pb2.MESH_SOURCE_COMPUTED
    spec.target_face_count = most_faces
    spec.simplification = mesh_pb2.MESH_SIMPLIFICATION_FAST
    return _exported(calls, described.mesh_address, spec)


def _exported(calls: Calls, address: str, spec: mesh_pb2.MeshSpec) -> MeshFile:
    request = mesh_pb2.ExportMeshRequest(spec=spec, format=mesh_pb2.MESH_FORMAT_PRECOMPUTED)
    pieces: list[bytes] = []
    end: mesh_pb2.MeshEnd | None = None
    for message in calls.stream(calls.servers.mesh(address).ExportMesh, request, _MAKING_S):
        if message.data:
            pieces.append(message.data)
        for each in message.ends:
            end = each
    if end is None:
        raise IncompleteAnswer("the mesh came without its end", "ask again", retry_after_s=2.0)
    if end.HasField("error"):
        raise error_from_item(end.error)
    origin = "stored" if end.origin == mesh_pb2.MESH_ORIGIN_STORED else "computed"
    return MeshFile(tuple(pieces), origin, end.scale_index, end.face_count)


def skeleton_of(calls: Calls, described: Described, segment_id: int) -> Skeleton:
    """The skeleton of a segment: the store's own, else computed.

    Raises:
        SegmentNotFound: when there is no such segment, or the store keeps no skeleton of it and none can be computed.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    if described.mesh_address is None:
        raise MissingCapability("no Skeleton service is behind this gateway", "start one beside the volume server")
    request = skeleton_pb2.GetSkeletonsRequest(
        volume=described.info.name,
        version=described.info.resolved_version,
        segment_ids=[segment_id],
        source=skeleton_pb2.SKELETON_SOURCE_AUTO if described.can_skeletonize else skeleton_pb2.SKELETON_SOURCE_STORED,
    )
    assembler = SkeletonAssembler([segment_id])
    found: Skeleton | VoxgateError | None = None
    stub = calls.servers.skeleton(described.mesh_address)
    for message in calls.stream(stub.GetSkeletons, request, _MAKING_S):
        for _, answer in assembler.add(message):
            found = answer
    assembler.finish()
    if isinstance(found, Skeleton):
        return found
    raise found or SegmentNotFound(f"segment {segment_id} has no skeleton", "check the id")


def has_skeletonizer(calls: Calls, described: Described) -> bool:
    """Whether skeletons of a segmentation can be computed: the plug-in's library may be missing where it would run.

    Asked by beginning with a segment that is nowhere, and giving up once the work begins.
    """
    if described.mesh_address is None:
        return False
    request = skeleton_pb2.GetSkeletonsRequest(
        volume=described.info.name,
        version=described.info.resolved_version,
        segment_ids=[_NOWHERE],
        source=skeleton_pb2.SKELETON_SOURCE_COMPUTED,
        scale_index=len(described.info.scales) - 1,
    )
    stub = calls.servers.skeleton(described.mesh_address)
    try:
        for message in calls.stream(stub.GetSkeletons, request, _PROBE_S):
            if message.progress.phase != "starting":
                break
    except VoxgateError as error:
        return error.details.get("capability") != "skeletonizer" and not isinstance(error, Unimplemented)
    return True


def segment_table(calls: Calls, described: Described) -> SegmentTable:
    """The properties that the store keeps of segments, all of one moment.

    Raises:
        VersionMoved: when they changed, each time, before the last page came.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    for _ in range(1, _MOST_BEGINNINGS):
        try:
            return _table(calls, described)
        except VersionMoved:
            continue
    return _table(calls, described)


def _table(calls: Calls, described: Described) -> SegmentTable:
    assembler, token = TableAssembler(), ""
    while True:
        request = segment_pb2.ListSegmentPropertiesRequest(
            volume=described.info.name, version=described.info.resolved_version, page_size=_PAGE, page_token=token
        )
        page = calls.unary(calls.servers.segment.ListSegmentProperties, request)
        assembler.add(page)
        token = page.next_page_token
        if not token:
            return assembler.finish()
