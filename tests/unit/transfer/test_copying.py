import hashlib

import numpy as np
import pytest

from support.transfers import BOXES, CHUNK, Door, DoorState, source_spec, voxels_of_scale
from voxgate.model.errors import ChunkCorrupt, ReadOnly, VerificationFailed
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import (
    Channel,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.memory import MemoryVolume
from voxgate_transfer import copying
from voxgate_transfer.copying import Rules, copy_task
from voxgate_transfer.planner import Task, plan_transfer

TASK = Task(1, Box.of(x=(-12, 14), y=(20, 38), z=(-7, 13)), 1)


@pytest.fixture
def source() -> MemoryVolume:
    volume = MemoryVolume.create(source_spec())
    for index, box in enumerate(BOXES):
        volume.write(box, voxels_of_scale(index), scale=index)
    return volume


@pytest.fixture
def destination() -> MemoryVolume:
    return MemoryVolume.create(source_spec(fill_value=9))


def test_a_task_arrives_and_its_checksum_is_that_of_its_bytes(source, destination):
    result = copy_task(source, destination, TASK)
    expected = voxels_of_scale(1)[:, *TASK.box.slices_zyx(BOXES[1].start)]
    assert np.array_equal(destination.read(TASK.box, scale=1), expected)
    assert result.byte_count == expected.nbytes
    assert result.checksum == hashlib.sha256(expected.tobytes()).digest()


def test_voxels_outside_of_the_task_are_not_touched(source, destination):
    copy_task(source, destination, TASK)
    assert (destination.read(Box.of(x=(14, 24), y=(20, 42), z=(-7, 14)), scale=1) == 9).all()
    assert (destination.read(BOXES[0], scale=0) == 9).all()


def test_a_task_may_be_repeated(source, destination):
    assert copy_task(source, destination, TASK) == copy_task(source, destination, TASK)


def test_zeros_are_written_over_another_fill_value():
    source, destination = (MemoryVolume.create(source_spec(fill_value=fill)) for fill in (0, 9))
    source.write(BOXES[0], np.zeros_like(voxels_of_scale(0)))
    for task in plan_transfer(source.info, destination.info, task_bytes=4096):
        copy_task(source, destination, task)
    assert not destination.read(BOXES[0]).any()


def test_voxels_that_the_source_does_not_store_arrive_as_its_fill_value():
    source, destination = (MemoryVolume.create(source_spec(fill_value=fill)) for fill in (2**63 + 1, 0))
    copy_task(source, destination, TASK)
    assert (destination.read(TASK.box, scale=1) == 2**63 + 1).all()


@pytest.mark.parametrize("slab_bytes", [1, 40_000, 1 << 30])
@pytest.mark.parametrize("corrupt", [Vec3(-12, 20, -7), Vec3(13, 37, 12), Vec3(0, 33, 3)])
def test_one_wrong_byte_in_what_comes_back_is_found_wherever_it_is(
    source, destination, corrupt, slab_bytes, monkeypatch
):
    monkeypatch.setattr(copying, "SLAB_BYTES", slab_bytes)
    state = DoorState()
    door = Door(destination, state)
    copy_task(source, door, TASK)
    state.corrupt = corrupt
    with pytest.raises(VerificationFailed) as failed:
        copy_task(source, door, TASK)
    assert failed.value.details["scale"] == "1"
    assert failed.value.details["box"] in str(failed.value)


def test_reading_back_goes_slab_by_slab_of_whole_stored_chunks(source, destination, monkeypatch):
    monkeypatch.setattr(copying, "SLAB_BYTES", 1)
    state = DoorState()
    copy_task(source, Door(destination, state), TASK)
    assert sorted((box.start.z, box.stop.z) for _, box in state.reads) == [(-7, -2), (-2, 3), (3, 8), (8, 13)]
    assert CHUNK.z == 5


def test_nan_equals_itself_and_negative_zero_does_not_equal_zero():
    box = Box.of(x=(3, 8), y=(-4, -1), z=(10, 12))
    spec = VolumeSpec(np.dtype("<f4"), VolumeKind.IMAGE, (ScaleSpec(box),), (Channel("a"), Channel("b")))
    source, destination = MemoryVolume.create(spec), MemoryVolume.create(spec)
    voxels = np.full((2, *box.shape.zyx), np.nan, "<f4")
    voxels[1, 1, 2, 4] = -0.0
    source.write(box, voxels)
    copy_task(source, destination, Task(0, box, 0))
    assert destination.read(box).tobytes() == voxels.tobytes()

    class Rounding(Door):
        def read(self, box, *, scale=0, channels=None, out=None):
            return super().read(box, scale=scale, channels=channels, out=out) + np.float32(0)  # -0.0 + 0.0 is 0.0

    with pytest.raises(VerificationFailed):
        copy_task(source, Rounding(destination, DoorState()), Task(0, box, 0))


def test_a_destination_without_the_power_to_be_written_is_refused(source, destination):
    assert destination.read_only().capability(Writable) is None
    with pytest.raises(ReadOnly):
        copy_task(source, destination.read_only(), TASK)


def test_of_a_store_that_keeps_one_block_in_200_wrong_and_says_nothing_every_one_is_found(source):
    destination = MemoryVolume.create(source_spec(Vec3(4, 3, 2)))
    plan = plan_transfer(source.info, destination.info, task_bytes=1)
    rng = np.random.default_rng(20)
    wrong = set(rng.choice(plan.task_count, plan.task_count // 200, replace=False).tolist())
    assert len(wrong) > 10

    class Corrupting(Door):
        number = 0

        def write(self, box, voxels, *, scale=0):
            if self.number in wrong:
                voxels = voxels.copy()
                voxels.view("u1").flat[int(rng.integers(voxels.nbytes))] ^= 1 << int(rng.integers(8))
            super().write(box, voxels, scale=scale)

    door, found = Corrupting(destination, DoorState()), set()
    for door.number, task in enumerate(plan):
        try:
            copy_task(source, door, task)
        except VerificationFailed:
            found.add(door.number)
    assert found == wrong


def test_a_block_that_cannot_be_read_is_written_anew_by_an_update(source, destination):
    class Damaged(Door):
        is_damaged = True

        def read(self, box, *, scale=0, channels=None, out=None):
            if self.is_damaged:
                raise ChunkCorrupt("a stored chunk cannot be decoded")
            return super().read(box, scale=scale, channels=channels, out=out)

        def write(self, box, voxels, *, scale=0):
            self.is_damaged = False
            super().write(box, voxels, scale=scale)

    door = Damaged(destination, DoorState())
    assert not copy_task(source, door, TASK, Rules(keep_equal=True)).skipped
    assert copy_task(source, door, TASK, Rules(keep_equal=True)).skipped
