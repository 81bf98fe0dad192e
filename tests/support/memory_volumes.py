"""Volumes in a memory remote, filled chunk by chunk."""

import numpy as np

from support.known_volumes import PATH, KnownVolume, Maker
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.remotes import Remote
from voxgate.model.volumes import (
    Channel,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote
from voxgate_remotes.testing import ScaleFacts

CHUNK = Vec3(8, 6, 4)


def filled_remote(facts_of: tuple[ScaleFacts, ...], kind: VolumeKind, fill_value: float) -> MemoryRemote:
    """A remote with one volume at PATH: each chunk written by itself, those that are to be absent left out."""
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    voxels = facts_of[0].voxels
    channels = tuple(Channel(str(i)) for i in range(voxels.shape[0])) if voxels.shape[0] > 1 else ()
    scales = tuple(ScaleSpec(s.bounds, s.voxel_size_nm, s.chunk_shape, Vec3(16, 12, 4)) for s in facts_of)
    volume = remote.create(tuple(PATH.split("/")), VolumeSpec(voxels.dtype, kind, scales, channels, fill_value))
    for index, scale in enumerate(facts_of):
        for cell in grid_cells(scale.bounds, CHUNK, scale.start):
            if not any(box.contains(cell) for box in scale.absent):
                volume.write(cell, scale.cut(cell), scale=index)
    return remote


def made(kind: VolumeKind, *scales: ScaleFacts, fill_value: float = 0) -> tuple[Remote, KnownVolume]:
    axes = "zyx" if scales[0].voxels.shape[0] == 1 else "czyx"
    return filled_remote(scales, kind, fill_value), KnownVolume(scales, kind, axes, fill_value)


def two_scales() -> tuple[Remote, KnownVolume]:
    """A segmentation at a negative offset whose second scale is no power of two away; two chunks are absent."""
    fine, coarse = segmentation((1, 11, 17, 29)), segmentation((1, 11, 6, 9), seed=1)
    start = Vec3(-13, 7, 1000)
    absent = Box.at(start + Vec3(8, 6, 4), Vec3(16, 6, 4))
    fine[:, *absent.slices_zyx(start)] = 0
    scales = (
        ScaleFacts(voxels=fine, start=start, voxel_size_nm=VoxelSize(4, 4, 40), chunk_shape=CHUNK, absent=(absent,)),
        ScaleFacts(voxels=coarse, start=Vec3(-4, 2, 1000), voxel_size_nm=VoxelSize(12, 12, 40), chunk_shape=CHUNK),
    )
    return made(VolumeKind.SEGMENTATION, *scales)


def three_channels() -> tuple[Remote, KnownVolume]:
    voxels = image((3, 7, 13, 10), "<i2")
    start = Vec3(5, -300, 9)
    absent = Box.at(start, CHUNK)
    voxels[:, *absent.slices_zyx(start)] = -7
    facts = ScaleFacts(voxels=voxels, start=start, chunk_shape=CHUNK, absent=(absent,))
    return made(VolumeKind.IMAGE, facts, fill_value=-7)


def floats() -> tuple[Remote, KnownVolume]:
    voxels = image((1, 5, 3, 20), "<f4")
    voxels[0, 1, 2, 3] = np.nan
    return made(VolumeKind.UNKNOWN, ScaleFacts(voxels=voxels, start=Vec3(1, 2, 3), chunk_shape=CHUNK))


IN_MEMORY: list[Maker] = [two_scales, three_channels, floats]
