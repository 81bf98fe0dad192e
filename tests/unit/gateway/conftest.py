from __future__ import annotations

import httpx
import pytest

from support.standin_volumes import served, three_volumes
from voxgate_gateway.server import Gateway


@pytest.fixture
def stand_in():
    return three_volumes()


@pytest.fixture
def backend_address(stand_in):
    with served(stand_in) as address:
        yield address


@pytest.fixture
def gateway(backend_address):
    gateway = Gateway(backend_address, port=0)
    gateway.start()
    yield gateway
    gateway.stop(1)


@pytest.fixture(scope="module")
def shared():
    """One gateway for all requests of a module: none of them may harm the next."""
    with served(three_volumes()) as address:
        gateway = Gateway(address, port=0)
        gateway.start()
        yield gateway
        gateway.stop(1)


@pytest.fixture
def http(gateway):
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        yield client
