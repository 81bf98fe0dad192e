"""The SkeletonService on the wire: only translates. Skeletons are those that the store keeps."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from voxgate.model.errors import MissingCapability, SegmentNotFound, Unimplemented, VoxgateError
from voxgate.model.requests import check_opened
from voxgate.model.skeletons import StoredSkeletons
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.v1 import skeleton_pb2_grpc, types_pb2
from voxgate.wire.requests import open_options
from voxgate.wire.skeletons import skeleton_end, skeleton_failure, skeleton_parts
from voxgate_mesh.checks import MeshLimits, check_segment_ids
from voxgate_mesh.messages import Pace
from voxgate_remotes.registry import Registry
from voxgate_serving.calls import call_context
from voxgate_serving.settings import MAX_MESSAGE_BYTES


class SkeletonServicer(skeleton_pb2_grpc.SkeletonServiceServicer):
    """Answers skeletons of segments of the volumes of a registry."""

    def __init__(self, registry: Registry, limits: MeshLimits) -> None:
        self._registry = registry
        self._limits = limits

    def GetSkeletons(
        self, request: pb.GetSkeletonsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GetSkeletonsResponse]:
        """Stream the stored skeletons of segments."""
        call = call_context(context)
        ids = tuple(request.segment_ids)
        options = open_options(request, call)
        volume = self._registry.open(request.volume, options)
        check_opened(volume.info, options)
        check_segment_ids(ids, self._limits)
        kept = volume.capability(StoredSkeletons)
        if kept is None:
            raise MissingCapability(
                "the store keeps no skeletons of this volume",
                "this release computes none: ask a volume whose services offer skeletons",
                details={"capability": "stored_skeletons"},
            )
        version = volume.info.resolved_version
        pace = Pace()
        for segment_id in ids:
            call.check()
            if pace.is_due():
                progress = types_pb2.Progress(phase="fetching")
                yield pb.GetSkeletonsResponse(progress=progress)
                pace.told()
            try:
                yield from _messages(kept, segment_id, version)
            except VoxgateError as error:
                yield pb.GetSkeletonsResponse(ends=[skeleton_failure(segment_id, error, version)])

    def ExportSkeleton(
        self, request: pb.ExportSkeletonRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportSkeletonResponse]:
        """Refused for now: skeletons are saved by whoever streams them."""
        raise Unimplemented("this release writes no files of skeletons", "stream the skeleton and save it")


def _messages(kept: StoredSkeletons, segment_id: int, version: str) -> Iterator[pb.GetSkeletonsResponse]:
    skeleton = kept.stored_skeleton(segment_id)
    if skeleton is None:
        raise SegmentNotFound(
            f"the store keeps no skeleton of segment {segment_id}",
            "check the id and the label view",
            details={"segment_id": str(segment_id)},
        )
    for part in skeleton_parts(skeleton, MAX_MESSAGE_BYTES):
        yield pb.GetSkeletonsResponse(parts=[part])
    yield pb.GetSkeletonsResponse(ends=[skeleton_end(skeleton, version)])
