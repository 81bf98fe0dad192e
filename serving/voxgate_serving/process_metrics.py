"""What the page of metrics says of the process itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from voxgate_serving.metrics import Metric

_STATM = Path("/proc/self/statm")


def process_metrics() -> Callable[[], list[Metric]]:
    """Reads the numbers of this process, as named by Prometheus's own clients; memory only where Linux tells it."""
    began = time.time()
    release = version("voxgate")

    def metrics() -> list[Metric]:
        found = [
            Metric("voxgate_build_info", "the release that runs", "gauge", {"version": release}, 1),
            Metric("process_start_time_seconds", "when the server started, seconds since 1970", "gauge", {}, began),
        ]
        try:
            pages = int(_STATM.read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return found
        size = pages * os.sysconf("SC_PAGE_SIZE")
        return [*found, Metric("process_resident_memory_bytes", "memory that is really used", "gauge", {}, size)]

    return metrics
