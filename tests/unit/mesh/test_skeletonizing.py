"""Segments are found, read whole and handed to a skeletonizer, whatever the blocks, scales and stores."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from support.mesh_volumes import CHUNK, OFFSET, SIZE, CountingVolume, segmentation
from voxgate.model.errors import (
    Cancelled,
    ConfigInvalid,
    InternalError,
    InvalidArgument,
    InvalidSegmentId,
    LimitExceeded,
    MissingCapability,
    SegmentNotFound,
    StoreUnavailable,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.segments import SegmentExtent, SegmentExtents
from voxgate.model.skeletons import Skeleton, SkeletonFailure, SkeletonRequest, SkeletonSource, StoredSkeletons, Teasar
from voxgate.model.volumes import CallContext, Relayed, VolumeKind
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.skeleton_sources import Skeletons
from voxgate_mesh.skeletonizers import PackedMask, check_skeletonizer, skeletonize_packed
from voxgate_mesh.skeletonizing import SkeletonSettings, box_at, skeletonize_segments

LONG, SMALL, WIDE, ABSENT = 2**53 + 1, 2**63 + 9, 5, 77


def first_voxels(mask, voxel_size_nm, teasar):
    """A stand-in for a skeletonizer: the first voxel of each connected part, no edges, the parameter as a radius."""
    labels, count = label(mask, np.ones((3, 3, 3)))
    zyx = [np.argwhere(labels == i)[0] for i in range(1, count + 1)]
    return np.array(zyx)[:, ::-1], np.zeros((0, 2), np.uint32), np.full(count, teasar.const_nm, np.float32)


class Here:
    """Runs what is to be run in a worker here, with a skeletonizer of the test's own; keeps what it was given."""

    def __init__(self, skeletonizer=first_voxels):
        self.skeletonizer = skeletonizer
        self.given = []

    def run(self, function, *args, context, tick_s=None):
        yield
        if function is check_skeletonizer:
            if self.skeletonizer is None:
                check_skeletonizer()
            return None
        assert function is skeletonize_packed
        packed, size, teasar = args
        self.given.append((packed.unpacked(), size, teasar))
        return self.skeletonizer(packed.unpacked(), size, teasar)


def labels():
    """A diagonal line that crosses blocks, and by its corners; two parts of one segment; one that touches borders."""
    voxels = np.zeros((9, 11, 17), np.uint64)
    for i in range(8):
        voxels[i, i + 1, 2 * i : 2 * i + 2] = LONG
    voxels[2, 9, 3] = voxels[7, 0:2, 16] = SMALL
    voxels[8] = WIDE
    return voxels


def answers(volume, ids, *, workers=None, settings=None, context=None, **wishes):
    request = SkeletonRequest(tuple(ids), **wishes)
    events = skeletonize_segments(
        volume,
        request,
        workers=workers or Here(),
        context=context or CallContext(),
        settings=settings or SkeletonSettings(),
    )
    found = [event for event in events if not isinstance(event, ScanProgress)]
    assert [each.segment_id for each in found] == list(ids)
    return found


def test_a_mask_survives_packing():
    mask = np.random.default_rng(4).random((3, 5, 7)) < 0.4
    np.testing.assert_array_equal(PackedMask.of(mask).unpacked(), mask)


@pytest.mark.parametrize("chunk", [CHUNK, Vec3(2, 2, 2), Vec3(64, 64, 64)])
def test_a_segment_is_handed_over_whole_whatever_its_blocks(chunk):
    workers = Here()
    tiny = SkeletonSettings(ahead=ReadAhead(in_flight_bytes=512, threads=2, tick_s=0.5))
    skeletons = answers(segmentation(labels(), chunk=chunk), [LONG, SMALL], workers=workers, settings=tiny)
    assert [skeleton.tree_count for skeleton in skeletons] == [1, 2]
    (mask, size, teasar), (other, *_) = workers.given
    assert (size, teasar) == ((4.0, 6.0, 40.0), Teasar())
    whole = labels() == LONG
    np.testing.assert_array_equal(mask, whole[:9, :10, :17])  # one voxel more than the segment, where there is one
    assert mask.sum() == whole.sum()
    assert other.shape == (8, 11, 15)


def test_vertices_are_centres_of_voxels_in_the_global_frame():
    (skeleton,) = answers(segmentation(labels()), [SMALL], teasar=Teasar(2.0, 12.5))
    voxels = np.array([[3, 9, 2], [16, 0, 7]])
    expected = (voxels + np.array(tuple(OFFSET)) + 0.5) * np.array(tuple(SIZE))
    np.testing.assert_allclose(np.sort(skeleton.vertices, axis=0), np.sort(expected, axis=0), rtol=1e-6)
    assert (skeleton.origin, skeleton.scale, skeleton.vertices.dtype) == ("computed", 0, np.float32)
    assert set(skeleton.radii.tolist()) == {12.5}


def test_an_absent_segment_fails_alone():
    lost, found, never = answers(segmentation(labels()), [ABSENT, WIDE, 2**64 - 1])
    assert isinstance(lost.error, SegmentNotFound)
    assert isinstance(never.error, SegmentNotFound)
    assert isinstance(found, Skeleton)


def test_an_id_that_the_numbers_of_the_volume_cannot_hold_is_absent():
    (lost,) = answers(segmentation((labels() == WIDE).astype(np.uint8)), [300])
    assert isinstance(lost.error, SegmentNotFound)


class Pyramid:
    """Two scales: the finer one, and every second voxel along x and y of it."""

    def __init__(self, fine, *, extents=None):
        coarse = np.ascontiguousarray(fine[:, ::2, ::2])
        self._scales = [
            segmentation(fine, offset=Vec3(-6, 12, 100)),
            segmentation(coarse, offset=Vec3(-3, 6, 100), size=VoxelSize(8.0, 12.0, 40.0)),
        ]
        levels = [each.info.scales[0] for each in self._scales]
        levels = (replace(levels[0], key="fine"), replace(levels[1], key="half"))
        self.info = replace(self._scales[0].info, scales=levels)
        self.boxes = []
        self._extents = extents

    def read(self, box, *, scale=0, channels=None, out=None):
        self.boxes.append((scale, box))
        return self._scales[scale].read(box, channels=channels, out=out)

    def segment_extent(self, segment_id, *, scale=0):
        return SegmentExtent(segment_id, self._extents, False)

    def capability(self, kind):
        return self if kind is SegmentExtents and self._extents else None


def test_the_finest_scale_that_is_small_enough_is_taken_and_said():
    volume = Pyramid(labels())
    (fine,) = answers(volume, [LONG])
    (coarse,) = answers(volume, [LONG], settings=SkeletonSettings(max_voxel_count=800))
    assert (fine.scale, coarse.scale) == (0, 1)
    z, y, x = np.argwhere(labels()[:, ::2, ::2] == LONG)[0]
    expected = np.array([x - 3 + 0.5, y + 6 + 0.5, z + 100 + 0.5]) * (8.0, 12.0, 40.0)
    np.testing.assert_array_equal(coarse.vertices[0], expected)


def test_a_segment_that_is_too_large_names_the_limit_and_the_scale_that_fits():
    volume = Pyramid(labels())
    settings = SkeletonSettings(max_voxel_count=800)
    (refused,) = answers(volume, [LONG], scale=0, settings=settings)
    assert isinstance(refused.error, LimitExceeded)
    assert refused.error.details == {"limit": "800", "asked": "1530", "scale": "1"}
    assert "scale 1 (half)" in refused.error.remedy
    (refused,) = answers(volume, [LONG], settings=SkeletonSettings(max_voxel_count=20))
    assert "max_skeleton_voxel_count" in refused.error.remedy
    (said,) = answers(volume, [LONG], scale=1, settings=settings)
    assert said.scale == 1


def test_what_is_gone_at_a_coarser_scale_is_said_to_be_gone_there():
    voxels = np.zeros((9, 11, 17), np.uint64)
    voxels[1:8, 1::2, 1::2] = SMALL
    (lost,) = answers(Pyramid(voxels), [SMALL], settings=SkeletonSettings(max_voxel_count=900))
    assert isinstance(lost.error, SegmentNotFound)
    assert "'half'" in lost.error.message


def test_a_volume_that_is_too_large_to_search_is_searched_at_a_coarser_scale_unless_the_store_has_an_index():
    limits = MeshLimits(max_scan_voxel_count=1000)
    (coarse,) = answers(Pyramid(labels()), [LONG], settings=SkeletonSettings(limits))
    assert coarse.scale == 1
    with pytest.raises(LimitExceeded, match="voxels would have to be read"):
        answers(Pyramid(labels()), [LONG], scale=0, settings=SkeletonSettings(limits))
    box = Box.of(x=(-6, 11), y=(13, 22), z=(100, 108))
    indexed = Pyramid(labels(), extents=box)
    (fine,) = answers(indexed, [LONG], settings=SkeletonSettings(limits))
    assert (fine.scale, fine.tree_count) == (0, 1)
    grown = box_at(indexed.info, box, 0, 0)
    assert all(grown.contains(read) for _, read in indexed.boxes)


def test_a_box_of_another_scale_contains_the_same_place():
    info = Pyramid(labels()).info
    box = Box.of(x=(-3, 4), y=(15, 18), z=(103, 105))
    assert box_at(info, box, 0, 1) == Box.of(x=(-3, 3), y=(6, 10), z=(102, 106))
    assert box_at(info, box, 0, 0) == Box.of(x=(-4, 5), y=(14, 19), z=(102, 106))


@pytest.mark.parametrize(
    ("volume", "wish", "error"),
    [
        (segmentation(labels()), {"ids": [0]}, InvalidSegmentId),
        (segmentation(labels()), {"ids": []}, InvalidArgument),
        (segmentation(labels()), {"ids": [WIDE, WIDE]}, InvalidArgument),
        (segmentation(labels(), size=None), {"ids": [WIDE]}, ConfigInvalid),
        (segmentation(labels().astype(np.float32)), {"ids": [WIDE]}, MissingCapability),
        (segmentation(labels(), kind=VolumeKind.IMAGE), {"ids": [WIDE]}, MissingCapability),
    ],
)
def test_what_can_never_work_is_refused_before_a_voxel_is_read(volume, wish, error):
    counting = CountingVolume(volume)
    with pytest.raises(error):
        answers(counting, wish["ids"])
    assert counting.boxes == []


def test_without_a_skeletonizer_it_is_said_how_to_get_one_before_a_voxel_is_read():
    counting = CountingVolume(segmentation(labels()))
    with pytest.raises(MissingCapability, match=r"computes no skeletons") as caught:
        answers(counting, [WIDE], workers=Here(None))
    assert "voxgate-mesh[skeletons]" in caught.value.remedy
    assert counting.boxes == []


def test_a_store_that_fails_is_the_failure_of_its_segment():
    index = Pyramid(labels(), extents=Box.of(x=(-6, 11), y=(13, 22), z=(100, 108)))
    broken = CountingVolume(index, error=StoreUnavailable("the store does not answer", "try again"))
    (failed,) = answers(broken, [LONG])
    assert isinstance(failed.error, StoreUnavailable)


def test_whoever_leaves_ends_the_work():
    context = CallContext()
    context.stop.set()
    with pytest.raises(Cancelled):
        answers(segmentation(labels()), [LONG, SMALL], context=context)


def test_leaving_while_the_store_hangs_ends_the_work():
    hanging = CountingVolume(segmentation(labels()), blocked=True)
    context = CallContext()
    threading.Thread(target=lambda: (hanging.started.wait(60), context.stop.set())).start()
    try:
        with pytest.raises(Cancelled):
            answers(hanging, [LONG], context=context)
    finally:
        hanging.go.set()


@pytest.mark.parametrize(
    "bad",
    [
        (np.array([[17, 0, 0]]), np.zeros((0, 2), np.uint32), np.ones(1)),
        (np.zeros((0, 3), int), np.zeros((0, 2), np.uint32), np.ones(0)),
        (np.array([[1, 0, 0]]), np.array([[0, 1]], np.uint32), np.ones(1)),
        (np.array([[1, 0, 0]]), np.zeros((0, 2), np.uint32), np.ones(2)),
    ],
)
def test_what_a_skeletonizer_cannot_have_meant_is_refused(monkeypatch, bad):
    monkeypatch.setattr("voxgate_mesh.skeletonizers._loaded", lambda: lambda *_: bad)
    with pytest.raises(InternalError, match="no skeleton of the mask"):
        skeletonize_packed(PackedMask.of(np.ones((2, 3, 17), np.bool_)), (1.0, 1.0, 1.0), Teasar())


class Chained(CountingVolume):
    """A segmentation on another voxgate, which answers one skeleton and one failure."""

    line = Skeleton(LONG, np.ones((2, 3), np.float32), np.array([[0, 1]], np.uint32), None, "v7", "computed")

    def capability(self, kind):
        return self if kind in (Relayed, SkeletonSource) else None

    def skeletons(self, request, *, progress=None):
        assert request.source == "computed"
        for segment_id in request.segment_ids:
            yield self.line if segment_id == LONG else SkeletonFailure(segment_id, SegmentNotFound("not there either"))


class Keeping(CountingVolume):
    """Keeps the skeleton of one segment."""

    def capability(self, kind):
        return self if kind is StoredSkeletons else None

    def stored_skeleton(self, segment_id):
        return replace(Chained.line, origin="stored") if segment_id == LONG else None


@contextmanager
def plenty(wanted, _context):
    yield wanted


def gathered(volume, workers, *ids, **wishes):
    skeletons = Skeletons(volume, workers, CallContext(), SkeletonSettings(), plenty)
    events = skeletons.events(SkeletonRequest(ids, **wishes))
    return {event.segment_id: event for event in events if not isinstance(event, ScanProgress)}


def test_another_voxgate_computes_what_cannot_be_computed_here():
    chained = Chained(segmentation(labels()))
    there = gathered(chained, Here(None), LONG, ABSENT)
    assert there[LONG] is Chained.line
    assert isinstance(there[ABSENT].error, SegmentNotFound)
    assert chained.boxes == []
    here = gathered(chained, Here(), LONG)
    assert here[LONG].resolved_version != "v7"
    assert chained.boxes != []


def test_what_is_not_stored_is_computed_or_fails_alone():
    keeping = Keeping(segmentation(labels()))
    both = gathered(keeping, Here(), LONG, WIDE)
    assert (both[LONG].origin, both[WIDE].origin) == ("stored", "computed")
    without = gathered(keeping, Here(None), LONG, WIDE)
    assert without[LONG].origin == "stored"
    assert isinstance(without[WIDE].error, SegmentNotFound)
    assert "keeps no skeleton of segment 5, and this server computes no skeletons" in without[WIDE].error.message
    assert "voxgate-mesh[skeletons]" in without[WIDE].error.remedy
    assert isinstance(gathered(keeping, Here(), WIDE, source="stored")[WIDE].error, SegmentNotFound)
    assert gathered(keeping, Here(), LONG, teasar=Teasar())[LONG].origin == "computed"
    assert gathered(keeping, Here(), LONG, source="computed")[LONG].origin == "computed"


def test_a_wish_that_no_stored_skeleton_can_have_is_refused():
    keeping = Keeping(segmentation(labels()))
    for wish in ({"scale": 0}, {"teasar": Teasar()}):
        with pytest.raises(InvalidArgument, match="no scale or parameters"):
            gathered(keeping, Here(), LONG, source="stored", **wish)
    for teasar in (Teasar(-1.0), Teasar(1.0, float("nan")), Teasar(float("inf"))):
        with pytest.raises(InvalidArgument, match="no TEASAR"):
            gathered(keeping, Here(), LONG, teasar=teasar)
