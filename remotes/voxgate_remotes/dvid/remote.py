"""A DVID server, or one of its repositories, as a remote.

| uri                   | names                | REPO                                                         |
|-----------------------|----------------------|--------------------------------------------------------------|
| dvid://HOST:PORT      | remote/REPO/INSTANCE | alias where it is unique, else the UUID of the first version |
| dvid://HOST:PORT/UUID | remote/INSTANCE      |                                                              |

Any version's UUID, or a unique part of its start, opens as REPO, too.

A version is a UUID, a unique part of its start, `UUID:branch` or `:branch`; none means the last one of the master
branch. It is resolved once, when a volume is opened.

DVID deletes instances by remote procedure call only (help of the server), so nothing can be deleted from here.
"""

from __future__ import annotations

import copy
from typing import TypeVar, cast

from voxgate.model.errors import (
    AlreadyExists,
    MalformedName,
    UnknownVolume,
    VersionLocked,
)
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.remotes import CallerBound, ListEntry, ResolvedUri
from voxgate.model.versions import HasVersions
from voxgate.model.volumes import CallContext, OpenOptions, VolumeSpec
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid.client import Ask, DvidClient, json_body
from voxgate_remotes.dvid.creation import Planned, planned
from voxgate_remotes.dvid.graph import Repo
from voxgate_remotes.dvid.instances import KEY_VALUES, VOXEL_TYPES
from voxgate_remotes.dvid.key_values import DvidKeyValues
from voxgate_remotes.dvid.opening import Openings
from voxgate_remotes.dvid.options import DvidOptions
from voxgate_remotes.dvid.repos import Repos, is_segment
from voxgate_remotes.dvid.uris import configured, resolved
from voxgate_remotes.dvid.volume import DvidVolume, Server
from voxgate_remotes.dvid.voxels import Place
from voxgate_remotes.dvid.writes import BlockLocks

C = TypeVar("C")


class DvidRemote:
    """Volumes and key-values of a DVID server. Thread-safe; connects when it is first asked for something."""

    def __init__(self, config: RemoteConfig) -> None:
        """Look at the configuration; asks the server nothing.

        Raises:
            ConfigInvalid: for a uri, an option or a format that means nothing here.
        """
        options = DvidOptions.of(config.options)
        self._home = configured(config.uri)
        client = DvidClient(self._home.base_url, config.credentials, connections=config.tuning.parallel_reads or 0)
        self._server = Server(client, Repos(client, options.cache_seconds), BlockLocks(), config.tuning)
        self._openings = Openings(client, options)
        self._context = CallContext()

    def open(self, path: tuple[str, ...], options: OpenOptions) -> DvidVolume:
        """Open a volume at a version; see `voxgate.model.remotes.Remote.open`.

        An instance without voxels, of which nobody says where they would be, is a volume without scales.
        """
        segment, name = self._split(path)
        repo = self._server.repos.find(segment, options.context)
        node = repo.node(_version(options.version, repo))
        return DvidVolume(self._openings.opened(repo, node, name, options.context), self._server, options)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The repositories, or the volumes and key-values of one; instances of other types are left out.

        Raises:
            UnknownVolume: when `parent` is no repository.
        """
        whole = (*self._home.path, *parent)
        if not whole:
            return [ListEntry(name, is_volume=False) for name in sorted(self._server.repos.names(self._context))]
        if len(whole) > 1:
            raise UnknownVolume(f"there is no group {'/'.join(parent)!r}", "list the level above")
        types = self._server.repos.find(whole[0], self._context).types
        return [
            ListEntry(name, is_volume=typename in VOXEL_TYPES, is_key_values=typename == KEY_VALUES)
            for name, typename in sorted(types.items())
            if is_segment(name) and (typename in VOXEL_TYPES or typename == KEY_VALUES)
        ]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> DvidVolume:
        """Create the instances of a volume in a repository, at the open end of its master branch.

        They remember their bounds in a tag (see `instances`), which DVID itself does not have, and in DVID's own
        extents for other programs, which grow with what is written.

        Raises:
            AlreadyExists: unless what is there is equal.
            VersionLocked: when the end of the master branch is committed.
            UnsupportedFormat, InvalidArgument, MalformedName: for what DVID cannot hold.
            UnknownVolume: when there is no such repository.
        """
        if len((*self._home.path, *path)) < 2:
            raise AlreadyExists("a repository is no volume", "name an instance below it")
        if len((*self._home.path, *path)) > 2:
            raise MalformedName(f"{'/'.join(path)!r} is too deep for DVID", "name a repository and an instance")
        segment, name = self._split(path)
        wanted = planned(name, spec)
        repo = self._server.repos.find(segment, self._context)
        try:
            for one in wanted:
                self._create(repo, one)
        finally:
            self._server.repos.forget(repo.root)
            self._openings.forget(repo.root)
        return self.open(path, OpenOptions(context=self._context))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote; the server is not asked."""
        return resolved(self._home, uri)

    def capability(self, kind: type[C]) -> C | None:
        """HasKeyValues, HasVersions and CallerBound; not Deletable, see above."""
        return cast("C", self) if kind in (HasKeyValues, HasVersions, CallerBound) else None

    @property
    def keeps_versions(self) -> bool:
        """Every instance is versioned with its repository."""
        return True

    def for_caller(self, context: CallContext) -> DvidRemote:
        """The same remote for one caller: everything but `open` has that caller's patience."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        """The values of a keyvalue instance; see `voxgate.model.metadata.HasKeyValues`."""
        segment, name = self._split(path)
        repo = self._server.repos.find(segment, self._context)
        if repo.types.get(name) != KEY_VALUES:
            raise UnknownVolume(f"{name!r} holds no key-values", "list the repository for instances that do")
        return DvidKeyValues(Place(self._server.client, repo.node(version).uuid, self._context), name)

    def _create(self, repo: Repo, one: Planned) -> None:
        node = repo.node("")
        client = self._server.client
        if one.name in repo.types:
            one.check_same(self._openings.instance(node, one.name, self._context))
            return
        if node.is_locked:
            raise VersionLocked("the end of the master branch is committed", "open a new version of it first")
        # Not repeatable: the second try would be told that the name is taken.
        ask = Ask(("repo", node.uuid, "instance"), body=json_body(one.document()), is_repeatable=False)
        try:
            client.post(ask, self._context)
        except AlreadyExists:  # by somebody else in this moment
            one.check_same(self._openings.instance(node, one.name, self._context))
            return
        client.post(Ask(("node", node.uuid, one.name, "extents"), body=json_body(one.extents())), self._context)

    def _split(self, path: tuple[str, ...]) -> tuple[str, str]:
        """The repository and the instance of a path."""
        whole = (*self._home.path, *path)
        if len(whole) != 2 or not all(map(is_segment, whole)):
            shape = "INSTANCE" if self._home.path else "REPOSITORY/INSTANCE"
            raise UnknownVolume(f"{'/'.join(path)!r} is no volume of DVID's", f"volumes here are named {shape}")
        return whole[0], whole[1]


def _version(text: str, repo: Repo) -> str:
    """The version that a URI's first part stands for: an alias such as "cafe" looks like the start of a UUID."""
    start, colon, branch = text.partition(":")
    return colon + branch if start and start == repo.alias else text
