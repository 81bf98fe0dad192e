"""Surfaces on the plan's lattice with fewer triangles: border vertices stay, nothing leaves the chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate_mesh.bulk.lattice import Bounds, Faces, Lattice, Points, nanometres, quantized, rounded
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan
from voxgate_mesh.simplifying.collapsing import collapse
from voxgate_mesh.simplifying.distances import longest_sides, target_of
from voxgate_mesh.simplifying.surface import Array, add_planes, list_points, surface_of, write_out
from voxgate_mesh.simplifying.witnessing import Witnesses, bench_for

_MARGIN, _LOOSE = 0.87, 0.15
"""Of the error, and of the usual edge: how much less than the error is aimed at, as much happens between vertices."""
_FAINT = 1e-3
_IDLE = 0.5
"""Of the faces: when fewer collapse in a pass, the next would not be worth its time."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A chunk on the lattice.

    Attributes:
        low: its corner, int64 (3,).
        span: its extent, int64 (3,).
        place_nm: nanometres from one place to the next, float64 (3,).
        planes: int64 (2, 3): on which planes low and high of it other chunks follow; -1 where none does.
    """

    low: Bounds
    span: Bounds
    place_nm: Points
    planes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, plan: MeshPlan, block: LevelBlock) -> Frame:
        """The frame of a chunk of a plan."""
        low, span = plan.frame(block)
        follow = np.array(plan.neighbours(block)).T
        return cls(low, span, plan.place_nm, np.where(follow, np.stack([low, low + span]), -1))

    def integers(self, places: Lattice, bits: int) -> npt.NDArray[np.float32]:
        """Places as they are stored: whole numbers of so many bits."""
        return quantized(places, self.low, self.span, 2**bits - 1)

    @property
    def rounding_nm(self) -> float:
        """How far a place may be from what was rounded to it."""
        return float(np.linalg.norm(self.place_nm)) / 2

    def thinned(self, places: Lattice, faces: Faces, error_nm: float) -> tuple[Lattice, Faces]:
        """A surface with fewer triangles that is at most so far away, the rounding to the lattice included.

        Wherever triangles form a surface they do so afterwards; vertices on an open border keep their places.
        """
        limit = error_nm - self.rounding_nm
        if limit <= 0 or len(faces) <= 4:
            return places, faces
        points, kept = _collapsed(nanometres(places, self.low, self.place_nm), faces.astype(np.int32), limit)
        return rounded(points, self.low, self.span, self.place_nm), kept.astype(np.uint32)


def _collapsed(points: Points, faces: Array, limit: float) -> tuple[Points, Array]:
    """Collapse edges while no witness and no new triangle gets too far."""
    target = target_of(points, faces)
    sides = longest_sides(points, faces)
    edge = float(np.sqrt(sides).mean())
    tolerance = min(_MARGIN * limit, max(limit / 2, limit - _LOOSE * edge))
    surface = surface_of(points.copy(), faces.copy())
    add_planes(surface, _FAINT)
    # Witnesses are all vertices, and the centroids of triangles that are long beside the tolerance.
    used, long = np.flatnonzero(surface.head >= 0), np.flatnonzero(sides > (2 * tolerance) ** 2)
    owner = np.concatenate([surface.head[used] // 3, long])
    centroids = (points[faces[long, 0]] + points[faces[long, 1]] + points[faces[long, 2]]) / 3
    places = np.concatenate([points[used], centroids])
    heads, after = np.full(len(faces), -1, np.int32), np.empty(len(owner), np.int32)
    list_points(owner, heads, after)
    # Triangles that all look to one side need no samples: measured, what lies between witnesses stays in the margin.
    witnesses = Witnesses(places, heads, after, target, max(0.75 * edge, tolerance), True)
    bench, state = bench_for(witnesses), np.array([len(faces), 0], np.int64)
    done = len(faces)
    while done > _IDLE * state[0]:
        done = collapse(surface, witnesses, bench, tolerance, 0, state)
    out, kept = np.empty_like(points), np.empty((int(state[0]), 3), np.int32)
    count = write_out(surface, out, kept)
    return out[:count], kept
