"""Vertices of one cell become one: fast, closed stays closed, edges may get more than two triangles. Compiled.

Merging vertices maps the surface as a chain: a triangle that loses a corner loses an edge and its opposite together, so
every directed edge still meets its opposite. Cells in which a vertex ends up too far from what became of its
triangles are cut into finer ones, until none does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxgate_blocks.compiled import compiled, lean
from voxgate_mesh.simplifying.distances import Target, samples, squared_distances, to_triangle
from voxgate_mesh.simplifying.surface import Array, list_corners
from voxgate_mesh.simplifying.witnessing import SAFE

ALONE = 3
"""The fineness at which a vertex has a cell of its own; below it, a cell's edge is halved each time."""
_FAINT = 1e-2
_ROUNDS = 12
_FEW = 1e-3
"""Of the vertices: when fewer are astray, the way back is looked at too."""

Clustered = tuple[Array, Array]
"""Vertices and faces."""


class Cells(NamedTuple):
    """Fineness of each vertex's cell, uint8 (n,); the first vertex of its cell, int32 (n,); who needs finer ones."""

    fineness: Array
    root: Array
    coarse: Array


@compiled
def _assign(places: Array, edge: float, cells: Cells) -> None:
    """Give every vertex the first vertex of its cell as root."""
    n = len(places)
    size = 1024
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, np.int32)
    keys = np.empty(n, np.int64)
    low = np.empty(3)
    for axis in range(3):
        low[axis] = places[:, axis].min()
    for v in range(n):
        cells.root[v] = v
        if cells.fineness[v] >= ALONE:
            continue
        fine = edge / (1 << cells.fineness[v])
        key = np.int64(cells.fineness[v])
        for axis in range(3):
            key = (key << 20) | np.int64((places[v, axis] - low[axis]) / fine)
        keys[v] = key
        slot = ((key * np.int64(-7046029254386353131)) >> 33) & (size - 1)
        while table[slot] >= 0 and keys[table[slot]] != key:
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = v
        cells.root[v] = table[slot]


@compiled
def _means(places: Array, root: Array, out: Array) -> Array:
    """Put every root at the mean of its cell's vertices; how many these are."""
    counts = np.zeros(len(places), np.int64)
    out[:] = 0
    for v in range(len(places)):
        counts[root[v]] += 1
        for axis in range(3):
            out[root[v], axis] += places[v, axis]
    for v in range(len(places)):
        if counts[v] == 1:
            out[v] = places[v]
        elif counts[v] > 1:
            out[v] /= counts[v]
    return counts


@compiled
def _settle(places: Array, faces: Array, root: Array, out: Array) -> None:
    """Put every root nearest to the planes of its cell's triangles, else to its vertices' mean."""
    counts = _means(places, root, out)
    quadrics = np.zeros((len(places), 9))
    for f in range(len(faces)):
        a, b, c = places[faces[f, 0]], places[faces[f, 1]], places[faces[f, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        squared = nx * nx + ny * ny + nz * nz
        if squared == 0:
            continue
        scale = 1 / np.sqrt(np.sqrt(squared))
        nx, ny, nz = nx * scale, ny * scale, nz * scale
        for k in range(3):
            r = root[faces[f, k]]
            q = quadrics[r]
            d = nx * (a[0] - out[r, 0]) + ny * (a[1] - out[r, 1]) + nz * (a[2] - out[r, 2])
            q[0] += nx * nx
            q[1] += nx * ny
            q[2] += nx * nz
            q[3] += ny * ny
            q[4] += ny * nz
            q[5] += nz * nz
            q[6] += nx * d
            q[7] += ny * d
            q[8] += nz * d
    for r in range(len(places)):
        if counts[r] > 1:
            _move(quadrics[r], out[r])


@lean
def _move(q: Array, place: Array) -> None:
    """Add the shift that minimises a quadric."""
    e = _FAINT * (q[0] + q[3] + q[5])
    a, b, c, d, g, f = q[0] + e, q[1], q[2], q[3] + e, q[4], q[5] + e
    m00, m01, m02 = d * f - g * g, c * g - b * f, b * g - c * d
    m11, m12, m22 = a * f - c * c, b * c - a * g, a * d - b * b
    det = a * m00 + b * m01 + c * m02
    if det > 0:
        place[0] += (m00 * q[6] + m01 * q[7] + m02 * q[8]) / det
        place[1] += (m01 * q[6] + m11 * q[7] + m12 * q[8]) / det
        place[2] += (m02 * q[6] + m12 * q[7] + m22 * q[8]) / det


@lean
def _mapped(faces: Array, root: Array, out: Array) -> int:
    """Write the triangles between different roots; how many."""
    m = 0
    for f in range(len(faces)):
        a, b, c = root[faces[f, 0]], root[faces[f, 1]], root[faces[f, 2]]
        if a not in (b, c) and b != c:
            out[m, 0], out[m, 1], out[m, 2] = a, b, c
            m += 1
    return m


@lean
def _astray(
    points: Array, cells: Cells, surface: tuple[Array, Array], corners: tuple[Array, Array], limit: float
) -> int:
    """Mark roots whose points are beyond the limit from all triangles at the root, or that have none left; how many."""
    places, faces = surface
    head, after = corners
    astray = 0
    for p in range(len(points)):
        c = head[cells.root[p]]
        if c < 0:
            cells.coarse[cells.root[p]] = ALONE
            astray += 1
            continue
        best = np.inf
        while c >= 0 and best > limit:
            f = c // 3
            best = min(best, to_triangle(places, faces, f, points[p, 0], points[p, 1], points[p, 2]))
            c = after[c]
        if best > limit:
            cells.coarse[cells.root[p]] = max(cells.coarse[cells.root[p]], 1)
            astray += 1
    return astray


@compiled
def _refine(faces: Array, cells: Cells, turn: int) -> None:
    """Make marked cells finer, and later or where a surface vanished those around them too."""
    more = cells.coarse.copy()
    for f in range(len(faces)):
        most = 0
        for k in range(3):
            most = max(most, cells.coarse[cells.root[faces[f, k]]])
        if most == ALONE or (turn > 1 and most):
            for k in range(3):
                r = cells.root[faces[f, k]]
                more[r] = max(more[r], most)
    for v in range(len(cells.root)):
        cells.fineness[v] = min(ALONE, cells.fineness[v] + more[cells.root[v]])
    cells.coarse[:] = 0


@lean
def _mark(faces: Array, owners: Array, squares: Array, limit: float, coarse: Array) -> int:
    """Mark the corners of triangles with a sample beyond the limit; how many samples."""
    astray = 0
    for i in range(len(owners)):
        if squares[i] > limit:
            astray += 1
            for k in range(3):
                coarse[faces[owners[i], k]] = max(coarse[faces[owners[i], k]], 1)
    return astray


def clustered(target: Target, held: Array, edge: float, tolerance: float, spacing: float) -> Clustered | None:
    """Merge vertices that share a cell.

    Args:
        target: the surface.
        held: bool (n,), vertices that stay as they are.
        edge: of a cell, nanometres.
        tolerance: how far the surfaces may be apart, both ways, nanometres.
        spacing: of the places on the answer's triangles that are looked at, nanometres.

    Returns:
        None where this comes to no end.
    """
    places, faces = target.places, target.faces
    n = len(places)
    extent = float(np.ptp(places, axis=0).max())
    edge = max(edge, extent * 2**-17)  # so that a place among the finest cells fits into 20 bits
    cells = Cells(np.where(held, ALONE, 0).astype(np.uint8), np.empty(n, np.int32), np.zeros(n, np.uint8))
    settled, mapped = np.empty((n, 3)), np.empty_like(faces)
    corners = np.empty(n, np.int32), np.empty(3 * len(faces), np.int32)
    looked_at: Array | None = None
    for turn in range(_ROUNDS):
        _assign(places, edge, cells)
        _settle(places, faces, cells.root, settled)
        kept = mapped[: _mapped(faces, cells.root, mapped)]
        list_corners(kept, len(kept), *corners)
        astray = _astray(places, cells, (settled, mapped), corners, tolerance**2)
        if astray <= _FEW * n:
            used = corners[0] >= 0
            new = np.ones(n, bool) if looked_at is None else _new(cells, looked_at)
            looked_at = cells.fineness.copy()
            astray += _strays((settled, kept), (used & new, new), target, spacing, SAFE * tolerance**2, cells.coarse)
            if not astray and not cells.coarse.any():
                return _numbered(settled, kept, np.flatnonzero(used))
        _refine(faces, cells, turn)
    return None


def _new(cells: Cells, before: Array) -> Array:
    """Which roots have other vertices than when cells had these finenesses."""
    new = np.zeros(len(before), bool)
    new[cells.root[cells.fineness != before]] = True
    return new


def _strays(
    surface: tuple[Array, Array], new: tuple[Array, Array], target: Target, spacing: float, limit: float, coarse: Array
) -> int:
    """Mark new vertices, and the corners of triangles with one, that are beyond the limit from the target; how many."""
    settled, kept = surface
    at, faces = np.flatnonzero(new[0]), kept[new[1][kept].any(axis=1)]
    points, owners = samples(settled, faces, spacing)
    squares = squared_distances(np.concatenate([settled[at], points]), target, limit)
    far = at[squares[: len(at)] > limit]
    coarse[far] |= 1
    return len(far) + _mark(faces, owners, squares[len(at) :], limit, coarse)


def _numbered(places: Array, faces: Array, used: Array) -> Clustered:
    """Only vertices that faces use."""
    number = np.empty(len(places), np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return places[used], number[faces]
