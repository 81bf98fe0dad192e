"""The Volume service over a real socket: exact voxels and typed errors."""

import grpc
import numpy as np
import pytest

from support.fakes import Hooked
from support.servers import OneVolume, volume_server
from support.volume_service import BOUNDS, PAYLOAD_LIMIT, cutout, ids, memory_registry, reason_of, spec
from voxgate.client.connection import connect
from voxgate.model.errors import (
    AlreadyExists,
    DataTypeMismatch,
    EmptyBox,
    LimitExceeded,
    MalformedName,
    OutOfBounds,
    ReadOnly,
    ShapeMismatch,
    StoreUnavailable,
    UnknownRemote,
    UnknownScale,
    UnknownVolume,
)
from voxgate.model.geometry import Box, covered_once
from voxgate.model.volumes import VolumeKind
from voxgate.v1 import types_pb2, volume_pb2, volume_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import box_from_proto, box_to_proto
from voxgate_remotes.registry import Registry


def test_a_plain_stub_assembles_a_cutout_from_nothing_but_the_contract(stub, written):
    _, voxels = written
    box = Box.of(x=(-3, 90), y=(1001, 1060), z=(31, 76))
    responses = list(stub.ReadCutout(cutout(box)))
    header = responses[0].header
    assert header.data_type == types_pb2.DATA_TYPE_UINT64
    got = np.zeros(box.shape.zyx, "<u8")
    boxes = []
    for response in responses:
        assert sum(len(chunk.data) for chunk in response.chunks) <= PAYLOAD_LIMIT
        for chunk in response.chunks:
            assert header.encodings[chunk.encoding_index].array == types_pb2.ARRAY_CODEC_RAW
            part = box_from_proto(chunk.box)
            boxes.append(part)
            got[part.slices_zyx(box.start)] = np.frombuffer(chunk.data, "<u8").reshape(part.shape.zyx)
    assert covered_once(box, boxes)
    assert responses[-1].summary.chunk_count == len(boxes)
    assert not any(response.HasField("summary") for response in responses[:-1])
    np.testing.assert_array_equal(got, voxels[box.slices_zyx(BOUNDS.start)])


def test_absent_chunks_travel_as_fill_without_bytes_and_are_counted(client, stub):
    volume = client.create("mem/lab/seg", spec())
    part = Box.of(x=(-7, 25), y=(1000, 1016), z=(30, 38))
    zeros = np.zeros(part.shape.zyx, np.uint64)
    volume.write(part, zeros)
    responses = list(stub.ReadCutout(cutout(BOUNDS)))
    encodings = responses[0].header.encodings
    chunks = [chunk for response in responses for chunk in response.chunks]
    fills = [c for c in chunks if encodings[c.encoding_index].array == types_pb2.ARRAY_CODEC_FILL]
    assert all(not chunk.data for chunk in fills)
    assert responses[-1].summary.absent_chunk_count == len(fills) > 0
    stored = [box_from_proto(c.box) for c in chunks if c not in fills]
    # Zeros that somebody wrote are stored voxels, not absent ones.
    assert covered_once(part, stored)
    assert covered_once(BOUNDS, [box_from_proto(chunk.box) for chunk in chunks])
    assert not np.asarray(volume).any()


def test_every_accepted_encoding_gives_the_same_voxels(stub, written):
    _, voxels = written
    box = Box.of(x=(0, 60), y=(1007, 1030), z=(33, 60))
    answers = set()
    for codec in (types_pb2.BYTE_CODEC_NONE, types_pb2.BYTE_CODEC_GZIP, types_pb2.BYTE_CODEC_ZSTD):
        accepted = [types_pb2.Encoding(array=types_pb2.ARRAY_CODEC_RAW, bytes=codec)]
        responses = list(stub.ReadCutout(cutout(box, accept_encodings=accepted)))
        answers.add(responses[0].header.encodings[0].bytes)
    assert answers == {types_pb2.BYTE_CODEC_NONE, types_pb2.BYTE_CODEC_GZIP, types_pb2.BYTE_CODEC_ZSTD}
    jpeg = [types_pb2.Encoding(array=types_pb2.ARRAY_CODEC_JPEG)]
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.ReadCutout(cutout(box, accept_encodings=jpeg)))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(refused.value) == "UNSUPPORTED_ENCODING"
    assert voxels.shape == BOUNDS.shape.zyx


def test_channels_keep_the_order_that_was_asked_for(client):
    volume = client.create("mem/lab/rgb", spec("<i2", kind=VolumeKind.IMAGE, channels=("r", "g", "b")))
    voxels = np.random.default_rng(3).integers(-500, 500, (3, *BOUNDS.shape.zyx)).astype("<i2")
    volume.write(BOUNDS, voxels)
    assert volume.axes == "czyx"
    box = Box.of(x=(1, 9), y=(1003, 1021), z=(40, 45))
    got = volume.read(box, channels=[2, 0])
    np.testing.assert_array_equal(got, voxels[[2, 0]][(slice(None), *box.slices_zyx(BOUNDS.start))])


def test_a_small_box_comes_in_one_message_and_a_large_one_is_refused_with_the_limit(stub, written):
    _, voxels = written
    box = Box.of(x=(5, 44), y=(1011, 1040), z=(33, 61))
    request = volume_pb2.ReadChunkRequest(volume="mem/lab/seg", box=box_to_proto(box))
    chunk = stub.ReadChunk(request).chunk
    got = np.frombuffer(chunk.data, "<u8").reshape(box.shape.zyx)
    np.testing.assert_array_equal(got, voxels[box.slices_zyx(BOUNDS.start)])
    request = volume_pb2.ReadChunkRequest(volume="mem/lab/seg", box=box_to_proto(BOUNDS))
    with pytest.raises(grpc.RpcError) as refused:
        stub.ReadChunk(request)
    assert isinstance(from_rpc_error(refused.value), LimitExceeded)
    assert from_rpc_error(refused.value).details["limit"] == str(PAYLOAD_LIMIT)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda c: c.volume("nowhere/em"), UnknownRemote),
        (lambda c: c.volume("mem/lab/nothing"), UnknownVolume),
        (lambda c: c.volume("Mem/../em"), MalformedName),
        (lambda c: c.volumes("mem/nothing/there"), UnknownVolume),
        (lambda c: c.resolve("gopher://x/y"), UnknownRemote),
        (lambda c: c.volume("mem/lab/seg").read(Box.of(x=(-8, 5), y=(1000, 1005), z=(30, 35))), OutOfBounds),
        (lambda c: c.volume("mem/lab/seg").read(Box.of(x=(5, 5), y=(1000, 1005), z=(30, 35))), EmptyBox),
        (lambda c: c.volume("mem/lab/seg").read(Box.of(x=(5, 2), y=(1000, 1005), z=(30, 35))), EmptyBox),
        (lambda c: c.volume("mem/lab/seg").read(BOUNDS, scale=1), UnknownScale),
        (lambda c: c.volume("mem/lab/seg").write(BOUNDS, ids().astype(np.uint32)), DataTypeMismatch),
        (lambda c: c.volume("mem/lab/seg").write(BOUNDS, ids()[1:]), ShapeMismatch),
        (lambda c: c.create("mem/lab/seg", spec("<u4")), AlreadyExists),
        (lambda c: c.create("kept/new", spec()), ReadOnly),
    ],
)
def test_bad_requests_are_typed_errors_with_a_remedy_and_the_server_goes_on(client, written, call, error):
    with pytest.raises(error) as refused:
        call(client)
    assert refused.value.remedy
    assert "Traceback" not in str(refused.value)
    volume, voxels = written
    np.testing.assert_array_equal(volume[3:5, 2:9, -4:], voxels[3:5, 2:9, -4:])


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"box": Box.of(x=(-8, 5), y=(1000, 1005), z=(30, 35))}, grpc.StatusCode.OUT_OF_RANGE, "OUT_OF_BOUNDS"),
        ({"box": Box.of(x=(5, 2), y=(1000, 1005), z=(30, 35))}, grpc.StatusCode.INVALID_ARGUMENT, "EMPTY_BOX"),
        ({"scale_index": 3}, grpc.StatusCode.NOT_FOUND, "UNKNOWN_SCALE"),
        ({"scale_key": "8_8_40"}, grpc.StatusCode.NOT_FOUND, "UNKNOWN_SCALE"),
        ({"channels": [1]}, grpc.StatusCode.OUT_OF_RANGE, "OUT_OF_BOUNDS"),
        ({"if_version": "v2"}, grpc.StatusCode.ABORTED, "VERSION_MOVED"),
        ({"label_view": types_pb2.LABEL_VIEW_SUPERVOXELS}, grpc.StatusCode.FAILED_PRECONDITION, "MISSING_CAPABILITY"),
    ],
)
def test_the_server_itself_refuses_what_a_bare_stub_gets_wrong(stub, written, fields, code, reason):
    box = fields.pop("box", BOUNDS)
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.ReadCutout(cutout(box, **fields)))
    assert refused.value.code() is code
    assert reason_of(refused.value) == reason
    assert len(dict(refused.value.trailing_metadata())["grpc-status-details-bin"]) < 4096


def test_a_cutout_over_the_configured_limit_is_refused_and_the_limit_is_said(registry):
    with volume_server(registry, max_cutout_bytes=100_000) as server, connect(server.address) as client:
        volume = client.create("mem/lab/seg", spec())
        assert client.server_info().limits["max_cutout_bytes"] == 100_000
        with pytest.raises(LimitExceeded, match="100000"):
            np.asarray(volume)


def test_a_store_that_fails_is_an_error_and_never_zeros(registry, tmp_path):
    memory = memory_registry(tmp_path)
    inner = memory.create("mem/seg", spec())

    def fail(box):
        if box.start.z > 40:
            raise StoreUnavailable("the store went away", "try again")

    faulty = Registry({"lab": OneVolume(Hooked(inner, before=fail))})
    with volume_server(faulty) as server, connect(server.address) as client:
        volume = client.volume("lab/x")
        with pytest.raises(StoreUnavailable):
            volume.read(Box.of(x=(0, 50), y=(1000, 1030), z=(41, 70)))
        assert not volume.read(Box.of(x=(0, 50), y=(1000, 1030), z=(30, 38))).any()


def test_an_untyped_fault_of_the_server_is_internal_and_says_nothing_of_its_insides(tmp_path):
    inner = memory_registry(tmp_path).create("mem/seg", spec())

    def crash(box):
        raise RuntimeError("secret /etc/passwd")

    faulty = Registry({"lab": OneVolume(Hooked(inner, before=crash))})
    with volume_server(faulty) as server, grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.ReadCutoutRequest(volume="lab/x", box=box_to_proto(BOUNDS))
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.ReadCutout(request))
        assert refused.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in str(refused.value)
        assert "passwd" not in str(refused.value.trailing_metadata())
