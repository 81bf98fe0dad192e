"""Health on a port and thread of its own: it answers however busy the service is."""

from __future__ import annotations

import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from voxgate.model.errors import ConfigInvalid

LIVE = "live"
READY = "ready"
HTTP = "http"
"""The name of a gateway that was started along."""


class HealthServer:
    """A gRPC server with nothing but grpc.health.v1.Health.

    Service names: "" and "ready" (takes calls), "live" (the process works), each served service's own, and whatever
    else `report` is told of.
    """

    def __init__(self, host: str, port: int) -> None:
        """Bind.

        Raises:
            ConfigInvalid: when the port is taken.
        """
        self.servicer = health.HealthServicer(experimental_non_blocking=True)
        self._names: tuple[str, ...] = ()
        self._reported: set[str] = set()
        self._is_draining = False
        self._lock = threading.Lock()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(2, thread_name_prefix="health"), options=[("grpc.so_reuseport", 0)]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.servicer, self._server)
        self.port = bind(self._server, host, port)

    def start(self, service_names: list[str]) -> None:
        """Start to answer SERVING."""
        self._names = ("", READY, *service_names)
        for name in (LIVE, *self._names):
            self.servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server.start()

    def report(self, name: str, *, is_serving: bool) -> None:
        """Answer for something beside the services from now on; nothing serves any more while everything drains."""
        with self._lock:
            self._reported.add(name)
            serving = is_serving and not self._is_draining
            answer = health_pb2.HealthCheckResponse
            self.servicer.set(name, answer.SERVING if serving else answer.NOT_SERVING)

    def drain(self) -> None:
        """Answer NOT_SERVING for everything but "live": a draining process must not be restarted."""
        with self._lock:
            self._is_draining = True
            for name in (*self._names, *self._reported):
                self.servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop(0).wait()


def bind(server: grpc.Server, host: str, port: int, credentials: grpc.ServerCredentials | None = None) -> int:
    """Bind a server to an address, with TLS where there are credentials; returns the port.

    Raises:
        ConfigInvalid: when the address cannot be had.
    """
    address = f"[{host}]" if ":" in host and not host.startswith("[") else host
    try:
        where = f"{address}:{port}"
        bound = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise ConfigInvalid(
            f"cannot listen on {host}:{port}", "another program has the port: stop it, or choose another with --port"
        )
    return bound
