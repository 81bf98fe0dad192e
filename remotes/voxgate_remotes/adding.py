"""The metadata documents of volumes that get coarser levels: what is new and what changes, the deciding one last.

A new level is stored as the coarsest one there is: its documents are that one's with another geometry, whoever wrote
them. Formats: see `voxgate_remotes.precomputed`, `voxgate_remotes.zarr` and `voxgate_remotes.ome`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import FailedPrecondition, MetadataInvalid, MissingCapability, UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate.model.remotes import CoarserScale
from voxgate_remotes import ome
from voxgate_remotes.checks import check_scale_count
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.documents import Documents
from voxgate_remotes.folders import Folder, required_json

Json = dict[str, Any]

_NUMBERED = re.compile(r"(.*?)(\d+)")
_PRECOMPUTED_LOSSLESS = ("raw", "compressed_segmentation", "png")


def added_documents(
    format_name: str, folder: Folder, stated: VolumeOverrides, first: int, coarser: Sequence[CoarserScale]
) -> Documents:
    """The documents of a volume with more levels; all but the last one are of the levels alone, or nobody reads them.

    Args:
        format_name: of the volume, as in `voxgate_remotes.formats`.
        folder: where it is.
        stated: what the operator states of it.
        first: how many levels the caller takes it to have.
        coarser: the levels to add, finest first.

    Raises:
        FailedPrecondition, MissingCapability, UnsupportedFormat: see `voxgate.model.remotes.TakesScales.add_scales`.
        MetadataInvalid, StoreUnavailable: when its documents cannot be read.
    """
    if format_name == "precomputed":
        return _precomputed(required_json(folder, "info"), first, coarser)
    if format_name == "zarr v3":
        return _zarr3(folder, stated, first, coarser)
    if format_name == "zarr v2":
        return _zarr2(folder, stated, first, coarser)
    raise no_place_for_levels(format_name)


def no_place_for_levels(what: str) -> MissingCapability:
    """What is said of a volume that is kept as something without place for more levels."""
    return MissingCapability(
        f"a volume that is kept as {what} takes no new levels",
        "transfer it to a precomputed or Zarr volume, with a pyramid",
        details={"capability": "TakesScales"},
    )


def check_free(name: str, found: object, wanted: object) -> None:
    """Refuse to put a level where another one's document is; the same one is left of a call that was cut short.

    Raises:
        FailedPrecondition.
    """
    if found is not None and found != wanted:
        raise FailedPrecondition(
            f"there is a `{name}` already, which no level of the volume refers to", "its operator removes it"
        )


def _precomputed(info: Json, first: int, coarser: Sequence[CoarserScale]) -> Documents:
    scales = list(info["scales"])
    check_scale_count(len(scales), first)
    for level in coarser:
        before = scales[-1]
        resolution = [_short(size * f) for size, f in zip(before["resolution"], level.factor, strict=True)]
        key = "_".join(map(str, resolution))
        taken = {str(scale["key"]) for scale in scales}
        scale = {name: value for name, value in before.items() if name not in ("sharding", "hidden")}
        scale |= {
            "key": key if key not in taken else f"{key}-{len(scales)}",
            "size": list(level.bounds.shape),
            "voxel_offset": list(level.bounds.start),
            "resolution": resolution,
            "chunk_sizes": before["chunk_sizes"][:1],
        }
        if scale["encoding"] not in _PRECOMPUTED_LOSSLESS:
            scale = {name: value for name, value in scale.items() if not name.startswith("jpeg_")} | {"encoding": "raw"}
        scales.append(scale)
    return {"info": {**info, "scales": scales}}


def _short(size: float) -> float:
    return int(size) if float(size).is_integer() else size


def _zarr3(folder: Folder, stated: VolumeOverrides, first: int, coarser: Sequence[CoarserScale]) -> Documents:
    group = copy.deepcopy(required_json(folder, "zarr.json"))
    attributes = group.get("attributes")
    image = _Image(attributes if isinstance(attributes, dict) else {}, stated, first)
    array = copy.deepcopy(required_json(folder, f"{image.last}/zarr.json"))
    known = (group.get("consolidated_metadata") or {}).get("metadata")
    documents: Documents = {}
    for level in coarser:
        path = image.add(level, array.get("attributes", {}))
        array["shape"] = image.shape(array["shape"], level)
        documents[f"{path}/zarr.json"] = copy.deepcopy(array)
        if isinstance(known, dict):  # else readers that trust this copy would not see the level
            known[path] = copy.deepcopy(array)
    documents["zarr.json"] = group
    return documents


def _zarr2(folder: Folder, stated: VolumeOverrides, first: int, coarser: Sequence[CoarserScale]) -> Documents:
    attributes = copy.deepcopy(folder.json(".zattrs") or {})
    image = _Image(attributes, stated, first)
    array = copy.deepcopy(required_json(folder, f"{image.last}/.zarray"))
    own = copy.deepcopy(folder.json(f"{image.last}/.zattrs"))
    consolidated = copy.deepcopy(folder.json(".zmetadata"))
    known = (consolidated or {}).get("metadata")
    documents: Documents = {}
    for level in coarser:
        path = image.add(level, own or {})
        array["shape"] = image.shape(array["shape"], level)
        new = {f"{path}/.zarray": array} if own is None else {f"{path}/.zattrs": own, f"{path}/.zarray": array}
        documents |= copy.deepcopy(new)
        if isinstance(known, dict):
            known |= copy.deepcopy(new)
    if consolidated is not None and isinstance(known, dict):
        known[".zattrs"] = attributes
        documents[".zmetadata"] = consolidated
    documents[".zattrs"] = attributes
    return documents


@dataclass(frozen=True, slots=True)
class _Placed:
    """A level, where the level before starts, and what of a voxel a translation is the place of: 0 its corner."""

    level: CoarserScale
    start: Vec3
    centre: float

    @property
    def moved(self) -> list[float]:
        """How far the level's first voxel is from that of the level before, in voxels of that one: x, y, z."""
        axes = zip(self.start, self.level.bounds.start, self.level.factor, strict=True)
        return [there * factor - here + self.centre * (factor - 1) for here, there, factor in axes]


class _Image:
    """The first multiscale image of a group's attributes, which it changes."""

    def __init__(self, attributes: Json, stated: VolumeOverrides, first: int) -> None:
        """Take a group's attributes.

        Raises:
            MissingCapability: when they describe no image with levels.
            FailedPrecondition: when it has another number of levels than the caller thinks.
            MetadataInvalid, UnsupportedFormat, ConfigContradictsStore.
        """
        listed = ome.multiscales_of(attributes)
        if listed is None:
            raise no_place_for_levels("one bare array")
        parsed = ome.parse(attributes, stated.axes)
        self._attributes, self._stated = attributes, stated
        self._axes = parsed.axes
        self._datasets: list[Json] = listed[0]["datasets"]
        self._says_where = parsed.has_translation
        starts, self._guessed = ome.voxel_offsets(parsed, stated)
        self._start = starts[-1]
        self._paths = set(parsed.paths)
        check_scale_count(len(self._datasets), first)

    @property
    def last(self) -> str:
        """The path of the coarsest level."""
        return str(self._datasets[-1]["path"])

    def add(self, level: CoarserScale, array_attributes: Json) -> str:
        """List one more level, change the attributes of the coarsest one to its own, and answer its path."""
        ours = array_attributes.get("voxgate")
        start = Vec3(*ours["voxel_offset"]) if isinstance(ours, dict) and "voxel_offset" in ours else self._start
        self._list(level, start, exactly=isinstance(ours, dict) and "voxel_offset" in ours)
        self._start = level.bounds.start
        if isinstance(ours, dict):
            if "voxel_offset" in ours:
                ours["voxel_offset"] = list(level.bounds.start)
            if "voxel_size_nm" in ours:
                ours["voxel_size_nm"] = [a * f for a, f in zip(ours["voxel_size_nm"], level.factor, strict=True)]
        return self.last

    def shape(self, before: Sequence[int], level: CoarserScale) -> list[int]:
        """The extents of the level's array along the axes of the one before."""
        if len(before) != len(self._axes):
            raise MetadataInvalid("the array has other axes than its image", "restore it from the volume's source")
        extents = dict(zip("xyz", level.bounds.shape, strict=True))
        return [extents.get(axis, extent) for axis, extent in zip(self._axes, before, strict=True)]

    def _list(self, level: CoarserScale, start: Vec3, *, exactly: bool) -> None:
        """List a level; where its array will not say `exactly` where it starts, its translation has to.

        Raises:
            UnsupportedFormat: when that cannot be said.
        """
        if "z" not in self._axes and level.factor.z != 1:
            raise UnsupportedFormat(
                "the array has no z axis", "state factors whose z is 1", details={"field": "factors"}
            )
        before = self._datasets[-1].get("coordinateTransformations")
        path = self._next_path()
        for centre in (0.0, 0.5):  # a translation is of a voxel's corner, or of its centre
            placed = _Placed(level, start, centre)
            self._datasets.append({"path": path, "coordinateTransformations": self._transforms(before, placed)})
            if exactly or self._starts_at(level.bounds.start):
                return
            self._datasets.pop()
        raise UnsupportedFormat(
            "the store does not say where the volume starts in a way that holds for the new level, too",
            "choose factors that divide its voxel offset",
        )

    def _transforms(self, before: Any, placed: _Placed) -> list[Json]:
        """The transformations of a level's array."""
        scale, translation, translated = ome.transforms(before, self._axes)
        factors, moved = (dict(zip("xyz", each, strict=True)) for each in (placed.level.factor, placed.moved))
        there = [translation[axis] + moved.get(axis, 0.0) * scale[axis] for axis in self._axes]
        made: list[Json] = [{"type": "scale", "scale": [scale[axis] * factors.get(axis, 1) for axis in self._axes]}]
        return [*made, {"type": "translation", "translation": there}] if translated or self._says_where else made

    def _starts_at(self, start: Vec3) -> bool:
        """Whether a reader finds the last level where it is, with no more guessing than before."""
        starts, guessed = ome.voxel_offsets(ome.parse(self._attributes, self._stated.axes), self._stated)
        return starts[-1] == start and (self._guessed or not guessed)

    def _next_path(self) -> str:
        """The coarsest level's path with the next free number."""
        numbered = _NUMBERED.fullmatch(self.last)
        stem, number = (numbered[1], int(numbered[2]) + 1) if numbered else (f"{self.last}-", 1)
        while f"{stem}{number}" in self._paths:
            number += 1
        self._paths.add(f"{stem}{number}")
        return f"{stem}{number}"
