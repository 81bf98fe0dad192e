"""The volumes of a registry: listed, described with what services offer, opened for reading. Pure: knows no grpc."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

from voxgate.model.errors import VersionMoved
from voxgate.model.requests import check_opened
from voxgate.model.segments import SegmentIndex
from voxgate.model.volumes import (
    CallContext,
    OpenOptions,
    ServiceOffer,
    Volume,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.registry import Registry


@dataclass(frozen=True, slots=True)
class Described:
    """A volume's description with the services' offers, and its own powers ("read", "write")."""

    info: VolumeInfo
    powers: tuple[str, ...]


class Catalog:
    """What the Volume and Segment services know of volumes. Thread-safe."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def page(self, parent: str, size: int, token: str) -> tuple[list[tuple[str, bool]], str]:
        """One page of (full name, is a volume), and the token of the next page ("" on the last)."""
        entries = self._registry.list(parent)
        first = bisect.bisect_right([name for name, _ in entries], token) if token else 0
        page = entries[first : first + size]
        return page, page[-1][0] if page and first + size < len(entries) else ""

    def resolve(self, uri: str) -> tuple[str, str]:
        """The name under which a store's URI is served, and the version it speaks of."""
        return self._registry.resolve(uri)

    def describe(self, name: str, version: str, context: CallContext) -> Described:
        """A volume's description."""
        return _describe(self._registry.open(name, OpenOptions(version=version, context=context)))

    def create(self, name: str, spec: VolumeSpec) -> Described:
        """Create a volume."""
        return _describe(self._registry.create(name, spec))

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


def _describe(volume: Volume) -> Described:
    info = volume.info
    powers = [name for name, has in (("read", bool(info.scales)), ("write", volume.capability(Writable))) if has]
    return Described(replace(info, services=_offers(volume)), tuple(powers))


def _offers(volume: Volume) -> tuple[ServiceOffer, ...]:
    info = volume.info
    if not info.scales:
        why = "the resource has no voxels"
        return tuple(ServiceOffer(name, "unavailable", why) for name in ("segments", "mesh", "transfer"))
    label_problem = _label_problem(info)
    if label_problem:
        segments = mesh = ServiceOffer("", "unavailable", label_problem)
    else:
        native = volume.capability(SegmentIndex) is not None
        segments = ServiceOffer("", "native" if native else "surrogate")
        mesh = ServiceOffer("", "surrogate")
        if info.scales[0].voxel_size_nm is None:
            mesh = ServiceOffer("", "unavailable", "its voxel size is unknown: the operator can state voxel_size_nm")
    transfer = ServiceOffer("", "surrogate")
    if info.time_count > 1:
        transfer = ServiceOffer("", "unavailable", "it has several time points")
    named = (("segments", segments), ("mesh", mesh), ("transfer", transfer))
    return tuple(replace(offer, name=name) for name, offer in named)


def _label_problem(info: VolumeInfo) -> str:
    if info.kind is VolumeKind.IMAGE:
        return "it is an image, not a segmentation"
    return "" if info.dtype.kind == "u" else f"segment ids are unsigned integers, and its voxels are {info.dtype}"
