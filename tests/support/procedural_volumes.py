"""Computed volumes; their reference is the scalar account of the formulas."""

import numpy as np

from support.known_volumes import KnownVolume, Maker
from support.procedural_reference import world
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import Remote
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.procedural import ProceduralRemote
from voxgate_remotes.testing import ScaleFacts

URI = "procedural://?seed=21&size=21,18,11&offset=999000,-31,7&chunk=8,4,6&voxel_size=4,5,40"
SCALES = (
    (Vec3(1, 1, 1), Box.of(x=(999_000, 999_021), y=(-31, -13), z=(7, 18)), VoxelSize(4, 5, 40)),
    (Vec3(2, 2, 1), Box.of(x=(499_500, 499_511), y=(-15, -6), z=(7, 18)), VoxelSize(8, 10, 40)),
    (Vec3(4, 4, 1), Box.of(x=(249_750, 249_756), y=(-7, -3), z=(7, 18)), VoxelSize(16, 20, 40)),
    (Vec3(8, 8, 2), Box.of(x=(124_875, 124_878), y=(-3, -1), z=(4, 9)), VoxelSize(32, 40, 80)),
)


def facts(dtype: str, pattern: str, channel_count: int) -> tuple[ScaleFacts, ...]:
    kind = np.dtype(dtype)
    return tuple(
        ScaleFacts(
            voxels=np.stack([world(21, box, step, kind, pattern=pattern, channel=c) for c in range(channel_count)]),
            start=box.start,
            voxel_size_nm=size,
            chunk_shape=Vec3(8, 4, 6),
        )
        for step, box, size in SCALES
    )


def cells() -> tuple[Remote, KnownVolume]:
    remote = ProceduralRemote(RemoteConfig(uri=URI))
    return remote, KnownVolume(facts("<u8", "cells", 1), VolumeKind.SEGMENTATION, path="seg")


def smooth() -> tuple[Remote, KnownVolume]:
    remote = ProceduralRemote(RemoteConfig(uri=URI))
    return remote, KnownVolume(facts("<u1", "smooth", 1), VolumeKind.IMAGE, path="em")


def noise_in_two_channels() -> tuple[Remote, KnownVolume]:
    remote = ProceduralRemote(RemoteConfig(uri=URI, options={"channels": 2, "pattern": "noise"}))
    return remote, KnownVolume(facts("<i8", "noise", 2), VolumeKind.IMAGE, "czyx", path="em-int64")


COMPUTED: list[Maker] = [cells, smooth, noise_in_two_channels]
