"""A folder of volumes: precomputed and Zarr, at any depth, found by what lies in each folder."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from voxgate.model.errors import (
    AlreadyExists,
    ConfigInvalid,
    PathRefused,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.remotes import Deletable, ListEntry, ResolvedUri
from voxgate.model.volumes import (
    C,
    OpenOptions,
    Volume,
    VolumeInfo,
    VolumeSpec,
)
from voxgate_remotes import precomputed, zarr
from voxgate_remotes.checks import path_under
from voxgate_remotes.config import RemoteConfig, VolumeOverrides, canonical_uri, nearest
from voxgate_remotes.creation import checked_spec, write_documents
from voxgate_remotes.deletion import refuse_other_volumes, remove, set_aside
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.lives import Life, LivingVolume
from voxgate_remotes.metadata import Stamp, stamp
from voxgate_remotes.readonly import refuse_deletion, refuse_write
from voxgate_remotes.tensorstores import OpenedStore, Tuning

_KEPT_OPEN = 256
_CLAIMS: dict[str, Callable[[Path], bool]] = {
    "precomputed": precomputed.claims,
    "zarr v3": zarr.claims_v3,
    "zarr v2": zarr.claims_v2,
}
_FORMATS = {"precomputed": "precomputed", "zarr3": "zarr v3", "zarr2": "zarr v2"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """An opened volume and what its metadata files looked like before they were read.

    Attributes:
        files: the metadata files, some of which there may not be.
        stamp: of the files.
        store: what was opened.
        life: of the volume, while this process looks at it.
    """

    files: tuple[Path, ...]
    stamp: Stamp
    store: OpenedStore
    life: Life

    @property
    def is_current(self) -> bool:
        """Whether the metadata still is what was opened."""
        return not self.life.is_over and stamp(self.files) == self.stamp

    @property
    def witness(self) -> str:
        """A metadata file that was there."""
        there = (file for file, found in zip(self.files, self.stamp, strict=True) if found is not None)
        return str(next(there, self.files[0]))


class FilesRemote:
    """The volumes below one root folder; the root itself may be one, then its path is empty. Thread-safe.

    Options: `fsync` (default true): written chunks are durable before a write is answered; `cache_bytes` (default 0):
    decoded chunks kept in memory for each open volume.
    """

    def __init__(self, config: RemoteConfig) -> None:
        """Take a folder.

        Raises:
            ConfigInvalid: for a URI that is not a local folder's, or a bad option.
        """
        parts = urlsplit(config.uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise ConfigInvalid(f"{config.uri!r} does not name a local folder", "write file:///absolute/path")
        self._config = config
        self._tuning = _tuning(config)
        self._guard = PathGuard(Path(unquote(parts.path)))
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
        self._infos = DerivedInfos()
        self._lives: weakref.WeakValueDictionary[Path, Life] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()
        self._creating = threading.Lock()

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open the volume in a folder; cheap while its metadata files stay as they are.

        Raises:
            UnknownVolume, UnknownVersion, OutOfBounds, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore,
            PathRefused, StoreUnavailable.
        """
        kept = self._opened(path)
        bound = kept.store.bind(self._infos.get(path, kept.store.info, self._allowed), options)
        return LivingVolume(bound, kept.life, kept.witness)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a folder, by name; a volume has nothing under it.

        Raises:
            UnknownVolume, PathRefused, StoreUnavailable.
        """
        folder = self._guard.resolve(parent)
        if _formats(folder):
            return []
        return [ListEntry(entry.name, bool(_formats(entry))) for entry in self._guard.folders(folder)]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume in a folder that does not exist yet or is empty.

        Raises:
            ReadOnly, AlreadyExists, UnsupportedFormat, InvalidArgument, PathRefused, StoreUnavailable.
        """
        if not self._config.writable:
            refuse_write()
        folder = self._guard.resolve(path)
        name, documents = checked_spec(spec, self._config.format)
        with self._creating:
            if any(_formats(self._guard.resolve(path[:depth])) for depth in range(len(path))):
                raise AlreadyExists("the name lies inside of another volume", "choose another name")
            if not set(_formats(folder)) <= {_FORMATS[name]}:
                raise AlreadyExists("a volume of another format has this name", "choose another name")
            write_documents(folder, self._guard, documents)
        return self.open(path, OpenOptions())

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete the folder of a volume, all of it; see `voxgate_remotes.deletion`.

        Writes that run are waited for. Reads that run, and all that are tried afterwards, are UnknownVolume.

        Raises:
            UnknownVolume, UnsupportedFormat, StoreUnavailable.
            ReadOnly: unless the remote's configuration allows it.
            PathRefused: for the remote's root, and for names that lead through a symbolic link.
            StoreRefused: when the folder is part of another volume, or holds one.
        """
        if not (self._config.writable and self._config.deletable):
            refuse_deletion()
        if not path:
            raise PathRefused("this volume is the remote's own folder, which is never deleted", "its operator may")
        folder = self._guard.resolve(path)
        if folder != self._guard.root.joinpath(*path):
            raise PathRefused("the name leads through a symbolic link", "delete the volume by its own name")
        with self._creating:
            if any(_formats(self._guard.resolve(path[:depth])) for depth in range(len(path))):
                raise StoreRefused("the folder is part of another volume", "delete that volume as a whole")
            name = self._format_of(folder, path)
            own = frozenset(Path(os.path.normpath(file.parent)) for file in _metadata_files(name, folder))
            refuse_other_volumes(folder, own, lambda inner: bool(_formats(inner)))
            with self._life_of(folder).ending():
                aside = set_aside(folder)
            with self._lock:
                self._kept.pop(path, None)
                self._lives.pop(folder, None)
        remove(aside)

    def capability(self, kind: type[C]) -> C | None:
        """Deletable, which refuses where the remote's configuration does not allow it."""
        return cast("C", self) if kind is Deletable else None

    def resolve(self, uri: str) -> ResolvedUri | None:
        """If `uri` (canonical, see `voxgate_remotes.config`) lies under the root, as written or with links resolved."""
        roots = {self._config.uri, canonical_uri(str(self._guard.root), Path("/"))}
        found = filter(None, (path_under(root, uri) for root in roots))
        return max(found, key=lambda match: match.prefix_length, default=None)

    def _allowed(self, info: VolumeInfo) -> VolumeInfo:
        if self._config.writable:
            return info
        return replace(info, scales=tuple(replace(scale, writable=False) for scale in info.scales))

    def _life_of(self, folder: Path) -> Life:
        """The life of the volume in a folder, the same for every name that leads there."""
        with self._lock:
            return self._lives.setdefault(folder, Life())

    def _opened(self, path: tuple[str, ...]) -> _Kept:
        """The volume's opened store: the kept one, unless its metadata changed since."""
        folder = self._guard.resolve(path)
        with self._lock:
            kept = self._kept.get(path)
        if kept is None or not kept.files[0].is_relative_to(folder) or not kept.is_current:
            kept = self._open(folder, path)
        with self._lock:
            self._kept[path] = kept
            self._kept.move_to_end(path)
            while len(self._kept) > _KEPT_OPEN:
                self._kept.popitem(last=False)
        return kept

    def _format_of(self, folder: Path, path: tuple[str, ...]) -> str:
        """The one format that claims a folder.

        Raises:
            StoreUnavailable, UnknownVolume, UnsupportedFormat.
        """
        formats = _formats(folder)
        if not formats:
            if not self._guard.root.is_dir():
                raise StoreUnavailable("the remote's folder is not there", "the operator checks its `uri` and mounts")
            raise UnknownVolume(f"there is no volume {'/'.join(path)!r} in this remote", "list the remote")
        if len(formats) > 1:
            raise UnsupportedFormat(
                f"the folder is {' and '.join(formats)} at once", "remove the metadata of all but one format"
            )
        return formats[0]

    def _open(self, folder: Path, path: tuple[str, ...]) -> _Kept:
        life = self._life_of(folder)
        name = self._format_of(folder, path)
        overrides = self._config.overrides(path)
        files = tuple(_metadata_files(name, folder))
        for file in files:
            self._guard.checked(file)
        before = stamp(files)
        return _Kept(files, before, self._open_store(name, folder, overrides), life)

    def _open_store(self, name: str, folder: Path, overrides: VolumeOverrides) -> OpenedStore:
        if name == "precomputed":
            return precomputed.open_store(folder, self._guard, self._tuning)
        return zarr.open_store(folder, self._guard, self._tuning, overrides)


def _formats(folder: Path) -> list[str]:
    """The formats that claim a folder: none for a group, several for a contradiction."""
    return [name for name, claims in _CLAIMS.items() if claims(folder)]


def _metadata_files(name: str, folder: Path) -> list[Path]:
    return precomputed.metadata_files(folder) if name == "precomputed" else zarr.metadata_files(folder)


def _tuning(config: RemoteConfig) -> Tuning:
    known = {"fsync": bool, "cache_bytes": int}
    for key, value in config.options.items():
        if key not in known:
            raise ConfigInvalid(f"a file remote has no option {key!r}", nearest(key, known))
        if type(value) is not known[key] or (key == "cache_bytes" and value < 0):  # type: ignore[operator]
            raise ConfigInvalid(f"the option {key!r} cannot be {value!r}", f"give a {known[key].__name__}")
    return Tuning(bool(config.options.get("fsync", True)), int(config.options.get("cache_bytes", 0)))
