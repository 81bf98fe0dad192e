"""Segments on the wire: extents with their errors, and runs of voxels as bytes."""

from __future__ import annotations

import numpy as np

from voxgate.model.errors import IncompleteAnswer, VoxgateError
from voxgate.model.segments import Runs, SegmentExtent
from voxgate.v1 import segment_pb2 as pb
from voxgate.wire.errors import error_from_item, item_from_error
from voxgate.wire.volumes import box_from_proto, box_to_proto

RUN_BYTES = 32
"""A run is four little-endian int64."""


def bounds_to_proto(segment_id: int, answer: SegmentExtent | VoxgateError) -> pb.SegmentBounds:
    """Where a segment is, or why that is not known."""
    if isinstance(answer, VoxgateError):
        return pb.SegmentBounds(segment_id=segment_id, error=item_from_error(answer))
    return pb.SegmentBounds(
        segment_id=segment_id,
        box=box_to_proto(answer.box),
        is_exact=answer.is_exact,
        voxel_count=answer.voxel_count,
    )


def bounds_from_proto(message: pb.SegmentBounds) -> SegmentExtent | VoxgateError:
    """Where a segment is, or why that is not known.

    Raises:
        IncompleteAnswer: for a message with neither.
    """
    if message.HasField("error"):
        return error_from_item(message.error)
    if not message.HasField("box"):
        raise IncompleteAnswer(f"segment {message.segment_id} has neither a box nor an error", "ask again")
    count = message.voxel_count if message.HasField("voxel_count") else None
    return SegmentExtent(message.segment_id, box_from_proto(message.box), message.is_exact, count)


def runs_to_bytes(runs: Runs) -> bytes:
    """Runs as the contract has them: x, y, z, length of each as little-endian int64.

    Args:
        runs: int64 array of shape (n, 4).
    """
    return runs.astype("<i8", order="C", copy=False).tobytes()


class RunsAssembler:
    """The messages of one ReadSegmentVoxels, checked as they come."""

    def __init__(self) -> None:
        self._is_begun = False
        self._summary: pb.SegmentVoxelsSummary | None = None
        self._runs = self._voxels = 0

    def add(self, response: pb.ReadSegmentVoxelsResponse) -> Runs | None:
        """The runs of a message, int64 array of shape (n, 4); None of one without.

        Raises:
            IncompleteAnswer: when the stream breaks the contract.
        """
        if not self._is_begun and not response.HasField("header"):
            raise IncompleteAnswer("the first message has no header", "ask again")
        self._is_begun = True
        if self._summary is not None:
            raise IncompleteAnswer("a message came after the summary", "ask again")
        if response.HasField("summary"):
            self._summary = response.summary
        if not response.run_count and not response.data:
            return None
        if len(response.data) != response.run_count * RUN_BYTES:
            raise IncompleteAnswer(f"{len(response.data)} bytes are not {response.run_count} runs", "ask again")
        runs = np.frombuffer(response.data, "<i8").astype(np.int64, copy=False).reshape(-1, 4)
        if runs[:, 3].min() < 1:
            raise IncompleteAnswer("a run without voxels came", "ask again; report it if it stays")
        self._runs += len(runs)
        self._voxels += int(runs[:, 3].sum())
        return runs

    def finish(self) -> None:
        """Check that the stream was whole.

        Raises:
            IncompleteAnswer: when it was not.
        """
        if self._summary is None:
            raise IncompleteAnswer("the stream ended before its summary", "ask again")
        told = (self._summary.run_count, self._summary.voxel_count)
        if told != (self._runs, self._voxels):
            raise IncompleteAnswer(
                f"{self._runs} runs of {self._voxels} voxels came, the summary says {told[0]} of {told[1]}", "ask again"
            )
