import threading

import numpy as np
import pytest

from support.fakes import Hooked
from voxgate.model.errors import Cancelled, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_blocks.readahead import ReadAhead, Selection, read_blocks
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
