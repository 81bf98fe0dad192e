"""Where the levels of N5 pyramids lie, in each dialect of their attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.n5_volumes import cosem_transform
from voxgate.model.errors import ConfigContradictsStore, MetadataInvalid, UnsupportedFormat
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.n5_geometry import geometry_of

LEVEL = {"dimensions": [29, 17, 11]}
FACTORS = [[1, 1, 1], [3, 2, 1]]
PIXEL = {"unit": "um", "dimensions": [0.004, 0.005, 0.04]}
SIZES = [(4, 5, 40), (12, 10, 40)]
NM = ["nm"] * 3


def of(group, levels, transforms=None, **stated):
    transforms = [level.get("transform") for level in levels] if transforms is None else transforms
    return geometry_of(group, levels, transforms, VolumeOverrides(**stated))


def cosem(start, factors=FACTORS, **stated):
    return of({}, [LEVEL, LEVEL], [cosem_transform(factor, start) for factor in factors], **stated)


def sizes(geometry):
    return [None if size is None else pytest.approx(tuple(size)) for size in geometry.sizes]


DIALECTS = {
    "listed, unit of the group": ({"scales": FACTORS, "pixelResolution": PIXEL}, [{}, {}]),
    "listed as downsamplingFactors": (
        {"downsamplingFactors": FACTORS, "resolution": [4, 5, 40], "units": NM},
        [{}, {}],
    ),
    "n5-viewer: repeated": (
        {},
        [{"pixelResolution": PIXEL}, {"pixelResolution": PIXEL, "downsamplingFactors": [3, 2, 1]}],
    ),
    "each level's own": (
        {"multiScale": True},
        [{"resolution": [4, 5, 40], "units": NM}, {"resolution": [12, 10, 40], "downsamplingFactors": [3, 2, 1]}],
    ),
    "one word for the units": ({"scales": FACTORS, "resolution": [4, 5, 40], "units": "nm"}, [{}, {}]),
    "a resolution in pixels beside one with a unit": (
        {"scales": FACTORS, "resolution": [1, 1, 1], "pixelResolution": PIXEL},
        [{}, {}],
    ),
}


@pytest.mark.parametrize(("group", "levels"), DIALECTS.values(), ids=DIALECTS)
def test_sizes_are_what_each_dialect_says(group, levels):
    geometry = of(group, [LEVEL | level for level in levels])
    assert sizes(geometry) == SIZES
    assert [tuple(offset) for offset in geometry.offsets] == [(0, 0, 0)] * 2
    assert geometry.inferred == ("axes", "voxel_offset")


def test_an_offset_is_in_the_unit_of_the_resolution_and_divided_by_factors():
    group = {"scales": FACTORS, "resolution": [4, 5, 40], "units": NM, "offset": [-24, 500, 120]}
    geometry = of(group, [LEVEL, LEVEL])
    assert [tuple(offset) for offset in geometry.offsets] == [(-6, 100, 3), (-2, 50, 3)]
    assert "voxel_offset" not in geometry.inferred


def test_an_offset_that_a_factor_does_not_divide_is_refused():
    with pytest.raises(UnsupportedFormat, match="each level"):
        of({"scales": FACTORS, "offset": [-7, 100, 3]}, [LEVEL, LEVEL])
    with pytest.raises(UnsupportedFormat, match="each level"):
        of({"scales": FACTORS}, [LEVEL, LEVEL], voxel_offset=(-6, 101, 3))


def test_a_level_that_does_not_say_its_factors_is_refused():
    with pytest.raises(UnsupportedFormat, match="s1"):
        of({"multiScale": True}, [LEVEL, LEVEL])


@pytest.mark.parametrize(
    ("group", "levels"),
    [
        ({"scales": [[1, 1, 1]]}, [{}, {}]),
        ({"scales": [1, 2]}, [{}, {}]),
        ({"scales": [[1, 1, 1], [0, 1, 1]]}, [{}, {}]),
        ({"scales": FACTORS, "resolution": [4, 5, 40]}, [{}, {"resolution": [8, 10, 40]}]),
        ({"scales": FACTORS, "axes": ["x", "y", "z"]}, [{"axes": ["z", "y", "x"]}, {}]),
        ({}, [{"transform": cosem_transform([1, 1, 1])}, {}]),
    ],
    ids=["too few", "no lists", "zero", "contradicting sizes", "contradicting axes", "a transform is missing"],
)
def test_attributes_that_contradict_themselves_are_invalid(group, levels):
    with pytest.raises(MetadataInvalid):
        of(group, [LEVEL | level for level in levels])


triples = st.tuples(*[st.integers(-1000, 1000)] * 3)
factors = st.tuples(*[st.sampled_from([1, 2, 3, 4, 8])] * 3)


@given(triples, factors)
def test_centres_of_coarse_levels_are_half_a_voxel_off_and_come_out_exact(cells, factor):
    """A level of factor f whose first voxel averages f voxels of the finest has its centre (f - 1) / 2 of them on."""
    start = tuple(cell * f for cell, f in zip(cells, factor, strict=True))
    geometry = cosem(start, [[1, 1, 1], list(factor)])
    assert [tuple(offset) for offset in geometry.offsets] == [start, cells]
    assert geometry.inferred == ()
    assert geometry.axes == "xyz"


def test_centres_in_a_frame_that_starts_at_a_corner_are_read_as_such():
    transforms = [cosem_transform(factor) for factor in FACTORS]
    for transform in transforms:
        transform["translate"] = [t + half for t, half in zip(transform["translate"], (20, 2.5, 2), strict=True)]
    geometry = of({}, [LEVEL, LEVEL], transforms)
    assert [tuple(offset) for offset in geometry.offsets] == [(-6, 100, 3), (-2, 50, 3)]
    assert geometry.inferred == ()


def test_corners_in_the_place_of_centres_are_read_and_reported_as_inferred():
    transforms = [cosem_transform(factor) for factor in FACTORS]
    transforms[1]["translate"] = transforms[0]["translate"]
    geometry = of({}, [LEVEL, LEVEL], transforms)
    assert [tuple(offset) for offset in geometry.offsets] == [(-6, 100, 3), (-2, 50, 3)]
    assert geometry.inferred == ("voxel_offset",)


@pytest.mark.parametrize("start", [(-7, 100, 3), (-6, 101, 3), (-5.75, 100, 3)])
def test_translations_that_are_no_whole_voxels_are_refused(start):
    with pytest.raises(UnsupportedFormat, match="neither as centres nor as corners"):
        cosem(start)


def test_the_operator_says_where_a_fraction_of_a_voxel_belongs():
    geometry = cosem((-5.75, 100.25, 3), voxel_offset=(-6, 100, 3))
    assert [tuple(offset) for offset in geometry.offsets] == [(-6, 100, 3), (-2, 50, 3)]
    with pytest.raises(ConfigContradictsStore, match="voxel_offset"):
        cosem((-6, 100, 3), voxel_offset=(-6, 102, 3))


def test_a_transform_is_in_c_order_unless_it_says_otherwise():
    transform = cosem_transform([1, 1, 1])
    turned = {**{key: transform[key][::-1] for key in ("axes", "scale", "translate", "units")}}
    for given_order, axes, guessed in ((None, "xyz", ("axes",)), ("F", "xyz", ()), ("C", "zyx", ())):
        geometry = of({}, [LEVEL], [turned | {"order": given_order}])
        assert (geometry.axes, geometry.inferred) == (axes, guessed)
        assert sizes(geometry) == SIZES[:1]
    assert of({"axes": ["x", "y", "z"]}, [LEVEL], [transform]).axes == "xyz"


def test_numbers_of_a_channel_axis_are_not_those_of_z():
    level = {"dimensions": [29, 17, 2, 11], "axes": ["x", "y", "c", "z"]}
    whole = level | {"resolution": [4, 5, 9, 40], "units": ["nm", "nm", "", "nm"], "offset": [8, 5, 3, 80]}
    geometry = of(whole, [whole])
    assert sizes(geometry) == SIZES[:1]
    assert tuple(geometry.offsets[0]) == (2, 1, 2)


def test_a_coarse_level_by_itself_has_no_size_that_anybody_knows():
    level = LEVEL | {"resolution": [4, 5, 40], "units": NM, "downsamplingFactors": [3, 2, 1], "offset": [4, 5, 40]}
    geometry = of(level, [level])
    assert geometry.sizes == (None,)
    assert "voxel_offset" in geometry.inferred


def test_a_stated_size_is_the_finest_ones_and_the_others_follow_from_their_factors():
    assert sizes(of({"scales": FACTORS}, [LEVEL, LEVEL], voxel_size_nm=(4, 5, 40))) == SIZES
