"""Jobs: proto <-> model."""

from __future__ import annotations

import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from voxgate.model.errors import InvalidArgument
from voxgate.model.jobs import Job, JobError, JobProgress, JobState, TransferResult, TransferSpec
from voxgate.v1 import types_pb2 as pb
from voxgate.wire.volumes import spec_from_proto, spec_to_proto

_STATES = {
    JobState.PENDING: pb.JOB_STATE_PENDING,
    JobState.RUNNING: pb.JOB_STATE_RUNNING,
    JobState.CANCELLING: pb.JOB_STATE_CANCELLING,
    JobState.SUCCEEDED: pb.JOB_STATE_SUCCEEDED,
    JobState.FAILED: pb.JOB_STATE_FAILED,
    JobState.CANCELLED: pb.JOB_STATE_CANCELLED,
}
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


def transfer_spec_to_proto(spec: TransferSpec) -> pb.TransferSpec:
    """What to copy and where to."""
    return pb.TransferSpec(
        source=spec.source,
        source_version=spec.source_version,
        destination=spec.destination,
        destination_spec=None if spec.destination_spec is None else spec_to_proto(spec.destination_spec),
    )


def transfer_spec_from_proto(message: pb.TransferSpec) -> TransferSpec:
    """What to copy and where to.

    Raises:
        InvalidArgument: for a destination spec that is none.
    """
    stated = message.HasField("destination_spec")
    return TransferSpec(
        source=message.source,
        destination=message.destination,
        source_version=message.source_version,
        destination_spec=spec_from_proto(message.destination_spec) if stated else None,
    )


def job_to_proto(job: Job) -> pb.Job:
    """A job's record. Its sequence is not in it: WatchJobResponse carries that beside it."""
    result = job.result
    return pb.Job(
        name=job.name,
        owner=job.owner,
        request_id=job.request_id,
        transfer=transfer_spec_to_proto(job.spec),
        state=_STATES[job.state],
        progress=_progress_to_proto(job.progress),
        error=None if job.error is None else _error_to_proto(job.error),
        create_time=_time_to_proto(job.create_time),
        start_time=_time_to_proto(job.start_time),
        end_time=_time_to_proto(job.end_time),
        transfer_result=None
        if result is None
        else pb.TransferResult(
            destination=result.destination, verified_bytes=result.verified_bytes, checksum=result.checksum
        ),
    )


def job_from_proto(message: pb.Job, sequence: int = 0) -> Job:
    """A job's record.

    Args:
        message: the record.
        sequence: of WatchJobResponse; 0 where a call does not tell it.

    Raises:
        InvalidArgument: for a state this side does not know, or a record that is no transfer.
    """
    state = state_from_proto(message.state)
    if state is None or not message.HasField("transfer"):
        raise InvalidArgument("the record is of a kind of job this side does not know", "upgrade the older side")
    create_time = _time_from_proto(message, "create_time")
    result = message.transfer_result
    return Job(
        name=message.name,
        owner=message.owner,
        request_id=message.request_id,
        spec=transfer_spec_from_proto(message.transfer),
        state=state,
        progress=_progress_from_proto(message.progress),
        error=_error_from_proto(message.error) if message.HasField("error") else None,
        create_time=create_time or datetime.datetime.fromtimestamp(0, datetime.UTC),
        start_time=_time_from_proto(message, "start_time"),
        end_time=_time_from_proto(message, "end_time"),
        result=TransferResult(result.destination, result.verified_bytes, result.checksum)
        if message.HasField("transfer_result")
        else None,
        sequence=sequence,
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


def _time_from_proto(message: pb.Job, name: str) -> datetime.datetime | None:
    stamp: Timestamp = getattr(message, name)
    return stamp.ToDatetime(datetime.UTC) if message.HasField(name) else None
