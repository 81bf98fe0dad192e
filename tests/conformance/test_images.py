"""The suite on TIFF files and image stacks that tifffile and Pillow wrote."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from support.image_files import case, noise, open_stack, open_tiff, slices_by_pillow, slices_of_tiff
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.testing import ReadConformance, VolumeCase

Z, Y, X = 5, 14, 23


def multipage_big_endian(root: Path) -> VolumeCase:
    voxels = noise((Z, Y, X), ">u2")
    with tifffile.TiffWriter(root / "be.tif", byteorder=">", bigtiff=True) as writer:
        for plane in voxels:
            writer.write(plane, photometric="minisblack", metadata=None, contiguous=False, rowsperstrip=4)
    return case(lambda options: open_tiff(root / "be.tif", options), voxels.astype("<u2")[None])


def tiled_deflate_floats(root: Path) -> VolumeCase:
    voxels = noise((Z, 40, 53), "<f4")
    tifffile.imwrite(
        root / "tiled.tif",
        voxels,
        tile=(16, 32),
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "ZYX"},
    )
    return case(lambda options: open_tiff(root / "tiled.tif", options), voxels[None])


def large_ids_with_a_predictor(root: Path) -> VolumeCase:
    voxels = noise((Z, Y, X), "<u8")
    tifffile.imwrite(
        root / "ids.tif", voxels, compression="zlib", predictor=2, rowsperstrip=5, photometric="minisblack",
        metadata={"axes": "ZYX", "spacing": 40.0, "unit": "nm"}, resolution=(1e7 / 4, 1e7 / 5), resolutionunit=3,
    )  # fmt: skip
    return case(lambda options: open_tiff(root / "ids.tif", options), voxels[None], size=(4, 5, 40))


def imagej_with_channels(root: Path) -> VolumeCase:
    voxels = noise((Z, 3, Y, X), ">u2")
    tifffile.imwrite(
        root / "ij.tif", voxels, imagej=True, resolution=(1 / 0.004, 1 / 0.005),
        metadata={"axes": "ZCYX", "spacing": 0.04, "unit": "um"},
    )  # fmt: skip
    truth = voxels.astype("<u2").transpose(1, 0, 2, 3)
    return case(lambda options: open_tiff(root / "ij.tif", options), truth, axes="czyx", size=(4, 5, 40))


def imagej_with_times_and_channels(root: Path) -> VolumeCase:
    voxels = noise((4, Z, 3, Y, X), "<f4")
    tifffile.imwrite(root / "movie.tif", voxels, imagej=True, metadata={"axes": "TZCYX", "finterval": 2.5})
    truth = voxels[2].transpose(1, 0, 2, 3)
    return case(lambda options: open_tiff(root / "movie.tif", options), truth, axes="tczyx", times=4, time=2)


def ome_with_times_and_channels(root: Path) -> VolumeCase:
    voxels = noise((3, 2, Z, Y, X), "<u2")
    sizes = {"PhysicalSizeX": 0.004, "PhysicalSizeY": 5, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.04}
    metadata = {"axes": "TCZYX", **sizes, "Channel": {"Name": ["membranes", "nuclei"]}}
    tifffile.imwrite(root / "o.ome.tif", voxels, metadata=metadata, tile=(16, 16), compression="zlib")
    return case(
        lambda options: open_tiff(root / "o.ome.tif", options),
        voxels[1],
        axes="tczyx",
        times=3,
        time=1,
        size=(4, 5, 40),
    )


def stack_of_tiff(root: Path) -> VolumeCase:
    voxels = noise((Z, Y, X), "<i2")
    folder = slices_of_tiff(root / "tiffs", voxels, compression="zlib", photometric="minisblack", metadata=None)
    return case(lambda options: open_stack(folder, options), voxels[None])


def stack_of_rgb_png(root: Path) -> VolumeCase:
    voxels = noise((Z, Y, X, 3), "u1")
    folder = slices_by_pillow(root / "rgb", voxels, "png")
    truth = voxels.transpose(3, 0, 1, 2)
    return case(lambda options: open_stack(folder, options), truth, axes="czyx", kind=VolumeKind.IMAGE)


def stack_of_deep_png(root: Path) -> VolumeCase:
    voxels = noise((Z, Y, X), "<u2")
    folder = slices_by_pillow(root / "deep", voxels, "png")
    return case(lambda options: open_stack(folder, options), voxels[None])


WRITERS = [
    multipage_big_endian,
    tiled_deflate_floats,
    large_ids_with_a_predictor,
    imagej_with_channels,
    imagej_with_times_and_channels,
    ome_with_times_and_channels,
    stack_of_tiff,
    stack_of_rgb_png,
    stack_of_deep_png,
]


@pytest.fixture(scope="module", params=WRITERS, ids=lambda writer: writer.__name__)
def case_of_writer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    return request.param(tmp_path_factory.mktemp("images"))


class TestReadingImages(ReadConformance):
    @pytest.fixture
    def case(self, case_of_writer: VolumeCase) -> VolumeCase:
        return case_of_writer


def test_channels_of_ome_and_of_colours_have_their_names(tmp_path):
    ome = ome_with_times_and_channels(tmp_path).opened().info
    assert [channel.name for channel in ome.channels] == ["membranes", "nuclei"]
    colours = stack_of_rgb_png(tmp_path).opened().info
    assert [channel.name for channel in colours.channels] == ["R", "G", "B"]


def test_what_was_only_guessed_is_said(tmp_path):
    assert "axes" in multipage_big_endian(tmp_path).opened().info.inferred
    assert "axes" in stack_of_tiff(tmp_path).opened().info.inferred
    assert ome_with_times_and_channels(tmp_path).opened().info.inferred == ()


def test_the_grid_of_tiles_is_the_grid_of_chunks(tmp_path):
    scale = tiled_deflate_floats(tmp_path).opened().info.scales[0]
    assert tuple(scale.stored_chunk_shape) == (32, 16, 1)
    assert scale.grid_origin == scale.bounds.start


def test_a_float_predictor_and_lzw_are_read_as_their_writers_meant(tmp_path):
    # Written by Pillow's libtiff, whose LZW and predictors are not ours.
    from PIL import Image

    voxels = np.cumsum(noise((Z, Y, X), "<f4"), axis=2, dtype="<f4")
    for compression in ("tiff_lzw", "packbits", "zstd", "tiff_adobe_deflate"):
        folder = tmp_path / compression
        folder.mkdir()
        for number, plane in enumerate(voxels):
            tags = {317: 3} if compression in ("tiff_lzw", "zstd", "tiff_adobe_deflate") else {}
            Image.fromarray(plane).save(folder / f"s_{number:02}.tif", compression=compression, tiffinfo=tags)
        volume = open_stack(folder)
        np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], voxels)
