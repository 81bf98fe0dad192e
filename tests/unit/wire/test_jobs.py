import datetime
from dataclasses import replace

import pytest

from support.transfers import source_spec
from voxgate.model.errors import InvalidArgument
from voxgate.model.jobs import (
    Job,
    JobError,
    JobProgress,
    JobState,
    MeshJobResult,
    MeshJobSpec,
    TransferResult,
    TransferSpec,
)
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.job_specs import transfer_spec_from_proto, transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto, job_to_proto, state_from_proto, state_to_proto

NOON = datetime.datetime(2026, 11, 22, 12, 0, 0, 123456, datetime.UTC)
JOB = Job(
    name="jobs/1",
    owner="ada",
    request_id="r",
    spec=TransferSpec("a/seg", "b/copy", "v7", source_spec(fill_value=2**64 - 1)),
    state=JobState.FAILED,
    progress=JobProgress("copying", 2**40, 2**41, 2**33, 2**34, 1),
    error=JobError("CHUNK_CORRUPT", "DATA_LOSS", "a chunk cannot be decoded"),
    create_time=NOON,
    start_time=NOON + datetime.timedelta(microseconds=1),
    end_time=NOON + datetime.timedelta(days=1),
    sequence=7,
    provenance={"source": "a/seg", "source_version": "v7"},
    run_count=3,
)


def sent(job: Job) -> Job:
    return job_from_proto(pb.Job.FromString(job_to_proto(job).SerializeToString()), job.sequence)


def test_a_failed_job_arrives_as_it_was_sent():
    assert sent(JOB) == JOB


def test_a_finished_job_arrives_with_its_result():
    job = replace(
        JOB,
        state=JobState.SUCCEEDED,
        error=None,
        result=TransferResult("b/copy", 2**63 + 1, "ab" * 32, 2**40, 2**63, "3fa"),
    )
    assert sent(job) == job


def test_a_finished_meshing_arrives_with_what_it_made():
    result = MeshJobResult("b/copy", 2**54 + 1, 2**63 + 1, 2**64 - 1, "cd" * 32)
    job = replace(JOB, spec=MeshJobSpec("a/seg"), state=JobState.SUCCEEDED, error=None, result=result)
    assert sent(job) == job
    assert not job_to_proto(job).HasField("transfer_result")


def test_what_has_not_happened_yet_stays_unset():
    job = replace(
        JOB, state=JobState.PENDING, error=None, start_time=None, end_time=None, spec=TransferSpec("a/seg", "b/copy")
    )
    message = job_to_proto(job)
    assert not any(
        message.HasField(name) for name in ("error", "start_time", "end_time", "transfer_result", "mesh_result")
    )
    assert not message.transfer.HasField("destination_spec")
    assert sent(job) == job


def test_times_of_other_zones_are_the_same_moments():
    east = datetime.timezone(datetime.timedelta(hours=9))
    assert sent(replace(JOB, create_time=NOON.astimezone(east))).create_time == NOON


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_a_number_of_the_same_name(state: JobState):
    assert pb.JobState.Name(state_to_proto(state)) == f"JOB_STATE_{state.name}"
    assert state_from_proto(state_to_proto(state)) is state


def test_every_number_of_the_contract_is_a_state():
    known = [state_from_proto(number) for number in pb.JobState.values()]
    assert known == [None, *JobState]


def test_a_state_of_a_newer_contract_is_refused_and_not_guessed():
    with pytest.raises(InvalidArgument):
        state_from_proto(99)
    with pytest.raises(InvalidArgument):
        job_from_proto(pb.Job(name="jobs/1", transfer=pb.TransferSpec(), state=pb.JOB_STATE_UNSPECIFIED))
    with pytest.raises(InvalidArgument):
        job_from_proto(pb.Job(name="jobs/1", state=pb.JOB_STATE_RUNNING))


def test_a_destination_spec_that_says_nothing_is_refused():
    message = transfer_spec_to_proto(TransferSpec("a/seg", "b/copy"))
    message.destination_spec.SetInParent()
    with pytest.raises(InvalidArgument):
        transfer_spec_from_proto(message)
