from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.transfers import BOXES, SIZES, source_spec, voxels_of_scale
from voxgate.model.errors import DataTypeMismatch, EmptyBox, InvalidArgument, OutOfBounds, UnknownScale
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import TransferSpec
from voxgate.model.volumes import Channel, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.memory import MemoryVolume
from voxgate_transfer.mapping import MappedVolume, mapped

INNER = Box.of(x=(-11, 30), y=(43, 80), z=(-2, 9))


@pytest.fixture(scope="module")
def source() -> MemoryVolume:
    volume = MemoryVolume.create(source_spec())
    for index, box in enumerate(BOXES):
        volume.write(box, voxels_of_scale(index), scale=index)
    return volume


def asked(**spec) -> TransferSpec:
    return TransferSpec("a/seg", "b/copy", **spec)


def test_without_any_wish_the_source_is_seen_as_it_is(source):
    mapping = mapped(source.info, asked())
    assert [scale.bounds for scale in mapping.info.scales] == list(BOXES)
    assert [scale.voxel_size_nm for scale in mapping.info.scales] == list(SIZES)
    assert (mapping.scales, set(mapping.shifts), mapping.channels) == ((0, 1, 2), {Vec3(0, 0, 0)}, (0,))


def test_a_box_is_copied_in_every_scale_rounded_outward_on_each_axis(source):
    levels = mapped(source.info, asked(box=INNER)).info.scales
    assert [level.bounds for level in levels] == [
        INNER,
        Box.of(x=(-6, 15), y=(21, 40), z=(-2, 9)),
        Box.of(x=(-3, 8), y=(10, 20), z=(-2, 9)),
    ]


@given(st.tuples(*[st.tuples(st.integers(0, 39), st.integers(1, 40)) for _ in range(3)]))
def test_the_part_of_a_coarser_scale_is_every_voxel_that_touches_the_box_and_no_other(spans):
    source = MemoryVolume.create(source_spec()).info
    finest = BOXES[0]
    ends = [
        (start + offset % extent, start + min(extent, offset % extent + length))
        for start, extent, (offset, length) in zip(finest.start, finest.shape, spans, strict=True)
    ]
    box = Box.of(*ends)
    for index, level in enumerate(mapped(source, asked(box=box)).info.scales):
        for axis in range(3):
            factor = 2**index if axis < 2 else 1
            low, high = tuple(BOXES[index].start)[axis], tuple(BOXES[index].stop)[axis]
            begin, end = ends[axis]
            touching = [i for i in range(low, high) if i * factor < end and (i + 1) * factor > begin]
            assert (touching[0], touching[-1] + 1) == (tuple(level.bounds.start)[axis], tuple(level.bounds.stop)[axis])


def test_voxels_are_read_from_where_they_are_for_where_they_will_be(source):
    copy = MappedVolume(source, mapped(source.info, asked(box=INNER, destination_start=Vec3(1, -5, 100))))
    moved = (Vec3(12, -48, 102), Vec3(6, -24, 102), Vec3(3, -12, 102))
    for index, level in enumerate(copy.info.scales):
        there = level.bounds.shifted(Vec3(0, 0, 0) - moved[index])
        expected = voxels_of_scale(index)[:, *there.slices_zyx(BOXES[index].start)]
        np.testing.assert_array_equal(copy.read(level.bounds, scale=index), expected)
        out = np.zeros((1, *level.bounds.shape.zyx), "<u8")
        assert copy.read(level.bounds, scale=index, out=out) is out
        np.testing.assert_array_equal(out, expected)


def test_a_move_that_a_coarser_scale_cannot_follow_exactly_is_refused(source):
    start = BOXES[0].start + Vec3(4, 8, 1)
    assert mapped(source.info, asked(destination_start=start)).shifts[2] == Vec3(1, 2, 1)
    for by in (Vec3(2, 8, 1), Vec3(4, 7, 1)):
        with pytest.raises(InvalidArgument, match="scale"):
            mapped(source.info, asked(destination_start=BOXES[0].start + by))
    assert mapped(source.info, asked(destination_start=start + Vec3(1, 1, 1), scales=(0,))).shifts == (Vec3(5, 9, 2),)


def test_another_voxel_size_is_that_of_the_finest_scale_and_the_others_follow(source):
    levels = mapped(source.info, asked(voxel_size_nm=VoxelSize(4.4, 5.0, 33.0))).info.scales
    assert [level.voxel_size_nm for level in levels] == [
        VoxelSize(4.4, 5.0, 33.0),
        VoxelSize(8.8, 10.0, 33.0),
        VoxelSize(17.6, 20.0, 33.0),
    ]


def sized(*sizes: VoxelSize | None):
    scales = tuple(ScaleSpec(box, size) for box, size in zip(BOXES, sizes, strict=False))
    return MemoryVolume.create(VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, scales)).info


def test_sizes_are_the_decimal_numbers_that_stores_state():
    info = sized(VoxelSize(4.4, 4.4, 0.1), VoxelSize(13.2, 13.2, 0.3))
    assert 13.2 / 4.4 != 3.0
    mapping = mapped(replace(info), asked(destination_start=BOXES[0].start + Vec3(3, -6, 9)))
    assert mapping.shifts[1] == Vec3(1, -2, 3)


@pytest.mark.parametrize(
    "wish", [{"box": INNER}, {"destination_start": Vec3(0, 0, 0)}, {"voxel_size_nm": VoxelSize(1.0, 1.0, 1.0)}]
)
def test_scales_that_do_not_say_how_they_lie_over_each_other_are_only_copied_where_they_are(wish):
    unknown = sized(None, None)
    assert len(mapped(unknown, asked()).info.scales) == 2
    assert len(mapped(unknown, asked(scales=(0,), **wish)).info.scales) == 1
    with pytest.raises(InvalidArgument, match="voxel size"):
        mapped(unknown, asked(**wish))


def test_a_coarser_scale_without_voxels_in_the_box_is_refused():
    box = Box.of(x=(-24, 47), y=(40, 83), z=(-7, 14))
    scales = (ScaleSpec(box, SIZES[0]), ScaleSpec(Box.of(x=(0, 24), y=(20, 42), z=(-7, 14)), SIZES[1]))
    info = MemoryVolume.create(VolumeSpec(np.dtype("u1"), VolumeKind.IMAGE, scales)).info
    with pytest.raises(EmptyBox, match="scale 1"):
        mapped(info, asked(box=Box.of(x=(-24, -1), y=(40, 83), z=(-7, 14))))


def test_the_finest_of_the_chosen_scales_is_what_the_box_is_said_in(source):
    box = Box.of(x=(-5, 9), y=(23, 40), z=(0, 3))
    levels = mapped(source.info, asked(scales=(1, 2), box=box)).info.scales
    assert [level.bounds for level in levels] == [box, Box.of(x=(-3, 5), y=(11, 20), z=(0, 3))]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"scales": (0, 3)}, UnknownScale),
        ({"scales": (1, 0)}, InvalidArgument),
        ({"scales": (1, 1)}, InvalidArgument),
        ({"channels": (1,)}, OutOfBounds),
        ({"channels": (0, 0)}, InvalidArgument),
        ({"box": BOXES[0].shifted(Vec3(0, 1, 0))}, OutOfBounds),
        ({"box": Box(Vec3(3, 50, 3), Vec3(3, 60, 5))}, EmptyBox),
    ],
)
def test_what_the_source_does_not_have_is_refused(source, wish, error):
    with pytest.raises(error) as refused:
        mapped(source.info, asked(**wish))
    assert refused.value.remedy


def test_channels_come_in_the_order_asked_for_with_their_names():
    box = Box.of(x=(3, 8), y=(-4, -1), z=(10, 12))
    names = tuple(map(Channel, ("a", "b", "c")))
    volume = MemoryVolume.create(VolumeSpec(np.dtype("<i2"), VolumeKind.IMAGE, (ScaleSpec(box),), names))
    voxels = np.arange(3 * box.voxel_count, dtype="<i2").reshape(3, *box.shape.zyx) - 50
    volume.capability(Writable).write(box, voxels)
    copy = MappedVolume(volume, mapped(volume.info, asked(channels=(2, 0))))
    assert copy.info.channels == (Channel("c"), Channel("a"))
    np.testing.assert_array_equal(copy.read(box), voxels[[2, 0]])
    np.testing.assert_array_equal(copy.read(box, channels=[1]), voxels[[0]])


def test_a_voxel_that_does_not_fit_is_named_where_it_is_in_the_source():
    box = Box.of(x=(3, 8), y=(-4, -1), z=(10, 12))
    volume = MemoryVolume.create(VolumeSpec(np.dtype("<i2"), VolumeKind.IMAGE, (ScaleSpec(box),), (Channel(),) * 2))
    voxels = np.zeros((2, *box.shape.zyx), "<i2")
    voxels[1, 1, 2, 4] = -300
    volume.write(box, voxels)
    wish = asked(channels=(1, 0), dtype=np.dtype("i1"), destination_start=Vec3(0, 0, 0))
    copy = MappedVolume(volume, mapped(volume.info, wish))
    with pytest.raises(DataTypeMismatch, match="x 7, y -2, z 11 of channel 1 is -300, which int8 cannot hold"):
        copy.read(copy.info.scales[0].bounds)
    voxels[1, 1, 2, 4] = -128
    volume.write(box, voxels)
    found = copy.read(copy.info.scales[0].bounds)
    assert (found.dtype, found.min()) == (np.dtype("i1"), -128)


@pytest.mark.parametrize(("fill", "dtype", "expected"), [(7, "u1", 7), (300, "u1", 0), (2**64 - 1, "<f8", 0)])
def test_the_fill_value_is_kept_where_it_fits(fill, dtype, expected):
    info = replace(MemoryVolume.create(source_spec(fill_value=fill)).info)
    assert mapped(info, asked(dtype=np.dtype(dtype))).info.fill_value == expected


def test_reads_outside_of_the_copy_are_refused_on_every_side(source):
    copy = MappedVolume(source, mapped(source.info, asked(box=INNER)))
    for x, y, z in product((-1, 0, 1), repeat=3):
        if (x, y, z) != (0, 0, 0):
            with pytest.raises(OutOfBounds):
                copy.read(INNER.shifted(Vec3(x, y, z)))
