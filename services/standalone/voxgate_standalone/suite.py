"""The whole suite in one process: every service on one gRPC port, the gateway on one HTTP port."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from voxgate.wire.allocator import tune_allocator
from voxgate_gateway.process import GatewayProcess, GatewayState
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings
from voxgate_jobs.desk import open_desk
from voxgate_mesh.service import registrations as mesh_registrations
from voxgate_remotes.config import RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.auth.guard import Guard
from voxgate_serving.health import HTTP
from voxgate_serving.server import RunningServer, new_server_id, start_server
from voxgate_serving.settings import ServerSettings
from voxgate_serving.tracing import NO_TRACER, Tracer
from voxgate_serving.workers import WorkerPool
from voxgate_transfer.service import registrations as transfer_registrations
from voxgate_volume.service import registrations as volume_registrations


@dataclass(frozen=True, slots=True)
class Suite:
    """A running suite.

    Attributes:
        server: the gRPC server with every service.
        gateway: the HTTP gateway, or None.
        registry: the remotes that it serves, for the server's own work.
    """

    server: RunningServer
    gateway: Gateway | GatewayProcess | None
    registry: Registry

    def stop(self, grace_s: float | None = None) -> None:
        """Drain and stop everything, the gateway first: it lives off the server."""
        if self.gateway is not None:
            self.gateway.stop(1.0 if grace_s is None else min(grace_s, 1.0))
        self.server.stop(grace_s)


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes along with every call.

    Attributes:
        tracer: notices the services' calls; closed with them. A gateway in a process of its own has one of its own.
        guard: says who calls and what they may; None lets all do everything.
    """

    tracer: Tracer = NO_TRACER
    guard: Guard | None = None


NOTHING_BESIDE = Beside()


def start_suite(
    remotes: RemotesConfig,
    settings: ServerSettings,
    *,
    http: bool = True,
    own_process: bool = False,
    gateway_settings: GatewaySettings | None = None,
    beside: Beside = NOTHING_BESIDE,
) -> Suite:
    """Start every service over one registry.

    Args:
        remotes: what is served.
        settings: of the server.
        http: whether to start the gateway.
        own_process: start it in a process of its own, where the system can: it answers while this one computes.
        gateway_settings: `[gateway]` of voxgate.toml; None for the defaults.
        beside: who traces and guards the calls.

    Raises:
        ConfigInvalid, UnknownScheme: for remotes that cannot be made, or an address that cannot be had.
    """
    gateway: Gateway | GatewayProcess | None = None
    if settings.tune_allocator:
        tune_allocator()
    tracer, guard = beside.tracer, beside.guard
    workers = WorkerPool(settings.worker_processes)
    try:
        registry = Registry.from_config(remotes if settings.writes_enabled else remotes.without_writes())
        desk = open_desk(registry, settings)
        guarded = registry.guarded(None if guard is None else guard.policy)
        others = [
            *mesh_registrations(guarded, settings, workers=workers, desk=desk),
            *transfer_registrations(guarded, settings, desk),
        ]
        server_id = new_server_id()
        neighbours = frozenset(other.full_name for other in others)
        volume = volume_registrations(
            guarded,
            settings,
            server_id=server_id,
            beside=neighbours,
            # It starts after the server that it lives off.
            http_url=lambda: _served_at(gateway),
        )
        server = start_server([*volume, *others], settings, server_id, tracer, guard, has_private_door=http)
    except BaseException:
        workers.close()
        raise
    if not http:
        return Suite(server, None, registry)
    try:
        own_process = own_process and os.name == "posix"
        told = gateway_settings or GatewaySettings()
        if settings.allow_unauthenticated_writes or guard is not None:  # the server tells who may
            told = replace(told, allow_unauthenticated_writes=True)
        if not told.tls.is_on:
            # One machine has one name: who states one certificate means it for both ports.
            told = replace(told, tls=settings.tls)
        gateway = _gateway(server, settings, told, own_process=own_process)
        gateway.start()
        if isinstance(gateway, Gateway):  # the other one reports by itself
            server.report_health(HTTP, is_serving=True)
    except BaseException:
        server.stop(0)
        raise
    return Suite(server, gateway, registry)


def _gateway(
    server: RunningServer, settings: ServerSettings, told: GatewaySettings, *, own_process: bool
) -> Gateway | GatewayProcess:
    address = server.inner_address
    if not own_process:
        return Gateway(address, host=settings.host, port=settings.http_port, settings=told)

    def report(state: GatewayState) -> None:
        server.report_health(HTTP, is_serving=state is GatewayState.SERVING)

    return GatewayProcess(
        server.inner_address, host=settings.host, port=settings.http_port, settings=told, on_state=report
    )


def _served_at(gateway: Gateway | GatewayProcess | None) -> str:
    """Where people reach the gateway; nowhere once it was given up."""
    if gateway is None or (isinstance(gateway, GatewayProcess) and gateway.failure is not None):
        return ""
    return gateway.url
