"""Calls for somebody else: what they carry, how long they wait, and what ends them."""

import contextlib
import os
import pickle
import threading
import time
from concurrent import futures

import grpc
import pytest

from voxgate.client.chaining import ChainedServer, Server
from voxgate.client.watching import Watcher
from voxgate.model.errors import Cancelled, ConfigInvalid, DeadlineExceeded, ServerUnreachable
from voxgate.model.volumes import CallContext
from voxgate.v1 import volume_pb2

PATIENCE_S = 30


class Listener(grpc.GenericRpcHandler):
    """Answers every listing, and keeps what came with the call."""

    def __init__(self) -> None:
        self.headers: list[dict] = []
        self.patience: list[float | None] = []
        self.called = threading.Event()
        self.ended = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def service(self, details):
        def answer(request, context):
            self.headers.append(dict(context.invocation_metadata()))
            self.patience.append(context.time_remaining())
            context.add_callback(self.ended.set)
            self.called.set()
            assert self.gate.wait(PATIENCE_S)
            return volume_pb2.ListVolumesResponse()

        return grpc.unary_unary_rpc_method_handler(
            answer, volume_pb2.ListVolumesRequest.FromString, volume_pb2.ListVolumesResponse.SerializeToString
        )


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def address(listener):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[listener])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    listener.gate.set()
    server.stop(0).wait()


def test_a_call_carries_its_way_and_the_token_of_the_moment(listener, address):
    tokens = ["first", "second", ""]
    server = ChainedServer(Server(address), token=lambda: tokens.pop(0))
    server.for_caller(CallContext(via=("one", "two"))).volumes()
    server.for_caller(CallContext(via=("three",))).volumes()
    server.for_caller(CallContext()).volumes()
    assert [h.get("voxgate-via") for h in listener.headers] == ["one,two", "three", None]
    assert [h.get("authorization") for h in listener.headers] == ["Bearer first", "Bearer second", None]
    server.close()


def test_the_token_of_this_process_goes_to_no_other_server(listener, address, monkeypatch):
    monkeypatch.setenv("VOXGATE_TOKEN", "the user's own")
    server = ChainedServer(Server(address))
    server.for_caller(CallContext()).volumes()
    assert "authorization" not in listener.headers[0]
    server.close()


def test_a_token_that_cannot_be_had_is_told_and_nothing_is_asked(listener, address):
    def missing() -> str:
        raise ConfigInvalid("the environment variable LAB_TOKEN is not set")

    with pytest.raises(ConfigInvalid, match="LAB_TOKEN"):
        ChainedServer(Server(address), token=missing).for_caller(CallContext()).volumes()
    assert listener.headers == []


def test_a_call_waits_no_longer_than_its_caller(listener, address):
    server = ChainedServer(Server(address))
    server.for_caller(CallContext(deadline=time.monotonic() + 50)).volumes()
    assert 0 < listener.patience[0] <= 50
    listener.gate.clear()
    with pytest.raises(DeadlineExceeded):
        server.for_caller(CallContext(deadline=time.monotonic() + 0.5)).volumes()
    server.close()


def test_a_caller_who_left_before_is_asked_for_nothing(listener, address):
    context = CallContext()
    context.stop.set()
    with pytest.raises(Cancelled):
        ChainedServer(Server(address)).for_caller(context).volumes()
    assert listener.headers == []


def test_a_caller_who_leaves_ends_a_call_that_the_other_server_does_not_answer(listener, address):
    context = CallContext()
    listener.gate.clear()
    server = ChainedServer(Server(address))
    with futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.for_caller(context).volumes)
        assert listener.called.wait(PATIENCE_S)
        context.stop.set()
        with pytest.raises(Cancelled):
            asked.result(PATIENCE_S)
        assert listener.ended.wait(PATIENCE_S)
    server.close()


def test_callers_share_one_connection_and_one_leaving_disturbs_no_other(listener, address):
    leaving, staying = CallContext(), CallContext()
    listener.gate.clear()
    server = ChainedServer(Server(address))
    with futures.ThreadPoolExecutor(2) as pool:
        gone = pool.submit(server.for_caller(leaving).volumes)
        stays = pool.submit(server.for_caller(staying).volumes)
        assert listener.called.wait(PATIENCE_S)
        leaving.stop.set()
        with pytest.raises(Cancelled):
            gone.result(PATIENCE_S)
        listener.gate.set()
        assert stays.result(PATIENCE_S) == []
    server.close()


def test_nothing_that_was_opened_for_a_caller_is_pickled(address):
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(ChainedServer(Server(address)).for_caller(CallContext()).stubs)


def test_nothing_answering_is_told_by_the_address():
    with (
        contextlib.closing(ChainedServer(Server("127.0.0.1:1"))) as server,
        pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1"),
    ):
        server.for_caller(CallContext()).volumes()


class Call:
    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()


def test_a_watcher_cancels_what_was_stopped_and_nothing_else():
    watcher = Watcher()
    stopped, forgotten, other = Call(), Call(), Call()
    stop = threading.Event()
    watcher.watch(stop, stopped)
    watcher.watch(threading.Event(), other)
    watcher.forget(watcher.watch(stop, forgotten))
    stop.set()
    assert stopped.cancelled.wait(PATIENCE_S)
    assert not forgotten.cancelled.is_set()
    assert not other.cancelled.is_set()


def test_a_watcher_whose_thread_ended_starts_another(monkeypatch):
    monkeypatch.setattr("voxgate.client.watching._PERIOD_S", 0.001)
    watcher = Watcher()
    watcher.forget(watcher.watch(threading.Event(), Call()))
    first = watcher._thread
    assert first is not None
    first.join(PATIENCE_S)
    assert not first.is_alive()
    stop, call = threading.Event(), Call()
    watcher.watch(stop, call)
    stop.set()
    assert call.cancelled.wait(PATIENCE_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_each_process_watches_its_own_calls(monkeypatch):
    server = ChainedServer(Server("127.0.0.1:1"))
    ours = server._watcher()
    assert server._watcher() is ours
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert server._watcher() is not ours
