"""A job as its caller holds it: ask, follow, wait, cancel, resume, look into."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Generic, TypeVar, cast

import grpc

from voxgate.client import bars
from voxgate.client.calls import unary
from voxgate.client.resuming import is_break
from voxgate.model.errors import Cancelled, DeadlineExceeded, InternalError, JobFailed
from voxgate.model.jobs import Job, JobFailure, JobResult, JobState
from voxgate.model.manifests import JobManifest
from voxgate.v1 import job_pb2, job_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.jobs import block_from_proto, failure_from_proto, job_from_proto

_ATTACH_S = 300.0
"""One stream lasts this long at most, so that a connection that died silently is noticed; then the next one begins."""
_SILENCE_TRIES = 8
"""Streams that may break in a row, without a word between them, before the job counts as out of reach."""
_LATER_TRIES = 16
"""The same once the job was heard of: about a minute, long enough for a server to start again."""
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_POLL_S = 2.0
_UNARY_S = 30.0


R = TypeVar("R", bound=JobResult)


class JobHandle(Generic[R]):
    """A job on a server that produces an R. The record is the server's: a handle can be made anew from the job's name.

    Args:
        stub: of JobService.
        job: the record as it was answered.
        address: of the service, for errors.
    """

    def __init__(self, stub: job_pb2_grpc.JobServiceStub, job: Job, address: str = "the server") -> None:
        self._stub = stub
        self._job = job
        self._address = address

    @staticmethod
    def named(stub: job_pb2_grpc.JobServiceStub, name: str, address: str = "the server") -> JobHandle[Any]:
        """The handle of a job by its name, "jobs/ID".

        Raises:
            UnknownJob: when there is none of this caller's.
        """
        answer = unary(stub.GetJob, job_pb2.GetJobRequest(name=name), address, _UNARY_S)
        return JobHandle(stub, job_from_proto(answer.job), address)

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
        return self._answered(self._stub.GetJob, job_pb2.GetJobRequest(name=self.name))

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
        sequence, broken, tries = 0, 0, _SILENCE_TRIES
        code: grpc.StatusCode | None
        while not self._job.state.is_terminal or sequence == 0:
            try:
                for job in self._attach(sequence, until):
                    sequence, broken, tries = max(sequence, job.sequence), 0, _LATER_TRIES
                    self._job = job
                    yield job
                code = None  # the stream ended in good order: with the job, or with the server's patience
            except grpc.RpcError as failure:
                code = self._mendable(failure)
                broken += code is grpc.StatusCode.UNAVAILABLE
                if broken >= tries:
                    raise from_rpc_error(failure, self._address) from None
            if code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # too many watch already: ask now and then instead
                broken, sequence = 0, max(1, sequence)
                yield self.refresh()
            self._wait(_delay_s(code, broken), until)

    def result(self, timeout_s: float | None = None, *, progress: bool = False) -> R:
        """Wait for the job's end and answer what it produced: a TransferResult, or of meshing a MeshJobResult.

        Args:
            timeout_s: seconds to wait; None means as long as it takes. The job itself goes on, as it does when the
                wait is interrupted.
            progress: show bytes, rate and time left on stderr: a bar on a terminal (with `voxgate[cli]`), else a line
                every ten seconds.

        Raises:
            JobFailed: when it failed; `details` has `reason`, `code` and `message`.
            Cancelled: when it was cancelled.
            DeadlineExceeded: when it has not ended by then.
        """
        if not self._job.state.is_terminal:
            with bars.shown(self.name) if progress else contextlib.nullcontext() as meter:
                for job in self.watch(timeout_s):
                    self._job = job
                    if meter is not None:
                        meter(job.progress.phase, job.progress.done_bytes, job.progress.total_bytes)
        return cast("R", _outcome(self._job))

    def cancel(self) -> Job:
        """Ask the job to stop; harmless when it has ended. Blocks being written are finished: `watch` sees the end.

        Raises:
            UnknownJob: when the server knows it no more.
            ServerUnreachable: when nothing answers.
        """
        return self._answered(self._stub.CancelJob, job_pb2.CancelJobRequest(name=self.name))

    def resume(self) -> Job:
        """Take the job up where it stopped, after it failed or was cancelled: blocks that are done are not done again.

        Harmless while it is under way.

        Raises:
            UnknownJob: when the server knows it no more.
            FailedPrecondition: when it succeeded.
            ServerUnreachable: when nothing answers.
        """
        return self._answered(self._stub.ResumeJob, job_pb2.ResumeJobRequest(name=self.name))

    def failures(self) -> Iterator[JobFailure]:
        """The blocks that failed, the latest first; of each the last failure.

        Raises:
            UnknownJob: when the server knows it no more.
            ServerUnreachable: when nothing answers.
        """
        request = job_pb2.ListJobFailuresRequest(name=self.name)
        while True:
            page = unary(self._stub.ListJobFailures, request, self._address, _UNARY_S)
            yield from map(failure_from_proto, page.failures)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    def manifest(self) -> JobManifest:
        """What each finished block was: its number, its box, the SHA-256 of its voxels.

        Of a job that succeeded, `manifest().checksum` is the result's `checksum`.

        Raises:
            UnknownJob: when the server knows it no more.
            ServerUnreachable: when nothing answers, or the stream broke.
        """
        stream = self._stub.ReadJobManifest(job_pb2.ReadJobManifestRequest(name=self.name))
        try:
            return JobManifest.of([block_from_proto(block) for block in page.blocks] for page in stream)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._address) from None
        finally:
            stream.cancel()

    def _answered(self, method: Any, request: Any) -> Job:
        self._job = job_from_proto(unary(method, request, self._address, _UNARY_S).job)
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

    def _mendable(self, failure: grpc.RpcError) -> grpc.StatusCode:
        """The code of a failure that another stream may mend: out of reach, out of watchers, or our own limit reached.

        Whatever else a server leaves behind that is being stopped counts as out of reach.

        Raises:
            VoxgateError: for any other failure.
        """
        code = failure.code() if isinstance(failure, grpc.Call) else None
        if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED):
            return code
        if is_break(failure) or code is grpc.StatusCode.UNAVAILABLE:
            return grpc.StatusCode.UNAVAILABLE
        raise from_rpc_error(failure, self._address) from None

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


def _outcome(job: Job) -> JobResult:
    if job.state is JobState.CANCELLED:
        raise Cancelled(
            f"{job.name} was cancelled",
            "its destination is incomplete: take the job up again with resume(), or delete it",
            details={"job": job.name},
        )
    if job.error is not None:
        error = job.error
        facts = {"job": job.name, "reason": error.reason, "code": error.code, "message": error.message}
        remedy = "put it right and take the job up again with resume(); failures() says which blocks failed"
        raise JobFailed(f"{job.name} failed: {error.message}", remedy, details=facts)
    if job.result is None:
        raise InternalError(f"{job.name} ended without a result", "report it with the name of the job")
    return job.result
