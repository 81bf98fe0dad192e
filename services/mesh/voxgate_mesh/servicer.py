"""The MeshService on the wire: only translates."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import grpc

from voxgate.model.errors import FailedPrecondition, InvalidArgument, ReadOnly
from voxgate.model.mesh_facts import MeshProvenance
from voxgate.model.mesh_files import check_mesh_file
from voxgate.model.meshes import MeshRequest
from voxgate.model.requests import check_opened, raw_size
from voxgate.model.volumes import CallContext, OpenOptions, VolumeInfo
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc
from voxgate.wire.job_specs import mesh_job_spec_from_proto
from voxgate.wire.jobs import job_to_proto, request_id_from_proto
from voxgate.wire.mesh_files import mesh_file_messages
from voxgate.wire.mesh_requests import (
    mesh_format_from_proto,
    mesh_request_from_proto,
    mesh_spec_to_proto,
    provenance_to_proto,
)
from voxgate.wire.meshes import MeshFacts
from voxgate.wire.requests import named_scale, open_options
from voxgate_mesh.bulk.creating import MeshJobs
from voxgate_mesh.collecting import MeshCollector
from voxgate_mesh.computing import compute_segments
from voxgate_mesh.files import file_messages
from voxgate_mesh.finished import FinishedMeshes
from voxgate_mesh.finishing import Killable
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, Workers
from voxgate_mesh.messages import MeshMessages
from voxgate_mesh.native import kept_file, native_or_computed
from voxgate_mesh.sharing import cached_or_made, lasting_voxels
from voxgate_remotes.registry import Registry
from voxgate_serving.auth.principals import owner_of
from voxgate_serving.budget import ByteBudget
from voxgate_serving.calls import call_context


@dataclass(frozen=True, slots=True)
class _Work:
    """A request, opened and under way."""

    info: VolumeInfo
    request: MeshRequest
    facts: MeshFacts
    events: Generator[MeshEvent]


@dataclass(frozen=True, slots=True)
class MeshExtras:
    """What a server may have besides what meshing takes.

    Attributes:
        killable: where large surfaces are simplified; None means in threads.
        finished: meshes that are kept for who asks next; None keeps none.
        jobs: what creates jobs of meshing; None where the server keeps no records of jobs.
        writes_enabled: whether the server takes writes at all.
    """

    killable: Killable | None = None
    finished: FinishedMeshes | None = None
    jobs: MeshJobs | None = None
    writes_enabled: bool = True


class MeshServicer(mesh_pb2_grpc.MeshServiceServicer):
    """Meshes segments of the volumes of a registry."""

    def __init__(
        self,
        registry: Registry,
        workers: Workers,
        settings: MeshingSettings,
        budget: ByteBudget,
        extras: MeshExtras | None = None,
    ) -> None:
        """Serve a registry.

        Args:
            registry: the volumes.
            workers: where blocks are meshed.
            settings: limits of the server.
            budget: the bytes that all calls read ahead together.
            extras: what else the server has.
        """
        self._registry = registry
        self._workers = workers
        self._settings = settings
        self._budget = budget
        self._extras = extras or MeshExtras()
        self._finished = self._extras.finished or FinishedMeshes(0)

    def GetMeshes(  # type: ignore[override]  # framed already: see voxgate_serving.handlers
        self, request: pb.GetMeshesRequest, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Stream the surfaces of segments."""
        with self._started(request.spec, call_context(context)) as work:
            yield from MeshMessages(work.facts).stream(work.events)

    def ExportMesh(
        self, request: pb.ExportMeshRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportMeshResponse]:
        """Stream the surfaces of segments as one file."""
        fmt = mesh_format_from_proto(request.format)
        if request.spec.segment_ids:
            check_mesh_file(len(request.spec.segment_ids), fmt)
        call = call_context(context)
        with self._started(request.spec, call) as work:
            collector = MeshCollector(work.info, work.request, self._settings.limits.max_file_bytes)
            yield from file_messages(work.events, collector, fmt, facts=work.facts, context=call)

    def CreateMeshJob(
        self, request: pb.CreateMeshJobRequest, context: grpc.ServicerContext
    ) -> pb.CreateMeshJobResponse:
        """Create a job that meshes all segments of a volume."""
        if not self._extras.writes_enabled:
            raise ReadOnly(
                "this server serves reads only", "connect on its own machine, or let its operator allow writes"
            )
        if self._extras.jobs is None:
            raise FailedPrecondition(
                "this Mesh server keeps no jobs",
                "its operator states [server] jobs_url, the same as for the Transfer server",
            )
        job = self._extras.jobs.start(
            owner_of(context),
            request_id_from_proto(request.request_id),
            mesh_job_spec_from_proto(request.spec),
            call_context(context),
        )
        return pb.CreateMeshJobResponse(job=job_to_proto(job))

    def ReadMeshFile(
        self, request: pb.ReadMeshFileRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadMeshFileResponse]:
        """Stream a file of the meshes that a store keeps."""
        if not request.volume:
            raise InvalidArgument("the request names no volume", "set volume", details={"field": "volume"})
        volume = self._registry.open(request.volume, OpenOptions(request.version, context=call_context(context)))
        stop = request.stop_byte if request.HasField("stop_byte") else None
        yield from mesh_file_messages(kept_file(volume, request.name, request.start_byte, stop))

    @contextmanager
    def _started(self, spec: pb.MeshSpec, call: CallContext) -> Iterator[_Work]:
        """Open the volume, refuse what must be refused, and hold a share of the budget while the work runs."""
        if not spec.volume:
            raise InvalidArgument("the request names no volume", "set spec.volume", details={"field": "spec.volume"})
        options = open_options(spec, call)
        life = self._registry.life_of(spec.volume)
        volume = self._registry.open(spec.volume, options)
        check_opened(volume.info, options)
        request = mesh_request_from_proto(spec, named_scale(volume.info, spec))
        resolved = volume.info.resolved_version
        provenance = MeshProvenance(spec.volume, resolved, version("voxgate"))
        mesher = find_mesher(request.mesher)[0]
        understood = mesh_spec_to_proto(spec.volume, options, replace(request, mesher=mesher))
        facts = MeshFacts(resolved, mesher, provenance_to_proto(provenance, understood))
        region = request.bounds or volume.info.scales[request.scale or 0].bounds
        ahead = self._settings.ahead
        # A box that will be refused has no size to speak of.
        wanted = min(ahead.in_flight_bytes, max(1, raw_size(volume.info, region)))
        with self._budget.share(wanted, call) as share:
            settings = replace(self._settings, ahead=replace(ahead, in_flight_bytes=share))
            voxels = lasting_voxels(volume, options, life)
            make = partial(
                compute_segments,
                volume,
                workers=self._workers,
                context=call,
                settings=settings,
                killable=self._extras.killable,
            )

            def compute(asked: MeshRequest) -> Generator[MeshEvent]:
                return cached_or_made(self._finished, voxels, asked, make, call)

            events = native_or_computed(volume, request, compute, context=call, settings=settings)
            try:
                yield _Work(volume.info, request, facts, events)
            finally:
                events.close()
