"""The JobService on the wire: it only translates."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import grpc

from voxgate.model.access import Caller
from voxgate.model.errors import ServerBusy, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.jobs import JobBlock, JobSpec
from voxgate.v1 import job_pb2 as pb
from voxgate.v1 import job_pb2_grpc
from voxgate.wire.jobs import block_to_proto, failure_to_proto, job_to_proto, state_from_proto
from voxgate_jobs.ledger import Ledger
from voxgate_jobs.store import JobQuery, JobStore
from voxgate_jobs.work import Engine
from voxgate_serving.auth.principals import current_principal, owner_of
from voxgate_serving.calls import call_context
from voxgate_transfer.watching import watch

_LOG = logging.getLogger(__name__)
_DEFAULT_PAGE = 100
_MAX_PAGE = 1000
_MANIFEST_BLOCKS = 4096
"""Blocks of one message: about half a MiB."""

BoxOf = Callable[[int], tuple[int, Box] | None]
"""Scale and box of a block by its number, None where it has none."""


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """Follows, stops and resumes jobs. A caller sees their own, administrators all: those of others are unknown.

    Args:
        jobs: the records.
        ledger: what is done of each.
        engine: what runs them.
        boxes: opens a job's stores to say where its blocks are; raises VoxgateError when they are gone.
        watcher_count: watchers at once, and readers of manifests; each holds a thread of the server, so they are never
            given all of them.
        is_admin: whose callers' jobs are everybody's.
    """

    def __init__(
        self,
        jobs: JobStore,
        ledger: Ledger,
        engine: Engine,
        *,
        boxes: Callable[[JobSpec], BoxOf],
        watcher_count: int,
        is_admin: Callable[[Caller], bool] = lambda _: False,
    ) -> None:
        self._is_admin = is_admin
        self._jobs = jobs
        self._ledger = ledger
        self._engine = engine
        self._boxes = boxes
        self._watchers = threading.BoundedSemaphore(watcher_count)
        self._stopping = threading.Event()

    def close(self) -> None:
        """Tell who watches to come back to another server, or later."""
        self._stopping.set()

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Answer a job as it stands."""
        job = self._jobs.get(request.name, owner=self._owner(context))
        return pb.GetJobResponse(job=job_to_proto(job))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        """List the caller's jobs."""
        query = JobQuery(
            owner=self._owner(context),
            state=state_from_proto(request.state),
            page_size=_page_size(request.page_size),
            page_token=request.page_token,
        )
        page = self._jobs.list(query)
        return pb.ListJobsResponse(jobs=map(job_to_proto, page.jobs), next_page_token=page.next_page_token)

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Stream a job's changes until it has ended."""
        self._jobs.get(request.name, owner=self._owner(context))
        with _Place(self._watchers):
            following = watch(
                self._jobs,
                request.name,
                request.after_sequence,
                context=call_context(context),
                stopping=self._stopping,
            )
            for job in following:
                yield pb.WatchJobResponse(sequence=job.sequence, job=job_to_proto(job))

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:
        """Ask a job to stop."""
        job = self._engine.cancel(request.name, owner=self._owner(context))
        return pb.CancelJobResponse(job=job_to_proto(job))

    def ResumeJob(self, request: pb.ResumeJobRequest, context: grpc.ServicerContext) -> pb.ResumeJobResponse:
        """Let a job go on where it stopped."""
        job = self._engine.resume(request.name, owner=self._owner(context))
        return pb.ResumeJobResponse(job=job_to_proto(job))

    def ListJobFailures(
        self, request: pb.ListJobFailuresRequest, context: grpc.ServicerContext
    ) -> pb.ListJobFailuresResponse:
        """List the blocks of a job that failed."""
        self._jobs.get(request.name, owner=self._owner(context))
        page = self._ledger.failures(
            request.name, page_size=_page_size(request.page_size), page_token=request.page_token
        )
        failures = map(failure_to_proto, page.failures)
        return pb.ListJobFailuresResponse(failures=failures, next_page_token=page.next_page_token)

    def ReadJobManifest(
        self, request: pb.ReadJobManifestRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadJobManifestResponse]:
        """Stream what every finished block was; without boxes where the job's volumes are not to be had any more."""
        job = self._jobs.get(request.name, owner=self._owner(context))
        patience = call_context(context)
        if self._ledger.plan(job.name) is None:  # never begun
            return
        box_of = self._box_of(job.spec)
        with _Place(self._watchers):
            blocks = self._ledger.manifest(job.name)
            while page := list(itertools.islice(blocks, _MANIFEST_BLOCKS)):
                patience.check()
                yield pb.ReadJobManifestResponse(blocks=[block_to_proto(_placed(block, box_of)) for block in page])

    def _owner(self, context: grpc.ServicerContext) -> str | None:
        """Whose jobs the caller may look at and stop; None means everybody's.

        Raises:
            Unauthenticated: see `owner_of`.
        """
        owner = owner_of(context)
        return None if self._is_admin(current_principal(context).caller) else owner

    def _box_of(self, spec: JobSpec) -> BoxOf:
        try:
            return self._boxes(spec)
        except VoxgateError as error:
            _LOG.info("a manifest is told without boxes: %s", error)
            return lambda _: None


class _Place:
    """One of the places of those who hold a thread for long."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places = places

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise ServerBusy("too many jobs are being watched", "ask with GetJob, or try again", retry_after_s=2.0)

    def __exit__(self, *_: object) -> None:
        self._places.release()


def _page_size(asked: int) -> int:
    return min(asked or _DEFAULT_PAGE, _MAX_PAGE)


def _placed(block: JobBlock, box_of: BoxOf) -> JobBlock:
    place = box_of(block.block_index)
    return block if place is None else replace(block, scale=place[0], box=place[1])
