"""What an HDF5 dataset has to be to be a volume, and how its voxels lie in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import MetadataInvalid, PathRefused, UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate_remotes.hdf5.files import Object, described, is_dataset, library
from voxgate_remotes.hdf5.filters import Filter, pipeline_of
from voxgate_remotes.tensorstores import checked_dtype

_LARGEST_CHUNK = 1 << 30
_BLOCK = 64
"""Contiguous voxels have no stored chunks; requests are planned as if they had some of this many voxels a side."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a dataset is stored. Equal for datasets that are read in the same way.

    Attributes:
        shape: extents in the dataset's own order.
        dtype: as stored, so of either byte order.
        chunks: extents of a chunk in the dataset's own order; None where the voxels lie in one piece.
        pipeline: what encodes its chunks.
        fill: one voxel of absent chunks, as bytes of `dtype`.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None
    pipeline: tuple[Filter, ...]
    fill: bytes

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk."""
        return math.prod(self.chunks or ()) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Layer:
    """The voxels of one scale: a dataset, or one for each time point.

    Attributes:
        paths: where the datasets are: one at 0 where they have an axis t themselves or there is no time, else by time.
        axes: the datasets' axes in their own order, letters of t c z y x.
        stored: how each of them is stored.
        start: global coordinates of their first voxel.
    """

    paths: Mapping[int, tuple[str, ...]]
    axes: str
    stored: Stored
    start: Vec3

    @property
    def shape(self) -> Vec3:
        """The extent in voxels."""
        return self._spatial(self.stored.shape)

    @property
    def chunk(self) -> Vec3:
        """The stored chunk, cut to the extent."""
        chunks = self.stored.chunks or tuple(_BLOCK for _ in self.stored.shape)
        return Vec3.minimum(self._spatial(chunks), self.shape)

    def extent(self, axis: str) -> int:
        """The extent along one axis; 1 where the datasets do not have it."""
        return self.stored.shape[self.axes.index(axis)] if axis in self.axes else 1

    def _spatial(self, numbers: tuple[int, ...]) -> Vec3:
        return Vec3(*(numbers[self.axes.index(a)] if a in self.axes else 1 for a in "xyz"))


def may_be_volume(dataset: Object) -> bool:
    """Whether a dataset has the shape and type of a volume; a broken or strange one is none."""
    try:
        _checked_shape(dataset)
        _checked_dtype(dataset)
    except (UnsupportedFormat, MetadataInvalid):
        return False
    return True


def stored_of(dataset: Object) -> Stored:
    """How the voxels of a dataset are stored.

    Raises:
        UnsupportedFormat: for what is no volume, or is stored in a way that is not read here; says why.
        PathRefused: for voxels in other files.
        MetadataInvalid: when the file is damaged there.
    """
    if not is_dataset(dataset):
        raise MetadataInvalid("there is no dataset where voxels should be", "restore the file from its source")
    shape, dtype = _checked_shape(dataset), _checked_dtype(dataset)
    with described("how a dataset is stored"):
        creation = dataset.id.get_create_plist()
        _refuse_elsewhere(creation)
        chunks = dataset.chunks
        pipeline = pipeline_of(creation) if chunks is not None else ()
        fill = np.asarray(_fill_value(dataset, creation), dtype).tobytes()
    stored = Stored(shape, dtype, None if chunks is None else tuple(chunks), pipeline, fill)
    if stored.chunk_bytes > _LARGEST_CHUNK:
        raise UnsupportedFormat(
            f"one chunk has {stored.chunk_bytes} bytes, more than is decoded at a time", "repack it in smaller chunks"
        )
    _check_complete(dataset, stored)
    return stored


def little_endian(layer: Layer) -> np.dtype[np.generic]:
    """The dtype that a layer's voxels are served in, where nothing else is said."""
    return layer.stored.dtype.newbyteorder("<")


def is_allocated(dataset: Object) -> bool:
    """Whether a dataset in one piece has any place in the file; without one, every voxel is the fill value."""
    with described("where a dataset is stored"):
        return bool(dataset.id.get_storage_size() > 0)


def _checked_shape(dataset: Object) -> tuple[int, ...]:
    with described("the extent of a dataset"):
        shape = dataset.shape
    if shape is None or not 3 <= len(shape) <= 5:
        count = 0 if shape is None else len(shape)
        raise UnsupportedFormat(f"a dataset of {count} dimensions is no volume", "volumes have 3 to 5")
    if min(shape) < 1:
        raise UnsupportedFormat(f"the dataset is empty: its shape is {tuple(shape)}", "name one that has voxels")
    return tuple(int(extent) for extent in shape)


def _checked_dtype(dataset: Object) -> np.dtype[Any]:
    """The dtype as stored.

    Raises:
        UnsupportedFormat: for a type that the contract does not have; nothing is cast.
    """
    h5py = library()
    with described("the type of a dataset"):
        type_id = dataset.id.get_type()
    try:
        dtype = np.dtype(dataset.dtype)
        is_plain = dtype.kind in "iuf" and h5py.check_enum_dtype(dtype) is None
        is_plain = is_plain and type_id.equal(h5py.h5t.py_create(dtype))
    except (TypeError, ValueError, RuntimeError):  # numpy has no such type
        raise UnsupportedFormat("voxels of this HDF5 type are not supported", "convert the volume") from None
    checked_dtype(dtype)
    if not is_plain:
        raise UnsupportedFormat(
            f"voxels are of an HDF5 type that is like {dtype} and is not it (an enumeration, fewer bits)",
            "convert the volume",
        )
    plain: np.dtype[Any] = np.dtype(dtype.str)  # without what h5py notes in it
    return plain


def _refuse_elsewhere(creation: Any) -> None:
    """Refuse voxels that lie in other files.

    Raises:
        PathRefused, UnsupportedFormat.
    """
    h5py = library()
    if creation.get_external_count():
        raise PathRefused("the voxels lie in other files, which are not followed", "repack them into the HDF5 file")
    if creation.get_layout() == h5py.h5d.VIRTUAL:
        # Its sources may be other files, and one that is missing would be read as fill values.
        raise UnsupportedFormat("virtual datasets are not read", "name their sources, or repack them: `h5repack`")


def _fill_value(dataset: Object, creation: Any) -> Any:
    """The value of absent voxels; 0 where the file leaves it undefined, and the HDF5 library answers with anything."""
    undefined = creation.fill_value_defined() == library().h5d.FILL_VALUE_UNDEFINED
    return 0 if undefined else dataset.fillvalue


def _check_complete(dataset: Object, stored: Stored) -> None:
    """Refuse voxels in one piece that has another size than they need.

    Raises:
        MetadataInvalid.
    """
    if stored.chunks is not None:
        return
    with described("where a dataset is stored"):
        size = dataset.id.get_storage_size()
    if size not in (0, math.prod(stored.shape) * stored.dtype.itemsize):
        raise MetadataInvalid("the dataset has another size than its shape says", "restore the file from its source")
