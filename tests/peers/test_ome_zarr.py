"""OME-Zarr: what ome-zarr wrote, ours reads, with times, channels, windows and labels; what ours created, it reads."""

import numpy as np
import pytest

from support.peers import run_peer
from support.zarr_files import ids
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Channel, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

OME_ZARR = "ome-zarr 0.18.0"
VERSIONS = {"0.4": ("Zarr v2", "zarr2"), "0.5": ("Zarr v3", "zarr3")}
CHANNELS = (Channel("DAPI", (3, 1200), (0, 65535), "0000FF"), Channel("GFP"), Channel(window=(0.5, 7)))


def registry(folder, *, writable=False):
    return Registry.from_config(RemotesConfig(remotes={"data": RemoteConfig(uri=folder.as_uri(), writable=writable)}))


@pytest.fixture(scope="module", params=VERSIONS)
def written(request, tmp_path_factory):
    """A folder that ome-zarr wrote into, and the name of the format in the table of stores."""
    folder = tmp_path_factory.mktemp("ome")
    run_peer("ome-zarr", "ome_zarr_writes.py", folder, request.param)
    return folder, VERSIONS[request.param][0]


def equal_at_every_time_and_scale(folder, name, arrays):
    """How many voxels of a volume equal the numpy files that ome-zarr's own reader left."""
    count = 0
    for time in (0, 1):
        volume = registry(folder).open(name, OpenOptions(time_index=time))
        for index, scale in enumerate(volume.info.scales):
            expected = np.load(folder / f"{arrays}-{index}.npy")[time]
            np.testing.assert_array_equal(volume.read(scale.bounds, scale=index), expected)
            count += expected.size
    return count


def test_an_image_of_times_channels_and_windows_is_read(written, proved):
    folder, store = written
    info = registry(folder).open("data/movie.zarr", OpenOptions(time_index=1)).info
    assert (info.axes, info.time_count, info.channel_count, info.dtype) == ("tczyx", 2, 3, np.dtype("<u2"))
    assert info.format == store.lower()
    assert info.channels == (
        Channel("DAPI", (3, 1200), (0, 65535), "0000FF"),
        Channel("GFP", (0, 777.5), (0, 4095), "00FF00"),
        Channel("", (1, 2), (-5, 9), "FF0000"),
    )
    assert [scale.voxel_size_nm for scale in info.scales] == [VoxelSize(4, 5, 40), VoxelSize(8, 10, 40)]
    assert [scale.bounds.start for scale in info.scales] == [Vec3(0, 0, 0)] * 2
    count = equal_at_every_time_and_scale(folder, "data/movie.zarr", "image")
    for feature in ("read", "scales", "channels", "time"):
        proved(store, feature, OME_ZARR, count)


def test_its_labels_are_read_by_their_name(written, proved):
    folder, store = written
    info = registry(folder).open("data/movie.zarr/labels/cells", OpenOptions(time_index=0)).info
    assert (info.kind, info.dtype, info.time_count) == (VolumeKind.SEGMENTATION, np.dtype("<u8"), 2)
    proved(store, "read", OME_ZARR, equal_at_every_time_and_scale(folder, "data/movie.zarr/labels/cells", "labels"))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_ours_created_is_valid_to_ome_zarr_and_has_the_same_voxels(tmp_path, proved, version):
    store, form = VERSIONS[version]
    start, size = Vec3(-4, 20, 6), VoxelSize(4, 5, 40)
    fine = Box.at(start, Vec3(19, 14, 11))
    coarse = Box.at(Vec3(-2, 10, 6), Vec3(10, 7, 11))
    levels = (ScaleSpec(fine, size, Vec3(8, 4, 3)), ScaleSpec(coarse, VoxelSize(8, 10, 40), Vec3(8, 4, 3)))
    spec = VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, levels, CHANNELS, format=form)
    plain = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, levels[:1], format=form)
    ours = registry(tmp_path, writable=True)
    expected = {}
    for name, each in (("image", spec), ("labels", plain)):
        writable = ours.create(f"data/{name}", each).capability(Writable)
        for index, level in enumerate(each.scales):
            expected[name, index] = ids((len(each.channels) or 1, *level.bounds.shape.zyx), each.dtype)
            writable.write(level.bounds, expected[name, index], scale=index)
    told = run_peer("ome-zarr", "ome_zarr_reads.py", tmp_path, "image", "labels")
    assert told["image"]["valid"] == told["labels"]["valid"] == "Image"
    assert told["image"]["axes"] == ["c", "z", "y", "x"]
    assert told["image"]["units"] == [None, *["nanometer"] * 3]
    assert told["image"]["transformations"][1] == [
        {"type": "scale", "scale": [1, 40, 10, 8]},
        {"type": "translation", "translation": [0, 240, 100, -16]},
    ]
    assert told["image"]["channels"] == ["DAPI", "GFP", ""]
    assert told["image"]["windows"] == [[3, 1200], [0, 65535], [0.5, 7]]
    assert told["image"]["colors"][0] == [[0, 0, 0], [0, 0, 1]]
    count = 0
    for (name, index), voxels in expected.items():
        theirs = np.load(tmp_path / f"{name}-{index}.npy")
        np.testing.assert_array_equal(theirs if theirs.ndim == 4 else theirs[np.newaxis], voxels)
        count += voxels.size
    for feature in ("create", "write", "scales", "channels"):
        proved(store, feature, OME_ZARR, count)
    assert registry(tmp_path).open("data/image").info.channels == CHANNELS
