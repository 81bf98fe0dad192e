"""Voxels kept as blocks per version: a read falls back to the versions before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int, int]
Voxels = NDArray[np.generic]


def covered(start: Point, size: Point, edge: Point) -> Iterator[Point]:
    """The coordinates (x, y, z) of the blocks that a box of voxels touches, x fastest."""
    spans = [range(s // e, -(-(s + n) // e)) for s, n, e in zip(start, size, edge, strict=True)]
    for z, y, x in itertools.product(spans[2], spans[1], spans[0]):
        yield x, y, z


def aligned(start: Point, size: Point, edge: Point) -> bool:
    return all(s % e == 0 and n % e == 0 for s, n, e in zip(start, size, edge, strict=True))


class VersionedBlocks:
    """Blocks of one grid. A block is an array (z, y, x) that nobody changes once it is in."""

    def __init__(self, edge: Point, dtype: np.dtype[np.generic]) -> None:
        self.edge = edge
        self.dtype = dtype
        self._versions: dict[str, dict[Point, Voxels]] = {}

    def put(self, version: str, where: Point, block: Voxels) -> None:
        self._versions.setdefault(version, {})[where] = block

    def block(self, lineage: Sequence[str], where: Point) -> Voxels | None:
        for version in lineage:
            found = self._versions.get(version, {}).get(where)
            if found is not None:
                return found
        return None

    def present(self, lineage: Sequence[str]) -> set[Point]:
        return {where for version in lineage for where in list(self._versions.get(version, ()))}

    def read(self, lineage: Sequence[str], start: Point, size: Point, fill: int) -> Voxels:
        """A box at any alignment: an array (z, y, x), `fill` where no version has a block."""
        held = [version for version in lineage if version in self._versions]
        out = np.full(size[::-1], fill, self.dtype) if fill else np.zeros(size[::-1], self.dtype)
        for where in covered(start, size, self.edge):
            block = self.block(held, where)
            if block is None:
                continue
            low = [max(s, w * e) for s, w, e in zip(start, where, self.edge, strict=True)]
            high = [min(s + n, (w + 1) * e) for s, n, w, e in zip(start, size, where, self.edge, strict=True)]
            into = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))[::-1]
            from_ = tuple(slice(a - w * e, b - w * e) for a, b, w, e in zip(low, high, where, self.edge, strict=True))[
                ::-1
            ]
            out[into] = block[from_]
        return out

    def cut(self, start: Point, voxels: Voxels) -> Iterable[tuple[Point, Voxels]]:
        """The blocks of a box that is aligned to the grid, each a copy of its own."""
        size: Point = voxels.shape[2], voxels.shape[1], voxels.shape[0]
        for where in covered(start, size, self.edge):
            at = [w * e - s for w, e, s in zip(where, self.edge, start, strict=True)]
            piece = voxels[at[2] : at[2] + self.edge[2], at[1] : at[1] + self.edge[1], at[0] : at[0] + self.edge[0]]
            yield where, np.ascontiguousarray(piece).copy()
