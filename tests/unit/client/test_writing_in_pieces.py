"""A number fills a box piece by piece, each of whole granules; what was not written is told."""

import numpy as np
import pytest

from support.array_volume import ALL_POWERS, OFFSET, ArrayVolume, scale_of
from voxgate.client import writing
from voxgate.client.array import VolumeArray
from voxgate.model.errors import MissingCapability, PartialWriteError, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, aligned_outward, covered_once
from voxgate.model.volumes import VolumeKind


class Recorded(ArrayVolume):
    """Takes some writes, then fails."""

    def __init__(self, most=1000):
        scales = [scale_of((9, 10, 30))]
        super().__init__([np.zeros((1, 9, 10, 30), np.uint16)], scales, powers=ALL_POWERS, kind=VolumeKind.IMAGE)
        self.writes = []
        self.most = most

    def write(self, box, voxels, *, scale=0):
        if len(self.writes) == self.most:
            raise StoreUnavailable("the disk went away")
        self.writes.append(box)
        super().write(box, voxels, scale=scale)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(writing.granule_pieces, "__defaults__", (200,))


def test_a_number_is_written_in_pieces_of_whole_granules_each_once():
    volume = Recorded()
    array = VolumeArray(volume)
    array[1:, :, 3:-1] = 7
    expected = np.zeros((9, 10, 30), np.uint16)
    expected[1:, :, 3:-1] = 7
    np.testing.assert_array_equal(volume.arrays[0][0], expected)
    whole = Box.of(x=(OFFSET.x + 3, OFFSET.x + 29), y=(OFFSET.y, OFFSET.y + 10), z=(OFFSET.z + 1, OFFSET.z + 9))
    assert len(volume.writes) > 3
    assert covered_once(whole, volume.writes)
    granules = [aligned_outward(box, Vec3(4, 3, 2), OFFSET) for box in volume.writes]
    assert covered_once(aligned_outward(whole, Vec3(4, 3, 2), OFFSET), granules)


def test_what_was_not_written_of_a_number_is_told():
    volume = Recorded(most=2)
    with pytest.raises(PartialWriteError, match="the disk went away") as partial:
        VolumeArray(volume)[...] = 7
    written = sum(box.voxel_count for box in volume.writes)
    assert int((volume.arrays[0] == 7).sum()) == written
    assert partial.value.failures
    assert all(reason == "the disk went away" for _, reason in partial.value.failures)


def test_a_first_failure_is_itself():
    with pytest.raises(StoreUnavailable):
        VolumeArray(Recorded(most=0))[...] = 7


def test_an_array_over_a_plain_volume_cannot_be_deleted():
    with pytest.raises(MissingCapability):
        VolumeArray(Recorded()).delete()
