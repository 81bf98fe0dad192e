"""The gateway as a child process: the same answers, and no life without the process that started it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from support.standin_volumes import StandIn, image, served
from voxgate.model.errors import ConfigInvalid
from voxgate_gateway.process import GatewayProcess
from voxgate_gateway.settings import parse_gateway

CELL = "/ng/lab/em/-/8_8_33/-7-9_1000-1020_21-29"
STARTER = """
import sys, time
from voxgate_gateway.process import GatewayProcess
gateway = GatewayProcess("127.0.0.1:1", port=0)
gateway.start()
print(gateway.port, flush=True)
time.sleep(600)
"""


def is_served(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until_gone(port: int) -> None:
    until = time.monotonic() + 60
    while is_served(port):
        assert time.monotonic() < until, "the gateway outlived the process that started it"
        time.sleep(0.1)


def test_a_child_serves_as_the_gateway_does_and_ends_when_it_is_told_to():
    info, arrays = image()
    with served(StandIn({info.name: (info, arrays)})) as address:
        gateway = GatewayProcess(address, port=0)
        gateway.start()
        try:
            assert len(httpx.get(f"{gateway.url}{CELL}", timeout=60).content) == 16 * 20 * 8 * 2
        finally:
            gateway.stop(1)
    assert not is_served(gateway.port)
    gateway.stop(1)


def test_a_child_is_told_its_settings_however_long_they_are():
    names = {f"kasthuri/ac4/em{number}": "lab/em" for number in range(5000)}
    settings = parse_gateway({"cors_origin": "https://viewer.example", "bossdb": {"names": names}})
    info, arrays = image()
    with served(StandIn({info.name: (info, arrays)})) as address:
        gateway = GatewayProcess(address, port=0, settings=settings)
        gateway.start()
        try:
            told = httpx.get(f"{gateway.url}/healthz", timeout=60)
            assert told.headers["access-control-allow-origin"] == "https://viewer.example"
        finally:
            gateway.stop(1)


def test_a_child_ends_with_the_process_that_started_it_however_that_ended():
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        port = int(starter.stdout.readline())
        assert is_served(port)
        starter.send_signal(signal.SIGKILL)
        starter.wait(30)
        wait_until_gone(port)


def test_a_port_that_is_taken_is_told_before_anything_is_started():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigInvalid, match="cannot listen"):
            GatewayProcess("127.0.0.1:1", port=taken.getsockname()[1])


def test_whoever_starts_again_gets_the_port_that_the_child_of_the_killed_one_has_for_a_moment_more():
    left = socket.create_server(("127.0.0.1", 0))
    port = left.getsockname()[1]
    closing = threading.Timer(0.5, left.close)
    closing.start()
    gateway = GatewayProcess("127.0.0.1:1", port=port)
    try:
        gateway.start()
        assert is_served(port)
    finally:
        gateway.stop(1)
        closing.join()
