"""Records of jobs as rows of the table, and back."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from voxgate.model.jobs import Job, JobError, JobProgress, JobResult, JobState
from voxgate_jobs.documents import from_text, spec_from_document, to_text
from voxgate_jobs.encoding import decode, encode

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime.datetime:
    """The time of a column."""
    return _EPOCH + microseconds * _MICROSECOND


def microseconds(time: datetime.datetime) -> int:
    """The column of a time."""
    return (time - _EPOCH) // _MICROSECOND


def job_of(row: sa.Row[Any]) -> Job:
    """The record of a row.

    Raises:
        UnsupportedFormat: when a newer release wrote it.
    """
    return Job(
        name=row.name,
        owner=row.owner,
        request_id=row.request_id,
        spec=spec_from_document(from_text(row.spec)),
        state=JobState(row.state),
        progress=decode(JobProgress, from_text(row.progress)),
        error=None if row.error is None else decode(JobError, from_text(row.error)),
        create_time=time_of(row.create_time),
        start_time=None if row.start_time is None else time_of(row.start_time),
        end_time=None if row.end_time is None else time_of(row.end_time),
        result=None if row.result is None else decode(JobResult, from_text(row.result)),
        sequence=row.sequence,
        provenance=decode(Mapping[str, str], from_text(row.provenance)),
        run_count=row.run_count,
    )


def columns_of(job: Job) -> dict[str, Any]:
    """The columns of a record that change after it was created."""
    return {
        "state": job.state.value,
        "sequence": job.sequence,
        "run_count": job.run_count,
        "start_time": None if job.start_time is None else microseconds(job.start_time),
        "end_time": None if job.end_time is None else microseconds(job.end_time),
        "progress": to_text(encode(job.progress)),
        "error": None if job.error is None else to_text(encode(job.error)),
        "result": None if job.result is None else to_text(encode(job.result)),
        "provenance": to_text(encode(job.provenance)),
    }
