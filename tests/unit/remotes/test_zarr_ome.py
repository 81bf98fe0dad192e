import json

import numpy as np
import pytest
import zarr

from support.stores import open_at, remote_at
from support.zarr_files import BOX, SHAPE, bare, cut, ids, multiscale
from voxgate.model.errors import (
    ConfigContradictsStore,
    InvalidArgument,
    MetadataInvalid,
    OutOfBounds,
    PathRefused,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Channel, OpenOptions, VolumeKind, Writable


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_volume_of_time_channels_and_space_keeps_them_apart(tmp_path, version):
    fine, coarse = ids((3, 2, *SHAPE), "uint16"), ids((3, 2, 11, 7, 5), "uint16")
    levels = [(fine, (1, 1, 40, 4, 4), None), (coarse, (1, 1, 40, 8, 16), None)]
    omero = {"channels": [{"label": "EM", "color": "FFFFFF"}, {"label": "membrane"}]}
    multiscale(tmp_path, levels, "tczyx", version=version, omero=omero)
    volume = open_at(tmp_path, OpenOptions(time_index=2))
    info = volume.info
    assert (info.axes, info.time_count, info.channel_count) == ("tczyx", 3, 2)
    assert [channel.name for channel in info.channels] == ["EM", "membrane"]
    assert [scale.voxel_size_nm for scale in info.scales] == [VoxelSize(4, 4, 40), VoxelSize(16, 8, 40)]
    assert np.array_equal(volume.read(BOX), cut(fine[2]))
    assert np.array_equal(volume.read(BOX, channels=[1]), cut(fine[2, 1:]))
    part = Box.of(x=(1, 5), y=(0, 6), z=(2, 11))
    assert np.array_equal(volume.read(part, scale=1, channels=[1, 0]), cut(coarse[2], part)[::-1])
    assert np.array_equal(open_at(tmp_path, OpenOptions(time_index=0)).read(BOX), cut(fine[0]))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_how_a_channel_is_to_be_shown_is_kept(tmp_path, version):
    window = {"start": 12, "end": 1500.5, "min": 0, "max": 65535}
    omero = {"channels": [{"label": "DAPI", "color": "0000ff", "window": window}, {"window": {"min": -1, "max": 1}}]}
    levels = [(ids((2, *SHAPE), "uint16"), (1, 40, 4, 4), None)]
    multiscale(tmp_path, levels, "czyx", version=version, omero=omero)
    first, second = open_at(tmp_path).info.channels
    assert first == Channel("DAPI", (12.0, 1500.5), (0.0, 65535.0), "0000FF")
    assert second == Channel(value_range=(-1.0, 1.0))


@pytest.mark.parametrize(
    "garbled",
    [
        {"window": {"start": 5, "end": 4, "min": "0", "max": 9}, "color": "red"},
        {"window": {"start": float("nan"), "end": 4, "min": True, "max": 9}, "color": 255},
        {"window": [0, 1], "color": "0000FF00", "label": None},
        {"window": {"start": 10**400, "end": 10**401}, "color": None},
        "DAPI",
    ],
)
def test_garbled_words_on_how_to_show_a_channel_hinder_no_one_from_reading(tmp_path, garbled):
    array = ids((2, *SHAPE), "uint16")
    multiscale(tmp_path, [(array, (1, 40, 4, 4), None)], "czyx", omero={"channels": [garbled, {"label": "b"}]})
    volume = open_at(tmp_path)
    assert volume.info.channels == (Channel(), Channel("b"))
    assert np.array_equal(volume.read(BOX), cut(array))


def test_there_is_no_default_time(tmp_path):
    array = ids((3, *SHAPE), "uint16")
    multiscale(tmp_path, [(array, (1, 40, 4, 4), None)], "tzyx")
    undecided = open_at(tmp_path)
    assert undecided.info.time_count == 3
    with pytest.raises(InvalidArgument, match="3 time points"):
        undecided.read(BOX)
    for time in (-1, 3):
        with pytest.raises(OutOfBounds):
            open_at(tmp_path, OpenOptions(time_index=time))


def test_a_time_axis_of_one_point_needs_no_choice(tmp_path):
    array = ids((1, *SHAPE), "uint16")
    multiscale(tmp_path, [(array, (1, 40, 4, 4), None)], "tzyx")
    volume = open_at(tmp_path)
    assert (volume.info.axes, volume.info.time_count) == ("tzyx", 1)
    assert np.array_equal(volume.read(BOX), cut(array))


@pytest.mark.parametrize(
    ("unit", "size"),
    [("nanometer", 4.0), ("micrometer", 4000.0), ("angstrom", 0.4), ("millimeter", 4e6), (None, None)],
)
def test_units_become_nanometres_and_no_unit_means_unknown(tmp_path, unit, size):
    multiscale(tmp_path, [(ids(SHAPE, "uint16"), (40, 8, 4), None)], unit=unit)
    found = open_at(tmp_path).info.scales[0].voxel_size_nm
    if size is None:
        assert found is None
    else:
        assert tuple(found) == pytest.approx((size, 2 * size, 10 * size), rel=1e-12)


def test_without_units_the_operators_size_reaches_every_level(tmp_path):
    levels = [(ids(SHAPE, "uint16"), (1, 1, 1), None), (ids((11, 7, 5), "uint16"), (1, 2, 4), None)]
    multiscale(tmp_path, levels, unit=None)
    sizes = [scale.voxel_size_nm for scale in open_at(tmp_path, voxel_size_nm=(4, 4, 40)).info.scales]
    assert sizes == [VoxelSize(4, 4, 40), VoxelSize(16, 8, 40)]


def test_an_unknown_unit_is_refused_by_name(tmp_path):
    multiscale(tmp_path, [(ids(SHAPE, "uint16"), (1, 1, 1), None)], unit="furlong")
    with pytest.raises(UnsupportedFormat, match="furlong"):
        open_at(tmp_path)


def offsets(folder, **stated):
    info = open_at(folder, **stated).info
    return [tuple(scale.bounds.start) for scale in info.scales], "voxel_offset" in info.inferred


def test_translations_of_corners_become_offsets_with_factors_that_differ_by_axis(tmp_path):
    sizes = [(40, 4, 4), (40, 8, 12), (80, 16, 36)]
    levels = [(ids(SHAPE, "uint16"), size, (6 * 40, 8 * 4, -36 * 4)) for size in sizes]
    multiscale(tmp_path, levels)
    assert offsets(tmp_path) == ([(-36, 8, 6), (-12, 4, 6), (-4, 2, 3)], False)


def test_half_voxel_translations_of_averaged_levels_are_understood(tmp_path):
    base = np.array([6 * 40, 8 * 4, -36 * 4])
    levels = [(ids(SHAPE, "uint16"), (40, 4, 4), base)]
    for size in ((40, 8, 12), (80, 16, 36)):
        levels.append((ids(SHAPE, "uint16"), size, base + (np.array(size) - (40, 4, 4)) / 2))
    multiscale(tmp_path, levels)
    assert offsets(tmp_path) == ([(-36, 8, 6), (-12, 4, 6), (-4, 2, 3)], False)


def test_offsets_that_a_factor_does_not_divide_are_rounded_down_and_said_to_be_inferred(tmp_path):
    levels = [(ids(SHAPE, "uint16"), size, (7 * 40, 9 * 4, -5 * 4)) for size in ((40, 4, 4), (80, 8, 16))]
    multiscale(tmp_path, levels)
    assert offsets(tmp_path) == ([(-5, 9, 7), (-2, 4, 3)], True)


def test_our_own_offset_attribute_is_exact_and_wins(tmp_path):
    levels = [(ids(SHAPE, "uint16"), size, (7 * 40, 9 * 4, -5 * 4)) for size in ((40, 4, 4), (80, 8, 16))]
    multiscale(tmp_path, levels)
    for index, offset in enumerate([[-5, 9, 7], [-1, 5, 4]]):
        zarr.open_array(tmp_path / str(index), mode="r+").attrs["voxgate"] = {"voxel_offset": offset, "kind": "image"}
    assert offsets(tmp_path) == ([(-5, 9, 7), (-1, 5, 4)], False)
    assert open_at(tmp_path).info.kind is VolumeKind.IMAGE
    zarr.open_array(tmp_path / "1", mode="r+").attrs["voxgate"] = {"voxel_offset": ["1", 2, 3]}
    with pytest.raises(MetadataInvalid, match="voxel_offset"):
        open_at(tmp_path)


def test_a_translation_that_is_no_whole_number_of_voxels_needs_the_operator(tmp_path):
    multiscale(tmp_path, [(ids(SHAPE, "uint16"), (40, 4, 4), (7.3 * 40, 36, 20))])
    with pytest.raises(UnsupportedFormat, match="translation"):
        open_at(tmp_path)
    assert offsets(tmp_path, voxel_offset=(5, 9, 7)) == ([(5, 9, 7)], False)
    with pytest.raises(ConfigContradictsStore):
        open_at(tmp_path, voxel_offset=(5, 9, 9))


def test_an_offset_can_be_stated_where_there_is_no_translation(tmp_path):
    levels = [(ids(SHAPE, "uint16"), (40, 4, 4), None), (ids(SHAPE, "uint16"), (40, 8, 8), None)]
    multiscale(tmp_path, levels)
    assert offsets(tmp_path) == ([(0, 0, 0), (0, 0, 0)], True)
    assert offsets(tmp_path, voxel_offset=(-8, 4, 7)) == ([(-8, 4, 7), (-4, 2, 7)], False)


def test_translations_of_decimal_micrometres_are_still_whole_voxels(tmp_path):
    multiscale(
        tmp_path, [(ids(SHAPE, "uint16"), (0.04, 0.0052, 0.0052), (0.28, 0.0468, 1234 * 0.0052))], unit="micrometer"
    )
    assert offsets(tmp_path) == ([(1234, 9, 7)], False)


def test_labels_of_ome_are_segmentations(tmp_path):
    multiscale(tmp_path, [(ids(SHAPE), (40, 4, 4), None)], **{"image-label": {"version": "0.5"}})
    assert open_at(tmp_path).info.kind is VolumeKind.SEGMENTATION


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.pop("datasets"),
        lambda image: image.update(datasets=[]),
        lambda image: image["datasets"][0].pop("path"),
        lambda image: image["datasets"][0].update(coordinateTransformations=[{"type": "scale", "scale": [1, 2]}]),
        lambda image: image["datasets"][0].update(coordinateTransformations=[{"type": "scale", "scale": [0, 1, 1]}]),
        lambda image: image["datasets"][0].update(path="9"),
        lambda image: image.update(axes=[{"type": "space"}] * 3),
    ],
)
def test_metadata_that_does_not_follow_the_specification_is_invalid(tmp_path, version, spoil):
    multiscale(tmp_path, [(ids(SHAPE, "uint16"), (40, 4, 4), None)], version=version)
    path = tmp_path / ("zarr.json" if version == "0.5" else ".zattrs")
    document = json.loads(path.read_text())
    attributes = document["attributes"]["ome"] if version == "0.5" else document
    spoil(attributes["multiscales"][0])
    path.write_text(json.dumps(document))
    with pytest.raises(MetadataInvalid) as caught:
        open_at(tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_a_level_that_leads_out_of_the_remote_is_refused(tmp_path):
    multiscale(tmp_path / "a", [(ids(SHAPE, "uint16"), (40, 4, 4), None)])
    bare(tmp_path / "b", ids(SHAPE, "uint16"))
    document = json.loads((tmp_path / "a" / "zarr.json").read_text())
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = "../b"
    (tmp_path / "a" / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(PathRefused):
        remote_at(tmp_path).open(("a",), OpenOptions())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_write_at_one_time_leaves_the_others_as_they_were(tmp_path, version):
    array = ids((3, 2, *SHAPE), "uint16")
    multiscale(tmp_path, [(array, (1, 1, 40, 4, 4), None)], "tczyx", version=version)
    volume = open_at(tmp_path, OpenOptions(time_index=1), writable=True)
    part = np.arange(2 * BOX.voxel_count, dtype=np.uint16).reshape(2, *BOX.shape.zyx)
    volume.capability(Writable).write(BOX, part)
    array[(1, slice(None), *BOX.slices_zyx(Vec3(0, 0, 0)))] = part
    assert np.array_equal(zarr.open_group(tmp_path, mode="r")["0"][...], array)
    with pytest.raises(InvalidArgument, match="time"):
        open_at(tmp_path, writable=True).capability(Writable).write(BOX, part)
