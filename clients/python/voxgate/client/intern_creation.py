"""What `intern.array(…, create_new=True)` says of a new channel, as a VolumeSpec."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import SUPPORTED_DTYPES, ScaleSpec, VolumeKind, VolumeSpec

_NANOMETRES = {"nanometers": 1.0, "micrometers": 1e3, "millimeters": 1e6, "centimeters": 1e7}
"""The units that BossDB's coordinate frames have."""
_IMAGES = ("uint8", "uint16")


@dataclass(frozen=True, slots=True)
class NewChannel:
    """Keywords that speak of a channel to be created; None where nothing was said.

    Attributes:
        dtype: numpy-style.
        extents: voxels: z, y, x.
        voxel_size: z, y, x in `voxel_unit`.
        voxel_unit: one of intern's.
    """

    dtype: npt.DTypeLike | None
    extents: Sequence[int] | None
    voxel_size: Sequence[float] | None
    voxel_unit: str | None

    def check_nothing_said(self) -> None:
        """Check that no channel was described, where none is to be created.

        Raises:
            InvalidArgument: naming what was said.
        """
        for keyword in ("dtype", "extents", "voxel_size", "voxel_unit"):
            if getattr(self, keyword) is not None:
                raise InvalidArgument(
                    f"{keyword} is said of a volume to be created, and none is",
                    "leave it out, or add create_new=True",
                    details={"field": keyword},
                )


def spec_of(new: NewChannel) -> VolumeSpec:
    """The volume that is to be created: one scale that starts at voxel 0.

    Raises:
        InvalidArgument: for what is missing or cannot be meant.
    """
    dtype = _dtype(new.dtype)
    extents = _three(new.extents, "extents", "whole numbers of voxels: z, y, x")
    unit = "nanometers" if new.voxel_unit is None else new.voxel_unit
    if unit not in _NANOMETRES:
        raise InvalidArgument(f"the voxel_unit {unit!r} is unknown", f"say one of {', '.join(_NANOMETRES)}")
    sizes = _three(new.voxel_size, "voxel_size", f"three numbers in {unit}: z, y, x")
    size_z, size_y, size_x = (float(size) * _NANOMETRES[unit] for size in sizes)
    try:
        shape = Vec3.from_zyx((operator.index(extents[0]), operator.index(extents[1]), operator.index(extents[2])))
    except TypeError:
        raise InvalidArgument(f"the extents {new.extents} are no voxels", "give whole numbers: z, y, x") from None
    is_image = dtype.name in _IMAGES or dtype.kind != "u"
    kind = VolumeKind.IMAGE if is_image else VolumeKind.SEGMENTATION
    return VolumeSpec(dtype, kind, (ScaleSpec(Box.at(Vec3(0, 0, 0), shape), VoxelSize(size_x, size_y, size_z)),))


def _dtype(given: npt.DTypeLike | None) -> np.dtype[np.generic]:
    try:
        dtype = np.dtype("uint8" if given is None else given).newbyteorder("<")
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in SUPPORTED_DTYPES:
        names = ", ".join(supported.name for supported in SUPPORTED_DTYPES)
        raise InvalidArgument(f"no volume holds {given!r}", f"use one of {names}", details={"field": "dtype"})
    return dtype


def _three(given: Sequence[float] | None, keyword: str, what: str) -> tuple[Any, Any, Any]:
    """Three positive numbers, Python's or numpy's, in the order given."""
    if given is None:
        raise InvalidArgument(f"create_new needs {keyword}", f"give {what}", details={"field": keyword})
    numbers = tuple(given)
    good = len(numbers) == 3 and all(_is_number(n) and 0 < n < math.inf for n in numbers)
    if not good:
        raise InvalidArgument(f"{keyword} cannot be {given!r}", f"give {what}", details={"field": keyword})
    return numbers[0], numbers[1], numbers[2]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
