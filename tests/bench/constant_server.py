"""`python -m tests.bench.constant_server --config FILE`: the real Volume service over volumes that cost nothing.

What is left is what every cutout pays: planning, reading ahead, framing, gRPC. Every remote of the configuration is one
volume, uint8, a cube whose edge in voxels is the remote's option "edge"; its voxels are views of one block in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from tests.support.servers import OneVolume
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, check_channels, check_out
from voxgate.model.volumes import (
    Scale,
    Volume,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.policy import GovernedRemote
from voxgate_remotes.registry import Registry
from voxgate_serving.command import serve_command
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import Configuration
from voxgate_volume.service import registrations

BLOCK_BYTES = 8 << 20


class ConstantVolume:
    """The same bytes wherever one reads: 0, 1, 2 … 250, 0, 1 … from the first voxel of what is read."""

    def __init__(self, edge: int) -> None:
        chunk = Vec3(64, 64, 64)
        bounds = Box.of(x=(0, edge), y=(0, edge), z=(0, edge))
        scale = Scale("0", bounds, chunk, chunk, bounds.start)
        self.info = VolumeInfo("constant", np.dtype("u1"), VolumeKind.IMAGE, (scale,))
        self._voxels = constant_bytes(BLOCK_BYTES)

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        check_box(self.info, box, scale)
        wanted = check_channels(self.info, channels)
        shape = (len(wanted), *box.shape.zyx)
        check_out(self.info, shape, out)
        voxels = self._voxels[: int(np.prod(shape))].reshape(shape)
        if out is None:
            return voxels
        out[...] = voxels
        return out

    def capability(self, kind: type[Any]) -> Any:
        return None


def constant_bytes(size: int) -> Voxels:
    """The bytes that transports carry, uint8, of shape (size,)."""
    return (np.arange(size) % 251).astype(np.uint8)


def build(configuration: Configuration, server_id: str) -> Sequence[ServiceRegistration]:
    remotes = parse_remotes(configuration.remotes, configuration.base).remotes
    volumes = {name: ConstantVolume(int(remote.options["edge"])) for name, remote in remotes.items()}
    governed = {name: GovernedRemote(OneVolume(cast("Volume", volumes[name])), remotes[name]) for name in volumes}
    return registrations(Registry(governed), configuration.server, server_id=server_id)


if __name__ == "__main__":
    sys.exit(serve_command("tests.bench.constant_server", build))
