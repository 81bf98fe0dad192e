"""The remotes of one process by name: opening, listing, creating and resolving volumes by their full names."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points

from voxgate.model.access import AccessPolicy, Caller, Role
from voxgate.model.errors import (
    InvalidArgument,
    MalformedName,
    MissingCapability,
    ReadOnly,
    Unavailable,
    UnknownRemote,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.mesh_stores import MeshStore, TakesMeshes
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.names import VolumeName
from voxgate.model.remotes import (
    CallerBound,
    CoarserScale,
    Deletable,
    Remote,
    RemoteEntry,
    ResolvedUri,
    TakesScales,
    VolumeEntry,
)
from voxgate.model.versions import HasVersions
from voxgate.model.volumes import C, CallContext, OpenOptions, Volume, VolumeSpec
from voxgate_remotes.assembling import ENTRY_POINT_GROUP, Assembled, assemble, scheme_of
from voxgate_remotes.caching import CacheReport
from voxgate_remotes.config import RemoteConfig, RemotesConfig, caller_uri, nearest
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.guarding import OPEN, Door
from voxgate_remotes.places import overlap, place_of
from voxgate_remotes.policy import DescribedVolume
from voxgate_remotes.suggestions import shown_uri, suggestion
from voxgate_remotes.traffic import TrafficReport

_UNABLE: Mapping[type, tuple[str, str]] = {
    TakesScales: (
        "volumes of the remote {} keep the levels that they were created with",
        "transfer the volume, with a pyramid, to a remote of files, of a bucket or of memory",
    ),
    TakesMeshes: (
        "the remote {} takes no meshes",
        "give the job a `destination` in a remote of files or of a bucket",
    ),
    Deletable: (
        "volumes of the remote {} cannot be deleted through voxgate",
        "delete them with the store's own tools",
    ),
    HasKeyValues: (
        "the remote {} keeps no metadata by key",
        "keep it in a remote whose store does, such as bossdb or dvid",
    ),
}
"""What is said of a remote that cannot do something, and what its caller does instead."""


@dataclass(frozen=True, slots=True)
class RemotesChange:
    """What became of the remotes when others were adopted: names, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Served:
    """The remotes of now, which every view of a registry shares; each attribute is replaced as a whole."""

    remotes: Mapping[str, Remote]
    configs: Mapping[str, RemoteConfig]
    assembled: Mapping[str, Assembled]


class Registry:
    """Named remotes. Thread-safe as far as the remotes are.

    Everything that is named is found by `_remote`, which asks the door first: where callers are told apart, none gets
    past it, and nothing that a caller may not see is opened, listed or told from what is not there.
    """

    def __init__(self, remotes: Mapping[str, Remote], configs: Mapping[str, RemoteConfig] | None = None) -> None:
        """Name remotes.

        Args:
            remotes: by name.
            configs: what their operator configured, for `remotes`; one without is listed with nothing known of it.
        """
        self._served = _Served(dict(remotes), dict(configs or {}), {})
        self._bound: Mapping[str, Remote] | None = None
        self._door = OPEN
        self._adopting = threading.Lock()
        self._adoptions = 0
        self._infos = DerivedInfos()
        self._context = CallContext()

    @staticmethod
    def from_config(config: RemotesConfig) -> Registry:
        """Make every configured remote, importing only the adapters whose scheme is used.

        Raises:
            UnknownScheme: names the known ones.
            ConfigInvalid: when an adapter refuses its options or cannot be loaded.
        """
        registry = Registry({})
        registry.adopt(config)
        return registry

    def adopt(self, config: RemotesConfig) -> RemotesChange:
        """Serve these remotes from now on, and no others.

        Those whose configuration is as it was stay what they are, with their caches and connections. Volumes that are
        open stay open: who reads or writes one of a remote that is gone comes to an end with it.

        Raises:
            UnknownScheme, ConfigInvalid: as `assemble`; then everything is as it was.
        """
        with self._adopting:
            before = self._served.assembled
            self._adoptions += 1
            after = assemble(config, before, self._adoptions)
            self._served.assembled = after
            self._served.configs = {name: each.config for name, each in after.items()}
            # Last, and at once: whoever asks meanwhile finds all of the remotes of before, or all of these.
            self._served.remotes = {name: each.remote for name, each in after.items()}
        return RemotesChange(
            tuple(sorted(after.keys() - before.keys())),
            tuple(sorted(before.keys() - after.keys())),
            tuple(sorted(name for name in after.keys() & before.keys() if after[name] is not before[name])),
        )

    def guarded(self, policy: AccessPolicy | None) -> Registry:
        """The same remotes for callers who are told apart, in what is adopted later, too; None lets all do everything.

        Whoever does not say for whom they ask is nobody there.
        """
        view = copy.copy(self)
        view._door = Door(policy)
        return view

    def is_admin(self, caller: Caller) -> bool:
        """Whether a caller is an administrator of everything; nobody is where callers are not told apart."""
        return self._door.is_admin(caller)

    def for_caller(self, context: CallContext) -> Registry:
        """The same remotes on behalf of one caller: to list, create and delete, where `open` is told by its options."""
        bound = copy.copy(self)
        bound._context = context
        bound._bound = {name: _for_caller(remote, context) for name, remote in self._remotes.items()}
        return bound

    @property
    def _remotes(self) -> Mapping[str, Remote]:
        return self._served.remotes if self._bound is None else self._bound

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the remotes, sorted."""
        return tuple(sorted(self._remotes))

    def open(self, name: str, options: OpenOptions | None = None) -> Volume:
        """Open a volume by its full name.

        Raises:
            MalformedName, UnknownRemote, and whatever `Remote.open` raises.
        """
        parsed, chosen = VolumeName.parse(name), options or OpenOptions()
        caller = chosen.context.caller
        opened = self._remote(parsed, chosen.role, caller).open(parsed.segments, chosen)
        return self._door.volume(self._named(opened, parsed), caller, parsed)

    def create(self, name: str, spec: VolumeSpec) -> Volume:
        """Create a volume by its full name.

        Raises:
            MalformedName, UnknownRemote, and whatever `Remote.create` raises.
        """
        parsed = VolumeName.parse(name)
        return self._named(self._remote(parsed, Role.WRITE).create(parsed.segments, spec), parsed)

    def add_scales(self, name: str, first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels to a volume by its full name.

        Raises:
            MalformedName, UnknownRemote, and whatever `TakesScales.add_scales` raises.
            MissingCapability: where the store's volumes keep the levels that they were created with.
            ReadOnly: unless the operator allows it.
        """
        parsed = VolumeName.parse(name)
        self._able(parsed, TakesScales, Role.WRITE).add_scales(parsed.segments, first, coarser)

    def mesh_store(self, name: str) -> MeshStore:
        """The place for meshes at a full name: a volume's, that of meshes by themselves, or of nothing yet.

        Raises:
            MalformedName, UnknownRemote, and whatever `TakesMeshes.mesh_store` raises.
            MissingCapability: where the store keeps no meshes of ours.
            ReadOnly: unless the operator allows writes.
        """
        parsed = VolumeName.parse(name)
        return self._able(parsed, TakesMeshes, Role.WRITE).mesh_store(parsed.segments)

    def delete(self, name: str) -> None:
        """Delete a volume by its full name, for good.

        Raises:
            MalformedName, UnknownRemote, and whatever `Deletable.delete` raises.
            MissingCapability: where the store's volumes cannot be deleted.
            ReadOnly: unless the operator allows it.
        """
        parsed = VolumeName.parse(name)
        self._able(parsed, Deletable, Role.WRITE).delete(parsed.segments)

    def key_values(self, name: str, version: str = "") -> KeyValues:
        """The metadata at a full name: a group, a volume, or an instance that holds nothing else.

        Args:
            name: "remote/path", or a remote alone.
            version: empty means the store's current one.

        Raises:
            MalformedName, UnknownRemote, and whatever `HasKeyValues.key_values` raises.
            MissingCapability: where the store keeps no metadata.
        """
        parsed = VolumeName.parse(name)
        values = self._able(parsed, HasKeyValues, Role.READ).key_values(parsed.segments, version)
        return self._door.key_values(values, self._context.caller, parsed)

    def list(self, parent: str = "") -> list[VolumeEntry]:
        """What is right under a group: groups, volumes and instances of metadata, sorted by name.

        Args:
            parent: a full name; empty lists the remotes, each a group unless its root is itself a volume.

        Raises:
            MalformedName, UnknownRemote, UnknownVolume, StoreUnavailable.
        """
        if not parent:
            return [VolumeEntry(name, self._is_volume(name)) for name in self._seen]
        parsed = VolumeName.parse(parent)
        self._door.check_sees(self._context.caller, parsed)
        entries = [(parsed.child(each.segment), each) for each in self._found(parsed.remote).list(parsed.segments)]
        return [
            VolumeEntry(str(name), each.is_volume and self._may_read(name), each.is_key_values)
            for name, each in entries
            if self._door.sees(self._context.caller, name)
        ]

    def remotes(self) -> tuple[RemoteEntry, ...]:
        """What each remote is and allows, sorted by name."""
        return tuple(self._entry(name) for name in self._seen)

    def caches(self) -> tuple[CacheReport, ...]:
        """The cache of each remote that has one, as it is now, sorted by name."""
        caches = [(name, each.cache) for name, each in sorted(self._served.assembled.items())]
        return tuple(cache.report() for _, cache in caches if cache is not None)

    def traffic(self) -> tuple[TrafficReport, ...]:
        """What was asked of the store of each configured remote so far, sorted by name."""
        return tuple(each.traffic.report() for _, each in sorted(self._served.assembled.items()))

    def life_of(self, name: str) -> int:
        """A number that becomes another one when the remote of a volume becomes another store of the same name.

        Who keeps something of a volume beyond one call keeps it under this number, asked before the volume is opened.
        """
        found = self._served.assembled.get(name.partition("/")[0])
        return 0 if found is None else found.life

    def keeps_versions(self, name: str) -> bool:
        """Whether a volume that would be created under this name is known to have versions.

        Raises:
            MalformedName, UnknownRemote.
        """
        found = self._remote(VolumeName.parse(name), Role.READ).capability(HasVersions)
        return found is not None and found.keeps_versions

    def overlapping(self, one: str, other: str) -> bool:
        """Whether two volumes are known to be the same, or one inside of the other, whatever their remotes are called.

        Raises:
            MalformedName; PermissionDenied, Unauthenticated: when the caller may not read both.
        """
        names = [VolumeName.parse(name) for name in (one, other)]
        for each in names:
            self._door.check(self._context.caller, Role.READ, each)
        configs = [self._served.configs.get(name.remote) for name in names]
        places = [
            None if config is None else place_of(config, name.segments)
            for config, name in zip(configs, names, strict=True)
        ]
        return overlap(places[0], places[1])

    def _entry(self, name: str) -> RemoteEntry:
        config = self._served.configs.get(name)
        if config is None:
            return RemoteEntry(name)
        try:
            deletable = self._remotes[name].capability(Deletable) is not None
        except ReadOnly:
            deletable = False
        return RemoteEntry(name, scheme_of(config), config.writable, deletable)

    def resolve(self, uri: str) -> tuple[str, str]:
        """The full name and the version of the volume at a store's URI or path; the longest configured prefix wins.

        The version is empty where the URI says nothing of it.

        Whether anything exists there is not looked at, so nothing about the server's disks can be learned.

        Raises:
            UnknownRemote: shows what the operator would have to add, and nothing of what is configured.
            InvalidArgument: when the URI does not say which store it is of, and several might be meant.
        """
        canonical = caller_uri(uri)
        found: list[tuple[ResolvedUri, VolumeName]] = []
        for name in self._seen if canonical else ():
            match = self._remotes[name].resolve(canonical)
            if match is not None and self._may_read(VolumeName(name, match.path)):
                found.append((match, VolumeName(name, match.path)))
        if not found:
            schemes = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
            raise UnknownRemote("no configured remote holds this URI", suggestion(uri, schemes))
        match, volume = max(found, key=lambda each: (each[0].is_exact, each[0].prefix_length, str(each[1])))
        if not match.is_exact and len(found) > 1:
            several = f"several remotes may hold {shown_uri(uri)}"
            raise InvalidArgument(several, "write the host in the URI, or name the volume")
        return str(volume), match.version

    def _named(self, volume: Volume, name: VolumeName) -> Volume:
        full = str(name)
        return DescribedVolume(volume, self._infos.get(full, volume.info, lambda info: replace(info, name=full)))

    @property
    def _seen(self) -> tuple[str, ...]:
        """The names of the remotes that the caller sees, sorted."""
        return tuple(name for name in self.names if self._door.sees(self._context.caller, VolumeName(name, ())))

    def _may_read(self, name: VolumeName) -> bool:
        return self._door.allows(self._context.caller, Role.READ, name)

    def _is_volume(self, remote: str) -> bool:
        return self._may_read(VolumeName(remote, ())) and _is_volume(self._remotes[remote], self._context)

    def _able(self, name: VolumeName, kind: type[C], role: Role) -> C:
        """What a volume's remote can do, for a caller who has a role on the volume.

        Raises:
            UnknownRemote, MissingCapability; PermissionDenied, Unauthenticated.
        """
        found = self._remote(name, role).capability(kind)
        if found is None:
            message, remedy = _UNABLE[kind]
            raise MissingCapability(message.format(repr(name.remote)), remedy, details={"capability": kind.__name__})
        return found

    def _remote(self, name: VolumeName, role: Role, caller: Caller | None = None) -> Remote:
        """The remote of a name, for a caller who has a role on that name; None means the one of `for_caller`.

        Raises:
            UnknownRemote; PermissionDenied, Unauthenticated: before it is known whether there is such a remote.
        """
        self._door.check(self._context.caller if caller is None else caller, role, name)
        return self._found(name.remote)

    def _found(self, name: str) -> Remote:
        try:
            return self._remotes[name]
        except KeyError:
            raise UnknownRemote(f"there is no remote {name!r}", nearest(name, self._seen)) from None


def _for_caller(remote: Remote, context: CallContext) -> Remote:
    """The remote as it is for a caller; most do not care for whom they work."""
    bound = remote.capability(CallerBound)
    return remote if bound is None else bound.for_caller(context)


def _is_volume(remote: Remote, context: CallContext) -> bool:
    """Whether the root of a remote is a volume, be it a broken one."""
    try:
        remote.open((), OpenOptions(context=context))
    except (UnknownVolume, MalformedName, Unavailable):
        return False
    except VoxgateError:
        return True
    return True
