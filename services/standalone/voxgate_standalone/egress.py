"""Whom the services of a configuration speak to, so that a network can be closed to everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxgate_jobs.addresses import parse_address
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.egress import Endpoint, endpoint_of, endpoints_of
from voxgate_serving.settings import Configuration, ServerSettings

OPEN_STORES = ("volume", "mesh", "transfer", "dask-worker")
RUN_JOBS = ("mesh", "transfer")
GATEWAY = ("gateway",)
_POSTGRES_PORT = 5432
_TRACES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TRACED = ("volume", "mesh", "transfer", "gateway")


@dataclass(frozen=True, slots=True)
class Edge:
    """Some services speak to a server.

    Attributes:
        services: who opens the connection: "volume", "mesh", "transfer", "gateway", "dask-worker".
        host: the server's name or address; "*" stands for a part that only the store knows.
        port: TCP; 0 where nobody can say.
        reason: the key of the configuration, or the variable of the environment, that names the server.
    """

    services: tuple[str, ...]
    host: str
    port: int
    reason: str


def edges_of(configuration: Configuration, environment: Mapping[str, str]) -> list[Edge]:
    """Every server that a configuration makes the services connect to. DNS, which all of them ask, is not listed.

    Args:
        configuration: as the services read it.
        environment: theirs.

    Raises:
        ConfigInvalid: for what no server could be started with.
    """
    edges = _of_server(configuration.server)
    remotes = parse_remotes(configuration.remotes, configuration.base).remotes
    for name, remote in remotes.items():
        edges += [_edge(OPEN_STORES, each, f"remotes.{name}") for each in endpoints_of(remote, environment)]
    variable = next((each for each in _TRACES if environment.get(each)), "")
    if variable:
        edges.append(_edge(_TRACED, endpoint_of(environment[variable]), variable))
    return edges


def _of_server(settings: ServerSettings) -> list[Edge]:
    edges = [
        _edge(GATEWAY, endpoint_of(address), f"server.{key}")
        for key, address in (
            ("volume_address", settings.volume_address),
            ("mesh_address", settings.mesh_address),
            ("transfer_address", settings.transfer_address),
        )
        if address
    ]
    url = parse_address(settings.jobs_url) if settings.jobs_url else None
    if url is not None and url.get_backend_name() == "postgresql":
        edges.append(Edge(RUN_JOBS, url.host or "localhost", url.port or _POSTGRES_PORT, "server.jobs_url"))
    if settings.scheduler:
        edges.append(_edge((*RUN_JOBS, "dask-worker"), endpoint_of(settings.scheduler), "server.scheduler"))
    return edges


def _edge(services: tuple[str, ...], endpoint: Endpoint, reason: str) -> Edge:
    return Edge(services, endpoint.host, endpoint.port, reason)
