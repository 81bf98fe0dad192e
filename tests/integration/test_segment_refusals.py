"""Questions about segments that have no answer, over a real socket."""

import functools

import grpc
import pytest

from support.native_segments import REFUSED, SUPERSEDED
from support.segment_service import (
    ABSENT,
    BOUNDS,
    HUGE,
    PART,
    QUESTIONS,
    SEARCHED,
    START,
    VOXELS,
    failure,
    renewed,
    serving,
)
from support.servers import OneVolume, volume_server
from support.volume_service import reason_of
from voxgate.client.connection import connect
from voxgate.model.errors import (
    InvalidSegmentId,
    LimitExceeded,
    MissingCapability,
    SegmentNotFound,
    SegmentSuperseded,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.v1 import segment_pb2 as pb
from voxgate.wire.volumes import box_to_proto, vec3_to_proto
from voxgate_remotes.registry import Registry


@pytest.fixture(scope="module")
def served():
    with serving() as running:
        yield running


@pytest.fixture
def native(served):
    return renewed(served.native)


def test_each_segment_that_fails_fails_alone(served, native):
    ids = [ABSENT, HUGE, SUPERSEDED, REFUSED]
    answer = served.stub.GetSegmentBounds(pb.GetSegmentBoundsRequest(volume="native/x", segment_ids=ids))
    assert [each.segment_id for each in answer.bounds] == ids
    reasons = ["SEGMENT_NOT_FOUND", "", "SEGMENT_SUPERSEDED", "INVALID_SEGMENT_ID"]
    assert [each.error.reason for each in answer.bounds] == reasons
    assert [each.HasField("box") for each in answer.bounds] == [False, True, False, False]
    searched = served.stub.GetSegmentBounds(pb.GetSegmentBoundsRequest(volume="plain/x", segment_ids=[ABSENT, HUGE]))
    assert [each.error.reason for each in searched.bounds] == ["SEGMENT_NOT_FOUND", ""]
    seg = served.client.volume("native/x")
    for segment_id, error in ((ABSENT, SegmentNotFound), (SUPERSEDED, SegmentSuperseded), (REFUSED, InvalidSegmentId)):
        with pytest.raises(error):
            seg.segment_bounds([HUGE, segment_id])


@pytest.mark.parametrize(
    ("segment_ids", "reason"),
    [([HUGE, 0], "INVALID_SEGMENT_ID"), ([HUGE, 1, HUGE], "INVALID_REQUEST"), (range(1, 52), "LIMIT_EXCEEDED")],
)
def test_background_doubles_and_too_many_ids_are_refused(served, segment_ids, reason):
    for method in ("GetSegmentBounds", "GetSupervoxels"):
        request = getattr(pb, f"{method}Request")(volume="plain/x", segment_ids=segment_ids)
        with pytest.raises(grpc.RpcError) as caught:
            getattr(served.stub, method)(request)
        assert reason_of(caught.value) == reason
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_what_cannot_be_looked_at_is_refused_by_every_call(served):
    outside = box_to_proto(BOUNDS.shifted(Vec3(1, 0, 0)))
    for name in ("plain/x", "native/x"):
        asks = (
            lambda n=name: served.stub.ListSegments(pb.ListSegmentsRequest(volume=n, box=outside)),
            lambda n=name: served.stub.ListSegments(pb.ListSegmentsRequest(volume=n, box=outside, ids_only=True)),
            lambda n=name: list(
                served.stub.ReadSegmentVoxels(pb.ReadSegmentVoxelsRequest(volume=n, box=outside, segment_id=HUGE))
            ),
        )
        for ask in asks:
            assert failure(ask).reason == "OUT_OF_BOUNDS"
        request = pb.GetSegmentBoundsRequest(volume=name, segment_ids=[1], scale_index=3)
        assert failure(lambda r=request: served.stub.GetSegmentBounds(r)).reason == "UNKNOWN_SCALE"
    zero = pb.ReadSegmentVoxelsRequest(volume="plain/x")
    assert isinstance(failure(lambda: list(served.stub.ReadSegmentVoxels(zero))), InvalidSegmentId)


def test_images_have_no_segments(served):
    inside = {"points": [vec3_to_proto(Vec3(0, 0, 0))]}
    for method, fields in QUESTIONS.values():
        request = getattr(pb, f"{method}Request")(volume="image/x", **(inside if "points" in fields else fields))
        ask = functools.partial(getattr(served.stub, method), request)
        assert isinstance(failure(ask), MissingCapability)
    request = pb.ReadSegmentVoxelsRequest(volume="image/x", segment_id=1)
    assert isinstance(failure(lambda: list(served.stub.ReadSegmentVoxels(request))), MissingCapability)


@pytest.mark.parametrize("name", ["plain/x", "native/x"])
def test_a_segment_without_a_voxel_there_is_not_found(served, native, name):
    seg = served.client.volume(name)
    nowhere = Box.at(START, Vec3(1, 1, 1))
    with pytest.raises(SegmentNotFound):
        seg.segment_voxels(ABSENT)
    with pytest.raises(SegmentNotFound):
        seg.segment_voxels(1 if int(VOXELS[0, 0, 0]) != 1 else HUGE, nowhere)


@pytest.mark.parametrize(
    ("method", "fields", "capability"),
    [
        ("GetSupervoxels", {"segment_ids": [1]}, "supervoxels"),
        ("LookupBodies", {"supervoxel_ids": [1]}, "supervoxels"),
        ("ReserveSegmentIds", {"count": 1}, "reserve_segment_ids"),
    ],
)
def test_what_only_a_store_can_know_is_missing_by_name(served, method, fields, capability):
    request = getattr(pb, f"{method}Request")(volume="plain/x", **fields)
    error = failure(lambda: getattr(served.stub, method)(request))
    assert isinstance(error, MissingCapability)
    assert error.details["capability"] == capability
    seg = served.client.volume("plain/x")
    for ask in (lambda: seg.supervoxels(1), lambda: seg.bodies([1]), lambda: seg.reserve_ids(1)):
        with pytest.raises(MissingCapability):
            ask()


def test_a_search_over_the_servers_limit_is_refused_before_it_begins():
    with volume_server(Registry({"plain": OneVolume(SEARCHED)}), max_scan_voxel_count=5000) as server:
        with connect(server.address) as client:
            seg = client.volume("plain/x")
            for ask in (
                seg.segment_ids,
                seg.segments,
                lambda: seg.segment_bounds([1]),
                lambda: seg.segment_voxels(1),
            ):
                with pytest.raises(LimitExceeded) as caught:
                    ask()
                assert caught.value.details["limit"] == "5000"
            assert len(seg.segment_ids(PART))
