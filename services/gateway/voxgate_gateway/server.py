"""The gateway as a server: bound before it starts, run in a thread of its own, drained when it stops."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time

import uvicorn

from voxgate.client.tls import tls_pems
from voxgate.model.errors import ConfigInvalid, Unavailable
from voxgate_gateway.app import create_app
from voxgate_gateway.http.protocol import PatientProtocol
from voxgate_gateway.observing import RequestObserver
from voxgate_gateway.settings import GatewaySettings
from voxgate_serving.logs import logger
from voxgate_serving.metrics import MetricsServer
from voxgate_serving.process_metrics import process_metrics
from voxgate_serving.settings import is_loopback
from voxgate_serving.tls import LiveCertificate, TlsFiles, live_context
from voxgate_serving.tracing import NO_TRACER, Tracer

_START_PATIENCE_S = 15.0


class Gateway:
    """An HTTP server over one gRPC backend.

    Args:
        backend_address: "host:port" of the volume server.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        settings: `[gateway]` of voxgate.toml; None for the defaults.
        listening: a socket that is bound already, instead of `host` and `port`.
        tracer: notices its requests; closed with it.

    Raises:
        ConfigInvalid: when the address cannot be bound, or that of the page of metrics, or a certificate cannot be
            used.
    """

    def __init__(
        self,
        backend_address: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        settings: GatewaySettings | None = None,
        listening: socket.socket | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        files = TlsFiles() if settings is None else settings.tls
        self._certificate = LiveCertificate(files, "gateway.tls", "http") if files.is_on else None
        if settings is not None and settings.services_tls.tls is not None:
            tls_pems(settings.services_tls.tls)
        self._socket = bound(host, port) if listening is None else listening
        self.port: int = self._socket.getsockname()[1]
        self.url = url_of(host, self.port, files)
        self._tracer = tracer
        observer = RequestObserver(tracer)
        self._metrics = self._page(settings, observer)
        app = create_app(backend_address, settings, observer)
        allowed = settings is not None and settings.allow_unauthenticated_writes
        app.state.takes_changes = allowed or is_loopback(self._socket.getsockname()[0])
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=30,
            ssl_context_factory=None if self._certificate is None else self._secured,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="gateway", daemon=True)

    @property
    def metrics_port(self) -> int | None:
        """The port of the page of metrics; None where there is none."""
        return None if self._metrics is None else self._metrics.port

    def start(self) -> None:
        """Serve, and return once requests are accepted.

        Raises:
            Unavailable: when the server does not come up.
        """
        self._thread.start()
        until = time.monotonic() + _START_PATIENCE_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise Unavailable("the gateway did not start", "its log says why")
            time.sleep(0.01)

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept nothing new, finish what is under way for at most `grace_s` seconds, and close."""
        self._server.config.timeout_graceful_shutdown = max(int(grace_s), 1)
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace_s + 5.0)
        self._socket.close()
        if self._metrics is not None:
            self._metrics.stop()
        self._tracer.close()

    def _page(self, settings: GatewaySettings | None, observer: RequestObserver) -> MetricsServer | None:
        if settings is None or settings.metrics_port is None:
            return None
        process = process_metrics()
        # Where the requests are, too: who scrapes a pod reaches all of its ports, or none.
        host = self._socket.getsockname()[0]
        certificate = self._certificate
        sources = [process, observer.metrics.metrics, *([] if certificate is None else [certificate.metrics])]
        try:
            page = MetricsServer(host, settings.metrics_port, lambda: [each for source in sources for each in source()])
        except ConfigInvalid:
            self._socket.close()
            raise
        logger().info("metrics", host=host, metrics_port=page.port)
        return page

    def _secured(self, *_: object) -> ssl.SSLContext:
        if self._certificate is None:
            raise AssertionError("a gateway without a certificate speaks no TLS")
        return live_context(self._certificate)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def url_of(host: str, port: int, tls: TlsFiles) -> str:
    """The URL of a gateway's listener."""
    return f"{'https' if tls.is_on else 'http'}://{reachable(host)}:{port}"


def reachable(host: str) -> str:
    """The host part of a URL to a listener: a wildcard address is reached from this machine as localhost."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  (compared, not bound)
        return "localhost"
    return f"[{host}]" if ":" in host else host


def bound(host: str, port: int, *, patience_s: float = 0.0) -> socket.socket:
    """A socket at an address, not listening yet.

    Args:
        host: an address of this machine.
        port: 0 takes a free one.
        patience_s: how long to wait for one that is taken: who was killed a moment ago may have left a child at it.

    Raises:
        ConfigInvalid: when it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    until = time.monotonic() + patience_s
    while True:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRINUSE and time.monotonic() < until:
                time.sleep(0.1)
                continue
            raise ConfigInvalid(
                f"the gateway cannot listen on {host}:{port}: {error.strerror}", "choose another --port or --host"
            ) from None
        return listening
