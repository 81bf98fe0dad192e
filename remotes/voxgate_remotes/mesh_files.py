"""Meshes in folders of this machine: files that are there whole and durable, or as they were before."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from voxgate.model.errors import StoreUnavailable
from voxgate_remotes.durable import made_folders, sync_folder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.mesh_places import (
    FOLDERS,
    LEGACY,
    MARK,
    PARTIAL,
    chosen_folder,
    something_else,
    takes_meshes,
    volume_info,
)
from voxgate_remotes.metadata import is_file, read_json, umask, write_json

T = TypeVar("T")

_WRITING = ".writing-"
_ABANDONED_S = 24 * 3600.0
_REMEDY = "look at the store's host"


@dataclass(frozen=True, slots=True)
class LocalProductFiles:
    """The files of one product below a folder; satisfies ProductFiles.

    Attributes:
        folder: a path that `guard` answered; it need not exist.
        guard: of the remote.
        fsync: whether what is written is made durable.
    """

    folder: Path
    guard: PathGuard
    fsync: bool = True

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """The bytes of a file; see `ProductFiles.read`."""

        def look(path: Path) -> bytes:
            with path.open("rb", buffering=0) as file:
                wanted = os.fstat(file.fileno()).st_size - start if stop is None else stop - start
                return _exactly(file.fileno(), max(0, wanted), start)

        data = self._looked(name, look)
        if data is not None and stop is not None and len(data) != max(0, stop - start):
            raise StoreUnavailable(f"`{_last(name)}` is shorter than it should be", _REMEDY)
        return data

    def size(self, name: str) -> int | None:
        """The bytes that a file has; see `ProductFiles.size`."""
        return self._looked(name, lambda path: path.stat().st_size)

    def write(self, name: str, parts: Iterable[bytes]) -> int:
        """Write a file; see `ProductFiles.write`. It is written under another name first."""
        path = self.guard.within(self.folder, name)
        with _told(name, "written"):
            self._make(path.parent)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
            try:
                with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
                    size = sum(file.write(part) for part in parts)
                    file.flush()
                    os.fchmod(file.fileno(), 0o666 & ~umask())
                    if self.fsync:
                        os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            self._sync(path.parent)
        return size

    def remove(self, name: str) -> None:
        """Remove a file or a folder; see `ProductFiles.remove`. Of links the link alone."""
        path = self.guard.within(self.folder, name.rpartition("/")[0]) / name.rpartition("/")[2]
        with _told(name, "removed"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def names(self, folder: str) -> Iterator[str]:
        """The files right in a folder; see `ProductFiles.names`."""
        path = self.guard.within(self.folder, folder)
        with _told(folder or "the folder of the meshes", "read"):
            try:
                with os.scandir(path) as entries:
                    yield from (entry.name for entry in entries if not _is_hidden_or_folder(entry))
            except (FileNotFoundError, NotADirectoryError):
                return

    def folders(self, folder: str) -> list[str]:
        """The folders right in a folder; none where it is none."""
        path = self.guard.within(self.folder, folder)
        with _told(folder or "the folder of the meshes", "read"):
            try:
                with os.scandir(path) as entries:
                    return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def sweep(self, folder: str) -> None:
        """Remove what writers that were killed a day ago or longer left in a folder."""
        path = self.guard.within(self.folder, folder)
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(_WRITING) and time.time() - entry.stat().st_mtime > _ABANDONED_S:
                    os.unlink(entry.path)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it; their names outlive a loss of power."""
        for grown in made_folders(folder):
            self._sync(grown)

    def _sync(self, folder: Path) -> None:
        if self.fsync:
            with contextlib.suppress(OSError):  # where the file system can
                sync_folder(folder)

    def _looked(self, name: str, look: Callable[[Path], T]) -> T | None:
        path = self.guard.within(self.folder, name)
        with _told(name, "read"):
            try:
                return look(path)
            except (FileNotFoundError, NotADirectoryError):
                return None


@dataclass(frozen=True, slots=True)
class LocalMeshStore:
    """A place of this machine that takes meshes; satisfies MeshStore.

    Attributes:
        files: everything there.
        folder: of the meshes; empty for meshes by themselves.
    """

    files: LocalProductFiles
    folder: str

    def announced(self) -> Mapping[str, Any] | None:
        """The `info` of the meshes that are there; see `MeshStore.announced`."""
        where = self.files.folder
        if not self.folder:
            info = read_json(where / "info") if is_file(where / "info") else None
            return info if takes_meshes(info) else None
        named = read_json(where / "info").get("mesh")
        if named is None or named == "":
            return None
        own = self.files.guard.within(where, str(named)) / "info"
        return read_json(own) if is_file(own) else LEGACY

    def announce(self, info: Mapping[str, Any], *, properties: bool) -> None:
        """Let everybody find the meshes; see `MeshStore.announce`. Those that they replace go afterwards."""
        own = self.files.guard.within(self.files.folder, self.folder)
        own.mkdir(parents=True, exist_ok=True)
        write_json(own / "info", dict(info))
        if self.folder:
            volume = self.files.folder / "info"
            before = read_json(volume)
            after = volume_info(before, self.folder, properties=properties)
            if after != before:
                write_json(volume, after)
            for other in FOLDERS:
                if other != self.folder and (before.get("mesh") == other or self._is_replaced(other)):
                    self.files.remove(other)
        for name in self.files.folders(self.folder):
            if name.startswith(PARTIAL):
                self.files.remove(f"{self.folder}/{name}".lstrip("/"))
        self.files.sweep(self.folder)

    def _is_replaced(self, folder: str) -> bool:
        """Whether a folder that no volume names holds meshes of ours: who removed them was interrupted."""
        info = self.files.folder / folder / "info"
        return is_file(info) and MARK in read_json(info)


def beside_volume(files: LocalProductFiles) -> LocalMeshStore:
    """The place in the folder of a precomputed volume."""
    named = read_json(files.folder / "info").get("mesh")
    busy = [each for each in FOLDERS if any(name.startswith(PARTIAL) for name in files.folders(each))]
    return LocalMeshStore(files, chosen_folder(named, busy))


def by_themselves(files: LocalProductFiles) -> LocalMeshStore:
    """The place in a folder that is no volume.

    Raises:
        UnsupportedFormat: when something else is in it.
    """
    info = files.folder / "info"
    if not (is_file(info) and takes_meshes(read_json(info))):
        begun = any(name.startswith(PARTIAL) for name in files.folders(""))
        if files.folder.exists() and not begun and (not files.folder.is_dir() or any(files.folder.iterdir())):
            raise something_else()
    return LocalMeshStore(files, "")


def _exactly(descriptor: int, count: int, start: int) -> bytes:
    """So many bytes of a file, fewer only at its end: one call of the system answers 2 GiB at most."""
    found = os.pread(descriptor, count, start)
    if len(found) in (count, 0):
        return found
    parts, size = [found], len(found)
    while size < count and parts[-1]:
        parts.append(os.pread(descriptor, count - size, start + size))
        size += len(parts[-1])
    return b"".join(parts)


def _is_hidden_or_folder(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") or entry.is_dir(follow_symlinks=False)


@contextlib.contextmanager
def _told(name: str, done: str) -> Iterator[None]:
    """A block whose trouble with files is told without their folders."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"`{_last(name)}` cannot be {done}: {error.strerror}", _REMEDY) from None


def _last(name: str) -> str:
    return name.rpartition("/")[2]
