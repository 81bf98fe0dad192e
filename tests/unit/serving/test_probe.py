from __future__ import annotations

import pytest

from support.scripted_http import closed_port
from support.static_http import static_http
from voxgate_serving.health import HealthServer
from voxgate_serving.probe import main


@pytest.fixture
def health():
    server = HealthServer("127.0.0.1", 0)
    server.start([])
    yield server
    server.stop()


def asked(server: HealthServer, *names: str) -> int:
    return main([*names, "--port", str(server.port)])


def test_a_server_that_takes_calls_is_well_until_it_drains(health, capsys):
    assert asked(health, "ready", "live") == 0
    health.drain()
    assert asked(health, "live") == 0
    assert asked(health, "live", "ready") == 1
    assert capsys.readouterr().err == "ready: NOT_SERVING\n"


def test_a_name_that_nobody_reported_is_not_well(health, capsys):
    assert asked(health, "http") == 1
    assert "NOT_FOUND" in capsys.readouterr().err


def test_the_port_is_told_by_the_environment(health, monkeypatch):
    monkeypatch.setenv("VOXGATE_HEALTH_PORT", str(health.port))
    assert main(["ready"]) == 0


def test_a_page_is_well_when_it_is_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")  # a probe asks its neighbour, nobody between
    (tmp_path / "readyz").write_text("{}")
    with static_http(tmp_path) as files:
        assert main([f"{files.url}/readyz"]) == 0
        assert main([f"{files.url}/nothing"]) == 1
        assert "HTTP 404" in capsys.readouterr().err
    assert main([f"http://127.0.0.1:{closed_port()}/readyz"]) == 1


def test_nobody_at_the_port_is_not_well(capsys):
    assert main(["ready", "--port", str(closed_port())]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err
