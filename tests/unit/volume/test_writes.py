import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import EmptyBox, LimitExceeded, OutOfBounds, ReadOnly, WriteIncomplete, WriteOverlap
from voxgate.model.geometry import Box, Vec3, VoxelSize, covered_once, grid_cells
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote
from voxgate_volume.writes import GranuleWriter

BOUNDS = Box.of(x=(-5, 42), y=(10, 41), z=(3, 22))
CHUNK = Vec3(16, 8, 5)


def memory():
    level = ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), chunk_shape=CHUNK)
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    return remote.create(("v",), VolumeSpec(np.dtype("<u4"), VolumeKind.SEGMENTATION, (level,)))


def voxels_of(box, seed=0):
    return np.random.default_rng(seed).integers(1, 2**32, (1, *box.shape.zyx), dtype=np.uint32)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), cell=st.tuples(st.integers(7, 30), st.integers(5, 20), st.integers(3, 12)))
def test_chunks_in_any_cut_and_order_write_the_whole_box(data, cell):
    volume = memory()
    box = Box.of(x=(-3, 40), y=(11, 39), z=(4, 21))
    voxels = voxels_of(box)
    writer = GranuleWriter(volume, box, 0, budget_bytes=1 << 20)
    parts = data.draw(st.permutations(list(grid_cells(box, Vec3(*cell), box.start))[:40]))
    rest = list(grid_cells(box, Vec3(*cell), box.start))[40:]
    for part in [*parts, *rest]:
        writer.add(part, voxels[(slice(None), *part.slices_zyx(box.start))])
    report = writer.finish()
    assert not report.failures
    assert report.size_bytes == voxels.nbytes
    assert covered_once(box, report.written)
    np.testing.assert_array_equal(volume.read(box), voxels)
    np.testing.assert_array_equal(volume.read(Box.of(x=(-5, -3), y=(10, 41), z=(3, 22))), 0)


def test_what_is_wrong_from_the_start_is_refused_at_the_start():
    volume = memory()
    with pytest.raises(EmptyBox):
        GranuleWriter(volume, Box.of(x=(0, 0), y=(11, 12), z=(4, 5)), 0, 1 << 20)
    with pytest.raises(OutOfBounds):
        GranuleWriter(volume, Box.of(x=(-6, 0), y=(11, 12), z=(4, 5)), 0, 1 << 20)

    class Sealed:
        info = volume.info

        def capability(self, kind):
            return None

    with pytest.raises(ReadOnly):
        GranuleWriter(Sealed(), BOUNDS, 0, 1 << 20)


def test_a_stray_an_overlap_and_too_many_open_granules_are_refused():
    volume = memory()
    box = Box.of(x=(-5, 42), y=(10, 41), z=(3, 8))
    writer = GranuleWriter(volume, box, 0, budget_bytes=6000)
    with pytest.raises(OutOfBounds):
        writer.add(Box.of(x=(-5, 11), y=(10, 18), z=(8, 9)), voxels_of(Box.of(x=(-5, 11), y=(10, 18), z=(8, 9))))
    first = Box.of(x=(-5, 11), y=(10, 18), z=(3, 5))
    writer.add(first, voxels_of(first))
    with pytest.raises(WriteOverlap):
        writer.add(Box.of(x=(0, 2), y=(10, 12), z=(4, 6)), voxels_of(Box.of(x=(0, 2), y=(10, 12), z=(4, 6))))
    row = Box.of(x=(-5, 42), y=(20, 21), z=(3, 4))
    with pytest.raises(LimitExceeded):
        writer.add(row, voxels_of(row))
    with pytest.raises(WriteIncomplete):
        writer.finish()
    assert not volume.read(BOUNDS).any()


def test_a_finished_granule_cannot_be_sent_again():
    volume = memory()
    box = Box.of(x=(-5, 11), y=(10, 18), z=(3, 13))
    lower = Box.of(x=(-5, 11), y=(10, 18), z=(3, 8))
    writer = GranuleWriter(volume, box, 0, 1 << 20)
    writer.add(lower, voxels_of(lower))
    with pytest.raises(WriteOverlap):
        writer.add(lower, voxels_of(lower, 1))
    report = writer.finish()
    assert report.written == [lower]
    assert [failed for failed, _ in report.failures] == [Box.of(x=(-5, 11), y=(10, 18), z=(8, 13))]
    np.testing.assert_array_equal(volume.read(lower), voxels_of(lower))


def test_a_chunk_that_is_more_than_its_stream_may_hold_is_refused_before_it_is_decoded():
    writer = GranuleWriter(memory(), BOUNDS, 0, budget_bytes=4 * CHUNK.product + 1)
    writer.check_room(Box.at(BOUNDS.start, CHUNK))
    with pytest.raises(LimitExceeded) as refused:
        writer.check_room(Box.at(BOUNDS.start, CHUNK + Vec3(1, 0, 0)))
    assert refused.value.details["limit"] == str(4 * CHUNK.product + 1)
