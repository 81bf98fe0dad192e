"""However a segment is found, it is meshed whole; and no more is read than that takes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mesh_searches import Indexed, answers, blocks_read, connected, indexed, scaled
from support.mesh_volumes import OFFSET, CountingVolume, as_trimesh, blobs, segmentation, triangles
from voxgate.model.errors import (
    LimitExceeded,
    MissingCapability,
    SegmentNotFound,
    SegmentSuperseded,
    StoreRefused,
    StoreUnavailable,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshFailure
from voxgate_mesh.checks import MeshLimits

HUGE = 2**63 + 5
BLOCKS = st.builds(Vec3, st.integers(1, 9), st.integers(2, 9), st.integers(2, 9))
WHOLE = Vec3(99, 99, 99)
BLOCK = Vec3(6, 5, 4)


def assert_same(found, expected):
    for segment_id, other in expected.items():
        one = found[segment_id]
        assert type(one) is type(other), one
        if isinstance(one, Mesh):
            assert triangles(one) == triangles(other)
            assert len(one.vertices) == len(other.vertices)
            assert one.statistics.voxel_count == other.statistics.voxel_count


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), block=BLOCKS, closed=st.booleans(), grown=st.integers(0, 5))
def test_by_the_index_random_labels_are_meshed_as_the_whole_is(seed, block, closed, grown):
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([0, 0, 0, 0, 0, 4, HUGE], np.uint64), (7, 9, 11))
    labels[:, 4:, 6:][labels[:, 4:, 6:] == 4] = 0
    labels[0, 0, 0], labels[6, 8, 10] = 4, HUGE
    volume, _ = indexed(labels, grown=grown)
    found = answers(volume, [HUGE, 4], block=block, closed=closed)
    assert {answer.search for answer in found.values()} == {"index"}
    assert_same(found, answers(segmentation(labels), [HUGE, 4], block=WHOLE, closed=closed))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), block=BLOCKS, closed=st.booleans(), keep=st.sampled_from([0, 60, 1 << 20]))
def test_by_the_pyramid_connected_bodies_are_meshed_as_the_whole_is(seed, block, closed, keep):
    labels = blobs(seed, shape=(11, 13, 16))
    ids = [int(each) for each in np.unique(labels) if each]
    for each in ids:
        labels = connected(labels, each)
    volume = scaled(labels)
    expected = answers(segmentation(labels), ids, block=WHOLE, closed=closed)
    found = answers(volume, ids, search="pyramid", block=block, closed=closed, keep=keep)
    coarse = volume.read(volume.info.scales[1].bounds, scale=1)
    for each in ids:
        if each in coarse:
            assert found[each].search == "pyramid"
        else:
            assert isinstance(found.pop(each).error, SegmentNotFound)
            del expected[each]
    assert_same(found, expected)


def test_the_index_says_which_blocks_are_read_and_bounds_cut_its_boxes():
    labels = np.zeros((40, 50, 60), np.uint64)
    labels[10:13, 20:22, 30:37] = HUGE
    labels[33, 44, 55] = 7
    volume, counting = indexed(labels)
    mesh = answers(volume, [HUGE], block=BLOCK)[HUGE]
    assert mesh.statistics.voxel_count == 3 * 2 * 7
    assert as_trimesh(mesh).is_watertight
    # z 110:113 in blocks of 4 from 100; y 32:34 in blocks of 5 from 12; x 23:30 in blocks of 6 from -7.
    assert blocks_read(counting, BLOCK) == dict.fromkeys([(z, 4, x) for z in (2, 3) for x in (5, 6)], 1)
    counting.reads.clear()
    bounds = Box(Vec3(-7, 12, 100), Vec3(26, 62, 140))
    cut = answers(volume, [HUGE], block=BLOCK, bounds=bounds)[HUGE]
    assert cut.statistics.voxel_count == 3 * 2 * 3
    assert_same({HUGE: cut}, answers(segmentation(labels), [HUGE], block=WHOLE, bounds=bounds))
    assert all(bounds.contains(box) for _, box in counting.reads)
    outside = answers(volume, [7], block=BLOCK, bounds=bounds)[7]
    assert isinstance(outside.error, SegmentNotFound)


def test_what_the_store_says_of_one_segment_is_the_answer_to_that_one_alone():
    labels = blobs(5, ids=(3, 2**53 + 1))
    gone = SegmentSuperseded("it was merged", "ask for 3", details={"current": "3"})
    volume, _ = indexed(labels, refusals={8: gone, 9: SegmentNotFound("no such body")})
    found = answers(volume, [8, 3, 9], block=BLOCK)
    assert found[8].error is gone
    assert isinstance(found[9].error, SegmentNotFound)
    assert_same({3: found[3]}, answers(segmentation(labels), [3], block=WHOLE))


def test_an_index_that_is_behind_the_voxels_is_noticed_where_it_counts_them():
    labels = blobs(5, ids=(3, 9))
    counts = {each: int(np.count_nonzero(labels == np.uint64(each))) for each in (3, 9)}
    volume, _ = indexed(labels, told=counts | {9: counts[9] + 1})
    found = answers(volume, [3, 9], block=BLOCK)
    assert isinstance(found[3], Mesh)
    assert isinstance(found[9].error, StoreUnavailable)
    assert "everywhere" in found[9].error.remedy
    bounds = Box(Vec3(-6, 12, 100), Vec3(20, 30, 117))
    assert isinstance(answers(volume, [9], block=BLOCK, bounds=bounds)[9], Mesh)


def test_an_id_that_no_voxel_can_hold_is_not_asked_for():
    labels = np.full((3, 4, 5), 200, np.uint8)
    volume, _ = indexed(labels)
    found = answers(volume, [456, 200])
    assert isinstance(found[456].error, SegmentNotFound)
    assert isinstance(found[200], Mesh)
    assert volume.asked == {200: 1}


def test_an_index_that_cannot_tell_is_done_without_unless_it_was_asked_for():
    labels = blobs(6, ids=(3, 9))
    volume, _ = indexed(labels, refusals={3: StoreRefused("cuboids without voxels", "later")})
    found = answers(volume, [3, 9], block=BLOCK)
    assert {answer.search for answer in found.values()} == {"everywhere"}
    assert_same(found, answers(segmentation(labels), [3, 9], block=WHOLE))
    asked_for = answers(volume, [3, 9], block=BLOCK, search="index")
    assert isinstance(asked_for[3].error, StoreRefused)
    assert asked_for[9].search == "index"


def test_a_store_that_fails_to_say_where_segments_are_fails_the_call():
    volume, counting = indexed(blobs(6), refusals={3: StoreUnavailable("no answer", "wait")})
    with pytest.raises(StoreUnavailable):
        answers(volume, [3])
    assert counting.reads == []


def test_another_server_that_would_search_all_voxels_is_no_index():
    labels = blobs(7, ids=(3, 9))
    volume, _ = indexed(labels, powers={"read", "segment_lookup"})
    assert answers(volume, [3], block=BLOCK)[3].search == "everywhere"
    with pytest.raises(MissingCapability) as caught:
        answers(volume, [3], search="index")
    assert caught.value.details == {"capability": "segment_bounds"}
    assert not volume.asked
    volume.powers = {"read", "segment_bounds"}
    assert answers(volume, [3], block=BLOCK)[3].search == "index"


def test_an_index_is_not_asked_more_questions_than_looking_everywhere_takes_reads():
    labels = np.arange(1, 4 * 5 * 6 + 1, dtype=np.uint64).reshape(4, 5, 6)
    volume, counting = indexed(labels)
    found = answers(volume, range(1, 41), block=Vec3(3, 5, 4))
    assert {answer.search for answer in found.values()} == {"everywhere"}
    assert not volume.asked
    assert len(counting.reads) == 2
    assert {answer.search for answer in answers(volume, range(1, 41), block=Vec3(1, 2, 1)).values()} == {"index"}
    found = answers(volume, range(1, 41), block=Vec3(3, 5, 4), search="index")
    assert {answer.search for answer in found.values()} == {"index"}


def test_an_index_is_asked_for_nothing_where_another_search_is_wanted():
    labels = blobs(7, ids=(3, 9))
    volume, _ = indexed(labels)
    assert answers(volume, [3], search="everywhere")[3].search == "everywhere"
    assert not volume.asked


def test_boxes_of_too_many_voxels_give_way_to_the_pyramid_or_are_refused_with_the_scale_that_fits():
    labels = np.zeros((40, 50, 60), np.uint64)
    labels[20, 25, :] = labels[:, 25, 30] = labels[20, :, 30] = HUGE  # a box of everything, and few blocks
    below = scaled(labels, [VoxelSize(8.0, 12.0, 80.0), VoxelSize(16.0, 24.0, 160.0)])
    volume, limits = Indexed(below, labels), MeshLimits(max_scan_voxel_count=40_000)
    mesh = answers(volume, [HUGE], block=BLOCK, limits=limits)[HUGE]
    assert mesh.search == "pyramid"
    assert_same({HUGE: mesh}, answers(segmentation(labels), [HUGE], block=WHOLE))
    with pytest.raises(LimitExceeded, match="1 \\('1'\\) fits") as caught:
        answers(volume, [HUGE], block=BLOCK, limits=limits, search="index")
    assert caught.value.details == {"limit": "40000", "asked": "120000", "scale": "1", "scale_key": "1"}
    for search in ("auto", "index"):
        with pytest.raises(LimitExceeded, match="bounds"):
            answers(indexed(labels)[0], [HUGE], block=BLOCK, limits=limits, search=search)


def test_a_search_everywhere_has_a_budget_and_names_the_scale_that_fits():
    labels = np.ones((10, 12, 14), np.uint16)
    volume = scaled(labels, [VoxelSize(4.0, 6.0, 80.0), VoxelSize(8.0, 12.0, 160.0)])
    limits = MeshLimits(max_scan_voxel_count=500)
    with pytest.raises(LimitExceeded, match="2 \\('2'\\) fits") as caught:
        answers(volume, [1], search="everywhere", limits=limits)
    assert caught.value.details == {"limit": "500", "asked": "1680", "scale": "2", "scale_key": "2"}
    assert volume.reads == []
    bounds = Box(OFFSET, OFFSET.__add__(Vec3(5, 6, 7)))
    assert answers(volume, [1], search="everywhere", limits=limits, bounds=bounds)[1].statistics.voxel_count == 210


def test_a_plan_of_billions_of_blocks_is_not_gone_through():
    class Vast(CountingVolume):
        """Bounds of half a million voxels along each axis, in which one box is not 0."""

        def __init__(self, body):
            super().__init__(segmentation(np.zeros((2, 2, 2), np.uint64)))
            scale = self.info.scales[0]
            edges = Box(OFFSET, Vec3(500_000, 400_000, 300_000))
            from dataclasses import replace

            self.info = replace(self.info, scales=(replace(scale, bounds=edges, stored_chunk_shape=Vec3(64, 64, 64)),))
            self.body = body

        def read(self, box, *, scale=0, channels=None, out=None):
            self.reads.append((scale, box))
            voxels = np.zeros((1, *box.shape.zyx), np.uint64)
            inside = box.intersection(self.body)
            if not inside.is_empty:
                voxels[(0, *inside.slices_zyx(box.start))] = HUGE
            return voxels

    class Known(Indexed):
        def segment_extent(self, segment_id, *, scale=0):
            from voxgate.model.segments import SegmentExtent

            return SegmentExtent(segment_id, body, True)

    body = Box(Vec3(249_000, 199_010, 149_020), Vec3(249_140, 199_150, 149_160))
    below = Vast(body)
    mesh = answers(Known(below, None), [HUGE])[HUGE]
    assert mesh.statistics.voxel_count == body.voxel_count
    assert as_trimesh(mesh).is_watertight
    assert len(below.reads) <= 27
    assert mesh.bounds_nm.tolist() == [
        [249_000 * 4, 199_010 * 6, 149_020 * 40],
        [249_140 * 4, 199_150 * 6, 149_160 * 40],
    ]


def test_the_volume_of_one_label_is_found_by_every_search():
    labels = np.full((9, 11, 13), HUGE, np.uint64)
    expected = answers(segmentation(labels), [HUGE], block=WHOLE)
    below = scaled(labels)
    for search in ("index", "everywhere", "pyramid", "auto"):
        found = answers(Indexed(below, labels, grown=3), [HUGE], search=search, block=Vec3(4, 3, 5))
        assert_same(found, expected)
        assert found[HUGE].statistics.watertight
    assert isinstance(answers(below, [77], search="pyramid")[77], MeshFailure)
