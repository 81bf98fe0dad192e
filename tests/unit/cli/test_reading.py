"""read: the same voxels in every kind of file, whole or not at all."""

import os

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from support.array_volume import ArrayVolume, scale_of
from voxgate.cli.pictures import colours_of
from voxgate.cli.streaming import pieces
from voxgate.client.array import VolumeArray
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, covered_once
from voxgate.model.volumes import Scale, VolumeKind

BOX = "9:14,-10:-4,100:106"
CUT = np.s_[0:6, 1:7, 2:7]


def expected(client):
    return client.arrays["lab/em"].volume.arrays[0][0][CUT]


def test_an_npy_holds_the_box_in_zyx(voxgate, client):
    answer = voxgate("read", "lab/em", "--box", BOX, "-o", "crop.npy")
    assert answer.out == "crop.npy: zyx 6 x 6 x 5 uint16, x[9:14] y[-10:-4] z[100:106], 488 B\n"
    assert answer.err == ""
    np.testing.assert_array_equal(np.load("crop.npy"), expected(client))
    assert os.listdir() == ["crop.npy"]


def test_an_npy_takes_any_order_of_axes(voxgate, client):
    document = voxgate("read", "lab/em", "--box", BOX, "-o", "crop.npy", "--axes", "xyz", "--json").document
    assert document["shape"] == [5, 6, 6]
    assert document["axes"] == "xyz"
    assert document["box"] == {"start": {"x": 9, "y": -10, "z": 100}, "stop": {"x": 14, "y": -4, "z": 106}}
    read = np.load("crop.npy")
    np.testing.assert_array_equal(read, expected(client).transpose(2, 1, 0))
    assert read.flags.f_contiguous


def test_a_tif_has_a_page_for_each_z_and_the_voxel_size(voxgate, client):
    assert voxgate("read", "lab/em", "--box", BOX, "-o", "crop.tif").code == 0
    with tifffile.TiffFile("crop.tif") as file:
        assert len(file.pages) == 6
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), expected(client))
        assert file.shaped_metadata[0]["spacing"] == 40.0
        (numerator, denominator) = file.pages[0].tags["XResolution"].value
        assert numerator / denominator == 1e7 / 4


def test_ids_above_2_to_the_63_arrive_in_a_tif(voxgate, client):
    assert voxgate("read", "lab/deep/seg", "--box", ":,:,:", "-o", "seg.tif").code == 0
    np.testing.assert_array_equal(tifffile.imread("seg.tif"), client.arrays["lab/deep/seg"].volume.arrays[0][0])


def test_channels_are_an_axis_or_chosen(voxgate, client):
    whole = client.arrays["lab/dyes"].volume.arrays[0]
    assert voxgate("read", "lab/dyes", "--box", ":,:,101", "-o", "all.npy", "--axes", "xyzc").code == 0
    np.testing.assert_array_equal(np.load("all.npy"), whole[:, 1:2].transpose(3, 2, 1, 0))
    assert voxgate("read", "lab/dyes", "--box", ":,:,:", "-o", "all.tif").code == 0
    np.testing.assert_array_equal(tifffile.imread("all.tif"), whole)
    assert voxgate("read", "lab/dyes", "--box", ":,:,:", "-o", "blue.npy", "--channel", "blue").code == 0
    np.testing.assert_array_equal(np.load("blue.npy"), whole[2])
    assert voxgate("read", "lab/dyes", "--box", ":,:,:", "-o", "mauve.npy", "--channel", "mauve").code == 1


def test_times_are_an_axis_or_chosen(voxgate):
    whole = np.arange(240).reshape(4, 3, 4, 5)
    assert voxgate("read", "lab/movie", "--box", ":,-10:,:", "-o", "all.npy").code == 0
    np.testing.assert_array_equal(np.load("all.npy"), whole[:, :, 1:])
    assert voxgate("read", "lab/movie", "--box", ":,:,:", "--time", "2", "-o", "one.tif").code == 0
    np.testing.assert_array_equal(tifffile.imread("one.tif"), whole[2])
    assert "--time" in voxgate("read", "lab/movie", "--box", ":,:,101", "-o", "one.png").err
    assert voxgate("read", "lab/movie", "--box", ":,:,:", "--time", "4", "-o", "none.tif").code == 1


def test_nanometres_choose_the_box_too(voxgate, client):
    arguments = ("--start-nm", "36,-40,4000", "--stop-nm", "56,-16,4240")
    assert voxgate("read", "lab/em", *arguments, "-o", "crop.npy").code == 0
    np.testing.assert_array_equal(np.load("crop.npy"), expected(client))


@pytest.mark.parametrize(("box", "rows"), [(":,:,103", np.s_[3]), (":,-9,:", np.s_[:, 2]), ("10,:,:", np.s_[:, :, 3])])
def test_a_png_shows_a_plane_across_any_axis(voxgate, client, box, rows):
    assert voxgate("read", "lab/em", "--box", box, "-o", "plane.png").code == 0
    with Image.open("plane.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), client.arrays["lab/em"].volume.arrays[0][0][rows])


def test_a_png_of_segments_has_their_colours(voxgate, client):
    assert voxgate("read", "lab/deep/seg", "--box", ":,:,101", "-o", "plane.png").code == 0
    ids = client.arrays["lab/deep/seg"].volume.arrays[0][0, 1]
    with Image.open("plane.png") as picture:
        shown = np.asarray(picture)
    np.testing.assert_array_equal(shown, colours_of(ids))
    assert not shown[ids == 0].any()
    assert shown[ids != 0].max(axis=-1).min() >= 64


def test_colours_never_change_and_tell_neighbours_apart():
    # splitmix64's finaliser sends 1 to 0x5692161D100B05E5; the lowest bytes are red, green, blue, brightened.
    assert colours_of(np.array([0, 1], np.uint64)).tolist() == [[0, 0, 0], [235, 67, 72]]
    assert 64 + 0xE5 * 191 // 255 == 235
    colours = colours_of(np.arange(1, 1000, dtype=np.uint32)).astype(int)
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 0


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("lab/em", ("--box", BOX), "one plane"),
        ("lab/dyes", ("--box", ":,:,101"), "--channel"),
        ("lab/dyes", ("--box", ":,:,101", "--channel", "0"), "float32"),
    ],
)
def test_what_a_png_cannot_hold_is_refused_with_a_way_out(voxgate, name, arguments, says):
    answer = voxgate("read", name, *arguments, "-o", "plane.png")
    assert answer.code == 1
    assert says in answer.err
    assert os.listdir() == []


def test_an_existing_file_is_replaced_only_by_force(voxgate, client, tmp_path):
    (tmp_path / "crop.npy").write_text("precious")
    answer = voxgate("read", "lab/em", "--box", BOX, "-o", "crop.npy")
    assert (answer.code, client.opened) == (1, [])
    assert "--force" in answer.err
    assert (tmp_path / "crop.npy").read_text() == "precious"
    assert voxgate("read", "lab/em", "--box", BOX, "-o", "crop.npy", "--force").code == 0
    np.testing.assert_array_equal(np.load("crop.npy"), expected(client))


class FailsAtTheEnd(ArrayVolume):
    def read(self, box, **options):
        if box.stop.z == self.info.scales[0].bounds.stop.z:
            raise ChunkCorrupt("the last chunk cannot be decoded", "tell the operator")
        return super().read(box, **options)


@pytest.mark.parametrize("output", ["crop.npy", "crop.tif", "kept.npy"])
def test_a_read_that_fails_half_way_leaves_nothing(voxgate, client, tmp_path, output, monkeypatch):
    (tmp_path / "kept.npy").write_text("precious")
    volume = FailsAtTheEnd([np.zeros((1, 6, 7, 8), np.uint8)], [scale_of((6, 7, 8))])
    client.arrays["lab/em"] = VolumeArray(volume)
    monkeypatch.setattr("voxgate.cli.streaming.PIECE_BYTES", 1)
    answer = voxgate("read", "lab/em", "--box", ":,:,:", "-o", output, "--force")
    assert len(volume.reads) > 1
    assert answer.code == 1
    assert "cannot be decoded" in answer.err
    assert os.listdir() == ["kept.npy"]
    assert (tmp_path / "kept.npy").read_text() == "precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "a.npy"),
        ("--box", "1:2,3:4", "-o", "a.npy"),
        ("--box", "1:2,3:4,x", "-o", "a.npy"),
        ("--box", BOX, "--start-nm", "0,0,0", "-o", "a.npy"),
        ("--start-nm", "0,0", "--stop-nm", "1,1,1", "-o", "a.npy"),
        ("--box", BOX, "-o", "a.jpg"),
        ("--box", BOX, "-o", "nowhere/a.npy"),
        ("--box", BOX, "-o", "a.tif", "--axes", "xyz"),
        ("--box", BOX),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_where_help_is(voxgate, arguments):
    answer = voxgate("read", "lab/em", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "voxgate read --help" in answer.err
    assert voxgate("read", "lab/em", *arguments, "--json").error["reason"] == "USAGE"


@pytest.mark.parametrize(("box", "reason"), [("0:3,0:3,0:3", "OUT_OF_BOUNDS"), ("9:9,:,:", "EMPTY_BOX")])
def test_a_box_that_cannot_be_read_makes_no_file(voxgate, box, reason):
    answer = voxgate("read", "lab/em", "--box", box, "-o", "a.npy", "--json")
    assert (answer.code, answer.error["reason"]) == (1, reason)
    assert os.listdir() == []


SMALL = st.integers(1, 9)


@given(
    start=st.tuples(*[st.integers(-30, 30)] * 3),
    extent=st.tuples(SMALL, SMALL, SMALL),
    chunk=st.tuples(SMALL, SMALL, SMALL),
    origin=st.tuples(*[st.integers(-9, 9)] * 3),
    piece_bytes=st.integers(1, 2000),
)
def test_pieces_cover_a_box_once_and_cut_it_on_the_grid_only(start, extent, chunk, origin, piece_bytes):
    box = Box.at(Vec3(*start), Vec3(*extent))
    scale = Scale("0", box, Vec3(*chunk), Vec3(*chunk), Vec3(*origin))
    cut = list(pieces(scale, box, 2, piece_bytes=piece_bytes))
    assert covered_once(box, cut)
    for piece in cut:
        for axis in "xyz":
            at = getattr(piece.start, axis)
            on_grid = (at - getattr(scale.grid_origin, axis)) % getattr(scale.stored_chunk_shape, axis) == 0
            assert on_grid or at == getattr(box.start, axis)
        assert len(cut) == 1 or piece.voxel_count * 2 <= max(piece_bytes, 2 * scale.stored_chunk_shape.product)


def test_unknown_kinds_of_wide_numbers_are_coloured(voxgate, client):
    volume = ArrayVolume([np.full((1, 1, 4, 5), 9, np.uint64)], [scale_of((1, 4, 5))], kind=VolumeKind.UNKNOWN)
    client.arrays["lab/em"] = VolumeArray(volume)
    assert voxgate("read", "lab/em", "--box", ":,:,:", "-o", "plane.png").code == 0
    with Image.open("plane.png") as picture:
        assert picture.mode == "RGB"
