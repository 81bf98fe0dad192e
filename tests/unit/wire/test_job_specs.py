import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.transfers import source_spec
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import (
    Job,
    JobBlock,
    JobError,
    JobFailure,
    MeshJobMode,
    MeshJobSpec,
    PyramidJobSpec,
    PyramidMethod,
    PyramidSpec,
    TransferMode,
    TransferSpec,
    Verification,
)
from voxgate.model.volumes import SUPPORTED_DTYPES
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.job_specs import (
    mesh_job_spec_from_proto,
    mesh_job_spec_to_proto,
    pyramid_job_spec_from_proto,
    pyramid_job_spec_to_proto,
    transfer_spec_from_proto,
    transfer_spec_to_proto,
)
from voxgate.wire.jobs import (
    block_from_proto,
    block_to_proto,
    failure_from_proto,
    failure_to_proto,
    job_from_proto,
    job_to_proto,
)

NUMBERS = st.integers(-(2**63), 2**63 - 1)
POINTS = st.builds(Vec3, NUMBERS, NUMBERS, NUMBERS)
INDICES = st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple)
EXTENTS = st.floats(0, exclude_min=True, allow_infinity=False)
PYRAMIDS = st.builds(PyramidSpec, st.lists(POINTS, max_size=3).map(tuple), st.sampled_from(PyramidMethod))
SPECS = st.builds(
    TransferSpec,
    st.text(max_size=9),
    st.text(max_size=9),
    st.text(max_size=9),
    destination_spec=st.sampled_from([None, source_spec(), source_spec(fill_value=2**64 - 1, format="zarr2")]),
    box=st.none() | st.builds(Box, POINTS, POINTS),
    scales=INDICES,
    channels=INDICES,
    dtype=st.none() | st.sampled_from(SUPPORTED_DTYPES),
    destination_start=st.none() | POINTS,
    voxel_size_nm=st.none() | st.builds(VoxelSize, EXTENTS, EXTENTS, EXTENTS),
    mode=st.sampled_from(TransferMode),
    verification=st.sampled_from(Verification),
    skip_empty=st.booleans(),
    pyramid=st.none() | PYRAMIDS,
    note=st.text(max_size=20),
    destination_version=st.text(max_size=9),
)
MESHINGS = st.builds(
    MeshJobSpec,
    volume=st.text(max_size=9),
    version=st.text(max_size=9),
    destination=st.text(max_size=9),
    scale=st.integers(0, 2**32 - 1),
    box=st.none() | st.builds(Box, POINTS, POINTS),
    chunk_shape=st.none() | POINTS,
    level_count=st.integers(0, 2**32 - 1),
    max_error_nm=st.none() | st.floats(allow_nan=False),
    vertex_quantization_bits=st.integers(1, 2**32 - 1),
    sharded=st.booleans(),
    minimum_voxel_count=st.integers(0, 2**64 - 1),
    segment_properties=st.booleans(),
    mode=st.sampled_from(MeshJobMode),
)
NOON = datetime.datetime(2026, 11, 22, 12, 0, 0, 123456, datetime.UTC)


@given(SPECS)
def test_every_field_of_a_transfer_arrives_as_it_was_sent(spec: TransferSpec):
    message = pb.TransferSpec.FromString(transfer_spec_to_proto(spec).SerializeToString())
    assert transfer_spec_from_proto(message) == spec


@given(st.text(max_size=9), PYRAMIDS)
def test_a_pyramid_and_its_job_arrive_as_they_were_sent(volume: str, pyramid: PyramidSpec):
    spec = PyramidJobSpec(volume, pyramid)
    message = pb.PyramidJobSpec.FromString(pyramid_job_spec_to_proto(spec).SerializeToString())
    assert pyramid_job_spec_from_proto(message) == spec
    job = Job("jobs/2", "ada", "r", spec, create_time=NOON)
    assert job_from_proto(job_to_proto(job)) == job


@given(MESHINGS)
def test_a_meshing_and_its_job_arrive_as_they_were_sent(spec: MeshJobSpec):
    message = pb.MeshJobSpec.FromString(mesh_job_spec_to_proto(spec).SerializeToString())
    assert mesh_job_spec_from_proto(message) == spec
    job = Job("jobs/3", "ada", "r", spec, create_time=NOON)
    assert job_from_proto(job_to_proto(job)) == job


def test_a_meshing_that_says_a_volume_only_asks_for_the_defaults():
    assert mesh_job_spec_from_proto(pb.MeshJobSpec(volume="a/seg")) == MeshJobSpec("a/seg")


def test_an_error_of_0_is_not_taken_for_no_limit():
    message = mesh_job_spec_to_proto(MeshJobSpec("a/seg", max_error_nm=0.0))
    assert mesh_job_spec_from_proto(message).max_error_nm == 0.0


@pytest.mark.parametrize(
    "changes", [{"scale": -1}, {"level_count": 2**32}, {"minimum_voxel_count": 2**64}, {"vertex_quantization_bits": -1}]
)
def test_a_number_of_a_meshing_that_the_contract_cannot_hold_is_a_typed_error(changes):
    with pytest.raises(InvalidArgument):
        mesh_job_spec_to_proto(MeshJobSpec("a/seg", **changes))


def test_a_mode_or_an_option_of_a_meshing_of_a_newer_contract_is_refused():
    with pytest.raises(InvalidArgument, match="mode"):
        mesh_job_spec_from_proto(pb.MeshJobSpec(volume="a/seg", mode=99))
    with pytest.raises(InvalidArgument, match="field 100"):
        mesh_job_spec_from_proto(pb.MeshJobSpec.FromString(b"\xa2\x06\x01x"))


def test_a_transfer_that_says_two_names_only_asks_for_the_defaults():
    message = pb.TransferSpec(source="a/seg", destination="b/copy")
    assert transfer_spec_from_proto(message) == TransferSpec("a/seg", "b/copy")


def test_a_start_at_0_is_not_taken_for_no_start():
    message = transfer_spec_to_proto(TransferSpec("a/seg", "b/copy", destination_start=Vec3(0, 0, 0)))
    assert transfer_spec_from_proto(message).destination_start == Vec3(0, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": 99},
        {"verification": 99},
        {"data_type": 99},
        {"pyramid": pb.PyramidSpec(method=99)},
        {"voxel_size_nm": pb.VoxelSize(x=4, y=4)},
        {"voxel_size_nm": pb.VoxelSize(x=4, y=4, z=float("nan"))},
    ],
)
def test_a_value_that_is_not_known_here_is_refused(changes):
    with pytest.raises(InvalidArgument):
        transfer_spec_from_proto(pb.TransferSpec(source="a/seg", destination="b/copy", **changes))


@pytest.mark.parametrize("inside", [False, True])
def test_an_option_of_a_newer_contract_is_refused_and_not_passed_over(inside):
    unknown = b"\xa2\x06\x01x"  # field 100, one byte long
    data = pb.TransferSpec(source="a/seg", destination="b/copy").SerializeToString()
    pyramid = pb.TransferSpec(pyramid=pb.PyramidSpec.FromString(unknown)).SerializeToString()
    with pytest.raises(InvalidArgument, match="field 100"):
        transfer_spec_from_proto(pb.TransferSpec.FromString(data + (pyramid if inside else unknown)))


@pytest.mark.parametrize(
    "changes", [{"scales": (-1,)}, {"channels": (2**32,)}, {"box": Box.of((0, 2**63), (0, 1), (0, 1))}]
)
def test_a_number_that_the_contract_cannot_hold_is_a_typed_error(changes):
    with pytest.raises(InvalidArgument):
        transfer_spec_to_proto(TransferSpec("a/seg", "b/copy", **changes))


def test_dtypes_of_the_other_byte_order_are_the_same_type():
    message = transfer_spec_to_proto(TransferSpec("a/seg", "b/copy", dtype=np.dtype(">u2")))
    assert transfer_spec_from_proto(message).dtype == np.dtype("<u2")


@pytest.mark.parametrize("box", [None, Box.of(x=(-(2**40), 5), y=(0, 7), z=(-9, 11))])
def test_failed_and_finished_blocks_arrive_as_they_were_sent(box):
    failure = JobFailure(2**33, JobError("CHUNK_CORRUPT", "DATA_LOSS", "no"), 5, NOON, box, 2)
    assert failure_from_proto(pb.JobFailure.FromString(failure_to_proto(failure).SerializeToString())) == failure
    block = JobBlock(2**33, bytes(range(32)), box, 2)
    assert block_from_proto(pb.JobBlock.FromString(block_to_proto(block).SerializeToString())) == block
