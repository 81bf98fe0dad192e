"""The suite on precomputed volumes of other people's writers."""

from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts

from support.known_volumes import PATH
from support.precomputed_volumes import READ_ONLY, WRITABLE, gzip_by_cloud_volume, raw_pyramid, sharded
from support.references import segmentation
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Writable
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance


@pytest.fixture(scope="module", params=WRITABLE + READ_ONLY, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    root = tmp_path_factory.mktemp("precomputed")
    volume = request.param(root / PATH)
    return volume.case(volume.registry(root, writable=False).open, writable=False)


class TestReadingPrecomputed(ReadConformance):
    pass


class TestWritingPrecomputed(WriteConformance):
    @pytest.fixture(params=WRITABLE, ids=lambda writer: writer.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCase:
        volume = request.param(tmp_path / PATH)
        return volume.case(volume.registry(tmp_path, writable=True).open, writable=True)


@pytest.mark.parametrize("writer", [sharded, gzip_by_cloud_volume], ids=lambda writer: writer.__name__)
def test_shards_and_files_with_a_compression_suffix_take_no_writes(writer, tmp_path):
    opened = writer(tmp_path / PATH).registry(tmp_path, writable=True).open(f"data/{PATH}")
    assert opened.capability(Writable) is None
    assert not any(scale.writable for scale in opened.info.scales)


def test_what_was_written_is_what_tensorstore_reads(tmp_path):
    volume = raw_pyramid(tmp_path / PATH)
    fine = volume.scales[0]
    box = Box.at(fine.start + Vec3(3, 5, 2), Vec3(11, 30, 7))
    voxels = segmentation((1, 7, 30, 11), seed=7)
    volume.registry(tmp_path, writable=True).open(f"data/{PATH}").capability(Writable).write(box, voxels)
    expected = fine.voxels.copy()
    expected[:, *box.slices_zyx(fine.start)] = voxels
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{tmp_path / PATH}/"}}
    np.testing.assert_array_equal(ts.open(spec).result().read().result().transpose(3, 2, 1, 0), expected)
