"""`python -m voxgate_mesh`: the Mesh service as one process, with its workers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from voxgate_mesh.service import registrations
from voxgate_mesh.warming import start_warming
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_serving.workers import WorkerPool


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:  # noqa: ARG001  (the shape)
    """The services of this process."""
    remotes = parse_remotes(configuration.remotes, configuration.base)
    # Nothing is written here: what the policy says of writes does not matter.
    registry = Registry.from_config(remotes)
    workers = WorkerPool(configuration.server.worker_processes)
    start_warming()
    return registrations(registry, configuration.server, workers=workers)


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_mesh", build))
