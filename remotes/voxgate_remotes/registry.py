"""The remotes of one process by name: opening, listing, creating and resolving volumes by their full names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast
from urllib.parse import unquote

from voxgate.model.errors import (
    ConfigInvalid,
    InvalidArgument,
    MalformedName,
    Unavailable,
    UnknownRemote,
    UnknownScheme,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.names import VolumeName
from voxgate.model.remotes import Remote, ResolvedUri
from voxgate.model.volumes import OpenOptions, Volume, VolumeSpec
from voxgate_remotes.config import RemoteConfig, RemotesConfig, caller_uri, nearest, remote_name
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.policy import DescribedVolume, GovernedRemote

ENTRY_POINT_GROUP = "voxgate.remotes"
"""Adapters are plug-ins: an entry point named after a URI scheme, a class that takes a RemoteConfig."""


class RemoteFactory(Protocol):
    """What an entry point of ENTRY_POINT_GROUP is."""

    def __call__(self, config: RemoteConfig) -> Remote:
        """Make the remote; opens nothing that takes long. Raises ConfigInvalid for a bad option."""
        ...


class Registry:
    """Named remotes. Thread-safe as far as the remotes are."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = dict(remotes)
        self._infos = DerivedInfos()

    @staticmethod
    def from_config(config: RemotesConfig) -> Registry:
        """Make every configured remote, importing only the adapters whose scheme is used.

        Raises:
            UnknownScheme: names the known ones.
            ConfigInvalid: when an adapter refuses its options or cannot be loaded.
        """
        known = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        return Registry({name: GovernedRemote(_made(name, one, known), one) for name, one in config.remotes.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the remotes, sorted."""
        return tuple(sorted(self._remotes))

    def open(self, name: str, options: OpenOptions | None = None) -> Volume:
        """Open a volume by its full name.

        Raises:
            MalformedName, UnknownRemote, and whatever `Remote.open` raises.
        """
        parsed = VolumeName.parse(name)
        return self._named(self._remote(parsed.remote).open(parsed.segments, options or OpenOptions()), parsed)

    def create(self, name: str, spec: VolumeSpec) -> Volume:
        """Create a volume by its full name.

        Raises:
            MalformedName, UnknownRemote, and whatever `Remote.create` raises.
        """
        parsed = VolumeName.parse(name)
        return self._named(self._remote(parsed.remote).create(parsed.segments, spec), parsed)

    def list(self, parent: str = "") -> list[tuple[str, bool]]:
        """The groups and volumes right under a group, sorted: (full name, whether it is a volume).

        Args:
            parent: a full name; empty lists the remotes, each a group unless its root is itself a volume.

        Raises:
            MalformedName, UnknownRemote, UnknownVolume, StoreUnavailable.
        """
        if not parent:
            return [(name, _is_volume(self._remotes[name])) for name in self.names]
        parsed = VolumeName.parse(parent)
        entries = self._remote(parsed.remote).list(parsed.segments)
        return [(str(parsed.child(entry.segment)), entry.is_volume) for entry in entries]

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
        for name in self.names if canonical else ():
            match = self._remotes[name].resolve(canonical)
            if match is not None:
                found.append((match, VolumeName(name, match.path)))
        if not found:
            example = remote_name(unquote(uri), "data")
            raise UnknownRemote(
                "no configured remote holds this URI",
                f'the operator can add to the configuration:\n[remotes.{example}]\nuri = "{canonical or uri}"',
            )
        match, volume = max(found, key=lambda each: (each[0].is_exact, each[0].prefix_length, str(each[1])))
        if not match.is_exact and len(found) > 1:
            raise InvalidArgument(f"several remotes may hold {uri}", "write the host in the URI, or name the volume")
        return str(volume), match.version

    def _named(self, volume: Volume, name: VolumeName) -> Volume:
        full = str(name)
        return DescribedVolume(volume, self._infos.get(full, volume.info, lambda info: replace(info, name=full)))

    def _remote(self, name: str) -> Remote:
        try:
            return self._remotes[name]
        except KeyError:
            raise UnknownRemote(f"there is no remote {name!r}", nearest(name, self._remotes)) from None


def _made(name: str, config: RemoteConfig, known: Mapping[str, EntryPoint]) -> Remote:
    scheme = config.uri.partition(":")[0]
    if scheme not in known:
        raise UnknownScheme(f"remotes.{name}.uri: no adapter serves {scheme}:", f"known: {', '.join(sorted(known))}")
    try:
        factory = cast("RemoteFactory", known[scheme].load())
    except ImportError as error:
        raise ConfigInvalid(
            f"remotes.{name}: the adapter for {scheme}: cannot be loaded: {error}", "install it"
        ) from None
    return factory(config)


def _is_volume(remote: Remote) -> bool:
    """Whether the root of a remote is a volume, be it a broken one."""
    try:
        remote.open((), OpenOptions())
    except (UnknownVolume, MalformedName, Unavailable):
        return False
    except VoxgateError:
        return True
    return True
