"""The command line that every service shares: `python -m voxgate_volume --config voxgate.toml --port 50051`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from voxgate.model.errors import VoxgateError
from voxgate.wire.allocator import tune_allocator
from voxgate_serving.auth.guard import guard_of
from voxgate_serving.logs import LogFormat, LogLevel, log_to_stderr
from voxgate_serving.reloading import Reloadable, Reloader, reload_on_signal
from voxgate_serving.server import RunningServer, ServiceRegistration, new_server_id, start_server, stop_on_signals
from voxgate_serving.settings import Configuration, load_configuration
from voxgate_serving.tracing import tracer_of

EXIT_CONFIG = 2


def parse_arguments(program: str, arguments: Sequence[str] | None = None) -> tuple[Configuration, dict[str, Any]]:
    """Read the command line and the file it names; what both say, and what the command line says.

    Raises:
        ConfigInvalid: for a bad file or value.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=__doc__)
    parser.add_argument("--config", type=Path, help="voxgate.toml: [server] and [remotes]")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; beyond loopback: reads only)")
    parser.add_argument("--port", type=int, help="gRPC port; 0 picks a free one")
    parser.add_argument("--health-port", type=int, help="gRPC health port; 0 picks a free one")
    parser.add_argument("--metrics-port", type=int, help="port of the page of metrics; 0 picks a free one")
    parser.add_argument("--log-format", choices=get_args(LogFormat), help="lines of the log for programs or people")
    parser.add_argument("--log-level", choices=get_args(LogLevel), help="debug has a line for every call")
    parser.add_argument("--tls-cert", help="PEM file of the certificate of the gRPC port")
    parser.add_argument("--tls-key", help="PEM file of that certificate's key")
    parser.add_argument("--tls-client-ca", help="PEM file of the authorities whose certificates let clients in")
    options = vars(parser.parse_args(arguments))
    path = options.pop("config")
    return load_configuration(path, options), options


def serve_command(
    program: str,
    build: Callable[[Configuration, str], Sequence[ServiceRegistration]],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run one service until SIGTERM; the process's exit code.

    `build` makes the services from the configuration and the server's id; worker processes start inside it, before
    the server does.
    """
    log_to_stderr()
    try:
        configuration, overrides = parse_arguments(program, arguments)
        log_to_stderr(configuration.server.log_format, configuration.server.log_level)
        if configuration.server.tune_allocator:
            tune_allocator()
        server_id = new_server_id()
        guard = guard_of(configuration)
        services = build(configuration, server_id)
        tracer = tracer_of(os.environ, program.replace("_", "-"))
        server = start_server(services, configuration.server, server_id, tracer, guard)
    except VoxgateError as error:
        sys.stderr.write(f"error: {error.message}\n{error.remedy}\n")
        return EXIT_CONFIG
    stop_on_signals(server.stop)
    adopt = next((service.adopt for service in services if service.adopt), None)
    reloader = start_reloading(server, None if adopt is None else Reloadable(configuration, overrides, adopt))
    server.wait()
    if reloader is not None:
        reloader.stop()
    return 0


def start_reloading(server: RunningServer, what: Reloadable | None) -> Reloader | None:
    """Read the configuration again when it is time to; nothing where there is no file, or nothing to be exchanged."""
    if what is None or what.configuration.path is None:
        return None
    reloader = Reloader(what)
    server.add_metrics(reloader.metrics)
    reloader.start(what.configuration.server.config_watch_s)
    reload_on_signal(reloader)
    return reloader
