"""JSON of places and sizes, as the command line prints it and the gateway answers it."""

from __future__ import annotations

from typing import Any

from voxgate.model.geometry import Box, Vec3, VoxelSize


def vec3_document(vec: Vec3 | VoxelSize) -> dict[str, Any]:
    """The JSON of a point, an extent or a voxel size."""
    return {"x": vec.x, "y": vec.y, "z": vec.z}


def box_document(box: Box) -> dict[str, Any]:
    """The JSON of a box: half-open, named axes."""
    return {"start": vec3_document(box.start), "stop": vec3_document(box.stop)}
