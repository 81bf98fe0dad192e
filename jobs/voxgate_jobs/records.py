"""How a coordinator changes a job's record: pure functions from one record to the next."""

from __future__ import annotations

import datetime
from dataclasses import replace

from voxgate.model.errors import FailedPrecondition
from voxgate.model.jobs import Job, JobError, JobProgress, JobResult, JobState


def now() -> datetime.datetime:
    """The present, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def asked_to_stop(job: Job) -> Job:
    """A job that waits ends at once; one that runs is told."""
    if job.state is JobState.PENDING:
        return ended(job, JobState.CANCELLED)
    return replace(job, state=JobState.CANCELLING) if job.state is JobState.RUNNING else job


def resumed(job: Job) -> Job:
    """A job that failed or was cancelled waits again.

    Raises:
        FailedPrecondition: for one that succeeded, or has not stopped yet.
    """
    if job.state in (JobState.PENDING, JobState.RUNNING):
        return job
    if job.state is JobState.SUCCEEDED:
        raise FailedPrecondition("the job has succeeded: nothing is left to do", "start another job")
    if job.state is JobState.CANCELLING:
        raise FailedPrecondition("the job was told to stop and has not stopped yet", "watch it end, then resume it")
    return replace(job, state=JobState.PENDING, error=None, end_time=None)


def shows(job: Job, progress: JobProgress) -> Job:
    """The same job, further on."""
    return job if job.state.is_terminal or job.progress == progress else replace(job, progress=progress)


def ended(job: Job, state: JobState, error: JobError | None = None) -> Job:
    """A job that is over; one that is over already stays as it is."""
    return job if job.state.is_terminal else replace(job, state=state, error=error, end_time=now())


def ended_well(job: Job, progress: JobProgress, result: JobResult) -> Job:
    """A job whose blocks are all done."""
    if job.state is JobState.CANCELLING:  # told to stop while the last block finished
        return ended(replace(job, progress=progress), JobState.CANCELLED)
    return job if job.state.is_terminal else replace(ended(job, JobState.SUCCEEDED), progress=progress, result=result)


def ended_badly(job: Job, progress: JobProgress, error: JobError) -> Job:
    """A job that cannot go on. One that was told to stop ends as it was told."""
    if job.state is JobState.CANCELLING:
        return ended(replace(job, progress=progress), JobState.CANCELLED)
    return job if job.state.is_terminal else ended(replace(job, progress=progress), JobState.FAILED, error)


def stopped(job: Job, progress: JobProgress) -> Job:
    """A job that stopped because its owner asked."""
    if job.state is not JobState.CANCELLING:
        return shows(job, progress)
    return ended(replace(job, progress=progress), JobState.CANCELLED)
