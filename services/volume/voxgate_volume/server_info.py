"""What a server says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points, version

import numpy as np

from voxgate.v1 import volume_pb2 as pb
from voxgate.wire import encodings
from voxgate.wire.contract import contract_version
from voxgate.wire.volumes import encoding_to_proto
from voxgate_remotes.assembling import ENTRY_POINT_GROUP
from voxgate_serving.settings import MAX_MESSAGE_BYTES, ServerSettings

_IDS = np.dtype("<u8")

SERVICES = (
    ("voxgate.v1.VolumeService", "volume_address"),
    ("voxgate.v1.SegmentService", "volume_address"),
    ("voxgate.v1.VersionService", "volume_address"),
    ("voxgate.v1.MetadataService", "volume_address"),
    ("voxgate.v1.MeshService", "mesh_address"),
    ("voxgate.v1.SkeletonService", "mesh_address"),
    ("voxgate.v1.TransferService", "transfer_address"),
    ("voxgate.v1.JobService", "transfer_address"),
)
"""Each service of the contract, and the setting that says where it is."""

_SEGMENTATION = "a segmentation: voxels that are unsigned integers, one channel"
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "voxgate.v1.SegmentService": (_SEGMENTATION,),
    "voxgate.v1.VersionService": ("a store that keeps versions",),
    "voxgate.v1.MetadataService": ("a store that keeps metadata beside its volumes",),
    "voxgate.v1.MeshService": (
        f"{_SEGMENTATION}, of a known voxel size; or a store that keeps meshes",
        "no time axis, or a time point",
        "jobs: a segmentation without a time axis, files or a bucket that take writes, and records of jobs",
    ),
    "voxgate.v1.SkeletonService": (
        "a store that keeps skeletons; or a skeletonizer among the plugins",
        f"to compute them {_SEGMENTATION}, of a known voxel size",
    ),
    "voxgate.v1.TransferService": ("a source that can be read", "a remote that takes writes", "no time axis"),
}
"""What services ask of a volume, for people; `Volume.services` says of each volume whether they are met."""

PLUGINS = {"voxgate.v1.MeshService": "voxgate.meshers", "voxgate.v1.SkeletonService": "voxgate.skeletonizers"}
"""The entry points that a service's requests may name."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's identity, limits and sister services.

    Attributes:
        server_id: this process.
        settings: limits and addresses.
        here: full names of the services in this process; others are named where an address is configured.
        http_url: where the gateway is that was started along, asked for every time; empty for none.
    """

    server_id: str
    settings: ServerSettings
    here: frozenset[str]
    http_url: Callable[[], str] = str

    def to_proto(self) -> pb.GetServerInfoResponse:
        """The answer of GetServerInfo."""
        addresses = {name: getattr(self.settings, setting) for name, setting in SERVICES}
        return pb.GetServerInfoResponse(
            server_id=self.server_id,
            server_version=version("voxgate"),
            services=[
                pb.ServiceEndpoint(
                    service=name,
                    address="" if name in self.here else address,
                    requirements=REQUIREMENTS.get(name, ()),
                    plugins=_installed(PLUGINS[name]) if name in self.here and name in PLUGINS else (),
                )
                for name, address in addresses.items()
                if name in self.here or address
            ],
            limits=pb.Limits(
                max_cutout_bytes=self.settings.max_cutout_bytes,
                max_chunk_bytes=MAX_MESSAGE_BYTES,
                max_message_bytes=MAX_MESSAGE_BYTES,
                max_segment_count=self.settings.max_segment_count,
                max_scan_voxel_count=self.settings.max_scan_voxel_count,
            ),
            encodings=[encoding_to_proto(encoding) for encoding in encodings.encodable(_IDS)],
            writes_enabled=self.settings.writes_enabled,
            http_url=self.settings.http_url or self.http_url(),
            contract_version=contract_version(),
            adapters=_adapters(),
        )


def _installed(group: str) -> list[str]:
    return sorted(entry_points(group=group).names)


def _adapters() -> list[pb.InstalledAdapter]:
    return [
        pb.InstalledAdapter(
            scheme=point.name,
            package=point.dist.name if point.dist else "",
            version=point.dist.version if point.dist else "",
        )
        for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    ]
