"""Area, volume and closedness of surfaces, in one pass over their triangles, addable piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.mesh_facts import MeshStatistics
from voxgate_blocks.compiled import compiled

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """What is added up over triangles.

    Attributes:
        area: of all triangles.
        volume: between the triangles and the origin of the coordinates; what a closed surface encloses.
        fingerprint: the sum of a hash of every directed edge, its opposite counted negative, modulo 2**64: 0 for a
            surface without boundary, and by a chance of 2**-64 for another.
    """

    area: float = 0.0
    volume: float = 0.0
    fingerprint: int = 0

    def __add__(self, other: Sums) -> Sums:
        fingerprint = (self.fingerprint + other.fingerprint) % 2**64
        return Sums(self.area + other.area, self.volume + other.volume, fingerprint)


def sums_of(points: Points, faces: npt.NDArray[Any], numbers: npt.NDArray[np.int64]) -> Sums:
    """Add up triangles.

    Args:
        points: float64 array of shape (n, 3), columns x, y, z; best near their origin.
        faces: integer array of shape (m, 3), indices of points.
        numbers: int64 array of shape (n,), below 2**32: what the points are called in the whole surface.
    """
    area, volume, fingerprint = _sums(points, faces, numbers)
    return Sums(area, volume, int(fingerprint))


def measure(
    vertices: npt.NDArray[Any], faces: npt.NDArray[Any], voxel_count: int | None = None, error_nm: float = 0.0
) -> MeshStatistics:
    """Measure a whole mesh.

    Args:
        vertices: float array of shape (n, 3), columns x, y, z, nanometres.
        faces: integer array of shape (m, 3).
        voxel_count: of the segment, where it is known.
        error_nm: how far the surface may have been moved.
    """
    if not len(vertices):
        nowhere = (0.0, 0.0, 0.0)
        return MeshStatistics(voxel_count, None, 0.0, nowhere, nowhere, False, error_nm)
    low = vertices.min(axis=0).astype(np.float64)
    points = vertices - low
    sums = sums_of(points, faces, np.arange(len(points), dtype=np.int64))
    high = vertices.max(axis=0).astype(np.float64)
    return statistics_of(sums, (low, high), len(faces) > 0, voxel_count, error_nm)


def statistics_of(
    sums: Sums, bounds: tuple[Points, Points], has_faces: bool, voxel_count: int | None, error_nm: float = 0.0
) -> MeshStatistics:
    """Statistics out of sums over all triangles and the least and greatest vertex."""
    is_closed = has_faces and sums.fingerprint == 0
    low, high = (tuple(bound.tolist()) for bound in bounds)
    return MeshStatistics(voxel_count, sums.volume if is_closed else None, sums.area, low, high, is_closed, error_nm)


@compiled
def _mixed(low: int, high: int) -> Any:
    """A hash of two numbers below 2**32 (the finalizer of SplitMix64, Steele, Lea and Flood 2014)."""
    value = np.uint64(low) << np.uint64(32) | np.uint64(high)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def _sums(points: Points, faces: npt.NDArray[Any], numbers: npt.NDArray[np.int64]) -> tuple[float, float, Any]:
    area = volume = 0.0
    fingerprint = np.uint64(0)
    for row in range(len(faces)):
        ia, ib, ic = faces[row, 0], faces[row, 1], faces[row, 2]
        ax, ay, az = points[ia, 0], points[ia, 1], points[ia, 2]
        ux, uy, uz = points[ib, 0] - ax, points[ib, 1] - ay, points[ib, 2] - az
        vx, vy, vz = points[ic, 0] - ax, points[ic, 1] - ay, points[ic, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        area += 0.5 * np.sqrt(nx * nx + ny * ny + nz * nz)
        volume += (ax * nx + ay * ny + az * nz) / 6
        a, b, c = numbers[ia], numbers[ib], numbers[ic]
        fingerprint += _mixed(a, b) if a < b else np.uint64(0) - _mixed(b, a)
        fingerprint += _mixed(b, c) if b < c else np.uint64(0) - _mixed(c, b)
        fingerprint += _mixed(c, a) if c < a else np.uint64(0) - _mixed(a, c)
    return area, volume, fingerprint
