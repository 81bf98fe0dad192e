"""`python -m voxgate_volume`: the Volume, Segment, Version and Metadata services as one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_volume.service import registrations


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:
    """The services of this process."""
    remotes = parse_remotes(configuration.remotes, configuration.base)
    registry = Registry.from_config(remotes if configuration.server.writes_enabled else remotes.without_writes())
    return registrations(registry, configuration.server, server_id=server_id)


if __name__ == "__main__":
    sys.exit(serve_command("voxgate_volume", build))
