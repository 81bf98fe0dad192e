"""N5 in folders: bare datasets and multiscale groups, read and written through tensorstore.

Format: github.com/saalfeldlab/n5, "File-system specification". A dataset is a folder whose `attributes.json` says
`dimensions`, `blockSize` (both start with x, the fastest axis), `dataType` and `compression`. Blocks are files
`x/y/z`: a big-endian header, then big-endian voxels; what tensorstore reads and writes has this machine's byte order.
There is no fill value: an absent block is 0, and so is what a block at the border leaves out of its cell. The levels
of a multiscale group are s0, s1 and so on, or what its `multiscales` lists; where they lie is in
`voxgate_remotes.n5_geometry`.

Attributes are parsed here and handed to tensorstore as they are needed, because it refuses what others write into
them: Java's and z5py's `nthreads` of blosc, a single word for `units`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat, VoxgateError
from voxgate.model.geometry import VoxelSize
from voxgate.model.volumes import SUPPORTED_DTYPES, Channel, OpenOptions, Scale, VolumeInfo, VolumeKind
from voxgate_remotes.chunk_bounds import ChunkBounds, Coded
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.fetched_chunks import Naming
from voxgate_remotes.folders import Folder, LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.n5_attributes import Attributes
from voxgate_remotes.n5_geometry import geometry_of
from voxgate_remotes.tensorstores import (
    STORE_ERRORS,
    TensorStoreVolume,
    Tuning,
    View,
    bounds_of,
    checked_dtype,
    global_view,
    grids_of,
    open_arrays,
)
from voxgate_remotes.zarr_elsewhere import OpenedArrays, opened_elsewhere

_NAME = "attributes.json"
_CODECS = {
    "raw": (),
    "gzip": ("level", "useZlib"),
    "bzip2": ("blockSize",),
    "xz": ("preset",),
    "blosc": ("cname", "clevel", "shuffle", "blocksize"),
    "zstd": ("level",),
}
"""The compressions that tensorstore knows, and what of their parameters."""
_TYPES = frozenset(dtype.name for dtype in SUPPORTED_DTYPES)
_RELATES = ("scales", "downsamplingFactors", "multiScale", "pixelResolution", "resolution")
_KINDS = {"label": VolumeKind.SEGMENTATION, "raw": VolumeKind.IMAGE, "channel": VolumeKind.IMAGE}
_MOST_LEVELS = 64
_MOST_BLOCK_BYTES = 2**31 - 1
"""As tensorstore has it; a Java array cannot be larger either."""


@dataclass(frozen=True, slots=True)
class OpenedN5:
    """An opened volume, to be bound to callers."""

    info: VolumeInfo
    views: tuple[View, ...]
    bounds: tuple[ChunkBounds, ...]

    def bind(self, info: VolumeInfo, options: OpenOptions) -> TensorStoreVolume:
        """A volume for one caller."""
        return TensorStoreVolume(info, self.views, options, bounds=self.bounds)


@dataclass(frozen=True, slots=True)
class _Level:
    """One level: its name in the group, its folder, its attributes and what the group says of its transform."""

    key: str
    folder: Folder
    attributes: Attributes
    transform: object


class N5Format:
    """N5 datasets and multiscale groups; satisfies voxgate_remotes.formats.FolderFormat."""

    name = "n5"

    def claims(self, folder: Folder) -> bool:
        """Whether a folder is a dataset, or a group that says how its levels relate, be they broken.

        A group with datasets s0, s1 that say nothing of one another stays a group of volumes.

        Raises:
            StoreUnavailable.
        """
        try:
            attributes = folder.json(_NAME) or {}
            if _is_dataset(attributes) or _listed(attributes) is not None:
                return True
            first = folder.json(f"s0/{_NAME}")
            if first is None or not _is_dataset(first):
                return False
            if any(attributes.get(key) for key in _RELATES) or "transform" in first:
                return True
            second = folder.json(f"s1/{_NAME}") or {}
            return _is_dataset(second) and ("downsamplingFactors" in second or "transform" in second)
        except MetadataInvalid:
            return True

    def metadata_files(self, folder: Path) -> list[Path]:
        """The files whose change makes an opened volume stale; that of a level to come is among them."""
        local = LocalFolder(folder, PathGuard(folder))
        names: list[str] = []
        try:
            attributes = local.json(_NAME) or {}
            if not _is_dataset(attributes):
                names = _level_names(local, attributes)
                names.append(f"s{len(names)}")
        except VoxgateError:
            pass  # opening says what is wrong; the files that are known suffice to see it mended
        return [folder / _NAME, *(folder / name / _NAME for name in names)]

    def open(self, folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedN5 | OpenedArrays:
        """Open and describe the volume in a folder.

        Raises:
            MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreUnavailable.
        """
        group = folder.json(_NAME) or {}
        levels = _levels(folder, group)
        folders = [level.folder for level in levels]
        checked = [_checked_metadata(level.attributes) for level in levels]
        dtype = _common_dtype(checked)
        attributes = [level.attributes for level in levels]
        geometry = geometry_of(group, attributes, [level.transform for level in levels], overrides)
        views = tuple(
            global_view(store, geometry.axes, offset)
            for store, offset in zip(_opened(levels, checked, tuning), geometry.offsets, strict=True)
        )
        info = VolumeInfo(
            name="",
            dtype=dtype,
            kind=_kind(group, attributes[0]),
            scales=tuple(map(_scale, [level.key for level in levels], views, geometry.sizes)),
            axes="".join(axis for axis in "tczyx" if axis in geometry.axes or axis == "z"),
            channels=_channels(views, geometry.axes, {**attributes[0], **group}),
            time_count=_common_extent(views, 0),
            inferred=geometry.inferred,
        )
        contents = [_content(metadata, geometry.axes) for metadata in checked]
        if None in [each.path for each in folders]:
            objects = [(Naming(geometry.axes, "", "/"), content) for content in contents]
            return opened_elsewhere(info, views, folders, objects, tuning)
        bounds = (
            ChunkBounds(each.path or Path(), geometry.axes, "", "/", content, scale.bounds.start, info.channel_count)
            for each, content, scale in zip(folders, contents, info.scales, strict=True)
        )
        return OpenedN5(info, views, tuple(bounds))


def _is_dataset(attributes: Attributes) -> bool:
    """Whether attributes are a dataset's, be it a broken one; BigDataViewer's groups have a `dataType`, too."""
    return "dimensions" in attributes or "blockSize" in attributes


def _listed(group: Attributes) -> list[Any] | None:
    """The datasets that a group's `multiscales` lists; None where it has none."""
    found = group.get("multiscales")
    first = found[0] if isinstance(found, list) and found else None
    datasets = first.get("datasets") if isinstance(first, dict) else None
    return datasets if isinstance(datasets, list) and datasets else None


def _level_names(folder: Folder, group: Attributes) -> list[str]:
    """The folders of a group's levels, finest first: listed, counted by its factors, or all that are there."""
    listed = _listed(group)
    if listed is not None:
        names = [each.get("path") if isinstance(each, dict) else None for each in listed]
        if not all(isinstance(name, str) and name for name in names):
            raise MetadataInvalid("`multiscales` lists a dataset without a path", f"correct `{_NAME}`")
        return [str(name) for name in names]
    factors = group.get("downsamplingFactors") or group.get("scales")
    if isinstance(factors, list) and factors:
        return [f"s{index}" for index in range(len(factors))]
    there = 0
    while there < _MOST_LEVELS and _is_dataset(folder.json(f"s{there}/{_NAME}") or {}):
        there += 1
    return [f"s{index}" for index in range(there)]


def _levels(folder: Folder, group: Attributes) -> list[_Level]:
    """The levels of the volume in a folder; a bare dataset is its own only level.

    Raises:
        MetadataInvalid, UnsupportedFormat, PathRefused, StoreUnavailable.
    """
    if _is_dataset(group):
        return [_Level("0", folder, group, group.get("transform"))]
    names = _level_names(folder, group)
    if not names:
        raise MetadataInvalid(f"there is no dataset beside `{_NAME}`", "restore it from the volume's source")
    levels = []
    for index, name in enumerate(names):
        inner = folder.within(name)
        attributes = inner.json(_NAME)
        if attributes is None:
            raise MetadataInvalid(f"the volume has no `{name}/{_NAME}`", "restore it from the volume's source")
        listed = _listed(group)
        said = listed[index] if listed is not None else {}
        if "coordinateTransformations" in said:
            raise UnsupportedFormat("N5 with transformations of OME-NGFF is not supported", "state a `transform`")
        transform = said["transform"] if said.get("transform") is not None else attributes.get("transform")
        levels.append(_Level(name, inner, attributes, transform))
    return levels


def _checked_metadata(attributes: Attributes) -> dict[str, Any]:
    """What of a dataset's attributes tensorstore needs.

    Raises:
        MetadataInvalid: for a dataset that is not described.
        UnsupportedFormat: for label multisets, a compression or a type of voxels that cannot be read.
    """
    dimensions, block = attributes.get("dimensions"), attributes.get("blockSize")
    for key, numbers in (("dimensions", dimensions), ("blockSize", block)):
        if (
            not isinstance(numbers, list)
            or not numbers
            or any(type(n) is not int or not 0 < n < 2**62 for n in numbers)
        ):
            raise MetadataInvalid(f"`{key}` is not a list of positive integers", f"restore `{_NAME}`")
    if len(dimensions or ()) != len(block or ()):
        raise MetadataInvalid("`dimensions` and `blockSize` differ in their number of axes", f"restore `{_NAME}`")
    if attributes.get("isLabelMultiset"):
        raise UnsupportedFormat("the voxels are Paintera's label multisets", "convert the volume to uint64")
    name = attributes.get("dataType")
    if not isinstance(name, str):
        raise MetadataInvalid("the dataset has no `dataType`", f"restore `{_NAME}`")
    if name not in _TYPES:
        raise UnsupportedFormat(f"voxels of type {json.dumps(name)[:60]} are not supported", "convert the volume")
    if math.prod(block or ()) * np.dtype(name).itemsize > _MOST_BLOCK_BYTES:
        raise UnsupportedFormat(f"blocks of {block} voxels are larger than 2 GiB", "write the volume in smaller blocks")
    return {"dimensions": dimensions, "blockSize": block, "dataType": name, "compression": _compression(attributes)}


def _compression(attributes: Attributes) -> dict[str, Any]:
    """The compression, with those of its parameters that tensorstore knows; the others are the writer's own.

    Raises:
        MetadataInvalid, UnsupportedFormat.
    """
    found = attributes.get("compression")
    if found is None and "compressionType" in attributes:
        raise UnsupportedFormat("the dataset is of N5 before 2.0", "write it anew with a program of today")
    name = found.get("type") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(name, str):
        raise MetadataInvalid("the dataset has no `compression` with a type", f"restore `{_NAME}`")
    if name not in _CODECS:
        raise UnsupportedFormat(
            f"blocks compressed by {json.dumps(name)[:60]} cannot be read",
            f"compress the volume by one of {', '.join(_CODECS)}",
        )
    return {"type": name, **{key: found[key] for key in _CODECS[name] if key in found}}


def _common_dtype(checked: Sequence[dict[str, Any]]) -> np.dtype[Any]:
    names = {each["dataType"] for each in checked}
    if len(names) != 1:
        raise UnsupportedFormat("the levels have different voxel types", "convert the volume")
    if len({len(each["dimensions"]) for each in checked}) != 1:
        raise UnsupportedFormat("the levels differ in their number of axes", "convert the volume")
    return checked_dtype(np.dtype(names.pop()))


def _opened(levels: Sequence[_Level], checked: Sequence[dict[str, Any]], tuning: Tuning) -> list[Any]:
    specs = [
        {"driver": "n5", "kvstore": level.folder.kvstore(), "metadata": metadata, "assume_metadata": True}
        for level, metadata in zip(levels, checked, strict=True)
    ]
    try:
        return open_arrays(specs, tuning)
    except STORE_ERRORS as error:
        raise MetadataInvalid(
            f"`{_NAME}` does not describe a dataset of N5", "look at it with its own tools; the server's log says more"
        ) from error


def _content(metadata: dict[str, Any], axes: str) -> Coded:
    """What a block of a level is."""
    extents = dict(zip(axes, metadata["blockSize"], strict=True))
    raw_bytes = math.prod(extents.values()) * np.dtype(metadata["dataType"]).itemsize
    return Coded(extents, raw_bytes, blosc=metadata["compression"]["type"] == "blosc", n5=True)


def _kind(group: Attributes, finest: Attributes) -> VolumeKind:
    """What the voxels mean, where Paintera says it: `painteraData`, or the `maxId` that it wants of labels."""
    for attributes in (group, finest):
        paintera = attributes.get("painteraData")
        if isinstance(paintera, dict) and paintera.get("type") in _KINDS:
            return _KINDS[paintera["type"]]
    return VolumeKind.SEGMENTATION if "maxId" in group or "maxId" in finest else VolumeKind.UNKNOWN


def _scale(key: str, view: View, size: VoxelSize | None) -> Scale:
    chunk, granule, origin = grids_of(view)
    return Scale(
        key=key,
        bounds=bounds_of(view),
        stored_chunk_shape=chunk,
        write_granule_shape=granule,
        grid_origin=origin,
        voxel_size_nm=size,
        writable=True,
    )


def _channels(views: Sequence[View], axes: str, attributes: Attributes) -> tuple[Channel, ...]:
    """The channels; neuroglancer's `coordinateArrays` names them."""
    if "c" not in axes:
        return ()
    count = _common_extent(views, 1)
    arrays = attributes.get("coordinateArrays")
    names = arrays.get("c") if isinstance(arrays, dict) else None
    named = names if isinstance(names, list) and len(names) == count else [""] * count
    return tuple(Channel(str(name)) for name in named)


def _common_extent(views: Sequence[View], axis: int) -> int:
    """The extent that all levels have along t or c.

    Raises:
        UnsupportedFormat: when they differ.
    """
    extents = {int(view.shape[axis]) for view in views}
    if len(extents) != 1:
        raise UnsupportedFormat(f"the levels differ in their number of {'tc'[axis]}", "convert the volume")
    return extents.pop()
