"""Questions about segments through a server to the databases of the field, compared with counting their voxels."""

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import numpy as np
import pytest

from support.boss_remotes import PATH, boss_remote
from support.bossdb import bossdb_server
from support.dvid_volumes import SERVERS, repository
from support.references import BIG_IDS, segmentation
from support.servers import volume_server
from voxgate import voxels_from_runs
from voxgate.client.array import VolumeArray
from voxgate.client.connection import connect
from voxgate.model.errors import MissingCapability, SegmentNotFound, StoreRefused
from voxgate.model.geometry import Box, Vec3
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.registry import Registry

NATIVE, SURROGATE = types_pb2.SERVICE_SUPPORT_NATIVE, types_pb2.SERVICE_SUPPORT_SURROGATE
HUGE, ABSENT = BIG_IDS[-1], 2**63 + 2


@dataclass
class Known:
    """A segmentation in a database behind a server.

    Attributes:
        seg: as the SDK opens it.
        stub: asks the server by hand.
        voxels: what it holds, (z, y, x), from its corner on.
        part: an unaligned box of it.
    """

    seg: VolumeArray
    stub: segment_pb2_grpc.SegmentServiceStub
    voxels: np.ndarray
    part: Box

    def cut(self, box: Box) -> np.ndarray:
        return self.voxels[box.slices_zyx(self.seg.bounds.start)]

    def places(self, segment_id: int, box: Box) -> list[tuple[int, ...]]:
        found = np.argwhere(self.cut(box) == np.uint64(segment_id)) + np.array(box.start.zyx)
        return sorted(map(tuple, found[:, ::-1].tolist()))

    def listed(self, **fields: object) -> pb.ListSegmentsResponse:
        return self.stub.ListSegments(pb.ListSegmentsRequest(volume=self.seg.name, **fields))


def served(remote, name: str, voxels: np.ndarray, part: Box) -> Iterator[Known]:
    with volume_server(Registry({"db": remote})) as server, connect(server.address) as client:
        with grpc.insecure_channel(server.address) as channel:
            yield Known(client.volume(f"db/{name}"), segment_pb2_grpc.SegmentServiceStub(channel), voxels, part)


@pytest.fixture(scope="module")
def dvid() -> Iterator[Known]:
    """On a real server where the environment names one."""
    blocks = np.random.default_rng(3).choice(np.array(BIG_IDS, "<u8"), (8, 4, 12))
    voxels = blocks.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    with repository(SERVERS[-1]) as store:
        name = store.make("labelmap", Vec3(16, 16, 16), MaxDownresLevel="2")
        store.put_labels(name, Vec3(32, 48, 16), voxels)
        yield from served(store.remote(), name, voxels, Box.of(x=(35, 77), y=(49, 63), z=(18, 41)))


@pytest.fixture(scope="module")
def boss() -> Iterator[Known]:
    voxels = segmentation((1, 7, 9, 21))[0]
    with bossdb_server() as store:
        store.store.add_channel(*PATH, voxels, start=(0, 0, 13), levels=[], voxel_size=(4, 4, 40))
        yield from served(boss_remote(store), "/".join(PATH), voxels, Box.of(x=(2, 19), y=(1, 8), z=(14, 18)))


@pytest.fixture(params=["dvid", "boss"])
def known(request) -> Known:
    return request.getfixturevalue(request.param)


def test_ids_counts_points_and_voxels_are_those_of_counting(known):
    for box in (known.seg.bounds, known.part):
        ids, counts = np.unique(known.cut(box), return_counts=True)
        expected = [(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]
        assert known.seg.segment_ids(box).tolist() == [i for i, _ in expected]
        assert [(s.segment_id, s.voxel_count) for s in known.seg.segments(box=box)] == expected
        voxels = voxels_from_runs(known.seg.segment_voxels(HUGE, box))
        assert sorted(map(tuple, voxels.tolist())) == known.places(HUGE, box)
    corner = known.seg.bounds.start
    assert known.seg.at([tuple(corner)]) == [int(known.voxels[0, 0, 0])]
    with pytest.raises(SegmentNotFound):
        known.seg.segment_voxels(ABSENT)


def test_every_box_around_a_segment_holds_all_of_it(known):
    ids = [int(i) for i in np.unique(known.voxels) if i]
    for extent in known.seg.segment_bounds(ids):
        places = np.array(known.places(extent.segment_id, known.seg.bounds))
        tight = Box(Vec3(*places.min(axis=0).tolist()), Vec3(*(places.max(axis=0) + 1).tolist()))
        assert extent.box.contains(tight)
        assert extent.box == tight or not extent.is_exact
        assert extent.voxel_count in (None, len(places))
    with pytest.raises(SegmentNotFound):
        known.seg.segment_bounds([HUGE, ABSENT])


def test_a_dvid_answers_by_itself_what_its_index_knows(dvid):
    part = box_to_proto(dvid.part)
    assert dvid.listed().support == NATIVE
    assert dvid.listed(ids_only=True).support == NATIVE
    assert dvid.listed(box=part).support == SURROGATE
    assert dvid.listed(box=part, ids_only=True).support == SURROGATE
    first = next(dvid.stub.ReadSegmentVoxels(pb.ReadSegmentVoxelsRequest(volume=dvid.seg.name, segment_id=HUGE)))
    assert first.header.support == NATIVE
    assert dvid.seg.supervoxels(HUGE) == [HUGE]
    assert dvid.seg.bodies([HUGE, ABSENT])[0] == HUGE
    with pytest.raises(SegmentNotFound):
        dvid.seg.supervoxels(ABSENT)


def test_a_bossdb_answers_by_itself_what_its_index_knows(boss):
    part = box_to_proto(boss.part)
    assert boss.listed(box=part, ids_only=True).support == NATIVE
    assert boss.listed(box=part).support == SURROGATE
    bounds = boss.stub.GetSegmentBounds(pb.GetSegmentBoundsRequest(volume=boss.seg.name, segment_ids=[HUGE]))
    assert bounds.support == NATIVE
    with pytest.raises(MissingCapability):
        boss.seg.supervoxels(HUGE)


def test_ids_that_a_database_hands_out_are_handed_out_once(boss):
    one, other = boss.seg.reserve_ids(5), boss.seg.reserve_ids(2)
    assert (len(one), len(other)) == (5, 2)
    assert not set(one) & set(other)


def test_a_database_that_has_no_more_ids_to_hand_out_is_heard(dvid):
    assert HUGE == 2**64 - 1
    with pytest.raises(StoreRefused):
        dvid.seg.reserve_ids(5)
