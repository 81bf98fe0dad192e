"""A process that writes granules of a volume until it is killed, and says which are done.

python -m support.granule_writer REMOTE_CONFIG_AS_JSON VOLUME
"""

from __future__ import annotations

import sys

import numpy as np

from voxgate.model.geometry import Box, grid_cells
from voxgate.model.volumes import Volume, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry


def registry_of(config: RemoteConfig) -> Registry:
    """One remote, "data"."""
    return Registry.from_config(RemotesConfig(remotes={"data": config}))


def granules_of(volume: Volume) -> list[Box]:
    """The write granules of the finest scale."""
    level = volume.info.scales[0]
    return list(grid_cells(level.bounds, level.write_granule_shape, level.grid_origin))


def voxels_of(box: Box, turn: int, dtype: np.dtype) -> np.ndarray:
    """What the writer writes into a granule in its n-th turn: every voxel differs."""
    count = box.voxel_count
    return (np.arange(count, dtype="<u8") + np.uint64(1 + turn * 1_000_003)).astype(dtype).reshape(1, *box.shape.zyx)


def main() -> None:
    """Write until killed."""
    config, name = RemoteConfig.model_validate_json(sys.argv[1]), sys.argv[2]
    volume = registry_of(config).open(name)
    writer = volume.capability(Writable)
    granules = granules_of(volume)
    turn = 0
    while True:
        for number, granule in enumerate(granules):
            writer.write(granule, voxels_of(granule, turn, volume.info.dtype))
            print(turn, number, flush=True)
        turn += 1


if __name__ == "__main__":
    main()
