from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.standin_volumes import image, one_scale, segmentation, two_channels
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_gateway.backend import Described, VolumeRef
from voxgate_gateway.viewer.places import likeness
from voxgate_gateway.viewer.scene import Layer, Wish, scene

EM, SEG = image()[0], segmentation()[0]


def layer(info, version="", window=None):
    return Layer(Described(VolumeRef(info.name, version), info, 2 << 20), window)


def box_of(kind, start, shape, size=(8.0, 8.0, 33.0), name="lab/x"):
    scale = one_scale("s", Vec3(*start), Vec3(*shape), Vec3(16, 16, 16), VoxelSize(*size))
    return VolumeInfo(name, np.dtype("u1"), kind, (scale,))


def test_a_scene_is_in_the_middle_of_the_first_volume_in_its_own_voxels():
    told = scene([layer(EM)], Wish())
    assert told["dimensions"] == {"x": [8e-09, "m"], "y": [8e-09, "m"], "z": [3.3e-08, "m"]}
    assert told["position"] == [15.5, 1019, 35.5]
    assert told["layers"] == [{"name": "em", "source": "ng/lab/em/-", "type": "image"}]


def test_segments_lie_over_images_and_ids_are_texts():
    told = scene([layer(SEG), layer(EM)], Wish((2**64 - 3, 7), (1.5, 2, 3)))
    assert [each["type"] for each in told["layers"]] == ["image", "segmentation"]
    assert told["layers"][1]["segments"] == ["18446744073709551613", "7"]
    assert told["position"] == [1.5, 2, 3]
    assert not told["showSlices"]
    assert told["dimensions"]["z"] == [4e-08, "m"]


def test_a_version_and_odd_names_are_in_the_address_of_a_source():
    told = scene([layer(replace(EM, name="lab/a%20b"), "v/1")], Wish())
    assert told["layers"][0]["source"] == "ng/lab/a%20b@v/1/-"


def test_volumes_of_one_last_name_keep_their_whole_names():
    told = scene([layer(replace(EM, name="a/x")), layer(replace(SEG, name="b/x"))], Wish())
    assert [each["name"] for each in told["layers"]] == ["a/x", "b/x"]


def test_channels_are_added_up_each_in_its_colour():
    told = scene([layer(two_channels()[0], window=(3.0, 9.5))], Wish())
    (shown,) = told["layers"]
    assert "#uicontrol invlerp c1(channel=1)" in shown["shader"]
    assert shown["shaderControls"] == {"c0": {"range": [3.0, 9.5]}, "c1": {"range": [3.0, 9.5]}}


def test_a_volume_of_unknown_kind_whose_voxels_are_ids_is_shown_as_segments():
    assert scene([layer(replace(SEG, kind=VolumeKind.UNKNOWN))], Wish())["layers"][0]["type"] == "segmentation"
    assert scene([layer(replace(EM, kind=VolumeKind.UNKNOWN))], Wish())["layers"][0]["type"] == "image"


def test_a_huge_volume_without_coarse_scales_is_shown_in_part():
    small = scene([layer(box_of(VolumeKind.IMAGE, (0, 0, 0), (400, 300, 9)))], Wish())
    huge = scene([layer(box_of(VolumeKind.IMAGE, (0, 0, 0), (200_000, 300, 9)))], Wish())
    assert small["crossSectionScale"] == 1
    assert huge["crossSectionScale"] == 5.12


@pytest.mark.parametrize(
    ("start", "shape", "size", "like"),
    [
        ((0, 0, 0), (40, 20, 10), (8, 8, 33), 1.0),
        ((0, 0, 0), (80, 40, 10), (4, 4, 33), 1.0),
        ((10, 0, 0), (10, 20, 10), (8, 8, 33), 0.25),
        ((30, 0, 0), (40, 20, 10), (8, 8, 33), 0.0),
        ((40, 0, 0), (40, 20, 10), (8, 8, 33), 0.0),
    ],
)
def test_volumes_of_two_kinds_are_alike_as_far_as_they_share_a_place(start, shape, size, like):
    ours = box_of(VolumeKind.IMAGE, (0, 0, 0), (40, 20, 10))
    theirs = box_of(VolumeKind.SEGMENTATION, start, shape, size)
    assert likeness(ours, theirs) == pytest.approx(like)
    assert likeness(theirs, ours) == pytest.approx(like)
    assert likeness(ours, replace(theirs, kind=VolumeKind.IMAGE)) == 0


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=3), st.lists(st.integers(1, 60), min_size=3, max_size=3))
def test_likeness_is_a_share_wherever_volumes_lie(start, shape):
    ours = box_of(VolumeKind.IMAGE, (-7, 3, 5), (40, 21, 12))
    theirs = box_of(VolumeKind.SEGMENTATION, start, shape)
    assert 0 <= likeness(ours, theirs) <= 1
    assert likeness(ours, theirs) == likeness(theirs, ours)


def test_a_volume_of_unknown_voxel_size_is_like_none():
    nowhere = replace(SEG.scales[0], voxel_size_nm=None)
    assert likeness(EM, replace(SEG, scales=(nowhere,))) == 0
