"""The levels above the finest: the pieces of eight chunks become one, with fewer triangles."""

from __future__ import annotations

from voxgate.model.volumes import CallContext
from voxgate_mesh.bulk.pieces import Made, Places
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan


def make_coarser(plan: MeshPlan, block: LevelBlock, places: Places, context: CallContext) -> Made:
    """Make a chunk of level 1 or more from those of the level below; thread-safe.

    Raises:
        Whatever the files raise; Cancelled or DeadlineExceeded from the context.
    """
    raise NotImplementedError
