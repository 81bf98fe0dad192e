import threading

import numpy as np
import pytest

from support.fakes import Hooked
from voxgate.model.errors import Cancelled, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_blocks.readahead import ReadAhead, Selection, each_answered, read_blocks, ticking
from voxgate_remotes.memory import MemoryVolume

VOXELS = np.arange(3 * 2 * 80, dtype="<u8").reshape(3, 2, 80)
OFFSET = Vec3(-4, 7, 1000)
BLOCK_BYTES = 4 * 2 * 3 * 8


def volume():
    return MemoryVolume.from_array(
        VOXELS, voxel_offset=OFFSET, voxel_size_nm=VoxelSize(4, 4, 40), kind=VolumeKind.SEGMENTATION
    )


def boxes():
    bounds = Box.at(OFFSET, Vec3(80, 2, 3))
    return list(grid_cells(bounds, Vec3(4, 2, 3), OFFSET))


def test_blocks_come_in_order_and_each_is_read_once():
    counting = Hooked(volume())
    reads = list(read_blocks(counting, boxes(), ahead=ReadAhead(3 * BLOCK_BYTES)))
    assert [box for box, _ in reads] == boxes()
    np.testing.assert_array_equal(np.concatenate([voxels[0] for _, voxels in reads], axis=2), VOXELS)
    assert len(counting.read_times) == len(boxes())


def test_no_more_is_read_ahead_than_allowed_while_nobody_takes_it():
    go = threading.Event()
    blocked = Hooked(volume(), before=lambda box: go.wait(20))
    reads = read_blocks(blocked, boxes(), ahead=ReadAhead(2 * BLOCK_BYTES, threads=4, tick_s=0.1))
    assert next(reads) == (boxes()[0], None)
    assert len(blocked.read_times) == 2
    go.set()
    reads.close()
    assert len(blocked.read_times) == 2


def test_a_caller_who_leaves_is_not_held_by_a_store_that_hangs():
    go = threading.Event()
    context = CallContext()
    blocked = Hooked(volume(), before=lambda box: go.wait(20))
    reads = read_blocks(blocked, boxes(), context=context)
    threading.Timer(0.3, context.stop.set).start()
    with pytest.raises(Cancelled):
        next(reads)
    begun = len(blocked.read_times)
    go.set()
    assert len(blocked.read_times) == begun


def test_a_failure_reaches_the_caller_and_channels_are_selected():
    def fail(box):
        if box == boxes()[5]:
            raise StoreUnavailable("gone")

    reads = read_blocks(Hooked(volume(), before=fail), boxes(), Selection(0, (0, 0)))
    taken = []
    with pytest.raises(StoreUnavailable):
        taken.extend(voxels.shape for _, voxels in reads)
    assert taken == [(2, 3, 2, 4)] * 5


def test_an_iterator_is_ticked_while_it_keeps_us_waiting_and_closed_when_nobody_listens():
    gate, closed = threading.Event(), threading.Event()

    def pieces():
        try:
            yield 1
            gate.wait(60)
            yield 2
        finally:
            closed.set()

    told = ticking(pieces(), CallContext(), 0.0)
    assert next(told) == 1
    assert next(told) is None
    gate.set()
    assert next(each for each in told if each is not None) == 2
    assert list(told) == []
    assert closed.wait(10)

    gate.clear()
    closed.clear()
    context = CallContext()
    told = ticking(pieces(), context, None)
    assert next(told) == 1
    context.stop.set()
    with pytest.raises(Cancelled):
        next(told)
    assert not closed.is_set()  # the store still hangs, and holds nobody
    gate.set()
    assert closed.wait(10)


def test_what_an_iterator_raises_is_raised():
    def failing():
        yield 1
        raise StoreUnavailable("no answer")

    told = ticking(failing(), CallContext(), None)
    assert next(told) == 1
    with pytest.raises(StoreUnavailable):
        next(told)


def test_answers_come_in_the_order_of_the_questions_and_none_is_asked_after_a_failure():
    assert each_answered([3, 1, 2], lambda each: each * 10, threads=2, context=CallContext()) == [30, 10, 20]
    asked = []

    def fail_at_two(each):
        asked.append(each)
        if each == 2:
            raise StoreUnavailable("no answer")
        return each

    with pytest.raises(StoreUnavailable):
        each_answered([1, 2], fail_at_two, threads=1, context=CallContext())
    assert asked == [1, 2]
    assert each_answered([], fail_at_two, threads=1, context=CallContext()) == []
