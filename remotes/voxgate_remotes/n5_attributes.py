"""Numbers and units in the attributes of N5: lists by axis, sizes of voxels. See `voxgate_remotes.n5_geometry`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate_remotes.ome import NANOMETRES

Attributes = Mapping[str, Any]
Numbers = dict[str, float]
"""Numbers by axis, of x, y and z."""

_UNITS = {**NANOMETRES, "m": 1e9, "cm": 1e7, "micron": 1e3, "microns": 1e3, "nanometers": 1.0, "\u03bcm": 1e3}
_NO_UNIT = ("", "pixel", "pixels", "px", "none", "null")


def resolution_of(attributes: Attributes, axes: str) -> tuple[Numbers | None, Numbers | None]:
    """What attributes say of a voxel's size, and nanometres of its unit; None for what they do not say.

    `resolution` goes before `pixelResolution`, unless only the latter has a unit.

    Raises:
        MetadataInvalid, UnsupportedFormat.
    """
    pixel = attributes.get("pixelResolution")
    if not isinstance(pixel, dict):
        pixel = {"dimensions": pixel}
    stated = {
        "resolution": (attributes.get("resolution"), attributes.get("units")),
        "pixelResolution": (pixel.get("dimensions"), pixel.get("unit")),
    }
    found = [
        (lengths_by_axis(numbers, axes, key), _stated_units(units, axes))
        for key, (numbers, units) in stated.items()
        if numbers is not None
    ]
    return next((each for each in found if each[1]), found[0] if found else (None, None))


def nanometres_of(names: Sequence[object], axes: Sequence[str]) -> Numbers | None:
    """Nanometres of units by axis; None where one is no length.

    Raises:
        UnsupportedFormat: for an unknown unit.
    """
    if any(name is None or str(name).lower() in _NO_UNIT for name in names):
        return None
    for name in names:
        if not isinstance(name, str) or name not in _UNITS:
            raise UnsupportedFormat(f"the unit {json.dumps(name)[:40]} is not known", f"use one of {', '.join(_UNITS)}")
    return {axis: _UNITS[str(name)] for axis, name in zip(axes, names, strict=True)}


def numbers_by_axis(listed: object, axes: str, key: str, missing: float) -> Numbers:
    """A list of numbers, one for each axis or each of x, y and z, by axis; `missing` for z where there is none.

    Raises:
        MetadataInvalid.
    """
    spatial = [axis for axis in axes if axis in "xyz"]
    try:
        if not isinstance(listed, list):
            raise TypeError
        by_axis = dict(zip(axes if len(listed) == len(axes) else spatial, map(finite, listed), strict=True))
    except (TypeError, ValueError):
        raise MetadataInvalid(f"`{key}` is not one number for each axis", "correct `attributes.json`") from None
    return {axis: by_axis.get(axis, missing) for axis in "xyz"}


def lengths_by_axis(listed: object, axes: str, key: str) -> Numbers:
    """Positive numbers, as `numbers_by_axis`.

    Raises:
        MetadataInvalid.
    """
    numbers = numbers_by_axis(listed, axes, key, missing=1.0)
    if min(numbers.values()) <= 0:
        raise MetadataInvalid(f"`{key}` is not positive", "correct `attributes.json`")
    return numbers


def finite(value: object) -> float:
    """A JSON number.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def are_ones(factors: object) -> bool:
    """Whether a dataset's own `downsamplingFactors` say that it is the finest, or nothing."""
    return factors is None or (isinstance(factors, list) and all(factor == 1 for factor in factors))


def are_close(one: Numbers, other: Numbers) -> bool:
    """Whether lengths are equal up to the digits that decimal fractions cost."""
    return all(math.isclose(one[axis], other[axis], rel_tol=1e-6) for axis in one)


def product(one: Numbers, other: Numbers) -> Numbers:
    """Axis by axis."""
    return {axis: one[axis] * other[axis] for axis in one}


def ratio(one: Numbers, other: Numbers) -> Numbers:
    """Axis by axis."""
    return {axis: one[axis] / other[axis] for axis in one}


def _stated_units(units: object, axes: str) -> Numbers | None:
    """Nanometres of a unit for all axes, or a list of them, of all axes or of x, y and z."""
    spatial = [axis for axis in axes if axis in "xyz"]
    if isinstance(units, str):
        return nanometres_of([units] * len(spatial), spatial)
    if not isinstance(units, list):
        return None
    if len(units) == len(axes):
        units = [units[axes.index(axis)] for axis in spatial]
    return nanometres_of(units, spatial) if len(units) == len(spatial) else None
