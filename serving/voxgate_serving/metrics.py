"""A page of metrics on a port of its own, in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from voxgate.model.errors import ConfigInvalid
from voxgate.model.measures import BOUNDS_S, Spread

_PATH = "/metrics"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Metric:
    """One number.

    Attributes:
        name: as "voxgate_cache_misses_total"; counters end in "_total".
        text: what it is, for people.
        kind: "counter", "gauge" or "histogram".
        labels: which one it is of those of its name.
        value: now.
        suffix: which number of a histogram it is: "_bucket", "_sum" or "_count".
    """

    name: str
    text: str
    kind: str
    labels: Mapping[str, str]
    value: float
    suffix: str = ""


def histogram(name: str, text: str, labels: Mapping[str, str], spread: Spread) -> list[Metric]:
    """Durations in buckets, as the numbers that Prometheus knows them by."""
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    counts = [*spread.below, spread.count]
    return [
        *(
            Metric(name, text, "histogram", {**labels, "le": bound}, count, "_bucket")
            for bound, count in zip(bounds, counts, strict=True)
        ),
        Metric(name, text, "histogram", labels, spread.total_s, "_sum"),
        Metric(name, text, "histogram", labels, spread.count, "_count"),
    ]


def exposition(metrics: Iterable[Metric]) -> str:
    """The page: metrics of one name together; of those with equal labels, the first."""
    by_name: dict[str, dict[str, Metric]] = {}
    for metric in metrics:
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(metric.labels.items()))
        by_name.setdefault(metric.name, {}).setdefault(f"{metric.suffix}{{{labels}}}", metric)
    lines = []
    for name, samples in by_name.items():
        first = next(iter(samples.values()))
        lines += [f"# HELP {name} {first.text}", f"# TYPE {name} {first.kind}"]
        lines += [f"{name}{labelled} {metric.value}" for labelled, metric in samples.items()]
    return "".join(f"{line}\n" for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class MetricsServer:
    """An HTTP server with nothing but the page of metrics."""

    def __init__(self, host: str, port: int, collect: Callable[[], Iterable[Metric]]) -> None:
        """Bind and start.

        Args:
            host: address to listen on.
            port: 0 picks a free one.
            collect: what the page shows; called for each reader.

        Raises:
            ConfigInvalid: when the address cannot be had.
        """

        class Handler(_Page):
            """Of this server."""

        Handler.collect = staticmethod(collect)
        bare = host.strip("[]")

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in bare else socket.AF_INET
            daemon_threads = True
            allow_reuse_address = True

        try:
            self._server = Server((bare, port), Handler)
        except OSError:
            raise ConfigInvalid(
                f"cannot listen on {host}:{port}", "another program has the port: choose another metrics_port"
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Page(http.server.BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S
    collect: Callable[[], Iterable[Metric]]

    def do_GET(self) -> None:
        """The page, or where it is."""
        if self.path.partition("?")[0] != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"the metrics are at {_PATH}\n".encode())
        else:
            self._answer(HTTPStatus.OK, exposition(type(self).collect()).encode())

    do_HEAD = do_GET  # noqa: N815  (the base's names)

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Name no versions to strangers."""
        return "voxgate"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's shape)
        """Readers of metrics come every few seconds: no news."""
