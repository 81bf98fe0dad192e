"""Questions about segments over a real socket: of volumes that are searched, and of stores that know by themselves."""

from dataclasses import replace

import grpc
import numpy as np
import pytest

from support.native_segments import ALL, SUPERSEDED, NativeSegments, with_label_views
from support.segment_service import (
    ABSENT,
    BOUNDS,
    HUGE,
    NATIVE,
    PART,
    QUESTIONS,
    SEARCHED,
    START,
    SURROGATE,
    VOXELS,
    by_numpy,
    failure,
    places,
    renewed,
    serving,
)
from support.servers import OneVolume, volume_server
from voxgate import voxels_from_runs
from voxgate.client.array import VolumeArray
from voxgate.client.connection import connect
from voxgate.model.errors import (
    MissingCapability,
    SegmentSuperseded,
)
from voxgate.model.segments import SegmentCounts, SegmentIds, SegmentIndex, SegmentRuns
from voxgate.model.volumes import LabelView, Relayed, ServiceOffer
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.registry import Registry


@pytest.fixture(scope="module")
def served():
    with serving() as running:
        yield running


@pytest.fixture
def native(served):
    return renewed(served.native)


@pytest.mark.parametrize("name", ["plain/x", "native/x"])
def test_the_sdk_answers_the_same_of_a_store_that_knows_and_of_one_that_is_searched(served, native, name):
    seg = served.client.volume(name)
    assert seg.segment_ids().dtype == np.uint64
    assert seg.segment_ids().tolist() == [i for i, _ in by_numpy(BOUNDS)]
    assert seg.segment_ids(PART).tolist() == [i for i, _ in by_numpy(PART)]
    assert [(s.segment_id, s.voxel_count) for s in seg.segments(box=PART)] == by_numpy(PART)
    top = sorted(by_numpy(PART), key=lambda each: (-each[1], each[0]))[:3]
    assert [(s.segment_id, s.voxel_count) for s in seg.segments(box=PART, top=3)] == top
    assert seg.at([(-9, 5, 100), (19, 21, 110)]) == [int(VOXELS[0, 0, 0]), int(VOXELS[-1, -1, -1])]
    for box in (None, PART):
        runs = seg.segment_voxels(HUGE, box)
        assert runs.dtype == np.int64
        assert sorted(map(tuple, voxels_from_runs(runs).tolist())) == places(HUGE, box or BOUNDS)


def test_bounds_of_a_searched_volume_are_tight_and_counted(served):
    wanted = [HUGE, 1, HUGE]
    found = served.client.volume("plain/x").segment_bounds(wanted)
    for segment_id, extent in zip(wanted, found, strict=True):
        all_of_it = np.array(places(segment_id))
        assert (extent.segment_id, extent.is_exact, extent.voxel_count) == (segment_id, True, len(all_of_it))
        assert tuple(extent.box.start) == tuple(all_of_it.min(axis=0))
        assert tuple(extent.box.stop) == tuple(all_of_it.max(axis=0) + 1)


def test_bounds_that_a_store_knows_come_as_it_says(served, native):
    (extent,) = served.client.volume("native/x").segment_bounds([HUGE])
    tight = np.array(places(HUGE))
    assert tuple(extent.box.start) == tuple(tight.min(axis=0) - 1)
    assert (extent.is_exact, extent.voxel_count) == (False, None)
    assert native.asked == {"extent": 1}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_says_whether_the_store_or_its_voxels_gave_it(served, native, question):
    method, fields = QUESTIONS[question]
    request = getattr(pb, f"{method}Request")
    answer = getattr(served.stub, method)(request(volume="native/x", **fields))
    assert (answer.support, answer.resolved_version, answer.label_view) == (NATIVE, "v7", types_pb2.LABEL_VIEW_BODIES)
    assert native.asked == {question: 1}
    native.powers = ()
    assert getattr(served.stub, method)(request(volume="native/x", **fields)).support == SURROGATE
    assert native.asked[question] == 1
    assert native.asked["read"] > 0


def test_runs_say_whether_the_store_or_its_voxels_gave_them(served, native):
    request = pb.ReadSegmentVoxelsRequest(volume="native/x", segment_id=HUGE)
    for powers, support, asked in ((ALL, NATIVE, {"runs": 1}), ((), SURROGATE, None)):
        native.powers = powers
        first, *_, last = served.stub.ReadSegmentVoxels(request)
        assert (first.header.support, first.header.resolved_version) == (support, "v7")
        assert last.summary.voxel_count == len(places(HUGE))
        assert asked is None or native.asked == asked


def test_a_box_that_an_index_of_whole_volumes_cannot_answer_is_searched(served, native):
    native.whole_only = True
    native.powers = (SegmentIds, SegmentCounts)
    for box, support in ((BOUNDS, NATIVE), (PART, SURROGATE)):
        for ids_only in (False, True):
            answer = served.stub.ListSegments(
                pb.ListSegmentsRequest(volume="native/x", box=box_to_proto(box), ids_only=ids_only)
            )
            expected = [(i, 0 if ids_only else n) for i, n in by_numpy(box)]
            assert answer.support == support
            assert [(s.segment_id, s.voxel_count) for s in answer.segments] == expected


def test_a_volume_that_is_searched_by_another_server_is_a_surrogate_here_too(served, native):
    native.info = replace(native.info, services=(ServiceOffer("segments", "surrogate"),))
    answer = served.stub.ListSegments(pb.ListSegmentsRequest(volume="native/x", ids_only=True))
    assert (answer.support, native.asked) == (SURROGATE, {"ids": 1})
    first, *_ = served.stub.ReadSegmentVoxels(pb.ReadSegmentVoxelsRequest(volume="native/x", segment_id=HUGE))
    assert first.header.support == SURROGATE


@pytest.mark.parametrize(
    ("name", "support", "offer"), [("plain/x", SURROGATE, "surrogate"), ("native/x", NATIVE, "native")]
)
def test_a_server_in_front_of_a_server_says_what_the_first_one_does(served, native, name, support, offer):
    chained = served.client.volume(name).volume
    assert chained.capability(Relayed) is not None
    with volume_server(Registry({"far": OneVolume(chained)})) as server, connect(server.address) as client:
        seg = client.volume("far/x")
        assert {each.name: each.support for each in seg.info.services}["segments"] == offer
        assert seg.segment_ids(PART).tolist() == [i for i, _ in by_numpy(PART)]
        assert len(seg.segment_bounds([HUGE, 1])) == 2
        assert len(voxels_from_runs(seg.segment_voxels(HUGE, PART))) == len(places(HUGE, PART))
        with grpc.insecure_channel(server.address) as channel:
            stub = segment_pb2_grpc.SegmentServiceStub(channel)
            assert stub.ListSegments(pb.ListSegmentsRequest(volume="far/x")).support == support
            asked = pb.GetSegmentBoundsRequest(volume="far/x", segment_ids=[HUGE, ABSENT])
            bounds = stub.GetSegmentBounds(asked)
            assert bounds.support == support
            assert [each.error.reason for each in bounds.bounds] == ["", "SEGMENT_NOT_FOUND"]


def test_supervoxels_and_bodies_are_the_stores_own(served, native):
    seg = served.client.volume("native/x")
    assert {"segments", "supervoxels", "reserve_ids"} <= set(seg.capabilities)
    assert not {"supervoxels", "reserve_ids"} & set(served.client.volume("plain/x").capabilities)
    assert seg.supervoxels(HUGE) == [HUGE, 2**64 - 5]
    assert seg.bodies([2**63 + 8, 404]) == [2**63 + 9, 0]
    answer = served.stub.GetSupervoxels(pb.GetSupervoxelsRequest(volume="native/x", segment_ids=[HUGE, SUPERSEDED]))
    assert [each.error.reason for each in answer.bodies] == ["", "SEGMENT_SUPERSEDED"]
    assert answer.resolved_version == "v7"
    with pytest.raises(SegmentSuperseded):
        seg.supervoxels(SUPERSEDED)


def test_reserved_ids_are_handed_out_once(served, native):
    seg = served.client.volume("native/x")
    one, other = seg.reserve_ids(3), seg.reserve_ids(2)
    assert (len(one), len(other)) == (3, 2)
    assert not set(one) & set(other)
    nothing = pb.ReserveSegmentIdsRequest(volume="native/x")
    assert failure(lambda: served.stub.ReserveSegmentIds(nothing)).reason == "INVALID_REQUEST"


def test_what_an_id_means_is_repeated_as_it_was_asked(served, native):
    asked = pb.ListSegmentsRequest(volume="native/x", label_view=types_pb2.LABEL_VIEW_SUPERVOXELS)
    assert isinstance(failure(lambda: served.stub.ListSegments(asked)), MissingCapability)
    native.info = with_label_views(native.info)
    assert served.stub.ListSegments(asked).label_view == types_pb2.LABEL_VIEW_SUPERVOXELS
    assert native.opened.label_view is LabelView.SUPERVOXELS
    runs = pb.ReadSegmentVoxelsRequest(volume="native/x", segment_id=HUGE, label_view=types_pb2.LABEL_VIEW_SUPERVOXELS)
    assert next(served.stub.ReadSegmentVoxels(runs)).header.label_view == types_pb2.LABEL_VIEW_SUPERVOXELS


def test_a_volume_of_several_times_needs_one_except_where_ids_are_all_there_is(served, native):
    native.info = replace(native.info, time_count=3, axes="tzyx")
    asked = pb.ListSegmentsRequest(volume="native/x", ids_only=True)
    assert failure(lambda: served.stub.ListSegments(asked)).details["field"] == "time_index"
    asked.time_index = 2
    served.stub.ListSegments(asked)
    assert native.opened.time_index == 2
    assert served.stub.ReserveSegmentIds(pb.ReserveSegmentIdsRequest(volume="native/x", count=1)).count == 1


def test_pages_of_ids_are_all_ids(served):
    found, token = [], ""
    while True:
        request = pb.ListSegmentsRequest(volume="plain/x", ids_only=True, page_size=2, page_token=token)
        page = served.stub.ListSegments(request)
        found += [each.segment_id for each in page.segments]
        assert page.total_count == len(by_numpy(BOUNDS))
        token = page.next_page_token
        if not token:
            break
    assert found == [i for i, _ in by_numpy(BOUNDS)]


def test_a_volume_without_a_server_offers_what_its_store_knows(served, native):
    local = VolumeArray(native)
    assert local.segment_ids(PART).tolist() == [i for i, _ in by_numpy(PART)]
    assert [(s.segment_id, s.voxel_count) for s in local.segments()] == by_numpy(BOUNDS)
    assert local.at([tuple(START)]) == [int(VOXELS[0, 0, 0])]
    native.whole_only = True
    native.powers = (SegmentCounts, SegmentRuns)
    with pytest.raises(MissingCapability):
        local.segments(box=PART)
    with pytest.raises(MissingCapability):
        local.segment_bounds([1])
    assert VolumeArray(SEARCHED).volume.capability(SegmentIds) is None
    with pytest.raises(MissingCapability):
        VolumeArray(SEARCHED).segment_voxels(1)


def test_an_older_index_of_a_volume_is_used(served, native):
    class Indexed(NativeSegments):
        def segments_in(self, box, *, scale=0, top=None):
            self.asked["index"] += 1
            return self.counts_in(box, scale=scale)

    volume = Indexed(VOXELS, START, SEARCHED.info, (SegmentIndex,))
    with volume_server(Registry({"old": OneVolume(volume)})) as server, connect(server.address) as client:
        seg = client.volume("old/x")
        assert seg.segment_ids().tolist() == [i for i, _ in by_numpy(BOUNDS)]
        assert seg.at([tuple(START)]) == [int(VOXELS[0, 0, 0])]
        assert volume.asked["index"] == 1
        assert volume.asked["read"] == 0
