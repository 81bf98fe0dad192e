"""Joining the pieces of one segment's surface: append-only, exact, with memory for the open seams only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import LimitExceeded
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_stream import MeshPiece
from voxgate_mesh.meshers import Surface

_MAX_VERTICES = 2**32 - 1  # face indices are uint32


class SegmentAssembler:
    """Gives vertices of one segment their final numbers, block by block; a vertex shared by blocks gets one."""

    def __init__(self, segment_id: int, region: Box, voxel_size_nm: VoxelSize) -> None:
        """Start with nothing; blocks of `region` come in the order of its plan (z slowest)."""
        self._segment_id = segment_id
        self._size = np.array(tuple(voxel_size_nm), np.float64)
        # Seam vertices are looked up by one integer: their place on the doubled lattice around the region, z slowest.
        self._corner = np.array(tuple(region.start), np.int64) * 2 - 2
        extent = [2 * n + 4 for n in region.shape]
        self._strides = np.array([1, extent[0], extent[0] * extent[1]], np.int64)
        self._codes = np.zeros(0, np.int64)
        self._numbers = np.zeros(0, np.int64)
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
        keys = surface[0] + 2 * np.array(tuple(origin), np.int64)
        planes = [2 * np.array(tuple(end), np.int64) for end in (cells.start, cells.stop)]
        on_seam = np.flatnonzero(((keys == planes[0]) | (keys == planes[1])).any(axis=1))
        codes = (keys[on_seam] - self._corner) @ self._strides
        known, numbers = self._lookup(codes)

        is_new = np.ones(len(keys), bool)
        is_new[on_seam[known]] = False
        number_of = np.cumsum(is_new, dtype=np.int64) + (self.vertex_count - 1)
        number_of[on_seam[known]] = numbers
        self._remember(codes[~known], number_of[on_seam[~known]])

        first = self.vertex_count
        self.vertex_count += int(is_new.sum())
        self.face_count += len(surface[1])
        if self.vertex_count > _MAX_VERTICES:
            raise LimitExceeded(
                f"segment {self._segment_id} has more vertices than a mesh can number",
                "mesh a coarser scale, or pass bounds",
                details={"limit": str(_MAX_VERTICES), "asked": str(self.vertex_count)},
            )
        # Voxel i spans [i, i + 1) voxel sizes, so its centre, key 2 * i, lies at (2 * i + 1) / 2.
        vertices = ((keys[is_new] + 1) * 0.5 * self._size).astype(np.float32)
        return MeshPiece(self._segment_id, first, vertices, number_of[surface[1]].astype(np.uint32))

    def forget_below(self, z: int) -> None:
        """Drop what is remembered of seams below the centre of voxel layer `z`: no later block reaches there."""
        kept = int(np.searchsorted(self._codes, (2 * z - self._corner[2]) * self._strides[2]))
        self._codes, self._numbers = self._codes[kept:], self._numbers[kept:]

    def _lookup(self, codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Which codes are known, and the numbers of those."""
        if not len(self._codes):
            return np.zeros(len(codes), bool), np.zeros(0, np.int64)
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        known = self._codes[places] == codes
        return known, self._numbers[places[known]]

    def _remember(self, codes: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> None:
        if not len(codes):
            return
        codes, numbers = np.concatenate([self._codes, codes]), np.concatenate([self._numbers, numbers])
        order = np.argsort(codes, kind="stable")
        self._codes, self._numbers = codes[order], numbers[order]
