"""What DVID knows of labels, against counting: on our own server, and on a real one where the environment names it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from support.dvid_volumes import SERVERS, Repository, repository
from support.references import BIG_IDS, segmentation
from voxgate.model.errors import (
    EmptyBox,
    InvalidArgument,
    InvalidSegmentId,
    OutOfBounds,
    SegmentNotFound,
    SegmentSuperseded,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import (
    SegmentCounts,
    SegmentExtents,
    SegmentIdReservation,
    SegmentIds,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.volumes import LabelView, OpenOptions, Writable
from voxgate_remotes.dvid import runs as runs_module
from voxgate_remotes.dvid.volume import DvidVolume

BLOCK, START = Vec3(16, 16, 16), Vec3(32, 48, 16)
LABELS = (Any, SegmentCounts, SegmentExtents, SegmentIdReservation, SegmentLookup, SegmentRuns, Supervoxels)


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Repository]:
    with repository(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Labels (z, y, x) of whole 4 x 4 x 4 voxels, so that coarser levels are beyond doubt."""
    ids = np.random.default_rng(3).choice(np.array(BIG_IDS, "<u8"), (8, 4, 12))
    return ids.repeat(4, 0).repeat(4, 1).repeat(4, 2)


@pytest.fixture(scope="module")
def name(store: Repository, truth: np.ndarray) -> str:
    made = store.make("labelmap", BLOCK, MaxDownresLevel="2")
    store.put_labels(made, START, truth)
    return made


@pytest.fixture
def volume(store: Repository, name: str) -> DvidVolume:
    return store.remote().open((name,), OpenOptions())


def voxels_of(runs: np.ndarray) -> set[tuple[int, int, int]]:
    """Every voxel of runs; fails where one is there twice."""
    found = [(x + i, y, z) for x, y, z, length in runs.tolist() for i in range(length)]
    assert len(set(found)) == len(found)
    return set(found)


def true_voxels(truth: np.ndarray, segment_id: int, start: Vec3, box: Box | None = None) -> set[tuple[int, int, int]]:
    z, y, x = np.nonzero(truth == np.uint64(segment_id))
    found = set(zip((x + start.x).tolist(), (y + start.y).tolist(), (z + start.z).tolist(), strict=True))
    return found if box is None else {one for one in found if box.contains_point(Vec3(*one))}


def test_the_segments_at_points_are_those_of_the_voxels(volume: DvidVolume, truth: np.ndarray):
    random = np.random.default_rng(1)
    points = [Vec3(*(int(random.integers(a, b)) for a, b in ((32, 80), (48, 64), (16, 48)))) for _ in range(150)]
    points += [START, Vec3(79, 63, 47), START]
    lookup = volume.capability(SegmentLookup)
    expected = [int(truth[(p - START).zyx]) for p in points]
    assert lookup.segments_at(points) == expected
    assert max(expected) == 2**64 - 1
    halves = [Vec3(p.x // 4, p.y // 4, p.z // 4) for p in points]
    assert lookup.segments_at(halves, scale=2) == expected
    assert lookup.segments_at([]) == []


def test_points_outside_and_scales_that_are_not_there_are_refused(volume: DvidVolume):
    lookup = volume.capability(SegmentLookup)
    for point in (Vec3(31, 50, 20), Vec3(80, 50, 20), Vec3(40, 64, 20), Vec3(40, 50, -1)):
        with pytest.raises(OutOfBounds):
            lookup.segments_at([START, point])
    with pytest.raises(UnknownScale):
        lookup.segments_at([START], scale=3)


def test_counts_of_the_whole_are_those_of_counting(volume: DvidVolume, truth: np.ndarray):
    ids, counts = np.unique(truth, return_counts=True)
    expected = [(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]
    found = volume.capability(SegmentCounts).counts_in(volume.info.scales[0].bounds)
    assert [(one.segment_id, one.voxel_count) for one in found] == expected


def test_counts_of_anything_else_are_not_answered(store: Repository, volume: DvidVolume, name: str):
    counts = volume.capability(SegmentCounts)
    whole = volume.info.scales[0].bounds
    assert counts.counts_in(Box(whole.start, whole.stop - Vec3(1, 0, 0))) is None
    assert counts.counts_in(volume.info.scales[1].bounds, scale=1) is None
    supervoxels = store.remote().open((name,), OpenOptions(label_view=LabelView.SUPERVOXELS))
    assert supervoxels.capability(SegmentCounts).counts_in(whole) is None
    with pytest.raises(OutOfBounds):
        counts.counts_in(Box(whole.start, whole.stop + Vec3(1, 0, 0)))


def test_counts_are_read_page_by_page(volume: DvidVolume, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("voxgate_remotes.dvid.segments._LABELS_AT_A_TIME", 2)
    found = volume.capability(SegmentCounts).counts_in(volume.info.scales[0].bounds)
    assert [one.segment_id for one in found] == [int(i) for i in np.unique(truth) if i]


def test_counts_are_not_answered_where_voxels_lie_outside_of_the_bounds(store: Repository, truth: np.ndarray):
    made = store.make("labelmap", BLOCK, Tags="voxgate-bounds=33_48_16_80_64_48")
    store.put_labels(made, START, truth)
    volume = store.remote().open((made,), OpenOptions())
    bounds = Box.of(x=(33, 80), y=(48, 64), z=(16, 48))
    assert volume.info.scales[0].bounds == bounds
    assert volume.capability(SegmentCounts).counts_in(bounds) is None
    extent = volume.capability(SegmentExtents).segment_extent(BIG_IDS[2])
    assert extent.voxel_count is None
    assert bounds.contains(extent.box)


def test_an_extent_contains_the_segment_and_its_count_is_exact(volume: DvidVolume, truth: np.ndarray):
    extents = volume.capability(SegmentExtents)
    for segment_id in (1, 2**53 + 1, 2**63 + 1, 2**64 - 1):
        found = extents.segment_extent(segment_id)
        assert not found.is_exact
        assert found.voxel_count == np.count_nonzero(truth == np.uint64(segment_id))
        for scale in (0, 1, 2):
            coarse = extents.segment_extent(segment_id, scale=scale)
            start = Vec3(*(value >> scale for value in START))
            part = truth[:: 2**scale, :: 2**scale, :: 2**scale]
            voxels = true_voxels(part, segment_id, start)
            assert voxels
            assert all(coarse.box.contains_point(Vec3(*one)) for one in voxels)
            assert scale == 0 or coarse.voxel_count is None


def test_runs_are_the_voxels_of_a_segment_at_every_scale(volume: DvidVolume, truth: np.ndarray):
    for segment_id in (2**32 + 5, 2**53 + 3, 2**64 - 1):
        for scale in (0, 1, 2):
            found = np.concatenate(list(volume.capability(SegmentRuns).segment_runs(segment_id, scale=scale)))
            assert found.dtype == np.int64
            part = truth[:: 2**scale, :: 2**scale, :: 2**scale]
            assert voxels_of(found) == true_voxels(part, segment_id, Vec3(*(value >> scale for value in START)))


@pytest.mark.parametrize(
    "box", [Box.of(x=(41, 66), y=(50, 63), z=(19, 40)), Box.of(x=(33, 34), y=(48, 64), z=(16, 48))], ids=str
)
def test_runs_in_a_box_end_at_its_sides(volume: DvidVolume, truth: np.ndarray, box: Box):
    found = np.concatenate(list(volume.capability(SegmentRuns).segment_runs(2**63 + 1, box=box)))
    assert voxels_of(found) == true_voxels(truth, 2**63 + 1, START, box)


def test_large_segments_come_in_slabs(volume: DvidVolume, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs_module, "_BLOCKS_AT_A_TIME", 1)
    monkeypatch.setattr(runs_module, "_RUNS_AT_A_TIME", 7)
    pieces = list(volume.capability(SegmentRuns).segment_runs(2**63 + 3))
    assert len(pieces) > 2
    assert max(len(piece) for piece in pieces) <= 7
    assert voxels_of(np.concatenate(pieces)) == true_voxels(truth, 2**63 + 3, START)


def test_a_segment_that_is_not_there_or_not_in_the_box_is_not_found(volume: DvidVolume, truth: np.ndarray):
    empty = Box.at(START + Vec3(*reversed(np.argwhere(truth != np.uint64(1))[0].tolist())), Vec3(1, 1, 1))
    runs, extents, bodies = (volume.capability(kind) for kind in (SegmentRuns, SegmentExtents, Supervoxels))
    with pytest.raises(SegmentNotFound):
        runs.segment_runs(1, box=empty)
    for ask in (runs.segment_runs, extents.segment_extent, bodies.supervoxels_of):
        with pytest.raises(SegmentNotFound):
            ask(987_654_321)
        with pytest.raises(InvalidSegmentId):
            ask(0)
    with pytest.raises(EmptyBox):
        runs.segment_runs(1, box=Box(START, START))
    with pytest.raises(InvalidSegmentId):
        bodies.bodies_of([1, 0])


@pytest.fixture
def merged(store: Repository, truth: np.ndarray) -> str:
    """A labelmap in which 2**63 + 1 and 1 were merged into 2**53 + 1."""
    made = store.make("labelmap", BLOCK)
    store.put_labels(made, START, truth)
    store.call("POST", f"{made}/merge", json=[2**53 + 1, 2**63 + 1, 1])
    return made


def test_a_merged_body_is_superseded_and_the_current_one_is_told(store: Repository, merged: str):
    volume = store.remote().open((merged,), OpenOptions())
    for kind in (SegmentRuns, SegmentExtents):
        ask = getattr(volume.capability(kind), "segment_runs" if kind is SegmentRuns else "segment_extent")
        with pytest.raises(SegmentSuperseded) as caught:
            ask(2**63 + 1)
        assert caught.value.details["current"] == str(2**53 + 1)
    with pytest.raises(SegmentSuperseded):
        volume.capability(Supervoxels).supervoxels_of(1)


@pytest.mark.own_fake("DVID", "supervoxels")
def test_bodies_and_supervoxels_are_told_apart(store: Repository, merged: str, truth: np.ndarray):
    bodies = store.remote().open((merged,), OpenOptions())
    supervoxels = store.remote().open((merged,), OpenOptions(label_view=LabelView.SUPERVOXELS))
    union = true_voxels(truth, 1, START) | true_voxels(truth, 2**53 + 1, START) | true_voxels(truth, 2**63 + 1, START)
    assert voxels_of(np.concatenate(list(bodies.capability(SegmentRuns).segment_runs(2**53 + 1)))) == union
    own = np.concatenate(list(supervoxels.capability(SegmentRuns).segment_runs(2**53 + 1)))
    assert voxels_of(own) == true_voxels(truth, 2**53 + 1, START)
    assert bodies.capability(SegmentExtents).segment_extent(2**53 + 1).voxel_count == len(union)
    assert supervoxels.capability(SegmentExtents).segment_extent(1).voxel_count == np.count_nonzero(truth == 1)
    point = Vec3(*min(true_voxels(truth, 1, START)))
    assert bodies.capability(SegmentLookup).segments_at([point]) == [2**53 + 1]
    assert supervoxels.capability(SegmentLookup).segments_at([point]) == [1]
    known = bodies.capability(Supervoxels)
    assert known.supervoxels_of(2**53 + 1) == [1, 2**53 + 1, 2**63 + 1]
    assert known.bodies_of([2**63 + 1, 2**64 - 1, 5_000, 1]) == [2**53 + 1, 2**64 - 1, 0, 2**53 + 1]


def test_ids_that_would_read_back_as_others_are_not_written_as_bodies(store: Repository, merged: str):
    volume = store.remote().open((merged,), OpenOptions())
    box = Box.at(START + Vec3(1, 2, 3), Vec3(2, 3, 1))
    before = volume.read(volume.info.scales[0].bounds)
    with pytest.raises(SegmentSuperseded) as caught:
        volume.write(box, np.full((1, 1, 3, 2), 2**63 + 1, "<u8"))
    assert caught.value.details["current"] == str(2**53 + 1)
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), before)
    volume.write(box, np.full((1, 1, 3, 2), 2**53 + 1, "<u8"))
    assert (volume.read(box) == 2**53 + 1).all()


def test_merging_cut_blocks_leaves_the_supervoxels_around(store: Repository, merged: str, truth: np.ndarray):
    bodies = store.remote().open((merged,), OpenOptions())
    box = Box.at(START + Vec3(3, 2, 5), Vec3(20, 3, 4))
    bodies.write(box, np.full((1, 4, 3, 20), 77, "<u8"))
    expected = truth.copy()
    expected[box.slices_zyx(START)] = 77
    supervoxels = store.remote().open((merged,), OpenOptions(label_view=LabelView.SUPERVOXELS))
    np.testing.assert_array_equal(supervoxels.read(supervoxels.info.scales[0].bounds)[0], expected)


def test_supervoxels_are_written_as_they_are(store: Repository, merged: str):
    supervoxels = store.remote().open((merged,), OpenOptions(label_view=LabelView.SUPERVOXELS))
    box = Box.at(START, Vec3(4, 5, 3))
    supervoxels.capability(Writable).write(box, np.full((1, 3, 5, 4), 2**63 + 1, "<u8"))
    assert (supervoxels.read(box) == 2**63 + 1).all()
    assert (store.remote().open((merged,), OpenOptions()).read(box) == 2**53 + 1).all()


@pytest.mark.own_fake("DVID", "reserve ids")
def test_reserved_ids_are_new_and_never_handed_out_twice(store: Repository):
    made = store.make("labelmap", BLOCK)
    voxels = segmentation((1, 16, 16, 16))[0]
    voxels[voxels > 2**63 + 3] = 5
    store.put_labels(made, Vec3(0, 0, 0), voxels)
    reservation = store.remote().open((made,), OpenOptions()).capability(SegmentIdReservation)
    first = reservation.reserve_segment_ids(3)
    assert first > int(voxels.max())
    assert reservation.reserve_segment_ids(1) >= first + 3
    with pytest.raises(InvalidArgument):
        reservation.reserve_segment_ids(0)


def test_below_voxel_0_nothing_is_asked_that_dvid_answers_wrongly(store: Repository, truth: np.ndarray):
    made = store.make("labelmap", BLOCK)
    start = Vec3(-48, 16, -16)
    store.put_labels(made, start, truth)
    volume = store.remote().open((made,), OpenOptions())
    assert volume.capability(SegmentLookup) is None
    assert volume.capability(SegmentRuns) is None
    ids, counts = np.unique(truth[truth != 0], return_counts=True)
    found = volume.capability(SegmentCounts).counts_in(volume.info.scales[0].bounds)
    assert [(one.segment_id, one.voxel_count) for one in found] == list(zip(ids.tolist(), counts.tolist(), strict=True))
    assert volume.capability(SegmentExtents).segment_extent(1).voxel_count == np.count_nonzero(truth == 1)


def test_only_labels_have_powers_over_labels(store: Repository):
    image = store.make("uint8blk", BLOCK, Tags="voxgate-bounds=0_0_0_16_16_16")
    bare = store.make("labelmap", BLOCK, IndexedLabels="false", Tags="voxgate-bounds=0_0_0_16_16_16")
    old = store.make("labelblk", BLOCK, Tags="voxgate-bounds=0_0_0_16_16_16")
    remote = store.remote()
    has = {
        name: {kind for kind in LABELS if remote.open((name,), OpenOptions()).capability(kind)}
        for name in (image, bare, old)
    }
    assert has == {image: set(), bare: {SegmentLookup}, old: {SegmentLookup}}
    assert remote.open((old,), OpenOptions()).capability(SegmentIds) is None
