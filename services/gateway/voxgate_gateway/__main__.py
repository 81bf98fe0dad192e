"""`python -m voxgate_gateway`: the HTTP gateway as a process of its own."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from voxgate.model.errors import VoxgateError
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings, parse_gateway, settings_from_json
from voxgate_serving.logs import LogFormat, LogLevel, log_to_stderr, logger
from voxgate_serving.server import wait_for
from voxgate_serving.settings import is_loopback, read_document
from voxgate_serving.tracing import tracer_of

_NAME = "voxgate-gateway"
_STATED = ("cors_origin", "metrics_port", "log_format", "log_level")
"""Settings that the command line may state, too."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code is 0 after a clean stop and 2 for settings that cannot work."""
    parser = argparse.ArgumentParser(prog="voxgate_gateway", description="HTTP in front of a voxgate volume server")
    parser.add_argument("--backend", default="localhost:50051", help="gRPC address of the volume server")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 takes a free one")
    parser.add_argument("--config", type=Path, help="voxgate.toml, of which [gateway] is read")
    parser.add_argument("--cors-origin", help="the one web origin whose pages may read, or *")
    parser.add_argument("--metrics-port", type=int, help="port of the page of metrics; 0 takes a free one")
    parser.add_argument("--log-format", choices=get_args(LogFormat), help="lines of the log for programs or people")
    parser.add_argument("--log-level", choices=get_args(LogLevel), help="debug has a line for every request")
    parser.add_argument("--grace-s", type=float, default=20.0, help="seconds that running requests get at the end")
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.socket is not None:
        return _serve_child(options.backend, options.socket)
    log_to_stderr()
    log = logger()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings = _settings(options.config, {key: getattr(options, key) for key in _STATED})
        log_to_stderr(settings.log_format, settings.log_level)
        tracer = tracer_of(os.environ, _NAME)
        gateway = Gateway(options.backend, host=options.host, port=options.port, settings=settings, tracer=tracer)
        gateway.start()
    except VoxgateError as error:
        print(f"voxgate_gateway: {error}", file=sys.stderr)
        return 2
    if not (is_loopback(options.host) or settings.allow_unauthenticated_writes):
        log.warning("listening beyond this machine without authentication; the gateway serves reads only")
    log.info("ready", url=gateway.url, backend=options.backend)
    wait_for(ended)
    log.info("stopping", grace_s=options.grace_s)
    gateway.stop(options.grace_s)
    return 0


def _settings(config: Path | None, stated: Mapping[str, Any]) -> GatewaySettings:
    """What a file says, under what the command line says.

    Raises:
        ConfigInvalid.
    """
    document = read_document(config) if config else {}
    settings = parse_gateway(document.get("gateway", {}))
    if "auth" in document:  # the servers behind tell who may change what
        settings = dataclasses.replace(settings, allow_unauthenticated_writes=True)
    return dataclasses.replace(settings, **{key: value for key, value in stated.items() if value is not None})


def _serve_child(backend: str, handle: int) -> int:
    """Serve on a socket of the process that started this one, until that one closes our input or is gone.

    The first line of the input is the settings.
    """
    # Ctrl-C in a terminal is told to both: the other one ends this one when it has decided to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = settings_from_json(sys.stdin.readline())
    log_to_stderr(settings.log_format, settings.log_level)
    tracer = tracer_of(os.environ, _NAME)
    gateway = Gateway(backend, listening=socket.socket(fileno=handle), settings=settings, tracer=tracer)
    gateway.start()
    print("ready", flush=True)
    line = sys.stdin.readline()
    gateway.stop(float(line) if line.strip() else 0.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
