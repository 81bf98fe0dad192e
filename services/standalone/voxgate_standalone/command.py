"""`voxgate serve` and `voxgate config`: contributed to the command line through the entry point `voxgate.commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate_gateway.settings import parse_gateway
from voxgate_serving.logs import log_to_stderr
from voxgate_serving.server import stop_on_signals
from voxgate_serving.settings import load_configuration
from voxgate_standalone.announcing import announce
from voxgate_standalone.config_command import config_group
from voxgate_standalone.discovery import Discovery
from voxgate_standalone.sources import configured_remotes
from voxgate_standalone.suite import start_suite
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


def serve(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH|URI]...", help="Folders or URIs to serve.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="voxgate.toml: [server], [remotes] and [gateway].")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback, reads only.")] = None,
    port: Annotated[int | None, typer.Option(help="gRPC port; 0 picks a free one.  [default: 50051]")] = None,
    health_port: Annotated[int | None, typer.Option(help="Health port; 0 picks one.  [default: 50052]")] = None,
    http_port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks one.  [default: 8080]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON line.")] = False,
) -> None:
    """Start every service on this machine: gRPC on one port, HTTP on another, health on a third.

    With nothing named, the sample volumes are served, and a writable remote "scratch" that lives in memory.
    """
    log_to_stderr()
    overrides = {"host": host, "port": port, "health_port": health_port, "http_port": http_port}
    configuration = load_configuration(config, overrides)
    remotes = configured_remotes(configuration, sources or [])
    suite = start_suite(
        remotes,
        with_jobs_url(configuration, remotes),
        own_process=True,
        gateway_settings=parse_gateway(configuration.gateway),
    )
    discovery = Discovery(suite.registry)

    def stop() -> None:
        discovery.stop()
        suite.stop()

    stop_on_signals(stop)
    unwritten = {name: remote for name, remote in remotes.remotes.items() if name not in configuration.remotes}
    announce(suite, discovery, unwritten, as_json=as_json)
    suite.server.wait()
