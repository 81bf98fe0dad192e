"""The volumes of a registry: listed, described with what services offer, opened for reading. Pure: knows no grpc."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from voxgate.model.downsampling import Downsampling
from voxgate.model.errors import MissingCapability, VersionMoved
from voxgate.model.kept_mesh_files import StoredMeshFiles
from voxgate.model.metadata import KeyValues
from voxgate.model.remotes import RemoteEntry, VolumeEntry
from voxgate.model.requests import check_opened
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.segments import (
    SegmentCounts,
    SegmentExtents,
    SegmentIdReservation,
    SegmentIds,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.versions import Versioned
from voxgate.model.volumes import (
    CallContext,
    OpenOptions,
    Relayed,
    ServiceOffer,
    Tuned,
    Volume,
    VolumeFacts,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.registry import Registry
from voxgate_volume.paging import sorted_page


class Catalog:
    """What the services about volumes know of them. Thread-safe."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def for_caller(self, context: CallContext) -> Catalog:
        """The same volumes on behalf of one caller; whatever opens is told so by itself."""
        return Catalog(self._registry.for_caller(context))

    def page(self, parent: str, size: int, token: str) -> tuple[Sequence[VolumeEntry], str]:
        """One page of what is right under a group, and the token of the next page ("" on the last)."""
        return sorted_page(self._registry.list(parent), lambda entry: entry.name, size, token)

    def remotes(self, size: int, token: str) -> tuple[Sequence[RemoteEntry], str]:
        """One page of the remotes, and the token of the next page ("" on the last)."""
        return sorted_page(self._registry.remotes(), lambda entry: entry.name, size, token)

    def resolve(self, uri: str) -> tuple[str, str]:
        """The name under which a store's URI is served, and the version it speaks of."""
        return self._registry.resolve(uri)

    def describe(self, name: str, version: str, context: CallContext) -> VolumeFacts:
        """A volume's description."""
        return _describe(self._registry.open(name, OpenOptions(version=version, context=context)))

    def create(self, name: str, spec: VolumeSpec) -> VolumeFacts:
        """Create a volume."""
        return _describe(self._registry.create(name, spec))

    def open_unread(self, name: str, version: str, context: CallContext) -> Volume:
        """Open a volume of which no voxel will be touched, so that none of its time points need be picked."""
        return self._registry.open(name, OpenOptions(version=version, context=context))

    def delete(self, name: str) -> None:
        """Delete a volume."""
        self._registry.delete(name)

    def key_values(self, name: str, version: str) -> KeyValues:
        """The metadata at a name."""
        return self._registry.key_values(name, version)

    def history(self, name: str, version: str, context: CallContext) -> Versioned:
        """The versions of a volume, to go on from the one that it is opened at.

        Raises:
            MissingCapability: when its store keeps none.
        """
        found = self.open_unread(name, version, context).capability(Versioned)
        if found is None:
            raise MissingCapability(
                f"the store of {name} keeps no versions",
                "copy the volume to one that does, such as dvid",
                details={"capability": "versions"},
            )
        return found

    def pyramid(self, name: str, context: CallContext) -> Downsampling:
        """The coarser levels that a volume's store computes.

        Raises:
            MissingCapability: when it computes none.
        """
        found = self.open_unread(name, "", context).capability(Downsampling)
        if found is None:
            raise MissingCapability(
                f"the store of {name} computes no coarser levels",
                "write them as scales of their own",
                details={"capability": "downsampling"},
            )
        return found

    def open(self, name: str, options: OpenOptions, if_version: str = "") -> Volume:
        """Open a volume whose voxels will be touched.

        Raises:
            InvalidArgument: when it has several time points and none is picked.
            MissingCapability: for supervoxels of a store that knows only one kind of id.
            VersionMoved: when the resolved version is not `if_version`.
        """
        volume = self._registry.open(name, options)
        info = volume.info
        check_opened(info, options)
        if if_version and info.resolved_version != if_version:
            raise VersionMoved(f"{name} is at version {info.resolved_version!r}", "start again at that version")
        return volume


_POWERS: tuple[tuple[str, type[object]], ...] = (
    ("write", Writable),
    ("segment_ids", SegmentIds),
    ("segment_counts", SegmentCounts),
    ("segment_lookup", SegmentLookup),
    ("segment_bounds", SegmentExtents),
    ("segment_voxels", SegmentRuns),
    ("supervoxels", Supervoxels),
    ("reserve_segment_ids", SegmentIdReservation),
    ("versions", Versioned),
    ("stored_meshes", StoredMeshes),
    ("stored_skeletons", StoredSkeletons),
    ("downsampling", Downsampling),
    ("segment_properties", SegmentProperties),
    ("mesh_files", StoredMeshFiles),
)


def _describe(volume: Volume) -> VolumeFacts:
    info = volume.info
    relayed = volume.capability(Relayed)
    # Of another server's volume, some powers are that server's: here they are surrogates as much as there.
    own = {name for name, _ in _POWERS} if relayed is None else relayed.facts.powers
    powers = {name for name, kind in _POWERS if name in own and volume.capability(kind) is not None}
    tuned = volume.capability(Tuned)
    facts = VolumeFacts(
        info, frozenset(powers | ({"read"} if info.scales else set())), None if tuned is None else tuned.tuning
    )
    return replace(facts, info=replace(info, services=_offers(info, facts.powers)))


_SEGMENT_POWERS = frozenset({"segment_ids", "segment_counts", "segment_lookup", "segment_bounds", "segment_voxels"})
_NO_VOXELS = "the resource has no voxels"
_UNKNOWN_SIZE = "its voxel size is unknown: the operator can state voxel_size_nm"
_NO_EXTENT = "its voxels have no extent: the operator can state voxel_size_nm"


def _offers(info: VolumeInfo, powers: frozenset[str]) -> tuple[ServiceOffer, ...]:
    skeletons = _skeletons_offer(info, powers)
    if not info.scales:
        return (
            *(ServiceOffer(name, "unavailable", _NO_VOXELS) for name in ("segments", "mesh", "transfer")),
            skeletons,
        )
    label_problem = _label_problem(info)
    if label_problem:
        segments = mesh = ServiceOffer("", "unavailable", label_problem)
    else:
        segments = ServiceOffer("", "native" if powers & _SEGMENT_POWERS else "surrogate")
        mesh = ServiceOffer("", "native" if "stored_meshes" in powers else "surrogate")
        size_problem = _size_problem(info)
        if size_problem and mesh.support == "surrogate":
            mesh = ServiceOffer("", "unavailable", size_problem)
    transfer = ServiceOffer("", "surrogate")
    if info.time_count > 1:
        transfer = ServiceOffer("", "unavailable", "it has several time points")
    named = (("segments", segments), ("mesh", mesh), ("transfer", transfer))
    return (*(replace(offer, name=name) for name, offer in named), skeletons)


def _skeletons_offer(info: VolumeInfo, powers: frozenset[str]) -> ServiceOffer:
    """Kept, or computed; whether the Mesh service has the extra that computes them, only that service can say."""
    if "stored_skeletons" in powers:
        return ServiceOffer("skeletons", "native")
    problem = (_label_problem(info) or _size_problem(info)) if info.scales else _NO_VOXELS
    return ServiceOffer("skeletons", "unavailable" if problem else "surrogate", problem)


def _label_problem(info: VolumeInfo) -> str:
    if info.kind is VolumeKind.IMAGE:
        return "it is an image, not a segmentation"
    if info.dtype.kind != "u":
        return f"segment ids are unsigned integers, and its voxels are {info.dtype}"
    return "" if info.channel_count == 1 else f"it has {info.channel_count} channels: nobody says which holds segments"


def _size_problem(info: VolumeInfo) -> str:
    """Why nothing can be said in nanometres; of a volume that has voxels."""
    size = info.scales[0].voxel_size_nm
    if size is None:
        return _UNKNOWN_SIZE
    return "" if all(0 < extent < math.inf for extent in size) else _NO_EXTENT
