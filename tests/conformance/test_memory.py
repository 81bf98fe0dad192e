"""The suite on volumes in memory."""

import numpy as np
import pytest

from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import Channel, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote, MemoryVolume
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance

CHUNK = Vec3(8, 6, 4)
PATH = ("group", "volume")


def filled_remote(case_scales: tuple[ScaleFacts, ...], kind: VolumeKind, fill_value: float) -> MemoryRemote:
    """A remote with one volume at PATH: each chunk written by itself, those that are to be absent left out."""
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    voxels = case_scales[0].voxels
    channels = tuple(Channel(str(i)) for i in range(voxels.shape[0])) if voxels.shape[0] > 1 else ()
    scales = tuple(ScaleSpec(s.bounds, s.voxel_size_nm, s.chunk_shape, Vec3(16, 12, 4)) for s in case_scales)
    volume = remote.create(PATH, VolumeSpec(voxels.dtype, kind, scales, channels, fill_value))
    for index, scale in enumerate(case_scales):
        for cell in grid_cells(scale.bounds, CHUNK, scale.start):
            if not any(box.contains(cell) for box in scale.absent):
                volume.write(cell, scale.cut(cell), scale=index)
    return remote


def case_of(scales: tuple[ScaleFacts, ...], kind: VolumeKind, fill_value: float = 0) -> VolumeCase:
    remote = filled_remote(scales, kind, fill_value)
    return VolumeCase(
        open=lambda options: remote.open(PATH, options),
        open_missing=lambda: remote.open(("group", "nothing"), OpenOptions()),
        scales=scales,
        kind=kind,
        axes="zyx" if scales[0].voxels.shape[0] == 1 else "czyx",
        fill_value=fill_value,
        writable=True,
    )


def two_scales() -> VolumeCase:
    """A segmentation at a negative offset whose second scale is no power of two away; two chunks are absent."""
    fine, coarse = segmentation((1, 11, 17, 29)), segmentation((1, 11, 6, 9), seed=1)
    start = Vec3(-13, 7, 1000)
    absent = Box.at(start + Vec3(8, 6, 4), Vec3(16, 6, 4))
    fine[:, *absent.slices_zyx(start)] = 0
    scales = (
        ScaleFacts(voxels=fine, start=start, voxel_size_nm=VoxelSize(4, 4, 40), chunk_shape=CHUNK, absent=(absent,)),
        ScaleFacts(voxels=coarse, start=Vec3(-4, 2, 1000), voxel_size_nm=VoxelSize(12, 12, 40), chunk_shape=CHUNK),
    )
    return case_of(scales, VolumeKind.SEGMENTATION)


def three_channels() -> VolumeCase:
    voxels = image((3, 7, 13, 10), "<i2")
    start = Vec3(5, -300, 9)
    absent = Box.at(start, CHUNK)
    voxels[:, *absent.slices_zyx(start)] = -7
    facts = ScaleFacts(voxels=voxels, start=start, chunk_shape=CHUNK, absent=(absent,))
    return case_of((facts,), VolumeKind.IMAGE, fill_value=-7)


def floats() -> VolumeCase:
    voxels = image((1, 5, 3, 20), "<f4")
    voxels[0, 1, 2, 3] = np.nan
    return case_of((ScaleFacts(voxels=voxels, start=Vec3(1, 2, 3), chunk_shape=CHUNK),), VolumeKind.UNKNOWN)


@pytest.fixture(params=[two_scales, three_channels, floats], ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> VolumeCase:
    return request.param()


class TestReadingMemory(ReadConformance):
    pass


class TestWritingMemory(WriteConformance):
    pass


class TestReadingAnArray(ReadConformance):
    @pytest.fixture
    def case(self) -> VolumeCase:
        voxels = segmentation((1, 9, 5, 14))
        volume = MemoryVolume.from_array(
            voxels[0],
            voxel_offset=Vec3(10, -20, 30),
            voxel_size_nm=VoxelSize(8, 9, 10.5),
            kind=VolumeKind.SEGMENTATION,
            chunk_shape=CHUNK,
        ).read_only()
        facts = ScaleFacts(voxels=voxels, start=Vec3(10, -20, 30), voxel_size_nm=VoxelSize(8, 9, 10.5))
        return VolumeCase(
            open=lambda options: volume.bound(options.context), scales=(facts,), kind=VolumeKind.SEGMENTATION
        )


def test_a_read_only_volume_has_no_writable():
    assert MemoryVolume.from_array(np.zeros((2, 3, 4), "<u1")).read_only().capability(Writable) is None
