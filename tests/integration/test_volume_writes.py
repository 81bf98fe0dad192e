"""Writes over a real socket: whole granules, in any cut, and nothing padded."""

import grpc
import numpy as np
import pytest

from support.fakes import Hooked
from support.servers import OneVolume, volume_server
from support.volume_service import BOUNDS, ids, memory_registry, reason_of, spec
from voxgate.client.connection import connect
from voxgate.model.errors import (
    PartialWriteError,
    StoreUnavailable,
    WriteIncomplete,
    WriteOverlap,
)
from voxgate.model.geometry import Box, Vec3, covered_once
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.volumes import box_from_proto, box_to_proto
from voxgate_remotes.registry import Registry


def write_stream(header, boxes, voxels, dtype="<u8"):
    yield volume_pb2.WriteCutoutRequest(header=header)
    for box in boxes:
        data = np.ascontiguousarray(voxels[box.slices_zyx(BOUNDS.start)]).astype(dtype).tobytes()
        yield volume_pb2.WriteCutoutRequest(chunks=[types_pb2.Chunk(box=box_to_proto(box), data=data)])


def write_header(box=BOUNDS, data_type=types_pb2.DATA_TYPE_UINT64):
    return volume_pb2.WriteCutoutHeader(volume="mem/lab/seg", box=box_to_proto(box), data_type=data_type)


def halves(box, z):
    lower = Box(box.start, Vec3(box.stop.x, box.stop.y, z))
    return lower, Box(Vec3(box.start.x, box.start.y, z), box.stop)


def test_a_plain_stub_writes_in_any_cut_and_zeros_arrive(stub, written):
    volume, voxels = written
    new = ids(1)
    new[5:20, 3:40] = 0
    lower, upper = halves(BOUNDS, 43)
    answer = stub.WriteCutout(write_stream(write_header(), [lower, upper], new))
    assert answer.outcome == volume_pb2.WRITE_OUTCOME_COMPLETE
    assert answer.size_bytes == new.nbytes
    assert covered_once(BOUNDS, [box_from_proto(box) for box in answer.written])
    np.testing.assert_array_equal(np.asarray(volume), new)
    assert not np.array_equal(voxels, new)


def test_a_write_that_ends_early_into_a_first_granule_is_refused_whole(stub, written):
    volume, voxels = written
    granule = Box.of(x=(-7, 25), y=(1000, 1016), z=(30, 38))
    part, _ = halves(granule, 33)
    with pytest.raises(grpc.RpcError) as refused:
        stub.WriteCutout(write_stream(write_header(granule), [part], ids(1)))
    assert reason_of(refused.value) == WriteIncomplete.reason
    np.testing.assert_array_equal(np.asarray(volume), voxels)


def test_a_write_that_ends_early_keeps_whole_granules_and_says_which(stub, written):
    volume, voxels = written
    new = ids(1)
    lower, _ = halves(BOUNDS, 40)
    answer = stub.WriteCutout(write_stream(write_header(), [lower], new))
    assert answer.outcome == volume_pb2.WRITE_OUTCOME_PARTIAL
    assert {failure.error.reason for failure in answer.failures} == {"WRITE_INCOMPLETE"}
    whole = box_from_proto(answer.written[0])
    assert [box_from_proto(box) for box in answer.written] == [halves(BOUNDS, 38)[0]]
    expected = voxels.copy()
    expected[whole.slices_zyx(BOUNDS.start)] = new[whole.slices_zyx(BOUNDS.start)]
    np.testing.assert_array_equal(np.asarray(volume), expected)


def test_overlapping_chunks_are_refused(stub, written):
    volume, voxels = written
    granule = Box.of(x=(-7, 25), y=(1000, 1016), z=(30, 38))
    lower, _ = halves(granule, 35)
    _, upper = halves(granule, 34)
    with pytest.raises(grpc.RpcError) as refused:
        stub.WriteCutout(write_stream(write_header(granule), [lower, upper], ids(1)))
    assert reason_of(refused.value) == WriteOverlap.reason
    np.testing.assert_array_equal(np.asarray(volume), voxels)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (lambda: iter(()), grpc.StatusCode.INVALID_ARGUMENT),
        (
            lambda: write_stream(write_header(data_type=types_pb2.DATA_TYPE_UINT32), [BOUNDS], ids()),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (lambda: write_stream(write_header(), [BOUNDS], ids(), "<u4"), grpc.StatusCode.INVALID_ARGUMENT),
        (
            lambda: write_stream(write_header(Box.of(x=(0, 1), y=(0, 1), z=(0, 1))), [], ids()),
            grpc.StatusCode.OUT_OF_RANGE,
        ),
        (lambda: iter([*write_stream(write_header(), [], ids())] * 2), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_malformed_writes_are_refused_and_nothing_is_written(stub, written, messages, code):
    volume, voxels = written
    with pytest.raises(grpc.RpcError) as refused:
        stub.WriteCutout(messages())
    assert refused.value.code() is code
    np.testing.assert_array_equal(np.asarray(volume), voxels)


def test_a_store_that_fails_midway_gives_a_partial_write_that_names_the_boxes(tmp_path):
    inner = memory_registry(tmp_path).create("mem/seg", spec())

    def fail(box):
        if box.start.z >= 46:
            raise StoreUnavailable("the disk is full", "make room")

    faulty = Registry({"lab": OneVolume(Hooked(inner, before_write=fail))})
    with volume_server(faulty) as server, connect(server.address) as client:
        volume = client.volume("lab/x")
        with pytest.raises(PartialWriteError) as partial:
            volume.write(BOUNDS, ids())
    assert any("the disk is full" in message for _, message in partial.value.failures)
