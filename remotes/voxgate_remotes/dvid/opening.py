"""Finding and describing volumes, remembered: briefly while a version is open, for long once it is committed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from voxgate.model.errors import UnknownVolume
from voxgate.model.volumes import CallContext
from voxgate_remotes.dvid.client import Ask, DvidClient
from voxgate_remotes.dvid.graph import Node, Repo
from voxgate_remotes.dvid.instances import Instance, parse_instance
from voxgate_remotes.dvid.kept import Kept
from voxgate_remotes.dvid.levels import Level, described, images_of, labels_of, siblings
from voxgate_remotes.dvid.options import DvidOptions
from voxgate_remotes.dvid.volume import Opened

_COMMITTED_S = 300.0
"""Voxels of committed versions never change; the tags of an instance might, rarely."""


@dataclass(frozen=True, slots=True)
class _Key:
    root: str
    uuid: str
    name: str


class Openings:
    """Descriptions of volumes. Thread-safe."""

    def __init__(self, client: DvidClient, options: DvidOptions) -> None:
        self._client = client
        self._options = options
        self._kept: Kept[_Key, tuple[Node, Opened]] = Kept()

    def opened(self, repo: Repo, node: Node, name: str, context: CallContext) -> Opened:
        """The volume of an instance at a version; the very same object while nothing about it changes.

        Raises:
            UnknownVolume, UnsupportedFormat, MetadataInvalid.
        """
        if name not in repo.types:
            raise UnknownVolume(f"there is no instance {name!r}", "list its repository for those there are")
        key = _Key(repo.root, node.uuid, name)
        most = min(_COMMITTED_S, self._options.cache_seconds * _COMMITTED_S)
        kept = self._kept.get(key, most if node.is_locked else self._options.cache_seconds)
        if kept is not None and kept[0].is_locked == node.is_locked and kept[1].types == repo.types:
            return kept[1]
        asked_at = time.monotonic()
        found = self._describe(repo, node, name, context)
        before = self._kept.last(key)
        if before is not None and before[1] == found:
            found = before[1]
        return self._kept.put(key, (node, found), asked_at)[1]

    def forget(self, root: str) -> None:
        """Ask again about the volumes of a repository that something was done to."""
        self._kept.forget(lambda key, _: key.root == root)

    def instance(self, node: Node, name: str, context: CallContext) -> Instance:
        """An instance at a version, as it is now.

        Raises:
            UnknownVolume, UnsupportedFormat, MetadataInvalid.
        """
        return parse_instance(self._client.get_json(Ask(("node", node.uuid, name, "info")), context))

    def _describe(self, repo: Repo, node: Node, name: str, context: CallContext) -> Opened:
        instance = self.instance(node, name, context)
        levels = self._levels(repo, node, instance, context)
        return Opened(described(instance, levels, node), levels, instance, repo.root, repo.types)

    def _levels(self, repo: Repo, node: Node, instance: Instance, context: CallContext) -> tuple[Level, ...]:
        bounds = instance.bounds or self._options.empty_bounds
        if bounds is None:
            return ()
        is_open = not node.is_locked or not instance.is_versioned
        if instance.is_labels:
            return labels_of(instance, bounds, is_open)
        names = dict(enumerate(siblings(instance.name, repo.types), start=1))

        def coarser(number: int) -> Instance | None:
            return self.instance(node, names[number], context) if number in names else None

        return images_of(instance, bounds, is_open, coarser)
