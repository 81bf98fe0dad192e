from __future__ import annotations

import tomllib

import pytest
import yaml

from support.containers import DEPLOY
from voxgate_jobs.addresses import parse_address
from voxgate_remotes.config import parse_remotes
from voxgate_serving.settings import parse_server

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = sorted(SERVICES.keys() - {"postgres"})
GRPC = ("mesh", "transfer", "volume")


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_confined(name):
    service = SERVICES[name]
    assert service["user"] == "65532:65532"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"


def test_nothing_is_published_beyond_this_machine_and_only_once():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == [f"127.0.0.1:{port}:{port}" for port in (50051, 50061, 50071, 8080)]


def test_data_and_configuration_are_mounted_read_only_and_the_gateway_has_neither():
    for name in GRPC:
        kinds = dict(mount.split("}", 1)[-1].lstrip(":").partition(":")[::2] for mount in SERVICES[name]["volumes"])
        assert kinds == {"/etc/voxgate": "ro", "/data": "ro", "scratch": "/scratch"}
    for name in ("gateway", "suite"):
        assert not SERVICES[name].keys() & {"volumes", "secrets", "environment"}


def test_only_who_needs_the_database_has_its_password_and_only_as_a_file():
    assert [name for name, service in SERVICES.items() if service.get("secrets")] == ["mesh", "transfer", "postgres"]
    for name in ("mesh", "transfer"):
        url = parse_address(SERVICES[name]["environment"]["VOXGATE_JOBS_URL"])
        database = SERVICES["postgres"]["environment"]
        assert (url.host, url.username, url.database) == (
            "postgres",
            database["POSTGRES_USER"],
            database["POSTGRES_DB"],
        )
        assert url.password is None
        assert SERVICES[name]["environment"]["VOXGATE_JOBS_PASSWORD_FILE"] == database["POSTGRES_PASSWORD_FILE"]
    assert list(COMPOSE["secrets"]) == ["postgres_password"]


def test_every_container_but_the_one_that_holds_the_network_has_a_health_check():
    unchecked = [name for name, service in SERVICES.items() if "test" not in service["healthcheck"]]
    assert unchecked == ["suite"]


def test_ports_are_the_ones_that_the_configuration_tells_clients():
    configuration = tomllib.loads((DEPLOY / "compose/voxgate.toml").read_text())
    server = parse_server(configuration["server"], {})
    ports = {name: SERVICES[name]["environment"]["VOXGATE_PORT"] for name in GRPC}
    assert server.mesh_address == f"localhost:{ports['mesh']}"
    assert server.transfer_address == f"localhost:{ports['transfer']}"
    assert f"localhost:{ports['volume']}" in SERVICES["gateway"]["command"]
    assert len({SERVICES[name]["environment"]["VOXGATE_HEALTH_PORT"] for name in GRPC} | set(ports.values())) == 6
    assert parse_remotes(configuration["remotes"], DEPLOY).remotes["scratch"].writable


def test_settings_of_containers_are_settings_that_there_are():
    for name in GRPC:
        told = SERVICES[name]["environment"]
        table = {key.removeprefix("VOXGATE_").lower(): value for key, value in told.items()}
        assert parse_server(table, {}).writes_enabled
