"""Jobs: proto <-> model."""

from __future__ import annotations

import datetime
import uuid

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from voxgate.model.errors import InvalidArgument
from voxgate.model.jobs import (
    Job,
    JobBlock,
    JobError,
    JobFailure,
    JobProgress,
    JobResult,
    JobSpec,
    JobState,
    MeshJobResult,
    MeshJobSpec,
    PyramidJobSpec,
    TransferResult,
    TransferSpec,
)
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.job_specs import (
    mesh_job_spec_from_proto,
    mesh_job_spec_to_proto,
    pyramid_job_spec_from_proto,
    pyramid_job_spec_to_proto,
    transfer_spec_from_proto,
    transfer_spec_to_proto,
)
from voxgate.wire.volumes import box_from_proto, box_to_proto

_STATES = {
    JobState.PENDING: pb.JOB_STATE_PENDING,
    JobState.RUNNING: pb.JOB_STATE_RUNNING,
    JobState.CANCELLING: pb.JOB_STATE_CANCELLING,
    JobState.SUCCEEDED: pb.JOB_STATE_SUCCEEDED,
    JobState.FAILED: pb.JOB_STATE_FAILED,
    JobState.CANCELLED: pb.JOB_STATE_CANCELLED,
}
_UNKNOWN_TIME = datetime.datetime.fromtimestamp(0, datetime.UTC)
_STATES_BACK = {number: state for state, number in _STATES.items()}


def state_to_proto(state: JobState | None) -> pb.JobState:
    """A state, or for None the filter that means any."""
    return pb.JOB_STATE_UNSPECIFIED if state is None else _STATES[state]


def state_from_proto(number: pb.JobState) -> JobState | None:
    """A state, or None for the unspecified one.

    Raises:
        InvalidArgument: for a number this side does not know.
    """
    if number == pb.JOB_STATE_UNSPECIFIED:
        return None
    if number not in _STATES_BACK:
        raise InvalidArgument(f"{number} is not a state of a job this side knows", "upgrade the older side")
    return _STATES_BACK[number]


def request_id_from_proto(text: str) -> str:
    """The one spelling of the UUID of a request.

    Raises:
        InvalidArgument: when it is none.
    """
    try:
        request_id = str(uuid.UUID(text))
    except ValueError:
        request_id = ""
    if not request_id or request_id != text.lower():
        raise InvalidArgument(
            f"the request id {text[:64]!r} is no UUID",
            "send a new UUID with each new request, the same one only to repeat a request",
            details={"field": "request_id"},
        )
    return request_id


def job_to_proto(job: Job) -> pb.Job:
    """A job's record. Its sequence is not in it: WatchJobResponse carries that beside it."""
    spec = job.spec
    return pb.Job(
        name=job.name,
        owner=job.owner,
        request_id=job.request_id,
        transfer=transfer_spec_to_proto(spec) if isinstance(spec, TransferSpec) else None,
        pyramid=pyramid_job_spec_to_proto(spec) if isinstance(spec, PyramidJobSpec) else None,
        mesh=mesh_job_spec_to_proto(spec) if isinstance(spec, MeshJobSpec) else None,
        state=_STATES[job.state],
        progress=_progress_to_proto(job.progress),
        error=None if job.error is None else _error_to_proto(job.error),
        create_time=_time_to_proto(job.create_time),
        start_time=_time_to_proto(job.start_time),
        end_time=_time_to_proto(job.end_time),
        transfer_result=_result_to_proto(job.result) if isinstance(job.result, TransferResult) else None,
        mesh_result=_mesh_result_to_proto(job.result) if isinstance(job.result, MeshJobResult) else None,
        provenance=job.provenance,
        run_count=job.run_count,
    )


def job_from_proto(message: pb.Job, sequence: int = 0) -> Job:
    """A job's record.

    Args:
        message: the record.
        sequence: of WatchJobResponse; 0 where a call does not tell it.

    Raises:
        InvalidArgument: for a state or a kind of job that this side does not know.
    """
    state = state_from_proto(message.state)
    if state is None:
        raise InvalidArgument("the record has no state", "upgrade the older side")
    create_time = _time_from_proto(message, "create_time")
    return Job(
        name=message.name,
        owner=message.owner,
        request_id=message.request_id,
        spec=_spec_from_proto(message),
        state=state,
        progress=_progress_from_proto(message.progress),
        error=_error_from_proto(message.error) if message.HasField("error") else None,
        create_time=create_time or _UNKNOWN_TIME,
        start_time=_time_from_proto(message, "start_time"),
        end_time=_time_from_proto(message, "end_time"),
        result=_result_from_proto(message),
        sequence=sequence,
        provenance=dict(message.provenance),
        run_count=message.run_count,
    )


def failure_to_proto(failure: JobFailure) -> pb.JobFailure:
    """A block that failed."""
    return pb.JobFailure(
        block_index=failure.block_index,
        box=None if failure.box is None else box_to_proto(failure.box),
        scale_index=failure.scale,
        error=_error_to_proto(failure.error),
        attempt_count=failure.attempt_count,
        time=_time_to_proto(failure.time),
    )


def failure_from_proto(message: pb.JobFailure) -> JobFailure:
    """A block that failed."""
    return JobFailure(
        message.block_index,
        _error_from_proto(message.error),
        message.attempt_count,
        _time_from_proto(message, "time") or _UNKNOWN_TIME,
        box_from_proto(message.box) if message.HasField("box") else None,
        message.scale_index,
    )


def block_to_proto(block: JobBlock) -> pb.JobBlock:
    """A finished block."""
    return pb.JobBlock(
        block_index=block.block_index,
        box=None if block.box is None else box_to_proto(block.box),
        scale_index=block.scale,
        checksum=block.checksum,
    )


def block_from_proto(message: pb.JobBlock) -> JobBlock:
    """A finished block."""
    box = box_from_proto(message.box) if message.HasField("box") else None
    return JobBlock(message.block_index, message.checksum, box, message.scale_index)


def _spec_from_proto(message: pb.Job) -> JobSpec:
    kind = message.WhichOneof("spec")
    if kind == "transfer":
        return transfer_spec_from_proto(message.transfer)
    if kind == "pyramid":
        return pyramid_job_spec_from_proto(message.pyramid)
    if kind == "mesh":
        return mesh_job_spec_from_proto(message.mesh)
    raise InvalidArgument("the record is of a kind of job this side does not know", "upgrade the older side")


def _result_to_proto(result: TransferResult) -> pb.TransferResult:
    return pb.TransferResult(
        destination=result.destination,
        verified_bytes=result.verified_bytes,
        checksum=result.checksum,
        skipped_block_count=result.skipped_block_count,
        copied_bytes=result.copied_bytes,
        destination_version=result.destination_version,
    )


def _mesh_result_to_proto(result: MeshJobResult) -> pb.MeshJobResult:
    return pb.MeshJobResult(
        destination=result.destination,
        segment_count=result.segment_count,
        face_count=result.face_count,
        stored_bytes=result.stored_bytes,
        checksum=result.checksum,
    )


def _result_from_proto(message: pb.Job) -> JobResult | None:
    """What a job produced; None while it has produced nothing."""
    if message.HasField("mesh_result"):
        meshes = message.mesh_result
        return MeshJobResult(
            meshes.destination, meshes.segment_count, meshes.face_count, meshes.stored_bytes, meshes.checksum
        )
    if not message.HasField("transfer_result"):
        return None
    copy = message.transfer_result
    return TransferResult(
        copy.destination,
        copy.verified_bytes,
        copy.checksum,
        copy.skipped_block_count,
        copy.copied_bytes,
        copy.destination_version,
    )


def _progress_to_proto(progress: JobProgress) -> pb.JobProgress:
    return pb.JobProgress(
        phase=progress.phase,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
        done_block_count=progress.done_block_count,
        total_block_count=progress.total_block_count,
        failed_block_count=progress.failed_block_count,
    )


def _progress_from_proto(message: pb.JobProgress) -> JobProgress:
    return JobProgress(
        phase=message.phase,
        done_bytes=message.done_bytes,
        total_bytes=message.total_bytes,
        done_block_count=message.done_block_count,
        total_block_count=message.total_block_count,
        failed_block_count=message.failed_block_count,
    )


def _error_to_proto(error: JobError) -> pb.ItemError:
    return pb.ItemError(reason=error.reason, code=grpc.StatusCode[error.code].value[0], message=error.message)


def _error_from_proto(message: pb.ItemError) -> JobError:
    code = next((code.name for code in grpc.StatusCode if code.value[0] == message.code), "UNKNOWN")
    return JobError(message.reason, code, message.message)


def _time_to_proto(time: datetime.datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _time_from_proto(message: pb.Job | pb.JobFailure, name: str) -> datetime.datetime | None:
    stamp: Timestamp = getattr(message, name)
    return stamp.ToDatetime(datetime.UTC) if message.HasField(name) else None
