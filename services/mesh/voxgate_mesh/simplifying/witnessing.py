"""Original points and the triangles they belong to: what shows how far a surface has moved. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxgate_mesh.compiled import lean
from voxgate_mesh.simplifying.distances import Target, along, cuts_of, squared_distance
from voxgate_mesh.simplifying.surface import MOST_CORNERS, Array, Surface

SAFE = 0.7
"""Of the squared tolerance: how far samples may be, because between samples a triangle may be further off."""
_ACCEPTED = 0.5
"""Of the squared tolerance: where the nearest triangle need not be looked for any more."""


class Witnesses(NamedTuple):
    """Points of the original and the triangles they belong to now.

    Attributes:
        places: float64 (k, 3).
        head: int32 (m,), the first point of each face.
        after: int32 (k,), the next point of the same face.
        target: the original.
        spacing: of the places on new triangles that are looked at, nanometres.
    """

    places: Array
    head: Array
    after: Array
    target: Target
    spacing: float


class Bench(NamedTuple):
    """Scratch.

    Attributes:
        at_u: corners at one end of an edge.
        at_v: corners at the other.
        meet: where the ends meet.
        spot: a place looked at.
        candidates: the neighbours of a vertex, the best first.
        costs: of these.
        points: witnesses.
        owners: their new faces.
        fan: the new triangles' other two corners, seen from `meet`.
        fan_faces: which faces these are.
    """

    at_u: Array
    at_v: Array
    meet: Array
    spot: Array
    candidates: Array
    costs: Array
    points: Array
    owners: Array
    fan: Array
    fan_faces: Array


class Edge(NamedTuple):
    """An edge under trial: its ends and how many triangles lie at each."""

    u: int
    v: int
    count_u: int
    count_v: int


def bench_for(witnesses: Witnesses) -> Bench:
    """Scratch for a surface with so many witnesses."""
    most, points = 2 * MOST_CORNERS, len(witnesses.places)
    small = (np.empty(MOST_CORNERS, np.int32), np.empty(MOST_CORNERS, np.int32), np.empty(3), np.empty(3))
    lists = (np.empty(most, np.int32), np.empty(most), np.empty(points, np.int32), np.empty(points, np.int32))
    return Bench(*small, *lists, np.empty((most, 6)), np.empty(most, np.int32))


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
def _near(fan: Array, spot: Array, count: int, hint: int, limit: float) -> int:
    """The new triangle that a spot (relative to where the ends meet) goes to, from `hint` on; -1 where all are far."""
    x, y, z = spot[0], spot[1], spot[2]
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
    faces = surface.faces
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
                for axis in range(3):
                    bench.spot[axis] = witnesses.places[p, axis] - bench.meet[axis]
                hint = _near(bench.fan, bench.spot, count, hint, limit)
                if hint < 0:
                    return -1
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
    at = _any_near(witnesses, bench, meet, points, 0, limit)
    if at < 0 and squared_distance(meet[0], meet[1], meet[2], target, limit) > limit:
        return False
    for t in range(triangles):
        cuts = _cuts(fan, t, witnesses.spacing)
        for i in range(cuts):
            for j in range(cuts - i):
                u, v = (i + 1 / 3) / cuts, (j + 1 / 3) / cuts
                for axis in range(3):
                    bench.spot[axis] = meet[axis] + u * fan[t, axis] + v * fan[t, 3 + axis]
                at = _any_near(witnesses, bench, bench.spot, points, max(at, 0), limit)
                if at < 0:
                    spot = bench.spot
                    if squared_distance(spot[0], spot[1], spot[2], target, limit) > limit:
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
def _any_near(witnesses: Witnesses, bench: Bench, spot: Array, points: int, hint: int, limit: float) -> int:
    """A witness within the limit, looked for from `hint` on: its number in `bench.points`, or -1."""
    places, numbers = witnesses.places, bench.points
    x, y, z = spot[0], spot[1], spot[2]
    n = hint
    for _ in range(points):
        p = numbers[n]
        if (places[p, 0] - x) ** 2 + (places[p, 1] - y) ** 2 + (places[p, 2] - z) ** 2 <= limit:
            return n
        n += 1
        if n == points:
            n = 0
    return -1
