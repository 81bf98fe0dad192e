"""Original points and the triangles they belong to: what shows how far a surface has moved. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxgate_blocks.compiled import lean
from voxgate_mesh.simplifying.distances import Target, along, cuts_of, squared_distance
from voxgate_mesh.simplifying.surface import MOST_CORNERS, Array, Surface

SAFE = 0.6
"""Of the squared tolerance: how far samples may be, because between samples a triangle may be further off."""
_ACCEPTED = 0.5
"""Of the squared tolerance: where the nearest triangle need not be looked for any more."""
_SMOOTH = 0.5
"""Squared cosine of the angle between a triangle and the mean of those around it."""


class Witnesses(NamedTuple):
    """Points of the original and the triangles they belong to now.

    Attributes:
        places: float64 (k, 3).
        head: int32 (m,), the first point of each face.
        after: int32 (k,), the next point of the same face.
        target: the original.
        spacing: of the places on new triangles that are looked at, nanometres.
        dense: whether witnesses are near one another beside the tolerance.
    """

    places: Array
    head: Array
    after: Array
    target: Target
    spacing: float
    dense: bool


class Bench(NamedTuple):
    """Scratch.

    Attributes:
        at_u: corners at one end of an edge.
        at_v: corners at the other.
        meet: where the ends meet.
        candidates: the neighbours of a vertex, the best first.
        costs: of these.
        points: witnesses.
        spots: where these are, seen from `meet`.
        owners: their new faces.
        fan: the new triangles' other two corners, seen from `meet`.
        fan_faces: which faces these are.
        normals: of triangles before and after.
    """

    at_u: Array
    at_v: Array
    meet: Array
    candidates: Array
    costs: Array
    points: Array
    spots: Array
    owners: Array
    fan: Array
    fan_faces: Array
    normals: Array


class Edge(NamedTuple):
    """An edge under trial: its ends and how many triangles lie at each."""

    u: int
    v: int
    count_u: int
    count_v: int


def bench_for(witnesses: Witnesses) -> Bench:
    """Scratch for a surface with so many witnesses."""
    most, points = 2 * MOST_CORNERS, len(witnesses.places)
    corners, meet = (np.empty(MOST_CORNERS, np.int32), np.empty(MOST_CORNERS, np.int32)), np.empty(3)
    found = np.empty(points, np.int32), np.empty((points, 3)), np.empty(points, np.int32)
    fan = np.empty((most, 6)), np.empty(most, np.int32), np.empty((2 * most, 3))
    return Bench(*corners, meet, np.empty(most, np.int32), np.empty(most), *found, *fan)


@lean
def is_end(edge: Edge, v: int) -> bool:
    """Whether a vertex is an end of the edge."""
    return bool(v == edge.u or v == edge.v)  # noqa: PLR1714  (numba knows no `in` for numbers of two kinds)


@lean
def spread_fan(surface: Surface, edge: Edge, bench: Bench) -> int:
    """Write the triangles as they would be, seen from where the ends meet; how many."""
    faces, places, meet = surface.faces, surface.places, bench.meet
    n = 0
    for i in range(edge.count_u + edge.count_v):
        corner = bench.at_u[i] if i < edge.count_u else bench.at_v[i - edge.count_u]
        f, k = corner // 3, corner % 3
        a, b = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        if is_end(edge, a) or is_end(edge, b):
            continue
        for axis in range(3):
            bench.fan[n, axis] = places[a, axis] - meet[axis]
            bench.fan[n, 3 + axis] = places[b, axis] - meet[axis]
        bench.fan_faces[n] = f
        n += 1
    return n


@lean
def _near(fan: Array, spot: tuple[float, float, float], count: int, hint: int, limit: float) -> int:
    """The new triangle that a witness goes to, looked for from `hint` on; -1 where all are far."""
    x, y, z = spot
    best, at = limit, -1
    i = hint
    for _ in range(count):
        d = along(fan[i, 0], fan[i, 1], fan[i, 2], fan[i, 3], fan[i, 4], fan[i, 5], x, y, z)
        if d <= best:
            best, at = d, i
            if d <= _ACCEPTED * limit:
                break
        i += 1
        if i == count:
            i = 0
    return at


@lean
def witnessed(surface: Surface, witnesses: Witnesses, edge: Edge, bench: Bench, limit: float) -> int:
    """Find each point of the old triangles a new one; how many points, -1 where one would be too far."""
    faces, places, meet, fan, spots = surface.faces, witnesses.places, bench.meet, bench.fan, bench.spots
    count = spread_fan(surface, edge, bench)
    n, hint = 0, 0
    # First the points of the two triangles that go: they are the likeliest to refuse.
    for going in (True, False):
        for i in range(edge.count_u if going else edge.count_u + edge.count_v):
            corner = bench.at_u[i] if i < edge.count_u else bench.at_v[i - edge.count_u]
            f, k = corner // 3, corner % 3
            a, b = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            if (is_end(edge, a) or is_end(edge, b)) != going:
                continue
            if not going:
                while bench.fan_faces[hint % count] != f:
                    hint += 1
                hint %= count
            p = witnesses.head[f]
            while p >= 0:
                x, y, z = places[p, 0] - meet[0], places[p, 1] - meet[1], places[p, 2] - meet[2]
                hint = _near(fan, (x, y, z), count, hint, limit)
                if hint < 0:
                    return -1
                spots[n, 0], spots[n, 1], spots[n, 2] = x, y, z
                bench.points[n], bench.owners[n] = p, bench.fan_faces[hint]
                n += 1
                p = witnesses.after[p]
    return n


@lean
def supported(witnesses: Witnesses, bench: Bench, triangles: int, points: int, limit: float) -> bool:
    """Whether the new triangles are near the original, where they meet and at samples as `samples` takes them.

    Witnesses near one new triangle do not keep another from spanning a gap. A sample near a witness is near the
    original; for the few others the original's triangles are asked.
    """
    fan, meet, target = bench.fan, bench.meet, witnesses.target
    at = _any_near(bench.spots, points, (0.0, 0.0, 0.0), 0, limit)
    if at < 0 and squared_distance(meet[0], meet[1], meet[2], target, limit) > limit:
        return False
    for t in range(triangles):
        cuts = _cuts(fan, t, witnesses.spacing)
        for i in range(cuts):
            for j in range(cuts - i):
                u, v = (i + 1 / 3) / cuts, (j + 1 / 3) / cuts
                x, y, z = u * fan[t, 0] + v * fan[t, 3], u * fan[t, 1] + v * fan[t, 4], u * fan[t, 2] + v * fan[t, 5]
                at = _any_near(bench.spots, points, (x, y, z), max(at, 0), limit)
                if at < 0 and squared_distance(x + meet[0], y + meet[1], z + meet[2], target, limit) > limit:
                    return False
    return True


@lean
def _cuts(fan: Array, t: int, spacing: float) -> int:
    """Into how many parts a new triangle's sides are cut."""
    uu, vv, ww = 0.0, 0.0, 0.0
    for axis in range(3):
        u, v = fan[t, axis], fan[t, 3 + axis]
        uu, vv, ww = uu + u * u, vv + v * v, ww + (u - v) ** 2
    return cuts_of(max(uu, vv, ww), spacing)


@lean
def _any_near(spots: Array, points: int, spot: tuple[float, float, float], hint: int, limit: float) -> int:
    """A witness within the limit of a spot, looked for from `hint` on: its number, or -1."""
    x, y, z = spot
    n = hint
    for _ in range(points):
        if (spots[n, 0] - x) ** 2 + (spots[n, 1] - y) ** 2 + (spots[n, 2] - z) ** 2 <= limit:
            return n
        n += 1
        if n == points:
            n = 0
    return -1


@lean
def is_smooth(surface: Surface, edge: Edge, bench: Bench) -> bool:
    """Whether all triangles, before and after, look to one side, so that neither surface can fold over the other.

    Then the way from the original's vertices to the new triangles leaves out none of these, and they need no samples.
    """
    faces, places, meet, normals = surface.faces, surface.places, bench.meet, bench.normals
    n = 0
    mx, my, mz = 0.0, 0.0, 0.0
    for i in range(edge.count_u + edge.count_v):
        corner = bench.at_u[i] if i < edge.count_u else bench.at_v[i - edge.count_u]
        f, k = corner // 3, corner % 3
        a, b, c = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3], faces[f, k]
        ax, ay, az = places[a, 0], places[a, 1], places[a, 2]
        ux, uy, uz = places[b, 0] - ax, places[b, 1] - ay, places[b, 2] - az
        vx, vy, vz = places[c, 0] - ax, places[c, 1] - ay, places[c, 2] - az
        for _ in range(1 if is_end(edge, a) or is_end(edge, b) else 2):
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            normals[n, 0], normals[n, 1], normals[n, 2] = nx, ny, nz
            mx, my, mz = mx + nx, my + ny, mz + nz
            n += 1
            vx, vy, vz = meet[0] - ax, meet[1] - ay, meet[2] - az
    least = _SMOOTH * (mx * mx + my * my + mz * mz)
    for i in range(n):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        along_mean = x * mx + y * my + z * mz
        if along_mean <= 0 or along_mean * along_mean < least * (x * x + y * y + z * z):
            return False
    return True
