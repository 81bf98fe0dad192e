"""Create the job of a bulk meshing: everything that can be refused is, before anything is written anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from voxgate.model.errors import AlreadyExists, FailedPrecondition, InvalidArgument, UnsupportedFormat
from voxgate.model.jobs import Job, MeshJobMode, MeshJobSpec
from voxgate.model.mesh_stores import MeshStore
from voxgate.model.names import VolumeName
from voxgate.model.volumes import CallContext, OpenOptions, VolumeInfo
from voxgate_jobs.fencing import ACTIVE
from voxgate_jobs.starting import Prepared, Starter
from voxgate_jobs.store import JobQuery, JobStore
from voxgate_jobs.work import Engine
from voxgate_mesh.bulk.origins import origin_of
from voxgate_mesh.bulk.places import CallersPlaces, MeshPlaces, check_installed
from voxgate_mesh.bulk.planning import planned
from voxgate_mesh.bulk.properties import COLUMNS
from voxgate_remotes.mesh_places import PROPERTIES

_MOST_BYTES = 256 << 20
"""Of segment properties that are looked into; ours have at most a million segments."""


class MeshJobs:
    """Creates jobs of bulk meshing. Thread-safe.

    Args:
        stores: opens volumes and places for meshes.
        jobs: where the records go.
        engine: what runs them.
    """

    def __init__(self, stores: CallersPlaces, jobs: JobStore, engine: Engine) -> None:
        self._stores = stores
        self._jobs = jobs
        self._starter = Starter(jobs, engine)

    def start(self, owner: str, request_id: str, asked: MeshJobSpec, context: CallContext) -> Job:
        """Record a job and let it run; a repeated request answers the job that it created first.

        The record's spec leaves nothing to choose: version, region, chunk shape, levels and error are resolved.

        Args:
            owner: the caller's name.
            request_id: the caller's id of this request.
            asked: what to mesh and where to.
            context: the caller's patience, for looking at the stores; the job does not end with the call.

        Raises:
            RequestIdReused: when the id was used for something else.
            AlreadyExists: when there are meshes already, and the mode does not say what then; when there are segment
                properties that no job of ours made, and new ones are wanted.
            FailedPrecondition: while another job stores meshes at the destination.
            MalformedName, InvalidArgument, UnknownScale, OutOfBounds, EmptyBox, MissingCapability, ConfigInvalid,
            UnsupportedFormat: for what cannot be meshed, or not like this.
            ReadOnly, MissingCapability, UnsupportedFormat: for a destination that takes no meshes.
            Unimplemented: where what encodes meshes is not installed.
            ServerBusy: when too many jobs wait.
            VoxgateError: whatever opening the volume raises.
        """
        if not asked.volume:
            raise InvalidArgument("the request names no volume", "set spec.volume", details={"field": "spec.volume"})
        destination = VolumeName.parse(asked.destination or asked.volume)

        def prepare() -> Prepared:
            check_installed()
            info = self._source(asked, context)
            spec = resolved(replace(asked, destination=str(destination)), info)
            _check_destination(self._stores.for_caller(context), spec)
            self._check_alone(spec, owner)
            return spec, {**origin_of(spec), "source_format": info.format}

        return self._starter.start((owner, request_id), asked, destination, prepare, context)

    def _source(self, asked: MeshJobSpec, context: CallContext) -> VolumeInfo:
        info = self._stores.open(asked.volume, OpenOptions(version=asked.version, context=context)).info
        if info.time_count > 1:
            raise UnsupportedFormat(
                f"the volume has {info.time_count} time points",
                "all segments are meshed of volumes without a time axis",
            )
        return info

    def _check_alone(self, spec: MeshJobSpec, owner: str) -> None:
        """Refuse while another job of these records stores meshes there: one would spoil the other."""
        for state in ACTIVE:
            token = ""
            while True:
                page = self._jobs.list(JobQuery(None, state, page_token=token))
                for job in page.jobs:
                    if isinstance(job.spec, MeshJobSpec) and job.spec.destination == spec.destination:
                        raise _taken(spec, job if job.owner == owner else None)
                token = page.next_page_token
                if not token:
                    break


def _check_destination(stores: MeshPlaces, spec: MeshJobSpec) -> None:
    """Refuse a destination that takes no meshes, or has some that may not be replaced."""
    place = stores.mesh_store(spec.destination)
    if spec.mode is MeshJobMode.FAIL_IF_EXISTS and place.announced() is not None:
        raise AlreadyExists(
            f'there are meshes already at "{spec.destination}"',
            "choose another destination, or say that they are to be overwritten",
            details={"name": spec.destination, "field": "spec.mode"},
        )
    if spec.segment_properties:
        check_properties(place)


def resolved(asked: MeshJobSpec, info: VolumeInfo) -> MeshJobSpec:
    """The same meshing of this volume, with nothing left to choose: who opens it plans the same blocks.

    Raises:
        VoxgateError: see `voxgate_mesh.bulk.planning.planned`.
    """
    plan = planned(replace(asked, version=info.resolved_version), info)
    return replace(
        plan.spec,
        box=plan.region,
        chunk_shape=plan.chunk_shape,
        level_count=plan.level_count,
        max_error_nm=plan.max_error_nm,
    )


def check_properties(place: MeshStore) -> None:
    """Refuse where segment properties would be replaced that somebody else made: names of neurons are not made again.

    Format: github.com/google/neuroglancer, src/datasource/precomputed/segment_properties.md.

    Raises:
        AlreadyExists.
        StoreUnavailable: when that cannot be told.
    """
    named = _document(place, "info").get(PROPERTIES) if place.folder else PROPERTIES
    if not isinstance(named, str) or not named:
        return
    there = place.files.size(f"{named}/info")
    if there is None:
        return
    inline = _document(place, f"{named}/info").get("inline") if there <= _MOST_BYTES else None
    found = inline.get("properties") if isinstance(inline, dict) else None
    ids = [each.get("id") if isinstance(each, dict) else None for each in found] if isinstance(found, list) else [None]
    if not {column.id for column in COLUMNS}.issuperset(ids):
        raise AlreadyExists(
            "there are segment properties at the destination that no job of meshing made",
            "leave the properties out (`segment_properties=False`, `--no-properties`), or choose another destination",
            details={"field": "spec.without_properties"},
        )


def _document(place: MeshStore, name: str) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = json.loads(place.files.read(name) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _taken(spec: MeshJobSpec, job: Job | None) -> FailedPrecondition:
    """A job that was not the caller's is not named."""
    return FailedPrecondition(
        f'another job is storing meshes at "{spec.destination}"',
        "wait for it, cancel it, or choose another destination",
        details={} if job is None else {"job": job.name},
    )
