"""HDF5 files and what is linked in them: opened for a moment, never led out of, with errors in our words.

Only the process that looks into files (see `examining`) calls what opens one here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxgate.model.errors import (
    ConfigInvalid,
    MetadataInvalid,
    PathRefused,
    StoreAccessDenied,
    StoreUnavailable,
    UnknownVolume,
    VoxgateError,
)
from voxgate_remotes.hdf5.access import busy

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUFFIXES = (".h5", ".hdf5", ".he5")
_SHARED_SUFFIXES = (".hdf",)  # HDF4 uses it, too
_LAST_SIGNATURE = 1 << 24
_SOFT_LINKS = 32
_OBJECT_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, NotImplementedError, UnicodeError)
"""What h5py raises for objects that cannot be read: the HDF5 library's major error decides which."""

_DAMAGED = "the HDF5 file is damaged: its first blocks cannot be read"
_DAMAGES = {
    "truncated file": "the HDF5 file is shorter than it says: truncated, or half copied",
    "signature not found": "the file has the name of an HDF5 file, and is none",
}
"""What the HDF5 library says of files that it cannot open, and what we do."""

Object = Any
"""An h5py.Group or h5py.Dataset; h5py ships no types."""


def claims(file: Path) -> bool:
    """Whether a file is HDF5 by its name, be it a broken one; an ending that others use needs the signature, too."""
    suffix = file.suffix.lower()
    return suffix in _SUFFIXES or (suffix in _SHARED_SUFFIXES and _has_signature(file))


def _has_signature(file: Path) -> bool:
    """Whether the signature stands where HDF5 looks for it: at 0, 512, 1024, 2048 … (before it is a user block)."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            place = 0
            while place < min(size, _LAST_SIGNATURE):
                stream.seek(place)
                if stream.read(len(SIGNATURE)) == SIGNATURE:
                    return True
                place = max(512, 2 * place)
    except (OSError, ValueError):
        pass
    return False


def library() -> Any:
    """The module h5py.

    Raises:
        ConfigInvalid: where it is not installed.
    """
    try:
        import h5py  # noqa: PLC0415  (0.2 s, and not everybody has HDF5 files)
    except ImportError:
        raise ConfigInvalid(
            "HDF5 files need h5py, which is not installed", "pip install voxgate-remotes[hdf5]"
        ) from None
    return h5py


@contextmanager
def opened(file: Path) -> Iterator[Object]:
    """The root group of a file, open for reading for as long as the context lasts.

    Raises:
        UnknownVolume, MetadataInvalid, StoreBusy, StoreAccessDenied, StoreUnavailable, ConfigInvalid.
    """
    h5py = library()
    try:
        handle = h5py.File(file, "r", locking="best-effort")
    except (OSError, RuntimeError, ValueError) as error:
        raise _open_error(error) from error
    with handle:
        yield handle


def _open_error(error: Exception) -> VoxgateError:
    """Why a file cannot be opened; h5py's message names its path, so it stays the cause, for the server's log."""
    text = str(error)
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return UnknownVolume("there is no such file", "list the level above")
    if isinstance(error, PermissionError):
        return StoreAccessDenied("the server may not read the HDF5 file", "its operator checks the file's permissions")
    if "lock file" in text or "already open" in text or isinstance(error, BlockingIOError):
        return busy()
    if isinstance(error, OSError) and error.errno:
        return StoreUnavailable(f"the HDF5 file cannot be read: {os.strerror(error.errno)}", "look at the store's host")
    return MetadataInvalid(
        next((says for words, says in _DAMAGES.items() if words in text), _DAMAGED), "restore it from its source"
    )


@contextmanager
def described(what: str) -> Iterator[None]:
    """Turn h5py's failures on what describes voxels into MetadataInvalid; `what` says what is being looked at."""
    try:
        yield
    except _OBJECT_ERRORS as error:
        raise MetadataInvalid(f"the HDF5 file is damaged ({what})", "restore it from its source") from error


def find(root: Object, path: tuple[str, ...]) -> Object:
    """The group or dataset at a path; soft links are followed inside of the file, links into other files never.

    Raises:
        UnknownVolume: when there is nothing.
        PathRefused: for a link into another file.
        MetadataInvalid: when the file is damaged there.
    """
    with described(f"looking for {'/'.join(path)!r}"):
        return _walk(root, path)


def _walk(root: Object, path: tuple[str, ...]) -> Object:
    h5l = library().h5l
    here, todo, followed = root, list(reversed(path)), 0
    while todo:
        name = todo.pop()
        if name in ("", "."):  # of a soft link: names that callers say have neither
            continue
        raw = name.encode()
        if not is_group(here) or not here.id.links.exists(raw):
            raise UnknownVolume(f"there is no {'/'.join(path)!r} in the HDF5 file", "list the level above")
        kind = here.id.links.get_info(raw).type
        if kind == h5l.TYPE_HARD:
            here = here[name]
        elif kind == h5l.TYPE_SOFT:
            followed += 1
            if followed > _SOFT_LINKS:
                raise MetadataInvalid(f"the links at {'/'.join(path)!r} lead in a circle", "remove one of them")
            target = here.id.links.get_val(raw).decode()
            here = root if target.startswith("/") else here
            todo.extend(reversed(target.split("/")))
        else:
            raise PathRefused(
                f"{'/'.join(path)!r} is a link into another file, which is not followed", "name that file's own volumes"
            )
    return here


def names_in(group: Object) -> list[str]:
    """The names in a group, sorted, but for those that no volume name can say.

    Raises:
        MetadataInvalid: when the file is damaged there.
    """
    with described("the names in a group"):
        found = list(group.id)
    names = []
    for raw in found:
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            continue
        if name not in (".", "..") and "\\" not in name:
            names.append(name)
    return sorted(names)


def is_group(node: Object) -> bool:
    """Whether it is a group."""
    return isinstance(node, library().Group)


def is_dataset(node: Object) -> bool:
    """Whether it is a dataset."""
    return isinstance(node, library().Dataset)
