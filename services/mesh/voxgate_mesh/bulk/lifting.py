"""Parts of a segment that are complete in a fine chunk, put into the coarser levels that its other parts have.

What touches no other chunk is not handed up from level to level, so that no chunk of a coarse level has to do with
every segment of a volume. Where the segment has coarser levels all the same, a viewer that draws these would not draw
the part: here it gets in, with as few vertices as the level's error allows; what is smaller than that is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkMissing
from voxgate.model.mesh_stores import ProductFiles
from voxgate_mesh.bulk.encoding import encoded
from voxgate_mesh.bulk.gathering import Node, Pieces, chunk_of
from voxgate_mesh.bulk.partials import pieces_name
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan
from voxgate_mesh.bulk.thinning import Frame
from voxgate_remotes.precomputed_kept.draco import decoded

Surface = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]
"""Lattice places (n, 3) and faces (m, 3)."""


class Lifter:
    """Encodes the fragments of a partition that lifted parts belong to."""

    def __init__(self, plan: MeshPlan, files: ProductFiles, partials: str, pieces: Pieces) -> None:
        self._plan = plan
        self._files = files
        self._partials = partials
        self._pieces = pieces

    def fragment(self, level: int, node: Node) -> bytes | None:
        """A fragment with what is lifted into it; None where that is too small to be seen at the level.

        Raises:
            ChunkMissing, ChunkCorrupt, StoreUnavailable.
        """
        lifted = [self._few(level, row) for row in node.lifted]
        surfaces = [surface for surface in lifted if len(surface[1])]
        if not surfaces:
            return None
        if node.own >= 0:
            surfaces.insert(0, self._surface(node.own))
        places, faces = joined(surfaces)
        bits = self._plan.quantization_bits
        frame = Frame.of(self._plan, LevelBlock(level, node.position))
        return encoded(frame.integers(places.astype(np.int32), bits), faces, bits)

    def _few(self, level: int, row: int) -> Surface:
        """A part with one vertex for all that are within the level's error of each other, about."""
        places, faces = self._surface(row)
        step = np.maximum(1, (self._plan.error_nm(level) / self._plan.place_nm).astype(np.int64))
        _, firsts, which = np.unique(places // step, axis=0, return_index=True, return_inverse=True)
        return places[firsts], _with_area(which.reshape(-1)[faces])

    def _surface(self, row: int) -> Surface:
        plan, at = self._plan, self._pieces.rows[row]
        block = chunk_of(plan, int(self._pieces.blocks[row]))
        start = int(at["offset"])
        data = self._files.read(pieces_name(self._partials, block), start, start + int(at["length"]))
        if data is None:
            raise ChunkMissing("a partial file of a meshing job is gone", "cancel the job and start it anew")
        integers, faces = decoded(data, plan.quantization_bits)
        corner, span = plan.frame(block)
        most = (1 << plan.quantization_bits) - 1
        return corner + np.rint(integers * (span / most)).astype(np.int64), faces


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one."""
    firsts = np.cumsum([0, *(len(places) for places, _ in surfaces[:-1])])
    faces = [faces.astype(np.int64) + first for (_, faces), first in zip(surfaces, firsts, strict=True)]
    return np.concatenate([places for places, _ in surfaces]), np.concatenate(faces).astype(np.uint32)


def _with_area(faces: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """The faces whose corners are three, each but once."""
    one, two, three = faces.T
    whole: npt.NDArray[Any] = faces[(one != two) & (two != three) & (three != one)]
    if not len(whole):
        return whole.astype(np.uint32)
    turns = np.argmin(whole, axis=1)[:, None]
    same = np.take_along_axis(whole, (np.arange(3) + turns) % 3, axis=1)
    each: npt.NDArray[np.uint32] = np.unique(same, axis=0).astype(np.uint32)
    return each
