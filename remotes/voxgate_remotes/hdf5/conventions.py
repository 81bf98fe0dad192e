"""What the attributes around a dataset say of its axes, voxel size and place.

- CREMI (cremi.org/data): `volumes/raw`, `volumes/labels/…`: axes z, y, x; attributes `resolution`, and `offset` where
  the volume is part of a larger one, in nanometres in the same order. Labels are segment ids.
- ilastik: the attribute `axistags`, JSON of vigra's AxisTags: {"axes": [{"key": "t"}, …]}, in the dataset's order.
- HDF5's own dimension labels; `axis_names` of funlib, whose channel axes end in "^".
- `element_size_um` of Fiji's HDF5 plugin and ilastik: micrometres, always z, y, x.
- `resolution` or `voxel_size`, with `offset` and `unit` or `units`, otherwise: one number for each spatial axis, in the
  dataset's order. Without a unit they are taken for nanometres, and reported as inferred.

Three axes that nobody names are taken for z, y, x and reported as inferred; others are refused, never sliced.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.errors import ConfigContradictsStore, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5.files import Object, described

_LETTERS = {"channel": "c", "channels": "c", "c^": "c", "channel^": "c", "time": "t"}
_NANOMETRES = {
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "nanometre": 1.0,
    "nanometres": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "angstrom": 0.1,
}
_WHOLE = 1e-3
"""How far from a whole number of voxels an offset may be: decimal fractions cost some digits."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """What is known of a dataset beside its voxels.

    Attributes:
        axes: letters of t c z y x, in the dataset's order.
        start: global coordinates of its first voxel.
        voxel_size_nm: None where nobody says.
        kind: what the voxels mean.
        inferred: what of it was guessed.
    """

    axes: str
    start: Vec3
    voxel_size_nm: VoxelSize | None
    kind: VolumeKind
    inferred: tuple[str, ...]


def conventions_of(dataset: Object, path: tuple[str, ...], overrides: VolumeOverrides) -> Conventions:
    """What the file and the operator say of a dataset.

    Raises:
        UnsupportedFormat: for an axis that nobody names, an unknown unit, an offset of no whole voxels.
        ConfigContradictsStore: when the operator says something else than the file.
        MetadataInvalid: for attributes that say nothing sensible.
    """
    is_cremi = path[0] == "volumes" and _has(dataset, "resolution")
    axes, guessed = _axes(dataset, overrides.axes, is_cremi)
    spatial = [axis for axis in axes if axis in "zyx"]
    size, size_is_sure = _voxel_size(dataset, spatial, is_cremi, overrides)
    start, start_is_sure = _start(dataset, spatial, is_cremi, overrides)
    inferred = [
        *(["axes"] if guessed else []),
        *([] if size is None or size_is_sure else ["voxel_size_nm"]),
        *([] if start_is_sure else ["voxel_offset"]),
    ]
    return Conventions(axes, start, size, _kind(dataset, path, is_cremi), tuple(inferred))


def _kind(dataset: Object, path: tuple[str, ...], is_cremi: bool) -> VolumeKind:
    if is_cremi and path[1:] == ("raw",):
        return VolumeKind.IMAGE
    is_labels = is_cremi and path[1:2] == ("labels",) and dataset.dtype.kind in "iu"
    return VolumeKind.SEGMENTATION if is_labels else VolumeKind.UNKNOWN


def _axes(dataset: Object, stated: str | None, is_cremi: bool) -> tuple[str, bool]:
    """The axes, and whether they are a guess."""
    rank = len(dataset.shape)
    names = _axis_names(dataset)
    if names is None and is_cremi and rank == 3:
        names = ["z", "y", "x"]
    axes = None if names is None else _letters(names)
    if axes is not None and stated is not None and stated != axes:
        raise ConfigContradictsStore(f"the configuration states axes {stated}, the store says {axes}", "remove the key")
    if axes is None and names is not None and stated is None:
        raise UnsupportedFormat(
            f"the axes {json.dumps(names)} cannot all be named as t, c, z, y, x",
            'state `axes` for this volume in the configuration, e.g. axes = "czyx"',
        )
    axes = axes or stated
    if axes is None:
        if rank != 3:
            raise UnsupportedFormat(
                f"the dataset has {rank} axes without names",
                'state `axes` for it in the configuration, e.g. axes = "czyx"',
            )
        return "zyx", True
    if len(axes) != rank:
        raise UnsupportedFormat(
            f"the dataset has {rank} axes, {len(axes)} are named ({axes})",
            "name each of them in `axes`, in the dataset's order",
        )
    return axes, False


def _axis_names(dataset: Object) -> list[str] | None:
    """The names that the file gives, empty ones included; None where it gives none."""
    tags = _text(dataset, "axistags")
    if tags is not None:
        try:
            return [str(axis["key"]) for axis in json.loads(tags)["axes"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise MetadataInvalid("the attribute `axistags` is not ilastik's JSON", "correct or remove it") from None
    names = _texts(dataset, "axis_names")
    if names is not None:
        return names
    # Not through the library's own call for labels: it ends the process on a damaged file (HDF5 2.0).
    labels = _texts(dataset, "DIMENSION_LABELS")
    return labels if labels is not None and any(labels) else None


def _letters(names: list[str]) -> str | None:
    """The axes of names; None where one cannot be told."""
    lower = [name.strip().lower() for name in names]
    letters = [_LETTERS.get(name, name) for name in lower]
    known = all(letter and letter in "tczyx" and len(letter) == 1 for letter in letters)
    return "".join(letters) if known and len(set(letters)) == len(letters) and {"x", "y"} <= set(letters) else None


def _voxel_size(
    dataset: Object, spatial: list[str], is_cremi: bool, overrides: VolumeOverrides
) -> tuple[VoxelSize | None, bool]:
    """The voxel size, and whether it is sure: said by the file with its unit, or by the operator."""
    stated = None if overrides.voxel_size_nm is None else VoxelSize(*overrides.voxel_size_nm)
    micrometres = _numbers(dataset, "element_size_um", 3)
    if micrometres is not None:
        z, y, x = (number * 1e3 for number in micrometres)
        return _checked_size(VoxelSize(x, y, z), stated), True
    found = _resolution(dataset, spatial)
    if found is None or "z" not in found:
        return stated, True
    unit = 1.0 if is_cremi else _unit(dataset, stated is not None)
    if unit is None and stated is not None:
        return stated, True
    size = VoxelSize(*(found[axis] * (unit or 1.0) for axis in "xyz"))
    return _checked_size(size, stated), unit is not None


def _checked_size(size: VoxelSize, stated: VoxelSize | None) -> VoxelSize:
    if all(0 < number < math.inf for number in size):
        return size
    if stated is None:
        raise MetadataInvalid(
            f"the voxel size (x, y, z) {list(size)} is not three positive numbers",
            "correct the attribute, or state `voxel_size_nm` for this volume in the configuration",
        )
    return stated


def _unit(dataset: Object, is_stated: bool) -> float | None:
    """Nanometres of the unit that the file states, the same on each axis; None where it states none.

    Raises:
        UnsupportedFormat: for another unit, unless the operator states the voxel size.
    """
    names = _texts(dataset, "units") or _texts(dataset, "unit") or []
    units = {name.strip().lower() for name in names if name.strip()}
    if not units:
        return None
    if len(units) == 1 and units <= set(_NANOMETRES):
        return _NANOMETRES[units.pop()]
    if is_stated:
        return None
    raise UnsupportedFormat(
        f"the units {json.dumps(sorted(units))} are not one known length",
        "state `voxel_size_nm` for this volume in the configuration",
    )


def _start(dataset: Object, spatial: list[str], is_cremi: bool, overrides: VolumeOverrides) -> tuple[Vec3, bool]:
    """Global coordinates of the first voxel, and whether they are sure."""
    stated = overrides.voxel_offset
    offset = _by_axis(dataset, "offset", spatial)
    if offset is None:
        return Vec3(*(stated or (0, 0, 0))), stated is not None
    size = _resolution(dataset, spatial)
    if size is None or any(size[axis] == 0 for axis in offset):
        # Voxels or lengths, of which unit: nobody says.
        if stated is None and any(offset.values()):
            raise UnsupportedFormat(
                "the attribute `offset` has no `resolution` beside it, so its unit is not known",
                "state `voxel_offset` for this volume in the configuration",
            )
        return Vec3(*(stated or (0, 0, 0))), stated is not None
    voxels = [offset[axis] / size[axis] if axis in offset else 0.0 for axis in "xyz"]
    if stated is not None:
        if is_cremi and any(abs(a - b) >= 1 for a, b in zip(voxels, stated, strict=True)):
            raise ConfigContradictsStore(
                f"the configuration states voxel_offset {list(stated)}, the store says {voxels}", "remove the key"
            )
        return Vec3(*stated), True
    if any(not math.isfinite(number) or abs(number - round(number)) > _WHOLE for number in voxels):
        raise UnsupportedFormat(
            f"the volume's offset is not a whole number of voxels (x, y, z: {voxels})",
            "state `voxel_offset` for this volume in the configuration",
        )
    return Vec3(*(round(number) for number in voxels)), is_cremi


def _resolution(dataset: Object, spatial: list[str]) -> dict[str, float] | None:
    found = _by_axis(dataset, "resolution", spatial)
    return found if found is not None else _by_axis(dataset, "voxel_size", spatial)


def _by_axis(dataset: Object, name: str, spatial: list[str]) -> dict[str, float] | None:
    """An attribute with one number for each spatial axis, in the dataset's order; None where it is not there."""
    found = _numbers(dataset, name, len(spatial))
    return None if found is None else dict(zip(spatial, found, strict=True))


def _has(dataset: Object, name: str) -> bool:
    with described(f"the attribute {name!r}"):
        return name in dataset.attrs


def _value(dataset: Object, name: str) -> Any:
    if not _has(dataset, name):
        return None
    with described(f"the attribute {name!r}"):
        return dataset.attrs[name]


def _numbers(dataset: Object, name: str, count: int) -> list[float] | None:
    """The numbers of an attribute; None where it is not there.

    Raises:
        MetadataInvalid: when it is something else than `count` numbers.
    """
    value = _value(dataset, name)
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.size != count:
        raise MetadataInvalid(f"the attribute `{name}` is not {count} numbers", "correct or remove it")
    return [float(number) for number in array.ravel()]


def _texts(dataset: Object, name: str) -> list[str] | None:
    """The words of an attribute, one or several; None where it is not there or has no words."""
    value = _value(dataset, name)
    if value is None:
        return None
    words = np.asarray(value, object).ravel().tolist()
    said = [word.decode(errors="replace") if isinstance(word, bytes) else word for word in words]
    return said if said and all(isinstance(word, str) for word in said) else None


def _text(dataset: Object, name: str) -> str | None:
    words = _texts(dataset, name)
    return words[0] if words is not None and len(words) == 1 else None
