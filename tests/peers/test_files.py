"""Files: what other people's programs wrote, ours reads; what ours wrote, other people's programs read."""

from importlib.metadata import version

import numpy as np
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume

from support.peer_files import precomputed_by_cloud_volume, precomputed_by_tensorstore
from support.zarr_files import ids, multiscale
from voxgate.model.errors import UnknownVolume
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ScaleFacts

CLOUD_VOLUME, TENSORSTORE, ZARR = (f"{name} {version(name)}" for name in ("cloud-volume", "tensorstore", "zarr"))
START = Vec3(-5, 20, 3)
SIZE = VoxelSize(4, 5, 40)
BOX = Box.at(START + Vec3(1, 2, 1), Vec3(13, 9, 7))
FORMATS = {"precomputed": "precomputed", "zarr2": "Zarr v2", "zarr3": "Zarr v3"}


@pytest.fixture
def registry(tmp_path):
    config = RemoteConfig(uri=tmp_path.as_uri(), writable=True, deletable=True)
    return Registry.from_config(RemotesConfig(remotes={"data": config}))


def pyramid(channels=1):
    fine, coarse = ids((channels, 11, 14, 19)), ids((channels, 6, 7, 10))[:, :, ::-1]
    return [
        ScaleFacts(voxels=fine, start=START, voxel_size_nm=SIZE, chunk_shape=Vec3(8, 4, 3)),
        ScaleFacts(voxels=coarse, start=Vec3(-3, 10, 1), voxel_size_nm=VoxelSize(8, 10, 80), chunk_shape=Vec3(8, 4, 3)),
    ]


def equal_at_every_scale(volume, scales):
    for index, scale in enumerate(scales):
        np.testing.assert_array_equal(volume.read(scale.bounds, scale=index), scale.voxels)
    return sum(scale.voxels.size for scale in scales)


def test_precomputed_scales_by_tensorstore_are_read(tmp_path, registry, proved):
    scales = pyramid()
    precomputed_by_tensorstore(tmp_path / "seg", scales, "segmentation", "compressed_segmentation",
                               compressed_segmentation_block_size=[8, 8, 8])  # fmt: skip
    count = equal_at_every_scale(registry.open("data/seg"), scales)
    for feature in ("read", "scales"):
        proved("precomputed", feature, TENSORSTORE, count)
    assert [name for name, *_ in map(_entry, registry.list("data"))] == ["data/seg"]
    proved("precomputed", "list", TENSORSTORE, 1)


def test_precomputed_by_cloud_volume_is_read(tmp_path, registry, proved):
    (scale, _) = pyramid(channels=3)
    precomputed_by_cloud_volume(tmp_path / "em", scale, "image", "raw", "gzip")
    count = equal_at_every_scale(registry.open("data/em"), [scale])
    for feature in ("read", "channels"):
        proved("precomputed", feature, CLOUD_VOLUME, count)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_zarr_by_zarr_python_is_read(tmp_path, registry, proved, zarr_format):
    fine, coarse = ids((2, 3, 7, 11, 13)), ids((2, 3, 7, 6, 7))[..., ::-1]
    levels = [(fine, (1, 1, 40, 5, 4), (0, 0, 120, 100, -20)), (coarse, (1, 1, 40, 10, 8), (0, 0, 120, 100, -24))]
    multiscale(tmp_path / "movie", levels, "tczyx", version="0.5" if zarr_format == 3 else "0.4")
    count = 0
    for time in (0, 1):
        volume = registry.open("data/movie", OpenOptions(time_index=time))
        assert volume.info.axes == "tczyx"
        for index, (array, *_) in enumerate(levels):
            np.testing.assert_array_equal(volume.read(volume.info.scales[index].bounds, scale=index), array[time])
            count += array[time].size
    assert [name for name, *_ in map(_entry, registry.list("data"))] == ["data/movie"]
    for feature in ("read", "scales", "channels", "time", "list"):
        proved(f"Zarr v{zarr_format}", feature, ZARR, count)


def _entry(entry):
    return (entry.name,) if hasattr(entry, "name") else entry


def read_by_tensorstore(folder, format_name):
    driver = {"precomputed": "neuroglancer_precomputed", "zarr2": "zarr", "zarr3": "zarr3"}[format_name]
    path = f"{folder}/" if format_name == "precomputed" else f"{folder}/0/"
    store = ts.open({"driver": driver, "kvstore": {"driver": "file", "path": path}}).result()
    whole = store.read().result()
    return whole.transpose(3, 2, 1, 0)[0] if format_name == "precomputed" else whole


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_ours_created_and_wrote_is_read_by_others(tmp_path, registry, proved, format_name):
    bounds = Box.at(START, Vec3(19, 14, 11))
    level = ScaleSpec(bounds, SIZE, Vec3(8, 4, 3))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,), format=format_name)
    writable = registry.create("data/out", spec).capability(Writable)
    voxels = ids((1, *BOX.shape.zyx))
    writable.write(bounds, np.full((1, *bounds.shape.zyx), 2**63 + 5, np.uint64))
    writable.write(BOX, voxels)
    zeros = Box.at(BOX.start, Vec3(2, 3, 1))
    writable.write(zeros, np.zeros((1, *zeros.shape.zyx), np.uint64))
    expected = np.full(bounds.shape.zyx, 2**63 + 5, np.uint64)
    expected[BOX.slices_zyx(START)] = voxels[0]
    expected[zeros.slices_zyx(START)] = 0
    np.testing.assert_array_equal(read_by_tensorstore(tmp_path / "out", format_name), expected)
    peers = [TENSORSTORE]
    if format_name == "precomputed":
        theirs = np.asarray(CloudVolume((tmp_path / "out").as_uri(), progress=False, fill_missing=True)[:, :, :])
        np.testing.assert_array_equal(theirs.transpose(3, 2, 1, 0)[0], expected)
        peers.append(CLOUD_VOLUME)
    else:
        np.testing.assert_array_equal(zarr.open_group(tmp_path / "out", mode="r")["0"][...], expected)
        peers.append(ZARR)
    for peer in peers:
        proved(FORMATS[format_name], "create", peer, expected.size)
        proved(FORMATS[format_name], "write", peer, expected.size)


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_ours_deleted_is_gone_for_others(tmp_path, registry, proved, format_name):
    bounds = Box.at(START, Vec3(19, 14, 11))
    level = ScaleSpec(bounds, SIZE, Vec3(8, 4, 3))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,), format=format_name)
    registry.create("data/out", spec).capability(Writable).write(bounds, ids((1, *bounds.shape.zyx)))
    read_by_tensorstore(tmp_path / "out", format_name)
    registry.delete("data/out")
    with pytest.raises(ValueError, match=r"NOT_FOUND|not found|does not exist"):
        read_by_tensorstore(tmp_path / "out", format_name)
    with pytest.raises(UnknownVolume):
        registry.open("data/out")
    proved(FORMATS[format_name], "delete", TENSORSTORE, 1)
