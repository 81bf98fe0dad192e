import dataclasses
import datetime
import json
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import (
    JobBlock,
    JobError,
    JobFailure,
    JobProgress,
    JobResult,
    MeshJobMode,
    MeshJobResult,
    MeshJobSpec,
    PyramidJobSpec,
    PyramidMethod,
    PyramidSpec,
    TransferMode,
    TransferResult,
    TransferSpec,
    Verification,
)
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    ArrayCodec,
    ByteCodec,
    Channel,
    Encoding,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate_jobs.documents import KINDS, VERSION, from_text, spec_from_document, spec_to_document, to_text
from voxgate_jobs.encoding import decode, encode

whole = st.integers(-(2**64), 2**64)
real = st.floats(allow_nan=False)
vectors = st.builds(Vec3, whole, whole, whole)
boxes = st.builds(Box, vectors, vectors)
sizes = st.builds(VoxelSize, real, real, real)
dtypes = st.sampled_from(SUPPORTED_DTYPES)
encodings = st.builds(Encoding, st.sampled_from(ArrayCodec), st.sampled_from(ByteCodec), st.none() | vectors)
channels = st.builds(Channel, st.text(), st.none() | st.tuples(real, real), st.none() | st.tuples(real, real))
scales = st.from_type(ScaleSpec)
st.register_type_strategy(Vec3, vectors)
st.register_type_strategy(Box, boxes)
st.register_type_strategy(VoxelSize, sizes)
st.register_type_strategy(Encoding, encodings)
volumes = st.builds(
    VolumeSpec,
    dtypes,
    st.sampled_from(VolumeKind),
    st.lists(scales, max_size=3).map(tuple),
    st.lists(channels, max_size=2).map(tuple),
    whole | real,
    st.text(),
)
pyramids = st.builds(PyramidSpec, st.lists(vectors, max_size=3).map(tuple), st.sampled_from(PyramidMethod))
transfers = st.builds(
    TransferSpec,
    source=st.text(),
    destination=st.text(),
    source_version=st.text(),
    destination_spec=st.none() | volumes,
    box=st.none() | boxes,
    scales=st.lists(whole, max_size=3).map(tuple),
    channels=st.lists(whole, max_size=3).map(tuple),
    dtype=st.none() | dtypes,
    destination_start=st.none() | vectors,
    voxel_size_nm=st.none() | sizes,
    mode=st.sampled_from(TransferMode),
    verification=st.sampled_from(Verification),
    skip_empty=st.booleans(),
    pyramid=st.none() | pyramids,
    note=st.text(),
)
meshings = st.builds(
    MeshJobSpec,
    volume=st.text(),
    version=st.text(),
    destination=st.text(),
    scale=whole,
    box=st.none() | boxes,
    chunk_shape=st.none() | vectors,
    level_count=whole,
    max_error_nm=st.none() | real,
    vertex_quantization_bits=whole,
    sharded=st.booleans(),
    minimum_voxel_count=whole,
    segment_properties=st.booleans(),
    mode=st.sampled_from(MeshJobMode),
)
specs = transfers | st.builds(PyramidJobSpec, st.text(), pyramids) | meshings


@given(specs)
def test_a_spec_comes_back_from_its_text_as_it_was(spec):
    again = spec_from_document(from_text(to_text(spec_to_document(spec))))
    assert again == spec


@given(specs)
def test_what_is_equal_has_one_text_and_1_is_not_1_point_0(spec):
    text = to_text(spec_to_document(spec))
    assert to_text(spec_to_document(spec_from_document(from_text(text)))) == text


@given(specs)
def test_other_readers_of_json_round_no_number(spec):
    def check(value):
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                check(item)
        elif isinstance(value, int):
            assert abs(value) <= 2**53

    check(json.loads(to_text(spec_to_document(spec))))


@pytest.mark.parametrize("fill", [2**64 - 1, -(2**63), 0, 0.0, -0.0, 1e308, math.inf, -math.inf])
def test_fill_values_keep_their_kind_and_every_digit(fill):
    spec = TransferSpec(
        "a/b", "c/d", destination_spec=VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (), (), fill)
    )
    again = spec_from_document(from_text(to_text(spec_to_document(spec)))).destination_spec.fill_value
    assert (type(again), repr(again)) == (type(fill), repr(fill))


def test_a_fill_value_that_is_no_number_stays_none():
    spec = TransferSpec("a/b", "c/d", destination_spec=VolumeSpec(np.dtype("<f4"), VolumeKind.IMAGE, (), (), math.nan))
    assert math.isnan(spec_from_document(from_text(to_text(spec_to_document(spec)))).destination_spec.fill_value)


def test_types_of_voxels_are_little_endian_by_name():
    big = dataclasses.replace(TransferSpec("a/b", "c/d"), dtype=np.dtype(">u4"))
    assert spec_to_document(big)["spec"]["dtype"] == "<u4"


def good() -> dict:
    return spec_to_document(TransferSpec("a/b", "c/d", box=Box.of(x=(1, 2), y=(3, 5), z=(7, 11))))


@pytest.mark.parametrize(
    "bad",
    [
        {"version": VERSION + 1},
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"kind": "meshing-of-tomorrow"},
        {"kind": ["transfer"]},
        {"more": 1},
        {"spec": {"source": "a/b", "destination": "c/d", "sharpen": True}},
        {"spec": {"source": "a/b"}},
        {"spec": {"source": "a/b", "destination": 5}},
        {"spec": {"source": "a/b", "destination": "c/d", "scales": [1.5]}},
        {"spec": {"source": "a/b", "destination": "c/d", "scales": [True]}},
        {"spec": {"source": "a/b", "destination": "c/d", "scales": "12"}},
        {"spec": {"source": "a/b", "destination": "c/d", "mode": "append"}},
        {"spec": {"source": "a/b", "destination": "c/d", "dtype": "<c8"}},
        {"spec": {"source": "a/b", "destination": "c/d", "dtype": "float99"}},
        {"spec": {"source": "a/b", "destination": "c/d", "box": [[1, 2], [3, 4]]}},
        {"spec": {"source": "a/b", "destination": "c/d", "skip_empty": 1}},
        {"spec": {"source": "a/b", "destination": "c/d", "voxel_size_nm": ["one", 1.0, 1.0]}},
        {"spec": None},
        {"spec": []},
    ],
)
def test_a_document_that_this_release_does_not_know_is_refused(bad):
    assert spec_from_document(good())
    with pytest.raises(UnsupportedFormat):
        spec_from_document(good() | bad)


def test_a_document_that_lacks_a_part_or_is_no_json_is_refused():
    for part in ("version", "kind", "spec"):
        with pytest.raises(UnsupportedFormat):
            spec_from_document({key: value for key, value in good().items() if key != part})
    with pytest.raises(UnsupportedFormat):
        from_text('{"version": 1')


def test_what_an_older_release_did_not_say_has_its_default():
    spec = spec_from_document({"version": 1, "kind": "transfer", "spec": {"source": "a/b", "destination": "c/d"}})
    assert spec == TransferSpec("a/b", "c/d")


def fields(kind: type) -> list[str]:
    return sorted(field.name for field in dataclasses.fields(kind))


def test_a_field_more_in_a_spec_is_a_newer_version_of_the_document():
    assert {name: len(fields(kind)) for name, kind in KINDS.items()} == {"transfer": 16, "pyramid": 2, "mesh": 13}
    assert len(fields(VolumeSpec) + fields(ScaleSpec) + fields(Channel) + fields(Encoding) + fields(PyramidSpec)) == 20
    assert VERSION == 1  # when a number above changes after a release, this one grows


TIME = datetime.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (JobProgress, JobProgress("copying", 2**63, 2**63 + 1, 3, 4, 5)),
        (JobError, JobError("CHUNK_CORRUPT", "DATA_LOSS", "bad")),
        (TransferResult, TransferResult("a/b", 2**60, "00ff", 1, 2, "v3")),
        (JobResult, TransferResult("a/b", 2**60, "00ff", 1, 2, "v3")),
        (JobResult, MeshJobResult("a/b", 2**55, 2**60, 7, "00ff")),
        (JobFailure, JobFailure(2**55, JobError("A", "B", "C"), 3, TIME, Box.of(x=(1, 2), y=(3, 5), z=(7, 11)), 2)),
        (JobBlock, JobBlock(7, b"\0\xff" * 16)),
        (Mapping[str, str], {"source": "a/b@7", "": "\0"}),
    ],
)
def test_every_part_of_a_record_comes_back(kind, value):
    assert decode(kind, from_text(to_text(encode(value)))) == value


def test_a_result_of_a_job_says_by_its_fields_what_it_is_of():
    older = {"destination": "a/b", "verified_bytes": 9, "checksum": "00"}
    assert decode(JobResult, older) == TransferResult("a/b", 9, "00")
    for bad in ({}, {"destination": "a/b", "checksum": "00"}, older | {"segment_count": 3}, [], "a/b", 7):
        with pytest.raises(UnsupportedFormat):
            decode(JobResult, bad)


def test_times_without_a_zone_are_refused():
    with pytest.raises(UnsupportedFormat):
        decode(datetime.datetime, "2026-03-01T12:00:00")


def test_what_has_no_place_in_a_record_is_refused():
    with pytest.raises(TypeError):
        encode(object())
