"""The suite on volumes in memory."""

import numpy as np
import pytest

from support.known_volumes import opener
from support.memory_volumes import CHUNK, IN_MEMORY
from support.references import segmentation
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind, Writable
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance


@pytest.fixture(params=IN_MEMORY, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> VolumeCase:
    remote, volume = request.param()
    return volume.case(opener(remote), writable=True)


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
