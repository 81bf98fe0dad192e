"""What the planes of a file mean: which page has which time, channel and z, and how large a voxel is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ConfigInvalid, UnsupportedFormat
from voxgate.model.geometry import VoxelSize
from voxgate_remotes.config import VolumeOverrides

_PLANE_AXES = "tcz"
_NM: dict[str, float] = {
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers", "nanometres"), 1.0),
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e7),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
    **dict.fromkeys(("å", "angstrom"), 0.1),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-3),
    **dict.fromkeys(("in", "inch", "inches"), 2.54e7),
}


@dataclass(frozen=True, slots=True)
class Planes:
    """The planes of a volume.

    Attributes:
        pages: int array of shape (t, c, z): the picture that each plane is.
        axes: which of t, c and z the file has, in that order; z always.
        names: of the channels that are planes; empty strings where the file has none.
        voxel_size_nm: nanometres; None where the file does not say all three.
        inferred: what was guessed, by VolumeInfo's names.
    """

    pages: npt.NDArray[np.int64]
    axes: str
    names: tuple[str, ...]
    voxel_size_nm: VoxelSize | None = None
    inferred: tuple[str, ...] = ()


def arranged(letters: str, shape: Sequence[int]) -> npt.NDArray[np.int64]:
    """The pages of planes that follow one another in the order of some axes, slowest first.

    Args:
        letters: of t, c and z, each at most once.
        shape: the extents along them.
    """
    pages = np.arange(math.prod(shape), dtype=np.int64).reshape(tuple(shape))
    order = [letters.index(letter) for letter in _PLANE_AXES if letter in letters]
    pages = pages.transpose(order)
    missing = tuple(place for place, letter in enumerate(_PLANE_AXES) if letter not in letters)
    return np.expand_dims(pages, missing)


def stated_letter(overrides: VolumeOverrides, samples: int) -> str | None:
    """What the operator says the pictures without names of their own follow one another along: t, c or z.

    Raises:
        ConfigInvalid: for axes that pictures cannot have.
    """
    if overrides.axes is None:
        return None
    planes = [letter for letter in overrides.axes if letter in _PLANE_AXES]
    if samples > 1:
        planes = [letter for letter in planes if letter != "c"]
    if overrides.axes.index("y") > overrides.axes.index("x") or len(planes) > 1:
        raise ConfigInvalid(
            f"pictures that follow one another cannot have the axes {overrides.axes!r}", 'state "zyx", "tyx" or "cyx"'
        )
    return planes[0] if planes else "z"


def unnamed(count: int, samples: int, overrides: VolumeOverrides) -> Planes:
    """Pictures that nothing is said about: taken for slices along z, unless the operator says otherwise."""
    letter = stated_letter(overrides, samples)
    return along(letter or "z", count, inferred=("axes",) if letter is None and count > 1 else ())


def along(letter: str, count: int, inferred: tuple[str, ...] = ()) -> Planes:
    """Pictures that follow one another along one axis."""
    names = ("",) * count if letter == "c" else ("",)
    return Planes(arranged(letter, (count,)), "z" if letter == "z" else f"{letter}z", names, inferred=inferred)


def named_axes(letters: str, shape: Sequence[int], where: str) -> tuple[str, tuple[int, ...]]:
    """The axes of planes that have more than one position, each of t, c and z, and their extents.

    Raises:
        UnsupportedFormat: for an axis that cannot be named.
    """
    real = [(letter.lower(), int(extent)) for letter, extent in zip(letters, shape, strict=True) if extent != 1]
    kept = "".join(letter for letter, _ in real)
    if set(kept) - set(_PLANE_AXES) or len(set(kept)) != len(kept):
        raise UnsupportedFormat(
            f"{where} has the axes {letters.upper()} beside y and x, not all of which are times, channels and slices",
            "save it with the axes T, C, Z, Y and X",
        )
    return kept, tuple(extent for _, extent in real)


def nanometres(number: object, unit: object) -> float | None:
    """A length in nanometres; None where the unit is none of length, or the number no positive one."""
    factor = _NM.get(unit.strip().lower()) if isinstance(unit, str) else None
    if factor is None or isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    length = number * factor
    return length if 0 < length < math.inf else None


def voxel_size(x: float | None, y: float | None, z: float | None) -> VoxelSize | None:
    """A voxel size, if all of it is known."""
    return None if x is None or y is None or z is None else VoxelSize(x, y, z)
