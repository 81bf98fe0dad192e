"""Edge collapse that keeps topology and knows how far it went. Compiled.

Every original vertex is a witness: it belongs to a triangle that it is near to. An edge collapses only when all
witnesses of the triangles that change are within the tolerance of one that replaces them, and these, at samples, within
the tolerance of the original; so both bounds hold after any number of collapses. Quadrics choose which edge comes first
and where its two ends meet; they prove nothing.
"""

from __future__ import annotations

from voxgate_blocks.compiled import lean
from voxgate_mesh.simplifying.surface import FREE, FROZEN, MOST_CORNERS, Array, Surface, gather
from voxgate_mesh.simplifying.witnessing import SAFE, Bench, Edge, Witnesses, is_end, is_smooth, supported, witnessed

_TRIES = 2
_NEEDLE = 1e-3
_TURN = 0.04
"""Squared cosine of the angle that a triangle may turn at once."""


@lean
def _judge(places: Array, q: Array, held: Array, u: int, v: int, meet: Array) -> float:
    """Find where u and v would best meet; the mean squared distance from there to the planes q around."""
    a, b, c, d, e = q[u, 0] + q[v, 0], q[u, 1] + q[v, 1], q[u, 2] + q[v, 2], q[u, 3] + q[v, 3], q[u, 4] + q[v, 4]
    f, g, h, i, j = q[u, 5] + q[v, 5], q[u, 6] + q[v, 6], q[u, 7] + q[v, 7], q[u, 8] + q[v, 8], q[u, 9] + q[v, 9]
    weight = a + d + f
    if held[u] != FREE or held[v] != FREE:
        stays = u if held[u] != FREE else v
        meet[0], meet[1], meet[2] = places[stays, 0], places[stays, 1], places[stays, 2]
    else:
        x, y, z = (
            (places[u, 0] + places[v, 0]) / 2,
            (places[u, 1] + places[v, 1]) / 2,
            (places[u, 2] + places[v, 2]) / 2,
        )
        meet[0], meet[1], meet[2] = x, y, z
        gx, gy, gz = -(a * x + b * y + c * z + g), -(b * x + d * y + e * z + h), -(c * x + e * y + f * z + i)
        m00, m01, m02 = d * f - e * e, c * e - b * f, b * e - c * d
        m11, m12, m22 = a * f - c * c, b * c - a * e, a * d - b * b
        det = a * m00 + b * m01 + c * m02
        if det > 1e-12 * weight**3:
            sx = (m00 * gx + m01 * gy + m02 * gz) / det
            sy = (m01 * gx + m11 * gy + m12 * gz) / det
            sz = (m02 * gx + m12 * gy + m22 * gz) / det
            lx, ly, lz = places[u, 0] - places[v, 0], places[u, 1] - places[v, 1], places[u, 2] - places[v, 2]
            if sx * sx + sy * sy + sz * sz <= lx * lx + ly * ly + lz * lz:
                meet[0], meet[1], meet[2] = x + sx, y + sy, z + sz
    if weight <= 0:
        return 0.0
    x, y, z = meet[0], meet[1], meet[2]
    cost = a * x * x + d * y * y + f * z * z + 2 * (b * x * y + c * x * z + e * y * z + g * x + h * y + i * z) + j
    return float(max(cost, 0.0) / weight)


@lean
def _candidates(surface: Surface, u: int, count: int, bench: Bench, limit: float) -> int:
    """Write u's neighbours whose edge is worth a trial, the best first; how many."""
    n = 0
    for i in range(count):
        f, k = bench.at_u[i] // 3, bench.at_u[i] % 3
        v = surface.faces[f, (k + 1) % 3]
        if surface.held[v] == FROZEN or (surface.held[u] != FREE and surface.held[v] != FREE):
            continue
        cost = _judge(surface.places, surface.quadrics, surface.held, u, v, bench.meet)
        if cost > limit:
            continue
        j = n
        while j > 0 and bench.costs[j - 1] > cost:
            bench.costs[j], bench.candidates[j] = bench.costs[j - 1], bench.candidates[j - 1]
            j -= 1
        bench.costs[j], bench.candidates[j] = cost, v
        n += 1
    return n


@lean
def _has_four(surface: Surface, v: int) -> bool:
    """Whether at least four triangles are left at a vertex."""
    n, c = 0, surface.head[v]
    while c >= 0 and n < 4:
        n += surface.faces[c // 3, 0] >= 0
        c = surface.after[c]
    return n == 4


@lean
def _linked(surface: Surface, edge: Edge, bench: Bench, stamp: int) -> bool:  # noqa: C901  (compiled: calls cost)
    """The link condition (Dey et al. 1999): the ends share two triangles, and no neighbour but these two's tips."""
    faces, mark = surface.faces, surface.mark
    tips = 0
    for i in range(edge.count_u):
        f, k = bench.at_u[i] // 3, bench.at_u[i] % 3
        for t in (faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]):
            if mark[t] != stamp + 1:
                mark[t] = stamp
        tip = -1
        if faces[f, (k + 1) % 3] == edge.v:
            tip = faces[f, (k + 2) % 3]
        elif faces[f, (k + 2) % 3] == edge.v:
            tip = faces[f, (k + 1) % 3]
        if tip >= 0:
            tips += 1
            mark[tip] = stamp + 1
            # A tip with three triangles would be left with two, one upon the other.
            if not _has_four(surface, tip):
                return False
    if tips != 2:
        return False
    for i in range(edge.count_v):
        f, k = bench.at_v[i] // 3, bench.at_v[i] % 3
        for t in (faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]):
            if t != edge.u and mark[t] == stamp:
                return False
    return True


@lean
def _turned(surface: Surface, edge: Edge, bench: Bench) -> bool:
    """Whether a triangle that stays would turn over or become a needle."""
    faces, places, meet = surface.faces, surface.places, bench.meet
    for i in range(edge.count_u + edge.count_v):
        corner = bench.at_u[i] if i < edge.count_u else bench.at_v[i - edge.count_u]
        f, k = corner // 3, corner % 3
        a, b = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        if is_end(edge, a) or is_end(edge, b):
            continue
        p, q, was = places[a], places[b], places[faces[f, k]]
        ex, ey, ez = q[0] - p[0], q[1] - p[1], q[2] - p[2]
        ox, oy, oz = was[0] - p[0], was[1] - p[1], was[2] - p[2]
        nx, ny, nz = meet[0] - p[0], meet[1] - p[1], meet[2] - p[2]
        sx, sy, sz = ey * oz - ez * oy, ez * ox - ex * oz, ex * oy - ey * ox
        tx, ty, tz = ey * nz - ez * ny, ez * nx - ex * nz, ex * ny - ey * nx
        ss, tt, st = sx * sx + sy * sy + sz * sz, tx * tx + ty * ty + tz * tz, sx * tx + sy * ty + sz * tz
        if st <= 0 or st * st < _TURN * ss * tt:
            return True
        ee, nn, oo = ex * ex + ey * ey + ez * ez, nx * nx + ny * ny + nz * nz, ox * ox + oy * oy + oz * oz
        longest = max(ee, nn, nn + ee - 2 * (ex * nx + ey * ny + ez * nz)) ** 2
        if tt < _NEEDLE * longest and tt * max(ee, oo, oo + ee - 2 * (ex * ox + ey * oy + ez * oz)) ** 2 < ss * longest:
            return True
    return False


@lean
def _rehome(witnesses: Witnesses, edge: Edge, bench: Bench, points: int) -> None:
    """Give the points their new faces."""
    for i in range(edge.count_u):
        witnesses.head[bench.at_u[i] // 3] = -1
    for i in range(edge.count_v):
        witnesses.head[bench.at_v[i] // 3] = -1
    for i in range(points):
        f = bench.owners[i]
        witnesses.after[bench.points[i]] = witnesses.head[f]
        witnesses.head[f] = bench.points[i]


@lean
def _refresh(surface: Surface, u: int) -> None:
    """Have a vertex and its neighbours tried again."""
    c = surface.head[u]
    while c >= 0:
        if surface.faces[c // 3, 0] >= 0:
            for k in range(3):
                surface.fresh[surface.faces[c // 3, k]] = 1
        c = surface.after[c]


@lean
def _merge(surface: Surface, edge: Edge, bench: Bench) -> None:
    """Merge v into u."""
    faces, u, v = surface.faces, edge.u, edge.v
    for i in range(edge.count_u):
        f, k = bench.at_u[i] // 3, bench.at_u[i] % 3
        if faces[f, (k + 1) % 3] == v or faces[f, (k + 2) % 3] == v:
            faces[f, 0] = -1
    last = bench.at_u[edge.count_u - 1]
    for i in range(edge.count_v):
        c = bench.at_v[i]
        if faces[c // 3, 0] >= 0:
            faces[c // 3, c % 3] = u
            surface.after[last] = c
            last = c
    surface.after[last] = -1
    surface.head[v] = -1
    surface.held[u] = max(surface.held[u], surface.held[v])
    for axis in range(3):
        surface.places[u, axis] = bench.meet[axis]
    for i in range(10):
        surface.quadrics[u, i] += surface.quadrics[v, i]


@lean
def collapse(  # noqa: C901  (compiled: calls cost)
    surface: Surface, witnesses: Witnesses, bench: Bench, tolerance: float, few: int, state: Array
) -> int:
    """Go once through the vertices, collapsing the best edge of each; how many were collapsed.

    Args:
        surface: what is simplified.
        witnesses: of the original surface.
        bench: scratch.
        tolerance: of witnesses, nanometres.
        few: faces at which to stop.
        state: int64 (2,): how many faces are left, and the last stamp; kept up to date.
    """
    limit = tolerance * tolerance
    done = 0
    for u in range(len(surface.head)):
        if state[0] <= few:
            break
        if surface.head[u] < 0 or not surface.fresh[u] or surface.held[u] == FROZEN:
            continue
        surface.fresh[u] = 0
        count = gather(surface, u, bench.at_u)
        if count <= 0:
            continue
        candidates = _candidates(surface, u, count, bench, limit)
        for i in range(min(candidates, _TRIES)):
            v = bench.candidates[i]
            other = gather(surface, v, bench.at_v)
            if other <= 0 or count + other - 4 > MOST_CORNERS:
                continue
            edge = Edge(u, v, count, other)
            state[1] += 2
            if not _linked(surface, edge, bench, state[1]):
                continue
            _judge(surface.places, surface.quadrics, surface.held, u, v, bench.meet)
            if _turned(surface, edge, bench):
                continue
            points = witnessed(surface, witnesses, edge, bench, limit)
            if points < 0:
                continue
            needless = witnesses.dense and is_smooth(surface, edge, bench)
            if not needless and not supported(witnesses, bench, count + other - 4, points, SAFE * limit):
                continue
            _rehome(witnesses, edge, bench, points)
            _merge(surface, edge, bench)
            _refresh(surface, u)
            state[0] -= 2
            done += 1
            break
    return done
