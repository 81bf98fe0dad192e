"""Folders of a store, wherever it is: the small files that describe volumes, and where tensorstore finds the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from voxgate.model.errors import MetadataInvalid, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.metadata import is_file, read_json


class Folder(Protocol):
    """One folder of a store."""

    @property
    def path(self) -> Path | None:
        """The real local path; None elsewhere."""
        ...

    def json(self, name: str) -> dict[str, Any] | None:
        """A JSON object by its name in the folder, "zarr.json" or "s0/attributes.json"; None where it is absent.

        Raises:
            MetadataInvalid: when it is truncated or no JSON object.
            StoreUnavailable: when it cannot be read.
        """
        ...

    def read(self, name: str, limit: int) -> bytes | None:
        """A small file whole; None where it is absent.

        Raises:
            MetadataInvalid: when it has more than `limit` bytes.
            StoreUnavailable: when it cannot be read.
        """
        ...

    def within(self, relative: str) -> Folder:
        """A folder that metadata found here refers to.

        Raises:
            PathRefused: when it leads out of the remote.
        """
        ...

    def kvstore(self) -> dict[str, Any]:
        """Tensorstore's kvstore spec of the folder."""
        ...

    def patience(self, context: CallContext, doing: str) -> CallContext:
        """A caller's patience while one request to the kvstore is waited for, which ends with the store's own limit.

        Args:
            context: the caller's.
            doing: for the message: "reading a mesh".
        """
        ...


class LocalFolder:
    """A folder of this machine, inside of a guarded root; satisfies Folder."""

    def __init__(self, path: Path, guard: PathGuard) -> None:
        """Take a path that `guard` answered."""
        self.path: Path = path
        self._guard = guard

    def json(self, name: str) -> dict[str, Any] | None:
        """A JSON object; see `Folder.json`."""
        path = self.path / name
        return read_json(path) if is_file(path) else None

    def read(self, name: str, limit: int) -> bytes | None:
        """A small file; see `Folder.read`."""
        if not is_file(self.path / name):  # a pipe would be waited for
            return None
        try:
            with (self.path / name).open("rb") as file:
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its name cannot be that of a file"
            raise StoreUnavailable(f"`{name}` cannot be read: {why}", "look at the store's host") from None
        return checked_size(name, data, limit)

    def within(self, relative: str) -> LocalFolder:
        """A folder that metadata refers to; see `Folder.within`."""
        return LocalFolder(self._guard.within(self.path, relative), self._guard)

    def kvstore(self) -> dict[str, Any]:
        """Tensorstore's spec of the folder."""
        return {"driver": "file", "path": f"{self.path}/"}

    def patience(self, context: CallContext, doing: str) -> CallContext:  # noqa: ARG002
        """The caller's alone: a disk answers, or the system says what is wrong with it."""
        return context


def checked_size(name: str, data: bytes, limit: int) -> bytes:
    """The bytes of a file of metadata, if they are not too many.

    Raises:
        MetadataInvalid.
    """
    if len(data) > limit:
        raise too_large(name)
    return data


def too_large(name: str) -> MetadataInvalid:
    """What is said of a file of metadata that is not read because of its size."""
    return MetadataInvalid(f"`{name}` is larger than any metadata", "restore it from the volume's source")


def required_json(folder: Folder, name: str) -> dict[str, Any]:
    """A JSON object that a volume cannot be without.

    Raises:
        MetadataInvalid: when it is absent, too; and what `Folder.json` raises.
    """
    content = folder.json(name)
    if content is None:
        raise MetadataInvalid(f"the volume has no `{name}`", "restore it from the volume's source")
    return content
