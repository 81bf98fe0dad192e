"""A server that goes away behind the gateway, and comes back: told as it is, and over when it is over."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from support.standin_volumes import StandIn, image, served
from voxgate.model.errors import SegmentNotFound, ServerBusy, StoreUnavailable
from voxgate_gateway.making import Making, MakingLimits, Task
from voxgate_gateway.server import Gateway

CELL = "/ng/lab/em/-/8_8_33/-7-9_1000-1020_21-29"


def volumes() -> StandIn:
    info, arrays = image()
    return StandIn({info.name: (info, arrays)})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_gateway_says_that_its_server_is_away_and_serves_again_when_it_is_back():
    port = free_port()
    gateway = Gateway(f"127.0.0.1:{port}", port=0)
    gateway.start()
    try:
        with httpx.Client(base_url=gateway.url, timeout=60) as http:
            for path in (CELL, "/ng/lab/em/-/info", "/ng/lab/em/-/provenance", "/ng/lab/em/-/mesh/3:0"):
                answer = http.get(path)
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.headers["access-control-allow-origin"] == "*"
            with served(volumes(), port=port):
                until = time.monotonic() + 60
                while http.get(CELL).status_code != 200 and time.monotonic() < until:
                    time.sleep(0.1)
                assert http.get(CELL).status_code == 200
            assert http.get(CELL).status_code == 503
    finally:
        gateway.stop(1)


@pytest.fixture
def making():
    made = Making(MakingLimits(threads=2, waiting=3, kept_bytes=100, patience_s=0.2, keep_s=60.0))
    yield made
    made.close()


def run(making: Making, task: Task):
    """What a request gets, each in a loop of its own."""
    import asyncio

    return asyncio.run(making.made(task))


def test_what_takes_long_is_finished_for_whoever_asks_again(making):
    gate, begun = threading.Event(), []

    def make() -> bytes:
        begun.append(1)
        gate.wait(60)
        return b"mesh"

    task = Task("a", make, len)
    for _ in range(2):
        with pytest.raises(ServerBusy, match="still being made") as busy:
            run(making, task)
        assert busy.value.retry_after_s
    gate.set()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            assert run(making, task) == b"mesh"
            break
        except ServerBusy:
            continue
    assert len(begun) == 1


def test_no_more_waits_than_there_is_room_for(making):
    gate = threading.Event()
    for key in range(3):
        with pytest.raises(ServerBusy, match="still"):
            run(making, Task(key, lambda: gate.wait(60), lambda _: 0))
    with pytest.raises(ServerBusy, match="too much"):
        run(making, Task("one more", lambda: 1, lambda _: 0))
    gate.set()


def test_what_failed_for_now_is_tried_again_and_what_is_not_there_is_remembered(making):
    asked = []

    def away() -> bytes:
        asked.append("away")
        raise StoreUnavailable("the store is away")

    def absent() -> bytes:
        asked.append("absent")
        raise SegmentNotFound("no such segment")

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            run(making, Task("x", away, len))
        with pytest.raises(SegmentNotFound):
            run(making, Task("y", absent, len))
    assert asked.count("away") == 2
    assert asked.count("absent") == 1


def test_only_so_many_bytes_are_kept_but_always_the_newest(making):
    asked = []

    def make(name: str, size: int):
        return Task(name, lambda: asked.append(name) or bytes(size), len)

    for name, size in (("a", 60), ("b", 60), ("c", 500), ("c", 500), ("b", 60)):
        run(making, make(name, size))
    assert asked == ["a", "b", "c", "b"]
