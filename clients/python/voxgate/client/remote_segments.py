"""What a server answers about the segments of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.client.calls import BoundCalls
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import SegmentCount
from voxgate.v1 import segment_pb2
from voxgate.wire.volumes import box_to_proto, vec3_to_proto

_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class RemoteSegments:
    """The segments of one volume on a server.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def segments_in(self, box: Box, *, scale: int = 0, top: int | None = None) -> list[SegmentCount]:
        """The segments in a box; see `SegmentIndex.segments_in`."""
        check_box(self.calls.facts.info, box, scale)
        order = segment_pb2.SEGMENT_ORDER_ID if top is None else segment_pb2.SEGMENT_ORDER_LARGEST_FIRST
        found: list[SegmentCount] = []
        token = ""
        while top is None or len(found) < top:
            request = segment_pb2.ListSegmentsRequest(
                **self.calls.selects,
                scale_index=scale,
                box=box_to_proto(box),
                order=order,
                page_size=_PAGE if top is None else min(_PAGE, top - len(found)),
                page_token=token,
            )
            page = self.calls.unary(self.calls.stubs.segment.ListSegments, request)
            found.extend(SegmentCount(s.segment_id, s.voxel_count) for s in page.segments)
            token = page.next_page_token
            if not token:
                break
        return found

    def segments_at(self, points: Sequence[Vec3], *, scale: int = 0) -> list[int]:
        """The segment at each point; see `SegmentLookup.segments_at`."""
        scale_of(self.calls.facts.info, scale)
        request = segment_pb2.LookupSegmentsRequest(
            **self.calls.selects, scale_index=scale, points=[vec3_to_proto(point) for point in points]
        )
        return list(self.calls.unary(self.calls.stubs.segment.LookupSegments, request).segment_ids)
