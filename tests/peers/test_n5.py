"""N5: what z5py and tensorstore wrote, ours reads; what ours wrote into their files, they read."""

from importlib.metadata import version

import numpy as np
import pytest
import tensorstore as ts

from support.n5_volumes import ABSENT, FACTORS, START, add_attributes, by_tensorstore, by_z5py, cosem, create, sparse
from support.references import image, segmentation
from voxgate.model.errors import UnknownVolume
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import ChunkPresence, OpenOptions, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

TENSORSTORE = f"tensorstore {version('tensorstore')}"
BOX = Box.of(x=(5, 29), y=(3, 16), z=(2, 10))
"""Cuts blocks on every side, and reaches the truncated ones at the end of x."""


@pytest.fixture
def registry(tmp_path):
    config = RemoteConfig(uri=tmp_path.as_uri(), writable=True, deletable=True)
    return Registry.from_config(RemotesConfig(remotes={"data": config}))


def read_by_tensorstore(folder):
    kvstore = {"driver": "file", "path": f"{folder}/"}
    return ts.open({"driver": "n5", "kvstore": kvstore}).result().read().result().transpose()


def test_z5py_datasets_are_read_and_listed(tmp_path, registry, proved):
    codecs = {"raw": "<u8", "gzip": "<i2", "bzip2": "<f8", "xz": "<u4", "blosc": "<i8"}
    known = {c: segmentation((1, 11, 17, 29)) if d == "<u8" else image((1, 11, 17, 29), d) for c, d in codecs.items()}
    peer = by_z5py(tmp_path, [create(tmp_path / "lab.n5", f"em/{c}", voxels, c) for c, voxels in known.items()])
    assert [(entry.name, entry.is_volume) for entry in registry.list("data")] == [("data/lab.n5", False)]
    found = registry.list("data/lab.n5/em")
    assert [(entry.name, entry.is_volume) for entry in found] == [(f"data/lab.n5/em/{c}", True) for c in sorted(codecs)]
    for codec, voxels in known.items():
        volume = registry.open(f"data/lab.n5/em/{codec}")
        np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), voxels)
        proved("N5", "read", f"z5py {peer['version']}", voxels.size)
    proved("N5", "list", f"z5py {peer['version']}", len(found))


def test_blocks_that_z5py_stores_truncated_are_merged_and_z5py_reads_them(tmp_path, registry, proved):
    voxels = sparse(segmentation((1, 11, 17, 29)))
    by_z5py(tmp_path, [create(tmp_path / "lab.n5", "seg", voxels, "raw", absent=[1, 1, 1])])
    truncated = tmp_path / "lab.n5/seg/3/2/2"
    assert truncated.stat().st_size == 16 + 8 * (5 * 5 * 3)  # header, and what of the cell is inside
    volume = registry.open("data/lab.n5/seg")
    absent = ABSENT.shifted(Vec3(0, 0, 0) - START)
    assert volume.capability(ChunkPresence).is_absent(absent)
    expected, inside = voxels[0].copy(), Box.of(x=(26, 29), y=(13, 17), z=(9, 11))
    writable = volume.capability(Writable)
    for box, value in ((BOX, 2**63 + 5), (inside, 2**64 - 1), (Box.of(x=(7, 9), y=(4, 7), z=(3, 5)), 0)):
        writable.write(box, np.full((1, *box.shape.zyx), value, np.uint64))
        expected[box.slices_zyx(Vec3(0, 0, 0))] = value
    (tmp_path / "out").mkdir()
    read = {"do": "read", "container": str(tmp_path / "lab.n5"), "dataset": "seg", "array": str(tmp_path / "out/a.npy")}
    peer = by_z5py(tmp_path, [read])
    np.testing.assert_array_equal(np.load(tmp_path / "out/a.npy"), expected)
    np.testing.assert_array_equal(read_by_tensorstore(tmp_path / "lab.n5/seg"), expected)
    for name in (f"z5py {peer['version']}", TENSORSTORE):
        proved("N5", "write", name, expected.size)


def test_what_z5py_writes_while_a_volume_is_open_is_read(tmp_path, registry, proved):
    voxels = segmentation((1, 11, 17, 29))
    by_z5py(tmp_path, [create(tmp_path / "lab.n5", "seg", voxels, "gzip")])
    volume = registry.open("data/lab.n5/seg")
    np.testing.assert_array_equal(volume.read(BOX), voxels[:, *BOX.slices_zyx(Vec3(0, 0, 0))])
    new = segmentation((1, *BOX.shape.zyx), seed=9)
    write = {"do": "write", "container": str(tmp_path / "lab.n5"), "dataset": "seg", "start": list(BOX.start.zyx)}
    peer = by_z5py(tmp_path, [write | {"array": new[0]}])
    np.testing.assert_array_equal(volume.read(BOX), new)
    proved("N5", "read", f"z5py {peer['version']}", new.size)


def test_a_pyramid_of_tensorstore_is_read_at_every_level(tmp_path, registry, proved):
    known = cosem(tmp_path / "em")
    volume = registry.open("data/em")
    for index, scale in enumerate(known.scales):
        assert volume.info.scales[index].bounds == scale.bounds
        np.testing.assert_array_equal(volume.read(scale.bounds, scale=index), scale.voxels)
        for feature in ("read", "scales"):
            proved("N5", feature, TENSORSTORE, scale.voxels.size)
    assert [entry.name for entry in registry.list("data")] == ["data/em"]
    proved("N5", "list", TENSORSTORE, 1)


def test_a_pyramid_of_z5py_is_read_at_every_level(tmp_path, registry, proved):
    levels = [segmentation((1, 11, 17, 29)), segmentation((1, 11, 9, 10), seed=1)]
    jobs = [create(tmp_path / "lab.n5", f"seg/s{k}", voxels, "gzip") for k, voxels in enumerate(levels)]
    group = {"downsamplingFactors": FACTORS, "pixelResolution": {"unit": "nm", "dimensions": [4, 5, 40]}}
    jobs.append({"do": "group", "container": str(tmp_path / "lab.n5"), "name": "seg", "attributes": group})
    peer = by_z5py(tmp_path, jobs)
    volume = registry.open("data/lab.n5/seg")
    assert [tuple(scale.voxel_size_nm) for scale in volume.info.scales] == [(4, 5, 40), (12, 10, 40)]
    for index, voxels in enumerate(levels):
        np.testing.assert_array_equal(volume.read(volume.info.scales[index].bounds, scale=index), voxels)
        proved("N5", "scales", f"z5py {peer['version']}", voxels.size)


def test_channels_and_times_by_tensorstore_are_read_and_written(tmp_path, registry, proved):
    voxels = image((4, 2, 11, 17, 29), "<u2")
    by_tensorstore(tmp_path / "movie", voxels)
    add_attributes(tmp_path / "movie", axes=list("xyzct"))
    for time in range(4):
        volume = registry.open("data/movie", OpenOptions(time_index=time))
        np.testing.assert_array_equal(volume.read(BOX), voxels[time, :, *BOX.slices_zyx(Vec3(0, 0, 0))])
        for feature in ("read", "channels", "time"):
            proved("N5", feature, TENSORSTORE, 2 * BOX.voxel_count)
    new = image((2, *BOX.shape.zyx), "<u2", seed=3)
    registry.open("data/movie", OpenOptions(time_index=2)).capability(Writable).write(BOX, new)
    voxels[2, :, *BOX.slices_zyx(Vec3(0, 0, 0))] = new
    np.testing.assert_array_equal(read_by_tensorstore(tmp_path / "movie"), voxels)
    proved("N5", "write", TENSORSTORE, voxels.size)


def test_what_ours_deleted_is_gone_for_tensorstore(tmp_path, registry, proved):
    by_tensorstore(tmp_path / "seg", segmentation((1, 11, 17, 29))[0])
    read_by_tensorstore(tmp_path / "seg")
    registry.delete("data/seg")
    with pytest.raises(ValueError, match=r"NOT_FOUND|not found|does not exist"):
        read_by_tensorstore(tmp_path / "seg")
    with pytest.raises(UnknownVolume):
        registry.open("data/seg")
    proved("N5", "delete", TENSORSTORE, 1)
