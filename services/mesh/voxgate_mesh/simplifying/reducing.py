"""Simplification as it is asked for: how far, how many triangles, with what kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh.simplifying.clustering import clustered
from voxgate_mesh.simplifying.collapsing import collapse
from voxgate_mesh.simplifying.distances import Target, longest_sides, target_of
from voxgate_mesh.simplifying.surface import FREE, Array, add_planes, is_closed, list_points, surface_of, write_out
from voxgate_mesh.simplifying.witnessing import Witnesses, bench_for

_MARGIN = 0.87
"""Of the error that is asked for: what the work aims at at most; points between vertices may be further off."""
_LOOSE = 0.15
"""Of the usual edge: how much less than the error it aims at, because so much happens between vertices."""
_DENSE = 0.6
"""Of the usual edge: from this tolerance on, the vertices are near to one another."""
_FAINT = 1e-3
_IDLE = 0.5
"""Of the faces: when fewer collapse in a pass, the next would not be worth its time."""
_CELL = 3.0
"""Edge of a cluster's cell in tolerances: measured on neurites, finer or coarser leaves more triangles."""
_MOST_FACES = 2**31 // 3 - 1
_Answer = tuple[Array, Array, float]
"""Vertices, faces, and how far these are off."""
_STEPS = 40
_GROWTH = 1.6
_GUESSES = 6
"""Of the tolerance that gives a number of faces."""
_NEARLY = 0.8
"""Of the faces asked for: from here on there are enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Simplified:
    """A surface with fewer triangles.

    Attributes:
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres.
        faces: uint32 array of shape (m, 3), counter-clockwise seen from outside.
        error_nm: how far it is from the given surface: no original vertex is further from the answer, and no vertex of
            the answer nor sample on its faces is further from the original. 0 where nothing was changed.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint32]
    error_nm: float


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """The surface to simplify: float64 places around `origin`, int32 faces, the usual length of an edge."""

    origin: Array
    places: Array
    faces: Array
    edge: float
    target: Target

    @classmethod
    def of(cls, vertices: Array, faces: Array) -> _Given:
        origin = (vertices.min(axis=0).astype(np.float64) + vertices.max(axis=0)) / 2
        places = vertices.astype(np.float64) - origin
        target = target_of(places, faces.astype(np.int32))
        return cls(origin, places, target.faces, float(np.sqrt(longest_sides(places, target.faces)).mean()), target)

    @property
    def size(self) -> float:
        return float(np.linalg.norm(np.ptp(self.places, axis=0)))

    def spacing(self, tolerance: float) -> float:
        """Of samples on the simpler surface, nanometres."""
        return max(0.75 * self.edge, tolerance)

    def tolerance(self, error: float) -> float:
        """How far places that are looked at may be, so that those between are within the error."""
        return min(_MARGIN * error, max(error / 2, error - _LOOSE * self.edge))

    def error(self, tolerance: float) -> float:
        """The error that keeps this tolerance."""
        return max(tolerance / _MARGIN, min(2 * tolerance, tolerance + _LOOSE * self.edge))


def simplify(vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.uint32], wish: Simplification) -> Simplified:
    """Make a surface's triangles fewer.

    "quality" keeps the topology: wherever triangles form a surface (two at each edge, one fan at each vertex), they do
    so afterwards, with the same components and handles. Vertices on a border keep their places, and edges with more
    than two triangles are left alone. "fast" merges vertices: a closed surface stays closed, each directed edge meets
    its opposite, but parts may touch, and an edge may have four triangles. Equal input gives equal output.

    Args:
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres.
        faces: uint32 array of shape (m, 3), counter-clockwise seen from outside.
        wish: how far; `target_face_count` may be missed where `max_error_nm` or the topology leave no choice.

    Raises:
        InvalidArgument: when the wish means nothing, or vertices and faces are no surface.
    """
    wish.check()
    _check(vertices, faces)
    few = wish.target_face_count or 0
    if len(faces) <= few or not len(faces):
        return Simplified(vertices, faces, 0.0)
    given = _Given.of(vertices, faces)
    # A float32 far from the origin is that much off; nobody may promise less.
    rounding = float(np.spacing(np.abs(vertices).max()))
    limit = None if wish.max_error_nm is None else wish.max_error_nm - rounding
    if limit is not None and limit <= 0:
        return Simplified(vertices, faces, 0.0)
    best: _Answer | None = None
    if wish.mode == "fast":
        best = _clustered(given, limit, few)
    if best is None:
        best = _collapsed(given, limit, few)
    places, kept, error = best
    # Divided and multiplied by the same, an error may come out a bit larger than it was asked for.
    told = error + rounding if wish.max_error_nm is None else min(error + rounding, wish.max_error_nm)
    return Simplified((places + given.origin).astype(np.float32), kept.astype(np.uint32), told)


def _check(vertices: Array, faces: Array) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise InvalidArgument("these are no triangles", "vertices have shape (n, 3), faces (m, 3)")
    if len(faces) > _MOST_FACES or len(vertices) > _MOST_FACES:
        raise InvalidArgument(
            f"{len(faces)} triangles are too many", f"simplify at most {_MOST_FACES}, or mesh a scale"
        )
    if len(faces) and (int(faces.max()) >= len(vertices) or int(faces.min()) < 0):
        raise InvalidArgument("a triangle names a vertex that is not there", "mesh the segment again")
    if not np.isfinite(vertices).all():
        raise InvalidArgument("a vertex is not a finite place", "mesh the segment again")


def _tolerances(given: _Given, limit: float | None, few: int) -> Iterator[float]:
    """What to try one after the other until there are few enough faces: the limit at once where no number is asked."""
    last = given.size if limit is None else given.tolerance(limit)
    if few:
        tolerance = given.edge / 4
        for _ in range(_STEPS):
            if tolerance >= last:
                break
            yield tolerance
            tolerance *= _GROWTH
    yield last


def _collapsed(given: _Given, limit: float | None, few: int) -> _Answer:
    """The surface by edge collapse."""
    tolerances = list(_tolerances(given, limit, few))
    surface = surface_of(given.places.copy(), given.faces.copy())
    add_planes(surface, _FAINT)
    witnesses = _witnesses(given, tolerances[-1], surface.head)
    bench = bench_for(witnesses)
    state = np.array([len(given.faces), 0], np.int64)
    reached = 0.0
    for tolerance in tolerances:
        surface.fresh[:] = 1
        reached = tolerance
        witnesses = witnesses._replace(spacing=given.spacing(tolerance), dense=tolerance > _DENSE * given.edge)
        done = len(given.faces)
        while done > _IDLE * state[0] and state[0] > few:
            done = collapse(surface, witnesses, bench, tolerance, few, state)
        if state[0] <= few:
            break
    places, faces = np.empty_like(given.places), np.empty((int(state[0]), 3), np.int32)
    count = write_out(surface, places, faces)
    return places[:count], faces, given.error(reached)


def _witnesses(given: _Given, tolerance: float, head: Array) -> Witnesses:
    """All vertices, and the centroids of triangles that are long beside the tolerance."""
    used = np.flatnonzero(head >= 0)
    long = np.flatnonzero(longest_sides(given.places, given.faces) > (2 * tolerance) ** 2)
    owner = np.concatenate([head[used] // 3, long])
    points = np.concatenate([given.places[used], given.places[given.faces[long]].mean(axis=1)])
    heads = np.full(len(given.faces), -1, np.int32)
    after = np.empty(len(owner), np.int32)
    list_points(owner, heads, after)
    return Witnesses(points, heads, after, given.target, given.spacing(tolerance), False)


def _clustered(given: _Given, limit: float | None, few: int) -> _Answer | None:
    """The surface by merging vertices; None where that leads nowhere."""
    fixed = np.zeros(len(given.places), bool)
    if not is_closed(given.faces):
        fixed = surface_of(given.places, given.faces).held != FREE
    last = given.size if limit is None else given.tolerance(limit)
    best: _Answer | None = None
    low, high = 0.0, last
    tolerance = given.edge / _CELL * math.sqrt(len(given.faces) / few) if few else last
    for _ in range(_GUESSES if few else 0):
        tolerance = tolerance if low < tolerance < high else (low + high) / 2
        answer = _in_cells(given, fixed, tolerance)
        count = len(given.faces) if answer is None else len(answer[1])
        if count <= few:
            best, high = answer, tolerance
        else:
            low = tolerance
        if _NEARLY * few <= count <= few:
            break
        # Triangles are about as many as cells fit on the surface.
        tolerance *= math.sqrt(count / (_NEARLY * few))
    if best is None and few and limit is None:
        return None  # cells keep what is thinner than they are, and so do not get few enough
    return best or _in_cells(given, fixed, last)


def _in_cells(given: _Given, fixed: Array, tolerance: float) -> _Answer | None:
    answer = clustered(given.target, fixed, tolerance * _CELL, tolerance, given.spacing(tolerance))
    return None if answer is None else (*answer, given.error(tolerance))
