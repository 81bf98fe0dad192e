"""The Volume, Segment, Version and Metadata services, ready for any server."""

from __future__ import annotations

from collections.abc import Callable

from voxgate.v1 import metadata_pb2_grpc, segment_pb2_grpc, version_pb2_grpc, volume_pb2
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.cache_metrics import cache_metrics
from voxgate_serving.handlers import add_servicer
from voxgate_serving.remote_metrics import remote_metrics
from voxgate_serving.server import ServiceRegistration
from voxgate_serving.settings import ServerSettings
from voxgate_volume.catalog import Catalog
from voxgate_volume.metadata_servicer import MetadataServicer
from voxgate_volume.segment_servicer import SegmentServicer
from voxgate_volume.server_info import ServerFacts
from voxgate_volume.version_servicer import VersionServicer
from voxgate_volume.volume_servicer import VolumeServicer

VOLUME = "voxgate.v1.VolumeService"
SEGMENT = "voxgate.v1.SegmentService"
VERSION = "voxgate.v1.VersionService"
METADATA = "voxgate.v1.MetadataService"
_VOLUME_SERVICE = volume_pb2.DESCRIPTOR.services_by_name["VolumeService"]


def registrations(
    registry: Registry,
    settings: ServerSettings,
    *,
    server_id: str,
    beside: frozenset[str] = frozenset(),
    http_url: Callable[[], str] = str,
) -> list[ServiceRegistration]:
    """The services; `beside` names the other services of the same server, `http_url` says where its gateway is."""
    facts = ServerFacts(server_id, settings, beside | {VOLUME, SEGMENT, VERSION, METADATA}, http_url)
    catalog = Catalog(registry)
    budget = ByteBudget(settings.memory_budget_bytes)
    volume = VolumeServicer(catalog, facts, budget)
    segment = SegmentServicer(catalog, settings, budget)
    version = VersionServicer(catalog)
    metadata = MetadataServicer(catalog)
    return [
        ServiceRegistration(
            VOLUME,
            lambda server: add_servicer(server, volume, _VOLUME_SERVICE),
            metrics=lambda: [
                *cache_metrics(registry.caches()),
                *remote_metrics(registry.traffic()),
                *budget.metrics("volume"),
            ],
        ),
        ServiceRegistration(
            SEGMENT, lambda server: segment_pb2_grpc.add_SegmentServiceServicer_to_server(segment, server)
        ),
        ServiceRegistration(
            VERSION, lambda server: version_pb2_grpc.add_VersionServiceServicer_to_server(version, server)
        ),
        ServiceRegistration(
            METADATA, lambda server: metadata_pb2_grpc.add_MetadataServiceServicer_to_server(metadata, server)
        ),
    ]
