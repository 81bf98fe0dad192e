"""OME-NGFF multiscales metadata (0.4 in Zarr v2, 0.5 in Zarr v3): axes, levels, physical geometry, channel names.

Format: ngff.openmicroscopy.org, versions 0.4 and 0.5. Geometry there is physical and per level (scale, translation);
ours has integer voxel offsets. `voxgate` attributes of an array, which our own writer adds, state them exactly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import ConfigContradictsStore, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import Channel
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.ome_channels import channels_of

NANOMETRES = {
    "angstrom": 0.1,
    "picometer": 1e-3,
    "nanometer": 1.0,
    "micrometer": 1e3,
    "millimeter": 1e6,
    "centimeter": 1e7,
    "meter": 1e9,
    "nm": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "mm": 1e6,
}
"""Of the length units of the specification those that microscopes use, and common short forms."""

_NAMES = {"channel": "c", "time": "t"}
_TOLERANCE = 1e-3
"""How far from a whole number of voxels a translation may be: units and decimal fractions cost some digits."""


@dataclass(frozen=True, slots=True)
class Multiscale:
    """The first multiscale image of a group.

    Attributes:
        axes: letters of t c z y x in the arrays' order.
        paths: the arrays' paths in the group, finest first.
        scales: physical extent of a voxel by level and axis, in the axis's unit.
        translations: physical position of voxel 0 by level and axis.
        has_translation: whether any is stated.
        nanometres: nanometres of the unit of x, y and z; None where one has no unit.
        channels: from `omero`; empty where it says nothing.
    """

    axes: str
    paths: tuple[str, ...]
    scales: tuple[Mapping[str, float], ...]
    translations: tuple[Mapping[str, float], ...]
    has_translation: bool
    nanometres: Mapping[str, float] | None
    channels: tuple[Channel, ...]


def multiscales_of(attributes: Mapping[str, Any]) -> list[Any] | None:
    """The `multiscales` list of a group's attributes, wherever the version keeps it; None where there is none."""
    ome = attributes.get("ome")
    holder = ome if isinstance(ome, dict) else attributes
    found = holder.get("multiscales")
    return found if isinstance(found, list) and found else None


def parse(attributes: Mapping[str, Any], stated_axes: str | None) -> Multiscale:
    """Parse a group's attributes.

    Args:
        attributes: `.zattrs` of Zarr v2, or `attributes` of Zarr v3's zarr.json.
        stated_axes: the operator's, used where the metadata (before 0.4) names none.

    Raises:
        MetadataInvalid: when they do not follow the specification.
        UnsupportedFormat: for axes, units or transformations that cannot be expressed here.
        ConfigContradictsStore: when the operator states other axes.
    """
    multiscales = multiscales_of(attributes)
    if multiscales is None:
        raise MetadataInvalid("the group has no multiscales", "compare its attributes with the OME-NGFF specification")
    try:
        first = multiscales[0]
        described = first.get("axes") or list(stated_axes or "")
        axes = axes_from_names([_axis_name(axis) for axis in described])
        datasets = first["datasets"]
        outer = transforms(first.get("coordinateTransformations"), axes)
        inner = [transforms(dataset.get("coordinateTransformations"), axes) for dataset in datasets]
        paths = tuple(str(dataset["path"]) for dataset in datasets)
        nanometres = _nanometres([axis for axis in described if isinstance(axis, dict)], axes)
        channels = channels_of(attributes)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        raise MetadataInvalid(
            "the multiscales attributes do not follow OME-NGFF", "compare them with the specification"
        ) from None
    if stated_axes is not None and stated_axes != axes:
        raise ConfigContradictsStore(
            f"the configuration states axes {stated_axes}, the store says {axes}", "remove the key"
        )
    if not paths:
        raise MetadataInvalid("the multiscales attributes list no level", "compare them with the specification")
    return Multiscale(
        axes=axes,
        paths=paths,
        scales=tuple({a: level[0][a] * outer[0][a] for a in axes} for level in inner),
        translations=tuple({a: level[1][a] * outer[0][a] + outer[1][a] for a in axes} for level in inner),
        has_translation=any(level[2] for level in (*inner, outer)),
        nanometres=nanometres,
        channels=channels,
    )


def axes_from_names(names: Sequence[str | None]) -> str:
    """Axis letters from the names a store gives its dimensions.

    Raises:
        UnsupportedFormat: unless each is one of t c z y x, once, x and y among them.
    """
    letters = [_NAMES.get(str(name).lower(), str(name).lower()) for name in names]
    if len(set(letters)) != len(letters) or not {"x", "y"} <= set(letters) <= set("tczyx"):
        raise UnsupportedFormat(
            f"the axes {json.dumps(list(names))} cannot all be named as t, c, z, y, x",
            'state `axes` for this volume in the configuration, e.g. axes = "czyx"',
        )
    return "".join(letters)


def voxel_sizes(multiscale: Multiscale, stated: tuple[float, float, float] | None) -> list[VoxelSize | None]:
    """Each level's voxel size in nm; None where no unit is known and the operator states no size."""
    axes = [axis for axis in "xyz" if axis in multiscale.axes]
    if len(axes) == 3 and multiscale.nanometres is not None:
        unit = multiscale.nanometres
        return [VoxelSize(*(scale[a] * unit[a] for a in axes)) for scale in multiscale.scales]
    if stated is None:
        return [None] * len(multiscale.scales)
    finest = multiscale.scales[0]
    ratios = [[scale[a] / finest[a] if a in axes else 1.0 for a in "xyz"] for scale in multiscale.scales]
    return [VoxelSize(*(s * r for s, r in zip(stated, ratio, strict=True))) for ratio in ratios]


def voxel_offsets(multiscale: Multiscale, overrides: VolumeOverrides) -> tuple[list[Vec3], bool]:
    """Each level's voxel offset, and whether something about them is inferred.

    A translation is the position of voxel 0's corner, or of its centre where the levels were made by averaging (then
    a level of factor k is translated by (k - 1) / 2 voxels of the finest more). Whichever makes all offsets whole is
    taken; where neither does (an offset that a factor does not divide), offsets are rounded down and inferred.

    Raises:
        UnsupportedFormat: when the finest level does not start at a whole voxel and the operator does not say where.
    """
    levels = range(len(multiscale.scales))
    origin = _finest_offset(multiscale, overrides)
    by_corner = [_level_offset(multiscale, origin, level, 0.0) for level in levels]
    by_centre = [_level_offset(multiscale, origin, level, 0.5) for level in levels]
    for candidate in (by_corner, by_centre):
        if all(abs(number - round(number)) <= _TOLERANCE for offset in candidate for number in offset):
            unsaid = not multiscale.has_translation and overrides.voxel_offset is None
            return [Vec3(*(round(number) for number in offset)) for offset in candidate], unsaid
    return [Vec3(*(math.floor(number + _TOLERANCE) for number in offset)) for offset in by_corner], True


def _finest_offset(multiscale: Multiscale, overrides: VolumeOverrides) -> list[float]:
    scale, translation = multiscale.scales[0], multiscale.translations[0]
    offset = [translation[a] / scale[a] if a in multiscale.axes else 0.0 for a in "xyz"]
    stated = overrides.voxel_offset
    if stated is not None:
        if multiscale.has_translation and any(abs(a - b) >= 1 for a, b in zip(offset, stated, strict=True)):
            raise ConfigContradictsStore(
                f"the configuration states voxel_offset {list(stated)}, the store says {offset}", "remove the key"
            )
        return [float(number) for number in stated]
    if any(abs(number - round(number)) > _TOLERANCE for number in offset):
        raise UnsupportedFormat(
            f"the volume's translation is not a whole number of voxels (x, y, z: {offset})",
            "state `voxel_offset` for this volume in the configuration",
        )
    return [float(round(number)) for number in offset]


def _level_offset(multiscale: Multiscale, origin: list[float], level: int, centre: float) -> list[float]:
    """A level's offset in its own voxels; the finest one's is `origin`; `centre` is 0.5 where centres are stated."""
    first, scale = multiscale.scales[0], multiscale.scales[level]
    here, there = multiscale.translations[level], multiscale.translations[0]
    return [
        (start * first[a] + here[a] - there[a] - centre * (scale[a] - first[a])) / scale[a]
        if a in multiscale.axes
        else 0.0
        for a, start in zip("xyz", origin, strict=True)
    ]


def _axis_name(axis: Any) -> str:
    """An axis's letter: by its type where that decides, because a channel axis may have any name."""
    if isinstance(axis, dict):
        return str(axis["type"]) if axis.get("type") in _NAMES else str(axis["name"])
    return str(axis)


def transforms(listed: Any, axes: str) -> tuple[dict[str, float], dict[str, float], bool]:
    """The scale and translation of a list of transformations, and whether a translation is among them.

    Raises:
        UnsupportedFormat: for another transformation.
        MetadataInvalid: for numbers that are not positive and finite.
    """
    scale, translation, translated = dict.fromkeys(axes, 1.0), dict.fromkeys(axes, 0.0), False
    for transform in listed or []:
        kind = transform["type"]
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or kind not in transform:
            raise UnsupportedFormat(f"the transformation {json.dumps(kind)} is not supported", "use scale, translation")
        numbers = dict(zip(axes, map(float, transform[kind]), strict=True))
        if not all(math.isfinite(number) for number in numbers.values()):
            raise ValueError(kind)
        if kind == "scale":
            if min(numbers.values()) <= 0:
                raise ValueError(kind)
            scale = {a: scale[a] * numbers[a] for a in axes}
            translation = {a: translation[a] * numbers[a] for a in axes}
        else:
            translated = True
            translation = {a: translation[a] + numbers[a] for a in axes}
    return scale, translation, translated


def _nanometres(described: list[dict[str, Any]], axes: str) -> dict[str, float] | None:
    """Nanometres of each spatial axis's unit; None where one has none.

    Raises:
        UnsupportedFormat: for an unknown unit.
    """
    units = {_axis_name(axis): axis.get("unit") for axis in described}
    found: dict[str, float] = {}
    for axis in axes:
        if axis not in "xyz":
            continue
        unit = units.get(axis)
        if unit is None:
            return None
        if unit not in NANOMETRES:
            raise UnsupportedFormat(f"the unit {json.dumps(unit)} is not known", f"use one of {', '.join(NANOMETRES)}")
        found[axis] = NANOMETRES[unit]
    return found
