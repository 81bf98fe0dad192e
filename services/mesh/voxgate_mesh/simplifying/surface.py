"""A triangle surface that can be changed: who touches which vertex, and the planes around it. Compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from voxgate_blocks.compiled import compiled, lean

Array = npt.NDArray[Any]

MOST_CORNERS = 64
"""Of triangles at one vertex; busier ones stay as they are."""
FREE, FIXED, FROZEN = 0, 1, 2
"""May move; keeps its place because it lies on a border; is no plain disc of triangles, so nothing around it merges."""


class Surface(NamedTuple):
    """Triangles in the making; corner c is corner c % 3 of face c // 3.

    Attributes:
        places: float64 (n, 3), nanometres from an origin nearby.
        faces: int32 (m, 3); a face that is gone begins with -1.
        head: int32 (n,), the first corner at each vertex, -1 for a vertex that is gone.
        after: int32 (3 m,), the next corner at the same vertex.
        quadrics: float64 (n, 10), squared distances to the planes around, weighted by area (Garland and Heckbert 1997).
        held: uint8 (n,), FREE, FIXED or FROZEN.
        fresh: uint8 (n,), whether something changed since the vertex was tried.
        mark: int32 (n,), scratch.
    """

    places: Array
    faces: Array
    head: Array
    after: Array
    quadrics: Array
    held: Array
    fresh: Array
    mark: Array


def surface_of(places: Array, faces: Array) -> Surface:
    """A surface with its lists; takes `places` and `faces` over."""
    n, m = len(places), len(faces)
    surface = Surface(
        places,
        faces,
        np.full(n, -1, np.int32),
        np.empty(3 * m, np.int32),
        np.zeros((n, 10)),
        np.zeros(n, np.uint8),
        np.ones(n, np.uint8),
        np.full(n, -1, np.int32),
    )
    list_corners(faces, m, surface.head, surface.after)
    hold(surface)
    return surface


@lean
def list_corners(faces: Array, count: int, head: Array, after: Array) -> None:
    """List the corners at each vertex, of the first `count` faces."""
    head[:] = -1
    for c in range(3 * count - 1, -1, -1):
        v = faces[c // 3, c % 3]
        after[c] = head[v]
        head[v] = c


@lean
def list_points(owners: Array, head: Array, after: Array) -> None:
    """List the points of each face."""
    for p in range(len(owners)):
        after[p] = head[owners[p]]
        head[owners[p]] = p


@lean
def is_closed(faces: Array) -> bool:
    """Whether directed edges meet their opposites, as far as a sum of hashes shows it (it errs once in 2**64)."""
    total = np.uint64(0)
    for f in range(len(faces)):
        for k in range(3):
            a, b = np.uint64(faces[f, k]), np.uint64(faces[f, (k + 1) % 3])
            total += _mixed((a << np.uint64(32)) | b) - _mixed((b << np.uint64(32)) | a)
    return bool(total == 0)


@lean
def _mixed(x: np.uint64) -> np.uint64:
    """A number's bits, well stirred (the end of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lean
def gather(surface: Surface, v: int, out: Array) -> int:
    """Write the corners at v to `out`, drop those of faces that are gone; how many, -1 for too many."""
    n = 0
    last = -1
    c = surface.head[v]
    while c >= 0:
        following = surface.after[c]
        if surface.faces[c // 3, 0] < 0:
            if last < 0:
                surface.head[v] = following
            else:
                surface.after[last] = following
        else:
            if n == MOST_CORNERS:
                return -1
            out[n] = c
            n += 1
            last = c
        c = following
    return n


@lean
def _kind(surface: Surface, corners: Array, count: int) -> int:  # noqa: C901  (compiled: calls cost)
    """FREE for one closed fan of triangles, FIXED where an edge has one side only, FROZEN for everything else."""
    faces = surface.faces
    kind = FREE
    for i in range(count):
        f, k = corners[i] // 3, corners[i] % 3
        ahead, behind = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        if ahead == behind or faces[f, k] == ahead or faces[f, k] == behind:
            return FROZEN
        same, back, forth = 0, 0, 0
        for j in range(count):
            g, h = corners[j] // 3, corners[j] % 3
            same += faces[g, (h + 1) % 3] == ahead
            back += faces[g, (h + 2) % 3] == ahead
            forth += faces[g, (h + 1) % 3] == behind
        if same > 1 or back > 1 or forth > 1:
            return FROZEN
        if back == 0 or forth == 0:
            kind = FIXED
    if kind == FIXED:
        return FIXED
    # Around once: as many steps as there are triangles, or these are several fans.
    first = faces[corners[0] // 3, (corners[0] % 3 + 1) % 3]
    at, steps = first, 0
    while True:
        for j in range(count):
            g, h = corners[j] // 3, corners[j] % 3
            if faces[g, (h + 1) % 3] == at:
                at = faces[g, (h + 2) % 3]
                break
        steps += 1
        if at == first or steps > count:
            break
    return FREE if steps == count else FROZEN


@compiled
def hold(surface: Surface) -> None:
    """Say of each vertex what may be done with it."""
    corners = np.empty(MOST_CORNERS, np.int32)
    for v in range(len(surface.head)):
        count = gather(surface, v, corners)
        if count < 0:
            surface.held[v] = FROZEN
        elif count > 0:
            surface.held[v] = _kind(surface, corners, count)


@lean
def add_planes(surface: Surface, faint: float) -> None:
    """Sum up the planes around each vertex, and faintly the vertex itself, which decides where planes do not."""
    places, faces = surface.places, surface.faces
    for f in range(len(faces)):
        a, b, c = places[faces[f, 0]], places[faces[f, 1]], places[faces[f, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length == 0:
            continue
        nx, ny, nz = nx / length, ny / length, nz / length
        area = length / 2
        d = -(nx * a[0] + ny * a[1] + nz * a[2])
        e = faint * area / 3
        for k in range(3):
            q = surface.quadrics[faces[f, k]]
            p = places[faces[f, k]]
            x, y, z = p[0], p[1], p[2]
            q[0] += area * nx * nx + e
            q[1] += area * nx * ny
            q[2] += area * nx * nz
            q[3] += area * ny * ny + e
            q[4] += area * ny * nz
            q[5] += area * nz * nz + e
            q[6] += area * nx * d - e * x
            q[7] += area * ny * d - e * y
            q[8] += area * nz * d - e * z
            q[9] += area * d * d + e * (x * x + y * y + z * z)


@lean
def write_out(surface: Surface, vertices: Array, faces: Array) -> int:
    """Write what is left, vertices in the order in which faces use them; how many vertices."""
    number = surface.mark
    number[:] = -1
    n, m = 0, 0
    for f in range(len(surface.faces)):
        if surface.faces[f, 0] < 0:
            continue
        for k in range(3):
            v = surface.faces[f, k]
            if number[v] < 0:
                number[v] = n
                vertices[n, 0] = surface.places[v, 0]
                vertices[n, 1] = surface.places[v, 1]
                vertices[n, 2] = surface.places[v, 2]
                n += 1
            faces[m, k] = number[v]
        m += 1
    return n
