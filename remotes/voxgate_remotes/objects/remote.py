"""The volumes below one address of a web server, or one prefix of a bucket, of every format that folders have here."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import cast

from voxgate.model.errors import (
    AlreadyExists,
    ReadOnly,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.mesh_stores import MeshStore, TakesMeshes
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.remotes import CallerBound, CoarserScale, ListEntry, ResolvedUri, TakesScales
from voxgate.model.volumes import C, CallContext, OpenOptions, Volume, VolumeInfo, VolumeSpec
from voxgate_remotes.adding import added_documents
from voxgate_remotes.checks import path_under
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.creation import checked_spec
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.formats import WRITTEN, FolderFormat, folder_formats
from voxgate_remotes.mesh_places import check_formats, inside_of_a_volume
from voxgate_remotes.objects import meshes
from voxgate_remotes.objects.creation import changed_documents, write_documents
from voxgate_remotes.objects.failures import told
from voxgate_remotes.objects.folders import KvFolder, Sight
from voxgate_remotes.objects.places import key_prefix, place_of
from voxgate_remotes.objects.presence import Presence
from voxgate_remotes.objects.provenance import provenance_object
from voxgate_remotes.objects.sources import BucketSource, Print, Source, unchanged
from voxgate_remotes.objects.volumes import ObjectVolume, Opened
from voxgate_remotes.objects.witness import Witness
from voxgate_remotes.readonly import refuse_write
from voxgate_remotes.recent import Recent
from voxgate_remotes.tensorstores import OpenedStore, Tuning

_KEPT_OPEN = 256
_BELIEVED_S = 5.0
_LOOKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Kept:
    """An opened volume.

    Attributes:
        store: what was opened.
        presence: of its chunks; None where its format does not read through tensorstore.
        source: what it was opened from, with the token of that time.
        documents: what those that it was described by are known by, by key.
        witness: the one that is looked at where chunks are absent.
        believed_until: value of `time.monotonic()` after which they are asked for again.
    """

    store: OpenedStore = field(repr=False)  # it shows the headers that it asks with
    presence: Presence | None
    source: Source
    documents: dict[str, Print]
    witness: Witness | None
    believed_until: float


class ObjectsRemote:
    """Volumes that are not on this machine. Thread-safe.

    Options: `believed_s` (default 5): how long a described volume is believed to be as it was; `timeout_s` (default
    60): how long the store may send nothing while something is waited for; `cache_bytes` (default 0): decoded chunks
    kept in memory for each open volume; for buckets `anonymous` (sign nothing) and
    `conditional_writes` (whether the store writes on condition, so that cut granules are merged: taken for granted of
    S3 at Amazon and of GCS, not of an `endpoint`); for s3 `endpoint`, `region` and `profile`.

    Volumes are not deleted here: objects vanish one by one, a reader meanwhile takes what is left for the volume.
    """

    def __init__(self, config: RemoteConfig) -> None:
        """Take an address: http, https, s3 or gs. Nothing is asked yet.

        Raises:
            ConfigInvalid: for a URI that names no server or bucket, or a bad option.
        """
        self._config = config
        self._place = place_of(config)
        self._believed_s = float(config.options.get("believed_s", _BELIEVED_S))
        self._tuning = Tuning(fsync=False, cache_bytes=int(config.options.get("cache_bytes", 0)))
        self._is_writable = config.writable and self._place.bucket is not None
        self._kept: Recent[tuple[str, ...], _Kept] = Recent(_KEPT_OPEN)
        self._infos = DerivedInfos()
        self._creating = threading.Lock()
        self._context = CallContext()

    def for_caller(self, context: CallContext) -> ObjectsRemote:
        """The same remote for one caller: listing and creating end with their patience."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open the volume at a path; asks nothing while it is believed.

        Raises:
            UnknownVolume, UnknownVersion, OutOfBounds, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore,
            PathRefused, StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        kept = self._opened(path, options.context)
        info = self._infos.get(path, kept.store.info, self._allowed)

        def check_there(context: CallContext) -> None:
            if kept.witness is not None:
                kept.witness.check(context, lambda: self._kept.drop(path))

        place = self._place
        keep = self._provenance(path, kept.documents) if self._is_writable else None
        opened = Opened(kept.store, info, kept.presence, place.patience, check_there, place.merges_safely, keep)
        return ObjectVolume(opened, options)

    def _provenance(
        self, path: tuple[str, ...], documents: Mapping[str, Print]
    ) -> Callable[[CallContext], KeepsProvenance] | None:
        """The place for provenance: volumes in buckets have one, but for formats that are only read here."""
        bucket, prefix = self._place.bucket, key_prefix(path)
        if bucket is None:
            return None
        return provenance_object(bucket, prefix, {key.removeprefix(prefix) for key in documents})

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a prefix, by name; a volume has nothing under it.

        Raises:
            UnknownVolume, PathRefused, StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable.
            MissingCapability: for a web server, which does not list, unless `parent` is a volume.
            ConfigInvalid: when what lists a bucket is not installed.
        """
        source, context = self._place.source(), self._context
        if self._formats(source, parent, context):
            return []
        level = self._place.listing.level(key_prefix(parent), context)
        if parent and not level.folders and not level.has_objects:
            raise UnknownVolume(f"there is nothing at {'/'.join(parent)!r} in this remote", "list the level above")

        def entry(name: str) -> ListEntry:
            return ListEntry(name, bool(self._formats(source, (*parent, name), context)))

        with ThreadPoolExecutor(_LOOKED_AT_ONCE, "voxgate-listing") as pool:
            return sorted(pool.map(entry, level.folders), key=lambda one: one.segment)

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume under a prefix that has nothing yet.

        Raises:
            ReadOnly: unless its operator allows it, and for web servers.
            AlreadyExists, UnsupportedFormat, InvalidArgument, PathRefused, ConfigInvalid, StoreAccessDenied, StoreBusy,
            StoreRefused, StoreUnavailable.
        """
        bucket, context = self._written(), self._context
        prefix = key_prefix(path)
        name, documents = checked_spec(spec, self._config.format)
        with self._creating:
            if any(self._formats(bucket, path[:depth], context) for depth in range(len(path))):
                raise AlreadyExists("the name lies inside of another volume", "choose another name")
            if not {each.name for each in self._formats(bucket, path, context)} <= {WRITTEN[name]}:
                raise AlreadyExists("a volume of another format has this name", "choose another name")
            write_documents(bucket, self._place.listing, prefix, documents, context)
        self._kept.drop(path)
        return self.open(path, OpenOptions(context=context))

    def add_scales(self, path: tuple[str, ...], first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels; see `voxgate.model.remotes.TakesScales.add_scales`."""
        bucket, context, prefix = self._written(), self._context, key_prefix(path)
        with self._creating:
            found = self._formats(bucket, path, context)
            if len(found) != 1:
                self._open(path, context)  # says what is wrong
            sight = Sight(bucket, context)
            sight.look_ahead(prefix)
            where, stated = KvFolder(sight, prefix), self._config.overrides(path)
            documents = added_documents(found[0].name, where, stated, first, coarser)
            changed_documents(bucket, prefix, documents, context)
        self._kept.drop(path)

    def mesh_store(self, path: tuple[str, ...]) -> MeshStore:
        """The place for meshes at a path; see `voxgate.model.mesh_stores.TakesMeshes.mesh_store`."""
        bucket, context, prefix = self._written(), self._context, key_prefix(path)
        if any(self._formats(bucket, path[:depth], context) for depth in range(len(path))):
            raise inside_of_a_volume()
        files = meshes.BucketProductFiles(bucket, prefix, context)
        if check_formats(each.name for each in self._formats(bucket, path, context)):
            return meshes.beside_volume(files, lambda: self._kept.drop(path))
        return meshes.by_themselves(files, self._place.listing.level(prefix, context))

    def _written(self) -> BucketSource:
        """The bucket, where it may be written.

        Raises:
            ReadOnly: unless its operator allows it, and for web servers.
        """
        if not self._config.writable:
            refuse_write()
        if self._place.bucket is None:
            raise ReadOnly("this store is read only: nothing is written over plain http", "write to where it is kept")
        return self._place.bucket

    def resolve(self, uri: str) -> ResolvedUri | None:
        """If `uri` (canonical, see `voxgate_remotes.config`) lies under the remote's."""
        return path_under(self._config.uri, uri)

    def capability(self, kind: type[C]) -> C | None:
        """CallerBound; TakesScales and TakesMeshes, which refuse where nothing may be written."""
        return cast("C", self) if kind in (CallerBound, TakesScales, TakesMeshes) else None

    def _allowed(self, info: VolumeInfo) -> VolumeInfo:
        if self._is_writable:
            return info
        return replace(info, scales=tuple(replace(scale, writable=False) for scale in info.scales))

    def _formats(self, source: Source, path: tuple[str, ...], context: CallContext) -> tuple[FolderFormat, ...]:
        """The formats that claim what lies at a path."""
        sight, prefix = Sight(source, context), key_prefix(path)
        sight.look_ahead(prefix)
        found = folder_formats(KvFolder(sight, prefix))
        if not found:
            sight.refuse_blindness()
        return found

    def _opened(self, path: tuple[str, ...], context: CallContext) -> _Kept:
        """The volume's opened store: the kept one, unless its documents changed since."""
        context.check()
        known = self._kept.get(path)
        kept = (known and self._current(known, context)) or self._open(path, context)
        self._kept.put(path, kept)
        return kept

    def _current(self, kept: _Kept, context: CallContext) -> _Kept | None:
        """A volume that is believed, or whose documents still describe it."""
        if time.monotonic() < kept.believed_until:
            return kept
        source = self._place.source()
        documents = unchanged(source, kept.documents, context) if source == kept.source else None
        if documents is None:
            return None
        witness = kept.witness and replace(kept.witness, known=documents[kept.witness.key])
        until = time.monotonic() + self._believed_s
        return replace(kept, documents=documents, witness=witness, believed_until=until)

    def _open(self, path: tuple[str, ...], context: CallContext) -> _Kept:
        """Open and describe a volume."""
        believed_until = time.monotonic() + self._believed_s
        source, prefix = self._place.source(), key_prefix(path)
        sight = Sight(source, context)
        sight.look_ahead(prefix)
        folder = KvFolder(sight, prefix)
        patience = self._place.patience
        tuning = replace(self._tuning, patience=patience.of(context, "opening the volume", lambda: sight.count))
        with told("opening the volume"), sight.opening():
            found = folder_formats(folder)
            if not found:
                sight.refuse_blindness()
                raise UnknownVolume(f"there is no volume {'/'.join(path)!r} in this remote", self._where_to_look())
            if len(found) > 1:
                names = " and ".join(each.name for each in found)
                raise UnsupportedFormat(f"the folder is {names} at once", "remove the metadata of all but one format")
            store = found[0].open(folder, tuning, self._config.overrides(path))
        views, documents = getattr(store, "views", None), sight.present
        presence = Presence(views, source.kvstore(prefix), patience, getattr(store, "fetched", ())) if views else None
        return _Kept(store, presence, source, documents, Witness.of(source, prefix, documents), believed_until)

    def _where_to_look(self) -> str:
        where = "list the remote" if self._place.bucket else "give the path of a volume: a web server lists nothing"
        return f"{where}; slices, TIFF and HDF5 files are opened from folders of the server's own machine alone"
