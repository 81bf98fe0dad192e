"""The suite on computed volumes; the reference is the scalar account of the formulas."""

import numpy as np
import pytest

from support.procedural_reference import world
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, VolumeKind
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.procedural import ProceduralRemote
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase

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


@pytest.fixture(
    scope="module",
    params=[("seg", "<u8", "cells", 0), ("em", "<u1", "smooth", 0), ("em-int64", "<i8", "noise", 2)],
    ids=lambda param: param[0],
)
def case(request: pytest.FixtureRequest) -> VolumeCase:
    name, dtype, pattern, channels = request.param
    options = {"channels": channels} | ({} if pattern == "cells" else {"pattern": pattern})
    remote = ProceduralRemote(RemoteConfig(uri=URI, options=options))
    return VolumeCase(
        open=lambda options: remote.open((name,), options),
        open_missing=lambda: remote.open(("nothing",), OpenOptions()),
        scales=facts(dtype, pattern, max(1, channels)),
        kind=VolumeKind.SEGMENTATION if name == "seg" else VolumeKind.IMAGE,
        axes="czyx" if channels else "zyx",
    )


class TestReadingComputedVolumes(ReadConformance):
    pass
