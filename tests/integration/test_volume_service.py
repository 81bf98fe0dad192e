"""The Volume service over a real socket: exact voxels, typed errors, and a server that outlives its callers."""

import threading
import time

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from support.fakes import Hooked
from support.servers import OneVolume, settings, volume_server
from voxgate.client.connection import connect
from voxgate.model.errors import (
    AlreadyExists,
    DataTypeMismatch,
    EmptyBox,
    IncompleteAnswer,
    LimitExceeded,
    MalformedName,
    OutOfBounds,
    PartialWriteError,
    ReadOnly,
    ServerBusy,
    ServerUnreachable,
    ShapeMismatch,
    StoreUnavailable,
    UnknownRemote,
    UnknownScale,
    UnknownVolume,
    WriteIncomplete,
    WriteOverlap,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize, covered_once
from voxgate.model.volumes import Channel, ScaleSpec, VolumeKind, VolumeSpec
from voxgate.v1 import types_pb2, volume_pb2, volume_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import box_from_proto, box_to_proto
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

BOUNDS = Box.of(x=(-7, 96), y=(1000, 1061), z=(30, 77))
GRANULE = Vec3(32, 16, 8)
ELSEWHERE = Box.of(x=(0, 1), y=(0, 1), z=(0, 1))
PAYLOAD_LIMIT = 2 << 20


def spec(dtype="<u8", *, kind=VolumeKind.SEGMENTATION, channels=()):
    level = ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), chunk_shape=GRANULE)
    return VolumeSpec(np.dtype(dtype), kind, (level,), tuple(Channel(name) for name in channels))


def ids(seed=0, bounds=BOUNDS):
    random = np.random.default_rng(seed)
    return random.integers(2**63, 2**64 - 1, bounds.shape.zyx, dtype=np.uint64)


def memory_registry(tmp_path):
    table = {"mem": {"uri": "memory://", "writable": True}, "kept": {"uri": "memory://"}}
    return Registry.from_config(parse_remotes(table, tmp_path))


@pytest.fixture
def registry(tmp_path):
    return memory_registry(tmp_path)


@pytest.fixture
def server(registry):
    with volume_server(registry) as running:
        yield running


@pytest.fixture
def client(server):
    with connect(server.address) as connected:
        yield connected


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield volume_pb2_grpc.VolumeServiceStub(channel)


@pytest.fixture
def written(client):
    volume = client.create("mem/lab/seg", spec())
    voxels = ids()
    volume.write(BOUNDS, voxels)
    return volume, voxels


def cutout(box, **fields):
    return volume_pb2.ReadCutoutRequest(volume="mem/lab/seg", box=box_to_proto(box), **fields)


def reason_of(error):
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "voxgate"
    return info.reason


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


def wait_until(condition, timeout_s=10.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("end", ["cancel", "deadline", "disconnect"])
def test_no_read_begins_a_second_after_the_caller_has_gone(tmp_path, end):
    inner = Registry.from_config(parse_remotes({"p": {"uri": "procedural://"}}, tmp_path)).open("p/em")
    slow = Hooked(inner, before=lambda box: time.sleep(0.05))
    box = Box.of(x=(0, 4000), y=(0, 4000), z=(0, 500))
    registry = Registry({"lab": OneVolume(slow)})
    with volume_server(registry) as server:
        channel = grpc.insecure_channel(server.address)
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.ReadCutoutRequest(volume="lab/x", box=box_to_proto(box))
        call = stub.ReadCutout(request, timeout=2.0 if end == "deadline" else 60)
        next(call)
        next(call)
        if end == "cancel":
            call.cancel()
        elif end == "disconnect":
            channel.close()
        else:
            with pytest.raises(grpc.RpcError) as late:
                for _ in call:
                    pass
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gone = time.monotonic()
        time.sleep(2.5)
        assert len(slow.read_times) > 0
        assert max(slow.read_times) < gone + 1.0
        channel.close()
        assert wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("read-ahead")])


def test_a_store_that_hangs_holds_no_worker_after_its_caller_has_gone(tmp_path):
    inner = memory_registry(tmp_path).create("mem/seg", spec())
    release = threading.Event()
    hanging = Registry({"lab": OneVolume(Hooked(inner, before=lambda box: release.wait(30)))})
    try:
        with volume_server(hanging, workers=1) as server, grpc.insecure_channel(server.address) as channel:
            stub = volume_pb2_grpc.VolumeServiceStub(channel)
            request = volume_pb2.ReadCutoutRequest(volume="lab/x", box=box_to_proto(BOUNDS))
            call = stub.ReadCutout(request, timeout=60)
            next(call)
            call.cancel()
            # The only worker thread is free again although the store still hangs.
            assert stub.GetServerInfo(volume_pb2.GetServerInfoRequest(), timeout=5).server_id
    finally:
        release.set()


def test_a_silent_store_is_bridged_by_progress(tmp_path):
    inner = memory_registry(tmp_path).create("mem/seg", spec())
    slow = Registry({"lab": OneVolume(Hooked(inner, before=lambda box: time.sleep(6)))})
    with volume_server(slow) as server, grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.ReadCutoutRequest(volume="lab/x", box=box_to_proto(BOUNDS))
        told = [response.progress for response in stub.ReadCutout(request) if response.HasField("progress")]
    assert told
    assert told[0].total_bytes == BOUNDS.voxel_count * 8


def test_streams_beyond_the_memory_budget_are_shed_with_a_time_to_try_again(tmp_path):
    inner = memory_registry(tmp_path).create("mem/seg", spec())
    release = threading.Event()
    registry = Registry({"lab": OneVolume(Hooked(inner, before=lambda box: release.wait(60)))})
    budget = {"memory_budget_bytes": 16 << 20, "stream_budget_bytes": 16 << 20}
    with volume_server(registry, **budget) as server, grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        # Each asks for 2.3 MB; seven shares fit into the budget, the eighth does not.
        request = volume_pb2.ReadCutoutRequest(volume="lab/x", box=box_to_proto(BOUNDS))
        held = [stub.ReadCutout(request, timeout=60) for _ in range(7)]
        for call in held:
            next(call)
        with pytest.raises(grpc.RpcError) as shed:
            list(stub.ReadCutout(request, timeout=30))
        error = from_rpc_error(shed.value)
        assert shed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert isinstance(error, ServerBusy)
        assert error.retry_after_s
        release.set()
        for call in held:
            assert list(call)[-1].HasField("summary")


def test_a_call_that_has_passed_through_this_server_is_refused(server, stub):
    metadata = (("voxgate-via", f"other,{server.server_id}"),)
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetServerInfo(volume_pb2.GetServerInfoRequest(), metadata=metadata)
    assert reason_of(refused.value) == "PERMISSION_DENIED"


def test_nothing_at_the_address_is_told_as_that(client):
    with pytest.raises(ServerUnreachable, match=r"nothing answers at localhost:1;.*voxgate serve"):
        connect("localhost:1")


def test_a_stream_cut_short_is_not_an_answer(written, monkeypatch):
    volume, _ = written
    from voxgate.client import remote_volume

    class Forgetful(remote_volume.CutoutAssembler):
        def response(self, response):
            if not response.HasField("summary"):
                super().response(response)

    monkeypatch.setattr(remote_volume, "CutoutAssembler", Forgetful)
    with pytest.raises(IncompleteAnswer):
        np.asarray(volume)


def test_a_server_that_takes_no_writes_refuses_them_whatever_its_remotes_say(tmp_path):
    config = parse_remotes({"mem": {"uri": "memory://", "writable": True}}, tmp_path)
    registry = Registry.from_config(config.without_writes())
    with volume_server(registry) as server, connect(server.address) as client, pytest.raises(ReadOnly):
        client.create("mem/a", spec())
    # Never bound here: only the rule is looked at.
    assert not settings(host="0.0.0.0").writes_enabled
    assert settings(host="0.0.0.0", allow_unauthenticated_writes=True).writes_enabled
    assert settings(host="::1").writes_enabled
