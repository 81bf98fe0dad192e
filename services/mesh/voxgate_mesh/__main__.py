"""`python -m voxgate_mesh`: the Mesh service as one process, with its workers.

With a `jobs_url` it creates jobs of meshing and runs those in the records, beside whoever else shares them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from voxgate_jobs.desk import open_desk
from voxgate_mesh.service import registrations
from voxgate_mesh.warming import start_warming
from voxgate_remotes.adopting import open_registry
from voxgate_serving.auth.guard import policy_of
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_serving.workers import WorkerPool


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:  # noqa: ARG001  (the shape)
    """The services of this process."""
    settings = configuration.server
    registry, adopt = open_registry(configuration, writes_enabled=settings.writes_enabled)
    guarded = registry.guarded(policy_of(configuration))
    workers = WorkerPool(settings.worker_processes)
    start_warming()
    if not settings.jobs_url:  # no default: jobs that the Transfer server does not know could not be followed
        first, *others = registrations(guarded, settings, workers=workers)
        return [replace(first, adopt=adopt), *others]
    desk = open_desk(registry, settings, kinds=("mesh",))
    first, *others = registrations(guarded, settings, workers=workers, desk=desk)

    def close() -> None:
        first.close()
        desk.close()

    return [replace(first, drain=desk.drain, close=close, adopt=adopt), *others]


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_mesh", build))
