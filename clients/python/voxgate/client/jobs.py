"""A job as its caller holds it: ask, follow, wait, cancel."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc

from voxgate.model.errors import Cancelled, DeadlineExceeded, InternalError, JobFailed
from voxgate.model.jobs import Job, JobState, TransferResult
from voxgate.v1 import job_pb2, job_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.jobs import job_from_proto

_ATTACH_S = 300.0
"""One stream lasts this long at most, so that a connection that died silently is noticed; then the next one begins."""
_SILENCE_TRIES = 8
"""Streams that may break in a row, without a word between them, before the job counts as out of reach."""
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_POLL_S = 2.0
_UNARY_S = 30.0


class JobHandle:
    """A job on a server. The record is the server's: a handle can be dropped and made anew from the job's name.

    Args:
        stub: of JobService.
        job: the record as it was answered.
    """

    def __init__(self, stub: job_pb2_grpc.JobServiceStub, job: Job) -> None:
        self._stub = stub
        self._job = job

    @staticmethod
    def named(stub: job_pb2_grpc.JobServiceStub, name: str) -> JobHandle:
        """The handle of a job by its name, "jobs/ID".

        Raises:
            UnknownJob: when there is none of this caller's.
        """
        return JobHandle(stub, _get(stub, name))

    @property
    def name(self) -> str:
        """Its name: "jobs/ID"."""
        return self._job.name

    @property
    def job(self) -> Job:
        """The record as it was last heard of; `refresh` asks anew."""
        return self._job

    def __repr__(self) -> str:
        return f"<JobHandle {self.name} {self._job.state.value}>"

    def refresh(self) -> Job:
        """Ask for the record as it stands.

        Raises:
            UnknownJob: when the server knows it no more.
            ServerUnreachable: when nothing answers.
        """
        self._job = _get(self._stub, self.name)
        return self._job

    def watch(self, timeout_s: float | None = None) -> Iterator[Job]:
        """Yield the record now, at every change and every ten seconds or so, until the job has ended.

        A broken connection is taken up again where it broke.

        Args:
            timeout_s: seconds to follow it; None means until it has ended. The job itself goes on.

        Raises:
            DeadlineExceeded: when the job has not ended by then.
            ServerUnreachable: when the server stays out of reach.
            UnknownJob: when the server knows it no more.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        sequence, broken = 0, 0
        code: grpc.StatusCode | None
        while not self._job.state.is_terminal or sequence == 0:
            try:
                for job in self._attach(sequence, until):
                    sequence, broken = max(sequence, job.sequence), 0
                    self._job = job
                    yield job
                code = None  # the stream ended in good order: with the job, or with the server's patience
            except grpc.RpcError as failure:
                code = _mendable(failure)
                broken += code is grpc.StatusCode.UNAVAILABLE
                if broken >= _SILENCE_TRIES:
                    raise from_rpc_error(failure) from None
            if code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # too many watch already: ask now and then instead
                broken, sequence = 0, max(1, sequence)
                yield self.refresh()
            self._wait(_delay_s(code, broken), until)

    def result(self, timeout_s: float | None = None) -> TransferResult:
        """Wait for the job's end and answer what it produced.

        Args:
            timeout_s: seconds to wait; None means as long as it takes. The job itself goes on.

        Raises:
            JobFailed: when it failed; `details` has `reason`, `code` and `message`.
            Cancelled: when it was cancelled.
            DeadlineExceeded: when it has not ended by then.
        """
        if not self._job.state.is_terminal:
            for job in self.watch(timeout_s):
                self._job = job
        return _outcome(self._job)

    def cancel(self) -> Job:
        """Ask the job to stop; harmless when it has ended. Blocks being written are finished: `watch` sees the end.

        Raises:
            UnknownJob: when the server knows it no more.
            ServerUnreachable: when nothing answers.
        """
        try:
            response = self._stub.CancelJob(job_pb2.CancelJobRequest(name=self.name), timeout=_UNARY_S)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        self._job = job_from_proto(response.job)
        return self._job

    def _attach(self, sequence: int, until: float | None) -> Iterator[Job]:
        patience_s = _ATTACH_S if until is None else min(_ATTACH_S, max(0.001, until - time.monotonic()))
        request = job_pb2.WatchJobRequest(name=self.name, after_sequence=sequence)
        stream = self._stub.WatchJob(request, timeout=patience_s)
        try:
            for response in stream:
                yield job_from_proto(response.job, response.sequence)
        finally:
            stream.cancel()

    def _wait(self, delay_s: float, until: float | None) -> None:
        if self._job.state.is_terminal:
            return
        if until is not None and time.monotonic() + delay_s >= until:
            raise DeadlineExceeded("the job has not ended yet", "it goes on; wait longer, or cancel it")
        time.sleep(delay_s)


def _delay_s(code: grpc.StatusCode | None, broken: int) -> float:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _POLL_S
    return min(_FIRST_DELAY_S * 2.0 ** max(0, broken - 1), _LONGEST_DELAY_S)


def _mendable(failure: grpc.RpcError) -> grpc.StatusCode:
    """The code of a failure that another stream may mend: out of reach, out of watchers, or our own limit reached.

    Raises:
        VoxgateError: for any other failure.
    """
    code = failure.code() if isinstance(failure, grpc.Call) else None
    if code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    ):
        return code
    raise from_rpc_error(failure) from None


def _get(stub: job_pb2_grpc.JobServiceStub, name: str) -> Job:
    try:
        response = stub.GetJob(job_pb2.GetJobRequest(name=name), timeout=_UNARY_S)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None
    return job_from_proto(response.job)


def _outcome(job: Job) -> TransferResult:
    if job.state is JobState.CANCELLED:
        raise Cancelled("the job was cancelled", "its destination is incomplete; delete it", details={"job": job.name})
    if job.error is not None:
        error = job.error
        facts = {"job": job.name, "reason": error.reason, "code": error.code, "message": error.message}
        raise JobFailed(f"{job.name} failed: {error.message}", details=facts)
    if job.result is None:
        raise InternalError(f"{job.name} ended without a result", "report it with the name of the job")
    return job.result
