"""Precomputed volumes that tensorstore and cloud-volume write."""

from pathlib import Path

import numpy as np
import tensorstore as ts

from support.known_volumes import KnownVolume, Writer
from support.peer_files import SHARDING, precomputed_by_cloud_volume, precomputed_by_tensorstore
from support.references import image, segmentation
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.testing import ScaleFacts

CHUNK = Vec3(8, 16, 4)
START = Vec3(-16, 16, 1000)
ABSENT = Box.at(Vec3(-8, 32, 1004), Vec3(8, 16, 4))


def scale_of(voxels: np.ndarray, start: Vec3 = START, factor: int = 1) -> ScaleFacts:
    """Facts of a scale; where it is the finest, one whole chunk is made absent."""
    absent = (ABSENT,) if factor == 1 else ()
    for box in absent:
        voxels[:, *box.slices_zyx(start)] = 0
    size = VoxelSize(4 * factor, 5 * factor, 40)
    return ScaleFacts(voxels=voxels, start=start, voxel_size_nm=size, chunk_shape=CHUNK, absent=absent)


def made(kind: VolumeKind, *scales: ScaleFacts) -> KnownVolume:
    return KnownVolume(scales, kind, "zyx" if scales[0].voxels.shape[0] == 1 else "czyx")


def raw_pyramid(root: Path) -> KnownVolume:
    coarse = scale_of(segmentation((1, 11, 14, 7), seed=2), Vec3(-5, 5, 1000), factor=3)
    scales = (scale_of(segmentation((1, 11, 41, 21))), coarse)
    precomputed_by_tensorstore(root, scales, "segmentation", "raw")
    return made(VolumeKind.SEGMENTATION, *scales)


def raw_channels(root: Path) -> KnownVolume:
    scales = (scale_of(image((3, 9, 38, 19), "<u2")),)
    precomputed_by_tensorstore(root, scales, "image", "raw")
    return made(VolumeKind.IMAGE, *scales)


def floats(root: Path) -> KnownVolume:
    scales = (scale_of(image((1, 9, 38, 19), "<f4")),)
    precomputed_by_tensorstore(root, scales, "image", "raw")
    return made(VolumeKind.IMAGE, *scales)


def compressed_segmentation(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    block = {"compressed_segmentation_block_size": [8, 4, 2]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **block)
    return made(VolumeKind.SEGMENTATION, *scales)


def compressed_segmentation_of_32_bits(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21), "<u4")),)
    block = {"compressed_segmentation_block_size": [8, 8, 8]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **block)
    return made(VolumeKind.SEGMENTATION, *scales)


def png(root: Path) -> KnownVolume:
    scales = (scale_of(image((1, 9, 38, 19), "<u2")),)
    precomputed_by_tensorstore(root, scales, "image", "png")
    return made(VolumeKind.IMAGE, *scales)


def jpeg(root: Path) -> KnownVolume:
    """A lossy volume: the truth is what tensorstore's own decoder makes of it."""
    written = scale_of(image((1, 9, 38, 19)))
    precomputed_by_tensorstore(root, (written,), "image", "jpeg", jpeg_quality=60)
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{root}/"}}
    decoded = ts.open(spec).result().read().result().transpose(3, 2, 1, 0)
    assert not np.array_equal(decoded, written.voxels)
    return made(VolumeKind.IMAGE, scale_of(decoded.copy()))


def sharded(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_tensorstore(root, scales, "segmentation", "raw", sharding=SHARDING)
    return made(VolumeKind.SEGMENTATION, *scales)


def sharded_compressed_segmentation(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    options = {"sharding": SHARDING, "compressed_segmentation_block_size": [8, 8, 4]}
    precomputed_by_tensorstore(root, scales, "segmentation", "compressed_segmentation", **options)
    return made(VolumeKind.SEGMENTATION, *scales)


def gzip_by_cloud_volume(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "raw", "gzip")
    assert list(root.rglob("*.gz"))
    return made(VolumeKind.SEGMENTATION, *scales)


def gzip_channels_by_cloud_volume(root: Path) -> KnownVolume:
    scales = (scale_of(image((2, 9, 38, 19))),)
    precomputed_by_cloud_volume(root, scales[0], "image", "raw", "gzip")
    assert list(root.rglob("*.gz"))
    return made(VolumeKind.IMAGE, *scales)


def gzip_compressed_segmentation_by_cloud_volume(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21))),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "compressed_segmentation", "gzip")
    assert list(root.rglob("*.gz"))
    return made(VolumeKind.SEGMENTATION, *scales)


def plain_by_cloud_volume(root: Path) -> KnownVolume:
    scales = (scale_of(segmentation((1, 11, 41, 21), "<u4")),)
    precomputed_by_cloud_volume(root, scales[0], "segmentation", "raw", compress=False)
    return made(VolumeKind.SEGMENTATION, *scales)


WRITABLE: list[Writer] = [raw_pyramid, raw_channels, floats, compressed_segmentation, png, plain_by_cloud_volume]
READ_ONLY: list[Writer] = [
    compressed_segmentation_of_32_bits,
    jpeg,
    sharded,
    sharded_compressed_segmentation,
    gzip_by_cloud_volume,
    gzip_channels_by_cloud_volume,
    gzip_compressed_segmentation_by_cloud_volume,
]
