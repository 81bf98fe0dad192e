"""The TransferService and the JobService on the wire: they only translate."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import grpc

from voxgate.model.errors import InvalidArgument, ReadOnly, ServerBusy
from voxgate.v1 import job_pb2 as pb
from voxgate.v1 import job_pb2_grpc, transfer_pb2, transfer_pb2_grpc
from voxgate.wire.job_specs import transfer_spec_from_proto
from voxgate.wire.jobs import job_to_proto, state_from_proto
from voxgate_jobs.store import JobQuery, JobStore
from voxgate_jobs.work import Engine
from voxgate_serving.calls import call_context
from voxgate_serving.principal import current_principal
from voxgate_transfer.transfers import Transfers
from voxgate_transfer.watching import watch

_DEFAULT_PAGE = 100
_MAX_PAGE = 1000


class TransferServicer(transfer_pb2_grpc.TransferServiceServicer):
    """Starts transfers.

    Args:
        transfers: what starts them.
        writes_enabled: whether this server takes writes at all.
    """

    def __init__(self, transfers: Transfers, *, writes_enabled: bool) -> None:
        self._transfers = transfers
        self._writes_enabled = writes_enabled

    def CreateTransfer(  # noqa: N802  (the contract's name)
        self, request: transfer_pb2.CreateTransferRequest, context: grpc.ServicerContext
    ) -> transfer_pb2.CreateTransferResponse:
        """Create the destination and a job."""
        if not self._writes_enabled:
            raise ReadOnly(
                "this server serves reads only", "connect on its own machine, or let its operator allow writes"
            )
        job = self._transfers.start(
            current_principal(context).name,
            _request_id(request.request_id),
            transfer_spec_from_proto(request.spec),
            call_context(context),
        )
        return transfer_pb2.CreateTransferResponse(job=job_to_proto(job))


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """Follows and stops jobs. A caller sees their own: those of others are unknown.

    Args:
        jobs: the records.
        engine: what runs them.
        watcher_count: watchers at once; each holds a thread of the server, so they are never given all of them.
    """

    def __init__(self, jobs: JobStore, engine: Engine, *, watcher_count: int) -> None:
        self._jobs = jobs
        self._engine = engine
        self._watchers = threading.BoundedSemaphore(watcher_count)

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:  # noqa: N802
        """Answer a job as it stands."""
        job = self._jobs.get(request.name, owner=current_principal(context).name)
        return pb.GetJobResponse(job=job_to_proto(job))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:  # noqa: N802
        """List the caller's jobs."""
        query = JobQuery(
            owner=current_principal(context).name,
            state=state_from_proto(request.state),
            page_size=min(request.page_size or _DEFAULT_PAGE, _MAX_PAGE),
            page_token=request.page_token,
        )
        page = self._jobs.list(query)
        return pb.ListJobsResponse(jobs=map(job_to_proto, page.jobs), next_page_token=page.next_page_token)

    def WatchJob(  # noqa: N802
        self, request: pb.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchJobResponse]:
        """Stream a job's changes until it has ended."""
        self._jobs.get(request.name, owner=current_principal(context).name)
        if not self._watchers.acquire(blocking=False):
            raise ServerBusy("too many jobs are being watched", "ask with GetJob, or try again", retry_after_s=2.0)
        try:
            for job in watch(self._jobs, request.name, request.after_sequence, context=call_context(context)):
                yield pb.WatchJobResponse(sequence=job.sequence, job=job_to_proto(job))
        finally:
            self._watchers.release()

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:  # noqa: N802
        """Ask a job to stop."""
        job = self._engine.cancel(request.name, owner=current_principal(context).name)
        return pb.CancelJobResponse(job=job_to_proto(job))


def _request_id(text: str) -> str:
    """The one spelling of a UUID.

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
