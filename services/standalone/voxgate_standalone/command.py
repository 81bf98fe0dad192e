"""`voxgate serve` and `voxgate config`: contributed to the command line through the entry point `voxgate.commands`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from voxgate_gateway.settings import parse_gateway
from voxgate_remotes.registry import RemotesChange
from voxgate_serving.auth.guard import guard_of
from voxgate_serving.command import start_reloading
from voxgate_serving.logs import log_to_stderr
from voxgate_serving.reloading import Reloadable
from voxgate_serving.server import stop_on_signals
from voxgate_serving.settings import Configuration, load_configuration
from voxgate_serving.tracing import tracer_of
from voxgate_standalone.announcing import announce
from voxgate_standalone.config_command import config_group
from voxgate_standalone.discovery import Discovery
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import Beside, start_suite
from voxgate_standalone.token_command import token_group
from voxgate_transfer.placing import with_jobs_url

_EPILOG = """Examples:

  voxgate serve                         serves the sample volumes

  voxgate serve /data/fib25 /data/wasp  every volume below two folders

  voxgate serve --config voxgate.toml   the remotes of a file
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve", epilog=_EPILOG)(serve)
    app.add_typer(config_group(), name="config")
    app.add_typer(token_group(), name="token")


def serve(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH|URI]...", help="Folders or URIs to serve.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="voxgate.toml: [server], [remotes], [gateway] and [auth].")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback, reads only.")] = None,
    port: Annotated[int | None, typer.Option(help="gRPC port; 0 picks a free one.  [default: 50051]")] = None,
    health_port: Annotated[int | None, typer.Option(help="Health port; 0 picks one.  [default: 50052]")] = None,
    http_port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks one.  [default: 8080]")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of the page of metrics; 0 picks one.")] = None,
    log_format: Annotated[str | None, typer.Option(help="Lines of the log: json, or text for people.")] = None,
    tls_cert: Annotated[str | None, typer.Option(help="PEM file of a certificate: speak TLS on both ports.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="PEM file of its key.")] = None,
    tls_client_ca: Annotated[
        str | None, typer.Option(help="PEM file of the authorities whose certificates let clients in.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON line.")] = False,
) -> None:
    """Start every service on this machine: gRPC on one port, HTTP on another, health on a third.

    With nothing named, the sample volumes are served, and a writable remote "scratch" that lives in memory.
    """
    log_to_stderr()
    overrides = {
        "host": host,
        "port": port,
        "health_port": health_port,
        "http_port": http_port,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
    }
    configuration = load_configuration(config, overrides)
    server = configuration.server
    log_to_stderr(server.log_format, server.log_level)
    remotes = configured_remotes(configuration, sources or [])
    # Its lines are in the same log as ours.
    gateway = dataclasses.replace(
        parse_gateway(configuration.gateway), log_format=server.log_format, log_level=server.log_level
    )
    suite = start_suite(
        remotes,
        with_jobs_url(configuration, remotes),
        own_process=True,
        gateway_settings=gateway,
        beside=Beside(tracer_of(os.environ, "voxgate"), guard_of(configuration)),
    )

    def adopt(new: Configuration) -> RemotesChange:
        stated = configured_remotes(new, sources or [])
        return suite.registry.adopt(stated if server.writes_enabled else stated.without_writes())

    reloader = start_reloading(suite.server, Reloadable(configuration, overrides, adopt))
    discovery = Discovery(suite.registry)

    def stop() -> None:
        discovery.stop()
        suite.stop()

    stop_on_signals(stop)
    unwritten = {name: remote for name, remote in remotes.remotes.items() if name not in configuration.remotes}
    announce(suite, discovery, unwritten, as_json=as_json)
    suite.server.wait()
    if reloader is not None:
        reloader.stop()
