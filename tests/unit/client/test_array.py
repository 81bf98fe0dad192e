"""What a VolumeArray says, selects, reads, writes and asks of segments."""

import numpy as np
import pytest

from support.array_volume import ALL_POWERS, OFFSET, ArrayVolume, image, movie, multichannel, scale_of, segmentation
from voxgate.client.array import VolumeArray
from voxgate.model.errors import (
    DataTypeMismatch,
    EmptyBox,
    FailedPrecondition,
    InvalidArgument,
    InvalidSegmentId,
    MissingCapability,
    OutOfBounds,
    ReadOnly,
    SegmentNotFound,
    ShapeMismatch,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind

BIG, HUGE, SMALL = (1 << 53) + 1, (1 << 63) + 5, 7


def sized(*sizes):
    """A volume with one scale for each voxel size."""
    scales = [scale_of((3, 4, 5), size=size and VoxelSize(*size), key=str(i)) for i, size in enumerate(sizes)]
    return VolumeArray(ArrayVolume([np.zeros((1, 3, 4, 5), np.uint8)] * len(sizes), scales))


# Description


def test_an_array_says_what_it_is():
    array = VolumeArray(segmentation())
    assert (array.shape, array.ndim, array.size, array.dtype) == ((3, 4, 6), 3, 72, np.uint64)
    assert (array.axes, array.name, array.kind, array.nbytes) == ("zyx", "lab/thing", VolumeKind.SEGMENTATION, 576)
    assert array.voxel_size_nm == VoxelSize(4.0, 4.0, 40.0)
    assert array.bounds == Box.of(x=(8, 14), y=(-12, -8), z=(100, 103))
    assert array.capabilities == ("read", "write", "segments", "meshes")
    assert VolumeArray(image()).capabilities == ("read",)
    assert len(array.scales) == 2


def test_its_picture_names_axes_scale_and_bounds():
    array = VolumeArray(segmentation()).as_axes("xyz")
    assert "lab/thing (x=6, y=4, z=3) uint64 segmentation, scale 0 of 2, voxel 4 x 4 x 40 nm" in repr(array)
    assert "<th>axes</th><td>xyz</td>" in array._repr_html_()


def test_nothing_about_an_array_can_be_changed():
    array = VolumeArray(image())
    for name in ("shape", "axes", "scale_index", "mip"):
        with pytest.raises(AttributeError):
            setattr(array, name, 1)


# Views


def test_scales_are_chosen_by_index_or_key_and_leave_the_array_alone():
    array = VolumeArray(segmentation())
    assert array.scale(1).shape == array.scale("half").shape == (3, 2, 3)
    assert array.shape == (3, 4, 6)
    np.testing.assert_array_equal(np.asarray(array.scale(1)), array.volume.arrays[1][0])


@pytest.mark.parametrize("scale", [2, -1, "quarter"])
def test_a_scale_that_does_not_exist_is_named(scale):
    with pytest.raises(UnknownScale, match=str(scale)):
        VolumeArray(segmentation()).scale(scale)


@pytest.mark.parametrize("axes", ["zy", "zyxc", "zzx", "", "abc"])
def test_what_is_no_order_of_the_axes_is_refused(axes):
    with pytest.raises(InvalidArgument, match="not an order"):
        VolumeArray(image()).as_axes(axes)


@pytest.mark.parametrize("channel", [2, "blue"])
def test_a_bound_channel_drops_its_axis(channel):
    volume = multichannel()
    blue = VolumeArray(volume).as_axes("xczy").sel(channel=channel)
    assert blue.axes == "xzy"
    assert [c.name for c in blue.channels] == ["blue"]
    np.testing.assert_array_equal(blue[1:3], volume.arrays[0][2].transpose(2, 0, 1)[1:3])
    np.testing.assert_array_equal(blue.read(blue.bounds), volume.arrays[0][2].transpose(2, 0, 1))
    with pytest.raises(InvalidArgument, match="bound already"):
        blue.sel(channel=0)


@pytest.mark.parametrize("channel", [3, -1, "mauve"])
def test_a_channel_that_does_not_exist_is_out_of_bounds(channel):
    with pytest.raises(OutOfBounds):
        VolumeArray(multichannel()).sel(channel=channel)


def test_a_name_that_two_channels_share_does_not_choose_one():
    with pytest.raises(OutOfBounds, match="several"):
        VolumeArray(multichannel(channels=("dye", "dye", "em"))).sel(channel="dye")


def test_a_bound_time_drops_its_axis():
    array = movie()
    whole = np.arange(240).reshape(4, 3, 4, 5)
    assert (array.axes, array.shape) == ("tzyx", (4, 3, 4, 5))
    assert array.sel(time=3).axes == "zyx"
    np.testing.assert_array_equal(array.sel(time=3)[1:], whole[3, 1:])
    np.testing.assert_array_equal(array.read(array.bounds), whole)
    with pytest.raises(OutOfBounds):
        array.sel(time=4)
    with pytest.raises(InvalidArgument, match="does not exist"):
        VolumeArray(image()).sel(time=0)


def test_without_a_way_to_reopen_the_time_is_the_one_it_was_opened_at():
    array = VolumeArray(movie().sel(time=2).volume)
    assert array.axes == "zyx"
    np.testing.assert_array_equal(array[:], np.arange(240).reshape(4, 3, 4, 5)[2])
    with pytest.raises(InvalidArgument, match="bound already"):
        array.sel(time=0)


@pytest.mark.parametrize(
    ("wish", "choose", "index"),
    [
        ((8, 8, 40), "exact", 1),
        ((8, 8, 40), "nearest", 1),
        ((10, 10, 40), "finer", 1),
        ((10, 10, 40), "coarser", 2),
        ((10, 8, 40), "finer", 1),
        ((16, 16, 20), "coarser", 2),
        ((16, 16, 30), "coarser", 2),
        ((1000, 1000, 1000), "nearest", 2),
        ((0.1, 0.1, 0.1), "coarser", 0),
        ((1000, 1000, 1000), "finer", 2),
    ],
)
def test_a_resolution_chooses_the_scale(wish, choose, index):
    array = sized((4, 4, 40), (8, 8, 40), (16, 16, 40), None)
    assert array.at_resolution(wish, choose=choose).scale_index == index


@pytest.mark.parametrize(
    ("wish", "choose"), [((40, 8, 8), "exact"), ((4, 4, 39), "finer"), ((16, 16, 41), "coarser"), ((8, 8, 8), "exact")]
)
def test_a_resolution_that_no_scale_has_lists_those_there_are(wish, choose):
    with pytest.raises(UnknownScale, match=r"0: 4 x 4 x 40 nm, 1: 16 x 16 x 40 nm"):
        sized((4, 4, 40), (16, 16, 40)).at_resolution(wish, choose=choose)


def test_scales_of_unknown_size_answer_no_resolution():
    with pytest.raises(UnknownScale, match="unknown size"):
        sized(None, None).at_resolution((8, 8, 8), choose="nearest")
    with pytest.raises(InvalidArgument, match="not a choice"):
        sized((4, 4, 4)).at_resolution((4, 4, 4), choose="best")


def test_scales_are_compared_whatever_their_order_in_the_store():
    array = sized((16, 16, 40), (4, 4, 40), (8, 8, 40))
    assert array.at_resolution((9, 9, 40), choose="finer").scale_index == 2
    assert array.at_resolution((9, 9, 40), choose="coarser").scale_index == 0


# Reading


def test_a_box_is_read_in_global_coordinates_and_own_axes():
    volume = image()
    box = Box.at(OFFSET + Vec3(1, 2, 0), Vec3(3, 1, 2))
    np.testing.assert_array_equal(VolumeArray(volume).read(box), volume.arrays[0][0, 0:2, 2:3, 1:4])
    np.testing.assert_array_equal(
        VolumeArray(volume).as_axes("xzy").read(box), volume.arrays[0][0, 0:2, 2:3, 1:4].transpose(2, 0, 1)
    )


def test_another_scale_is_read_with_its_own_box():
    array = VolumeArray(segmentation())
    box = Box.of(x=(4, 6), y=(-6, -5), z=(100, 103))
    np.testing.assert_array_equal(array.read(box, scale="half"), array.volume.arrays[1][0, :, :1, :2])


def test_channels_are_read_in_the_order_asked_for():
    volume = multichannel()
    array = VolumeArray(volume)
    np.testing.assert_array_equal(array.read(array.bounds, channels=["blue", 0]), volume.arrays[0][[2, 0]])
    with pytest.raises(InvalidArgument, match="channels"):
        VolumeArray(image()).read(array.bounds, channels=[0])


def test_an_out_array_of_any_strides_is_filled_and_answered():
    volume = multichannel()
    array = VolumeArray(volume).as_axes("xyzc")
    out = np.zeros((10, 4, 2, 3), np.float32)[::2]
    assert array.read(array.bounds, out=out) is out
    np.testing.assert_array_equal(out, volume.arrays[0].transpose(3, 2, 1, 0))
    with pytest.raises(ShapeMismatch, match="xyzc"):
        array.read(array.bounds, out=np.zeros((5, 4, 2, 2), np.float32))
    with pytest.raises(DataTypeMismatch):
        array.read(array.bounds, out=np.zeros((5, 4, 2, 3)))


def test_an_out_array_with_time_is_filled():
    array = movie()
    out = np.zeros((4, 3, 4, 5), np.int32)
    array.read(array.bounds, out=out)
    np.testing.assert_array_equal(out, np.arange(240).reshape(4, 3, 4, 5))


def test_nanometres_are_grown_to_whole_voxels():
    volume = image()
    array = VolumeArray(volume)
    # Voxels are 4 x 4 x 40 nm and start at (7, -11, 100).
    got = array.read(start_nm=(33, -40, 4000), stop_nm=(36.5, -32, 4081))
    assert volume.reads[0][0] == Box.of(x=(8, 10), y=(-10, -8), z=(100, 103))
    assert got.shape == (3, 2, 2)


def test_nanometres_on_the_border_of_voxels_are_exact_in_spite_of_rounding():
    array = sized((0.1, 0.3, 0.7))
    for n in range(1, 400):
        box = array.box_between((0.1 * n, 0.3 * n, 0.7 * n), (0.1 * (n + 2), 0.3 * (n + 2), 0.7 * (n + 2)))
        assert box == Box.at(Vec3(n, n, n), Vec3(2, 2, 2))
        np.testing.assert_array_equal(array.to_voxels((0.1 * n, 0.3 * n, 0.7 * n)), [n, n, n])


def test_bad_boxes_are_refused():
    array = VolumeArray(image())
    with pytest.raises(EmptyBox):
        array.read(start_nm=(33, -40, 4000), stop_nm=(36, -40, 4080))
    with pytest.raises(OutOfBounds):
        array.read(Box.at(OFFSET, Vec3(6, 1, 1)))
    for arguments in ({}, {"start_nm": (0, 0, 0)}, {"box": array.bounds, "stop_nm": (9, 9, 9)}):
        with pytest.raises(InvalidArgument, match="either"):
            array.read(**arguments)
    with pytest.raises(InvalidArgument, match="x, y, z"):
        array.read(start_nm=(1, 2), stop_nm=(3, 4))


def test_boxes_around_points_have_one_shape_and_the_point_in_the_middle():
    array = VolumeArray(image())
    shapes = set()
    for offset in np.linspace(0, 8, 17):
        box = array.box_around((40 + offset, -36 + offset, 4020 + offset), (12, 8, 100))
        shapes.add(box.shape)
        point = Vec3(*array.to_voxels((40 + offset, -36 + offset, 4020 + offset)))
        assert point - box.start == Vec3(1, 1, 1)
    assert shapes == {Vec3(3, 2, 2)}
    assert array.around((37, -33, 4050), 8).shape == (1, 2, 2)
    with pytest.raises(OutOfBounds):
        array.around((28, -44, 4000), 80)
    with pytest.raises(InvalidArgument):
        array.around((28, -44, 4000), 0)


def test_voxels_and_nanometres_convert_both_ways():
    array = VolumeArray(image())
    points = np.array([[8, -10, 100], [9, -11, 102]])
    np.testing.assert_array_equal(array.to_nm(points), points * [4, 4, 40])
    np.testing.assert_array_equal(array.to_nm((8, -10, 100), center=True), [34, -38, 4020])
    np.testing.assert_array_equal(array.to_voxels(array.to_nm(points)), points)
    np.testing.assert_array_equal(array.to_voxels(array.to_nm(points, center=True)), points)
    np.testing.assert_array_equal(array.to_voxels([Vec3(3, -1, 79)]), [[0, -1, 1]])
    assert array.to_voxels([]).shape == (0, 3)


def test_unknown_voxel_sizes_give_no_nanometres():
    array = sized(None)
    for ask in (lambda: array.to_nm((1, 2, 3)), lambda: array.around((1, 2, 3), 4)):
        with pytest.raises(FailedPrecondition, match="unknown"):
            ask()


# Segments


def test_segments_are_listed_by_id_or_by_size():
    array = VolumeArray(segmentation())
    assert array.segments().ids == [SMALL, BIG, HUGE]
    largest = array.segments(top=2)
    assert (largest.ids, largest.voxel_counts, len(largest)) == ([HUGE, BIG], [16, 12], 2)
    assert [count.segment_id for count in largest] == [HUGE, BIG]
    assert largest[0].voxel_count == 16
    assert largest[1:].ids == [BIG]
    assert str(HUGE) in repr(largest)
    assert array.segments(box=Box.of(x=(13, 14), y=(-9, -8), z=(102, 103))).ids == [SMALL]
    assert array.scale(1).segments(top=1).voxel_counts == [4]
    with pytest.raises(InvalidArgument):
        array.segments(top=0)


def test_ids_at_points_keep_all_their_bits():
    array = VolumeArray(segmentation())
    assert array.at([(8, -12, 100), (10, -9, 101), (13, -9, 102), (8, -9, 100)]) == [BIG, HUGE, SMALL, 0]
    assert array.at(Vec3(10, -9, 101)) == [HUGE]
    assert array.at(np.array([[10, -9, 101]])) == [HUGE]
    with pytest.raises(InvalidArgument, match="whole voxels"):
        array.at([(8.5, -12, 100)])


def test_a_volume_without_segment_index_says_what_to_do():
    with pytest.raises(MissingCapability, match="needs a segmentation"):
        VolumeArray(image()).segments()
    with pytest.raises(MissingCapability, match="connect") as caught:
        VolumeArray(image(kind=VolumeKind.SEGMENTATION)).at((1, 2, 3))
    assert caught.value.details == {"capability": "SegmentIndex"}


def test_a_mesh_shows_what_it_is_without_its_numbers():
    picture = repr(VolumeArray(segmentation()).mesh(HUGE))
    assert picture == f"<Mesh of segment {HUGE}: 3 vertices, 1 faces, scale 0, computed>"


def test_meshes_come_in_the_order_asked_for():
    array = VolumeArray(segmentation())
    seen = []
    meshes = array.meshes([HUGE, np.uint64(BIG), str(HUGE)], progress=lambda *step: seen.append(step))
    assert [mesh.segment_id for mesh in meshes] == [HUGE, BIG, HUGE]
    assert seen == [("mesh", 1, 2)] * 2
    assert array.mesh(BIG, scale="half").scale == 1
    assert array.scale(1).mesh(BIG).scale == 1
    assert array.meshes([]) == []


def test_the_first_segment_that_fails_is_raised():
    with pytest.raises(SegmentNotFound, match="segment 3 "):
        VolumeArray(segmentation()).meshes([BIG, 3, 4])


@pytest.mark.parametrize("segment_id", [0, -1, 1 << 64, 1.0, np.float64(7), "seven", None])
def test_what_is_no_segment_id_is_refused(segment_id):
    with pytest.raises(InvalidSegmentId):
        VolumeArray(segmentation()).mesh(segment_id)


# Writing


def test_a_write_goes_to_its_box_in_own_axes():
    volume = multichannel(powers=ALL_POWERS)
    array = VolumeArray(volume).as_axes("xyzc")
    new = np.random.default_rng(5).random((2, 3, 1, 3), np.float32)
    array.write(Box.at(OFFSET + Vec3(2, 1, 1), Vec3(2, 3, 1)), new)
    np.testing.assert_array_equal(volume.arrays[0][:, 1:2, 1:4, 2:4], new.transpose(3, 2, 1, 0))
    np.testing.assert_array_equal(array[2:4, 1:4, 1:2], new)


def test_a_write_is_neither_cast_nor_broadcast():
    array = VolumeArray(image(powers=ALL_POWERS))
    with pytest.raises(DataTypeMismatch, match="int64"):
        array.write(array.bounds, np.zeros((3, 4, 5), np.int64))
    with pytest.raises(DataTypeMismatch, match=">u2"):
        array.write(array.bounds, np.zeros((3, 4, 5), ">u2"))
    with pytest.raises(ShapeMismatch, match="zyx"):
        array.write(array.bounds, np.zeros((5, 4, 3), np.uint16))


def test_assigning_is_neither_cast_nor_partial():
    array = VolumeArray(image(powers=ALL_POWERS))
    array[0] = np.arange(5, dtype=np.uint16)
    np.testing.assert_array_equal(array[0], [np.arange(5)] * 4)
    with pytest.raises(OverflowError):
        array[0] = 1 << 16
    for value in (1.0, np.int64(3), True, np.zeros(5)):
        with pytest.raises(DataTypeMismatch):
            array[0] = value
    with pytest.raises(ValueError, match="broadcast"):
        array[0] = np.zeros((4, 4), np.uint16)
    channels = VolumeArray(multichannel(powers=ALL_POWERS))
    for write in (lambda: channels.__setitem__(0, 1), lambda: channels.sel(channel=0).__setitem__(0, 1)):
        with pytest.raises(InvalidArgument, match="channel"):
            write()
    channels[:, 1, 2:] = 2.5
    assert (channels.volume.arrays[0] == 2.5).sum() == 3 * 2 * 5


def test_what_takes_no_writes_says_so():
    array = VolumeArray(image())
    with pytest.raises(ReadOnly, match="writable = true"):
        array.write(array.bounds, np.zeros((3, 4, 5), np.uint16))
    with pytest.raises(ReadOnly):
        array[0] = 1
    with pytest.raises(InvalidArgument, match="time"):
        movie()[0] = 1
