"""Dask clusters that tests start: how far they are."""

from __future__ import annotations

import contextlib

from voxgate.model.errors import Unavailable
from voxgate_jobs import clusters
from voxgate_jobs.executors import OPENER, SchedulerAddress

from .certificates import Certificate


def address_of(port: int, certificate: Certificate) -> SchedulerAddress:
    """The scheduler at a port of this machine, for who has a certificate."""
    return SchedulerAddress(
        f"tls://127.0.0.1:{port}", str(certificate.authority), str(certificate.file), str(certificate.key)
    )


def threads_at(address: SchedulerAddress) -> int:
    """Threads of the workers that a scheduler has; 0 while it does not answer."""
    with contextlib.suppress(Unavailable), contextlib.ExitStack() as stack:
        connection = clusters.remote(address, OPENER)
        stack.callback(connection.close)
        return connection.slots()
    return 0
