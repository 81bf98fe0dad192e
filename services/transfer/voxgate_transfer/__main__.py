"""`python -m voxgate_transfer`: the Transfer and Job services as one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_transfer.placing import with_jobs_url
from voxgate_transfer.service import registrations


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:  # noqa: ARG001  (the shape of every service)
    """The services of this process."""
    remotes = parse_remotes(configuration.remotes, configuration.base)
    registry = Registry.from_config(remotes if configuration.server.writes_enabled else remotes.without_writes())
    return registrations(registry, with_jobs_url(configuration, remotes))


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_transfer", build))
