"""Deleting the folder of one volume, and nothing else, so that no moment leaves a volume that opens with holes.

The folder is first renamed to a hidden one beside it: at once there is no volume of that name, and a failure has lost
nothing. Then its metadata files go, then the rest. A crash in between leaves a hidden folder for the operator to
remove. Symbolic links are never followed: the link goes, what it points to stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from voxgate.model.errors import StoreRefused, StoreUnavailable
from voxgate_remotes.durable import sync_folder

PREFIX = ".deleting-"
"""What the name of a folder begins with that is being removed."""

_METADATA = ("info", "zarr.json", ".zattrs", ".zarray", ".zgroup", ".zmetadata")


def refuse_other_volumes(folder: Path, own: frozenset[Path], claims: Callable[[Path], bool]) -> None:
    """Look through a volume's folder for other volumes.

    Args:
        folder: the volume's.
        own: folders in it that are parts of the volume, such as the arrays of a multiscale group.
        claims: whether a folder is a volume.

    Raises:
        StoreRefused: when there is one.
        StoreUnavailable: when a folder cannot be read.
    """
    for inner, names in _folders(folder):
        if inner == folder or inner in own:
            continue
        if any(name in names for name in _METADATA) and claims(inner):
            raise StoreRefused(
                f"the volume's folder holds another volume, {inner.relative_to(folder).as_posix()!r}",
                "delete that one first",
            )


def set_aside(folder: Path) -> Path:
    """Rename a folder to a hidden one beside it; answers where it is now.

    Raises:
        StoreUnavailable: when that is not possible; nothing has changed then.
    """
    aside = folder.with_name(f"{PREFIX}{uuid.uuid4().hex}")
    try:
        os.rename(folder, aside)
    except OSError as error:
        raise StoreUnavailable(f"the volume cannot be deleted: {error.strerror}", "look at the store's host") from None
    with contextlib.suppress(OSError):  # where the file system can
        sync_folder(folder.parent)
    return aside


def remove(aside: Path) -> None:
    """Remove a folder that was set aside: metadata first, so that what a crash leaves opens nowhere.

    Raises:
        StoreUnavailable: when not all of it can be removed.
    """
    try:
        # A folder's own before those below it: a group's description before its arrays'.
        for folder, names in _folders(aside):
            present = [name for name in _METADATA if name in names]
            for name in present:
                (folder / name).unlink()
            if present:
                with contextlib.suppress(OSError):
                    sync_folder(folder)
        shutil.rmtree(aside)
    except OSError as error:
        raise StoreUnavailable(
            f"the volume is gone from its name, but not all of its files could be removed: {error.strerror}",
            f"the operator removes the hidden folder {aside.name} beside it",
        ) from None


def _folders(top: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Every folder in `top`, itself first, with the names of what is in it and no folder; links are not followed.

    Raises:
        StoreUnavailable: when one cannot be read.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except OSError as error:
            raise StoreUnavailable(f"the volume cannot be deleted: {error.strerror}", "look at its host") from None
        waiting.extend(folder / name for name, is_folder in kinds.items() if is_folder)
        yield folder, frozenset(name for name, is_folder in kinds.items() if not is_folder)
