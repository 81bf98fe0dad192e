"""The formats of volumes in files: what claims a folder or a file, and who opens it. A new format is one line here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from voxgate.model.remotes import ListEntry
from voxgate_remotes import precomputed, zarr
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.folders import Folder, LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.hdf5.format import Hdf5Format
from voxgate_remotes.images.stack import ImageStackFormat
from voxgate_remotes.images.tiff import TiffFormat
from voxgate_remotes.n5 import N5Format
from voxgate_remotes.tensorstores import OpenedStore, Tuning


class FolderFormat(Protocol):
    """A volume that is a folder."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def claims(self, folder: Folder) -> bool:
        """Whether a folder is such a volume, be it a broken one. Cheap.

        Raises:
            StoreUnavailable: when the folder cannot be looked at.
        """
        ...

    def metadata_files(self, folder: Path) -> list[Path]:
        """The files of this machine whose change makes an opened volume stale."""
        ...

    def open(self, folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedStore:
        """Open and describe the volume in a folder.

        Raises:
            MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreUnavailable.
        """
        ...


class FileFormat(Protocol):
    """One file that is a volume, or holds volumes."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def claims(self, file: Path) -> bool:
        """Whether a file is of this format, be it a broken one. Cheap."""
        ...

    def is_volume(self, file: Path, inner: tuple[str, ...]) -> bool:
        """Whether there is a volume at a path inside of the file; () is the file itself."""
        ...

    def list(self, file: Path, inner: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a path inside of the file, by name.

        Raises:
            UnknownVolume: when there is no such thing.
            MetadataInvalid, StoreUnavailable.
        """
        ...

    def open(self, file: Path, inner: tuple[str, ...], overrides: VolumeOverrides) -> OpenedStore:
        """Open and describe a volume in the file.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreUnavailable.
        """
        ...


class _Precomputed:
    name = "precomputed"

    def claims(self, folder: Folder) -> bool:
        return precomputed.claims(folder)

    def metadata_files(self, folder: Path) -> list[Path]:
        return precomputed.metadata_files(folder)

    def open(self, folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedStore:  # noqa: ARG002  (it says everything)
        return precomputed.open_store(folder, tuning)


class _Zarr:
    def metadata_files(self, folder: Path) -> list[Path]:
        return zarr.metadata_files(LocalFolder(folder, PathGuard(folder)))

    def open(self, folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedStore:
        return zarr.open_store(folder, tuning, overrides)


class _Zarr3(_Zarr):
    name = "zarr v3"

    def claims(self, folder: Folder) -> bool:
        return zarr.claims_v3(folder)


class _Zarr2(_Zarr):
    name = "zarr v2"

    def claims(self, folder: Folder) -> bool:
        return zarr.claims_v2(folder)


FOLDER_FORMATS: tuple[FolderFormat, ...] = (_Precomputed(), _Zarr3(), _Zarr2(), N5Format(), ImageStackFormat())
FILE_FORMATS: tuple[FileFormat, ...] = (Hdf5Format(), TiffFormat())
WRITTEN = {"precomputed": "precomputed", "zarr3": "zarr v3", "zarr2": "zarr v2"}
"""The formats that volumes can be created in, as specs name them -> their names here."""


def folder_formats(folder: Folder) -> tuple[FolderFormat, ...]:
    """The formats that claim a folder: none for a group, several for a contradiction.

    Raises:
        StoreUnavailable.
    """
    return tuple(each for each in FOLDER_FORMATS if each.claims(folder))


def file_format(file: Path) -> FileFormat | None:
    """The format of a file; None for what holds no volumes."""
    return next((each for each in FILE_FORMATS if each.claims(file)), None)
