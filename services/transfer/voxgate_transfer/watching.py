"""Follow a job: its changes, and signs of life between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from voxgate.model.errors import Unavailable
from voxgate.model.jobs import Job
from voxgate.model.volumes import CallContext
from voxgate_jobs.store import JobStore

HEARTBEAT_S = 10.0
"""The contract promises a message at least every 15 seconds; proxies cut streams that are silent for longer."""
_SLICE_S = 0.5
"""How long a watcher sleeps before it looks whether its caller is still there."""


def watch(
    jobs: JobStore,
    name: str,
    after_sequence: int,
    *,
    context: CallContext,
    stopping: threading.Event | None = None,
    heartbeat_s: float = HEARTBEAT_S,
) -> Iterator[Job]:
    """Yield a job whenever it changed, and as it stands when nothing did for a while; ends with the job.

    Changes that follow one another quickly may be told as one. The record of an ended job is always told, even to who
    has seen it already, so that every watch ends with it.

    Args:
        jobs: where the record is.
        name: "jobs/ID".
        after_sequence: tells what came after this; 0 tells the job as it stands first.
        context: the caller's patience.
        stopping: set when this server stops: jobs go on elsewhere, or later, and so may the watch.
        heartbeat_s: the longest silence, in seconds.

    Raises:
        UnknownJob: when there is none, or it has been forgotten.
        Cancelled, DeadlineExceeded: when the caller's patience ends.
        Unavailable: when this server stops.
    """
    seen, told = after_sequence, time.monotonic()
    while True:
        context.check()
        job = jobs.wait_for_change(name, seen, min(_SLICE_S, heartbeat_s))
        silent_s = time.monotonic() - told
        if job.sequence > seen or job.state.is_terminal or silent_s >= heartbeat_s:
            yield job
            if job.state.is_terminal:
                return
            seen, told = max(seen, job.sequence), time.monotonic()
        if stopping is not None and stopping.is_set():
            raise Unavailable("the server is stopping", "watch the job again: it goes on when a server runs again")
