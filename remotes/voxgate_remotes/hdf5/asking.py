"""Asks the process that looks into HDF5 files, see `examining`, and says in our words what it died of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxgate.model.errors import MetadataInvalid, StoreUnavailable
from voxgate.model.remotes import ListEntry
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5.access import Identity, identity_of
from voxgate_remotes.hdf5.datasets import Stored
from voxgate_remotes.hdf5.documents import Description, description_of, stored_from
from voxgate_remotes.hdf5.index import ChunkIndex
from voxgate_remotes.probing import Answer, ProbeFailed, Prober

_MODULE = "voxgate_remotes.hdf5.examining"
_SECONDS = {"is_volume": 10.0, "describe": 10.0, "list": 30.0, "index": 120.0}
"""How long a look may take, on a disk that is far away."""
_SETTLED_NS = 2 * 10**9
"""A file that was written to less long ago may be written to again without its time of modification changing."""


class Examiner:
    """What is in HDF5 files. Nothing is opened with the HDF5 library in this process. Thread-safe."""

    def __init__(self, prober: Prober | None = None, seconds: Mapping[str, float] = _SECONDS) -> None:
        """Take who looks into files and how many seconds each kind of look may take."""
        self._prober = prober or Prober(_MODULE)
        self._seconds = seconds

    def is_volume(self, file: Path, inner: tuple[str, ...]) -> bool:
        """Whether there is a volume at a path inside of a file; errors as of `list`."""
        return bool(self._ask("is_volume", file, inner).said["is_volume"])

    def list(self, file: Path, inner: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a path inside of a file, by name.

        Raises:
            UnknownVolume, MetadataInvalid, StoreBusy, StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        return [
            ListEntry(name, is_volume=is_volume) for name, is_volume in self._ask("list", file, inner).said["entries"]
        ]

    def describe(self, file: Path, inner: tuple[str, ...], overrides: VolumeOverrides) -> Description:
        """A volume in a file.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreBusy,
            StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        return description_of(self._ask("describe", file, inner, overrides=overrides.model_dump(mode="json")).said)

    def index(
        self, file: Path, path: tuple[str, ...], identity: Identity, check: Callable[[], None]
    ) -> tuple[Stored | None, ChunkIndex | None]:
        """How the dataset at a path is stored, and where; None where there is none.

        Args:
            file: what is looked at.
            path: inside of it.
            identity: the state of the file that is meant.
            check: called while this waits; what it raises ends the wait.

        Raises:
            StoreUnavailable: when the file is in another state by now.
            UnknownVolume, MetadataInvalid, UnsupportedFormat, PathRefused, StoreBusy, StoreAccessDenied, ConfigInvalid.
        """
        answer = self._ask("index", file, path, check=check)
        said = answer.said
        if not tuple(said["before"] or ()) == tuple(said["after"] or ()) == identity:
            raise changed()
        if said["stored"] is None:
            return None, None
        stored = stored_from(said["stored"])
        return stored, ChunkIndex(stored, said, answer.data)

    def _ask(
        self,
        ask: str,
        file: Path,
        inner: tuple[str, ...],
        *,
        overrides: Mapping[str, Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Answer:
        request = {"ask": ask, "file": os.path.abspath(file), "inner": list(inner), "overrides": overrides}
        try:
            return self._prober.ask(request, _settled(file), seconds=self._seconds[ask], check=check)
        except ProbeFailed as failure:
            where = f"looking at {'/'.join(inner)!r}" if inner else "looking at its first group"
            raise MetadataInvalid(
                f"the HDF5 file is damaged in a way that the HDF5 library cannot take: it {failure} {where}",
                "restore the file from its source",
            ) from None


def changed() -> StoreUnavailable:
    """The file is not what it was when the read began."""
    return StoreUnavailable("the HDF5 file changed while it was read", "read again, once it is complete")


def _settled(file: Path) -> Identity | None:
    """The state that a file is in; None where it may change without that showing."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return identity_of(status) if time.time_ns() - status.st_mtime_ns > _SETTLED_NS else None
