"""What is left of a store's powers where its operator allows no writes: everything that only looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from voxgate.model.downsampling import Downsampling, DownsamplingState
from voxgate.model.errors import ReadOnly
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.versions import Versioned, VersionInfo


def refuse_write() -> NoReturn:
    """Say that a remote takes no writes.

    Raises:
        ReadOnly: always.
    """
    raise ReadOnly("this remote takes no writes", "the operator sets `writable = true` for it")


def refuse_deletion() -> NoReturn:
    """Say that a remote's volumes cannot be deleted.

    Raises:
        ReadOnly: always.
    """
    remedy = "the operator sets `writable = true` and `deletable = true` for it"
    raise ReadOnly("volumes of this remote cannot be deleted", remedy)


Refusal = Callable[[], NoReturn]
"""Raises why something may not be changed."""


class ReadOnlyKeyValues:
    """Metadata that can be looked at; satisfies KeyValues."""

    def __init__(self, inner: KeyValues, refuse: Refusal = refuse_write) -> None:
        self._refuse = refuse
        self.keys = inner.keys
        self.get = inner.get

    def set(self, key: str, value: bytes) -> None:
        """Refuse."""
        self._refuse()

    def delete(self, key: str) -> None:
        """Refuse."""
        self._refuse()


class ReadOnlyMetadata:
    """The metadata of a remote, to be looked at; satisfies HasKeyValues."""

    def __init__(self, inner: HasKeyValues) -> None:
        self._inner = inner

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        """The metadata at a name; see `voxgate.model.metadata.HasKeyValues.key_values`."""
        return ReadOnlyKeyValues(self._inner.key_values(path, version))


class ReadOnlyVersions:
    """The versions of a volume, to be looked at; satisfies Versioned."""

    def __init__(self, inner: Versioned, refuse: Refusal = refuse_write) -> None:
        self._refuse = refuse
        self.versions = inner.versions

    def commit(self, note: str) -> VersionInfo:
        """Refuse."""
        self._refuse()

    def new_version(self, note: str) -> VersionInfo:
        """Refuse."""
        self._refuse()

    def new_branch(self, branch: str, note: str) -> VersionInfo:
        """Refuse."""
        self._refuse()


class ReadOnlyDownsampling:
    """How far coarser levels are, to be looked at; satisfies Downsampling."""

    def __init__(self, inner: Downsampling, refuse: Refusal = refuse_write) -> None:
        self._refuse = refuse
        self.downsampling = inner.downsampling

    def start_downsampling(self) -> DownsamplingState:
        """Refuse."""
        self._refuse()


class NoReservation:
    """Hands out no ids; satisfies SegmentIdReservation."""

    def __init__(self, refuse: Refusal = refuse_write) -> None:
        self._refuse = refuse

    def reserve_segment_ids(self, count: int) -> int:
        """Refuse."""
        self._refuse()
