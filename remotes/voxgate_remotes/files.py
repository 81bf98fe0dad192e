"""A folder of volumes of every known format, at any depth, found by what lies in each folder and file."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
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
    VoxgateError,
)
from voxgate.model.mesh_stores import MeshStore, TakesMeshes
from voxgate.model.remotes import CoarserScale, Deletable, ListEntry, ResolvedUri, TakesScales
from voxgate.model.volumes import (
    C,
    OpenOptions,
    Volume,
    VolumeInfo,
    VolumeSpec,
)
from voxgate_remotes.adding import added_documents, no_place_for_levels
from voxgate_remotes.checks import path_under
from voxgate_remotes.config import RemoteConfig, canonical_uri, nearest
from voxgate_remotes.creation import changed_documents, checked_spec, write_documents
from voxgate_remotes.deletion import refuse_other_volumes, remove, set_aside
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.folders import LocalFolder
from voxgate_remotes.formats import WRITTEN, FileFormat, FolderFormat, file_format, folder_formats
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.lives import Life, LivingVolume, gone
from voxgate_remotes.mesh_files import LocalProductFiles, beside_volume, by_themselves
from voxgate_remotes.mesh_places import check_formats, inside_of_a_volume
from voxgate_remotes.metadata import Stamp, is_file, stamp
from voxgate_remotes.readonly import refuse_deletion, refuse_write
from voxgate_remotes.recent import Recent
from voxgate_remotes.tensorstores import OpenedStore, Tuning

_KEPT_OPEN = 256


@dataclass(frozen=True, slots=True)
class _Kept:
    """An opened volume and what its metadata files looked like before they were read.

    Attributes:
        place: the real path that its name led to.
        files: the metadata files, some of which there may not be.
        stamp: of the files.
        store: what was opened.
        format: the name of its format.
        life: of the volume, while this process looks at it.
    """

    place: Path
    files: tuple[Path, ...]
    stamp: Stamp
    store: OpenedStore
    format: str
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


@dataclass(frozen=True, slots=True)
class _Inside:
    """A place inside of a file."""

    format: FileFormat
    file: Path
    inner: tuple[str, ...]


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
        self._kept: Recent[tuple[str, ...], _Kept] = Recent(_KEPT_OPEN)
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
        info = self._infos.get(path, kept.store.info, lambda info: self._allowed(replace(info, format=kept.format)))
        bound = kept.store.bind(info, options)
        return LivingVolume(bound, kept.life, kept.witness, self._gone)

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a folder, by name; a volume has nothing under it.

        Raises:
            UnknownVolume, PathRefused, StoreUnavailable.
        """
        folder = self._guard.resolve(parent)
        inside = self._inside(parent)
        if inside is not None:
            return inside.format.list(inside.file, inside.inner)
        if self._formats(folder):
            return []
        # A link to where the name came through would make a walk of the tree endless.
        above = {self._guard.resolve(parent[:depth]) for depth in range(len(parent) + 1)}
        folders = [entry for entry in self._guard.folders(folder) if self._guard.checked(entry) not in above]
        entries = [ListEntry(entry.name, bool(self._formats(entry))) for entry in folders]
        for file in self._guard.files(folder):
            found = file_format(file)
            if found is not None:
                entries.append(ListEntry(file.name, found.is_volume(file, ())))
        return sorted(entries, key=lambda entry: entry.segment)

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
            if any(self._formats(self._guard.resolve(path[:depth])) for depth in range(len(path))):
                raise AlreadyExists("the name lies inside of another volume", "choose another name")
            if not {each.name for each in self._formats(folder)} <= {WRITTEN[name]}:
                raise AlreadyExists("a volume of another format has this name", "choose another name")
            write_documents(folder, self._guard, documents)
        return self.open(path, OpenOptions())

    def add_scales(self, path: tuple[str, ...], first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels; see `voxgate.model.remotes.TakesScales.add_scales`."""
        if not self._config.writable:
            refuse_write()
        folder = self._guard.resolve(path)
        with self._creating:
            if self._inside(path) is not None:
                raise no_place_for_levels("one file")
            found = self._format_of(folder, path).name
            where = LocalFolder(folder, self._guard)
            documents = added_documents(found, where, self._config.overrides(path), first, coarser)
            changed_documents(folder, self._guard, documents)

    def mesh_store(self, path: tuple[str, ...]) -> MeshStore:
        """The place for meshes at a path; see `voxgate.model.mesh_stores.TakesMeshes.mesh_store`."""
        if not self._config.writable:
            refuse_write()
        folder = self._guard.resolve(path)
        above = any(self._formats(self._guard.resolve(path[:depth])) for depth in range(len(path)))
        if above or self._inside(path) is not None:
            raise inside_of_a_volume()
        files = LocalProductFiles(folder, self._guard, self._tuning.fsync)
        is_volume = check_formats(each.name for each in self._formats(folder))
        return beside_volume(files) if is_volume else by_themselves(files)

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
            if any(self._formats(self._guard.resolve(path[:depth])) for depth in range(len(path))):
                raise StoreRefused("the folder is part of another volume", "delete that volume as a whole")
            if self._inside(path) is not None:
                raise StoreRefused("the volume lies in a file", "delete the file at its host")
            found = self._format_of(folder, path)
            own = frozenset(Path(os.path.normpath(file.parent)) for file in found.metadata_files(folder))
            refuse_other_volumes(folder, own, lambda inner: bool(self._formats(inner)))
            with self._life_of(folder).ending():
                aside = set_aside(folder)
            self._kept.drop(path)
            with self._lock:
                self._lives.pop(folder, None)
        remove(aside)

    def capability(self, kind: type[C]) -> C | None:
        """Deletable, TakesScales and TakesMeshes, which refuse where the remote's configuration does not allow it."""
        return cast("C", self) if kind in (Deletable, TakesScales, TakesMeshes) else None

    def resolve(self, uri: str) -> ResolvedUri | None:
        """If `uri` (canonical, see `voxgate_remotes.config`) lies under the root, as written or with links resolved."""
        roots = {self._config.uri, canonical_uri(str(self._guard.root), Path("/"))}
        found = filter(None, (path_under(root, uri) for root in roots))
        return max(found, key=lambda match: match.prefix_length, default=None)

    def _allowed(self, info: VolumeInfo) -> VolumeInfo:
        if self._config.writable:
            return info
        return replace(info, scales=tuple(replace(scale, writable=False) for scale in info.scales))

    def _gone(self) -> VoxgateError:
        """What is told of a volume whose metadata went away."""
        return gone() if self._guard.root.exists() else _no_root()

    def _life_of(self, folder: Path) -> Life:
        """The life of the volume in a folder, the same for every name that leads there."""
        with self._lock:
            return self._lives.setdefault(folder, Life())

    def _opened(self, path: tuple[str, ...]) -> _Kept:
        """The volume's opened store: the kept one, unless its metadata changed since."""
        folder = self._guard.resolve(path)
        kept = self._kept.get(path)
        if kept is None or kept.place != folder or not kept.is_current:
            kept = self._open(folder, path)
        self._kept.put(path, kept)
        return kept

    def _formats(self, folder: Path) -> tuple[FolderFormat, ...]:
        """The formats that claim a folder."""
        return folder_formats(LocalFolder(folder, self._guard))

    def _inside(self, path: tuple[str, ...]) -> _Inside | None:
        """The file that a name leads into, if it does."""
        for depth in range(len(path) + 1):  # 0: the root may be a file itself
            file = self._guard.resolve(path[:depth])
            if is_file(file):
                found = file_format(file)
                return None if found is None else _Inside(found, file, path[depth:])
        return None

    def _format_of(self, folder: Path, path: tuple[str, ...]) -> FolderFormat:
        """The one format that claims a folder.

        Raises:
            StoreUnavailable, UnknownVolume, UnsupportedFormat.
        """
        formats = self._formats(folder)
        if not formats:
            if is_file(self._guard.root):
                raise UnsupportedFormat("the file is in no format that holds volumes", "name an HDF5 or TIFF file")
            if not self._guard.root.is_dir():
                raise _no_root()
            raise UnknownVolume(f"there is no volume {'/'.join(path)!r} in this remote", "list the remote")
        if len(formats) > 1:
            names = " and ".join(each.name for each in formats)
            raise UnsupportedFormat(f"the folder is {names} at once", "remove the metadata of all but one format")
        return formats[0]

    def _open(self, place: Path, path: tuple[str, ...]) -> _Kept:
        life = self._life_of(place)
        overrides = self._config.overrides(path)
        inside = None if os.path.isdir(place) else self._inside(path)
        if inside is not None:
            before = stamp([inside.file])
            store = inside.format.open(inside.file, inside.inner, overrides)
            return _Kept(place, (inside.file,), before, store, inside.format.name, life)
        found = self._format_of(place, path)
        files = tuple(found.metadata_files(place))
        for file in files:
            self._guard.checked(file)
        before = stamp(files)
        store = found.open(LocalFolder(place, self._guard), self._tuning, overrides)
        return _Kept(place, files, before, store, found.name, life)


def _no_root() -> StoreUnavailable:
    return StoreUnavailable("the remote's folder is not there", "the operator checks its `uri` and mounts")


def _tuning(config: RemoteConfig) -> Tuning:
    known = {"fsync": bool, "cache_bytes": int}
    for key, value in config.options.items():
        if key not in known:
            raise ConfigInvalid(f"a file remote has no option {key!r}", nearest(key, known))
        if type(value) is not known[key] or (key == "cache_bytes" and value < 0):  # type: ignore[operator]
            raise ConfigInvalid(f"the option {key!r} cannot be {value!r}", f"give a {known[key].__name__}")
    return Tuning(bool(config.options.get("fsync", True)), int(config.options.get("cache_bytes", 0)))
