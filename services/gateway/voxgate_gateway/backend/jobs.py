"""Jobs of the servers behind: long work of all services, asked for and followed without a thread that waits."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from voxgate.model.errors import IncompleteAnswer, Unimplemented
from voxgate.model.jobs import Job, JobFailure, JobState
from voxgate.v1 import job_pb2 as pb
from voxgate.wire.jobs import failure_from_proto, job_from_proto, state_to_proto
from voxgate_gateway.backend.calls import CALL_TIMEOUT_S, Metadata
from voxgate_gateway.backend.forwarding import Call, CallFailed, Forwarder, error_of
from voxgate_gateway.backend.methods import Method, method_of

_ATTACH_S = 300.0
"""One watch lasts this long at most, so that a connection that died silently is noticed; then the next one begins."""
_PREFIX = "jobs/"
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, newest first, and what asks for the next; empty on the last page."""

    jobs: tuple[Job, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Some blocks that failed, the latest first, and what asks for the next; empty on the last page."""

    failures: tuple[JobFailure, ...]
    next_page_token: str


class Jobs:
    """The jobs of one caller, on whichever server keeps them. For the gateway's event loop.

    Jobs are named by their id alone, as in addresses. Every method raises the VoxgateError that the server answered:
    UnknownJob for a job that is not this caller's, ServerUnreachable where nothing answers, Unimplemented where no
    server behind the gateway keeps jobs.

    Args:
        forwarder: knows where the Job service is.
        metadata: the caller's identity and request id.
    """

    def __init__(self, forwarder: Forwarder, metadata: Metadata) -> None:
        self._forwarder = forwarder
        self._metadata = metadata

    async def list(self, *, state: JobState | None = None, page_size: int = 0, page_token: str = "") -> JobPage:
        """A page of jobs; all states where none is named."""
        request = pb.ListJobsRequest(page_size=page_size, page_token=page_token, state=state_to_proto(state))
        answer = await self._answer("ListJobs", request, pb.ListJobsResponse)
        return JobPage(tuple(map(job_from_proto, answer.jobs)), answer.next_page_token)

    async def get(self, job_id: str) -> Job:
        """A job as it stands."""
        request = pb.GetJobRequest(name=_PREFIX + job_id)
        return job_from_proto((await self._answer("GetJob", request, pb.GetJobResponse)).job)

    async def failures(self, job_id: str, *, page_size: int = 0, page_token: str = "") -> FailurePage:
        """A page of the blocks that failed."""
        request = pb.ListJobFailuresRequest(name=_PREFIX + job_id, page_size=page_size, page_token=page_token)
        answer = await self._answer("ListJobFailures", request, pb.ListJobFailuresResponse)
        return FailurePage(tuple(map(failure_from_proto, answer.failures)), answer.next_page_token)

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; harmless when it has ended."""
        request = pb.CancelJobRequest(name=_PREFIX + job_id)
        return job_from_proto((await self._answer("CancelJob", request, pb.CancelJobResponse)).job)

    async def resume(self, job_id: str) -> Job:
        """Take a job up that failed or was cancelled; refused for one that succeeded."""
        request = pb.ResumeJobRequest(name=_PREFIX + job_id)
        return job_from_proto((await self._answer("ResumeJob", request, pb.ResumeJobResponse)).job)

    async def watch(self, job_id: str, after_sequence: int = 0) -> AsyncGenerator[Job, None]:
        """The job at every change after one, and every ten seconds or so, until it has ended or five minutes are over.

        Whoever stops iterating ends the call.
        """
        request = pb.WatchJobRequest(name=_PREFIX + job_id, after_sequence=after_sequence)
        async with contextlib.aclosing(self._messages("WatchJob", request, _ATTACH_S)) as messages:
            async for message in messages:
                told = pb.WatchJobResponse.FromString(message)
                yield job_from_proto(told.job, told.sequence)

    async def _answer(self, name: str, request: Message, kind: type[M]) -> M:
        async with contextlib.aclosing(self._messages(name, request, CALL_TIMEOUT_S)) as messages:
            async for message in messages:
                return kind.FromString(message)
        raise IncompleteAnswer("the server answered nothing", "ask again", retry_after_s=2.0)

    async def _messages(self, name: str, request: Message, timeout_s: float) -> AsyncGenerator[bytes, None]:
        call = Call(_method(name), request.SerializeToString(), self._metadata, timeout_s)
        try:
            async with contextlib.aclosing(self._forwarder.messages(call)) as messages:
                async for message in messages:
                    yield message
        except CallFailed as failed:
            error = error_of(failed.ending)
            if isinstance(error, Unimplemented) and not failed.ending.has_reason:
                error = Unimplemented("no server behind this gateway keeps jobs", "start the Transfer server, too")
            raise error from None


@functools.cache
def _method(name: str) -> Method:
    return method_of(pb.DESCRIPTOR, "JobService", name)
