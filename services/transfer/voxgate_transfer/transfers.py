"""Start transfers and open their work: the service without its transport."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box
from voxgate.model.jobs import Job, TransferResult, TransferSpec
from voxgate.model.names import VolumeName
from voxgate.model.versions import Versioned
from voxgate.model.volumes import CallContext, OpenOptions, Volume, VolumeInfo
from voxgate_jobs.ledger import LedgerTotals
from voxgate_jobs.starting import Prepared, Starter
from voxgate_jobs.store import JobStore
from voxgate_jobs.work import BlockResult, Engine, Patience, Work
from voxgate_transfer.coarsening import InTurn, PyramidWork
from voxgate_transfer.copying import copy_task, rules_of, writer_of
from voxgate_transfer.destinations import CallersStores, Destination, Stores, checked_targets, prepared
from voxgate_transfer.mapping import MappedVolume, mapped
from voxgate_transfer.origins import Origin, parameters, software
from voxgate_transfer.planner import DEFAULT_TASK_BYTES, TransferPlan, plan_transfer
from voxgate_transfer.pyramids import resolved
from voxgate_transfer.specs import check_names, check_source

METHOD = "voxgate transfer"


@dataclass(frozen=True, slots=True)
class TransferWork:
    """The open work of one transfer: numbered tasks between two open volumes.

    Attributes:
        spec: what is done.
        source: what is read, as the destination is to see it.
        destination: what is written.
        plan: which task is where.
    """

    spec: TransferSpec
    source: Volume
    destination: Volume
    plan: TransferPlan

    @property
    def phase(self) -> str:
        """What is being done."""
        return "copying"

    @property
    def block_count(self) -> int:
        """The number of tasks."""
        return self.plan.task_count

    @property
    def total_bytes(self) -> int:
        """Voxel bytes of all scales, as the destination is to hold them."""
        return self.plan.total_bytes

    @property
    def digest(self) -> str:
        """Tells this numbering of tasks from any other."""
        return self.plan.digest

    @property
    def stage_starts(self) -> Sequence[int]:
        """None: tasks of every scale run in any order."""
        return ()

    def run_block(self, index: int) -> BlockResult:
        """Copy one task and prove that it arrived; see `voxgate_transfer.copying.copy_task`."""
        return copy_task(self.source, self.destination, self.plan.task(index), rules_of(self.spec, index))

    def flush(self) -> None:
        """Nothing is left to do: adapters answer a write when it is durable."""

    def box_of(self, index: int) -> tuple[int, Box]:
        """Scale and box of a task, global coordinates of the destination."""
        task = self.plan.task(index)
        return task.scale, task.box

    def finish(self, totals: LedgerTotals, checksum: str) -> TransferResult:
        """Say beside the product where it came from, commit its version where a note asks for it, and what was done.

        A version that is committed already is left as it is: that is what an interrupted finish did last.
        """
        Origin(METHOD, (_source_name(self.spec),), self.spec).keep(self.destination, checksum)
        versions = self.destination.capability(Versioned)
        if self.spec.note and versions is not None:
            versions.commit(self.spec.note)
        return TransferResult(
            destination=self.spec.destination,
            verified_bytes=totals.verified_bytes,
            checksum=checksum,
            skipped_block_count=totals.skipped_block_count,
            copied_bytes=totals.copied_bytes,
            destination_version=self.spec.destination_version,
        )


def open_transfer(
    stores: Stores, spec: TransferSpec, patience: Patience, *, task_bytes: int = DEFAULT_TASK_BYTES
) -> Work:
    """Open both volumes of a transfer and plan it; where a pyramid is made, that follows.

    Args:
        stores: where they are.
        spec: which; its versions are resolved and its destination exists.
        patience: when to stop reading, and when to stop writing.
        task_bytes: voxel bytes of a task.

    Raises:
        VoxgateError: whatever opening raises; ReadOnly, DataTypeMismatch, FailedPrecondition when they do not fit.
    """
    source = stores.open(spec.source, OpenOptions(version=spec.source_version, context=patience.reading))
    destination = stores.open(spec.destination, OpenOptions(version=spec.destination_version, context=patience.writing))
    check_source(source.info)
    copied = MappedVolume(source, mapped(source.info, spec))
    targets = checked_targets(spec, copied.info, destination.info)
    writer_of(destination)
    plan = plan_transfer(copied.info, destination.info, targets=targets, task_bytes=task_bytes)
    work = TransferWork(spec, copied, destination, plan)
    if spec.pyramid is None:
        return work
    finer = stores.open(spec.destination, OpenOptions(version=spec.destination_version, context=patience.reading))
    rules = functools.partial(rules_of, spec)
    made = PyramidWork(spec.destination, (finer, destination), spec.pyramid, rules, task_bytes=task_bytes)
    return InTurn(work, made)


class Transfers:
    """Creates the destination and the job of a transfer. Thread-safe.

    Args:
        stores: opens and creates volumes, for the caller of each transfer.
        jobs: where the records go.
        engine: what runs them.
    """

    def __init__(self, stores: CallersStores, jobs: JobStore, engine: Engine) -> None:
        self._stores = stores
        self._starter = Starter(jobs, engine)

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
            AlreadyExists: when there is a volume of the destination's name, and the mode does not say what then.
            MalformedName, InvalidArgument, DataTypeMismatch, OutOfBounds, UnsupportedFormat, MissingCapability,
            FailedPrecondition: for a bad request.
            ServerBusy: when too many jobs wait.
            VoxgateError: whatever opening the source or creating the destination raises.
        """
        source, destination = VolumeName.parse(asked.source), VolumeName.parse(asked.destination)
        check_names(source, destination)
        stores = self._stores.for_caller(context)
        if stores.overlapping(asked.source, asked.destination):
            raise InvalidArgument(
                f'"{destination}" is the same place as "{source}", or one lies inside of the other',
                "name a volume of its own as the destination",
            )

        def prepare() -> Prepared:
            info = _source(stores, asked, context)
            target = prepared(stores, asked, mapped(info, asked).info, context)
            spec = replace(asked, source_version=info.resolved_version, destination_version=target.version)
            if asked.pyramid is not None:
                spec = replace(spec, pyramid=resolved(asked.pyramid, target.info))
            return spec, _origin(spec, info, target)

        return self._starter.start((owner, request_id), asked, destination, prepare, context)


def _source(stores: Stores, asked: TransferSpec, context: CallContext) -> VolumeInfo:
    info = stores.open(asked.source, OpenOptions(version=asked.source_version, context=context)).info
    check_source(info)
    return info


def _origin(spec: TransferSpec, source: VolumeInfo, target: Destination) -> dict[str, str]:
    """What the record of a job says of where its voxels come from."""
    return {
        "method": METHOD,
        "source": spec.source,
        "source_version": spec.source_version,
        "source_format": source.format,
        "destination": spec.destination,
        "destination_version": spec.destination_version,
        "destination_format": target.info.format,
        "parameters": parameters(spec),
        "software": software(),
    }


def _source_name(spec: TransferSpec) -> str:
    return f"{spec.source}@{spec.source_version}" if spec.source_version else spec.source
