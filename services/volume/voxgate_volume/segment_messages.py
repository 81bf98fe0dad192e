"""The stream of a segment's voxels: runs batched into messages, progress while there is nothing else to send."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

import numpy as np

from voxgate.model.segments import Runs
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import types_pb2
from voxgate.wire.segments import RUN_BYTES, runs_to_bytes
from voxgate_serving.settings import MAX_MESSAGE_BYTES
from voxgate_volume.segment_work import FoundRuns

_MOST_RUNS = MAX_MESSAGE_BYTES // RUN_BYTES
_BATCH_RUNS = _MOST_RUNS // 2
SILENCE_S = 5.0
"""After so long something is sent: the contract allows 15 s of silence, and a block may take a while."""


class RunMessages:
    """The messages of one ReadSegmentVoxels."""

    def __init__(self, header: pb.SegmentVoxelsHeader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._header = header
        self._clock = clock
        self._sent_at = clock()
        self._pending: list[Runs] = []
        self._pending_runs = 0
        self._summary = pb.SegmentVoxelsSummary()

    def stream(self, pieces: Generator[FoundRuns]) -> Iterator[pb.ReadSegmentVoxelsResponse]:
        """Header, runs, summary; progress while nothing else goes out. Closes the pieces however it ends."""
        yield self._sent(pb.ReadSegmentVoxelsResponse(header=self._header))
        with closing(pieces):
            for piece in pieces:
                yield from self._take(piece)
        yield from self._flushed(1)
        yield pb.ReadSegmentVoxelsResponse(summary=self._summary)

    def _take(self, piece: FoundRuns) -> Iterator[pb.ReadSegmentVoxelsResponse]:
        if piece.runs is not None and len(piece.runs):
            self._pending.append(piece.runs)
            self._pending_runs += len(piece.runs)
            self._summary.run_count += len(piece.runs)
            self._summary.voxel_count += int(piece.runs[:, 3].sum())
        yield from self._flushed(_BATCH_RUNS)
        if self._clock() - self._sent_at < SILENCE_S:
            return
        if self._pending_runs:
            yield from self._flushed(1)
            return
        told = types_pb2.Progress(phase="searching", done_bytes=piece.done_bytes, total_bytes=piece.total_bytes)
        yield self._sent(pb.ReadSegmentVoxelsResponse(progress=told))

    def _flushed(self, least: int) -> Iterator[pb.ReadSegmentVoxelsResponse]:
        """What is pending, once it is `least` runs, in messages as large as they may be."""
        if self._pending_runs < least:
            return
        runs = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        self._pending, self._pending_runs = [], 0
        for first in range(0, len(runs), _MOST_RUNS):
            part = runs[first : first + _MOST_RUNS]
            yield self._sent(pb.ReadSegmentVoxelsResponse(run_count=len(part), data=runs_to_bytes(part)))

    def _sent(self, message: pb.ReadSegmentVoxelsResponse) -> pb.ReadSegmentVoxelsResponse:
        self._sent_at = self._clock()
        return message
