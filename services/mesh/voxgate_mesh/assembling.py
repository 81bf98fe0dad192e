"""Joining the pieces of one segment's surface: append-only, exact, with memory for the open seams only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import LimitExceeded
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_facts import MeshStatistics
from voxgate.model.mesh_stream import MeshPiece
from voxgate_blocks.compiled import compiled
from voxgate_mesh.measuring import Sums, statistics_of, sums_of
from voxgate_mesh.meshers import Surface

_MAX_VERTICES = 2**32 - 1  # face indices are uint32

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Room for what `_numbered` writes: the number of each vertex, the new ones' places, and all of them to measure."""

    numbers: Integers
    vertices: npt.NDArray[np.float32]
    points: npt.NDArray[np.float64]


class SegmentAssembler:
    """Gives vertices of one segment their final numbers, block by block; a vertex shared by blocks gets one."""

    def __init__(self, segment_id: int, region: Box, voxel_size_nm: VoxelSize) -> None:
        """Start with nothing; blocks of `region` come in the order of its plan (z slowest)."""
        self._segment_id = segment_id
        # Voxel i spans [i, i + 1) voxel sizes, so its centre, key 2 * i, lies at (2 * i + 1) / 2.
        self._half = np.array(tuple(voxel_size_nm), np.float64) / 2
        # Seam vertices are looked up by one integer: their place on the doubled lattice around the region, z slowest.
        self._corner = np.array(tuple(region.start), np.int64) * 2 - 2
        extent = [2 * n + 4 for n in region.shape]
        self._strides = np.array([1, extent[0], extent[0] * extent[1]], np.int64)
        self._codes = np.zeros(0, np.int64)
        self._numbers = np.zeros(0, np.int64)
        self._sums = Sums()
        self._extent = np.array([[2**62] * 3, [-(2**62)] * 3], np.int64)  # least and greatest key
        self.vertex_count = 0
        self.face_count = 0

    def add(self, surface: Surface, origin: Vec3, cells: Box) -> MeshPiece:
        """Append a block's surface.

        Args:
            surface: keys relative to the voxel `origin`, and faces.
            origin: global voxel coordinates.
            cells: the voxel centres between which the block's cells lie, both ends inside; vertices on these planes
                may belong to other blocks too.

        Raises:
            LimitExceeded: when the segment has more vertices than face indices can name.
        """
        keys, corners = surface
        first = self.vertex_count
        made = _Outcome(
            np.empty(len(keys), np.int64), np.empty((len(keys), 3), np.float32), np.empty((len(keys), 3), np.float64)
        )
        count = self._number(keys, origin, cells, made)
        self.vertex_count += count
        self.face_count += len(corners)
        if self.vertex_count > _MAX_VERTICES:
            raise LimitExceeded(
                f"segment {self._segment_id} has more vertices than a mesh can number",
                "mesh a coarser scale, or pass bounds",
                details={"limit": str(_MAX_VERTICES), "asked": str(self.vertex_count)},
            )
        # All pieces are measured from one place, near them: far away, volumes would be lost in rounding.
        self._sums += sums_of(made.points, corners, made.numbers)
        return MeshPiece(self._segment_id, first, made.vertices[:count], _renumbered(corners, made.numbers))

    def statistics(self, voxel_count: int) -> MeshStatistics:
        """What is measured of the surface so far; sums over triangles as they are, not as float32 rounds them."""
        low, high = (self._extent + 1) * self._half
        return statistics_of(self._sums, (low, high), self.face_count > 0, voxel_count)

    def forget_below(self, z: int) -> None:
        """Drop what is remembered of seams below the centre of voxel layer `z`: no later block reaches there."""
        kept = int(np.searchsorted(self._codes, (2 * z - self._corner[2]) * self._strides[2]))
        self._codes, self._numbers = self._codes[kept:], self._numbers[kept:]

    def _number(self, keys: npt.NDArray[np.int32], origin: Vec3, cells: Box, made: _Outcome) -> int:
        """Fill `made`, and remember the new vertices on seams; the number of new vertices."""
        if not len(keys):
            return 0
        ends = [2 * np.array(tuple(end), np.int64) for end in (cells.start, cells.stop)]
        shift = 2 * np.array(tuple(origin), np.int64)
        frame = np.stack([shift, *ends, self._corner, self._strides])
        known = (self._codes, self._numbers)
        outcome = (made.numbers, made.vertices, made.points, self._extent)
        count, codes, numbers = _numbered(keys, (frame, self._half), known, self.vertex_count, outcome)
        self._remember(codes, numbers)
        return int(count)

    def _remember(self, codes: Integers, numbers: Integers) -> None:
        if not len(codes):
            return
        codes, numbers = np.concatenate([self._codes, codes]), np.concatenate([self._numbers, numbers])
        order = np.argsort(codes, kind="stable")
        self._codes, self._numbers = codes[order], numbers[order]


@compiled
def _numbered(
    keys: npt.NDArray[np.int32],
    frame: tuple[Integers, npt.NDArray[np.float64]],
    known: tuple[Integers, Integers],
    first: int,
    made: tuple[Integers, npt.NDArray[np.float32], npt.NDArray[np.float64], Integers],
) -> tuple[int, Integers, Integers]:
    """Number the vertices of a block.

    Args:
        keys: int32 array of shape (n, 3).
        frame: int64 array of shape (5, 3): what to add to keys, the planes of the low and of the high seams, the corner
            and the strides of codes; and half a voxel's size.
        known: codes of seam vertices, ascending, and their numbers.
        first: the first new number.
        made: written: number of each vertex, float32 places of the new ones in nanometres, of all of them from the
            corner, float64; and the least and greatest key, widened.

    Returns:
        The number of new vertices, and codes and numbers of those on seams.
    """
    places, half = frame
    codes, numbers = known
    shift, low, high, corner, strides = places[0], places[1], places[2], places[3], places[4]
    seam_codes, seam_numbers = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    seams = count = 0
    for row in range(len(keys)):
        on_seam, code = False, 0
        for axis in range(3):
            key = keys[row, axis] + shift[axis]
            on_seam |= key == low[axis] or key == high[axis]
            code += (key - corner[axis]) * strides[axis]
            made[3][0, axis] = min(made[3][0, axis], key)
            made[3][1, axis] = max(made[3][1, axis], key)
            made[2][row, axis] = (key - corner[axis]) * half[axis]
        if on_seam:
            at = np.searchsorted(codes, code)
            if at < len(codes) and codes[at] == code:
                made[0][row] = numbers[at]
                continue
            seam_codes[seams], seam_numbers[seams] = code, first + count
            seams += 1
        made[0][row] = first + count
        for axis in range(3):
            made[1][count, axis] = (keys[row, axis] + shift[axis] + 1) * half[axis]
        count += 1
    return count, seam_codes[:seams].copy(), seam_numbers[:seams].copy()


@compiled
def _renumbered(faces: npt.NDArray[np.uint32], numbers: Integers) -> npt.NDArray[np.uint32]:
    """Faces by the segment's numbers."""
    renumbered = np.empty_like(faces)
    for row in range(len(faces)):
        for corner in range(3):
            renumbered[row, corner] = numbers[faces[row, corner]]
    return renumbered
