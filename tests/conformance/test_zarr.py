"""The suite on Zarr volumes of other people's writers."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from support.known_volumes import PATH, TIME
from support.references import segmentation
from support.zarr_volumes import WRITERS, ome_v05_with_channels_and_time, v2_blosc, v2_xyz_order, v3_gzip, v3_sharded
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions, Writable
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance


@pytest.fixture(scope="module", params=WRITERS, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    root = tmp_path_factory.mktemp("zarr")
    volume = request.param(root / PATH)
    return volume.case(volume.registry(root, writable=False).open, writable=False)


class TestReadingZarr(ReadConformance):
    pass


class TestWritingZarr(WriteConformance):
    @pytest.fixture(params=WRITERS, ids=lambda writer: writer.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCase:
        volume = request.param(tmp_path / PATH)
        return volume.case(volume.registry(tmp_path, writable=True).open, writable=True)


@pytest.mark.parametrize("writer", [v2_blosc, v2_xyz_order, v3_gzip, v3_sharded], ids=lambda writer: writer.__name__)
def test_what_was_written_is_what_zarr_python_reads(writer, tmp_path):
    volume = writer(tmp_path / PATH)
    fine = volume.scales[0]
    box = Box.at(fine.start + Vec3(3, 5, 2), Vec3(21, 10, 7))
    voxels = segmentation((1, 7, 10, 21), seed=7)
    volume.registry(tmp_path, writable=True).open(f"data/{PATH}").capability(Writable).write(box, voxels)
    expected = fine.voxels[0].copy()
    expected[box.slices_zyx(fine.start)] = voxels[0]
    found = np.asarray(zarr.open_array(str(tmp_path / PATH), mode="r")[...])
    np.testing.assert_array_equal(found.T if writer is v2_xyz_order else found, expected)


def test_writing_one_time_point_leaves_the_others(tmp_path):
    volume = ome_v05_with_channels_and_time(tmp_path / PATH)
    fine = volume.scales[0]
    box = Box.at(fine.start + Vec3(1, 2, 3), Vec3(9, 8, 5))
    expected = np.asarray(zarr.open_group(str(tmp_path / PATH), mode="r")["s0"][...])
    expected[TIME][:, *box.slices_zyx(fine.start)] = 0
    opened = volume.registry(tmp_path, writable=True).open(f"data/{PATH}", OpenOptions(time_index=TIME))
    opened.capability(Writable).write(box, np.zeros((2, 5, 8, 9), "<u2"))
    np.testing.assert_array_equal(np.asarray(zarr.open_group(str(tmp_path / PATH), mode="r")["s0"][...]), expected)
