"""TIFF files: each layout that TIFF allows is read exactly or refused, damage is said, axes are named or refused."""

import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from support.image_files import noise, open_tiff
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    ChunkMissing,
    MetadataInvalid,
    StoreUnavailable,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.images import windows

PLAIN = VolumeOverrides()
GREY = {"photometric": "minisblack", "metadata": None}


def opened(path, **options):
    return open_tiff(path, overrides=PLAIN, **options)


def read_all(volume):
    return volume.read(volume.info.scales[0].bounds)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "volume.tif"


# -- layouts


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u8", "f4", "f8"])
@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 3}, {"tile": (16, 32)}, {"compression": "zlib", "rowsperstrip": 5}]
)
def test_every_layout_and_dtype_is_exact(file, byteorder, dtype, options):
    voxels = noise((3, 37, 45), dtype).astype(np.dtype(dtype).newbyteorder(byteorder))
    tifffile.imwrite(file, voxels, byteorder=byteorder, **GREY, **options)
    volume = opened(file)
    assert volume.info.dtype == np.dtype(dtype).newbyteorder("<")
    np.testing.assert_array_equal(read_all(volume)[0], voxels)
    np.testing.assert_array_equal(volume.read(Box.of((30, 41), (14, 33), (1, 3)))[0], voxels[1:3, 14:33, 30:41])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_differences_along_rows_are_undone(file, byteorder, samples, planar):
    voxels = noise((samples, 37, 45), "u2").astype(f"{byteorder}u2")
    stored = voxels[0] if samples == 1 else voxels if planar == "separate" else np.moveaxis(voxels, 0, -1)
    layout = {"planarconfig": planar} if samples > 1 else {}
    photometric = "rgb" if samples > 1 else "minisblack"
    tifffile.imwrite(
        file, np.ascontiguousarray(stored), byteorder=byteorder, compression="zlib", predictor=2, rowsperstrip=10,
        photometric=photometric, metadata=None, **layout,
    )  # fmt: skip
    np.testing.assert_array_equal(read_all(opened(file))[:, 0], voxels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "zstd", "lzma", "tiff_adobe_deflate"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4"])
def test_compressions_of_libtiff_are_exact(file, compression, dtype):
    voxels = (noise((37, 45), dtype) if dtype == "<f4" else noise((37, 45), dtype) // 7).astype(dtype)
    predictor = {} if compression == "packbits" else {317: 3 if dtype == "<f4" else 2}
    Image.fromarray(voxels).save(file, compression=compression, tiffinfo=predictor)
    with tifffile.TiffFile(file) as written:
        assert written.pages[0].compression != 1
        assert written.pages[0].predictor == predictor.get(317, 1)
    np.testing.assert_array_equal(read_all(opened(file))[0, 0], voxels)


def test_grey_jpeg_tiles_are_what_the_decoder_gives(file):
    voxels = (np.add.outer(np.arange(37), np.arange(45)) * 3).astype("u1")
    Image.fromarray(voxels).save(file, compression="jpeg", quality=80)
    with tifffile.TiffFile(file) as written:
        assert written.pages[0].compression == 7
    np.testing.assert_array_equal(read_all(opened(file))[0, 0], np.asarray(Image.open(file)))


@pytest.mark.parametrize("photometric", [2, 6], ids=["RGB", "YCbCr"])
def test_coloured_jpeg_is_what_the_decoder_gives(file, photometric):
    colours = np.stack([np.add.outer(np.arange(37), np.arange(45)) * k for k in (1, 2, 3)], axis=-1).astype("u1")
    Image.fromarray(colours).convert("RGB" if photometric == 2 else "YCbCr").save(
        file, compression="jpeg", quality=80, tiffinfo={262: photometric}
    )
    with tifffile.TiffFile(file) as written:
        assert (written.pages[0].compression, written.pages[0].photometric) == (7, photometric)
    with Image.open(file) as picture:
        truth = np.asarray(picture.convert("RGB"))
    assert np.abs(truth.astype(int) - colours).mean() < 30
    np.testing.assert_array_equal(read_all(opened(file))[:, 0], np.moveaxis(truth, -1, 0))


def test_only_the_needed_parts_of_large_pages_are_read(file, monkeypatch):
    voxels = noise((2, 640, 512), "u1")
    tifffile.imwrite(file, voxels, tile=(64, 64), compression="zlib", **GREY)
    volume = opened(file)
    decoded, original = [], windows.decoded
    monkeypatch.setattr(windows, "decoded", lambda *args: decoded.append(args) or original(*args))
    found = volume.read(Box.of((60, 70), (100, 110), (1, 2)))
    np.testing.assert_array_equal(found[0, 0], voxels[1, 100:110, 60:70])
    assert len(decoded) == 2


def test_one_header_for_many_pictures_is_enough(file):
    # What ImageJ writes above 4 GiB: a single page is described, the others follow it.
    voxels = noise((6, 9, 13), "u2")
    tifffile.imwrite(file, voxels, truncate=True, photometric="minisblack", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(file) as written:
        assert len(written.pages) == 1
    np.testing.assert_array_equal(read_all(opened(file))[0], voxels)
    os.truncate(file, file.stat().st_size - 400)
    with pytest.raises(ChunkCorrupt, match="truncated"):
        read_all(opened(file))


# -- refused


def test_pages_that_differ_are_named(file):
    with tifffile.TiffWriter(file) as writer:
        for shape in ((7, 9), (7, 9), (7, 8)):
            writer.write(noise(shape, "u1"), contiguous=False, **GREY)
    with pytest.raises(MetadataInvalid, match=r"page 2 of `volume.tif` has 8 x 7 .* 9 x 7"):
        opened(file)


def _palette(file):
    Image.fromarray(noise((5, 7), "u1")).convert("P").save(file)


def _bits(file):
    Image.fromarray(noise((5, 7), "u1")).convert("1").save(file)


def _cmyk(file):
    Image.new("CMYK", (5, 7)).save(file)


def _half(file):
    tifffile.imwrite(file, np.ones((5, 7), "f2"), **GREY)


def _complex(file):
    tifffile.imwrite(file, np.ones((5, 7), "c8"), **GREY)


def _deep_tiles(file):
    tifffile.imwrite(file, noise((16, 32, 32), "u1"), tile=(16, 16, 16), volumetric=True, **GREY)


def _unnamed_axes(file):
    tifffile.imwrite(file, noise((2, 3, 5, 7), "u1"), photometric="minisblack")


def _phases(file):
    tifffile.imwrite(file, noise((2, 3, 5, 7), "u1"), photometric="minisblack", metadata={"axes": "HZYX"})


def _rgb_channels(file):
    tifffile.imwrite(file, noise((2, 5, 7, 3), "u1"), imagej=True, metadata={"axes": "CYXS"})


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (_palette, "palette"),
        (_bits, "1-bit"),
        (_cmyk, "colour space"),
        (_half, "float16"),
        (_complex, "complex64"),
        (_deep_tiles, "three-dimensional"),
        (_unnamed_axes, "2 axes of pages without names"),
        (_phases, "axes HZ"),
        (_rgb_channels, "several channels"),
    ],
)
def test_what_cannot_be_read_exactly_is_refused_with_a_remedy(file, write, word):
    write(file)
    with pytest.raises(UnsupportedFormat, match=word) as caught:
        opened(file)
    assert caught.value.remedy
    assert str(file.parent) not in str(caught.value)


def test_a_compression_that_nobody_here_knows_is_named(file):
    tifffile.imwrite(file, noise((5, 7), "u1"), **GREY)
    with tifffile.TiffFile(file, mode="r+") as written:
        written.pages[0].tags["Compression"].overwrite(34712)
    with pytest.raises(UnsupportedFormat, match="JPEG2000"):
        opened(file)


# -- damage


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib", "rowsperstrip": 8}])
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path, options):
    voxels = noise((4, 33, 41), "u2")
    tifffile.imwrite(tmp_path / "whole.tif", voxels, **GREY, **options)
    data = (tmp_path / "whole.tif").read_bytes()
    for length in (0, 5, 60, *range(len(data) // 7, len(data) - 400, len(data) // 7)):
        path = tmp_path / f"cut{length}.tif"
        path.write_bytes(data[:length])
        with pytest.raises((MetadataInvalid, ChunkCorrupt), match=f"`cut{length}.tif`"):
            read_all(opened(path))
    # The last bytes may be mere padding: then every voxel is there.
    for length in range(len(data) - 60, len(data), 7):
        path.write_bytes(data[:length])
        try:
            np.testing.assert_array_equal(read_all(opened(path))[0], voxels)
        except (MetadataInvalid, ChunkCorrupt):
            continue


def test_no_damaged_byte_of_a_header_makes_other_failures_than_ours(tmp_path):
    voxels = noise((2, 9, 11), "u1")
    tifffile.imwrite(tmp_path / "whole.tif", voxels, compression="zlib", **GREY)
    data = (tmp_path / "whole.tif").read_bytes()
    refused = 0
    for place in range(0, min(len(data), 400), 3):
        for value in (0, 0xFF):
            path = tmp_path / "damaged.tif"
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                volume = opened(path)
                box = volume.info.scales[0].bounds
                volume.read(Box(box.start, type(box.start).minimum(box.stop, type(box.start)(64, 64, 4))))
            except (MetadataInvalid, ChunkCorrupt, UnsupportedFormat):
                refused += 1
    assert refused > 20


def test_a_strip_that_decodes_to_more_or_less_than_declared_is_bounded(file):
    rows = noise((8, 16), "u1")
    tifffile.imwrite(file, rows, compression="zlib", **GREY)
    with tifffile.TiffFile(file) as written:
        (offset,), (count,) = written.pages[0].dataoffsets, written.pages[0].databytecounts
    data = bytearray(file.read_bytes())
    bomb = zlib.compress(rows.tobytes() + bytes(64 << 20), 9)
    data[offset : offset + count] = zlib.compress(rows.tobytes()[:64]).ljust(count, b"\0")
    file.write_bytes(data)
    with pytest.raises(ChunkCorrupt, match="page 0"):
        read_all(opened(file))
    with file.open("r+b") as out:
        out.seek(0, os.SEEK_END)
        place = out.tell()
        out.write(bomb)
    with tifffile.TiffFile(file, mode="r+") as written:
        written.pages[0].tags["StripOffsets"].overwrite(place)
        written.pages[0].tags["StripByteCounts"].overwrite(len(bomb))
    np.testing.assert_array_equal(read_all(opened(file))[0, 0], rows)


def test_a_page_that_declares_more_than_it_holds_is_refused_before_it_is_decoded(file):
    tifffile.imwrite(file, noise((8, 16), "u1"), compression="zlib", **GREY)
    for tag, value in (("ImageWidth", 30_000), ("ImageLength", 30_000), ("RowsPerStrip", 30_000)):
        with tifffile.TiffFile(file, mode="r+") as written:
            written.pages[0].tags[tag].overwrite(value)
    volume = opened(file)
    with pytest.raises(ChunkCorrupt, match="more pixels than it can hold"):
        volume.read(Box.of((5, 9), (3, 4), (0, 1)))


# -- files that change


def test_a_file_that_is_replaced_or_removed_is_noticed(file):
    tifffile.imwrite(file, noise((3, 7, 9), "u1"), **GREY)
    volume = opened(file)
    read_all(volume)
    other = file.with_name("other.tif")
    tifffile.imwrite(other, noise((3, 7, 9), "u1", seed=2), **GREY)
    other.replace(file)
    with pytest.raises(StoreUnavailable, match="changed"):
        read_all(volume)
    file.unlink()
    with pytest.raises(ChunkMissing, match="not there"):
        read_all(volume)


def test_no_file_stays_open_and_a_caller_who_left_gets_nothing(file):
    tifffile.imwrite(file, noise((3, 7, 9), "u1"), **GREY)
    before = len(os.listdir("/proc/self/fd"))
    volume = opened(file)
    read_all(volume)
    context = CallContext()
    gone = opened(file, options=OpenOptions(context=context))
    context.stop.set()
    with pytest.raises(Cancelled):
        read_all(gone)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_chain_of_pages_that_bites_its_tail_ends(file):
    tifffile.imwrite(file, noise((2, 5, 7), "u1"), byteorder="<", **GREY)
    data = bytearray(file.read_bytes())
    start = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[start : start + 2])[0]
    pointer = start + 2 + 12 * count
    data[pointer : pointer + 4] = struct.pack("<I", start)
    file.write_bytes(data)
    with pytest.raises(MetadataInvalid, match="pages"):
        opened(file)
