"""The format of HDF5 files: which files, what is listed in them, and how a volume is described."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.remotes import ListEntry
from voxgate.model.volumes import Channel, Scale, VolumeInfo
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import files
from voxgate_remotes.hdf5.asking import Examiner
from voxgate_remotes.hdf5.datasets import Layer
from voxgate_remotes.hdf5.documents import Description
from voxgate_remotes.hdf5.volume import OpenedHdf5


class Hdf5Format:
    """HDF5 files whose datasets of 3 to 5 dimensions are volumes. Keeps no file open."""

    name = "HDF5"

    def __init__(self, examiner: Examiner | None = None) -> None:
        """Take who looks into files; its processes are started when the first file is looked at."""
        self._examiner = examiner or Examiner()

    def claims(self, file: Path) -> bool:
        """Whether a file is HDF5 by its name, be it a broken one."""
        return files.claims(file)

    def is_volume(self, file: Path, inner: tuple[str, ...]) -> bool:
        """Whether there is a volume at a path inside of the file; the file itself is a group."""
        if not inner:
            return False
        try:
            return self._examiner.is_volume(file, inner)
        except VoxgateError:
            return False

    def list(self, file: Path, inner: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under a path inside of the file, by name.

        Left out are datasets that are no volumes, links into other files, broken links, and links to a group that
        they lie in, which would make a walk endless.

        Raises:
            UnknownVolume, MetadataInvalid, StoreBusy, StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        return self._examiner.list(file, inner)

    def open(self, file: Path, inner: tuple[str, ...], overrides: VolumeOverrides) -> OpenedHdf5:
        """Describe a volume in the file.

        Raises:
            UnknownVolume, MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreBusy,
            StoreAccessDenied, StoreUnavailable, ConfigInvalid.
        """
        said = self._examiner.describe(file, inner, overrides)
        return OpenedHdf5(_info(said), file, said.layers, self._examiner)


def _info(said: Description) -> VolumeInfo:
    finest = said.layers[0]
    scales = [
        _scale(str(level), layer, size) for level, (layer, size) in enumerate(zip(said.layers, said.sizes, strict=True))
    ]
    return VolumeInfo(
        name="",
        dtype=said.dtype,
        kind=said.kind,
        scales=tuple(scales),
        axes=said.axes,
        channels=(Channel(),) * finest.extent("c") if "c" in finest.axes else (),
        time_count=said.time_count,
        fill_value=_fill_value(finest, said.dtype),
        inferred=said.inferred,
    )


def _scale(key: str, layer: Layer, size: VoxelSize | None) -> Scale:
    return Scale(
        key=key,
        bounds=Box.at(layer.start, layer.shape),
        stored_chunk_shape=layer.chunk,
        write_granule_shape=layer.chunk,
        grid_origin=layer.start,
        voxel_size_nm=size,
    )


def _fill_value(layer: Layer, dtype: np.dtype[np.generic]) -> int | float:
    stored = np.frombuffer(layer.stored.fill, layer.stored.dtype)
    number: int | float = stored.astype(stored.dtype.newbyteorder("<")).view(dtype)[0].item()
    return number
