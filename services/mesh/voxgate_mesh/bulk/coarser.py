"""The levels above the finest: the pieces of up to eight chunks become one, with fewer triangles."""

from __future__ import annotations

import numpy as np

from voxgate.model.volumes import CallContext
from voxgate_mesh.bulk.encoding import encoded
from voxgate_mesh.bulk.lattice import stitched
from voxgate_mesh.bulk.partials import Piece, rising_name
from voxgate_mesh.bulk.pieces import Made, Places, risen, write_chunk
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan
from voxgate_mesh.bulk.rising import Rising, RisingFile
from voxgate_mesh.bulk.thinning import Frame


def make_coarser(plan: MeshPlan, block: LevelBlock, places: Places, context: CallContext) -> Made:
    """Make a chunk of level 1 or more from those of the level below, a segment at a time; thread-safe.

    Raises:
        Whatever the files raise; Cancelled or DeadlineExceeded from the context.
        ConfigInvalid: when DracoPy is not installed.
    """
    context.check()
    children = [RisingFile(places.files, rising_name(places.partials, child)) for child in plan.children(block)]
    frame, bits = Frame.of(plan, block), plan.quantization_bits
    pieces, above = [], []
    for segment_id in np.unique(np.concatenate([child.segment_ids for child in children])).tolist():
        context.check()
        surface = _joined([each for each in (child.find(segment_id) for child in children) if each is not None], frame)
        rising = risen(plan, frame, block.level, surface)
        draco = encoded(frame.integers(surface.places, bits), surface.faces, bits)
        pieces.append(Piece(segment_id, 0, 0.0, 0.0, len(surface.faces), draco, rising is not None))
        if rising is not None:
            above.append(rising)
    return Made(0, write_chunk(plan, block, places, pieces, above))


def _joined(parts: list[Rising], frame: Frame) -> Rising:
    """The surfaces of a segment in the chunks below as one: vertices on the planes between them are shared."""
    first = np.cumsum([0, *(len(part.places) for part in parts)])
    faces = [part.faces + np.uint32(start) for part, start in zip(parts, first[:-1], strict=True)]
    middle = frame.low + frame.span // 2
    places = np.concatenate([part.places for part in parts])
    return Rising(parts[0].segment_id, *stitched(places, np.concatenate(faces), middle))
