"""Normals of vertices: what light falls on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_blocks.compiled import compiled


def vertex_normals(vertices: npt.NDArray[Any], faces: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The normal of each vertex: the mean of its triangles' normals, each counted by its area.

    Args:
        vertices: float array of shape (n, 3), columns x, y, z.
        faces: integer array of shape (m, 3), counter-clockwise seen from outside; indices of vertices that exist.

    Returns:
        float32 array of shape (n, 3), unit vectors that point outside. A vertex whose triangles have no area or face
        away from one another has no direction of its own: (0, 0, 1).
    """
    if not len(vertices):
        return np.zeros((0, 3), np.float32)
    return _normals(np.ascontiguousarray(vertices), np.ascontiguousarray(faces))


@compiled
def _normals(vertices: npt.NDArray[Any], faces: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    sums = np.zeros((len(vertices), 3), np.float64)
    for row in range(len(faces)):
        a, b, c = faces[row, 0], faces[row, 1], faces[row, 2]
        # Differences in float64 are exact, so that a place far from the origin costs nothing.
        ax, ay, az = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), np.float64(vertices[a, 2])
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            sums[corner, 0] += nx
            sums[corner, 1] += ny
            sums[corner, 2] += nz
    normals = np.empty((len(vertices), 3), np.float32)
    for row in range(len(vertices)):
        x, y, z = sums[row, 0], sums[row, 1], sums[row, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if 0.0 < length < np.inf:
            x, y, z = x / length, y / length, z / length
        else:
            x, y, z = 0.0, 0.0, 1.0
        normals[row, 0], normals[row, 1], normals[row, 2] = x, y, z
    return normals
