"""Start jobs: a repeated request answers its first job, and two calls for one destination take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from voxgate.model.jobs import Job, JobSpec
from voxgate.model.names import VolumeName
from voxgate.model.volumes import CallContext
from voxgate_jobs.locks import NamedLocks
from voxgate_jobs.store import JobRequest, JobStore
from voxgate_jobs.work import Engine

Prepared = tuple[JobSpec, Mapping[str, str]]
"""A spec that leaves nothing to choose, and the provenance of what it makes."""


class Starter:
    """Records jobs and lets them run. Thread-safe.

    Args:
        jobs: where the records go.
        engine: what runs them.
    """

    def __init__(self, jobs: JobStore, engine: Engine) -> None:
        self._jobs = jobs
        self._engine = engine
        self._locks = NamedLocks()

    def start(
        self,
        request: tuple[str, str],
        asked: JobSpec,
        destination: VolumeName,
        prepare: Callable[[], Prepared],
        context: CallContext,
    ) -> Job:
        """The job of a request.

        Args:
            request: the caller's name, and the caller's id of this request.
            asked: what the caller said.
            destination: what the job writes.
            prepare: refuses what can be refused, and makes ready what the job needs; called for a new request only,
                and not while another is prepared for the destination.
            context: the caller's patience; the job does not end with the call.

        Raises:
            RequestIdReused: when the id was used for something else.
            ServerBusy: when too many jobs wait.
            VoxgateError: whatever `prepare` raises.
        """
        owner, request_id = request
        # Two calls for one destination would both find it free, and both write it; the request's lock comes first in
        # every thread, so that no two wait for each other.
        with self._locks.holding(request, context), self._locks.holding(destination, context):
            known = self._jobs.find(owner, request_id, asked)
            if known is not None:
                return known
            self._engine.check_room()
            spec, provenance = prepare()
            job = self._jobs.create(JobRequest(owner, request_id, asked, spec, provenance))
            self._engine.submit(job.name)
        return self._jobs.get(job.name)
