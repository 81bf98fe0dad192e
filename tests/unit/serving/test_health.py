"""Health of what lives beside the services."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2

from voxgate_serving.health import HealthServer


@pytest.fixture
def served():
    server = HealthServer("127.0.0.1", 0)
    server.start(["lab.v1.Service"])
    yield server
    server.stop()


def status(server: HealthServer, name: str) -> str:
    answer = server.servicer.Check(health_pb2.HealthCheckRequest(service=name), None)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def test_what_is_reported_is_answered_by_its_own_name_and_changes_nothing_else(served):
    served.report("http", is_serving=True)
    assert status(served, "http") == "SERVING"
    served.report("http", is_serving=False)
    assert status(served, "http") == "NOT_SERVING"
    assert {status(served, name) for name in ("", "ready", "live", "lab.v1.Service")} == {"SERVING"}


def test_nothing_that_is_reported_while_everything_drains_serves(served):
    served.report("http", is_serving=True)
    served.drain()
    assert status(served, "http") == "NOT_SERVING"
    served.report("http", is_serving=True)
    assert status(served, "http") == "NOT_SERVING"
    assert status(served, "live") == "SERVING"
