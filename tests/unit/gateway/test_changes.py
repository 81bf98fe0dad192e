"""A gateway that other machines reach changes nothing, unless its operator insists."""

import socket

import httpx
import pytest

from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings
from voxgate_serving.settings import is_loopback

ERASE = "/v1/cutout/to_black/c/e/ch/0/0:1/0:1/0:1"


@pytest.fixture
def everywhere():
    """A gateway on a socket of every address, that has no servers behind it."""
    started = []

    def start(**settings):
        listening = socket.create_server(("0.0.0.0", 0))
        gateway = Gateway("127.0.0.1:1", listening=listening, settings=GatewaySettings(**settings))
        gateway.start()
        started.append(gateway)
        return f"http://127.0.0.1:{gateway.port}"

    yield start
    for gateway in started:
        gateway.stop(1)


def test_beyond_loopback_nothing_is_changed(everywhere):
    answer = httpx.put(f"{everywhere()}{ERASE}", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, 3001)
    assert "allow_unauthenticated_writes" in answer.json()["message"]


def test_an_operator_may_insist(everywhere):
    answer = httpx.put(f"{everywhere(allow_unauthenticated_writes=True)}{ERASE}", timeout=60)
    assert answer.status_code == 503  # there is nobody behind


def test_on_loopback_changes_are_taken():
    gateway = Gateway("127.0.0.1:1", port=0)
    gateway.start()
    try:
        assert httpx.put(f"{gateway.url}{ERASE}", timeout=60).status_code == 503
    finally:
        gateway.stop(1)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_everything_else(host, expected):
    assert is_loopback(host) is expected
