"""Callers that stand still, or send what is no request: refused or ended, and the next one is served."""

import threading

import grpc
import pytest

from support.scraped import scraped_until
from support.servers import volume_server
from support.volume_service import memory_registry, reason_of
from voxgate_serving import stalls
from voxgate_serving.stalls import StallWatch

WRITE = "/voxgate.v1.VolumeService/WriteCutout"
INFO = "/voxgate.v1.VolumeService/GetServerInfo"


def test_who_stands_still_is_ended_only_when_others_wait_the_longest_first():
    waiting, ended = [0], []
    watch = StallWatch(lambda: waiting[0], patience_s=0.0)
    with watch.standing_still(lambda: ended.append("first")), watch.standing_still(lambda: ended.append("second")):
        watch.look()
        assert ended == []
        waiting[0] = 1
        watch.look()
        assert ended == ["first"]
    with watch.standing_still(lambda: ended.append("third")):
        pass
    watch.look()
    assert ended == ["first"]


def test_who_moves_is_not_ended():
    watch = StallWatch(lambda: 1, patience_s=3600.0)
    with watch.standing_still(lambda: pytest.fail("it was ended")):
        watch.look()


def test_uploads_that_send_nothing_do_not_keep_the_threads_of_a_server(tmp_path, monkeypatch):
    monkeypatch.setattr(stalls.StallWatch.__init__, "__defaults__", (0.2,))
    silence = threading.Event()
    with volume_server(memory_registry(tmp_path), workers=2, metrics_port=0) as server:
        with grpc.insecure_channel(server.address) as channel:
            upload = channel.stream_unary(WRITE)
            open_ones = [upload.future(iter(silence.wait, True), timeout=280) for _ in range(2)]
            scraped_until(server.metrics_port, lambda page: page.value("voxgate_call_threads_busy") == 2)
            assert channel.unary_unary(INFO)(b"", timeout=60)
            assert len(open_ones) == 2
            silence.set()


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0b" * 5000])
def test_bytes_that_are_no_request_are_refused_in_words(tmp_path, data):
    with volume_server(memory_registry(tmp_path)) as server, grpc.insecure_channel(server.address) as channel:
        for call in (
            lambda: channel.unary_unary("/voxgate.v1.VolumeService/GetVolume")(data, timeout=60),
            lambda: list(channel.unary_stream("/voxgate.v1.VolumeService/ReadCutout")(data, timeout=60)),
            lambda: channel.stream_unary(WRITE)(iter([data]), timeout=60),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call()
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason_of(refused.value) == "INVALID_REQUEST"
