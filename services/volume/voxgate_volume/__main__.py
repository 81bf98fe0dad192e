"""`python -m voxgate_volume`: the Volume, Segment, Version and Metadata services as one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from voxgate_remotes.adopting import open_registry
from voxgate_serving.auth.guard import policy_of
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_volume.service import registrations


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:
    """The services of this process."""
    registry, adopt = open_registry(configuration, writes_enabled=configuration.server.writes_enabled)
    first, *others = registrations(
        registry.guarded(policy_of(configuration)), configuration.server, server_id=server_id
    )
    return [replace(first, adopt=adopt), *others]


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_volume", build))
