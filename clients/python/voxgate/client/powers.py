"""What a volume on a server can do beside reading: each power, what the server must say for it, and what answers.

The server's services stand in for what a store cannot do, so that some powers are there with or without the store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voxgate.client.calls import BoundCalls
from voxgate.client.kept import RemoteDownsampling, RemoteKept, mesh_source, skeleton_source
from voxgate.client.mesh_files import RemoteMeshFiles
from voxgate.client.mesh_jobs import MeshesAll, RemoteMeshJobs
from voxgate.client.remote_properties import RemoteProperties
from voxgate.client.remote_segments import RemoteSegments
from voxgate.client.remote_versions import RemoteVersions
from voxgate.model.downsampling import Downsampling
from voxgate.model.kept_mesh_files import StoredMeshFiles
from voxgate.model.meshes import MeshSource
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.segments import (
    ManySegmentExtents,
    SegmentCounts,
    SegmentExtents,
    SegmentIdReservation,
    SegmentIds,
    SegmentIndex,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.skeletons import SkeletonSource, StoredMeshes, StoredSkeletons
from voxgate.model.versions import Versioned
from voxgate.model.volumes import Relayed, Tuned


class _RemoteTuning:
    """The tuning that a server passed on; satisfies Tuned."""

    def __init__(self, calls: BoundCalls) -> None:
        self.tuning = calls.facts.tuning


_BY_OFFER: dict[type[Any], tuple[str, Callable[[BoundCalls], Any]]] = {
    SegmentIndex: ("segments", RemoteSegments),
    SegmentLookup: ("segments", RemoteSegments),
    SegmentIds: ("segments", RemoteSegments),
    SegmentCounts: ("segments", RemoteSegments),
    SegmentExtents: ("segments", RemoteSegments),
    ManySegmentExtents: ("segments", RemoteSegments),
    SegmentRuns: ("segments", RemoteSegments),
    MeshSource: ("mesh", mesh_source),
    MeshesAll: ("mesh", RemoteMeshJobs),
    SkeletonSource: ("skeletons", skeleton_source),
}
"""Powers that are there where a service of the server is offered on the volume."""

_BY_POWER: dict[type[Any], tuple[str, Callable[[BoundCalls], Any]]] = {
    Supervoxels: ("supervoxels", RemoteSegments),
    SegmentIdReservation: ("reserve_segment_ids", RemoteSegments),
    Versioned: ("versions", RemoteVersions),
    StoredMeshes: ("stored_meshes", RemoteKept),
    StoredSkeletons: ("stored_skeletons", RemoteKept),
    Downsampling: ("downsampling", RemoteDownsampling),
    SegmentProperties: ("segment_properties", RemoteProperties),
    StoredMeshFiles: ("mesh_files", RemoteMeshFiles),
}
"""Powers that are there where the store has them."""


def power_of(calls: BoundCalls, kind: type[Any]) -> Any | None:
    """The power `kind` of a volume on a server, or None."""
    facts = calls.facts
    if kind is Tuned:
        return None if facts.tuning is None else _RemoteTuning(calls)
    if kind is Relayed:
        return calls
    if kind in _BY_OFFER:
        name, made = _BY_OFFER[kind]
        offered = any(offer.name == name and offer.support != "unavailable" for offer in facts.info.services)
        return made(calls) if offered else None
    if kind in _BY_POWER:
        name, made = _BY_POWER[kind]
        return made(calls) if name in facts.powers else None
    return None
