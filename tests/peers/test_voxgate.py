"""Another voxgate as a remote: its files were written by others, and others read what came through it."""

from importlib.metadata import version

import numpy as np
import pytest
import tensorstore as ts
import zarr

from support.peer_files import precomputed_by_tensorstore
from support.servers import volume_server
from support.zarr_files import ids, multiscale
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ScaleFacts

TENSORSTORE, ZARR = (f"{name} {version(name)}" for name in ("tensorstore", "zarr"))
BOUNDS = Box.at(Vec3(-5, 20, 3), Vec3(19, 14, 11))
SIZE = VoxelSize(4, 5, 40)


@pytest.fixture
def chained(tmp_path):
    """A registry whose remote "far" is a voxgate over files."""
    files = RemoteConfig(uri=tmp_path.as_uri(), writable=True, deletable=True)
    far = Registry.from_config(RemotesConfig(remotes={"data": files}))
    with volume_server(far) as server:
        uri = f"voxgate://{server.address}/data"
        config = RemoteConfig(uri=uri, writable=True, deletable=True)
        yield Registry.from_config(RemotesConfig(remotes={"far": config}))


def test_what_tensorstore_wrote_comes_through(tmp_path, chained, proved):
    fine, coarse = ids((1, 11, 14, 19)), ids((1, 6, 7, 10))[:, :, ::-1]
    scales = [
        ScaleFacts(voxels=fine, start=BOUNDS.start, voxel_size_nm=SIZE, chunk_shape=Vec3(8, 4, 3)),
        ScaleFacts(voxels=coarse, start=Vec3(-3, 10, 1), voxel_size_nm=VoxelSize(8, 10, 80), chunk_shape=Vec3(8, 4, 3)),
    ]
    precomputed_by_tensorstore(tmp_path / "seg", scales, "segmentation", "raw")
    volume = chained.open("far/seg")
    for index, scale in enumerate(scales):
        np.testing.assert_array_equal(volume.read(scale.bounds, scale=index), scale.voxels)
    assert [entry.name for entry in chained.list("far")] == ["far/seg"]
    for feature in ("read", "scales", "list"):
        proved("voxgate", feature, TENSORSTORE, fine.size + coarse.size)


def test_channels_and_times_that_zarr_python_wrote_come_through(tmp_path, chained, proved):
    whole = ids((2, 3, 7, 11, 13))
    multiscale(tmp_path / "movie", [(whole, (1, 1, 40, 5, 4), (0, 0, 120, 100, -20))], "tczyx")
    for time in (0, 1):
        volume = chained.open("far/movie", OpenOptions(time_index=time))
        np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), whole[time])
    for feature in ("read", "channels", "time"):
        proved("voxgate", feature, ZARR, whole.size)


def test_what_was_created_written_and_deleted_through_it_others_see(tmp_path, chained, proved):
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, SIZE),), format="zarr3")
    voxels = ids((1, *BOUNDS.shape.zyx))
    voxels[:, 3:5] = 0
    for name in ("kept", "deleted"):
        writer = chained.create(f"far/{name}", spec).capability(Writable)
        writer.write(BOUNDS, np.full_like(voxels, 7))
        writer.write(BOUNDS, voxels)
    chained.delete("far/deleted")
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "kept", mode="r")["0"][...], voxels[0])
    store = {"driver": "file", "path": f"{tmp_path}/kept/0/"}
    found = ts.open({"driver": "zarr3", "kvstore": store}).result().read().result()
    np.testing.assert_array_equal(found, voxels[0])
    with pytest.raises(FileNotFoundError):
        zarr.open_group(tmp_path / "deleted", mode="r")
    for feature in ("create", "write"):
        proved("voxgate", feature, ZARR, voxels.size)
        proved("voxgate", feature, TENSORSTORE, voxels.size)
    proved("voxgate", "delete", ZARR, 1)
