"""The case table of marching cubes, derived from one rule instead of copied, so that its surfaces are manifolds.

A cell has eight corners, numbered x + 2 * y + 4 * z, and twelve edges; a surface has one vertex on each edge whose ends
differ. On a face of the cell the surface leaves segments that depend on the face's four corners alone, so that both
cells at the face draw the same: where diagonal corners are inside, each is cut off by itself (inside voxels that share
but an edge are not joined). The segments of the six faces close to loops, and loops are cut to triangles by diagonals
of which none lies in a face of the cell: there the neighbour might draw it too. Hence every edge of a surface has
exactly two triangles, and the triangles at a vertex form one ring.

After Lorensen and Cline 1987; the rule for ambiguous faces follows Montani, Scateni and Scopigno 1994.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Loop = tuple[int, ...]
Triangle = tuple[int, int, int]

CORNERS: tuple[tuple[int, int, int], ...] = tuple((c & 1, c >> 1 & 1, c >> 2) for c in range(8))
"""Offsets x, y, z of the corners."""

EDGES: tuple[tuple[int, int], ...] = tuple(
    (c, c | 1 << axis) for axis in range(3) for c in range(8) if not c >> axis & 1
)
"""Lower and upper corner of each edge: four along x, then y, then z."""

MAX_TRIANGLES = 5
"""The most triangles of a cell."""


@dataclass(frozen=True, slots=True)
class CaseTable:
    """What a cell holds, by the bits of its inside corners.

    Attributes:
        counts: int8 array of shape (256,), the triangles.
        edges: int8 array of shape (256, 3 * MAX_TRIANGLES), the edge of each triangle's vertices in order, outside
            being where they run counter-clockwise.
    """

    counts: npt.NDArray[np.int8]
    edges: npt.NDArray[np.int8]


@functools.cache
def case_table() -> CaseTable:
    """The table, derived on first use."""
    counts, edges = np.zeros(256, np.int8), np.zeros((256, 3 * MAX_TRIANGLES), np.int8)
    for case in range(256):
        triangles = [triangle for loop in _loops(case) for triangle in _triangles(loop)]
        counts[case] = len(triangles)
        edges[case, : 3 * len(triangles)] = np.array(triangles, np.int8).reshape(-1)
    counts.setflags(write=False)
    edges.setflags(write=False)
    return CaseTable(counts, edges)


def _faces() -> Iterator[tuple[int, int, int, int]]:
    """The corners of the six faces, counter-clockwise seen from outside of the cell."""
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        ring = (0, u, u | v, v)
        yield (ring[0], ring[3], ring[2], ring[1])
        upper = tuple(corner | 1 << axis for corner in ring)
        yield (upper[0], upper[1], upper[2], upper[3])


def _edge_between(one: int, other: int) -> int:
    return EDGES.index((min(one, other), max(one, other)))


def _loops(case: int) -> list[Loop]:
    """The closed rings of edges in which the surface cuts the cell."""
    after: dict[int, int] = {}
    for face in _faces():
        inside = [bool(case >> corner & 1) for corner in face]
        for i in range(4):
            # Going round the face, the surface is entered where inside begins and left where it ends next.
            if inside[i] or not inside[(i + 1) % 4]:
                continue
            end = next(j for j in range(i + 1, i + 4) if not inside[(j + 1) % 4])
            start_edge = _edge_between(face[i], face[(i + 1) % 4])
            end_edge = _edge_between(face[end % 4], face[(end + 1) % 4])
            after[start_edge] = end_edge
    loops = []
    while after:
        edge = min(after)
        loop = [edge]
        while (edge := after.pop(edge)) != loop[0]:
            loop.append(edge)
        loops.append(tuple(loop))
    return loops


def _triangles(loop: Loop) -> list[Triangle]:
    """A loop cut by diagonals of which none lies in a face of the cell.

    Raises:
        AssertionError: never, as a test goes through all cases.
    """
    cut = next(_cuts(loop), None)
    assert cut is not None, loop  # noqa: S101  (a fact about 256 cases, not about anybody's input)
    return cut


def _cuts(loop: Loop) -> Iterator[list[Triangle]]:
    """Every way to cut a loop; the first and last vertex are the base of a triangle with some tip."""
    if len(loop) < 3:
        yield []
        return
    first, last = loop[0], loop[-1]
    for at in range(1, len(loop) - 1):
        tip = loop[at]
        if (at > 1 and _share_face(first, tip)) or (at < len(loop) - 2 and _share_face(tip, last)):
            continue
        for left in _cuts(loop[: at + 1]):
            for right in _cuts(loop[at:]):
                yield [(first, tip, last), *left, *right]


def _share_face(one: int, other: int) -> bool:
    corners = set(EDGES[one]) | set(EDGES[other])
    return any(len({corner >> axis & 1 for corner in corners}) == 1 for axis in range(3))
