"""Streams of a segment's voxels: large ones, silent stores, callers who leave, streams that break."""

import threading
import time
from concurrent import futures

import grpc
import numpy as np
import pytest

from support.fakes import Hooked
from support.native_segments import NativeSegments
from support.segment_service import HUGE, SEARCHED, START, VOXELS, places
from support.servers import OneVolume, volume_server
from voxgate import voxels_from_runs
from voxgate.client.calls import BoundCalls
from voxgate.client.channels import Server, Stubs
from voxgate.client.connection import connect
from voxgate.client.remote_segments import RemoteSegments
from voxgate.model.errors import IncompleteAnswer, StoreUnavailable
from voxgate.model.geometry import Vec3
from voxgate.model.segments import SegmentRuns
from voxgate.model.volumes import OpenOptions, VolumeFacts, VolumeKind
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.registry import Registry

REQUEST = pb.ReadSegmentVoxelsRequest(volume="lab/x", segment_id=HUGE)


def stub_of(channel):
    return segment_pb2_grpc.SegmentServiceStub(channel)


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def wait_until(condition, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and not condition():
        time.sleep(0.02)
    return condition()


def test_a_large_segment_comes_in_messages_of_at_most_2_mib():
    rng = np.random.default_rng(0)
    voxels = np.where(rng.integers(0, 2, (40, 70, 200)), np.uint64(HUGE), np.uint64(5))
    volume = MemoryVolume.from_array(voxels, voxel_offset=Vec3(-3, 9, 7), kind=VolumeKind.SEGMENTATION)
    with volume_server(Registry({"lab": OneVolume(volume.read_only())})) as server:
        with grpc.insecure_channel(server.address) as channel:
            responses = list(stub_of(channel).ReadSegmentVoxels(REQUEST))
        with connect(server.address) as client:
            runs = client.volume("lab/x").segment_voxels(HUGE)
    assert responses[0].HasField("header")
    assert not any(response.HasField("header") for response in responses[1:])
    assert [response.HasField("summary") for response in responses[-2:]] == [False, True]
    data = [response for response in responses if response.data]
    assert len(data) > 2
    assert all(len(response.data) == 32 * response.run_count <= 2 << 20 for response in data)
    assert responses[-1].summary.run_count == sum(response.run_count for response in data) == len(runs)
    rebuilt = np.zeros(voxels.shape, bool)
    x, y, z = (voxels_from_runs(runs) - np.array([-3, 9, 7])).T
    rebuilt[z, y, x] = True
    assert (rebuilt == (voxels == HUGE)).all()
    assert runs[:, 3].sum() == rebuilt.sum() == responses[-1].summary.voxel_count


class Asking(NativeSegments):
    """Waits for its store before it answers an iterator."""

    def segment_runs(self, segment_id, *, box=None, scale=0):
        self.before_run(0)
        return super().segment_runs(segment_id, box=box, scale=scale)


@pytest.mark.parametrize("kind", ["searched", "native", "native that asks first"])
def test_a_store_that_hangs_holds_no_worker_after_its_caller_has_gone(kind):
    release, begun = threading.Event(), threading.Event()

    def hang(_):
        begun.set()
        release.wait(60)

    if kind == "searched":
        volume = Hooked(SEARCHED, before=hang)
    elif kind == "native":
        volume = NativeSegments(VOXELS, START, SEARCHED.info)
        volume.before_run = hang
    else:
        volume = Asking(VOXELS, START, SEARCHED.info)
        volume.before_run = hang
    try:
        with volume_server(Registry({"lab": OneVolume(volume)}), workers=1) as server:
            with grpc.insecure_channel(server.address) as channel:
                call = stub_of(channel).ReadSegmentVoxels(REQUEST, timeout=60)
                assert next(call).HasField("header")
                assert begun.wait(30)
                call.cancel()
                # The only worker thread is free again although the store still hangs.
                with connect(server.address) as client:
                    assert client.server_info().server_id
            release.set()
            assert wait_until(lambda: not reading_threads())
    finally:
        release.set()


def test_whoever_stops_iterating_ends_the_servers_search(monkeypatch):
    monkeypatch.setattr("voxgate_volume.segment_messages.SILENCE_S", 0.0)  # each run in a message of its own
    gate, begun = threading.Event(), []

    def wait_after_the_first(number):
        begun.append(number)
        if number:
            gate.wait(60)

    volume = NativeSegments(VOXELS, START, SEARCHED.info)
    volume.before_run = wait_after_the_first
    try:
        with volume_server(Registry({"lab": OneVolume(volume)})) as server, connect(server.address) as client:
            runs = client.volume("lab/x").volume.capability(SegmentRuns).segment_runs(HUGE)
            assert tuple(next(runs)[0, :3]) in places(HUGE)
            runs.close()
            assert volume.opened.context.stop.wait(30)
            gate.set()
            assert wait_until(lambda: not reading_threads())
    finally:
        gate.set()
    assert max(begun) <= 1


def test_a_silent_store_is_bridged_by_progress(monkeypatch):
    monkeypatch.setattr("voxgate_volume.segment_messages.SILENCE_S", 0.0)
    with volume_server(Registry({"lab": OneVolume(SEARCHED)})) as server:
        with grpc.insecure_channel(server.address) as channel:
            nowhere = pb.ReadSegmentVoxelsRequest(volume="lab/x", segment_id=2**63 + 4)
            told = []
            answers = (response.progress for response in stub_of(channel).ReadSegmentVoxels(nowhere))
            with pytest.raises(grpc.RpcError) as caught:
                told.extend((each.done_bytes, each.total_bytes) for each in answers)
    assert from_rpc_error(caught.value).reason == "SEGMENT_NOT_FOUND"
    assert told[-1] == (VOXELS.nbytes, VOXELS.nbytes)


def test_a_store_that_fails_in_the_middle_fails_the_stream():
    count = iter(range(100))

    def fail(_):
        if next(count) > 1:
            raise StoreUnavailable("the store does not answer", "wait")

    volume = Hooked(SEARCHED, before=fail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voxgate_blocks.scanning._BLOCK_BYTES", 1)
        with volume_server(Registry({"lab": OneVolume(volume)})) as server, connect(server.address) as client:
            with pytest.raises(StoreUnavailable):
                client.volume("lab/x").segment_voxels(HUGE)


class Broken(segment_pb2_grpc.SegmentServiceServicer):
    """Answers the messages that it is told."""

    def __init__(self):
        self.messages = []

    def ReadSegmentVoxels(self, request, context):  # noqa: N802
        yield from self.messages


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [pb.ReadSegmentVoxelsResponse(header=pb.SegmentVoxelsHeader())],
        [pb.ReadSegmentVoxelsResponse(summary=pb.SegmentVoxelsSummary())],
        [
            pb.ReadSegmentVoxelsResponse(header=pb.SegmentVoxelsHeader()),
            pb.ReadSegmentVoxelsResponse(summary=pb.SegmentVoxelsSummary(run_count=1, voxel_count=4)),
        ],
    ],
    ids=["nothing", "no summary", "no header", "fewer than the summary says"],
)
def test_a_stream_that_is_not_whole_is_no_answer(messages):
    broken = Broken()
    broken.messages = messages
    impostor = grpc.server(futures.ThreadPoolExecutor(2))
    segment_pb2_grpc.add_SegmentServiceServicer_to_server(broken, impostor)
    port = impostor.add_insecure_port("127.0.0.1:0")
    impostor.start()
    stubs = Stubs(Server(f"127.0.0.1:{port}"), "")
    try:
        calls = BoundCalls(stubs, VolumeFacts(SEARCHED.info), OpenOptions())
        with pytest.raises(IncompleteAnswer):
            list(RemoteSegments(calls).segment_runs(HUGE))
    finally:
        stubs.close()
        impostor.stop(0).wait()
