"""What BossDB knows of segments, and what it is not asked for."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.boss_remotes import PATH, bare_remote, boss_remote
from support.bossdb import BossServer, bossdb_server
from support.references import BIG_IDS, image, segmentation
from voxgate.model.errors import (
    EmptyBox,
    InvalidArgument,
    InvalidSegmentId,
    OutOfBounds,
    ReadOnly,
    SegmentNotFound,
    StoreUnavailable,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentExtent, SegmentExtents, SegmentIdReservation, SegmentIds
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.bossdb.volume import BossVolume

START = Vec3(0, 0, 13)
VOXELS = segmentation((1, 7, 9, 21))
BOUNDS = Box.at(START, Vec3(21, 9, 7))
COARSE = segmentation((1, 7, 5, 11), seed=1)
LARGEST = BIG_IDS[-1]


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, VOXELS[0], start=tuple(START), levels=[COARSE[0]], voxel_size=(4, 4, 40))
        yield running


@pytest.fixture
def volume(server: BossServer) -> BossVolume:
    return bare_remote(server).open(PATH, OpenOptions())


def ids_of(voxels: np.ndarray) -> list[int]:
    return [int(number) for number in np.unique(voxels) if number]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_ids_in_any_box_are_those_of_its_voxels(volume, data):
    ends = [sorted(data.draw(st.lists(st.integers(a, b), min_size=2, max_size=2, unique=True)))
            for a, b in zip(BOUNDS.start, BOUNDS.stop, strict=True)]  # fmt: skip
    box = Box.of(x=tuple(ends[0]), y=tuple(ends[1]), z=tuple(ends[2]))
    found = volume.capability(SegmentIds).segment_ids_in(box)
    assert found.dtype == np.uint64
    assert found.tolist() == ids_of(VOXELS[:, *box.slices_zyx(START)])


def test_ids_above_53_bits_are_exact(volume):
    found = volume.capability(SegmentIds).segment_ids_in(BOUNDS).tolist()
    assert LARGEST in found
    assert found == sorted(set(BIG_IDS) & set(VOXELS.ravel().tolist()) - {0})


def test_ids_of_a_level_that_the_store_does_not_index_are_left_to_whoever_reads(server, volume):
    box = Box.of(x=(1, 7), y=(0, 4), z=(14, 18))
    assert volume.capability(SegmentIds).segment_ids_in(box, scale=1) is None
    assert server.requests.count(containing="/ids/") == 0


def test_a_large_box_is_asked_for_in_parts(server):
    server.store.add_channel("lab", "wide", "seg", VOXELS[0], stop=(5000, 9, 300))
    volume = bare_remote(server).open(("lab", "wide", "seg"), OpenOptions())
    found = volume.capability(SegmentIds).segment_ids_in(volume.info.scales[0].bounds)
    assert found.tolist() == ids_of(VOXELS)
    assert server.requests.count(containing="/ids/") == 9


def test_ids_in_a_bad_box_are_refused_like_a_read(volume):
    ids = volume.capability(SegmentIds)
    with pytest.raises(OutOfBounds):
        ids.segment_ids_in(Box(BOUNDS.start, BOUNDS.stop + Vec3(1, 0, 0)))
    with pytest.raises(EmptyBox):
        ids.segment_ids_in(Box(BOUNDS.start, BOUNDS.start))
    with pytest.raises(UnknownScale):
        ids.segment_ids_in(BOUNDS, scale=2)


@pytest.mark.parametrize("segment_id", ids_of(VOXELS))
def test_the_extent_of_a_segment_is_exactly_that_of_its_voxels(volume, segment_id):
    z, y, x = (np.flatnonzero((VOXELS[0] == np.uint64(segment_id)).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    box = Box.of(x=(x[0], x[-1] + 1), y=(y[0], y[-1] + 1), z=(z[0], z[-1] + 1)).shifted(START)
    found = volume.capability(SegmentExtents).segment_extent(segment_id)
    assert (found.segment_id, found.is_exact, str(found.box)) == (segment_id, True, str(box))


def test_at_another_level_the_extent_is_that_of_the_base_and_says_that_it_is_not_exact(volume):
    extents = volume.capability(SegmentExtents)
    base = extents.segment_extent(LARGEST).box
    found = extents.segment_extent(LARGEST, scale=1)
    assert not found.is_exact
    assert found.box == Box.of(
        x=(base.start.x // 2, -(-base.stop.x // 2)),
        y=(base.start.y // 2, -(-base.stop.y // 2)),
        z=(base.start.z, base.stop.z),
    )


def test_where_the_stores_index_is_behind_the_extent_is_that_of_the_cuboids(server, volume):
    """The service looks for voxels in the cuboids of its index, and trips where they were erased since."""
    server.fail_next(
        400, 1002, "Type error in the boundingbox view. min() arg is an empty sequence", containing="/bound"
    )
    found = volume.capability(SegmentExtents).segment_extent(LARGEST)
    assert found == SegmentExtent(LARGEST, BOUNDS, is_exact=False)


def test_a_segment_that_is_not_there_is_not_found(volume):
    with pytest.raises(SegmentNotFound, match="does not exist"):
        volume.capability(SegmentExtents).segment_extent(12345)
    for bad in (0, -1, 2**64):
        with pytest.raises(InvalidSegmentId):
            volume.capability(SegmentExtents).segment_extent(bad)


def test_reserved_ids_are_nobody_elses(server, volume):
    reservation = volume.capability(SegmentIdReservation)
    assert [reservation.reserve_segment_ids(count) for count in (1, 5, 2)] == [1, 2, 7]
    server.store.channel(*PATH).next_id = 2**63 + 7
    assert reservation.reserve_segment_ids(3) == 2**63 + 7
    with pytest.raises(InvalidArgument):
        reservation.reserve_segment_ids(0)


def test_ids_are_never_reserved_twice_for_one_call(server, volume):
    server.cut_next(3, containing="/reserve/")
    with pytest.raises(StoreUnavailable):
        volume.capability(SegmentIdReservation).reserve_segment_ids(4)
    assert server.requests.count(containing="/reserve/") == 1


def test_a_remote_that_takes_no_writes_reserves_nothing(server):
    volume = boss_remote(server, writable=False).open(PATH, OpenOptions())
    with pytest.raises(ReadOnly):
        volume.capability(SegmentIdReservation).reserve_segment_ids(4)


@pytest.mark.parametrize(
    "told",
    [
        {"voxels": image((2, 3, 4), "<u1")},
        {"voxels": VOXELS[0], "storage_type": "cloudvol"},
        {"voxels": np.stack([VOXELS[0]] * 2), "num_time_samples": 2},
    ],
    ids=["an image", "read from elsewhere", "a time series"],
)
def test_without_an_index_that_can_be_trusted_nothing_is_offered(server, told):
    server.store.add_channel("lab", "other", "channel", **told)
    volume = bare_remote(server).open(("lab", "other", "channel"), OpenOptions())
    assert volume.capability(SegmentIds) is None
    assert volume.capability(SegmentExtents) is None
    assert (volume.capability(SegmentIdReservation) is None) == (volume.info.dtype == np.uint8)


@pytest.mark.parametrize("message", [b'{"ids": ["x"]}', b'{"ids": ["-1"]}', b"{}", b"[1]", b"<html>"])
def test_an_answer_about_ids_that_is_none_is_an_error(message):
    from voxgate_remotes.bossdb.client import document_of
    from voxgate_remotes.bossdb.segments import _ids
    from voxgate_remotes.http.answers import StoreAnswer

    with pytest.raises(StoreUnavailable):
        _ids(document_of(StoreAnswer(200, {}, message)))
