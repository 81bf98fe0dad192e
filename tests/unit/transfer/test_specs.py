from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.transfers import BOXES, SIZES, source_spec
from voxgate.model.errors import (
    DataTypeMismatch,
    FailedPrecondition,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    OutOfBounds,
    ReadOnly,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.names import VolumeName
from voxgate.model.volumes import (
    Channel,
    Scale,
    VolumeInfo,
    VolumeKind,
)
from voxgate_transfer.specs import (
    MAX_SHARD_BYTES,
    check_destination,
    check_names,
    check_source,
    completed_spec,
    destination_spec,
    possible_specs,
    unsharded,
)


def info(*boxes: Box, **changes) -> VolumeInfo:
    chunk = Vec3(16, 8, 4)
    scales = tuple(
        Scale(str(i), box, chunk, chunk, box.start, SIZES[i % 3], writable=True) for i, box in enumerate(boxes)
    )
    return replace(VolumeInfo("a/seg", np.dtype("<u8"), VolumeKind.SEGMENTATION, scales), **changes)


SEGMENTATION = info(*BOXES)


def test_the_like_of_a_volume_has_its_type_kind_channels_fill_value_and_scales():
    source = info(*BOXES, axes="czyx", channels=(Channel("dna"), Channel("")), fill_value=2**63 + 1)
    spec = destination_spec(source)
    assert (spec.dtype, spec.kind, spec.fill_value) == (source.dtype, source.kind, 2**63 + 1)
    assert spec.channels == source.channels
    assert [scale.bounds for scale in spec.scales] == list(BOXES)
    assert [scale.voxel_size_nm for scale in spec.scales] == list(SIZES)
    assert spec.format == ""


def test_an_unknown_voxel_size_stays_unknown():
    scale = replace(SEGMENTATION.scales[0], voxel_size_nm=None)
    assert destination_spec(replace(SEGMENTATION, scales=(scale,))).scales[0].voxel_size_nm is None


@given(
    st.builds(Vec3, st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000)),
    st.sampled_from(["<u1", "<u2", "<u8"]),
    st.integers(0, 5),
)
def test_shards_are_whole_chunks_bounded_in_bytes_and_never_a_chunk_larger_than_the_volume(shape, dtype, channels):
    names = tuple(Channel(str(i)) for i in range(channels))
    axes = "czyx" if channels else "zyx"
    source = info(Box.at(Vec3(-5, 3, 9), shape), dtype=np.dtype(dtype), channels=names, axes=axes)
    scale = destination_spec(source).scales[0]
    assert scale.chunk_shape is not None
    assert scale.shard_shape is not None
    for extent, chunk, shard in zip(shape, scale.chunk_shape, scale.shard_shape, strict=True):
        assert chunk == min(64, extent)
        assert shard % chunk == 0
        assert shard - chunk < extent
    assert scale.shard_shape.product * source.dtype.itemsize * source.channel_count <= MAX_SHARD_BYTES


def test_a_large_image_gets_shards_of_four_chunks_on_each_axis():
    source = info(Box.of(x=(0, 5000), y=(0, 4000), z=(0, 3000)), dtype=np.dtype("<u1"))
    assert destination_spec(source).scales[0].shard_shape == Vec3(256, 256, 256)


@pytest.mark.parametrize("name", ["precomputed", "zarr2"])
def test_formats_without_shards_get_none(name: str):
    spec = destination_spec(SEGMENTATION, format_name=name)
    assert spec.format == name
    assert [scale.shard_shape for scale in spec.scales] == [None] * 3
    assert spec == replace(unsharded(destination_spec(SEGMENTATION)), format=name)


def test_voxel_sizes_that_a_spec_leaves_out_are_the_sources():
    spec = source_spec()
    bare = replace(spec, scales=tuple(replace(scale, voxel_size_nm=None) for scale in spec.scales))
    assert completed_spec(bare, SEGMENTATION) == spec


def scales_with(**changes):
    spec = source_spec()
    return replace(spec, scales=(spec.scales[0], replace(spec.scales[1], **changes), spec.scales[2]))


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (source_spec(dtype=np.dtype("<u4")), DataTypeMismatch),
        (source_spec(kind=VolumeKind.IMAGE), InvalidArgument),
        (source_spec(channels=(Channel(), Channel())), InvalidArgument),
        (replace(source_spec(), scales=source_spec().scales[:2]), InvalidArgument),
        (scales_with(bounds=BOXES[1].shifted(Vec3(0, 0, 1))), InvalidArgument),
        (scales_with(voxel_size_nm=VoxelSize(8.0, 8.0, 41.0)), InvalidArgument),
    ],
)
def test_a_spec_that_would_change_what_the_voxels_are_or_where_is_refused(spec, error):
    with pytest.raises(error) as refused:
        completed_spec(spec, SEGMENTATION)
    assert refused.value.remedy


def test_a_source_of_unknown_kind_may_become_what_the_caller_says():
    unknown = replace(SEGMENTATION, kind=VolumeKind.UNKNOWN)
    assert completed_spec(source_spec(), unknown).kind is VolumeKind.SEGMENTATION


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("a/seg", "a/seg"),
        ("a/seg", "a/seg/copy"),
        ("a/x/seg", "a/x"),
        ("a/s%65g", "a/seg"),
        ("a/seg", "b"),
        ("a", "a/b"),
    ],
)
def test_a_destination_that_is_the_source_or_inside_or_around_it_is_refused(source: str, destination: str):
    with pytest.raises(InvalidArgument):
        check_names(VolumeName.parse(source), VolumeName.parse(destination))


@pytest.mark.parametrize(
    ("source", "destination"), [("a/seg", "b/seg"), ("a/seg", "a/seg2"), ("a", "b/seg"), ("a/x/y", "a/x/z")]
)
def test_neighbours_and_namesakes_in_other_remotes_are_fine(source: str, destination: str):
    check_names(VolumeName.parse(source), VolumeName.parse(destination))


def test_a_source_with_several_time_points_or_no_voxels_is_refused():
    check_source(SEGMENTATION)
    with pytest.raises(UnsupportedFormat, match="5 time points"):
        check_source(replace(SEGMENTATION, axes="tzyx", time_count=5))
    with pytest.raises(MissingCapability):
        check_source(replace(SEGMENTATION, scales=()))


@pytest.mark.parametrize(
    ("destination", "error"),
    [
        (
            replace(SEGMENTATION, scales=(replace(SEGMENTATION.scales[0], writable=False), *SEGMENTATION.scales[1:])),
            ReadOnly,
        ),
        (replace(SEGMENTATION, dtype=np.dtype("<u4")), DataTypeMismatch),
        (info(*BOXES[:2]), FailedPrecondition),
        (info(BOXES[0].shifted(Vec3(1, 0, 0)), *BOXES[1:]), OutOfBounds),
        (replace(SEGMENTATION, kind=VolumeKind.IMAGE), FailedPrecondition),
        (replace(SEGMENTATION, scales=SEGMENTATION.scales[::-1]), FailedPrecondition),
        (info(*BOXES, axes="czyx", channels=(Channel(), Channel())), FailedPrecondition),
    ],
)
def test_a_destination_that_cannot_hold_the_source_is_refused(destination, error):
    check_destination(SEGMENTATION, SEGMENTATION)
    with pytest.raises(error):
        check_destination(SEGMENTATION, destination)


def only(*indices: int) -> VolumeInfo:
    return replace(SEGMENTATION, scales=tuple(SEGMENTATION.scales[index] for index in indices))


def test_fewer_scales_than_the_destination_has_go_to_those_with_their_voxel_sizes():
    assert check_destination(only(1), SEGMENTATION) == (1,)
    assert check_destination(only(0, 2), SEGMENTATION) == (0, 2)
    unknown = tuple(replace(scale, voxel_size_nm=None) for scale in SEGMENTATION.scales)
    with pytest.raises(FailedPrecondition, match="scale 0"):
        check_destination(only(1), replace(SEGMENTATION, scales=unknown))


def test_a_destination_may_be_larger_than_the_copy_and_as_many_scales_are_taken_in_their_order():
    larger = [Box(box.start - Vec3(7, 0, 3), box.stop + Vec3(0, 5, 0)) for box in BOXES]
    assert check_destination(SEGMENTATION, info(*larger)) == (0, 1, 2)


def test_a_destination_whose_granules_no_task_could_hold_is_refused():
    huge = Box.of(x=(0, 4096), y=(0, 4096), z=(0, 4096))
    scale = replace(SEGMENTATION.scales[0], bounds=huge, write_granule_shape=Vec3(1024, 1024, 512))
    with pytest.raises(LimitExceeded):
        check_destination(scaled(scale), scaled(scale))


def scaled(scale: Scale) -> VolumeInfo:
    return replace(SEGMENTATION, scales=(scale,))


@pytest.mark.parametrize(
    ("shard", "possible"),
    [
        (Vec3(30, 9, 5), "(26, 9, 5)"),
        (Vec3(13, 9, 4), "(13, 9, 5)"),
        (Vec3(1, 1, 1), "(13, 9, 5)"),
        (Vec3(13 * 256, 9 * 256, 5 * 256), "(416, 576, 320)"),
    ],
)
def test_a_shard_that_cannot_be_written_is_refused_and_one_that_can_is_named(shard: Vec3, possible: str):
    spec = source_spec()
    bad = replace(spec, scales=(replace(spec.scales[0], shard_shape=shard), *spec.scales[1:]))
    with pytest.raises(InvalidArgument) as refused:
        completed_spec(bad, SEGMENTATION)
    assert possible in refused.value.remedy
    numbers = Vec3(*map(int, possible.strip("()").split(", ")))
    completed_spec(replace(bad, scales=(replace(bad.scales[0], shard_shape=numbers), *bad.scales[1:])), SEGMENTATION)


def test_what_is_tried_for_a_destination_goes_from_shards_to_whatever_the_store_likes():
    tried = list(possible_specs(SEGMENTATION))
    assert [(s.scales[0].shard_shape is None, s.scales[0].chunk_shape is None) for s in tried] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    one = replace(SEGMENTATION, axes="czyx", channels=(Channel("dna"),))
    assert [len(each.channels) for each in possible_specs(one)] == [1, 1, 1, 0, 0, 0]
