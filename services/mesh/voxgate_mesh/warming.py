"""Compiling before the first caller waits for it."""

from __future__ import annotations

import logging
import threading

import numpy as np

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.mesh_facts import SIMPLIFICATIONS, Simplification
from voxgate_mesh.assembling import SegmentAssembler
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.normals import vertex_normals
from voxgate_mesh.simplifying import simplify

_LOG = logging.getLogger(__name__)


def warm() -> None:
    """Mesh a few voxels of each width that labels of a request have, and simplify them in each way.

    What that takes is compiled afterwards, or loaded.
    """
    _, mesher = find_mesher("")
    region = Box.at(Vec3(0, 0, 0), Vec3(4, 4, 4))
    for dtype in (np.uint8, np.uint16):
        labels = np.zeros((4, 4, 4), dtype)
        labels[1:3, 1:3, 1:3] = 1
        piece = SegmentAssembler(1, region, VoxelSize(1, 1, 1)).add(mesher(labels)[1], region.start, region)
    vertex_normals(piece.vertices, piece.faces)
    for mode in SIMPLIFICATIONS:
        simplify(piece.vertices, piece.faces, Simplification(0.5, None, mode))


def start_warming() -> None:
    """Warm in a thread of its own; a failure costs nothing but the warmth."""
    threading.Thread(target=_warm_quietly, name="warm-mesher", daemon=True).start()


def _warm_quietly() -> None:
    try:
        warm()
    except Exception:  # noqa: BLE001  (the top of a thread)
        _LOG.exception("the mesher could not be compiled ahead of its first call")
