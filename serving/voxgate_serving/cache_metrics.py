"""What the page of metrics says of the caches before slow stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from voxgate_serving.metrics import Metric


class CacheNumbers(Protocol):
    """The cache of one remote: what was counted, what is so now, and what each number is."""

    @property
    def remote(self) -> str:
        """Its name."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Since the process began."""
        ...

    @property
    def gauges(self) -> Mapping[str, int]:
        """Now."""
        ...

    @property
    def texts(self) -> Mapping[str, str]:
        """By the names of both."""
        ...


def cache_metrics(reports: Sequence[CacheNumbers]) -> list[Metric]:
    """The numbers of caches, labelled with the remote's name."""
    metrics = []
    for report in reports:
        labels = {"remote": report.remote}
        metrics += [
            Metric(f"voxgate_cache_{name}_total", report.texts[name], "counter", labels, count)
            for name, count in report.counts.items()
        ]
        metrics += [
            Metric(f"voxgate_cache_{name}", report.texts[name], "gauge", labels, value)
            for name, value in report.gauges.items()
        ]
    return metrics
