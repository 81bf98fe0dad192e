"""What HDF5 attributes say of axes, voxel size, place and meaning, and what is guessed or refused where they do not."""

import json

import h5py
import numpy as np
import pytest

from support.hdf5_volumes import FORMAT, SHAPE, TIME, bdv_two_scales_two_times, cremi_labels, opened, write_bdv
from support.references import image
from voxgate.model.errors import (
    ConfigContradictsStore,
    InvalidArgument,
    MetadataInvalid,
    OutOfBounds,
    PathRefused,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, VolumeKind


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.h5"


def dataset(file, shape=SHAPE, name="em", labels=(), **attributes):
    with h5py.File(file, "w") as root:
        made = root.create_dataset(name, data=image(shape))
        made.attrs.update(attributes)
        for dimension, label in zip(made.dims, labels, strict=False):
            dimension.label = label
    return tuple(name.split("/"))


def described(file, inner=("em",), **stated):
    """The axes, first voxel, voxel size and what was inferred."""
    info = opened(file, inner, **stated).info
    return info.axes, info.scales[0].bounds.start, info.scales[0].voxel_size_nm, set(info.inferred)


def tags(axes):
    return json.dumps({"axes": [{"key": key, "typeFlags": 2, "resolution": 0, "description": ""} for key in axes]})


def test_three_unnamed_axes_are_taken_for_zyx_and_said_to_be_inferred(file):
    dataset(file)
    assert described(file) == ("zyx", Vec3(0, 0, 0), None, {"axes", "voxel_offset"})
    assert opened(file, ("em",)).info.kind is VolumeKind.UNKNOWN


@pytest.mark.parametrize("shape", [(2, *SHAPE), (2, 3, *SHAPE)])
def test_more_unnamed_axes_are_refused_until_they_are_stated(file, shape):
    dataset(file, shape)
    with pytest.raises(UnsupportedFormat, match="state `axes`"):
        opened(file, ("em",))
    axes = {4: "czyx", 5: "tczyx"}[len(shape)]
    time = OpenOptions(time_index=1) if "t" in axes else OpenOptions()
    volume = opened(file, ("em",), time, axes=axes)
    expected = image(shape)[1] if "t" in axes else image(shape)
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), expected)
    assert "axes" not in volume.info.inferred


def test_a_stated_number_of_axes_has_to_fit(file):
    dataset(file)
    with pytest.raises(UnsupportedFormat, match="3 axes, 4 are named"):
        opened(file, ("em",), axes="czyx")


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (("x", "y", "z"), "zyx"),
        (("Z", "Y", "X"), "zyx"),
        (("Time", "y", "x"), "tzyx"),
        (("y", "x", "channels"), "czyx"),
    ],
)
def test_dimension_labels_name_the_axes(file, labels, axes):
    dataset(file, labels=labels)
    found = opened(file, ("em",), OpenOptions(time_index=TIME if "t" in axes else None))
    assert found.info.axes == axes
    assert "axes" not in found.info.inferred
    voxels = found.read(found.info.scales[0].bounds)
    letters = [label[0].lower() for label in labels]
    whole = image(SHAPE)[TIME] if "t" in axes else image(SHAPE)
    letters = [letter for letter in letters if letter != "t"]
    whole = whole.transpose([letters.index(letter) for letter in "czyx" if letter in letters])
    np.testing.assert_array_equal(voxels.reshape(whole.shape), whole)


@pytest.mark.parametrize("labels", [("z", "y", "angle"), ("z", "y"), ("z", "x", "x"), ("q", "y", "x"), ("z", "t", "c")])
def test_an_axis_that_cannot_be_named_is_refused_and_can_be_stated(file, labels):
    dataset(file, labels=labels)
    with pytest.raises(UnsupportedFormat, match="cannot all be named"):
        opened(file, ("em",))
    assert described(file, axes="zyx")[0] == "zyx"


def test_stated_axes_that_contradict_the_file_are_an_error(file):
    dataset(file, labels="xyz")
    with pytest.raises(ConfigContradictsStore):
        opened(file, ("em",), axes="zyx")
    dataset(file, axistags=tags("zyx"))
    with pytest.raises(ConfigContradictsStore):
        opened(file, ("em",), axes="xyz")


@pytest.mark.parametrize("said", ["zyx", "{", '{"axes": 3}', '{"axes": [{"name": "z"}]}', "[" * 100_000])
def test_axistags_that_are_none_are_refused(file, said):
    dataset(file)
    with h5py.File(file, "r+", libver="latest") as root:
        root["em"].attrs["axistags"] = said
    with pytest.raises(MetadataInvalid):
        opened(file, ("em",))


def test_axistags_of_another_rank_are_refused(file):
    dataset(file, axistags=tags("czyx"))
    with pytest.raises(UnsupportedFormat):
        opened(file, ("em",))


def test_cremi_says_axes_size_place_and_meaning(file):
    cremi_labels(file)
    assert described(file, ("volumes", "raw")) == ("zyx", Vec3(0, 0, 0), VoxelSize(4, 4, 40), {"voxel_offset"})
    assert opened(file, ("volumes", "raw")).info.kind is VolumeKind.IMAGE
    inner = ("volumes", "labels", "neuron_ids")
    assert described(file, inner) == ("zyx", Vec3(-2, 9, 5), VoxelSize(4, 4, 40), set())
    assert opened(file, inner).info.kind is VolumeKind.SEGMENTATION
    with pytest.raises(ConfigContradictsStore):
        opened(file, inner, voxel_offset=(0, 9, 5))


@pytest.mark.parametrize(
    ("attributes", "start", "size", "guessed"),
    [
        ({"element_size_um": (0.04, 0.005, 0.004)}, Vec3(0, 0, 0), VoxelSize(4, 5, 40), {"voxel_offset"}),
        ({"resolution": (40, 5, 4)}, Vec3(0, 0, 0), VoxelSize(4, 5, 40), {"voxel_size_nm", "voxel_offset"}),
        ({"voxel_size": (40, 5, 4), "units": ["nm"] * 3}, Vec3(0, 0, 0), VoxelSize(4, 5, 40), {"voxel_offset"}),
        (
            {"resolution": (0.04, 0.005, 0.004), "unit": "um", "offset": (0.12, -0.01, 0.4)},
            Vec3(100, -2, 3),
            VoxelSize(4, 5, 40),
            {"voxel_offset"},
        ),
        ({"offset": (0, 0, 0)}, Vec3(0, 0, 0), None, {"voxel_offset"}),
    ],
)
def test_sizes_and_offsets_are_those_of_the_attributes(file, attributes, start, size, guessed):
    dataset(file, **attributes)
    _, found_start, found_size, inferred = described(file)
    assert found_start == start
    assert inferred == guessed | {"axes"}
    assert (found_size is None) == (size is None)
    if size is not None:
        np.testing.assert_allclose(tuple(found_size), tuple(size))


def test_attributes_are_in_the_order_of_the_axes_of_space(file):
    dataset(file, (2, 11, 17, 29), axis_names=["c^", "x", "y", "z"], units=["nm", "nm", "nm"],
            resolution=(4, 5, 40), offset=(8, 15, 200))  # fmt: skip
    assert described(file) == ("czyx", Vec3(2, 3, 5), VoxelSize(4, 5, 40), {"voxel_offset"})


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"resolution": (40, 5, 4), "offset": (60, 0, 0)}, UnsupportedFormat),
        ({"resolution": (40, 5, 4), "offset": (np.nan, 0, 0)}, UnsupportedFormat),
        ({"resolution": (40, 5, 4), "offset": (1e308, -np.inf, 0)}, UnsupportedFormat),
        ({"offset": (1, 2, 3)}, UnsupportedFormat),
        ({"resolution": (40, 5, 4), "unit": "parsec"}, UnsupportedFormat),
        ({"resolution": (40, 5, 4), "units": ["nm", "um", "nm"]}, UnsupportedFormat),
        ({"resolution": (40, 0, 4)}, MetadataInvalid),
        ({"resolution": (40, -5, 4)}, MetadataInvalid),
        ({"resolution": (40, np.inf, 4)}, MetadataInvalid),
        ({"resolution": 40}, MetadataInvalid),
        ({"resolution": "fine"}, MetadataInvalid),
        ({"element_size_um": (1, 2)}, MetadataInvalid),
    ],
)
def test_attributes_that_say_nothing_whole_are_refused(file, attributes, error):
    dataset(file, **attributes)
    with pytest.raises(error) as caught:
        opened(file, ("em",))
    assert caught.value.remedy


def test_what_the_file_leaves_open_the_operator_states(file):
    dataset(file, resolution=(40, 5, 4), offset=(60, 0, 0), unit="parsec")
    stated = {"voxel_size_nm": (1, 2, 3), "voxel_offset": (7, 8, 9), "axes": "zyx"}
    assert described(file, **stated) == ("zyx", Vec3(7, 8, 9), VoxelSize(1, 2, 3), set())


def test_references_and_other_attributes_do_not_matter(file):
    dataset(file)
    with h5py.File(file, "r+") as root:
        root["em"].attrs["reference"] = root["em"].ref
        root["em"].attrs["nothing"] = h5py.Empty("f4")
    assert described(file)[0] == "zyx"


def bdv(file, times, factors=((1, 1, 1), (2, 2, 1)), **attributes):
    write_bdv(file, times, list(factors), **attributes)
    return FORMAT


def two_levels(dtype="<u2"):
    return [image(SHAPE, dtype), image((11, 9, 15), dtype)]


def test_setups_of_bigdataviewer_are_volumes_and_their_parts_are_not(file):
    bdv_two_scales_two_times(file)
    form = FORMAT
    assert {entry.segment: entry.is_volume for entry in form.list(file, ())} == {"s00": True}
    assert form.list(file, ("s00",)) == []
    part = ("t00000", "s00", "0", "cells")
    assert not form.is_volume(file, part)
    with pytest.raises(UnsupportedFormat, match="'s00'"):
        opened(file, part)
    with pytest.raises(UnknownVolume):
        opened(file, ("s01",))
    with pytest.raises(UnknownVolume):
        opened(file, ("t00000", "s00"))
    with pytest.raises(OutOfBounds):
        opened(file, ("s00",), OpenOptions(time_index=2))
    undecided = opened(file, ("s00",))
    with pytest.raises(InvalidArgument):
        undecided.read(undecided.info.scales[0].bounds)
    assert undecided.info.inferred == ("voxel_offset",)
    assert undecided.info.scales[1].voxel_size_nm is None


@pytest.mark.parametrize(
    ("stored", "attributes", "served"),
    [
        ("<i2", {}, "<u2"),
        ("<i2", {"dataType": "int16"}, "<i2"),
        ("u1", {"dataType": "uint8"}, "u1"),
        ("<f4", {}, "<f4"),
    ],
)
def test_16_bit_setups_are_unsigned_unless_they_say_otherwise(file, stored, attributes, served):
    levels = two_levels(stored)
    bdv(file, [levels], **attributes)
    volume = opened(file, ("s00",), OpenOptions(time_index=0))
    assert volume.info.dtype == np.dtype(served)
    for scale, array in enumerate(levels):
        found = volume.read(volume.info.scales[scale].bounds, scale=scale)
        np.testing.assert_array_equal(found[0], array.view(served))


def test_unsigned_setups_in_one_piece_are_not_clipped(file):
    voxels = image(SHAPE, ">i2")
    with h5py.File(file, "w") as root:
        root["s00/resolutions"] = np.ones((1, 3))
        root["t00000/s00/0/cells"] = voxels
    volume = opened(file, ("s00",), OpenOptions(time_index=0))
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], voxels.astype("<i2").view("<u2"))


def test_times_that_are_not_stored_are_refused_and_others_keep_their_number(file):
    bdv(file, [two_levels(), two_levels(), two_levels()])
    with h5py.File(file, "r+") as root:
        del root["t00001/s00"]
    volume = opened(file, ("s00",), OpenOptions(time_index=2))
    assert volume.info.time_count == 3
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], two_levels()[0])
    gap = opened(file, ("s00",), OpenOptions(time_index=1))
    with pytest.raises(OutOfBounds, match="not stored"):
        gap.read(gap.info.scales[0].bounds)


def test_a_time_of_another_shape_is_refused(file):
    bdv(file, [two_levels(), [image((11, 17, 30), "<u2"), image((11, 9, 15), "<u2")]])
    volume = opened(file, ("s00",), OpenOptions(time_index=1))
    with pytest.raises(MetadataInvalid):
        volume.read(volume.info.scales[0].bounds)


def test_times_in_other_files_are_not_followed(file):
    bdv(file, [two_levels()])
    with h5py.File(file, "r+") as root:
        root["t00001"] = h5py.ExternalLink("part.h5", "/t00001")
    with pytest.raises(PathRefused):
        opened(file, ("s00",))


@pytest.mark.parametrize(
    "factors", [[(1, 1, 1)], [(1, 1, 1), (2, 0, 1)], [(1, 1, 1), (2, np.nan, 1)], [(1, 1), (2, 2)]]
)
def test_resolutions_that_do_not_fit_the_levels_are_refused(file, factors):
    bdv(file, [two_levels()], factors)
    with pytest.raises(MetadataInvalid):
        opened(file, ("s00",))


def test_an_offset_that_a_factor_does_not_divide_is_rounded_down_and_inferred(file):
    bdv(file, [two_levels()], [(1, 1, 1), (2, 3, 1)])
    info = opened(file, ("s00",), voxel_offset=(-3, 4, 5)).info
    assert [scale.bounds.start for scale in info.scales] == [Vec3(-3, 4, 5), Vec3(-2, 1, 5)]
    assert info.inferred == ("voxel_offset",)
