import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    POWERS,
    SUPPORTED_DTYPES,
    ArrayCodec,
    ByteCodec,
    Channel,
    Encoding,
    ReadTuning,
    Scale,
    ScaleSpec,
    ServiceOffer,
    VolumeFacts,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
)
from voxgate.v1 import types_pb2
from voxgate.wire.volumes import facts_from_proto, facts_to_proto, spec_from_proto, spec_to_proto, volume_from_proto

numbers = st.integers(-(2**40), 2**40)
shapes = st.builds(Vec3, *[st.integers(1, 2**20)] * 3)
boxes = st.builds(Box.at, st.builds(Vec3, numbers, numbers, numbers), shapes)
sizes = st.none() | st.builds(VoxelSize, *[st.floats(0.001, 1e9)] * 3)
encodings = st.builds(Encoding, st.sampled_from(ArrayCodec), st.sampled_from(ByteCodec), st.none() | shapes)
scales = st.builds(
    Scale,
    st.text(max_size=5),
    boxes,
    shapes,
    shapes,
    shapes,
    sizes,
    st.lists(encodings, max_size=2).map(tuple),
    st.booleans(),
)
ranges = st.none() | st.tuples(st.floats(-1e9, 0), st.floats(0, 1e9))
channels = st.lists(
    st.builds(Channel, st.text(max_size=5), ranges, ranges, st.sampled_from(["", "00FF7F"])), max_size=3
).map(tuple)


def fill_of(dtype):
    if dtype.kind == "f":
        return st.floats(width=8 * dtype.itemsize, allow_nan=False)
    info = np.iinfo(dtype)
    return st.integers(int(info.min), int(info.max))


@given(data=st.data(), dtype=st.sampled_from(SUPPORTED_DTYPES))
def test_a_volume_survives_the_wire(data, dtype):
    info = VolumeInfo(
        name="lab/a",
        dtype=dtype,
        kind=data.draw(st.sampled_from(VolumeKind)),
        scales=tuple(data.draw(st.lists(scales, max_size=3))),
        axes=data.draw(st.sampled_from(["zyx", "czyx", "tzyx", "tczyx"])),
        channels=data.draw(channels),
        time_count=data.draw(st.integers(1, 9)),
        fill_value=data.draw(fill_of(dtype)),
        resolved_version=data.draw(st.text(max_size=5)),
        immutable=data.draw(st.booleans()),
        inferred=("kind",),
        services=(ServiceOffer("mesh", "surrogate"), ServiceOffer("segments", "unavailable", "why")),
        format=data.draw(st.sampled_from(["", "zarr v3"])),
    )
    facts = VolumeFacts(info, frozenset(POWERS), ReadTuning(3, 1 << 20, Vec3(512, 256, 16)))
    message = types_pb2.Volume.FromString(facts_to_proto(facts).SerializeToString())
    assert volume_from_proto(message) == info
    assert facts_from_proto(message) == facts


@given(data=st.data(), dtype=st.sampled_from(SUPPORTED_DTYPES))
def test_a_spec_survives_the_wire(data, dtype):
    levels = st.builds(ScaleSpec, boxes, sizes, st.none() | shapes, st.none() | shapes, st.none() | encodings)
    spec = VolumeSpec(
        dtype,
        data.draw(st.sampled_from([VolumeKind.IMAGE, VolumeKind.SEGMENTATION])),
        tuple(data.draw(st.lists(levels, min_size=1, max_size=3))),
        data.draw(channels),
        data.draw(fill_of(dtype)),
        data.draw(st.sampled_from(["", "precomputed", "zarr2", "zarr3"])),
    )
    message = types_pb2.VolumeSpec.FromString(spec_to_proto(spec).SerializeToString())
    assert spec_from_proto(message) == spec


def good_spec():
    level = ScaleSpec(Box.of(x=(0, 5), y=(1, 7), z=(2, 9)))
    return spec_to_proto(VolumeSpec(np.dtype("<u8"), VolumeKind.IMAGE, (level,)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.ClearField("scales"),
        lambda spec: spec.ClearField("kind"),
        lambda spec: spec.ClearField("data_type"),
        lambda spec: spec.scales[0].ClearField("bounds"),
        lambda spec: spec.scales[0].chunk_shape.CopyFrom(types_pb2.Vec3(x=0, y=3, z=3)),
        lambda spec: setattr(spec, "fill_value", b"123"),
        lambda spec: setattr(spec, "data_type", 99),
    ],
)
def test_a_spec_that_says_too_little_or_nonsense_is_refused(spoil):
    spec = good_spec()
    spec_from_proto(spec)
    spoil(spec)
    with pytest.raises(InvalidArgument):
        spec_from_proto(spec)
