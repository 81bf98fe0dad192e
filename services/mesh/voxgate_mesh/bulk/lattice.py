"""Compiled loops over vertices on the plan's lattice: where they are, and which of them are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_blocks.compiled import compiled, lean

Lattice = npt.NDArray[np.int32]
"""Places of shape (n, 3), columns x, y, z, LATTICE to a voxel, counted from the plan's base."""
Faces = npt.NDArray[np.uint32]
"""Triangles of shape (m, 3), counter-clockwise seen from outside."""
Points = npt.NDArray[np.float64]
Bounds = npt.NDArray[np.int64]
"""Of shape (3,): x, y, z on the lattice."""
_PRIMES = (73856093, 19349663, 83492791)


@compiled
def quantized(places: Lattice, low: Bounds, span: Bounds, top: int) -> npt.NDArray[np.float32]:
    """Places as integers of 0 to `top` in a chunk's frame, halves rounded up.

    A plane between chunks is 0 for one and `top` for the other; the middle plane of a chunk is (top + 1) / 2, where
    viewers part a fragment of a coarser level, and places on either side of it stay there. Along the plane both chunks
    round the same way, so that nothing cracks.
    """
    out = np.empty(places.shape, np.float32)
    for row in range(len(places)):
        for axis in range(3):
            extent = span[axis]
            out[row, axis] = (2 * top * (places[row, axis] - low[axis]) + extent) // (2 * extent)
    return out


@compiled
def nanometres(places: Lattice, low: Bounds, place_nm: Points) -> Points:
    """Places as nanometres from a corner."""
    out = np.empty(places.shape, np.float64)
    for row in range(len(places)):
        for axis in range(3):
            out[row, axis] = (places[row, axis] - low[axis]) * place_nm[axis]
    return out


@compiled
def rounded(points: Points, low: Bounds, span: Bounds, place_nm: Points) -> Lattice:
    """The lattice places nearest to nanometres from a corner, inside of the chunk; those on the lattice stay."""
    out = np.empty(points.shape, np.int32)
    for row in range(len(points)):
        for axis in range(3):
            place = np.int64(np.floor(points[row, axis] / place_nm[axis] + 0.5))
            out[row, axis] = low[axis] + min(max(place, 0), span[axis])
    return out


@compiled
def touches(places: Lattice, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> bool:
    """Whether a place lies on one of the planes `low` or `high`; those where nothing is are given as -1."""
    for row in range(len(places)):
        for axis in range(3):
            if places[row, axis] == low[axis] or places[row, axis] == high[axis]:
                return True
    return False


@lean
def _slot_of(places: Lattice, row: int, mask: int) -> int:
    mixed = np.int64(0)
    for axis in range(3):
        mixed ^= np.int64(places[row, axis]) * _PRIMES[axis]
    mixed ^= mixed >> 17
    return int(mixed & mask)


@compiled
def stitched(places: Lattice, faces: Faces, middle: Bounds) -> tuple[Lattice, Faces]:
    """One vertex for those of a place on one of the middle planes; triangles that this makes a line are left out.

    Places off these planes belong to one child, where each vertex has its own.
    """
    count = len(places)
    size = 64
    while size < 2 * count:
        size *= 2
    table = np.full(size, -1, np.int64)
    numbers = np.empty(count, np.uint32)
    kept = np.empty(places.shape, np.int32)
    made = 0
    for row in range(count):
        if places[row, 0] == middle[0] or places[row, 1] == middle[1] or places[row, 2] == middle[2]:
            slot = _slot_of(places, row, size - 1)
            while table[slot] >= 0:
                at = table[slot]
                if kept[at, 0] == places[row, 0] and kept[at, 1] == places[row, 1] and kept[at, 2] == places[row, 2]:
                    break
                slot = (slot + 1) & (size - 1)
            if table[slot] >= 0:
                numbers[row] = table[slot]
                continue
            table[slot] = made
        numbers[row] = made
        for axis in range(3):
            kept[made, axis] = places[row, axis]
        made += 1
    triangles = np.empty(faces.shape, np.uint32)
    left = 0
    for row in range(len(faces)):
        a, b, c = numbers[faces[row, 0]], numbers[faces[row, 1]], numbers[faces[row, 2]]
        if a in (b, c) or b == c:
            continue
        triangles[left, 0], triangles[left, 1], triangles[left, 2] = a, b, c
        left += 1
    return kept[:made].copy(), triangles[:left].copy()


@compiled
def measured(places: Lattice, faces: Faces, place_nm: Points) -> tuple[float, float]:
    """The area of triangles in square nanometres, and the volume between them and the plan's base in cubic ones."""
    area = volume = 0.0
    for row in range(len(faces)):
        a, b, c = faces[row, 0], faces[row, 1], faces[row, 2]
        ax, ay, az = places[a, 0] * place_nm[0], places[a, 1] * place_nm[1], places[a, 2] * place_nm[2]
        ux, uy, uz = places[b, 0] * place_nm[0] - ax, places[b, 1] * place_nm[1] - ay, places[b, 2] * place_nm[2] - az
        vx, vy, vz = places[c, 0] * place_nm[0] - ax, places[c, 1] * place_nm[1] - ay, places[c, 2] * place_nm[2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        area += 0.5 * np.sqrt(nx * nx + ny * ny + nz * nz)
        volume += (ax * nx + ay * ny + az * nz) / 6
    return area, volume


@compiled
def owned(labels: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> None:
    """Add up the voxels of each label, but those of the first layer on each axis: they are other chunks' own."""
    for z in range(1, labels.shape[0]):
        for y in range(1, labels.shape[1]):
            x = 1
            while x < labels.shape[2]:
                label, start = labels[z, y, x], x
                while x < labels.shape[2] and labels[z, y, x] == label:
                    x += 1
                counts[label] += x - start
