"""Which segments there are, page by page, and where; no thread waits for the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.errors import IncompleteAnswer, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentCount, SegmentExtent
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.segments import bounds_from_proto
from voxgate.wire.volumes import box_to_proto, vec3_to_proto
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.objects import Where

_SEARCH_S = 300.0
"""How long a search through voxels may take."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a listing.

    Attributes:
        size: the most segments on it; 0 leaves that to the server.
        token: `next_page_token` of the page before; empty for the first.
        largest_first: by voxel count instead of id.
        ids_only: whether ids are enough.
    """

    size: int = 0
    token: str = ""
    largest_first: bool = False
    ids_only: bool = False


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """Some segments of a box.

    Attributes:
        segments: their ids and voxels in the box, 0 where only ids were asked for.
        next_page_token: asks for the next page; empty on the last one.
        total_count: the segments of all pages.
        support: "native" where the store's index answered, "surrogate" where voxels were read.
    """

    segments: tuple[SegmentCount, ...]
    next_page_token: str
    total_count: int
    support: str


async def segments_in(calls: Calls, where: Where, box: Box, paging: Paging) -> SegmentPage:
    """A page of the segments in a box, background left out.

    Raises:
        LimitExceeded: for a box of more voxels than the server searches.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    order = pb.SEGMENT_ORDER_LARGEST_FIRST if paging.largest_first else pb.SEGMENT_ORDER_ID
    request = pb.ListSegmentsRequest(
        **where.fields,
        box=box_to_proto(box),
        order=order,
        ids_only=paging.ids_only,
        page_size=paging.size,
        page_token=paging.token,
    )
    page: pb.ListSegmentsResponse = await calls.answer(calls.servers.segment.ListSegments, request, _SEARCH_S)
    found = tuple(SegmentCount(each.segment_id, each.voxel_count) for each in page.segments)
    return SegmentPage(found, page.next_page_token, page.total_count, _support(page.support))


async def segments_at(calls: Calls, where: Where, points: Sequence[Vec3]) -> tuple[list[int], str]:
    """The segment at each point, 0 for background; and "native" or "surrogate".

    Raises:
        OutOfBounds: for a point outside.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    request = pb.LookupSegmentsRequest(**where.fields, points=map(vec3_to_proto, points))
    answer: pb.LookupSegmentsResponse = await calls.answer(calls.servers.segment.LookupSegments, request, _SEARCH_S)
    if len(answer.segment_ids) != len(points):
        raise IncompleteAnswer(f"{len(answer.segment_ids)} ids came for {len(points)} points", "ask again")
    return list(answer.segment_ids), _support(answer.support)


async def segment_extent(calls: Calls, where: Where, segment_id: int) -> tuple[SegmentExtent, str]:
    """Where a segment is; and "native" or "surrogate".

    Raises:
        SegmentNotFound: when it has no voxel.
        LimitExceeded: for a volume of more voxels than the server searches.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    request = pb.GetSegmentBoundsRequest(**where.fields, segment_ids=[segment_id])
    answer: pb.GetSegmentBoundsResponse = await calls.answer(calls.servers.segment.GetSegmentBounds, request, _SEARCH_S)
    if [each.segment_id for each in answer.bounds] != [segment_id]:
        raise IncompleteAnswer("the answer is not about the segment asked for", "ask again")
    found = bounds_from_proto(answer.bounds[0])
    if isinstance(found, VoxgateError):
        raise found
    return found, _support(answer.support)


def _support(number: types_pb2.ServiceSupport) -> str:
    return "native" if number == types_pb2.SERVICE_SUPPORT_NATIVE else "surrogate"
