"""Meshes as one file of a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from voxgate.model.mesh_files.draco import encode_draco
from voxgate.model.mesh_files.gltf import encode_glb
from voxgate.model.mesh_files.kinds import check_mesh_file
from voxgate.model.mesh_files.text import encode_obj, encode_ply, encode_stl
from voxgate.model.meshes import Mesh


def encode_meshes(meshes: Sequence[Mesh], fmt: str) -> bytes:
    """Write meshes as one file; the same bytes for the same meshes.

    Coordinates are nanometres, in glTF metres. OBJ has one object and group for each segment, named by its id, glTF
    one node; PLY has a comment for each segment with its ranges of vertices and faces; STL is one soup of triangles.
    OBJ and PLY (as comments) and glTF (as `extras`) say how the meshes came to be and what is measured of each
    segment. Normals are in OBJ, glTF and Draco where a mesh has them, in PLY where all have.

    Args:
        meshes: at least one; exactly one for "drc" and "precomputed".
        fmt: one of MESH_FORMATS.

    Raises:
        InvalidArgument: for an unknown format, a number of meshes it cannot hold, or a mesh that Draco cannot.
        Unimplemented: for "drc" without the extra `voxgate[draco]`.
    """
    check_mesh_file(len(meshes), fmt)
    return _ENCODERS[fmt](meshes)


def _precomputed(meshes: Sequence[Mesh]) -> bytes:
    """One fragment of neuroglancer's "legacy single-resolution mesh format".

    Source: neuroglancer, src/datasource/precomputed/meshes.md.
    """
    mesh = meshes[0]
    count = np.array(len(mesh.vertices), "<u4").tobytes()
    return count + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()


def _draco(meshes: Sequence[Mesh]) -> bytes:
    return encode_draco(meshes[0])


_ENCODERS: dict[str, Callable[[Sequence[Mesh]], bytes]] = {
    "obj": encode_obj,
    "ply": encode_ply,
    "stl": encode_stl,
    "glb": encode_glb,
    "drc": _draco,
    "precomputed": _precomputed,
}
