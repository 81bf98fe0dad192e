"""The Mesh and Skeleton services, ready for any server."""

from __future__ import annotations

from voxgate.v1 import mesh_pb2, skeleton_pb2_grpc
from voxgate_blocks.readahead import ReadAhead
from voxgate_jobs.desk import JobDesk
from voxgate_mesh.bulk.creating import MeshJobs
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.finished import FinishedMeshes
from voxgate_mesh.meshing import HEARTBEAT_S, MeshingSettings
from voxgate_mesh.numbers import mesh_cache_metrics
from voxgate_mesh.servicer import MeshExtras, MeshServicer
from voxgate_mesh.skeleton_servicer import SkeletonServicer
from voxgate_mesh.skeletonizing import SkeletonSettings
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.cache_metrics import cache_metrics
from voxgate_serving.handlers import add_servicer
from voxgate_serving.job_metrics import JobNumbers
from voxgate_serving.killable import KillableWorkers
from voxgate_serving.remote_metrics import remote_metrics
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_serving.workers import WorkerPool

MESH = "voxgate.v1.MeshService"
SKELETON = "voxgate.v1.SkeletonService"
_MESH_SERVICE = mesh_pb2.DESCRIPTOR.services_by_name["MeshService"]


def meshing_settings(settings: ServerSettings) -> MeshingSettings:
    """What the server's settings mean for meshing: one stream's share to read ahead, a quarter of all for a file."""
    limits = MeshLimits(
        max_segment_count=settings.max_segment_count,
        max_scan_voxel_count=settings.max_scan_voxel_count,
        max_file_bytes=settings.memory_budget_bytes // 4,
    )
    return MeshingSettings(limits, ReadAhead(settings.stream_budget_bytes, tick_s=HEARTBEAT_S))


def registrations(
    registry: Registry, settings: ServerSettings, *, workers: WorkerPool, desk: JobDesk | None = None
) -> list[ServiceRegistration]:
    """The services.

    Args:
        registry: the volumes.
        settings: of the server.
        workers: started before any server; they are closed with the service.
        desk: records and engine of jobs, which end with who opened them; without them no job is created.
    """
    chosen = meshing_settings(settings)
    budget = ByteBudget(settings.memory_budget_bytes)
    # Started when the first skeleton is computed, or the first large surface simplified: most servers do neither.
    killable = KillableWorkers(settings.worker_processes)
    jobs = None if desk is None else JobNumbers(desk.store.counts)
    finished = FinishedMeshes(settings.mesh_cache_bytes)
    extras = MeshExtras(
        killable,
        finished,
        None if desk is None else MeshJobs(registry, desk.store, desk.engine),
        settings.writes_enabled,
    )
    servicer = MeshServicer(registry, workers, chosen, budget, extras)
    skeletonizing = SkeletonSettings(chosen.limits, settings.max_skeleton_voxel_count, chosen.ahead)
    skeletons = SkeletonServicer(registry, killable, skeletonizing, budget)
    return [
        ServiceRegistration(
            MESH,
            lambda server: add_servicer(server, servicer, _MESH_SERVICE),
            close=workers.close,
            metrics=lambda: [
                *cache_metrics(registry.caches()),
                *remote_metrics(registry.traffic()),
                *budget.metrics("mesh"),
                *mesh_cache_metrics(finished.counts()),
                *(() if jobs is None else jobs.metrics()),
            ],
        ),
        ServiceRegistration(
            SKELETON,
            lambda server: skeleton_pb2_grpc.add_SkeletonServiceServicer_to_server(skeletons, server),
            close=killable.close,
        ),
    ]
