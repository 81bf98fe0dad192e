"""The SegmentService on the wire: only translates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import grpc

from voxgate.model.errors import InvalidArgument, InvalidSegmentId, LimitExceeded, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.segments import SegmentCount
from voxgate.model.volumes import OpenOptions, VolumeInfo
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.errors import item_from_error
from voxgate.wire.requests import open_options, scale_index
from voxgate.wire.segment_properties import page_rows, properties_to_proto
from voxgate.wire.segments import bounds_to_proto
from voxgate.wire.volumes import box_from_proto, label_view_to_proto, vec3_from_proto
from voxgate_blocks.scanning import ScanLimits
from voxgate_serving.auth.principals import current_principal
from voxgate_serving.budget import ByteBudget
from voxgate_serving.calls import call_context
from voxgate_serving.settings import MAX_MESSAGE_BYTES, ServerSettings
from voxgate_volume.catalog import Catalog
from voxgate_volume.paging import page_size
from voxgate_volume.property_work import PropertyTables, Wanted
from voxgate_volume.segment_messages import SILENCE_S, RunMessages
from voxgate_volume.segment_work import Work, bodies_of, reserve_ids, supervoxels_of

_DEFAULT_PAGE = 1000
_MAX_PAGE = 100_000
_MOST_ANSWER_BYTES = 7 << 19
"""Under the 4 MiB that gRPC takes without an option: the supervoxels of one body cannot be split over messages."""


class SegmentServicer(segment_pb2_grpc.SegmentServiceServicer):
    """Answers from a store's own index where it has one, from a volume's voxels where it has none."""

    def __init__(self, catalog: Catalog, settings: ServerSettings, budget: ByteBudget) -> None:
        self._catalog = catalog
        self._settings = settings
        self._budget = budget
        self._tables = PropertyTables()

    def ListSegments(self, request: pb.ListSegmentsRequest, context: grpc.ServicerContext) -> pb.ListSegmentsResponse:
        """List the segments in a box."""
        first = _page_start(request.page_token)
        size = page_size(request.page_size, _DEFAULT_PAGE, _MAX_PAGE)
        work, common = self._work(request, context)
        box = _box(request) or work.volume.info.scales[work.scale].bounds
        if request.ids_only:
            ids = work.ids_in(box)
            total, is_native = len(ids.value), ids.is_native
            page = [pb.SegmentCount(segment_id=each) for each in ids.value[first : first + size].tolist()]
        else:
            counts = work.counts_in(box)
            total, is_native = len(counts.value), counts.is_native
            listed = _ordered(counts.value, request.order)[first : first + size]
            page = [pb.SegmentCount(segment_id=each.segment_id, voxel_count=each.voxel_count) for each in listed]
        return pb.ListSegmentsResponse(
            segments=page,
            next_page_token=str(first + size) if first + size < total else "",
            total_count=total,
            support=_support(is_native),
            **common,
        )

    def LookupSegments(
        self, request: pb.LookupSegmentsRequest, context: grpc.ServicerContext
    ) -> pb.LookupSegmentsResponse:
        """Say which segment is at each point."""
        self._check_count(len(request.points), "points")
        work, common = self._work(request, context)
        found = work.at([vec3_from_proto(point) for point in request.points])
        return pb.LookupSegmentsResponse(segment_ids=found.value, support=_support(found.is_native), **common)

    def GetSegmentBounds(
        self, request: pb.GetSegmentBoundsRequest, context: grpc.ServicerContext
    ) -> pb.GetSegmentBoundsResponse:
        """Say where segments are."""
        self._check_ids(request.segment_ids)
        work, common = self._work(request, context)
        found = work.extents(list(request.segment_ids))
        bounds = [bounds_to_proto(*each) for each in zip(request.segment_ids, found.value, strict=True)]
        return pb.GetSegmentBoundsResponse(bounds=bounds, support=_support(found.is_native), **common)

    def ReadSegmentVoxels(
        self, request: pb.ReadSegmentVoxelsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadSegmentVoxelsResponse]:
        """Stream the voxels of a segment."""
        self._check_ids([request.segment_id])
        work, common = self._work(request, context)
        found = work.runs(request.segment_id, _box(request))
        header = pb.SegmentVoxelsHeader(scale_index=work.scale, support=_support(found.is_native), **common)
        yield from RunMessages(header).stream(found.value)

    def GetSupervoxels(
        self, request: pb.GetSupervoxelsRequest, context: grpc.ServicerContext
    ) -> pb.GetSupervoxelsResponse:
        """List the supervoxels of bodies."""
        self._check_ids(request.segment_ids)
        call = call_context(context)
        volume = self._catalog.open_unread(request.volume, request.version, call)
        found = supervoxels_of(volume, list(request.segment_ids), call)
        answer = pb.GetSupervoxelsResponse(
            bodies=[_supervoxel_set(*each) for each in zip(request.segment_ids, found, strict=True)],
            resolved_version=volume.info.resolved_version,
        )
        if answer.ByteSize() > _MOST_ANSWER_BYTES:
            raise LimitExceeded(
                "there are more supervoxels than one message may carry",
                "ask for fewer bodies in one call",
                details={"limit": str(_MOST_ANSWER_BYTES), "asked": str(answer.ByteSize())},
            )
        return answer

    def LookupBodies(self, request: pb.LookupBodiesRequest, context: grpc.ServicerContext) -> pb.LookupBodiesResponse:
        """Say which body each supervoxel belongs to."""
        self._check_count(len(request.supervoxel_ids), "supervoxel ids")
        volume = self._catalog.open_unread(request.volume, request.version, call_context(context))
        bodies = bodies_of(volume, list(request.supervoxel_ids))
        return pb.LookupBodiesResponse(segment_ids=bodies, resolved_version=volume.info.resolved_version)

    def ReserveSegmentIds(
        self, request: pb.ReserveSegmentIdsRequest, context: grpc.ServicerContext
    ) -> pb.ReserveSegmentIdsResponse:
        """Reserve segment ids."""
        volume = self._catalog.open_unread(request.volume, request.version, call_context(context))
        first = reserve_ids(volume, request.count)
        return pb.ReserveSegmentIdsResponse(
            first_segment_id=first, count=request.count, resolved_version=volume.info.resolved_version
        )

    def ListSegmentProperties(
        self, request: pb.ListSegmentPropertiesRequest, context: grpc.ServicerContext
    ) -> pb.ListSegmentPropertiesResponse:
        """List the properties that the store keeps of segments."""
        if request.segment_ids:
            self._check_ids(request.segment_ids)
        options = open_options(request, call_context(context))
        volume = self._catalog.open(request.volume, options)
        common = _common(volume.info, options)
        who = current_principal(context).name
        asker = (who, request.volume, volume.info.resolved_version, options.label_view, options.time_index)
        wanted = Wanted(tuple(request.segment_ids), tuple(request.properties))
        place = self._tables.place(volume, wanted, request.page_token, asker)
        size = page_size(request.page_size, _DEFAULT_PAGE, _MAX_PAGE)
        count = page_rows(place.table, place.first, size, MAX_MESSAGE_BYTES)
        page = place.table.rows(slice(place.first, place.first + count))
        return pb.ListSegmentPropertiesResponse(
            segment_ids=page.segment_ids.tolist(),
            properties=properties_to_proto(page),
            next_page_token=self._tables.token_after(place, count),
            total_count=len(place.table),
            **common,
        )

    def _work(self, request: Any, context: grpc.ServicerContext) -> tuple[Work, dict[str, Any]]:
        """What a request asks about, and the fields that every answer has in common."""
        call = call_context(context)
        options = open_options(request, call)
        volume = self._catalog.open(request.volume, options)
        settings = self._settings
        limits = ScanLimits(settings.max_scan_voxel_count, settings.stream_budget_bytes, SILENCE_S)
        work = Work(volume, scale_index(volume.info, request), limits, self._budget, call)
        return work, _common(volume.info, options)

    def _check_count(self, count: int, what: str) -> None:
        limit = self._settings.max_segment_count
        if count > limit:
            details = {"limit": str(limit), "asked": str(count)}
            raise LimitExceeded(f"{count} {what}, the limit is {limit}", "ask in several calls", details=details)

    def _check_ids(self, segment_ids: Sequence[int]) -> None:
        """Refuse too many ids, background and doubles."""
        self._check_count(len(segment_ids), "segment ids")
        if 0 in segment_ids:
            raise InvalidSegmentId("0 is background, not a segment", "leave it out", details={"field": "segment_ids"})
        if len(set(segment_ids)) != len(segment_ids):
            double = next(each for each, count in Counter(segment_ids).items() if count > 1)
            details = {"field": "segment_ids"}
            raise InvalidArgument(f"segment {double} was asked for twice", "name each segment once", details=details)


def _common(info: VolumeInfo, options: OpenOptions) -> dict[str, Any]:
    return {"resolved_version": info.resolved_version, "label_view": label_view_to_proto(options.label_view)}


def _box(request: Any) -> Box | None:
    return box_from_proto(request.box) if request.HasField("box") else None


def _ordered(counts: list[SegmentCount], order: int) -> list[SegmentCount]:
    if order != pb.SEGMENT_ORDER_LARGEST_FIRST:
        return counts
    return sorted(counts, key=lambda count: (-count.voxel_count, count.segment_id))


def _supervoxel_set(segment_id: int, found: list[int] | VoxgateError) -> pb.SupervoxelSet:
    if isinstance(found, VoxgateError):
        return pb.SupervoxelSet(segment_id=segment_id, error=item_from_error(found))
    return pb.SupervoxelSet(segment_id=segment_id, supervoxel_ids=found)


def _support(is_native: bool) -> types_pb2.ServiceSupport:
    return types_pb2.SERVICE_SUPPORT_NATIVE if is_native else types_pb2.SERVICE_SUPPORT_SURROGATE


def _page_start(token: str) -> int:
    if not token:
        return 0
    if not token.isdecimal():
        raise InvalidArgument("the page token is not one of this server's", "start from the first page")
    return int(token)
