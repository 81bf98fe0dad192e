"""What segment questions do with a store that knows, and with the server's bytes: without a server."""

import threading

import numpy as np
import pytest

from support.native_segments import ALL, NativeSegments
from support.segment_service import BOUNDS, HUGE, SEARCHED, START, VOXELS
from voxgate.model.errors import (
    DeadlineExceeded,
    InvalidArgument,
    MissingCapability,
    SegmentNotFound,
    StoreUnavailable,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentExtent, SegmentExtents
from voxgate.model.volumes import CallContext, ReadTuning, Tuned
from voxgate.v1 import segment_pb2 as pb
from voxgate_blocks.scanning import ScanLimits
from voxgate_serving.budget import ByteBudget
from voxgate_volume.segment_messages import RunMessages
from voxgate_volume.segment_work import FoundRuns, Work, bodies_of, reserve_ids, supervoxels_of

ENOUGH = ScanLimits(10**6)
ALL_BYTES = 1 << 24


def work(volume, context=None, limits=ENOUGH, budget=None):
    return Work(volume, 0, limits, budget or ByteBudget(ALL_BYTES), context or CallContext())


class Slow(NativeSegments):
    """Knows extents; counts how many questions are answered at once, and waits until `together` are."""

    tuning = ReadTuning(parallel_reads=3)

    def __init__(self, together):
        super().__init__(VOXELS, START, SEARCHED.info, (SegmentExtents, Tuned))
        self.all_here = threading.Barrier(together)
        self.now = self.most = 0
        self.lock = threading.Lock()

    def segment_extent(self, segment_id, *, scale=0):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.all_here.wait(30)
        with self.lock:
            self.now -= 1
        return SegmentExtent(segment_id, BOUNDS, False)


def test_a_store_is_asked_for_as_many_segments_at_once_as_it_likes():
    volume = Slow(together=3)
    found = work(volume).extents(range(1, 13)).value
    assert [extent.segment_id for extent in found] == list(range(1, 13))
    assert volume.most == 3


def test_a_store_that_fails_for_one_segment_fails_the_call():
    class Failing(NativeSegments):
        def segment_extent(self, segment_id, *, scale=0):
            if segment_id == HUGE:
                raise StoreUnavailable("no answer", "wait")
            return super().segment_extent(segment_id)

    volume = Failing(VOXELS, START, SEARCHED.info, (SegmentExtents,))
    with pytest.raises(StoreUnavailable):
        work(volume).extents([1, HUGE, 2**32 + 5])
    (missing,) = work(volume).extents([12345]).value
    assert isinstance(missing, SegmentNotFound)


def test_the_deadline_ends_waiting_for_a_store():
    release = threading.Event()

    class Hanging(NativeSegments):
        def segment_extent(self, segment_id, *, scale=0):
            release.wait(60)
            return super().segment_extent(segment_id)

    volume = Hanging(VOXELS, START, SEARCHED.info, (SegmentExtents,))
    try:
        with pytest.raises(DeadlineExceeded):
            work(volume, CallContext(deadline=0.0)).extents([HUGE])
    finally:
        release.set()


@pytest.mark.parametrize("volume", [SEARCHED, NativeSegments(VOXELS, START, SEARCHED.info)], ids=["searched", "native"])
@pytest.mark.parametrize("end", ["whole", "closed", "unbegun"])
def test_the_servers_bytes_come_back_however_a_stream_ends(volume, end):
    budget = ByteBudget(1000)
    pieces = work(volume, limits=ScanLimits(10**6, in_flight_bytes=1000), budget=budget).runs(HUGE, None).value
    if end == "whole":
        assert sum(len(piece.runs) for piece in pieces)
    elif end == "closed":
        next(pieces)
    pieces.close()
    with budget.share(1000, CallContext(), patience_s=0.0) as free:
        assert free == 1000


def test_a_search_holds_no_more_than_its_box_needs():
    budget = ByteBudget(ALL_BYTES)
    small = Box.at(START, Vec3(3, 2, 2))
    pieces = work(SEARCHED, budget=budget).runs(int(VOXELS[0, 0, 0]), small).value
    next(pieces)
    with budget.share(ALL_BYTES - 1000, CallContext(), patience_s=0.0) as free:
        assert free == ALL_BYTES - 1000
    pieces.close()


def test_nothing_is_reserved_for_a_senseless_count():
    volume = NativeSegments(VOXELS, START, SEARCHED.info)
    with pytest.raises(InvalidArgument):
        reserve_ids(volume, 0)
    assert volume.asked["reserve"] == 0


def test_a_store_without_bodies_says_which_capability_is_missing():
    for ask in (lambda: bodies_of(SEARCHED, [1]), lambda: supervoxels_of(SEARCHED, [1], CallContext())):
        with pytest.raises(MissingCapability) as caught:
            ask()
        assert caught.value.details == {"capability": "supervoxels"}


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def piece(count, length=1):
    return FoundRuns(np.full((count, 4), length, np.int64), 10, 20)


def answers(pieces, clock, seconds):
    def slowly():
        for each in pieces:
            clock.now += seconds
            yield each

    return list(RunMessages(pb.SegmentVoxelsHeader(scale_index=3), clock=clock).stream(slowly()))


def kinds(messages):
    return [next(name for name in ("header", "summary", "progress", "data") if _has(each, name)) for each in messages]


def _has(message, name):
    return bool(message.data) if name == "data" else message.HasField(name)


def test_blocks_without_the_segment_are_told_as_progress_now_and_then():
    nothing = [FoundRuns(np.empty((0, 4), np.int64), done, 60) for done in (10, 20, 30, 40, 50, 60)]
    messages = answers(nothing, Clock(), 2.0)
    assert kinds(messages) == ["header", "progress", "progress", "summary"]
    assert [each.progress.done_bytes for each in messages[1:3]] == [30, 60]


def test_few_runs_wait_for_more_but_not_for_long():
    assert kinds(answers([piece(1)] * 4, Clock(), 0.0)) == ["header", "data", "summary"]
    messages = answers([piece(1)] * 4, Clock(), 3.0)
    assert [each.run_count for each in messages] == [0, 2, 2, 0]


def test_waiting_for_a_store_sends_what_is_there_then_progress():
    messages = answers([piece(2), FoundRuns(None), FoundRuns(None)], Clock(), 5.0)
    assert kinds(messages) == ["header", "data", "progress", "progress", "summary"]


def test_a_piece_of_any_size_goes_out_in_messages_of_at_most_2_mib():
    messages = answers([piece(150_000, 7)], Clock(), 0.0)
    assert [each.run_count for each in messages] == [0, 65536, 65536, 18928, 0]
    assert max(len(each.data) for each in messages) == 2 << 20
    assert (messages[-1].summary.run_count, messages[-1].summary.voxel_count) == (150_000, 1_050_000)


def test_every_question_has_a_store_that_answers_it():
    volume = NativeSegments(VOXELS, START, SEARCHED.info, ALL)
    asked = work(volume)
    answered = (asked.ids_in(BOUNDS), asked.counts_in(BOUNDS), asked.at([START]), asked.extents([HUGE]))
    assert all(each.is_native for each in (*answered, asked.runs(HUGE, BOUNDS)))
    assert not any(isinstance(each, VoxgateError) for each in asked.extents([HUGE]).value)
