"""A BossDB as a remote: COLLECTION/EXPERIMENT/CHANNEL are its volumes, what is above them its groups."""

from __future__ import annotations

import builtins
import copy
from typing import TypeVar, cast

from voxgate.model.errors import ConfigInvalid, StoreUnavailable, UnknownVersion, UnknownVolume
from voxgate.model.metadata import HasKeyValues
from voxgate.model.remotes import CallerBound, Deletable, ListEntry, ResolvedUri
from voxgate.model.volumes import CallContext, OpenOptions, VolumeSpec
from voxgate_remotes.bossdb import creation, routes, uris
from voxgate_remotes.bossdb.channels import Channels
from voxgate_remotes.bossdb.client import Asking, BossClient
from voxgate_remotes.bossdb.keyvalues import BossKeyValues
from voxgate_remotes.bossdb.options import BossOptions, credentials_of
from voxgate_remotes.bossdb.regions import Regions
from voxgate_remotes.bossdb.shared import Shared, tuning_of
from voxgate_remotes.bossdb.volume import BossVolume
from voxgate_remotes.bossdb.workers import Workers
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.http.answers import HttpLimits, StoreCall
from voxgate_remotes.http.session import StoreSession
from voxgate_remotes.http.uris import base_url

C = TypeVar("C")

_CONNECTIONS = 16
_KINDS = ("collections", "experiments", "channels")


class BossRemote:
    """The volumes of one BossDB. Thread-safe; asks the store nothing until something is asked of it.

    Options: see `voxgate_remotes.bossdb.options.BossOptions`. Without credentials it is the account "public".
    """

    def __init__(self, config: RemoteConfig) -> None:
        """Take a host.

        Raises:
            ConfigInvalid: for a URI that is not a host's, or a bad option.
        """
        where = base_url(config.uri, "https")
        if where.path:
            raise ConfigInvalid("the uri of a BossDB remote is more than a host", "write bossdb://HOST")
        options, tuning = BossOptions.of(config), tuning_of(config.tuning)
        limits = HttpLimits(connections=max(_CONNECTIONS, tuning.parallel_reads))
        session = StoreSession(where.base_url, credentials=credentials_of(config), authorization="Token", limits=limits)
        self._base_url = where.base_url
        self._client = BossClient(session)
        channels, workers = Channels(self._client, options.believed_s), Workers(limits.connections)
        self._shared = Shared(self._client, channels, workers, Regions(), options, tuning)
        self._context = CallContext()

    def for_caller(self, context: CallContext) -> BossRemote:
        """The same remote for one caller: everything but `open` has that caller's patience and way through servers."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    def open(self, path: tuple[str, ...], options: OpenOptions) -> BossVolume:
        """Open a channel; nothing is asked of the store while its description is fresh.

        Raises:
            UnknownVolume, UnknownVersion, OutOfBounds, MetadataInvalid, UnsupportedFormat, StoreAccessDenied,
            StoreBusy, StoreUnavailable.
        """
        described = self._shared.channels.get(path, options.context)
        return BossVolume(self._shared, path, described, options)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The collections, the experiments of one, or the channels of an experiment, by name; a channel has nothing.

        Those that the account may see.

        Raises:
            UnknownVolume, StoreAccessDenied, StoreBusy, StoreUnavailable.
        """
        if parent:
            _check_place(parent)
        if len(parent) == 3:
            self._check_exists(parent)
            return []
        return [ListEntry(name, is_volume=len(parent) == 2) for name in sorted(self._names(parent))]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> BossVolume:
        """Create a channel, and the collection and experiment that it is to be in; see `creation.create`.

        Raises:
            AlreadyExists, UnsupportedFormat, InvalidArgument, StoreAccessDenied, StoreBusy, StoreUnavailable,
            StoreRefused.
        """
        creation.create(self._asking.patiently, path, spec)
        self._shared.channels.drop(path)
        return self.open(path, OpenOptions(context=self._context))

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a channel. BossDB keeps its name, and its voxels until an administrator clears them away.

        Raises:
            UnknownVolume: when there is no such channel; collections and experiments are no volumes.
            StoreRefused: when another channel is stated to be made from it.
            StoreAccessDenied, StoreBusy, StoreUnavailable.
        """
        if len(path) != 3:
            raise UnknownVolume(f"there is no volume {'/'.join(path)!r}", "name COLLECTION/EXPERIMENT/CHANNEL")
        self._check_exists(path)
        call = StoreCall("DELETE", routes.resource(path), is_repeatable=False)
        try:
            self._asking.patiently.done(call, 204)
        finally:
            self._shared.channels.drop(path)

    def key_values(self, path: tuple[str, ...], version: str) -> BossKeyValues:
        """The key-values of a collection, an experiment or a channel.

        Raises:
            UnknownVolume, UnknownVersion, StoreAccessDenied, StoreBusy, StoreUnavailable.
        """
        if version:
            raise UnknownVersion(f"there is no version {version!r}", "this store has no versions; leave it out")
        self._check_exists(path)
        return BossKeyValues(self._asking, path)

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here; see `voxgate_remotes.bossdb.uris`."""
        return uris.resolved(self._base_url, uri)

    def capability(self, kind: type[C]) -> C | None:
        """Deletable, HasKeyValues and CallerBound: the BossDB may be another voxgate's gateway."""
        return cast("C", self) if kind in (Deletable, HasKeyValues, CallerBound) else None

    @property
    def _asking(self) -> Asking:
        return Asking(self._client, self._context)

    def _check_exists(self, path: tuple[str, ...]) -> None:
        _check_place(path)
        self._asking.document(routes.resource(path))

    def _names(self, parent: tuple[str, ...]) -> builtins.list[str]:
        """The names under a place.

        Asked about the children of something that is not there, BossDB fails with 500, or finds none; so the place is
        looked at where there is no child.
        """
        address = routes.children(parent) if parent else routes.COLLECTIONS
        try:
            names = self._asking.document(address).get(_KINDS[len(parent)])
        except StoreUnavailable as error:
            if parent and error.details.get("status") == "500":
                self._check_exists(parent)
            raise
        if not isinstance(names, list):
            raise StoreUnavailable("the store's answer has no list of names", "check that it is a BossDB")
        if parent and not names:
            self._check_exists(parent)
        return [str(name) for name in names]


def _check_place(path: tuple[str, ...]) -> None:
    if not 1 <= len(path) <= 3 or not all(map(routes.is_name, path)):
        raise UnknownVolume(f"there is nothing of the name {'/'.join(path)!r}", "list the remote")
