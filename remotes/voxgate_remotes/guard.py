"""The path guard: nothing outside a remote's root folder is opened, listed or created.

It stands in front of every adapter of files, because the libraries behind them do not look: `..`, absolute segments
and symbolic links would all be followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from voxgate.model.errors import PathRefused, StoreUnavailable, UnknownVolume
from voxgate_remotes.metadata import is_file

_FORBIDDEN = ("/", "\\", "\0")


class PathGuard:
    """Turns names below a root folder into paths that are certain to lie inside it. Immutable, thread-safe."""

    def __init__(self, root: Path) -> None:
        """Guard `root`, an absolute path; it may itself be a symbolic link and need not exist yet."""
        self._root = root

    @property
    def root(self) -> Path:
        """The root folder, links resolved now: a mount may have moved since the last call."""
        return Path(os.path.realpath(self._root))

    def resolve(self, segments: tuple[str, ...]) -> Path:
        """The real path of decoded name segments below the root; it need not exist.

        Raises:
            PathRefused: for segments that are empty, absolute, dots or contain separators or NUL, and for symbolic
                links that lead out of the root.
        """
        for segment in segments:
            if segment in ("", ".", "..") or any(character in segment for character in _FORBIDDEN):
                raise PathRefused("the path leads outside of its remote", "name volumes below the remote only")
        return self.checked(self.root.joinpath(*segments))

    def within(self, folder: Path, relative: str) -> Path:
        """The real path of what metadata found in `folder` refers to, such as a scale's key.

        Args:
            folder: a path that `resolve` answered.
            relative: segments separated by "/", taken from a file, so trusted no more than a caller.

        Raises:
            PathRefused: as `resolve` does.
        """
        inner = tuple(relative.strip("/").split("/")) if relative not in ("", ".") else ()
        if relative.startswith("/"):
            raise PathRefused("metadata refers to an absolute path", "move the data below the volume's folder")
        return self.resolve((*folder.relative_to(self.root).parts, *inner))

    def folders(self, folder: Path) -> Iterator[Path]:
        """The folders right in `folder` by name: hidden ones, links out of the root and links upwards left out.

        Raises:
            UnknownVolume: when `folder` is not a folder.
            StoreUnavailable: when it cannot be read.
        """
        for entry in _entries(folder):
            real = Path(os.path.realpath(entry))
            leads_upwards = folder.is_relative_to(real)  # would make a walk of the tree endless
            if real.is_relative_to(self.root) and not leads_upwards and _is_folder(real):
                yield entry

    def files(self, folder: Path) -> Iterator[Path]:
        """The regular files right in `folder` by name: hidden ones and links out of the root left out.

        Raises:
            UnknownVolume, StoreUnavailable: as `folders` does.
        """
        for entry in _entries(folder):
            real = Path(os.path.realpath(entry))
            if real.is_relative_to(self.root) and is_file(real):
                yield entry

    def checked(self, path: Path) -> Path:
        """The real path of a path, links resolved; it need not exist.

        Raises:
            PathRefused: when it does not lie inside the root.
        """
        # As text: every call of a server passes here, and Path objects cost more than the look at the disk.
        root = str(self.root)
        try:
            real = os.path.realpath(path)
        except ValueError:  # a NUL
            real = os.sep
        if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            raise PathRefused("the path leads outside of its remote", "name volumes below the remote only")
        return Path(real)


def _entries(folder: Path) -> Iterator[Path]:
    """What lies right in a folder by name, as far as a volume name can say it; hidden ones left out."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            raise UnknownVolume("there is no such group", "list the level above") from None
        raise StoreUnavailable(f"the store's folder cannot be read: {error.strerror}", "look at its host") from None
    for name in names:
        if not name.startswith(".") and "\\" not in name and _is_utf8(name):
            yield folder / name


def _is_utf8(name: str) -> bool:
    """Whether a file name can be said in a volume name at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
