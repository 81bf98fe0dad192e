from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.references import segmentation
from voxgate.model.errors import (
    Cancelled,
    EmptyBox,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    OutOfBounds,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentCount
from voxgate.model.volumes import (
    CallContext,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate_blocks import scanning, segments
from voxgate_blocks.scanning import ScanLimits
from voxgate_blocks.segments import count_segments, find_segment_ids, lookup_segments
from voxgate_remotes.memory import MemoryVolume

START = Vec3(-9, 5, 100)
CHUNK = Vec3(8, 6, 4)
VOXELS = segmentation((1, 11, 17, 29))
BOUNDS = Box.at(START, Vec3(29, 17, 11))
VOLUME = MemoryVolume.from_array(
    VOXELS[0], voxel_offset=START, kind=VolumeKind.SEGMENTATION, chunk_shape=CHUNK
).read_only()


class CountingVolume:
    """Hands on to VOLUME and remembers what was read; may set `stop` at a read."""

    def __init__(self, stop: CallContext | None = None) -> None:
        self.info = VOLUME.info
        self.boxes: list[Box] = []
        self._stop = stop

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: np.ndarray | None = None
    ) -> np.ndarray:
        self.boxes.append(box)
        if self._stop:
            self._stop.stop.set()
        return VOLUME.read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind: type[Any]) -> Any:
        return VOLUME.capability(kind)


def by_numpy(box: Box) -> list[SegmentCount]:
    ids, counts = np.unique(VOXELS[0][box.slices_zyx(START)], return_counts=True)
    return [SegmentCount(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]


@st.composite
def boxes(draw):
    ends = []
    for low, high in zip(BOUNDS.start, BOUNDS.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        ends.append((start, draw(st.integers(start + 1, high))))
    return Box.of(x=ends[0], y=ends[1], z=ends[2])


@pytest.mark.parametrize("block_bytes", [1, 4000, 1 << 20])
@settings(max_examples=25, deadline=None)
@given(box=boxes())
def test_counts_equal_numpys_whatever_the_blocks(block_bytes, box):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK_BYTES", block_bytes)
        assert count_segments(VOLUME, box, limits=ScanLimits(10**6)) == by_numpy(box)


@pytest.mark.parametrize("block_bytes", [1, 4000, 1 << 20])
@settings(max_examples=25, deadline=None)
@given(box=boxes())
def test_ids_equal_numpys_whatever_the_blocks(block_bytes, box):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK_BYTES", block_bytes)
        patch.setattr(segments, "_PENDING_IDS", 5)
        found = find_segment_ids(VOLUME, box, limits=ScanLimits(10**6))
    assert found.dtype == np.uint64
    assert found.tolist() == [count.segment_id for count in by_numpy(box)]


@settings(max_examples=25, deadline=None)
@given(box=boxes(), cut=st.integers(1, 28))
def test_ids_of_a_box_are_those_of_its_halves(box, cut):
    middle = min(box.start.x + cut, box.stop.x)
    halves = (
        Box(box.start, Vec3(middle, box.stop.y, box.stop.z)),
        Box(Vec3(middle, box.start.y, box.start.z), box.stop),
    )
    parts = [find_segment_ids(VOLUME, half, limits=ScanLimits(10**6)) for half in halves if not half.is_empty]
    assert find_segment_ids(VOLUME, box, limits=ScanLimits(10**6)).tolist() == sorted(set(np.concatenate(parts)))


def test_counts_are_merged_exactly_when_ids_outgrow_the_buffer(monkeypatch):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(segments, "_PENDING_IDS", 3)
    found = count_segments(VOLUME, BOUNDS, limits=ScanLimits(10**6))
    assert found == by_numpy(BOUNDS)
    assert found[-1].segment_id == 2**64 - 1
    assert type(found[-1].segment_id) is int


def test_ids_that_float64_cannot_tell_apart_are_counted_apart():
    voxels = np.array([2**63 + 1, 2**63 + 2, 2**63 + 1, 2**53 + 1, 2**53, 0], "<u8").reshape(1, 2, 3)
    volume = MemoryVolume.from_array(voxels, kind=VolumeKind.SEGMENTATION)
    assert count_segments(volume, volume.info.scales[0].bounds, limits=ScanLimits(6)) == [
        SegmentCount(2**53, 1),
        SegmentCount(2**53 + 1, 1),
        SegmentCount(2**63 + 1, 2),
        SegmentCount(2**63 + 2, 1),
    ]


@pytest.mark.parametrize("dtype", ["<u1", "<u2", "<u4"])
def test_smaller_unsigned_dtypes_are_counted_too(dtype):
    voxels = segmentation((1, 5, 6, 7), dtype)[0]
    volume = MemoryVolume.from_array(voxels, kind=VolumeKind.UNKNOWN)
    ids, counts = np.unique(voxels[voxels != 0], return_counts=True)
    found = count_segments(volume, volume.info.scales[0].bounds, limits=ScanLimits(210))
    assert [(s.segment_id, s.voxel_count) for s in found] == list(zip(ids.tolist(), counts.tolist(), strict=True))


def test_top_answers_the_largest_first_and_equal_counts_by_id():
    voxels = np.array([5, 5, 9, 9, 2**64 - 1, 2**64 - 1, 2**64 - 1, 0, 0, 0, 0, 7], "<u8").reshape(2, 2, 3)
    volume = MemoryVolume.from_array(voxels, kind=VolumeKind.SEGMENTATION)
    ordered = [SegmentCount(2**64 - 1, 3), SegmentCount(5, 2), SegmentCount(9, 2), SegmentCount(7, 1)]
    for top in (1, 2, 3, 4, 50):
        assert count_segments(volume, volume.info.scales[0].bounds, top=top, limits=ScanLimits(12)) == ordered[:top]


def test_a_box_of_background_has_no_segments():
    volume = MemoryVolume.from_array(np.zeros((2, 3, 4), "<u8"), kind=VolumeKind.SEGMENTATION)
    assert count_segments(volume, volume.info.scales[0].bounds, limits=ScanLimits(24)) == []


def test_every_stored_chunk_is_read_in_one_piece_only(monkeypatch):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", 1)
    volume = CountingVolume()
    count_segments(volume, BOUNDS, limits=ScanLimits(10**6))
    assert len(volume.boxes) == len({box.start for box in volume.boxes}) == 4 * 3 * 3
    for box in volume.boxes:
        assert all((a - o) % c == 0 for a, o, c in zip(box.start, START, CHUNK, strict=True))


def test_a_box_over_the_budget_is_refused_unread_and_says_both_numbers():
    volume = CountingVolume()
    with pytest.raises(LimitExceeded) as caught:
        count_segments(volume, BOUNDS, limits=ScanLimits(5422))
    assert caught.value.details == {"limit": "5422", "asked": "5423"}
    assert caught.value.remedy
    assert volume.boxes == []
    assert count_segments(volume, BOUNDS, limits=ScanLimits(5423)) == by_numpy(BOUNDS)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("<u8", VolumeKind.IMAGE), ("<f4", VolumeKind.UNKNOWN), ("<i8", VolumeKind.SEGMENTATION)],
)
def test_a_volume_without_segments_says_so(dtype, kind):
    volume = MemoryVolume.from_array(np.ones((2, 3, 4), dtype), kind=kind)
    with pytest.raises(MissingCapability) as caught:
        count_segments(volume, volume.info.scales[0].bounds, limits=ScanLimits(100))
    assert caught.value.details["capability"] == "segments"
    with pytest.raises(MissingCapability):
        lookup_segments(volume, [Vec3(0, 0, 0)])


def test_several_channels_and_a_senseless_top_are_refused():
    volume = MemoryVolume.from_array(np.ones((2, 2, 3, 4), "<u8"), kind=VolumeKind.SEGMENTATION)
    with pytest.raises(InvalidArgument, match="channels"):
        count_segments(volume, volume.info.scales[0].bounds, limits=ScanLimits(100))
    with pytest.raises(InvalidArgument):
        count_segments(VOLUME, BOUNDS, top=0, limits=ScanLimits(10**6))


def test_bad_boxes_and_scales_are_refused():
    inverted = Box(BOUNDS.stop, BOUNDS.start)
    outside = BOUNDS.shifted(Vec3(1, 0, 0))
    for box, error in ((inverted, EmptyBox), (outside, OutOfBounds)):
        with pytest.raises(error):
            count_segments(VOLUME, box, limits=ScanLimits(10**6))
    for scale in (1, -1):
        with pytest.raises(UnknownScale):
            count_segments(VOLUME, BOUNDS, scale=scale, limits=ScanLimits(10**6))
        with pytest.raises(UnknownScale):
            lookup_segments(VOLUME, [START], scale=scale)


def test_counting_stops_after_the_block_in_which_the_caller_leaves(monkeypatch):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", 1)
    context = CallContext()
    volume = CountingVolume(stop=context)
    with pytest.raises(Cancelled):
        count_segments(volume, BOUNDS, limits=ScanLimits(10**6), context=context)
    assert len(volume.boxes) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(Vec3, st.integers(-9, 19), st.integers(5, 21), st.integers(100, 110)), max_size=60))
def test_lookups_equal_plain_indexing_in_the_points_order(points):
    assert lookup_segments(VOLUME, points) == [int(VOXELS[0][(point - START).zyx]) for point in points]


def test_points_of_one_chunk_are_looked_up_in_one_read():
    volume = CountingVolume()
    points = [START, START + Vec3(20, 3, 2), START + Vec3(7, 5, 3), START, START + Vec3(17, 1, 0)]
    lookup_segments(volume, points)
    assert len(volume.boxes) == 2


def test_lookups_use_the_scale_they_are_asked_for():
    fine, coarse = segmentation((1, 4, 6, 8)), segmentation((1, 4, 3, 4), seed=9)
    scales = (ScaleSpec(Box.at(Vec3(2, 4, 6), Vec3(8, 6, 4))), ScaleSpec(Box.at(Vec3(1, 2, 6), Vec3(4, 3, 4))))
    volume = MemoryVolume.create(VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, scales))
    volume.write(scales[0].bounds, fine)
    volume.write(scales[1].bounds, coarse, scale=1)
    assert lookup_segments(volume, [Vec3(4, 3, 8)], scale=1) == [int(coarse[0, 2, 1, 3])]
    found = count_segments(volume, scales[1].bounds, scale=1, limits=ScanLimits(48))
    ids, counts = np.unique(coarse[coarse != 0], return_counts=True)
    assert [(s.segment_id, s.voxel_count) for s in found] == list(zip(ids.tolist(), counts.tolist(), strict=True))


def test_a_point_outside_is_refused_before_anything_is_read():
    volume = CountingVolume()
    with pytest.raises(OutOfBounds, match=r"\(20, 5, 100\)"):
        lookup_segments(volume, [START, Vec3(20, 5, 100)])
    assert volume.boxes == []


def test_no_points_have_no_segments():
    assert lookup_segments(VOLUME, []) == []
