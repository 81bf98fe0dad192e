"""Remotes: configured stores, and what a store can do beside opening volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import C, CallContext, OpenOptions, Volume, VolumeSpec


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of a listing: a decoded name segment, and what it is; neither of both is a group.

    Attributes:
        segment: the last part of its name.
        is_volume: it can be opened.
        is_key_values: it holds metadata and nothing else; see `voxgate.model.metadata`.
    """

    segment: str
    is_volume: bool
    is_key_values: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedUri:
    """What a store's own URI means within one remote.

    Attributes:
        prefix_length: how many characters of the URI the remote accounts for; the longest wins.
        path: decoded name segments below the remote.
        version: what the URI says of it; empty for nothing.
        is_exact: whether the URI says which store it is of; of several remotes that only might hold it, none wins.
    """

    prefix_length: int
    path: tuple[str, ...]
    version: str = ""
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class VolumeEntry:
    """One entry of a listing across remotes; neither of both kinds is a group.

    Attributes:
        name: its full name, "remote/path".
        is_volume: it can be opened.
        is_key_values: it holds metadata and nothing else; see `voxgate.model.metadata`.
    """

    name: str
    is_volume: bool
    is_key_values: bool = False


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """A configured store. Where it is stays its operator's business.

    Attributes:
        name: the first part of its volumes' names.
        store: the scheme of its adapter, such as "file" or "dvid"; empty where nobody says.
        writable: whether its volumes can be written and new ones created.
        deletable: whether its volumes can be deleted.
    """

    name: str
    store: str = ""
    writable: bool = False
    deletable: bool = False


class Remote(Protocol):
    """A configured store."""

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a volume by the decoded segments of its name.

        Raises:
            UnknownVolume, UnknownVersion, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused,
            StoreUnavailable.
        """
        ...

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`, sorted by name.

        Raises:
            UnknownVolume: when `parent` does not exist.
        """
        ...

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume. With an equal spec, an existing one is answered.

        Raises:
            ReadOnly, AlreadyExists, UnsupportedFormat, PathRefused.
        """
        ...

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote. Whether anything is there is not looked at."""
        ...

    def capability(self, kind: type[C]) -> C | None:
        """The optional power `kind` of the store itself (Deletable, HasKeyValues …), or None."""
        ...


class CallerBound(Protocol):
    """A remote that passes calls on to another server, which has to know on whose behalf.

    `Remote.open` is told by its options; everything else that a remote does for a caller is asked of `for_caller`.
    """

    def for_caller(self, context: CallContext) -> Remote:
        """The same remote with this caller's deadline, stop event and path through servers. Connects to nothing."""
        ...


class Deletable(Protocol):
    """A remote whose volumes can be deleted."""

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a volume for good, voxels and metadata; one that is deleted already is UnknownVolume.

        Raises:
            UnknownVolume, PathRefused, ReadOnly.
            FailedPrecondition: when the store keeps it, e.g. because something else was made from it.
        """
        ...


@dataclass(frozen=True, slots=True)
class CoarserScale:
    """A level to be added to a volume.

    Attributes:
        factor: how many voxels of the level before become one on each axis: its voxels are that much larger. Voxel i
            covers the voxels [i * factor, (i + 1) * factor) of the level before, global coordinates of both.
        bounds: its voxels.
    """

    factor: Vec3
    bounds: Box


class TakesScales(Protocol):
    """A remote whose volumes take coarser levels after they were created."""

    def add_scales(self, path: tuple[str, ...], first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels after the coarsest one there is.

        They are stored as that one is, but without loss, and not in shards that cannot be written.

        Args:
            path: of the volume.
            first: how many levels the volume has, as the caller knows it.
            coarser: the new levels, finest first.

        Raises:
            UnknownVolume, ReadOnly, PathRefused, StoreUnavailable.
            FailedPrecondition: when the volume has another number of levels, or something is in the way of a new one.
            MissingCapability: for a volume that has no place for levels.
            UnsupportedFormat: for levels that its format cannot describe.
        """
        ...
