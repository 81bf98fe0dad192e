"""What a server answers about the segments of a volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from voxgate.client.calls import BoundCalls
from voxgate.client.resuming import Tries, is_break
from voxgate.model.errors import IncompleteAnswer, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import Runs, SegmentCount, SegmentExtent
from voxgate.v1 import segment_pb2
from voxgate.wire.errors import error_from_item, from_rpc_error
from voxgate.wire.segments import RunsAssembler, bounds_from_proto
from voxgate.wire.volumes import box_to_proto, vec3_to_proto

_PAGE = 100_000
"""The most that the contract lets a page have: a server may search anew for each."""


@dataclass(frozen=True, slots=True)
class RemoteSegments:
    """The segments of one volume on a server. Thread-safe.

    Satisfies SegmentIndex, SegmentIds, SegmentCounts, SegmentExtents, ManySegmentExtents, SegmentRuns, Supervoxels and
    SegmentIdReservation, each where the server offers it: see `voxgate.client.powers`.

    Attributes:
        calls: about the volume.
    """

    calls: BoundCalls

    def segments_in(self, box: Box, *, scale: int = 0, top: int | None = None) -> list[SegmentCount]:
        """The segments in a box; see `SegmentIndex.segments_in`."""
        found: list[SegmentCount] = []
        for page in self._pages(box, scale, top):
            found.extend(SegmentCount(s.segment_id, s.voxel_count) for s in page.segments)
        return found

    def segment_ids_in(self, box: Box, *, scale: int = 0) -> npt.NDArray[np.uint64]:
        """The ids in a box; see `SegmentIds.segment_ids_in`."""
        pages = [[s.segment_id for s in page.segments] for page in self._pages(box, scale, ids_only=True)]
        return np.concatenate([np.array(ids, np.uint64) for ids in pages])

    def counts_in(self, box: Box, *, scale: int = 0) -> list[SegmentCount]:
        """The segments in a box by id; see `SegmentCounts.counts_in`. A server always answers."""
        return self.segments_in(box, scale=scale)

    def _pages(
        self, box: Box, scale: int, top: int | None = None, *, ids_only: bool = False
    ) -> Iterator[segment_pb2.ListSegmentsResponse]:
        order = segment_pb2.SEGMENT_ORDER_ID if top is None else segment_pb2.SEGMENT_ORDER_LARGEST_FIRST
        check_box(self.calls.facts.info, box, scale)
        left, token = top, ""
        while left is None or left > 0:
            request = segment_pb2.ListSegmentsRequest(
                **self.calls.selects,
                scale_index=scale,
                box=box_to_proto(box),
                page_size=_PAGE if left is None else min(_PAGE, left),
                page_token=token,
                order=order,
                ids_only=ids_only,
            )
            page = self.calls.unary(self.calls.stubs.segment.ListSegments, request)
            yield page
            left = None if left is None else left - len(page.segments)
            token = page.next_page_token
            if not token:
                break

    def segments_at(self, points: Sequence[Vec3], *, scale: int = 0) -> list[int]:
        """The segment at each point; see `SegmentLookup.segments_at`."""
        scale_of(self.calls.facts.info, scale)
        request = segment_pb2.LookupSegmentsRequest(
            **self.calls.selects, scale_index=scale, points=[vec3_to_proto(point) for point in points]
        )
        found = self.calls.unary(self.calls.stubs.segment.LookupSegments, request).segment_ids
        return _one_for_each(list(found), points)

    def segment_extents(self, segment_ids: Sequence[int], *, scale: int = 0) -> list[SegmentExtent | VoxgateError]:
        """Where segments are, in one call; see `ManySegmentExtents.segment_extents`."""
        scale_of(self.calls.facts.info, scale)
        request = segment_pb2.GetSegmentBoundsRequest(**self.calls.selects, scale_index=scale, segment_ids=segment_ids)
        bounds = self.calls.unary(self.calls.stubs.segment.GetSegmentBounds, request).bounds
        if [each.segment_id for each in bounds] != list(segment_ids):
            raise IncompleteAnswer("the answer is not about the segments asked for", "ask again")
        return [bounds_from_proto(each) for each in bounds]

    def segment_extent(self, segment_id: int, *, scale: int = 0) -> SegmentExtent:
        """Where a segment is; see `SegmentExtents.segment_extent`."""
        (answer,) = self.segment_extents([segment_id], scale=scale)
        if isinstance(answer, VoxgateError):
            raise answer
        return answer

    def segment_runs(self, segment_id: int, *, box: Box | None = None, scale: int = 0) -> Iterator[Runs]:
        """The voxels of a segment; see `SegmentRuns.segment_runs`.

        Raises:
            IncompleteAnswer: at the end, when the stream was not whole.
        """
        calls, context = self.calls, self.calls.options.context
        request = segment_pb2.ReadSegmentVoxelsRequest(**calls.selects, scale_index=scale, segment_id=segment_id)
        if box is None:
            scale_of(calls.facts.info, scale)
        else:
            check_box(calls.facts.info, box, scale)
            request.box.CopyFrom(box_to_proto(box))
        tries, begun = Tries(context), False
        while True:
            try:
                for runs in self._runs(request):
                    begun = True
                    yield runs
            except grpc.RpcError as error:
                address = calls.stubs.addresses["volume"]
                # Runs come in no order that two streams would share: once some came, no other can go on.
                if begun or not is_break(error):
                    raise from_rpc_error(error, address) from None
                tries.broke(from_rpc_error(error, address))
                continue
            return

    def _runs(self, request: segment_pb2.ReadSegmentVoxelsRequest) -> Iterator[Runs]:
        """One stream."""
        calls = self.calls
        assembler = RunsAssembler()
        call = calls.stubs.segment.ReadSegmentVoxels(request, timeout=calls.timeout(None))
        try:
            for response in call:
                calls.options.context.check()
                runs = assembler.add(response)
                if runs is not None:
                    yield runs
        finally:
            # Whoever stops iterating stops the server's search too.
            call.cancel()
        assembler.finish()

    def supervoxels_of(self, segment_id: int) -> list[int]:
        """The supervoxels of a body; see `Supervoxels.supervoxels_of`."""
        request = segment_pb2.GetSupervoxelsRequest(**self.calls.names, segment_ids=[segment_id])
        bodies = self.calls.unary(self.calls.stubs.segment.GetSupervoxels, request).bodies
        (body,) = _one_for_each(list(bodies), [segment_id])
        if body.HasField("error"):
            raise error_from_item(body.error)
        return list(body.supervoxel_ids)

    def bodies_of(self, supervoxel_ids: Sequence[int]) -> list[int]:
        """The body of each supervoxel; see `Supervoxels.bodies_of`."""
        request = segment_pb2.LookupBodiesRequest(**self.calls.names, supervoxel_ids=supervoxel_ids)
        found = self.calls.unary(self.calls.stubs.segment.LookupBodies, request).segment_ids
        return _one_for_each(list(found), supervoxel_ids)

    def reserve_segment_ids(self, count: int) -> int:
        """Reserve ids; see `SegmentIdReservation.reserve_segment_ids`."""
        request = segment_pb2.ReserveSegmentIdsRequest(**self.calls.names, count=count)
        answer = self.calls.unary(self.calls.stubs.segment.ReserveSegmentIds, request)
        if answer.count != count:
            raise IncompleteAnswer(f"{answer.count} ids were reserved instead of {count}", "use none of them")
        return int(answer.first_segment_id)


def _one_for_each(answers: list[Any], asked: Sequence[Any]) -> list[Any]:
    if len(answers) != len(asked):
        raise IncompleteAnswer(f"{len(answers)} answers came to {len(asked)} questions", "ask again")
    return answers
