"""How far points are from a surface. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxgate_blocks.compiled import compiled, lean
from voxgate_mesh.simplifying.surface import Array

_MOST_CUTS = 100
"""Of a triangle's side."""


@lean
def along(  # noqa: PLR0913, PLR0917  (nine numbers stay in registers, an array would not)
    ux: float, uy: float, uz: float, vx: float, vy: float, vz: float, x: float, y: float, z: float
) -> float:
    """Squared distance from x, y, z to the triangle of 0, u and v."""
    aa, ab, bb = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    d1, d2, pp = ux * x + uy * y + uz * z, vx * x + vy * y + vz * z, x * x + y * y + z * z
    s, t, det = d1 * bb - d2 * ab, d2 * aa - d1 * ab, aa * bb - ab * ab
    if det > 0 and s >= 0 and t >= 0 and s + t <= det:
        s, t = s / det, t / det
        return max(pp - 2 * (s * d1 + t * d2) + s * s * aa + 2 * s * t * ab + t * t * bb, 0.0)
    if d1 <= 0 and d2 <= 0:
        return pp
    r = min(max(d1, 0.0), aa) / aa if aa > 0 else 0.0
    best = pp - 2 * r * d1 + r * r * aa
    r = min(max(d2, 0.0), bb) / bb if bb > 0 else 0.0
    best = min(best, pp - 2 * r * d2 + r * r * bb)
    cc, dc = aa + bb - 2 * ab, (d2 - ab) - (d1 - aa)
    r = min(max(dc, 0.0), cc) / cc if cc > 0 else 0.0
    return max(min(best, pp - 2 * d1 + aa - 2 * r * dc + r * r * cc), 0.0)


@lean
def to_triangle(places: Array, faces: Array, f: int, x: float, y: float, z: float) -> float:
    """Squared distance from x, y, z to a triangle."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ox, oy, oz = places[a, 0], places[a, 1], places[a, 2]
    ux, uy, uz = places[b, 0] - ox, places[b, 1] - oy, places[b, 2] - oz
    vx, vy, vz = places[c, 0] - ox, places[c, 1] - oy, places[c, 2] - oz
    return along(ux, uy, uz, vx, vy, vz, x - ox, y - oy, z - oz)


@lean
def _slot(i: int, j: int, k: int, mask: int) -> int:
    h = i * 73856093 ^ j * 19349663 ^ k * 83492791
    h ^= h >> 15
    return h & mask


@lean
def _span(places: Array, faces: Array, f: int, edge: float, span: Array) -> None:
    """Write the first and last cell along each axis that a triangle's box touches."""
    for axis in range(3):
        a, b, c = places[faces[f, 0], axis], places[faces[f, 1], axis], places[faces[f, 2], axis]
        span[axis, 0] = np.int64(np.floor(min(a, b, c) / edge))
        span[axis, 1] = np.int64(np.floor(max(a, b, c) / edge))


@compiled
def _listed(places: Array, faces: Array, edge: float, mask: int) -> tuple[Array, Array]:
    """Triangles by slot of cell: where each slot ends, and the triangles."""
    ends = np.zeros(mask + 2, np.int64)
    entries = np.empty(0, np.int32)
    span = np.empty((3, 2), np.int64)
    for turn in range(2):
        for f in range(len(faces)):
            _span(places, faces, f, edge, span)
            for i in range(span[0, 0], span[0, 1] + 1):
                for j in range(span[1, 0], span[1, 1] + 1):
                    for k in range(span[2, 0], span[2, 1] + 1):
                        slot = _slot(i, j, k, mask)
                        if turn == 0:
                            ends[slot + 1] += 1
                        else:
                            entries[ends[slot]] = f
                            ends[slot] += 1
        if turn == 0:
            for slot in range(mask + 1):
                ends[slot + 1] += ends[slot]
            entries = np.empty(ends[mask + 1], np.int32)
    return ends, entries


@lean
def _gap(step: int, cell: int, edge: float, x: float) -> float:
    """From x, in `cell`, to the cell `step` further, along one axis."""
    if step > 0:
        return (cell + step) * edge - x
    if step < 0:
        return x - (cell + step + 1) * edge
    return 0.0


class Target(NamedTuple):
    """A surface to which distances are asked, its triangles listed by cell.

    Attributes:
        places: float64 (n, 3).
        faces: int32 (m, 3).
        ends: int64, where each slot of cells ends in `entries`.
        entries: int32, triangles.
        edge: of a cell, nanometres.
        rings: after how many cells there is nothing more.
    """

    places: Array
    faces: Array
    ends: Array
    entries: Array
    edge: float
    rings: int


def target_of(places: Array, faces: Array) -> Target:
    """List a surface's triangles; at least one."""
    sides = np.sqrt(longest_sides(places, faces))
    # Cells that hold a few usual triangles, and never so fine that a long one is listed in thousands of them.
    edge = max(1.0 * float(sides.mean()), float(sides.max()) / 30) or 1.0
    size = 1 << max(10, (2 * len(faces)).bit_length())
    rings = int(np.ptp(places, axis=0).max() / edge) + 2
    return Target(places, faces, *_listed(places, faces, edge, size - 1), edge, rings)


@compiled
def longest_sides(places: Array, faces: Array) -> Array:
    """The squared longest side of each triangle."""
    squares = np.zeros(len(faces))
    for f in range(len(faces)):
        for k in range(3):
            a, b = faces[f, k], faces[f, (k + 1) % 3]
            x, y, z = places[a, 0] - places[b, 0], places[a, 1] - places[b, 1], places[a, 2] - places[b, 2]
            squares[f] = max(squares[f], x * x + y * y + z * z)
    return squares


@lean
def squared_distance(x: float, y: float, z: float, target: Target, enough: float) -> float:
    """Squared distance of a point to the triangles; any that is at most `enough` will do as the nearest."""
    places, faces, ends, entries, edge = target.places, target.faces, target.ends, target.entries, target.edge
    mask = len(ends) - 2
    i, j, k = int(np.floor(x / edge)), int(np.floor(y / edge)), int(np.floor(z / edge))
    wall = min(x - i * edge, (i + 1) * edge - x, y - j * edge, (j + 1) * edge - y)
    wall = min(wall, z - k * edge, (k + 1) * edge - z)
    best = np.inf
    for ring in range(2 * target.rings):
        for di in range(-ring, ring + 1):
            gx = _gap(di, i, edge, x) ** 2
            for dj in range(-ring, ring + 1):
                gy = gx + _gap(dj, j, edge, y) ** 2
                if gy >= best:
                    continue
                step = 1 if abs(di) == ring or abs(dj) == ring else max(1, 2 * ring)
                for dk in range(-ring, ring + 1, step):
                    if gy + _gap(dk, k, edge, z) ** 2 >= best:
                        continue
                    slot = _slot(i + di, j + dj, k + dk, mask)
                    for e in range(ends[slot - 1] if slot else 0, ends[slot]):
                        best = min(best, to_triangle(places, faces, entries[e], x, y, z))
                        if best <= enough:
                            return best
        if best <= (ring * edge + wall) ** 2:
            break
    return best


@compiled
def squared_distances(points: Array, target: Target, enough: float) -> Array:
    """Squared distance of each point to the triangles.

    Args:
        points: float64 (k, 3); not further from the target than the target is wide.
        target: the triangles.
        enough: a squared distance below which a triangle need not be the nearest one; 0 for the true distance.
    """
    squares = np.empty(len(points))
    for q in range(len(points)):
        squares[q] = squared_distance(points[q, 0], points[q, 1], points[q, 2], target, enough)
    return squares


@lean
def cuts_of(side: float, spacing: float) -> int:
    """Into how many parts samples cut the sides of a triangle, given its squared longest one."""
    return int(max(1, min(_MOST_CUTS, np.ceil(np.sqrt(side) / spacing))))


@compiled
def samples(places: Array, faces: Array, spacing: float) -> tuple[Array, Array]:
    """Points on each triangle, about `spacing` apart, its centroid where it is smaller.

    Returns:
        float64 (k, 3), and int64 (k,): which triangle each is on.
    """
    sides = longest_sides(places, faces)
    cuts = np.empty(len(faces), np.int64)
    n = 0
    for f in range(len(faces)):
        cuts[f] = cuts_of(sides[f], spacing)
        n += cuts[f] * (cuts[f] + 1) // 2
    points, owners = np.empty((n, 3)), np.empty(n, np.int64)
    n = 0
    for f in range(len(faces)):
        for s in range(cuts[f]):
            for t in range(cuts[f] - s):
                u, v = (s + 1 / 3) / cuts[f], (t + 1 / 3) / cuts[f]
                for axis in range(3):
                    a, b, c = places[faces[f, 0], axis], places[faces[f, 1], axis], places[faces[f, 2], axis]
                    points[n, axis] = a + u * (b - a) + v * (c - a)
                owners[n] = f
                n += 1
    return points, owners


def farthest(places: Array, faces: Array, target: Target, spacing: float, enough: float = 0.0) -> float:
    """The greatest distance from a surface's vertices and samples to another surface, nanometres.

    Args:
        places: float64 (n, 3), all used by faces.
        faces: int32 (m, 3).
        target: the other surface.
        spacing: of samples, nanometres.
        enough: a distance that need not be told from a smaller one; the answer is then an upper bound.
    """
    points = np.concatenate([places, samples(places, faces, spacing)[0]])
    return float(np.sqrt(squared_distances(points, target, enough**2).max()))
