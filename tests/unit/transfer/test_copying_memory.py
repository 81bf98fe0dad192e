"""The memory that tasks of a transfer use one after the other."""

import numpy as np
import pytest

from support.transfers import BOXES, source_spec, voxels_of_scale
from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import Writable
from voxgate_remotes.memory import MemoryVolume
from voxgate_transfer.copying import Buffers, Rules, copy_task
from voxgate_transfer.planner import plan_transfer


@pytest.fixture
def source() -> MemoryVolume:
    volume = MemoryVolume.create(source_spec())
    for index, box in enumerate(BOXES):
        volume.write(box, voxels_of_scale(index), scale=index)
    return volume


class Counted(Buffers):
    """Buffers that remember what was taken, and are full of old bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = []

    def take(self, size):
        buffer = super().take(size)
        buffer[:] = 0xA5
        self.taken.append(buffer)
        return buffer


def test_tasks_of_any_size_use_the_same_memory_and_nothing_of_it_arrives(source):
    buffers, destination = Counted(), MemoryVolume.create(source_spec(fill_value=9))
    tasks = list(plan_transfer(source.info, destination.info, task_bytes=4096))
    for task in sorted(tasks, key=lambda task: -task.box.voxel_count):
        assert copy_task(source, destination, task, Rules(), buffers) == copy_task(source, destination, task)
    assert len({task.box.voxel_count for task in tasks}) > 1
    assert len({id(buffer) for buffer in buffers.taken}) == 1
    for index, box in enumerate(BOXES):
        assert np.array_equal(destination.read(box, scale=index), voxels_of_scale(index))


def test_a_larger_task_gets_a_larger_buffer():
    buffers = Buffers()
    buffers.give_back(buffers.take(3))
    assert buffers.take(5).nbytes >= 5


def test_memory_of_a_write_that_failed_is_not_used_again(source):
    """A store may go on reading what it was given for a while after its caller gave up."""

    class Failing:
        def __init__(self, inner):
            self._inner, self.info = inner, inner.info

        def capability(self, kind):
            return self if kind is Writable else None

        def write(self, box, voxels, *, scale=0):
            raise StoreUnavailable("no", "try again")

    buffers, destination = Counted(), MemoryVolume.create(source_spec())
    task = next(iter(plan_transfer(source.info, destination.info)))
    with pytest.raises(StoreUnavailable):
        copy_task(source, Failing(destination), task, Rules(), buffers)
    copy_task(source, destination, task, Rules(), buffers)
    assert buffers.taken[0] is not buffers.taken[1]
