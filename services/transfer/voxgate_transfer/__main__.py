"""`python -m voxgate_transfer`: the Transfer and Job services as one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from voxgate_jobs.desk import open_desk
from voxgate_remotes.adopting import open_registry
from voxgate_remotes.config import parse_remotes
from voxgate_serving.auth.guard import policy_of
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_transfer.placing import with_jobs_url
from voxgate_transfer.service import registrations


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:  # noqa: ARG001  (the shape of every service)
    """The services of this process."""
    registry, adopt = open_registry(configuration, writes_enabled=configuration.server.writes_enabled)
    settings = with_jobs_url(configuration, parse_remotes(configuration.remotes, configuration.base))
    desk = open_desk(registry, settings)
    first, *others = registrations(registry.guarded(policy_of(configuration)), settings, desk)
    return [replace(first, adopt=adopt), *others]


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_transfer", build))
