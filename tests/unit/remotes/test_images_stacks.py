"""Image stacks that are not whole, not one stack, or no stack: said by the name of the file, never zeros."""

import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from support.image_files import noise, open_stack, slices_by_pillow, slices_of_tiff
from voxgate.model.errors import (
    ChunkCorrupt,
    ChunkMissing,
    ConfigInvalid,
    MetadataInvalid,
    PathRefused,
    StoreUnavailable,
    UnsupportedFormat,
)
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.folders import LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.images import ImageStackFormat, naming, stack

PLAIN = VolumeOverrides()
VOXELS = noise((5, 7, 11), "u1")


def claims(folder):
    return ImageStackFormat().claims(LocalFolder(folder, PathGuard(folder)))


def read_all(volume):
    return volume.read(volume.info.scales[0].bounds)


@pytest.fixture
def folder(tmp_path):
    return slices_by_pillow(tmp_path / "stack", VOXELS, "png")


def test_slices_are_in_the_order_of_their_number(folder):
    # img8, img9, img10, img11, img12: as text 10 comes before 8.
    np.testing.assert_array_equal(read_all(open_stack(folder))[0], VOXELS)


@given(st.integers(0, 99_990), st.integers(2, 12), st.booleans())
def test_any_run_of_numbers_is_in_order(first, count, padded):
    names = [f"s2_{n:06}.tif" if padded else f"s2_{n}.tif" for n in range(first, first + count)]
    assert naming.in_order(sorted(names, key=lambda name: zlib.crc32(name.encode()))) == tuple(names)


def test_hidden_files_and_files_beside_the_pictures_are_no_slices(folder):
    for name in ("._img9.png", ".DS_Store", "notes.txt", "img9.json", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (folder / "logs").mkdir()
    assert claims(folder)
    np.testing.assert_array_equal(read_all(open_stack(folder))[0], VOXELS)


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("img1.png",),
        ("em.png", "labels.png"),
        ("em_4nm.tif", "labels_v2.tif"),
        ("img1.txt", "img2.txt"),
        ("img1.png", "img2.png", "volume.h5"),
        ("img1.png", "img2.png", "info"),
        ("img1.png", "img2.png", "other.zarr"),
        ("img1.png", "img2.png", "em/zarr.json"),
    ],
)
def test_what_is_no_stack_is_not_claimed(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert not claims(tmp_path)


def test_a_folder_of_volumes_of_many_pages_is_no_stack(tmp_path):
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"brain{number}.tif", noise((3, 5, 7), "u1"), photometric="minisblack")
    assert not claims(tmp_path)
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"brain{number}.tif", noise((5, 7), "u1"), photometric="minisblack")
    assert claims(tmp_path)


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ("img13.jpg", "JPEG and PNG"),
        ("overview.png", "overview.png"),
        ("b_8.png", "b_8.png"),
        ("img08.png", "img08.png"),
    ],
)
def test_a_picture_that_does_not_belong_is_said(folder, extra, word):
    (folder / extra).write_bytes((folder / "img8.png").read_bytes())
    assert claims(folder)
    with pytest.raises(UnsupportedFormat, match=word):
        open_stack(folder)


def test_two_numbers_that_vary_are_refused():
    with pytest.raises(UnsupportedFormat, match="2 numbers vary"):
        naming.in_order(["z1_c1.tif", "z1_c2.tif", "z2_c1.tif", "z2_c2.tif"])
    assert naming.in_order(["run7_z2.tif", "run7_z1.tif"]) == ("run7_z1.tif", "run7_z2.tif")


@pytest.mark.parametrize(("gone", "word"), [(("img10.png",), "`img10.png` is"), (("img9.png", "img10.png"), "1 more")])
def test_a_missing_slice_is_named(folder, gone, word):
    for name in gone:
        (folder / name).unlink()
    with pytest.raises(ChunkMissing, match=word):
        open_stack(folder)
    with pytest.raises(ChunkMissing, match=r"`z009\.tif` is missing"):
        naming.in_order(["z008.tif", "z010.tif"])


@pytest.mark.parametrize(
    "other",
    [noise((8, 11), "u1"), noise((7, 10), "u1"), noise((7, 11), "<u2"), noise((7, 11, 3), "u1")],
    ids=["rows", "columns", "dtype", "channels"],
)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_slice_unlike_the_first_one_is_named(tmp_path, other, ending, monkeypatch):
    folder = slices_by_pillow(tmp_path / "stack", VOXELS, ending)
    Image.fromarray(other).save(folder / f"img11.{ending}")
    with pytest.raises(ChunkCorrupt, match=f"`img11.{ending}` has .*`img8.{ending}`"):
        open_stack(folder)
    # Of a stack of very many not every header is looked at when it is opened; then reading says it.
    monkeypatch.setattr(stack, "_LOOKED_AT", 2)
    with pytest.raises(ChunkCorrupt, match=f"`img11.{ending}` has"):
        read_all(open_stack(folder))


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_truncated_slice_is_named(tmp_path, ending):
    folder = slices_by_pillow(tmp_path / "stack", noise((5, 90, 110), "u1"), ending)
    whole = (folder / f"img11.{ending}").read_bytes()
    for length in (len(whole) // 2, 20, 0):
        (folder / f"img11.{ending}").write_bytes(whole[:length])
        with pytest.raises((ChunkCorrupt, MetadataInvalid), match=f"`img11.{ending}`"):
            read_all(open_stack(folder))


def test_damaged_pixels_are_an_error(folder):
    data = bytearray((folder / "img11.png").read_bytes())
    data[50] ^= 0xFF
    (folder / "img11.png").write_bytes(data)
    with pytest.raises(ChunkCorrupt, match=r"`img11\.png`"):
        read_all(open_stack(folder))


def png(width, height, depth=8, colour=0, data=b""):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "error", "word"),
    [
        (png(60_000, 60_000, data=b"\0" * 99), ChunkCorrupt, "more pixels than it can hold"),
        (png(20_000, 20_000, data=bytes(500_000)), UnsupportedFormat, "more pixels in one"),
        (png(4, 4, colour=3), UnsupportedFormat, "palette"),
        (png(4, 4, depth=1), UnsupportedFormat, "1-bit"),
        (png(4, 4, depth=16, colour=2), UnsupportedFormat, "16-bit colours"),
        (b"no picture at all, but long enough for a header", ChunkCorrupt, "no PNG"),
    ],
    ids=["bomb", "huge", "palette", "bits", "deep colours", "text"],
)
def test_pictures_that_would_not_be_read_exactly_are_refused(tmp_path, content, error, word):
    for number in (1, 2):
        (tmp_path / f"img{number}.png").write_bytes(content)
    with pytest.raises(error, match=word) as caught:
        open_stack(tmp_path)
    assert caught.value.remedy
    assert str(tmp_path) not in str(caught.value)


def test_a_picture_that_inflates_to_more_than_it_declares_is_not_held(tmp_path):
    rows = b"".join(b"\0" + bytes(11) for _ in range(7))
    for number in (1, 2):
        (tmp_path / f"img{number}.png").write_bytes(png(11, 7, data=zlib.compress(rows + bytes(50 << 20))))
    # Pillow either ignores the rest or refuses it; neither makes other voxels.
    try:
        found = read_all(open_stack(tmp_path))
    except ChunkCorrupt:
        return
    assert found.shape == (1, 2, 7, 11)
    assert not found.any()


def test_jpeg_is_what_the_decoder_gives(tmp_path):
    folder = slices_by_pillow(tmp_path / "grey", VOXELS, "jpg", quality=60)
    truth = np.stack([np.asarray(Image.open(folder / f"img{n}.jpg")) for n in range(8, 13)])
    np.testing.assert_array_equal(read_all(open_stack(folder))[0], truth)
    for number in (1, 2):
        Image.new("CMYK", (5, 4)).save(tmp_path / f"c{number}.jpg")
    with pytest.raises(UnsupportedFormat, match="CMYK"):
        open_stack(tmp_path)


def test_a_slice_that_goes_away_or_changes_its_shape_is_noticed(folder):
    volume = open_stack(folder)
    read_all(volume)
    Image.fromarray(noise((7, 12), "u1")).save(folder / "img9.png")
    with pytest.raises(ChunkCorrupt, match=r"`img9\.png`"):
        read_all(volume)
    (folder / "img9.png").unlink()
    with pytest.raises(ChunkMissing, match=r"`img9\.png`"):
        read_all(volume)
    bounds = volume.info.scales[0].bounds
    assert volume.read(type(bounds)(bounds.start, bounds.start + Vec3(11, 7, 1))).shape == (1, 1, 7, 11)


def test_links_are_followed_within_the_remote_only(tmp_path):
    root = tmp_path / "root"
    folder = slices_by_pillow(root / "stack", VOXELS, "png")
    (root / "raw").mkdir()
    (folder / "img9.png").rename(root / "raw/nine.png")
    (folder / "img9.png").symlink_to(root / "raw/nine.png")
    guarded = LocalFolder(folder, PathGuard(root))
    opened = ImageStackFormat().open(guarded, None, PLAIN)
    assert opened.info.scales[0].bounds.shape == Vec3(11, 7, 5)
    (root / "raw/nine.png").rename(tmp_path / "outside.png")
    (folder / "img9.png").unlink()
    (folder / "img9.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(PathRefused):
        ImageStackFormat().open(guarded, None, PLAIN)


def test_a_slice_that_becomes_a_link_is_not_followed(folder, tmp_path):
    volume = open_stack(folder)
    (folder / "img9.png").rename(tmp_path / "outside.png")
    (folder / "img9.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(StoreUnavailable, match=r"`img9\.png`"):
        read_all(volume)


def test_the_operator_says_what_slices_are(tmp_path, folder):
    times = open_stack(folder, overrides=VolumeOverrides(axes="tyx")).info
    assert (times.axes, times.time_count, times.scales[0].bounds.shape.z) == ("tzyx", 5, 1)
    channels = open_stack(folder, overrides=VolumeOverrides(axes="cyx"))
    assert channels.info.axes == "czyx"
    np.testing.assert_array_equal(read_all(channels)[:, 0], VOXELS)
    assert "axes" not in channels.info.inferred
    with pytest.raises(ConfigInvalid):
        open_stack(folder, overrides=VolumeOverrides(axes="xyz"))


def test_the_voxel_size_is_that_of_the_slices_where_they_have_one(tmp_path):
    known = slices_of_tiff(
        tmp_path / "known", VOXELS, imagej=True, resolution=(1 / 4, 1 / 5), metadata={"spacing": 40, "unit": "nm"}
    )
    assert open_stack(known).info.scales[0].voxel_size_nm == VoxelSize(4, 5, 40)
    dots = slices_of_tiff(tmp_path / "dots", VOXELS, resolution=(300, 300), resolutionunit="INCH", metadata=None)
    assert open_stack(dots).info.scales[0].voxel_size_nm is None


def test_no_file_stays_open(folder):
    volume = open_stack(folder)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        read_all(volume)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_changed_folder_makes_an_opened_volume_stale(folder):
    assert ImageStackFormat().metadata_files(folder) == [folder]
