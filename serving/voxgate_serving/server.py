"""Build, bind, run and drain a gRPC server."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from voxgate_serving.auth.guard import Guard
from voxgate_serving.doors import PrivateDoor, server_certificate, server_credentials
from voxgate_serving.health import HealthServer, bind
from voxgate_serving.interceptors import CallInterceptor
from voxgate_serving.logs import logger
from voxgate_serving.metrics import Metric, MetricsServer
from voxgate_serving.observing import CallObserver
from voxgate_serving.pool import CallPool
from voxgate_serving.process_metrics import process_metrics
from voxgate_serving.reloading import RemotesChange
from voxgate_serving.settings import Configuration, ServerSettings
from voxgate_serving.stalls import StallWatch
from voxgate_serving.tracing import NO_TRACER, Tracer

_MIB = 1 << 20
_CALLS_PER_WORKER = 64
"""Calls that may be here for each thread, most of them waiting; more are refused with RESOURCE_EXHAUSTED at once."""
_SIGNALS_S = 0.5
"""How late a signal may be noticed."""
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a share of somebody else's calls
    ("grpc.max_receive_message_length", 4 * _MIB),
    ("grpc.http2.max_frame_size", (1 << 24) - 1),
    # What is in between, and gives up on silence after 20 seconds, hears of every connection in time.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


def _nothing() -> None:
    """Close nothing."""


def _no_metrics() -> Sequence[Metric]:
    """Measure nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class ServiceRegistration:
    """One gRPC service, ready to be added to any server.

    Attributes:
        full_name: as in "voxgate.v1.MeshService".
        add: adds the servicer to a server.
        drain: called when the server starts to stop: end long work, wake waiting calls.
        close: called after the last call has ended.
        metrics: what the page of metrics says of it.
        adopt: serves the remotes of another configuration from now on; None where nothing can be exchanged. One service
            of a process has it.
    """

    full_name: str
    add: Callable[[grpc.Server], None]
    drain: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing
    metrics: Callable[[], Sequence[Metric]] = _no_metrics
    adopt: Callable[[Configuration], RemotesChange] | None = None


class RunningServer:
    """A started server. `port` and `health_port` are the bound ones."""

    def __init__(
        self,
        registrations: Sequence[ServiceRegistration],
        settings: ServerSettings,
        server_id: str,
        tracer: Tracer = NO_TRACER,
        guard: Guard | None = None,
        *,
        has_private_door: bool = False,
    ) -> None:
        """Bind and start; `tracer` is closed with the server, `guard` says who calls.

        Raises:
            ConfigInvalid: when an address cannot be had, or a certificate cannot be used.
        """
        certificate = server_certificate(settings.tls)
        self.server_id = server_id
        self._registrations = tuple(registrations)
        self._grace_s = settings.grace_s
        self._stopped = threading.Event()
        self._stopping = threading.Lock()
        self._tracer = tracer
        self._pool = CallPool(settings.workers)
        observer = CallObserver(tracer)
        self._sources: list[Callable[[], Sequence[Metric]]] = [
            process_metrics(),
            self._pool.metrics,
            observer.metrics.metrics,
            *(registration.metrics for registration in self._registrations),
        ]
        if certificate is not None:
            self._sources.append(certificate.metrics)
        self._stalls = StallWatch(lambda: self._pool.waiting)
        interceptor = CallInterceptor(
            server_id, settings.unary_deadline_s, settings.stream_deadline_s, observer, self._stalls, guard
        )
        self._server = grpc.server(
            self._pool,
            interceptors=[interceptor],
            options=_OPTIONS,
            maximum_concurrent_rpcs=settings.workers * _CALLS_PER_WORKER,
        )
        self._health = HealthServer(settings.host, settings.health_port)
        names = [registration.full_name for registration in self._registrations]
        for registration in self._registrations:
            registration.add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self._server)
        credentials = None if certificate is None else server_credentials(certificate)
        self.port = bind(self._server, settings.host, settings.port, credentials)
        self.speaks_tls = certificate is not None
        self._door = PrivateDoor() if has_private_door and self.speaks_tls else None
        if self._door is not None:
            self._door.bind(self._server)
        self.health_port = self._health.port
        self._metrics = self._metrics_server(settings)
        self._health.start(names)
        self._server.start()
        self._stalls.start()

    @property
    def metrics_port(self) -> int | None:
        """The port of the page of metrics; None where there is none."""
        return None if self._metrics is None else self._metrics.port

    @property
    def address(self) -> str:
        """Where to connect from this machine."""
        return f"localhost:{self.port}"

    @property
    def inner_address(self) -> str:
        """Where a gateway that was started along connects: without TLS, by a way that is nobody else's."""
        return self.address if self._door is None else self._door.address

    def add_metrics(self, source: Callable[[], Sequence[Metric]]) -> None:
        """Show more on the page of metrics."""
        self._sources.append(source)

    def report_health(self, name: str, *, is_serving: bool) -> None:
        """Have the health ports answer for something that lives beside the services, by a name of its own."""
        self._health.report(name, is_serving=is_serving)

    def stop(self, grace_s: float | None = None) -> None:
        """Drain and stop: health says NOT_SERVING, new calls are refused, running ones get the grace. Idempotent."""
        if not self._stopping.acquire(blocking=False):
            self._stopped.wait()
            return
        self._health.drain()
        for registration in self._registrations:
            registration.drain()
        self._server.stop(self._grace_s if grace_s is None else grace_s).wait()
        for registration in self._registrations:
            registration.close()
        self._stalls.stop()
        self._health.stop()
        if self._metrics is not None:
            self._metrics.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._tracer.close()
        if self._door is not None:
            self._door.close()
        self._stopped.set()

    def wait(self) -> None:
        """Wait until the server has stopped."""
        wait_for(self._stopped)

    def _metrics_server(self, settings: ServerSettings) -> MetricsServer | None:
        if settings.metrics_port is None:
            return None
        # As many lists as there are readers: more may be added meanwhile.
        return MetricsServer(
            settings.host, settings.metrics_port, lambda: [each for source in list(self._sources) for each in source()]
        )


def start_server(
    registrations: Sequence[ServiceRegistration],
    settings: ServerSettings,
    server_id: str | None = None,
    tracer: Tracer = NO_TRACER,
    guard: Guard | None = None,
    *,
    has_private_door: bool = False,
) -> RunningServer:
    """Start serving; returns at once. `tracer` notices its calls, and is closed with it; `guard` says who calls.

    With a private door, a server that speaks TLS listens without it too, where only this user's processes come: see
    `RunningServer.inner_address`.

    Raises:
        ConfigInvalid: when an address cannot be had, or a certificate cannot be used.
    """
    server = RunningServer(
        registrations, settings, server_id or new_server_id(), tracer, guard, has_private_door=has_private_door
    )
    log = logger()
    log.info("serving", host=settings.host, port=server.port, health_port=server.health_port, tls=server.speaks_tls)
    if server.metrics_port is not None:
        log.info("metrics", host=settings.host, metrics_port=server.metrics_port)
    if not settings.is_loopback and guard is None:
        if settings.writes_enabled:
            log.warning("anyone who can reach this address can write", host=settings.host)
        else:
            log.warning("beyond loopback without authentication: serving reads only", host=settings.host)
    return server


def new_server_id() -> str:
    """A name for this process, for loop detection and logs."""
    return uuid.uuid4().hex[:16]


def wait_for(event: threading.Event) -> None:
    """Wait for an event in the main thread, where signals are handled.

    A signal that comes right before a lock is waited for, or to another thread, does not end that wait: its handler
    runs when the interpreter gets the next word, so the wait is cut into short ones.
    """
    while not event.wait(_SIGNALS_S):
        pass


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT, in a thread of its own so that the handler returns at once."""

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (signal's shape)
        threading.Thread(target=stop, name="drain", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
