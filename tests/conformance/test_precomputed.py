"""The suite on precomputed volumes that tensorstore and cloud-volume wrote."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts

from support.peer_files import (
    SHARDING,
    precomputed_by_cloud_volume,
    precomputed_by_tensorstore,
    registry,
)
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind, Writable
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance

CHUNK = Vec3(8, 16, 4)
ABSENT = Box.at(Vec3(-8, 32, 1004), Vec3(8, 16, 4))


START = Vec3(-16, 16, 1000)


def scale_of(voxels: np.ndarray, start: Vec3 = START, factor: int = 1) -> ScaleFacts:
    """Facts of a scale; where it is the finest, one whole chunk is made absent."""
    absent = (ABSENT,) if factor == 1 else ()
    for box in absent:
        voxels[:, *box.slices_zyx(start)] = 0
    size = VoxelSize(4 * factor, 5 * factor, 40)
    return ScaleFacts(voxels=voxels, start=start, voxel_size_nm=size, chunk_shape=CHUNK, absent=absent)


def case_of(root: Path, scales: tuple[ScaleFacts, ...], kind: VolumeKind, *, writable: bool) -> VolumeCase:
    data = registry(root, writable=writable)
    return VolumeCase(
        open=lambda options: data.open("data/group/volume", options),
        open_missing=lambda: data.open("data/group/nothing"),
        scales=scales,
        kind=kind,
        axes="zyx" if scales[0].voxels.shape[0] == 1 else "czyx",
        writable=writable,
    )


def raw_pyramid(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    coarse = scale_of(segmentation((1, 11, 14, 7), seed=2), Vec3(-5, 5, 1000), factor=3)
    scales = (scale_of(segmentation((1, 11, 41, 21))), coarse)
    precomputed_by_tensorstore(root, scales, "segmentation", "raw")
    return scales, VolumeKind.SEGMENTATION


def raw_channels(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(image((3, 9, 38, 19), "<u2")),)
    precomputed_by_tensorstore(root, scales, "image", "raw")
    return scales, VolumeKind.IMAGE


def floats(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(image((1, 9, 38, 19), "<f4")),)
    precomputed_by_tensorstore(root, scales, "image", "raw")
    return scales, VolumeKind.IMAGE


def compressed_segmentation(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    block = {"compressed_segmentation_block_size": [8, 4, 2]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **block)
    return scales, VolumeKind.SEGMENTATION


def compressed_segmentation_of_32_bits(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21), "<u4")),)
    block = {"compressed_segmentation_block_size": [8, 8, 8]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **block)
    return scales, VolumeKind.SEGMENTATION


def png(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(image((1, 9, 38, 19), "<u2")),)
    precomputed_by_tensorstore(root, scales, "image", "png")
    return scales, VolumeKind.IMAGE


def jpeg(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    """A lossy volume: the truth is what tensorstore's own decoder makes of it."""
    written = scale_of(image((1, 9, 38, 19)))
    precomputed_by_tensorstore(root, (written,), "image", "jpeg", jpeg_quality=60)
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{root}/"}}
    decoded = ts.open(spec).result().read().result().transpose(3, 2, 1, 0)
    assert not np.array_equal(decoded, written.voxels)
    return (scale_of(decoded.copy()),), VolumeKind.IMAGE


def sharded(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_tensorstore(root, scales, "segmentation", "raw", sharding=SHARDING)
    return scales, VolumeKind.SEGMENTATION


def sharded_compressed_segmentation(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    options = {"sharding": SHARDING, "compressed_segmentation_block_size": [8, 8, 4]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **options)
    return scales, VolumeKind.SEGMENTATION


def gzip_by_cloud_volume(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "raw", "gzip")
    assert list(root.rglob("*.gz"))
    return scales, VolumeKind.SEGMENTATION


def gzip_channels_by_cloud_volume(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(image((2, 9, 38, 19))),)
    precomputed_by_cloud_volume(root, scales[0], "image", "raw", "gzip")
    assert list(root.rglob("*.gz"))
    return scales, VolumeKind.IMAGE


def gzip_compressed_segmentation_by_cloud_volume(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "compressed_segmentation", "gzip")
    assert list(root.rglob("*.gz"))
    return scales, VolumeKind.SEGMENTATION


def plain_by_cloud_volume(root: Path) -> tuple[tuple[ScaleFacts, ...], VolumeKind]:
    scales = (scale_of(segmentation((1, 11, 41, 21), "<u4")),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "raw", compress=False)
    return scales, VolumeKind.SEGMENTATION


Writer = Callable[[Path], tuple[tuple[ScaleFacts, ...], VolumeKind]]
LOSSLESS: list[Writer] = [raw_pyramid, raw_channels, floats, compressed_segmentation, png, plain_by_cloud_volume]
READ_ONLY: list[Writer] = [
    compressed_segmentation_of_32_bits,
    jpeg,
    sharded,
    sharded_compressed_segmentation,
    gzip_by_cloud_volume,
    gzip_channels_by_cloud_volume,
    gzip_compressed_segmentation_by_cloud_volume,
]


@pytest.fixture(scope="module", params=LOSSLESS + READ_ONLY, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    root = tmp_path_factory.mktemp("precomputed")
    scales, kind = request.param(root / "group" / "volume")
    return case_of(root, scales, kind, writable=False)


class TestReadingPrecomputed(ReadConformance):
    pass


class TestWritingPrecomputed(WriteConformance):
    @pytest.fixture(params=LOSSLESS, ids=lambda writer: writer.__name__)
    def case(self, request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCase:
        scales, kind = request.param(tmp_path / "group" / "volume")
        return case_of(tmp_path, scales, kind, writable=True)


@pytest.mark.parametrize("writer", [sharded, gzip_by_cloud_volume], ids=lambda writer: writer.__name__)
def test_shards_and_files_with_a_compression_suffix_take_no_writes(writer, tmp_path):
    writer(tmp_path / "volume")
    volume = registry(tmp_path, writable=True).open("data/volume")
    assert not any(scale.writable for scale in volume.info.scales)


def test_what_was_written_is_what_tensorstore_reads(tmp_path):
    scales, _ = raw_pyramid(tmp_path / "volume")
    volume = registry(tmp_path, writable=True).open("data/volume")
    box = Box.at(scales[0].start + Vec3(3, 5, 2), Vec3(11, 30, 7))
    voxels = segmentation((1, 7, 30, 11), seed=7)
    volume.capability(Writable).write(box, voxels)
    expected = scales[0].voxels.copy()
    expected[:, *box.slices_zyx(scales[0].start)] = voxels
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{tmp_path}/volume/"}}
    np.testing.assert_array_equal(ts.open(spec).result().read().result().transpose(3, 2, 1, 0), expected)
