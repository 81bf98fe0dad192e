"""Callers who leave, stores that hang, budgets that are full: the server goes on."""

import threading
import time

import grpc
import numpy as np
import pytest

from support.fakes import Hooked
from support.servers import OneVolume, settings, volume_server
from support.volume_service import BOUNDS, memory_registry, reason_of, spec
from voxgate.client.connection import connect
from voxgate.model.errors import (
    IncompleteAnswer,
    ReadOnly,
    ServerBusy,
    ServerUnreachable,
)
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.framing import parse_response
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry


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


def test_a_client_that_stops_reading_meets_its_deadline_and_frees_the_worker(tmp_path):
    registry = Registry.from_config(parse_remotes({"p": {"uri": "procedural://"}}, tmp_path))
    box = Box.of(x=(0, 4000), y=(0, 4000), z=(0, 500))
    with volume_server(registry, workers=1) as server, grpc.insecure_channel(server.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        call = stub.ReadCutout(volume_pb2.ReadCutoutRequest(volume="p/em", box=box_to_proto(box)), timeout=3)
        next(call)
        time.sleep(4)
        with pytest.raises(grpc.RpcError) as late:
            list(call)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert stub.GetServerInfo(volume_pb2.GetServerInfoRequest(), timeout=5).server_id


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
        def response(self, data):
            if parse_response(data).summary is None:
                super().response(data)

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
