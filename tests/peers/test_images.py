"""Pictures: what tifffile and Pillow wrote, ours reads; what ours exported, they read."""

from importlib.metadata import version

import numpy as np
import pytest
import tifffile
from PIL import Image

from support.array_volume import ArrayVolume
from support.image_files import noise, open_stack, open_tiff, slices_by_pillow, slices_of_tiff
from voxgate.cli.exporting import Format
from voxgate.cli.slices import Slices, ome_target, write_slices
from voxgate.cli.streaming import stream
from voxgate.client.array import VolumeArray
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, Scale
from voxgate_remotes.config import RemoteConfig, RemotesConfig, VolumeOverrides
from voxgate_remotes.registry import Registry

TIFFFILE, PILLOW = (f"{name} {version(name)}" for name in ("tifffile", "pillow"))
PLAIN = VolumeOverrides()
SHAPE = (6, 21, 35)
START, CHUNK = Vec3(-7, 20, 3), Vec3(16, 8, 4)


def equal(volume, voxels):
    """Compare all (c, z, y, x) voxels; answers how many."""
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), voxels)
    return voxels.size


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_a_hyperstack_by_tifffile_is_read(tmp_path, proved, kind):
    voxels = noise((3, 2, *SHAPE), "u2")
    path = tmp_path / ("movie.ome.tif" if kind == "ome" else "movie.tif")
    axes = "TCZYX" if kind == "ome" else "TZCYX"
    stored = voxels if kind == "ome" else voxels.transpose(0, 2, 1, 3, 4)
    tifffile.imwrite(path, stored, photometric="minisblack", metadata={"axes": axes}, **{kind: True})
    count = 0
    for time in range(3):
        volume = open_tiff(path, OpenOptions(time_index=time), overrides=PLAIN)
        assert volume.info.axes == "tczyx"
        count += equal(volume, voxels[time])
    for feature in ("read", "channels", "time"):
        proved("TIFF", feature, TIFFFILE, count)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16), "compression": "zlib", "predictor": True}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pages_and_slices_by_tifffile_are_read(tmp_path, proved, options, byteorder):
    voxels = noise(SHAPE, "u2").astype(f"{byteorder}u2")
    more = {"photometric": "minisblack", "metadata": None, "byteorder": byteorder, **options}
    tifffile.imwrite(tmp_path / "pages.tif", voxels, bigtiff=True, **more)
    proved("TIFF", "read", TIFFFILE, equal(open_tiff(tmp_path / "pages.tif", overrides=PLAIN), voxels[None]))
    folder = slices_of_tiff(tmp_path / "slices", voxels, **more)
    proved("image stack", "read", TIFFFILE, equal(open_stack(folder, overrides=PLAIN), voxels[None]))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "zstd", "tiff_adobe_deflate"])
def test_pages_by_pillow_are_read(tmp_path, proved, compression):
    voxels = noise(SHAPE, "u1") // 9
    first, *rest = [Image.fromarray(plane) for plane in voxels]
    first.save(tmp_path / "pages.tif", save_all=True, append_images=rest, compression=compression)
    proved("TIFF", "read", PILLOW, equal(open_tiff(tmp_path / "pages.tif", overrides=PLAIN), voxels[None]))


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_slices_by_pillow_are_read(tmp_path, proved, ending):
    colours = slices_by_pillow(tmp_path / "colours", noise((*SHAPE, 3), "u1"), ending)
    truth = np.stack([np.asarray(Image.open(colours / f"img{n}.{ending}")) for n in range(8, 8 + SHAPE[0])])
    count = equal(open_stack(colours, overrides=PLAIN), np.moveaxis(truth, -1, 0))
    for feature in ("read", "channels"):
        proved("image stack", feature, PILLOW, count)


def test_pictures_in_a_folder_are_listed_and_opened_by_name(tmp_path, proved):
    voxels = noise(SHAPE, "u2")
    slices_of_tiff(tmp_path / "lab/slices", voxels)
    tifffile.imwrite(tmp_path / "lab/pages.ome.tif", voxels, metadata={"axes": "ZYX"})
    registry = Registry.from_config(RemotesConfig(remotes={"data": RemoteConfig(uri=tmp_path.as_uri())}))
    listed = [entry.name for entry in registry.list("data/lab") if entry.is_volume]
    assert listed == ["data/lab/pages.ome.tif", "data/lab/slices"]
    for name, store in zip(listed, ("TIFF", "image stack"), strict=True):
        equal(registry.open(name), voxels[None])
        proved(store, "list", TIFFFILE, 1)


def volume_of(voxels, names=()):
    _, z, y, x = voxels.shape
    scale = Scale("0", Box.at(START, Vec3(x, y, z)), CHUNK, CHUNK, START - Vec3(3, 2, 1), VoxelSize(4, 5, 40))
    return VolumeArray(ArrayVolume([voxels], [scale], axes="czyx" if names else "zyx", channels=names))


def quiet(phase, done_bytes, total_bytes):
    pass


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4", "<u8"])
def test_exported_slices_are_read_by_tifffile_and_pillow(tmp_path, dtype):
    voxels = noise((1, *SHAPE), dtype)
    array = volume_of(voxels)
    endings = [Format.TIF.value, Format.PNG.value] if dtype in ("u1", "<u2") else [Format.TIF.value]
    for ending in endings:
        folder = tmp_path / ending
        folder.mkdir()
        write_slices(array, array.bounds, Slices(ending, channels=1, is_colours=False), folder, quiet)
        files = sorted(folder.iterdir())
        if dtype != "<u8":  # Pillow has no 64-bit pictures
            np.testing.assert_array_equal([np.asarray(Image.open(file)) for file in files], voxels[0])
        if ending == "tif":
            np.testing.assert_array_equal(tifffile.imread(list(map(str, files))), voxels[0])
    if dtype != "<u8":
        with tifffile.TiffFile(tmp_path / "tif/z0003.tif") as file:
            assert (file.imagej_metadata["spacing"], file.imagej_metadata["unit"]) == (40.0, "nm")


def test_an_exported_ome_tiff_is_read_by_tifffile(tmp_path):
    voxels = noise((2, *SHAPE), "<u2")
    array = volume_of(voxels, names=("dna", "actin"))
    target = ome_target(tmp_path / "v.ome.tif", array, voxels.shape)
    stream(array, array.bounds, target, quiet)
    target.flush()
    with tifffile.TiffFile(tmp_path / "v.ome.tif") as file:
        np.testing.assert_array_equal(file.series[0].asarray(), voxels)
        assert file.series[0].axes == "CZYX"
        assert 'PhysicalSizeZ="40' in file.ome_metadata
        assert file.is_ome
