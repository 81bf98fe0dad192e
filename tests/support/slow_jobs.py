"""A suite whose jobs last long enough for a test to act in their middle: one block at a time, of a slow source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from support.servers import settings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import Suite, start_suite

_MADE = {"size": "90,80,40", "offset": "-7,11,900", "chunk": "32,16,8"}


@contextlib.contextmanager
def slow_suite(folder: Path, *, http: bool = True) -> Iterator[Suite]:
    """Serves "made", "slow" and "long", all made up; takes writes into a folder ("scratch") and memory ("held")."""
    slow = {**_MADE, "size": "300,260,140", "latency_ms": "250"}
    remotes = {
        "made": RemoteConfig(uri="procedural://", options=_MADE),
        "slow": RemoteConfig(uri="procedural://", options=slow),
        "long": RemoteConfig(uri="procedural://", options={**slow, "size": "300,260,420"}),
        "scratch": RemoteConfig(uri=folder.as_uri(), writable=True, deletable=True),
        "held": RemoteConfig(uri="memory://", writable=True, deletable=True),
    }
    suite = start_suite(RemotesConfig(remotes=remotes), settings(job_threads=1), http=http)
    try:
        yield suite
    finally:
        suite.stop(1.0)
