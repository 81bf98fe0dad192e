"""Zarr v2 and v3 in folders, bare arrays and OME-NGFF multiscales, read and written through tensorstore.

Formats: zarr-specs.readthedocs.io (v2, v3, sharding_indexed); `voxgate_remotes.ome` for multiscales. A bare array has
the axes that its v3 `dimension_names`, its xarray `_ARRAY_DIMENSIONS` or the operator name; three unnamed ones are
taken for z, y, x and reported as inferred; any other unnamed axis is refused, never sliced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from voxgate.model.errors import (
    ConfigContradictsStore,
    MetadataInvalid,
    StoreUnavailable,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.volumes import (
    Channel,
    OpenOptions,
    Scale,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate_remotes import ome
from voxgate_remotes.checks import checked_write
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.encoded import PassingVolume
from voxgate_remotes.fetched_chunks import Naming
from voxgate_remotes.folders import Folder, LocalFolder, required_json
from voxgate_remotes.kept_provenance import ProvenanceFile, zarr_provenance
from voxgate_remotes.metadata import is_size
from voxgate_remotes.shard_writing import ArrayFiles, ShardWriter, shard_writer
from voxgate_remotes.tensorstores import (
    Tuning,
    View,
    bounds_of,
    checked_dtype,
    global_view,
    grids_of,
    open_arrays,
)
from voxgate_remotes.zarr_chunks import Layout, ZarrChunks, bounds_of_files, layout_of
from voxgate_remotes.zarr_elsewhere import OpenedArrays, opened_elsewhere

C = TypeVar("C")

ATTRIBUTE = "voxgate"
"""An array's attribute: {"kind", "voxel_offset": [x, y, z], "voxel_size_nm": [x, y, z]}: what Zarr has no place for."""

_V3, _V2_ARRAY, _V2_ATTRIBUTES = "zarr.json", ".zarray", ".zattrs"


def claims_v3(folder: Folder) -> bool:
    """Whether a folder is a Zarr v3 array or multiscale group, be it a broken one.

    Raises:
        StoreUnavailable.
    """
    try:
        metadata = folder.json(_V3)
    except MetadataInvalid:
        return True
    if metadata is None:
        return False
    attributes = metadata.get("attributes")
    return metadata.get("node_type") != "group" or (
        isinstance(attributes, dict) and ome.multiscales_of(attributes) is not None
    )


def claims_v2(folder: Folder) -> bool:
    """Whether a folder is a Zarr v2 array or multiscale group, be it a broken one.

    Raises:
        StoreUnavailable.
    """
    try:
        if folder.json(_V2_ARRAY) is not None:
            return True
        attributes = folder.json(_V2_ATTRIBUTES)
        return attributes is not None and ome.multiscales_of(attributes) is not None
    except VoxgateError as error:
        if isinstance(error, StoreUnavailable):
            raise
        return True


class ZarrVolume(PassingVolume):
    """A Zarr volume, whose attributes have a place for provenance."""

    def __init__(self, info: VolumeInfo, opened: OpenedZarr, options: OpenOptions) -> None:
        super().__init__(info, opened.views, options, opened.stored, [stored.bounds for stored in opened.stored])
        self._provenance = opened.provenance
        self._shards = opened.shards

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`. Whole shards are put together here."""
        shards = self._shards[scale] if 0 <= scale < len(self._shards) else None
        if shards is None or not shards.takes(box):
            super().write(box, voxels, scale=scale)
            return
        checked_write(self._info, box, voxels, scale)
        self._context.check()
        shards.write(box, voxels, self._chosen_time(), self._context)

    def capability(self, kind: type[C]) -> C | None:
        """KeepsProvenance, and what every volume of chunk files has."""
        return cast("C", self._provenance) if kind is KeepsProvenance else super().capability(kind)


@dataclass(frozen=True, slots=True)
class OpenedZarr:
    """An opened volume, to be bound to callers."""

    info: VolumeInfo
    views: tuple[View, ...]
    stored: tuple[ZarrChunks, ...]
    shards: tuple[ShardWriter | None, ...]
    provenance: ProvenanceFile

    def bind(self, info: VolumeInfo, options: OpenOptions) -> ZarrVolume:
        """A volume for one caller."""
        return ZarrVolume(info, self, options)


@dataclass(frozen=True, slots=True)
class _Array:
    """The metadata of one array: its own document, its attributes, and which version it is."""

    folder: Folder
    document: dict[str, Any]
    attributes: dict[str, Any]
    version: int

    @property
    def ours(self) -> dict[str, Any]:
        """The `voxgate` attribute."""
        found = self.attributes.get(ATTRIBUTE)
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Geometry:
    """Where the levels of a volume lie, and what of that was inferred."""

    axes: str
    sizes: list[VoxelSize | None]
    offsets: list[Vec3]
    inferred: tuple[str, ...]
    channels: tuple[Channel, ...] = ()


def metadata_files(where: LocalFolder) -> list[Path]:
    """The files whose change makes an opened volume stale."""
    names = (_V3, _V2_ARRAY, _V2_ATTRIBUTES)
    levels: list[Path] = []
    folder = where.path
    try:
        multiscales = ome.multiscales_of(_group_attributes(where)) or []
        levels = [folder / dataset["path"] for dataset in multiscales[0]["datasets"]] if multiscales else []
    except (VoxgateError, KeyError, TypeError):
        pass  # opening says what is wrong; the files that are known suffice to see it mended
    return [place / name for place in (folder, *levels) for name in names]


def open_store(folder: Folder, tuning: Tuning, overrides: VolumeOverrides) -> OpenedZarr | OpenedArrays:
    """Open and describe the array or multiscale group in a folder. See `zarr_elsewhere` for one elsewhere.

    Raises:
        MetadataInvalid, UnsupportedFormat, ConfigContradictsStore, PathRefused, StoreUnavailable.
    """
    attributes = _group_attributes(folder)
    multiscale = ome.parse(attributes, overrides.axes) if ome.multiscales_of(attributes) is not None else None
    folders = [folder.within(path) for path in multiscale.paths] if multiscale else [folder]
    arrays = [_read_array(where) for where in folders]
    dtype = _common_dtype(arrays)
    geometry = _of_multiscale(multiscale, arrays, overrides) if multiscale else _of_array(arrays[0], overrides)
    drivers = {2: "zarr", 3: "zarr3"}
    specs = [{"driver": drivers[a.version], "kvstore": a.folder.kvstore()} for a in arrays]
    stores = open_arrays(specs, tuning)
    if any(store.rank != len(geometry.axes) for store in stores):
        raise UnsupportedFormat(
            f"the array has {stores[0].rank} axes, {len(geometry.axes)} are named ({geometry.axes})",
            "name each of them in `axes`, in the array's order",
        )
    views = tuple(global_view(s, geometry.axes, o) for s, o in zip(stores, geometry.offsets, strict=True))
    keys = multiscale.paths if multiscale else ("0",)
    layouts = [layout_of(a.document, a.version, geometry.axes, dtype.itemsize) for a in arrays]
    scales = tuple(map(_scale, keys, layouts, views, geometry.sizes))
    info = VolumeInfo(
        name="",
        dtype=dtype,
        kind=_kind(arrays[0], attributes),
        scales=scales,
        axes="".join(axis for axis in "tczyx" if axis in geometry.axes or axis == "z"),
        channels=_channels(views, geometry),
        time_count=_common_extent(views, 0),
        fill_value=_fill_value(stores[0]),
        inferred=geometry.inferred,
    )
    paths = [array.folder.path for array in arrays]
    if folder.path is None or None in paths:
        objects = [(Naming(each.axes, each.prefix, each.separator), each.content) for each in layouts]
        return opened_elsewhere(info, views, [array.folder for array in arrays], objects, tuning)
    context = tuning.context()
    stored = tuple(
        ZarrChunks(
            folder=path,
            layout=layout,
            level=scale,
            voxel_bytes=dtype.itemsize * info.channel_count,
            encodings=(layout.encoding,) if layout.encoding and layout.can_be_passed(info.channel_count) else (),
            context=context,
            bounds=bounds_of_files(path, layout, scale, info.channel_count),
        )
        for path, layout, scale in zip(paths, layouts, scales, strict=True)
        if path is not None
    )
    files = [ArrayFiles(s.folder, a.document, s.layout) for s, a in zip(stored, arrays, strict=True)]
    shards = tuple(shard_writer(each, info, index, fsync=tuning.fsync) for index, each in enumerate(files))
    return OpenedZarr(info, views, stored, shards, zarr_provenance(folder.path, arrays[0].version))


def _group_attributes(folder: Folder) -> dict[str, Any]:
    """The attributes of the group or array in a folder."""
    document = folder.json(_V3)
    attributes = (folder.json(_V2_ATTRIBUTES) or {}) if document is None else document.get("attributes", {})
    if not isinstance(attributes, dict):
        raise MetadataInvalid("the attributes are not a JSON object", "restore them from the volume's source")
    return attributes


def _read_array(folder: Folder) -> _Array:
    document = folder.json(_V3)
    if document is not None:
        return _Array(folder, document, _group_attributes(folder), 3)
    return _Array(folder, required_json(folder, _V2_ARRAY), _group_attributes(folder), 2)


def _common_dtype(arrays: list[_Array]) -> np.dtype[Any]:
    """The dtype that all levels have.

    Raises:
        UnsupportedFormat.
    """
    found: set[np.dtype[Any]] = set()
    for array in arrays:
        name = array.document.get("dtype" if array.version == 2 else "data_type")
        try:
            found.add(checked_dtype(np.dtype(name if isinstance(name, str) else None)))
        except (TypeError, ValueError, SyntaxError):  # numpy parses the name, as it would a dtype in code
            found.clear()
        if not isinstance(name, str) or not found:
            raise UnsupportedFormat(f"voxels of type {str(name)[:60]!r} are not supported", "convert the volume")
    if len(found) != 1:
        raise UnsupportedFormat("the levels have different voxel types", "convert the volume")
    return found.pop()


def _of_multiscale(multiscale: ome.Multiscale, arrays: list[_Array], overrides: VolumeOverrides) -> _Geometry:
    ours = [_triple(array.ours, "voxel_offset") for array in arrays]
    if all(offset is not None for offset in ours):
        offsets, guessed = [Vec3(*map(int, offset)) for offset in ours if offset is not None], False
    else:
        offsets, guessed = ome.voxel_offsets(multiscale, overrides)
    sizes = ome.voxel_sizes(multiscale, overrides.voxel_size_nm)
    inferred = ("voxel_offset",) if guessed else ()
    return _Geometry(multiscale.axes, sizes, offsets, inferred, multiscale.channels)


def _of_array(array: _Array, overrides: VolumeOverrides) -> _Geometry:
    inferred = []
    axes = _array_axes(array, overrides)
    if axes is None:
        axes = "zyx"
        inferred.append("axes")
    size = _triple(array.ours, "voxel_size_nm") or overrides.voxel_size_nm
    offset = _triple(array.ours, "voxel_offset")
    if offset is None and overrides.voxel_offset is None:
        inferred.append("voxel_offset")
    start = Vec3(*map(int, offset or overrides.voxel_offset or (0, 0, 0)))
    return _Geometry(axes, [VoxelSize(*size) if size else None], [start], tuple(inferred))


def _array_axes(array: _Array, overrides: VolumeOverrides) -> str | None:
    """The axes that the array or the operator names; None for three unnamed ones.

    Raises:
        UnsupportedFormat: when an axis is not named.
        ConfigContradictsStore: when both name them, and differently.
    """
    names = array.document.get("dimension_names") or array.attributes.get("_ARRAY_DIMENSIONS")
    if isinstance(names, list) and names and None not in names:
        axes = ome.axes_from_names(names)
        if overrides.axes not in (None, axes):
            raise ConfigContradictsStore(
                f"the configuration states axes {overrides.axes}, the store says {axes}", "remove the key"
            )
        return axes
    shape = array.document.get("shape")
    if overrides.axes is not None or not isinstance(shape, list):
        return overrides.axes
    if len(shape) != 3:
        raise UnsupportedFormat(
            f"the array has {len(shape)} axes without names", 'state `axes` for it in the configuration, e.g. "czyx"'
        )
    return None


def _triple(ours: Mapping[str, Any], key: str) -> tuple[float, float, float] | None:
    """Three numbers of our attribute, integers for an offset, else positive; None where it does not have them.

    Raises:
        MetadataInvalid: when they are something else.
    """
    found = ours.get(key)
    if found is None:
        return None
    offset = isinstance(found, list) and len(found) == 3 and all(type(number) is int for number in found)
    if not (offset if key == "voxel_offset" else is_size(found)):
        raise MetadataInvalid(f"the attribute {ATTRIBUTE}.{key} is not three numbers", "correct or remove it")
    return (found[0], found[1], found[2])


def _kind(array: _Array, group_attributes: dict[str, Any]) -> VolumeKind:
    """What the voxels mean, where our attribute or OME's `image-label` says it."""
    stated = array.ours.get("kind")
    if stated in ("image", "segmentation"):
        return VolumeKind(stated)
    holder = group_attributes.get("ome", group_attributes)
    is_label = isinstance(holder, dict) and "image-label" in holder
    return VolumeKind.SEGMENTATION if is_label else VolumeKind.UNKNOWN


def _scale(key: str, layout: Layout, view: View, size: VoxelSize | None) -> Scale:
    chunk, granule, origin = grids_of(view)
    return Scale(
        key=key,
        bounds=bounds_of(view),
        stored_chunk_shape=chunk,
        write_granule_shape=granule,
        grid_origin=origin,
        voxel_size_nm=size,
        stored_encodings=(layout.encoding,) if layout.encoding and layout.in_our_order else (),
        writable=True,
    )


def _channels(views: tuple[View, ...], geometry: _Geometry) -> tuple[Channel, ...]:
    if "c" not in geometry.axes:
        return ()
    count = _common_extent(views, 1)
    return geometry.channels if len(geometry.channels) == count else (Channel(),) * count


def _common_extent(views: tuple[View, ...], axis: int) -> int:
    """The extent that all levels have along t or c.

    Raises:
        UnsupportedFormat: when they differ.
    """
    extents = {int(view.shape[axis]) for view in views}
    if len(extents) != 1:
        raise UnsupportedFormat(f"the levels differ in their number of {'tc'[axis]}", "convert the volume")
    return extents.pop()


def _fill_value(store: Any) -> int | float:
    """What absent voxels read as; Zarr v2's null is 0, as every reader takes it."""
    value = store.fill_value
    number: int | float = 0 if value is None else np.asarray(value).item()
    return number
