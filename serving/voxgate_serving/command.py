"""The command line that every service shares: `python -m voxgate_volume --config voxgate.toml --port 50051`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from voxgate.model.errors import VoxgateError
from voxgate.wire.allocator import tune_allocator
from voxgate_serving.logs import log_to_stderr
from voxgate_serving.server import ServiceRegistration, new_server_id, start_server, stop_on_signals
from voxgate_serving.settings import Configuration, load_configuration

EXIT_CONFIG = 2


def parse_arguments(program: str, arguments: Sequence[str] | None = None) -> Configuration:
    """Read the command line and the file it names.

    Raises:
        ConfigInvalid: for a bad file or value.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=__doc__)
    parser.add_argument("--config", type=Path, help="voxgate.toml: [server] and [remotes]")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; beyond loopback: reads only)")
    parser.add_argument("--port", type=int, help="gRPC port; 0 picks a free one")
    parser.add_argument("--health-port", type=int, help="gRPC health port; 0 picks a free one")
    options = parser.parse_args(arguments)
    overrides = {"host": options.host, "port": options.port, "health_port": options.health_port}
    return load_configuration(options.config, overrides)


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
        configuration = parse_arguments(program, arguments)
        if configuration.server.tune_allocator:
            tune_allocator()
        server_id = new_server_id()
        server = start_server(build(configuration, server_id), configuration.server, server_id)
    except VoxgateError as error:
        sys.stderr.write(f"error: {error.message}\n{error.remedy}\n")
        return EXIT_CONFIG
    stop_on_signals(server.stop)
    server.wait()
    return 0
