"""N5: what is refused, what is guessed and said so, and what bad files do."""

import gzip
import json
import struct

import numpy as np
import pytest
import tensorstore as ts

from support.n5_volumes import add_attributes, by_tensorstore
from support.references import segmentation
from voxgate.model.errors import (
    ChunkCorrupt,
    ConfigContradictsStore,
    MetadataInvalid,
    PathRefused,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import OpenOptions, VolumeKind
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides
from voxgate_remotes.folders import LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.n5 import N5Format
from voxgate_remotes.registry import Registry
from voxgate_remotes.tensorstores import Tuning

DATASET = {"dimensions": [29, 17, 11], "blockSize": [8, 6, 4], "dataType": "uint64", "compression": {"type": "raw"}}
BOX = Box.of(x=(9, 15), y=(7, 11), z=(5, 7))
"""Inside of the block 1/1/1."""


@pytest.fixture
def folder(tmp_path):
    by_tensorstore(tmp_path / "em", segmentation((1, 11, 17, 29))[0], compression={"type": "raw"})
    return tmp_path / "em"


def opened(folder, **stated):
    return N5Format().open(LocalFolder(folder, PathGuard(folder.parent)), Tuning(), VolumeOverrides(**stated))


def claimed(folder):
    return N5Format().claims(LocalFolder(folder, PathGuard(folder.parent)))


def volume_of(folder, **stated):
    found = opened(folder, **stated)
    return found.bind(found.info, OpenOptions())


def stored(folder, attributes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "attributes.json").write_text(json.dumps(attributes))
    return folder


BAD = {
    "no dimensions": ({"dimensions": None}, MetadataInvalid, "dimensions"),
    "negative": ({"dimensions": [29, -17, 11]}, MetadataInvalid, "dimensions"),
    "fractions": ({"dimensions": [29.5, 17, 11]}, MetadataInvalid, "dimensions"),
    "zero block": ({"blockSize": [8, 0, 4]}, MetadataInvalid, "blockSize"),
    "rank": ({"blockSize": [8, 6]}, MetadataInvalid, "number of axes"),
    "a block of a terabyte": ({"blockSize": [8192, 8192, 2048]}, UnsupportedFormat, "2 GiB"),
    "no number of a computer": ({"dimensions": [2**70, 17, 11]}, MetadataInvalid, "dimensions"),
    "float16": ({"dataType": "float16"}, UnsupportedFormat, "float16"),
    "object": ({"dataType": "object"}, UnsupportedFormat, "object"),
    "no type": ({"dataType": None}, MetadataInvalid, "dataType"),
    "lz4": ({"compression": {"type": "lz4", "blockSize": 65536}}, UnsupportedFormat, "lz4"),
    "unknown": ({"compression": {"type": "neural"}}, UnsupportedFormat, "neural"),
    "no compression": ({"compression": None}, MetadataInvalid, "compression"),
    "a parameter": ({"compression": {"type": "blosc", "cname": "rot13"}}, MetadataInvalid, "attributes.json"),
    "N5 1": ({"compression": None, "compressionType": "gzip"}, UnsupportedFormat, "before 2.0"),
    "multisets": ({"isLabelMultiset": True, "dataType": "uint8"}, UnsupportedFormat, "multisets"),
    "axis": ({"axes": ["x", "y", "q"]}, UnsupportedFormat, "axes"),
    "axis twice": ({"axes": ["x", "y", "y"]}, UnsupportedFormat, "axes"),
    "two axes named": ({"axes": ["x", "y"]}, UnsupportedFormat, "3 axes, 2 are named"),
    "resolution": ({"resolution": [4, 5]}, MetadataInvalid, "resolution"),
    "resolution 0": ({"resolution": [4, 5, 0]}, MetadataInvalid, "resolution"),
    "unit": ({"resolution": [4, 5, 40], "units": ["nm", "nm", "parsec"]}, UnsupportedFormat, "parsec"),
    "half a voxel": ({"resolution": [4, 5, 40], "offset": [0, 2.5, 0]}, UnsupportedFormat, "whole number"),
    "transform": ({"transform": {"axes": ["z", "y", "x"], "scale": [40, 5]}}, MetadataInvalid, "transform"),
    "order": ({"transform": {"axes": ["z", "y", "x"], "order": "G"}}, MetadataInvalid, "order"),
}


@pytest.mark.parametrize(("changes", "error", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_refused_at_open_and_named(tmp_path, changes, error, says):
    attributes = {key: value for key, value in (DATASET | changes).items() if value is not None}
    folder = stored(tmp_path / "em", attributes)
    assert claimed(folder)
    with pytest.raises(error, match=says) as raised:
        opened(folder)
    assert str(tmp_path) not in str(raised.value)
    assert raised.value.remedy


def test_truncated_attributes_are_an_invalid_volume_and_not_a_group(folder):
    path = folder / "attributes.json"
    path.write_bytes(path.read_bytes()[:-9])
    assert claimed(folder)
    with pytest.raises(MetadataInvalid, match=r"attributes\.json"):
        opened(folder)


HEADER = struct.pack(">HHIII", 0, 3, 8, 6, 4)
VOXELS = np.arange(192, dtype=">u8").tobytes()
BAD_BLOCKS = {
    "empty": b"",
    "half a header": HEADER[:9],
    "short": HEADER + VOXELS[:-1],
    "long": HEADER + VOXELS + b"\0",
    "larger than the blocks are": struct.pack(">HHIII", 0, 3, 9, 6, 4) + bytes(9 * 6 * 4 * 8),
    "of another rank": struct.pack(">HHII", 0, 2, 8, 24) + VOXELS,
    "of variable length": struct.pack(">HHIIII", 1, 3, 8, 6, 4, 192) + VOXELS,
}


@pytest.mark.parametrize("block", BAD_BLOCKS.values(), ids=BAD_BLOCKS)
def test_a_bad_block_fails_its_reads_and_no_others(folder, block):
    (folder / "1/1/1").write_bytes(block)
    volume = volume_of(folder)
    with pytest.raises(ChunkCorrupt) as raised:
        volume.read(BOX)
    assert str(folder) not in str(raised.value)
    elsewhere = Box.of(x=(16, 29), y=(0, 17), z=(0, 11))
    truth = segmentation((1, 11, 17, 29))[:, *elsewhere.slices_zyx(Vec3(0, 0, 0))]
    np.testing.assert_array_equal(volume.read(elsewhere), truth)


def test_a_block_that_grows_beyond_what_is_declared_is_corrupt(tmp_path):
    folder = stored(tmp_path / "em", DATASET | {"compression": {"type": "gzip"}})
    (folder / "1/1").mkdir(parents=True)
    (folder / "1/1/1").write_bytes(HEADER + gzip.compress(bytes(2**24)))
    with pytest.raises(ChunkCorrupt):
        volume_of(folder).read(BOX)


def test_parameters_of_the_writer_alone_do_not_matter(tmp_path):
    """Java's N5 and z5py state the threads that blosc had; tensorstore by itself refuses that."""
    voxels = segmentation((1, 11, 17, 29))
    blosc = {"type": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1, "blocksize": 0}
    by_tensorstore(tmp_path / "em", voxels[0], compression=blosc)
    add_attributes(tmp_path / "em", compression=blosc | {"nthreads": 4}, units="nm", resolution=[4, 5, 40])
    with pytest.raises(ValueError, match="nthreads"):
        ts.open({"driver": "n5", "kvstore": {"driver": "file", "path": f"{tmp_path}/em/"}}).result()
    volume = volume_of(tmp_path / "em")
    np.testing.assert_array_equal(volume.read(BOX), voxels[:, *BOX.slices_zyx(Vec3(0, 0, 0))])
    assert tuple(volume.info.scales[0].voxel_size_nm) == (4, 5, 40)


def test_three_unnamed_axes_are_taken_for_x_y_z_and_said_to_be(folder):
    assert opened(folder).info.inferred == ("axes", "voxel_offset")
    assert opened(folder).info.axes == "zyx"
    assert opened(folder, axes="xyz", voxel_offset=(1, 2, 3)).info.inferred == ()
    add_attributes(folder, axes=["x", "y", "z"])
    assert opened(folder).info.inferred == ("voxel_offset",)
    with pytest.raises(ConfigContradictsStore, match="zyx"):
        opened(folder, axes="zyx")


def test_axes_of_which_there_are_more_are_stated_or_refused(tmp_path):
    folder = stored(tmp_path / "em", DATASET | {"dimensions": [29, 17, 11, 2], "blockSize": [8, 6, 4, 1]})
    with pytest.raises(UnsupportedFormat, match="4 axes"):
        opened(folder)
    info = opened(folder, axes="xyzc").info
    assert (info.axes, info.channel_count) == ("czyx", 2)


def test_a_size_without_a_unit_is_unknown_until_the_operator_states_it(folder):
    add_attributes(folder, resolution=[4, 5, 40])
    assert opened(folder).info.scales[0].voxel_size_nm is None
    assert tuple(opened(folder, voxel_size_nm=(4, 5, 40)).info.scales[0].voxel_size_nm) == (4, 5, 40)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [({"maxId": 9}, "segmentation"), ({"painteraData": {"type": "raw"}}, "image"), ({}, "unknown")],
)
def test_paintera_says_what_voxels_mean(folder, attributes, kind):
    add_attributes(folder, **attributes)
    assert opened(folder).info.kind is VolumeKind(kind)


def test_paths_of_levels_cannot_leave_the_remote(tmp_path, folder):
    for path in ("../../etc", "/etc"):
        group = stored(tmp_path / "group", {"multiscales": [{"datasets": [{"path": path}]}]})
        with pytest.raises(PathRefused):
            opened(group)


def test_a_folder_that_is_zarr_too_is_refused(tmp_path, folder):
    (folder / ".zarray").write_text("{}")
    registry = Registry.from_config(RemotesConfig(remotes={"data": RemoteConfig(uri=tmp_path.as_uri())}))
    with pytest.raises(UnsupportedFormat, match="n5"):
        registry.open("data/em")


def test_datasets_that_say_nothing_of_one_another_stay_volumes_of_their_own(tmp_path):
    for name in ("s0", "s1"):
        stored(tmp_path / "group" / name, DATASET)
    stored(tmp_path / "group", {"n5": "2.0.0"})
    stored(tmp_path / "bdv", {"dataType": "uint16", "downsamplingFactors": [[1, 1, 1]]})
    assert not claimed(tmp_path / "group")
    assert not claimed(tmp_path / "bdv")
    assert not claimed(tmp_path)
    assert claimed(tmp_path / "group/s1")


def test_new_metadata_of_a_level_is_seen(tmp_path):
    for level in range(2):
        stored(tmp_path / f"em/s{level}", DATASET | {"downsamplingFactors": [2**level] * 3})
    files = N5Format().metadata_files(tmp_path / "em")
    names = ["attributes.json", "s0/attributes.json", "s1/attributes.json", "s2/attributes.json"]
    assert [str(file.relative_to(tmp_path / "em")) for file in files] == names
    (tmp_path / "em/s1/attributes.json").write_text("{")
    assert N5Format().metadata_files(tmp_path / "em") == [tmp_path / "em/attributes.json"]
    with pytest.raises(VoxgateError):
        opened(tmp_path / "em")
