"""What the services behind know of segments in boxes, and of the coarser levels that a store computes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import IncompleteAnswer, SegmentNotFound, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import LabelView
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import volume_pb2
from voxgate.wire.downsampling import downsampling_from_proto
from voxgate.wire.segments import RunsAssembler, bounds_from_proto
from voxgate.wire.volumes import box_to_proto, label_view_to_proto
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.described import Described

_SEARCH_S = 120.0
"""How long a search through voxels may take."""
_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Where:
    """Voxels to look among.

    Attributes:
        described: a segmentation.
        scale: by index.
        time: the time point; None where the volume has no more than one.
        label_view: what segment ids mean.
    """

    described: Described
    scale: int
    time: int | None = None
    label_view: LabelView = LabelView.BODIES

    @property
    def fields(self) -> dict[str, Any]:
        """The same as fields of every request of the Segment service, at the version that is known of the volume."""
        return {
            "volume": self.described.info.name,
            "version": self.described.info.resolved_version,
            "scale_index": self.scale,
            "time_index": self.time,
            "label_view": label_view_to_proto(self.label_view),
        }


def ids_in(calls: Calls, where: Where, box: Box) -> list[int]:
    """The ids of the segments in a box of the scale, ascending, background left out.

    Raises:
        LimitExceeded: for a box of more voxels than the server searches.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    ids: list[int] = []
    token = ""
    while True:
        request = pb.ListSegmentsRequest(
            **where.fields,
            box=box_to_proto(box),
            ids_only=True,
            page_size=_PAGE,
            page_token=token,
        )
        page = calls.unary(calls.servers.segment.ListSegments, request, _SEARCH_S)
        ids += [each.segment_id for each in page.segments]
        token = page.next_page_token
        if not token:
            return ids


def box_of(calls: Calls, where: Where, segment_id: int, *, exact: bool) -> Box:
    """Where a segment is: the smallest box if it must be exact, else one that may be grown to the store's blocks.

    Raises:
        SegmentNotFound: when it has no voxel.
        LimitExceeded: for a volume of more voxels than the server searches.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    request = pb.GetSegmentBoundsRequest(
        **where.fields,
        segment_ids=[segment_id],
    )
    answer = calls.unary(calls.servers.segment.GetSegmentBounds, request, _SEARCH_S)
    if len(answer.bounds) != 1:
        raise IncompleteAnswer(f"{len(answer.bounds)} answers came for one segment", "ask again")
    found = bounds_from_proto(answer.bounds[0])
    if isinstance(found, VoxgateError):
        raise found
    return found.box if found.is_exact or not exact else _box_of_runs(calls, where, segment_id)


def _box_of_runs(calls: Calls, where: Where, segment_id: int) -> Box:
    request = pb.ReadSegmentVoxelsRequest(
        **where.fields,
        segment_id=segment_id,
    )
    assembler = RunsAssembler()
    firsts: list[Vec3] = []
    lasts: list[Vec3] = []
    for message in calls.stream(calls.servers.segment.ReadSegmentVoxels, request, _SEARCH_S):
        runs = assembler.add(message)
        if runs is not None and len(runs):
            ends = runs[:, :3].copy()
            ends[:, 0] += runs[:, 3] - 1
            firsts.append(Vec3(*runs[:, :3].min(0).tolist()))
            lasts.append(Vec3(*ends.max(0).tolist()))
    assembler.finish()
    if not firsts:
        raise SegmentNotFound(f"segment {segment_id} has no voxel", "check the id")
    stop = functools.reduce(Vec3.maximum, lasts) + Vec3(1, 1, 1)
    return Box(functools.reduce(Vec3.minimum, firsts), stop)


def reserve_ids(calls: Calls, described: Described, count: int) -> int:
    """Reserve consecutive segment ids that nobody else gets, and answer the first. Repeating it reserves others.

    Raises:
        MissingCapability: when the store hands out none.
        ReadOnly: when the remote takes no writes.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    request = pb.ReserveSegmentIdsRequest(
        volume=described.info.name, version=described.info.resolved_version, count=count
    )
    return calls.unary(calls.servers.segment.ReserveSegmentIds, request).first_segment_id


def downsampling_of(calls: Calls, described: Described) -> DownsamplingState | None:
    """How far the store is with the coarser levels; None where it computes none by itself.

    Raises:
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    if "downsampling" not in described.powers:
        return None
    request = volume_pb2.GetDownsamplingRequest(volume=described.info.name)
    return downsampling_from_proto(calls.unary(calls.servers.volume.GetDownsampling, request).state)


def start_downsampling(calls: Calls, described: Described) -> DownsamplingState:
    """Ask the store for the coarser levels.

    Raises:
        MissingCapability: when it computes none.
        ReadOnly, StoreRefused: when the remote takes no writes; when the store is at it, or done.
        VoxgateError: what the server answered, or ServerUnreachable.
    """
    request = volume_pb2.StartDownsamplingRequest(volume=described.info.name)
    return downsampling_from_proto(calls.unary(calls.servers.volume.StartDownsampling, request).state)
