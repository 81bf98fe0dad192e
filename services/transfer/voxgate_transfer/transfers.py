"""Start transfers and open their work: the service without its transport."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from voxgate.model.errors import AlreadyExists, UnknownVolume, UnsupportedFormat
from voxgate.model.jobs import Job, TransferResult, TransferSpec
from voxgate.model.names import VolumeName
from voxgate.model.volumes import (
    CallContext,
    OpenOptions,
    Volume,
    VolumeInfo,
    VolumeSpec,
)
from voxgate_jobs.store import JobRequest, JobStore
from voxgate_jobs.work import BlockResult, Engine, Patience
from voxgate_transfer.copying import copy_task, writer_of
from voxgate_transfer.locks import NamedLocks
from voxgate_transfer.planner import DEFAULT_TASK_BYTES, TransferPlan, plan_transfer
from voxgate_transfer.specs import (
    check_destination,
    check_names,
    check_source,
    completed_spec,
    destination_spec,
    unsharded,
)


class Stores(Protocol):
    """What a transfer needs of the registry of remotes."""

    def open(self, name: str, options: OpenOptions) -> Volume:
        """Open a volume by its name, "remote/path"."""
        ...

    def create(self, name: str, spec: VolumeSpec) -> Volume:
        """Create a volume."""
        ...


class TransferWork:
    """The open work of one transfer: numbered tasks between two open volumes."""

    phase = "copying"

    def __init__(self, name: str, source: Volume, destination: Volume, plan: TransferPlan) -> None:
        self._name = name
        self._source = source
        self._destination = destination
        self._plan = plan

    @property
    def block_count(self) -> int:
        """The number of tasks."""
        return self._plan.task_count

    @property
    def total_bytes(self) -> int:
        """Voxel bytes of all scales."""
        return self._plan.total_bytes

    def run_block(self, index: int) -> BlockResult:
        """Copy one task and prove that it arrived; see `voxgate_transfer.copying.copy_task`."""
        return copy_task(self._source, self._destination, self._plan.task(index))

    def result(self, byte_count: int, checksum: str) -> TransferResult:
        """What the transfer produced."""
        return TransferResult(self._name, byte_count, checksum)


def open_transfer(
    stores: Stores, spec: TransferSpec, patience: Patience, *, task_bytes: int = DEFAULT_TASK_BYTES
) -> TransferWork:
    """Open both volumes of a transfer and plan it.

    Args:
        stores: where they are.
        spec: which; its version is resolved and its destination exists.
        patience: when to stop reading, and when to stop writing.
        task_bytes: voxel bytes of a task.

    Raises:
        VoxgateError: whatever opening raises; ReadOnly, DataTypeMismatch, FailedPrecondition when they do not fit.
    """
    source = stores.open(spec.source, OpenOptions(version=spec.source_version, context=patience.reading))
    destination = stores.open(spec.destination, OpenOptions(context=patience.writing))
    check_source(source.info)
    check_destination(source.info, destination.info)
    writer_of(destination)
    plan = plan_transfer(source.info, destination.info, task_bytes=task_bytes)
    return TransferWork(spec.destination, source, destination, plan)


class Transfers:
    """Creates the destination and the job of a transfer. Thread-safe.

    Args:
        stores: opens and creates volumes.
        jobs: where the records go.
        engine: what runs them.
    """

    def __init__(self, stores: Stores, jobs: JobStore, engine: Engine) -> None:
        self._stores = stores
        self._jobs = jobs
        self._engine = engine
        self._starting = NamedLocks()

    def start(self, owner: str, request_id: str, asked: TransferSpec, context: CallContext) -> Job:
        """Create the destination, record a job and let it run; a repeated request answers the job it created first.

        Whatever can be refused is refused here, before the job exists.

        Args:
            owner: the caller's name.
            request_id: the caller's id of this request.
            asked: what to copy and where to.
            context: the caller's patience, for looking at the stores; the job does not end with the call.

        Raises:
            RequestIdReused: when the id was used for something else.
            AlreadyExists: when there is a volume of the destination's name.
            MalformedName, InvalidArgument, DataTypeMismatch, UnsupportedFormat, MissingCapability: for a bad request.
            ServerBusy: when too many jobs wait.
            VoxgateError: whatever opening the source or creating the destination raises.
        """
        source, destination = VolumeName.parse(asked.source), VolumeName.parse(asked.destination)
        check_names(source, destination)
        # Two calls for one destination would both find it absent, and both write it; the request's lock comes first
        # in every thread, so that no two wait for each other.
        request = (owner, request_id)
        with self._starting.holding(request, context), self._starting.holding(destination, context):
            known = self._jobs.find(owner, request_id, asked)
            if known is not None:
                return known
            self._engine.check_room()
            info = self._open_source(asked, context)
            self._refuse_existing(destination, context)
            check_destination(info, self._create(asked, info).info)
            spec = replace(asked, source_version=info.resolved_version)
            job = self._jobs.create(JobRequest(owner, request_id, asked, spec))
            self._engine.submit(job.name)
        return self._jobs.get(job.name)

    def _open_source(self, asked: TransferSpec, context: CallContext) -> VolumeInfo:
        options = OpenOptions(version=asked.source_version, context=context)
        info = self._stores.open(asked.source, options).info
        check_source(info)
        return info

    def _refuse_existing(self, destination: VolumeName, context: CallContext) -> None:
        """A volume of this name is never written into, even one that an equal spec would have created."""
        try:
            self._stores.open(str(destination), OpenOptions(context=context))
        except UnknownVolume:
            return
        raise AlreadyExists(
            f'there is a volume "{destination}" already',
            "choose another destination, or delete that volume first",
            details={"name": str(destination)},
        )

    def _create(self, asked: TransferSpec, info: VolumeInfo) -> Volume:
        if asked.destination_spec is not None:
            return self._stores.create(asked.destination, completed_spec(asked.destination_spec, info))
        sharded = destination_spec(info)
        try:
            return self._stores.create(asked.destination, sharded)
        except UnsupportedFormat:  # a remote whose default format has no shards
            return self._stores.create(asked.destination, unsharded(sharded))
