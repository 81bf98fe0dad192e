"""The SegmentService on the wire: only translates."""

from __future__ import annotations

import grpc

from voxgate.model.errors import InvalidArgument, LimitExceeded
from voxgate.model.geometry import Vec3
from voxgate.model.segments import SegmentIndex
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.requests import open_options, scale_index
from voxgate.wire.volumes import box_from_proto, vec3_from_proto
from voxgate_blocks.segments import count_segments, lookup_segments
from voxgate_serving.budget import ByteBudget
from voxgate_serving.calls import call_context
from voxgate_serving.settings import ServerSettings
from voxgate_volume.catalog import Catalog

_DEFAULT_PAGE = 1000
_MAX_PAGE = 100_000


class SegmentServicer(segment_pb2_grpc.SegmentServiceServicer):
    """Answers from a volume's own index where it has one, from its voxels where it has none."""

    def __init__(self, catalog: Catalog, settings: ServerSettings, budget: ByteBudget) -> None:
        self._catalog = catalog
        self._settings = settings
        self._budget = budget

    def ListSegments(self, request: pb.ListSegmentsRequest, context: grpc.ServicerContext) -> pb.ListSegmentsResponse:
        """List the segments in a box."""
        call = call_context(context)
        volume = self._catalog.open(request.volume, open_options(request, call))
        scale = scale_index(volume.info, request)
        box = box_from_proto(request.box) if request.HasField("box") else volume.info.scales[scale].bounds
        first = _page_start(request.page_token)
        size = min(request.page_size or _DEFAULT_PAGE, _MAX_PAGE)
        index = volume.capability(SegmentIndex)
        if index is not None:
            counts = index.segments_in(box, scale=scale)
        else:
            limit = self._settings.max_scan_voxel_count
            counts = count_segments(volume, box, scale=scale, max_voxels=limit, context=call)
        if request.order == pb.SEGMENT_ORDER_LARGEST_FIRST:
            counts = sorted(counts, key=lambda count: (-count.voxel_count, count.segment_id))
        page = counts[first : first + size]
        return pb.ListSegmentsResponse(
            segments=[pb.SegmentCount(segment_id=c.segment_id, voxel_count=c.voxel_count) for c in page],
            next_page_token=str(first + size) if first + size < len(counts) else "",
            total_count=len(counts),
            resolved_version=volume.info.resolved_version,
            label_view=types_pb2.LABEL_VIEW_BODIES,
            support=_support(index),
        )

    def LookupSegments(
        self, request: pb.LookupSegmentsRequest, context: grpc.ServicerContext
    ) -> pb.LookupSegmentsResponse:
        """Say which segment is at each point."""
        call = call_context(context)
        limit = self._settings.max_segment_count
        if len(request.points) > limit:
            raise LimitExceeded(f"{len(request.points)} points, the limit is {limit}", "ask in several calls")
        volume = self._catalog.open(request.volume, open_options(request, call))
        scale = scale_index(volume.info, request)
        points: list[Vec3] = [vec3_from_proto(point) for point in request.points]
        index = volume.capability(SegmentIndex)
        if index is not None:
            ids = index.segments_at(points, scale=scale)
        else:
            ids = lookup_segments(volume, points, scale=scale, context=call)
        return pb.LookupSegmentsResponse(
            segment_ids=ids,
            resolved_version=volume.info.resolved_version,
            label_view=types_pb2.LABEL_VIEW_BODIES,
            support=_support(index),
        )


def _support(index: SegmentIndex | None) -> types_pb2.ServiceSupport:
    return types_pb2.SERVICE_SUPPORT_SURROGATE if index is None else types_pb2.SERVICE_SUPPORT_NATIVE


def _page_start(token: str) -> int:
    if not token:
        return 0
    if not token.isdecimal():
        raise InvalidArgument("the page token is not one of this server's", "start from the first page")
    return int(token)
