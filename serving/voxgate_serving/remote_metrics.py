"""What the page of metrics says of the stores behind remotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from voxgate.model.measures import Spread
from voxgate_serving.metrics import Metric, histogram

_SECONDS = "seconds that requests to stores took, by remote and operation"
_BYTES = "bytes read from and written to stores: voxels, or chunks as they are stored"
_ERRORS = "requests to stores that ended with an error, by its reason"


class TrafficNumbers(Protocol):
    """The requests to the store of one remote."""

    @property
    def remote(self) -> str:
        """Its name."""
        ...

    @property
    def durations(self) -> Mapping[str, Spread]:
        """How long they took, by operation."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes, by operation."""
        ...

    @property
    def failures(self) -> Mapping[tuple[str, str], int]:
        """How many failed, by operation and reason."""
        ...


def remote_metrics(reports: Sequence[TrafficNumbers]) -> list[Metric]:
    """The numbers of stores, labelled with the names that their operator gave them."""
    found: list[Metric] = []
    for report in reports:
        for operation, spread in report.durations.items():
            labels = {"remote": report.remote, "operation": operation}
            found += histogram("voxgate_remote_request_seconds", _SECONDS, labels, spread)
        for operation, size in report.sizes.items():
            labels = {"remote": report.remote, "operation": operation}
            found.append(Metric("voxgate_remote_bytes_total", _BYTES, "counter", labels, size))
        for (operation, reason), count in report.failures.items():
            labels = {"remote": report.remote, "operation": operation, "reason": reason}
            found.append(Metric("voxgate_remote_errors_total", _ERRORS, "counter", labels, count))
    return found
