import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from voxgate.client.segments import voxels_from_runs
from voxgate.model.errors import IncompleteAnswer, SegmentNotFound, SegmentSuperseded
from voxgate.model.geometry import Box
from voxgate.model.segments import SegmentExtent
from voxgate.v1 import segment_pb2 as pb
from voxgate.wire.segments import RunsAssembler, bounds_from_proto, bounds_to_proto, runs_to_bytes

BOX = Box.of(x=(-7, 5), y=(2**40, 2**40 + 3), z=(0, 9))
HEADER = pb.ReadSegmentVoxelsResponse(header=pb.SegmentVoxelsHeader())
places = st.integers(-(2**62), 2**62)


@given(
    runs=st.lists(st.tuples(places, places, places, st.integers(1, 2**31)), max_size=20),
    cut=st.integers(0, 20),
)
def test_runs_arrive_as_they_were_sent(runs, cut):
    sent = np.array(runs, np.int64).reshape(-1, 4)
    assembler = RunsAssembler()
    messages = [HEADER, *(message(part) for part in (sent[:cut], sent[cut:]))]
    messages.append(ending(len(sent), int(sent[:, 3].sum())))
    parts = [assembler.add(each) for each in messages]
    assembler.finish()
    found = np.concatenate([np.empty((0, 4), np.int64), *(part for part in parts if part is not None)])
    assert found.tolist() == sent.tolist()


def message(runs, **changed):
    return pb.ReadSegmentVoxelsResponse(**{"run_count": len(runs), "data": runs_to_bytes(runs), **changed})


def ending(run_count, voxel_count):
    return pb.ReadSegmentVoxelsResponse(summary=pb.SegmentVoxelsSummary(run_count=run_count, voxel_count=voxel_count))


def test_a_run_is_four_little_endian_int64_whatever_the_array_is_like():
    plain = np.array([[-2, 3, 4, 5], [1, 1, 1, 1]], np.int64)
    expected = np.array([-2, 3, 4, 5, 1, 1, 1, 1]).astype("<i8").tobytes()
    for like in (
        plain,
        np.asfortranarray(plain),
        plain.astype(">i8"),
        plain.astype(np.int32),
        np.repeat(plain, 2, 0)[::2],
    ):
        assert runs_to_bytes(like) == expected


ONE = np.array([[1, 2, 3, 4]], np.int64)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [HEADER],
        [message(ONE)],
        [HEADER, message(ONE, run_count=2), ending(2, 8)],
        [HEADER, message(ONE, data=b"1234567"), ending(1, 4)],
        [HEADER, message(ONE * np.array([1, 1, 1, 0])), ending(1, 0)],
        [HEADER, message(ONE), ending(2, 4)],
        [HEADER, message(ONE), ending(1, 5)],
        [HEADER, ending(1, 4), message(ONE)],
    ],
    ids=["nothing", "no summary", "no header", "too few", "cut off", "empty run", "runs", "voxels", "late"],
)
def test_a_stream_that_breaks_the_contract_is_incomplete(messages):
    assembler = RunsAssembler()

    def take():
        for each in messages:
            assembler.add(each)
        assembler.finish()

    with pytest.raises(IncompleteAnswer):
        take()


@pytest.mark.parametrize("count", [None, 0, 2**63 + 5])
def test_bounds_survive_the_wire(count):
    extent = SegmentExtent(2**64 - 1, BOX, False, count)
    sent = bounds_to_proto(2**64 - 1, extent)
    assert bounds_from_proto(pb.SegmentBounds.FromString(sent.SerializeToString())) == extent


@pytest.mark.parametrize("kind", [SegmentNotFound, SegmentSuperseded])
def test_a_segment_without_bounds_says_why(kind):
    found = bounds_from_proto(bounds_to_proto(7, kind("it is gone", "look elsewhere")))
    assert type(found) is kind
    assert "it is gone" in found.message


def test_bounds_with_neither_a_box_nor_an_error_are_no_answer():
    with pytest.raises(IncompleteAnswer):
        bounds_from_proto(pb.SegmentBounds(segment_id=4))


@given(mask=arrays.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9))))
def test_runs_taken_apart_are_the_voxels_they_were_made_of(mask):
    runs = []
    for z, y in np.argwhere(mask.any(axis=2)).tolist():
        padded = np.diff(np.concatenate([[0], mask[z, y].view(np.int8), [0]]))
        ends = zip(np.flatnonzero(padded == 1).tolist(), np.flatnonzero(padded == -1).tolist(), strict=True)
        runs += [(x - 3, y + 2**40, z - 1, stop - x) for x, stop in ends]
    voxels = voxels_from_runs(np.array(runs, np.int64).reshape(-1, 4))
    expected = np.argwhere(mask)[:, ::-1] + np.array([-3, 2**40, -1])
    assert voxels.tolist() == expected.tolist()
