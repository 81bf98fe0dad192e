"""The format of HDF5 files: which files, what is listed in them, and how a volume is described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxgate.model.errors import UnknownVolume, UnsupportedFormat, VoxgateError
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.remotes import ListEntry
from voxgate.model.volumes import Channel, Scale, VolumeInfo, VolumeKind
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import bdv, files
from voxgate_remotes.hdf5.conventions import conventions_of
from voxgate_remotes.hdf5.datasets import Layer, may_be_volume, stored_of
from voxgate_remotes.hdf5.volume import OpenedHdf5, little_endian


class Hdf5Format:
    """HDF5 files whose datasets of 3 to 5 dimensions are volumes. Keeps nothing open."""

    name = "HDF5"

    def claims(self, file: Path) -> bool:
        """Whether a file is HDF5 by its name, be it a broken one."""
        return files.claims(file)

    def is_volume(self, file: Path, inner: tuple[str, ...]) -> bool:
        """Whether there is a volume at a path inside of the file; the file itself is a group."""
        if not inner:
            return False
        try:
            with files.opened(file) as root:
                return _is_volume(root, inner)
        except VoxgateError:
            return False

    def list(self, file: Path, inner: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a path inside of the file, by name.

        Left out are datasets that are no volumes, links into other files, broken links, and links to a group that
        they lie in, which would make a walk endless.

        Raises:
            UnknownVolume, MetadataInvalid, StoreBusy, StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        with files.opened(file) as root:
            group = files.find(root, inner)
            if _is_volume(root, inner):
                return []
            if not files.is_group(group):
                raise UnknownVolume(f"{'/'.join(inner)!r} in the HDF5 file is no volume", "list the level above")
            above = [files.find(root, inner[:depth]) for depth in range(len(inner) + 1)]
            entries = [_entry(root, (*inner, name), above) for name in files.names_in(group)]
            return [entry for entry in entries if entry is not None]

    def open(self, file: Path, inner: tuple[str, ...], overrides: VolumeOverrides) -> OpenedHdf5:
        """Describe a volume in the file.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreBusy,
            StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        with files.opened(file) as root:
            node = files.find(root, inner)
            if bdv.is_setup(root, inner):
                return _opened_setup(file, bdv.setup_of(root, inner[0], overrides))
            if not files.is_dataset(node):
                raise UnknownVolume(
                    f"{'/'.join(inner) or 'the HDF5 file'} is a group, not a volume", "name a dataset in it: list it"
                )
            if bdv.is_part(root, inner):
                raise UnsupportedFormat(
                    f"the dataset is one level and time of a BigDataViewer setup, which is the volume {inner[1]!r}",
                    "open that one",
                )
            return _opened_dataset(file, inner, node, overrides)


def _is_volume(root: files.Object, inner: tuple[str, ...]) -> bool:
    if bdv.is_setup(root, inner):
        return True
    node = files.find(root, inner)
    return files.is_dataset(node) and may_be_volume(node) and not bdv.is_part(root, inner)


def _entry(root: files.Object, path: tuple[str, ...], above: list[files.Object]) -> ListEntry | None:
    """How a name is listed; None where it is left out."""
    try:
        node = files.find(root, path)
        if _is_volume(root, path):
            return ListEntry(path[-1], is_volume=True)
        is_open_group = files.is_group(node) and not bdv.is_part(root, path) and node not in above
    except VoxgateError:  # a link that leads nowhere or out, or a damaged object: opening it says which
        return None
    return ListEntry(path[-1], is_volume=False) if is_open_group else None


def _opened_dataset(file: Path, path: tuple[str, ...], dataset: files.Object, overrides: VolumeOverrides) -> OpenedHdf5:
    stored = stored_of(dataset)
    found = conventions_of(dataset, path, overrides)
    layer = Layer({0: path}, found.axes, stored, found.start)
    info = VolumeInfo(
        name="",
        dtype=little_endian(layer),
        kind=found.kind,
        scales=(_scale("0", layer, found.voxel_size_nm),),
        axes="".join(axis for axis in "tczyx" if axis in found.axes or axis == "z"),
        channels=(Channel(),) * layer.extent("c") if "c" in found.axes else (),
        time_count=layer.extent("t"),
        fill_value=_fill_value(layer, little_endian(layer)),
        inferred=found.inferred,
    )
    return OpenedHdf5(info, file, (layer,))


def _opened_setup(file: Path, setup: bdv.Setup) -> OpenedHdf5:
    scales = [
        _scale(str(level), layer, size)
        for level, (layer, size) in enumerate(zip(setup.layers, setup.sizes, strict=True))
    ]
    info = VolumeInfo(
        name="",
        dtype=setup.dtype,
        kind=VolumeKind.UNKNOWN,
        scales=tuple(scales),
        axes="tzyx",
        time_count=setup.time_count,
        fill_value=_fill_value(setup.layers[0], setup.dtype),
        inferred=setup.inferred,
    )
    return OpenedHdf5(info, file, setup.layers)


def _scale(key: str, layer: Layer, size: VoxelSize | None) -> Scale:
    return Scale(
        key=key,
        bounds=Box.at(layer.start, layer.shape),
        stored_chunk_shape=layer.chunk,
        write_granule_shape=layer.chunk,
        grid_origin=layer.start,
        voxel_size_nm=size,
    )


def _fill_value(layer: Layer, dtype: np.dtype[Any]) -> int | float:
    stored = np.frombuffer(layer.stored.fill, layer.stored.dtype)
    number: int | float = stored.astype(stored.dtype.newbyteorder("<")).view(dtype)[0].item()
    return number
