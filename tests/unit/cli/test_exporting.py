"""export: pictures of every voxel, numbered, exact, whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from support.array_volume import ArrayVolume
from support.image_files import noise, open_stack, open_tiff
from voxgate.cli import slices
from voxgate.client.array import VolumeArray
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Scale
from voxgate_remotes.config import VolumeOverrides

START, CHUNK, SIZE = Vec3(-7, 20, 3), Vec3(8, 4, 3), VoxelSize(4, 5, 40)


def array_of(voxels, *, names=(), size=SIZE):
    """A volume of (c, z, y, x) voxels whose grid does not start at its first voxel."""
    _, z, y, x = voxels.shape
    scale = Scale("0", Box.at(START, Vec3(x, y, z)), CHUNK, CHUNK, START - Vec3(3, 2, 1), size)
    return VolumeArray(ArrayVolume([voxels], [scale], axes="czyx" if names else "zyx", channels=names))


@pytest.fixture
def export(voxgate, client):
    """Export a volume: export(array, "-o", "out")."""

    def run(array, *arguments):
        client.arrays["lab/v"] = array
        return voxgate("export", "lab/v", *arguments)

    return run


def read_back(path, **stated):
    volume = (open_stack if Path(path).is_dir() else open_tiff)(
        Path(path).absolute(), overrides=VolumeOverrides(**stated)
    )
    return volume, volume.read(volume.info.scales[0].bounds)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4", "<u8", "<i2", "<f8"])
def test_a_folder_of_tif_has_each_voxel_and_their_size(export, dtype):
    voxels = noise((1, 11, 13, 19), dtype)
    answer = export(array_of(voxels), "-o", "out")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("out: zyx 11 x 13 x 19 ")
    assert sorted(os.listdir("out")) == [f"z{i:04}.tif" for i in range(11)]
    assert os.listdir() == ["out"]
    for i, plane in enumerate(voxels[0]):
        np.testing.assert_array_equal(tifffile.imread(f"out/z{i:04}.tif"), plane)
    volume, found = read_back("out")
    np.testing.assert_array_equal(found, voxels)
    assert volume.info.dtype == voxels.dtype
    np.testing.assert_allclose(tuple(volume.info.scales[0].voxel_size_nm), (4, 5, 40), rtol=1e-6)


def test_an_unknown_voxel_size_stays_unknown(export):
    assert export(array_of(noise((1, 3, 5, 4), "u1"), size=None), "-o", "out").code == 0
    assert read_back("out")[0].info.scales[0].voxel_size_nm is None


def test_a_box_of_a_volume_is_exported(export):
    voxels = noise((1, 11, 13, 19), "<u2")
    assert export(array_of(voxels), "--box", "-4:9,22:30,5:12", "-o", "out").code == 0
    np.testing.assert_array_equal(read_back("out")[1], voxels[:, 2:9, 2:10, 3:16])


def test_no_stored_chunk_is_read_twice(export):
    voxels = noise((1, 11, 13, 19), "<u2")
    array = array_of(voxels)
    assert export(array, "-o", "out").code == 0
    asked = [box for box, *_ in array._binding.volume.reads]
    assert sum(box.voxel_count for box in asked) == voxels.size
    cells = {box.start.z for box in asked}
    assert cells == {3, 5, 8, 11}  # the first slab ends where the chunk ends


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_a_folder_of_png_has_each_voxel(export, dtype, monkeypatch):
    monkeypatch.setattr(slices, "_PNG_BYTES", 1)  # a slice at a time
    voxels = noise((1, 5, 13, 19), dtype)
    assert export(array_of(voxels), "-o", "out", "--format", "png").code == 0
    for i, plane in enumerate(voxels[0]):
        np.testing.assert_array_equal(np.asarray(Image.open(f"out/z{i:04}.png")), plane)
    np.testing.assert_array_equal(read_back("out")[1], voxels)


@pytest.mark.parametrize("format_name", ["tif", "png"])
@pytest.mark.parametrize("names", ["RGB", "RGBA"])
def test_colours_become_colour_pictures(export, format_name, names):
    voxels = noise((len(names), 4, 13, 19), "u1")
    assert export(array_of(voxels, names=names), "-o", "out", "--format", format_name).code == 0
    volume, found = read_back("out")
    np.testing.assert_array_equal(found, voxels)
    assert "".join(channel.name for channel in volume.info.channels) == names
    picture = np.asarray(Image.open(f"out/z0002.{format_name}"))
    np.testing.assert_array_equal(picture, np.moveaxis(voxels[:, 2], 0, -1))


def test_other_channels_are_samples_of_a_tif(export):
    voxels = noise((2, 4, 13, 19), "<u2")
    assert export(array_of(voxels, names=("a", "b")), "-o", "out").code == 0
    np.testing.assert_array_equal(read_back("out")[1], voxels)
    np.testing.assert_array_equal(tifffile.imread("out/z0001.tif"), voxels[:, 1])
    assert export(array_of(voxels, names=("a", "b")), "--channel", "b", "-o", "b").code == 0
    np.testing.assert_array_equal(read_back("b")[1], voxels[1:])


def test_an_ome_tiff_has_axes_names_and_sizes(export):
    voxels = noise((2, 5, 13, 19), "<u2")
    assert export(array_of(voxels, names=("dna", "actin")), "-o", "v.ome.tif").code == 0
    volume, found = read_back("v.ome.tif")
    np.testing.assert_array_equal(found, voxels)
    assert [channel.name for channel in volume.info.channels] == ["dna", "actin"]
    assert volume.info.scales[0].voxel_size_nm == VoxelSize(4, 5, 40)
    with tifffile.TiffFile("v.ome.tif") as file:
        assert file.series[0].axes == "CZYX"
        np.testing.assert_array_equal(file.asarray(), voxels)


def test_times_go_into_an_ome_tiff_or_are_chosen(voxgate, client):
    movie = client.arrays["lab/movie"]
    assert voxgate("export", "lab/movie", "-o", "m.ome.tif").code == 0
    np.testing.assert_array_equal(tifffile.imread("m.ome.tif"), np.asarray(movie).squeeze())
    assert "--time" in voxgate("export", "lab/movie", "-o", "frames", "--json").error["remedy"]
    assert os.listdir() == ["m.ome.tif"]


@pytest.mark.parametrize(
    ("dtype", "arguments", "word"),
    [
        ("<u8", ("-o", "out", "--format", "png"), "tif"),
        ("<f4", ("-o", "out", "--format", "png"), "tif"),
        ("<u8", ("-o", "v.ome.tif"), "folder"),
    ],
)
def test_what_a_picture_cannot_hold_is_refused_and_nothing_is_left(export, dtype, arguments, word):
    error = export(array_of(noise((1, 3, 4, 5), dtype)), *arguments, "--json").error
    assert error["reason"] == "INVALID_REQUEST"
    assert word in error["remedy"]
    assert os.listdir() == []


def test_channels_that_a_png_cannot_hold_are_refused(export):
    error = export(array_of(noise((2, 3, 4, 5), "u1"), names="ab"), "-o", "out", "--format", "png", "--json").error
    assert "--channel" in error["remedy"]


def test_an_export_is_replaced_only_when_that_was_asked_for(export):
    first, second = noise((1, 12, 4, 5), "u1"), noise((1, 3, 4, 5), "u1", seed=1)
    assert export(array_of(first), "-o", "out").code == 0
    assert export(array_of(second), "-o", "out", "--json").error["reason"] == "ALREADY_EXISTS"
    np.testing.assert_array_equal(read_back("out")[1], first)
    assert export(array_of(second), "-o", "out", "--force").code == 0
    np.testing.assert_array_equal(read_back("out")[1], second)
    assert os.listdir() == ["out"]


def test_a_folder_with_other_files_is_never_replaced(export):
    Path("thesis").mkdir()
    Path("thesis/chapter1.tex").write_text("mine")
    error = export(array_of(noise((1, 3, 4, 5), "u1")), "-o", "thesis", "--force", "--json").error
    assert error["reason"] == "ALREADY_EXISTS"
    assert os.listdir("thesis") == ["chapter1.tex"]
    assert export(array_of(noise((1, 3, 4, 5), "u1")), "-o", "slices.tif").code == 2


@pytest.mark.parametrize(("target", "fails_at"), [("out", 3), ("v.ome.tif", 1)])
def test_a_failed_export_leaves_nothing(export, target, fails_at):
    array = array_of(noise((1, 11, 4, 5), "u1"))
    calls, read = [], array._binding.volume.read

    def failing(box, **rest):
        calls.append(box)
        if len(calls) == fails_at:
            raise ChunkCorrupt("a slab is damaged")
        return read(box, **rest)

    array._binding.volume.read = failing
    assert export(array, "-o", target, "--json").error["reason"] == "CHUNK_CORRUPT"
    assert os.listdir() == []
