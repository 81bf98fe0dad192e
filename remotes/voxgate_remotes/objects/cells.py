"""Where the stored chunks of a box lie in its array, and whether one of them may have been absent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box
from voxgate.model.volumes import Scale, Voxels

Starts = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Corners:
    """The first voxels of the parts of a box that lie in one stored chunk each."""

    def __init__(self, box: Box, level: Scale) -> None:
        """Cut a box along its scale's chunks."""
        self._shape = box.shape.zyx
        cells = zip(box.start.zyx, box.stop.zyx, level.stored_chunk_shape.zyx, level.grid_origin.zyx, strict=True)
        z, y, x = (_starts(*axis) for axis in cells)
        self.starts: Starts = (z, y, x)
        """Indices along z, y and x, from the box's start."""

    def any_is_only(self, voxels: Voxels, value: float) -> bool:
        """Whether a part is nothing but one value, in some channel: as an absent chunk is.

        Args:
            voxels: array of shape (c, z, y, x) of the box.
            value: of absent voxels; not a number counts as equal to itself.
        """
        for channel in voxels:
            for where in np.argwhere(_is(channel[np.ix_(*self.starts)], value)):
                if _is_only(channel[self._part(where)], value):
                    return True
        return False

    def _part(self, where: npt.NDArray[np.intp]) -> tuple[slice, ...]:
        """The slices of the part with an index along z, y and x."""
        found = []
        for index, starts, size in zip(where, self.starts, self._shape, strict=True):
            found.append(slice(starts[index], starts[index + 1] if index + 1 < len(starts) else size))
        return tuple(found)


def _starts(first: int, last: int, size: int, origin: int) -> npt.NDArray[np.intp]:
    """Where the cells of a grid start in [first, last), from its start; the first one is cut by it."""
    starts = np.arange(origin + (first - origin) // size * size, last, size, dtype=np.intp) - first
    starts[:1] = 0
    return starts


def _is(voxels: Voxels, value: float) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.isnan(voxels) if np.isnan(value) else voxels == value
    return found


def _is_only(part: Voxels, value: float) -> bool:
    """Plane by plane: most that start with background are not all of it, and that is seen early."""
    return bool(_is(part[-1, -1, -1], value)) and all(bool(_is(plane, value).all()) for plane in part)
