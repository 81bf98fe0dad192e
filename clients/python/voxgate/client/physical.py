"""Nanometres and voxels: points, boxes and the choice of a scale. Every triple is in the order x, y, z.

Voxel i spans [i * size, (i + 1) * size) nanometres, so voxel coordinate i maps to its low corner, i * size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import EmptyBox, InvalidArgument, UnknownScale
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Scale

Choice = Literal["exact", "finer", "coarser", "nearest"]
Triple = Sequence[float] | Vec3 | VoxelSize | npt.NDArray[Any]
"""x, y, z."""
Points = Triple | Iterable[Triple]
"""One point, or an array-like of shape (n, 3), columns x, y, z."""

# Quotients of decimal fractions miss whole numbers by rounding only: 0.3 / 0.1 is a hair less than 3. A millionth of
# a voxel is far above float64's rounding for coordinates up to 10**9 voxels and far below anything measured.
_SLACK = 1e-6
# Two voxel sizes are the same where they differ by less than metadata's usual rounding.
_SAME = 1e-6


def as_points(points: Points) -> npt.NDArray[np.float64]:
    """One point as an array of shape (3,), several as (n, 3), columns x, y, z.

    Raises:
        InvalidArgument: for anything that is not three finite numbers a point.
    """
    rows: Any = points
    if isinstance(points, (Vec3, VoxelSize)):
        rows = tuple(points)
    elif not isinstance(points, np.ndarray):
        rows = [tuple(p) if isinstance(p, (Vec3, VoxelSize)) else p for p in points]
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{points!r} is not a list of points", "give x, y, z for each point") from None
    if array.size == 0 and array.ndim == 1:
        array = array.reshape(0, 3)
    if array.ndim not in (1, 2) or array.shape[-1] != 3 or not np.isfinite(array).all():
        raise InvalidArgument(
            f"points of shape {array.shape} are not finite x, y, z", "give x, y, z for each point, shape (3,) or (n, 3)"
        )
    return array


def triple(numbers: Triple) -> tuple[float, float, float]:
    """Exactly one point.

    Raises:
        InvalidArgument: for several points or for none.
    """
    array = as_points(numbers)
    if array.ndim != 1:
        raise InvalidArgument(f"{len(array)} points where one is needed", "give x, y, z")
    x, y, z = array.tolist()
    return (x, y, z)


def floor_voxels(nm: Points, size: VoxelSize) -> npt.NDArray[np.int64]:
    """The voxel that contains each point; points a rounding error below a border count as on it."""
    voxels = as_points(nm) / np.array(tuple(size))
    whole: npt.NDArray[np.int64] = np.floor(voxels + _SLACK).astype(np.int64)
    return whole


def box_between(start_nm: Triple, stop_nm: Triple, size: VoxelSize) -> Box:
    """The smallest box of voxels that contains [start, stop).

    Raises:
        EmptyBox: when stop is not above start on every axis.
    """
    start, stop = triple(start_nm), triple(stop_nm)
    if any(b <= a for a, b in zip(start, stop, strict=True)):
        raise EmptyBox(f"nothing lies between {start} nm and {stop} nm", "give start below stop on each of x, y, z")
    first = [math.floor(a / s + _SLACK) for a, s in zip(start, size, strict=True)]
    last = [math.ceil(b / s - _SLACK) for b, s in zip(stop, size, strict=True)]
    return Box(Vec3(*first), Vec3(*[max(b, a + 1) for a, b in zip(first, last, strict=True)]))


def box_around(point_nm: Triple, size_nm: Triple | float, size: VoxelSize) -> Box:
    """The box of round(size_nm / voxel size) voxels (at least 1) whose middle voxel contains the point.

    Its shape depends on `size_nm` alone, so that boxes around many points stack. Of an even extent, the voxel just
    above the middle contains the point.

    Raises:
        InvalidArgument: when an extent is not positive.
    """
    wanted = triple((size_nm,) * 3 if isinstance(size_nm, (int, float)) else size_nm)
    if min(wanted) <= 0:
        raise InvalidArgument(f"an extent of {wanted} nm is not positive", "give the full extent on each of x, y, z")
    shape = Vec3(*[max(1, round(w / s)) for w, s in zip(wanted, size, strict=True)])
    middle = Vec3(*floor_voxels(triple(point_nm), size).tolist())
    return Box.at(middle - Vec3(shape.x // 2, shape.y // 2, shape.z // 2), shape)


def pick_scale(scales: Sequence[Scale], wanted_nm: Triple, choose: Choice) -> int:
    """The index of the scale whose voxel size answers the wish; scales of unknown voxel size are passed over.

    Args:
        scales: the volume's scales.
        wanted_nm: the voxel size wished for.
        choose: "exact"; "finer": the coarsest scale that is nowhere coarser than the wish; "coarser": the finest
            scale that is nowhere finer; "nearest": the least sum over axes of |log(size / wish)|, finer when equal.

    Raises:
        UnknownScale: when no scale answers; the message lists those there are.
        InvalidArgument: for another `choose` or a size that is not positive.
    """
    wanted = triple(wanted_nm)
    if min(wanted) <= 0:
        raise InvalidArgument(f"a voxel size of {wanted} nm is not positive", "give nanometres along x, y, z")
    known = [(i, scale.voxel_size_nm) for i, scale in enumerate(scales) if scale.voxel_size_nm is not None]
    ratios = {i: [s / w for s, w in zip(size, wanted, strict=True)] for i, size in known}
    # Sorted finest first, whatever the store's order, so that ties go to the finer scale.
    order = sorted(ratios, key=lambda i: (math.prod(ratios[i]), i))
    found = _choosers().get(choose)
    if found is None:
        raise InvalidArgument(f"choose={choose!r} is not a choice", 'use "exact", "finer", "coarser" or "nearest"')
    index = found(order, ratios)
    if index is None:
        raise UnknownScale(f"no scale is {choose} for {_text(wanted)} nm; there is {_listed(scales)}", _remedy(scales))
    return index


_Ratios = dict[int, list[float]]


def _choosers() -> dict[str, Callable[[list[int], _Ratios], int | None]]:
    return {"exact": _exact, "finer": _finer, "coarser": _coarser, "nearest": _nearest}


def _exact(order: list[int], ratios: _Ratios) -> int | None:
    return next((i for i in order if all(abs(r - 1) <= _SAME for r in ratios[i])), None)


def _finer(order: list[int], ratios: _Ratios) -> int | None:
    return next((i for i in reversed(order) if all(r <= 1 + _SAME for r in ratios[i])), None)


def _coarser(order: list[int], ratios: _Ratios) -> int | None:
    return next((i for i in order if all(r >= 1 - _SAME for r in ratios[i])), None)


def _nearest(order: list[int], ratios: _Ratios) -> int | None:
    return min(order, key=lambda i: round(sum(abs(math.log(r)) for r in ratios[i]), 9), default=None)


def _text(size: Iterable[float]) -> str:
    return " x ".join(f"{s:g}" for s in size)


def _listed(scales: Sequence[Scale]) -> str:
    sizes = [
        f"{i}: {_text(s.voxel_size_nm)} nm" if s.voxel_size_nm else f"{i}: unknown size" for i, s in enumerate(scales)
    ]
    return ", ".join(sizes)


def _remedy(scales: Sequence[Scale]) -> str:
    if all(scale.voxel_size_nm is None for scale in scales):
        return "choose with scale(n), or state voxel_size_nm in the remote's configuration"
    return 'use one of these, choose="nearest", or scale(n)'
