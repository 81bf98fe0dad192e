import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.references import BIG_IDS, segmentation
from voxgate.model.errors import (
    Cancelled,
    EmptyBox,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    OutOfBounds,
    SegmentNotFound,
    StoreUnavailable,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, Tuned, VolumeKind
from voxgate_blocks import scanning
from voxgate_blocks.runs import find_extents, find_runs
from voxgate_blocks.scanning import ScanLimits
from voxgate_remotes.memory import MemoryVolume

START = Vec3(-9, 5, 100)
CHUNK = Vec3(8, 6, 4)
VOXELS = segmentation((1, 11, 17, 29))
BOUNDS = Box.at(START, Vec3(29, 17, 11))
HUGE = 2**63 + 3
PRESENT = tuple(int(i) for i in np.unique(VOXELS) if i)
ENOUGH = ScanLimits(10**6)


def memory(voxels: np.ndarray, kind: VolumeKind = VolumeKind.SEGMENTATION) -> MemoryVolume:
    return MemoryVolume.from_array(voxels, voxel_offset=START, kind=kind, chunk_shape=CHUNK).read_only()


VOLUME = memory(VOXELS[0])


class Watched:
    """Hands on to VOLUME and remembers what was read; it has to be waited for, so that threads read it."""

    def __init__(self, before: Any = None) -> None:
        self.info = VOLUME.info
        self.boxes: list[Box] = []
        self._before = before

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: np.ndarray | None = None
    ) -> np.ndarray:
        self.boxes.append(box)
        if self._before:
            self._before(box)
        return VOLUME.read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind: type[Any]) -> Any:
        return None if kind is Tuned else VOLUME.capability(kind)


def runs_in(box: Box, segment_id: int, volume: Any = VOLUME, limits: ScanLimits = ENOUGH) -> np.ndarray:
    return np.concatenate([runs for _, runs in find_runs(volume, segment_id, box, limits=limits) if runs is not None])


def voxels_of(runs: np.ndarray) -> list[tuple[int, int, int]]:
    """Every voxel of some runs by itself, z, y, x; sorted, doubles kept."""
    return sorted((z, y, x + i) for x, y, z, length in runs.tolist() for i in range(length))


def by_numpy(box: Box, segment_id: int) -> list[tuple[int, int, int]]:
    places = np.argwhere(VOXELS[0][box.slices_zyx(START)] == np.uint64(segment_id))
    return [tuple(place) for place in (places + box.start.zyx).tolist()]


@st.composite
def boxes(draw):
    ends = []
    for low, high in zip(BOUNDS.start, BOUNDS.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        ends.append((start, draw(st.integers(start + 1, high))))
    return Box.of(x=ends[0], y=ends[1], z=ends[2])


@pytest.mark.parametrize("volume", [VOLUME, Watched()], ids=["one thread", "four threads"])
@pytest.mark.parametrize("block_bytes", [1, 4000, 1 << 20])
@settings(max_examples=25, deadline=None)
@given(box=boxes(), segment_id=st.sampled_from(PRESENT))
def test_runs_hold_each_voxel_of_the_segment_once_whatever_the_blocks(volume, block_bytes, box, segment_id):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK_BYTES", block_bytes)
        runs = runs_in(box, segment_id, volume)
    assert runs.dtype == np.int64
    assert (runs[:, 3] > 0).all()
    assert voxels_of(runs) == by_numpy(box, segment_id)


@settings(max_examples=25, deadline=None)
@given(box=boxes(), segment_id=st.sampled_from(PRESENT), cut=st.integers(0, 10))
def test_the_runs_of_a_box_hold_what_those_of_its_halves_do(box, segment_id, cut):
    middle = min(box.start.z + cut, box.stop.z)
    low = Box(box.start, Vec3(box.stop.x, box.stop.y, middle))
    high = Box(Vec3(box.start.x, box.start.y, middle), box.stop)
    parts = [runs_in(half, segment_id) for half in (low, high) if not half.is_empty]
    assert voxels_of(np.concatenate(parts)) == voxels_of(runs_in(box, segment_id))


def test_within_a_block_runs_are_as_long_as_they_can_be():
    voxels = np.zeros((2, 3, 20), "<u8")
    voxels[0, 0, 2:9], voxels[0, 0, 12:20], voxels[0, 1, 0:3], voxels[1, 2, 19] = HUGE, HUGE, HUGE, HUGE
    volume = memory(voxels)
    found = runs_in(volume.info.scales[0].bounds, HUGE, volume)
    assert found.tolist() == [[-7, 5, 100, 7], [3, 5, 100, 8], [-9, 6, 100, 3], [10, 7, 101, 1]]


@pytest.mark.parametrize("dtype", ["<u1", "<u2", "<u4"])
def test_an_id_that_the_voxels_cannot_hold_is_nowhere_and_nothing_is_read(dtype):
    volume = memory(segmentation((1, 5, 6, 7), dtype)[0])
    volume.read = None  # type: ignore[assignment]  # reading would be a TypeError
    bounds = volume.info.scales[0].bounds
    too_large = int(np.iinfo(dtype).max) + 1
    assert len(runs_in(bounds, too_large, volume)) == 0
    (answer,) = find_extents(volume, [too_large], limits=ENOUGH)
    assert isinstance(answer, SegmentNotFound)


@pytest.mark.parametrize("volume", [VOLUME, Watched()], ids=["one thread", "four threads"])
@pytest.mark.parametrize("block_bytes", [1, 4000, 1 << 20])
def test_extents_are_tight_and_counted_whatever_the_blocks(monkeypatch, volume, block_bytes):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", block_bytes)
    wanted = [HUGE, 12345, *(i for i in PRESENT if i != HUGE), 2**64 - 2]
    answers = find_extents(volume, wanted, limits=ENOUGH)
    for segment_id, answer in zip(wanted, answers, strict=True):
        places = np.array(by_numpy(BOUNDS, segment_id))
        if not len(places):
            assert isinstance(answer, SegmentNotFound)
            assert str(segment_id) in answer.message
            continue
        assert (answer.segment_id, answer.is_exact, answer.voxel_count) == (segment_id, True, len(places))
        assert answer.box.start.zyx == tuple(places.min(axis=0))
        assert answer.box.stop.zyx == tuple(places.max(axis=0) + 1)


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 16), st.integers(0, 28)), min_size=1, max_size=9),
    other=st.sampled_from([i for i in BIG_IDS if i != HUGE]),
)
def test_extents_of_scattered_voxels_are_those_of_their_places(places, other):
    voxels = np.full((11, 17, 29), other, "<u8")
    voxels[tuple(np.array(places).T)] = HUGE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK_BYTES", 1)
        (answer,) = find_extents(memory(voxels), [HUGE], limits=ENOUGH)
    low, high = np.array(places).min(axis=0), np.array(places).max(axis=0) + 1
    corner = np.array(START.zyx)
    assert (answer.box.start.zyx, answer.box.stop.zyx) == (tuple(low + corner), tuple(high + corner))
    assert answer.voxel_count == len(set(places))


def test_every_stored_chunk_is_read_once_for_all_segments(monkeypatch):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", 1)
    for ask in (lambda v: find_extents(v, PRESENT, limits=ENOUGH), lambda v: runs_in(BOUNDS, HUGE, v)):
        volume = Watched()
        ask(volume)
        assert len(volume.boxes) == len({box.start for box in volume.boxes}) == 4 * 3 * 3
        for box in volume.boxes:
            assert all((a - o) % c == 0 for a, o, c in zip(box.start, START, CHUNK, strict=True))


def test_what_cannot_be_searched_is_refused_before_anything_is_read():
    volume = Watched()
    inverted, outside = Box(BOUNDS.stop, BOUNDS.start), BOUNDS.shifted(Vec3(1, 0, 0))
    for box, error in ((inverted, EmptyBox), (outside, OutOfBounds)):
        with pytest.raises(error):
            find_runs(volume, HUGE, box, limits=ENOUGH)
    for scale in (1, -1):
        with pytest.raises(UnknownScale):
            find_runs(volume, HUGE, BOUNDS, scale=scale, limits=ENOUGH)
        with pytest.raises(UnknownScale):
            find_extents(volume, [HUGE], scale=scale, limits=ENOUGH)
    for ask in (find_runs, lambda v, i, _, limits: find_extents(v, [i], limits=limits)):
        with pytest.raises(LimitExceeded) as caught:
            ask(volume, HUGE, BOUNDS, limits=ScanLimits(5422))
        assert caught.value.details == {"limit": "5422", "asked": "5423"}
    assert volume.boxes == []


def test_images_signed_voxels_and_several_channels_have_no_segments():
    image = MemoryVolume.from_array(np.ones((2, 3, 4), "<u8"), kind=VolumeKind.IMAGE)
    signed = MemoryVolume.from_array(np.ones((2, 3, 4), "<i8"), kind=VolumeKind.SEGMENTATION)
    several = MemoryVolume.from_array(np.ones((2, 2, 3, 4), "<u8"), kind=VolumeKind.SEGMENTATION)
    for volume, error in ((image, MissingCapability), (signed, MissingCapability), (several, InvalidArgument)):
        with pytest.raises(error):
            find_extents(volume, [1], limits=ENOUGH)
        with pytest.raises(error):
            find_runs(volume, 1, volume.info.scales[0].bounds, limits=ENOUGH)


def test_no_block_is_begun_once_the_caller_has_left(monkeypatch):
    monkeypatch.setattr(scanning, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(scanning, "_THREADS", 1)
    context = CallContext()
    volume = Watched(before=lambda box: context.stop.set())
    with pytest.raises(Cancelled):
        find_extents(volume, [HUGE], limits=ENOUGH, context=context)
    assert len(volume.boxes) == 1


def test_a_store_that_hangs_is_told_as_ticks_and_holds_nobody():
    hanging = threading.Event()
    volume = Watched(before=lambda box: hanging.wait(60))
    context = CallContext()
    found = find_runs(volume, HUGE, BOUNDS, limits=ScanLimits(10**6, tick_s=0.0), context=context)
    try:
        assert next(found)[1] is None
        context.stop.set()
        with pytest.raises(Cancelled):
            next(found)
    finally:
        hanging.set()


def test_a_store_that_fails_is_an_error_and_never_an_answer():
    def fail(box: Box) -> None:
        if box.start.z > 103:
            raise StoreUnavailable("no answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK_BYTES", 1)
        with pytest.raises(StoreUnavailable):
            find_extents(Watched(before=fail), PRESENT, limits=ENOUGH)
        with pytest.raises(StoreUnavailable):
            runs_in(BOUNDS, HUGE, Watched(before=fail))


def test_no_segments_have_no_extents():
    assert find_extents(VOLUME, [], limits=ENOUGH) == []
