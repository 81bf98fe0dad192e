"""The Mesh service, ready for any server."""

from __future__ import annotations

from voxgate.v1 import mesh_pb2_grpc
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.meshing import HEARTBEAT_S, MeshingSettings
from voxgate_mesh.servicer import MeshServicer
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_serving.workers import WorkerPool

MESH = "voxgate.v1.MeshService"


def meshing_settings(settings: ServerSettings) -> MeshingSettings:
    """What the server's settings mean for meshing: one stream's share to read ahead, a quarter of all for a file."""
    limits = MeshLimits(
        max_segment_count=settings.max_segment_count,
        max_scan_voxel_count=settings.max_scan_voxel_count,
        max_file_bytes=settings.memory_budget_bytes // 4,
    )
    return MeshingSettings(limits, ReadAhead(settings.stream_budget_bytes, tick_s=HEARTBEAT_S))


def registrations(registry: Registry, settings: ServerSettings, *, workers: WorkerPool) -> list[ServiceRegistration]:
    """The service. `workers` must have been started before any server; they are closed with the service."""
    servicer = MeshServicer(registry, workers, meshing_settings(settings), ByteBudget(settings.memory_budget_bytes))
    return [
        ServiceRegistration(
            MESH,
            lambda server: mesh_pb2_grpc.add_MeshServiceServicer_to_server(servicer, server),
            close=workers.close,
        )
    ]
