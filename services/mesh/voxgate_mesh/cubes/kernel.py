"""Marching cubes of every label of a block in two passes: count, then write each label's triangles to its own place.

Without Python's lock: threads of one process mesh blocks side by side, and nothing is copied between processes.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_blocks.compiled import compiled
from voxgate_mesh.cubes.tables import CORNERS, EDGES, case_table

Labels = npt.NDArray[Any]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Keys = npt.NDArray[np.int32]
Faces = npt.NDArray[np.uint32]
Starts = tuple[Places, Places]
"""Where each label's vertices and triangles begin."""
Tables = tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], npt.NDArray[np.int8], npt.NDArray[np.int8]]
"""Triangles of each case, their edges, where each edge's vertices are remembered, and each edge's lower corner."""

# Where a vertex is remembered, for each of the twelve edges: offsets z, y, x of its lower corner, and its axis.
_PLACES = np.array([[*CORNERS[low][::-1], i // 4] for i, (low, _) in enumerate(EDGES)], np.int8)
_LOWER = np.array([low for low, _ in EDGES], np.int8)


@compiled
def _corners(labels: Labels, z: int, y: int, x: int, out: Labels) -> bool:
    """Fill `out` with a cell's corners; whether they differ."""
    first = labels[z, y, x]
    out[0], out[1] = first, labels[z, y, x + 1]
    out[2], out[3] = labels[z, y + 1, x], labels[z, y + 1, x + 1]
    out[4], out[5] = labels[z + 1, y, x], labels[z + 1, y, x + 1]
    out[6], out[7] = labels[z + 1, y + 1, x], labels[z + 1, y + 1, x + 1]
    return bool(
        out[1] != first
        or out[2] != first
        or out[3] != first
        or out[4] != first
        or out[5] != first
        or out[6] != first
        or out[7] != first
    )


@compiled
def _case(corners: Labels, at: int) -> int:
    """The case of the label at corner `at`; 0 where it is background, or had its turn at an earlier corner."""
    label = corners[at]
    if label == 0:
        return 0
    case = 0
    for k in range(8):
        if corners[k] == label:
            if k < at:
                return 0
            case |= 1 << k
    return case


@compiled
def _count(labels: Labels, case_counts: npt.NDArray[np.int8], vertex_counts: Places, face_counts: Places) -> None:
    """Add up the vertices and triangles of each label."""
    depth, height, width = labels.shape
    corners = np.zeros(8, labels.dtype)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                here = labels[z, y, x]
                if x + 1 < width and labels[z, y, x + 1] != here:
                    vertex_counts[here] += 1
                    vertex_counts[labels[z, y, x + 1]] += 1
                if y + 1 < height and labels[z, y + 1, x] != here:
                    vertex_counts[here] += 1
                    vertex_counts[labels[z, y + 1, x]] += 1
                if z + 1 < depth and labels[z + 1, y, x] != here:
                    vertex_counts[here] += 1
                    vertex_counts[labels[z + 1, y, x]] += 1
                if x + 1 < width and y + 1 < height and z + 1 < depth and _corners(labels, z, y, x, corners):
                    for k in range(8):
                        case = _case(corners, k)
                        if case:
                            face_counts[corners[k]] += case_counts[case]


@compiled
def _next(labels: Labels, z: int, y: int, x: int, axis: int) -> int:
    """The label one step up an axis; at the array's end the voxel's own, as no surface is there."""
    depth, height, width = labels.shape
    if axis == 0:
        return labels[z, y, min(x + 1, width - 1)]  # type: ignore[no-any-return]
    if axis == 1:
        return labels[z, min(y + 1, height - 1), x]  # type: ignore[no-any-return]
    return labels[min(z + 1, depth - 1), y, x]  # type: ignore[no-any-return]


@compiled
def _number(labels: Labels, z: int, numbers: Numbers, keys: Keys, next_vertex: Places) -> None:
    """Write the vertices whose lower end lies in layer z: both labels at such an edge have one each.

    `numbers` of shape (2, height, width, 3, 2) remembers, by the layer's parity, which vertex is where: for each axis
    that of the lower label, then of the upper.
    """
    for y in range(labels.shape[1]):
        for x in range(labels.shape[2]):
            here = labels[z, y, x]
            for axis in range(3):
                there = _next(labels, z, y, x, axis)
                if there == here:
                    continue
                for side in range(2):
                    label = here if side == 0 else there
                    if label == 0:
                        continue
                    place = next_vertex[label]
                    next_vertex[label] = place + 1
                    keys[place, 0] = 2 * x + (axis == 0)
                    keys[place, 1] = 2 * y + (axis == 1)
                    keys[place, 2] = 2 * z + (axis == 2)
                    numbers[z & 1, y, x, axis, side] = place


@compiled
def _connect(labels: Labels, z: int, numbers: Numbers, tables: Tables, starts: Starts, faces: Faces) -> None:
    """Write the triangles of the cells between layers z and z + 1."""
    case_counts, case_edges, places, lower = tables
    first_vertex, next_face = starts
    corners = np.zeros(8, labels.dtype)
    for y in range(labels.shape[1] - 1):
        for x in range(labels.shape[2] - 1):
            if not _corners(labels, z, y, x, corners):
                continue
            for k in range(8):
                case = _case(corners, k)
                if case == 0:
                    continue
                label = corners[k]
                row = next_face[label]
                next_face[label] = row + case_counts[case]
                for i in range(3 * case_counts[case]):
                    edge = case_edges[case, i]
                    side = 0 if corners[lower[edge]] == label else 1
                    dz, dy, dx, axis = places[edge]
                    number = numbers[(z + dz) & 1, y + dy, x + dx, axis, side]
                    faces[row + i // 3, i % 3] = number - first_vertex[label]


@compiled
def _fill(labels: Labels, tables: Tables, starts: Starts, keys: Keys, faces: Faces) -> None:
    """Write all vertices and triangles; `starts` says where those of each label begin."""
    depth, height, width = labels.shape
    numbers = np.zeros((2, height, width, 3, 2), np.int32)
    next_vertex, next_face = starts[0].copy(), starts[1].copy()
    _number(labels, 0, numbers, keys, next_vertex)
    for z in range(depth - 1):
        _number(labels, z + 1, numbers, keys, next_vertex)
        _connect(labels, z, numbers, tables, (starts[0], next_face), faces)


@functools.cache
def _tables() -> Tables:
    table = case_table()
    return (table.counts, table.edges, _PLACES, _LOWER)


def surfaces_of(labels: Labels) -> tuple[Places, Places, Keys, Faces]:
    """The surfaces of all labels between the centres of an array's voxels.

    Args:
        labels: C-order array of shape (z, y, x), an unsigned integer dtype; its greatest label sizes the tables.

    Returns:
        (first vertex of each label, first triangle of each label, keys, faces): int64 arrays of shape (greatest label +
        2,), int32 (n, 3) keys on the doubled lattice, columns x, y, z, and uint32 (m, 3) faces that count from the
        label's first vertex.
    """
    count = int(labels.max(initial=0)) + 1
    vertex_counts, face_counts = np.zeros(count, np.int64), np.zeros(count, np.int64)
    tables = _tables()
    _count(labels, tables[0], vertex_counts, face_counts)
    vertex_counts[0] = 0
    vertex_starts = np.concatenate([[0], np.cumsum(vertex_counts)])
    face_starts = np.concatenate([[0], np.cumsum(face_counts)])
    keys = np.empty((int(vertex_starts[-1]), 3), np.int32)
    faces = np.empty((int(face_starts[-1]), 3), np.uint32)
    if len(faces) and min(labels.shape) > 1:
        _fill(labels, tables, (vertex_starts, face_starts), keys, faces)
    return vertex_starts, face_starts, keys, faces
