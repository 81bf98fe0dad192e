"""A store in memory that keeps a history: one segmentation, "seg", and an instance of metadata, "notes"."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from voxgate.model.errors import AlreadyExists, ReadOnly, StoreRefused, UnknownVersion, UnknownVolume, VersionLocked
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.remotes import ListEntry, Remote, ResolvedUri
from voxgate.model.versions import Versioned, VersionInfo
from voxgate.model.volumes import C, OpenOptions, Volume, VolumeInfo, VolumeKind, VolumeSpec, Voxels, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.memory import MemoryRemote, MemoryVolume
from voxgate_remotes.memory_metadata import MemoryKeyValues
from voxgate_remotes.policy import GovernedRemote
from voxgate_remotes.registry import Registry

BOUNDS = Box.of(x=(-7, 26), y=(1000, 1021), z=(30, 47))


def registry_of(store: VersionedStore, *, writes: bool = True) -> Registry:
    """One store with a history under two names, of which one is read-only, and memory that can be deleted from."""
    configs = RemotesConfig(
        remotes={
            "history": RemoteConfig(uri="history://", writable=True),
            "seen": RemoteConfig(uri="history://"),
            "mem": RemoteConfig(uri="memory://", writable=True, deletable=True),
        }
    )
    configs = (configs if writes else configs.without_writes()).remotes
    stores: dict[str, Remote] = {"history": store, "seen": store, "mem": MemoryRemote(configs["mem"])}
    return Registry({name: GovernedRemote(stores[name], config) for name, config in configs.items()}, configs)


class VersionedStore:
    """A remote. Version v0 is open at first and full of the id 2**63 + 5; the current version is the newest on main."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.infos: dict[str, VersionInfo] = {}
        self.voxels: dict[str, MemoryVolume] = {}
        self.values: dict[str, dict[str, bytes]] = {}
        root = np.full(BOUNDS.shape.zyx, 2**63 + 5, "<u8")
        self.add((), "", "the beginning", root)

    def add(self, parents: tuple[str, ...], branch: str, note: str, voxels: Voxels) -> VersionInfo:
        """Open a version that holds a copy of `voxels`, (z, y, x)."""
        info = VersionInfo(f"v{next(self._numbers)}", parents, branch, note, created="2026-01-31T00:00:00Z")
        self.infos[info.version] = info
        self.voxels[info.version] = MemoryVolume.from_array(
            voxels,
            voxel_offset=BOUNDS.start,
            voxel_size_nm=VoxelSize(4, 4, 40),
            kind=VolumeKind.SEGMENTATION,
            chunk_shape=Vec3(16, 8, 4),
        )
        self.values[info.version] = dict(self.values[parents[0]]) if parents else {}
        return info

    def resolved(self, version: str) -> str:
        """The full name of a version; "" is the newest on the main branch."""
        found = version or [info.version for info in self.infos.values() if not info.branch][-1]
        if found not in self.infos:
            raise UnknownVersion(f"there is no version {version!r}", "list the versions")
        return found

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        if path != ("seg",):
            raise UnknownVolume(f"there is no volume {path!r}", 'there is "seg"')
        return VersionedVolume(self, self.resolved(options.version))

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        return [] if parent else [ListEntry("notes", False, is_key_values=True), ListEntry("seg", is_volume=True)]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        raise ReadOnly("nothing is created here")

    def resolve(self, uri: str) -> ResolvedUri | None:
        prefix, _, version = uri.partition("/at/")
        return ResolvedUri(len("history://"), ("seg",), version) if prefix == "history://seg" else None

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        if path != ("notes",):
            raise UnknownVolume(f"there is no metadata at {path!r}", 'there is "notes"')
        values = self.values[self.resolved(version)]
        return MemoryKeyValues(lambda: values)

    def capability(self, kind: type[C]) -> C | None:
        return cast("C", self) if kind is HasKeyValues else None

    def child(self, version: str, branch: str, note: str) -> VersionInfo:
        """Open a child of a committed version."""
        with self._lock:
            if not self.infos[version].is_committed:
                raise StoreRefused(f"{version} is still open", "commit it first")
            if any(info.parents == (version,) and info.branch == branch for info in self.infos.values()):
                raise StoreRefused(f"{version} has a child on this branch", "open a branch of another name")
            return self.add((version,), branch, note, self.voxels[version].read(BOUNDS)[0])

    def commit(self, version: str, note: str) -> VersionInfo:
        """Close a version; closing it again changes nothing."""
        with self._lock:
            info = self.infos[version]
            if not info.is_committed:
                self.infos[version] = replace(info, is_committed=True, note=note)
            return self.infos[version]


class VersionedVolume:
    """The segmentation at one version."""

    def __init__(self, store: VersionedStore, version: str) -> None:
        self._store = store
        self._version = version
        self._voxels = store.voxels[version]

    @property
    def info(self) -> VolumeInfo:
        is_committed = self._store.infos[self._version].is_committed
        return replace(self._voxels.info, resolved_version=self._version, immutable=is_committed)

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        return self._voxels.read(box, scale=scale, channels=channels, out=out)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        if self.info.immutable:
            raise VersionLocked(f"{self._version} is committed", "write to a child of it")
        self._voxels.write(box, voxels, scale=scale)

    def capability(self, kind: type[C]) -> C | None:
        return cast("C", self) if kind in (Versioned, Writable) else None

    def versions(self) -> list[VersionInfo]:
        return list(self._store.infos.values())

    def commit(self, note: str) -> VersionInfo:
        return self._store.commit(self._version, note)

    def new_version(self, note: str) -> VersionInfo:
        return self._store.child(self._version, self._store.infos[self._version].branch, note)

    def new_branch(self, branch: str, note: str) -> VersionInfo:
        if any(info.branch == branch for info in self._store.infos.values()):
            raise AlreadyExists(f"there is a branch {branch!r}", "choose another name")
        return self._store.child(self._version, branch, note)
