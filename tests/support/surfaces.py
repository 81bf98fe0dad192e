"""Meshes made by hand, and with everything known of them, for tests of files and views."""

from dataclasses import replace

import numpy as np
import trimesh

from voxgate.model.mesh_facts import MeshProvenance, MeshStatistics
from voxgate.model.meshes import Mesh

HOSTILE = 'lab/two\nlines "quoted" \u2028\u00e9\r\nv 1 2 3'
"""A name that would begin lines of its own, were it written as it is."""

PROVENANCE = MeshProvenance(
    "fib25/seg", "3fa:master", "0.1.0", {"normals": True, "max_error_nm": 12.5, "bounds": {"start": {"x": "-3"}}}
)


def box_mesh(segment_id, start, extent, **facts):
    """A closed box of three unequal sides, faces looking outward."""
    solid = trimesh.creation.box(extents=extent)
    vertices = (solid.vertices + np.array(extent) / 2 + np.array(start)).astype(np.float32)
    return Mesh(segment_id, vertices, solid.faces.astype(np.uint32), **facts)


def ball_mesh(segment_id, centre, radii, **facts):
    """An ellipsoid with the exact normals of its vertices."""
    ball = trimesh.creation.icosphere(3)
    normals = ball.vertices / np.array(radii)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vertices = (ball.vertices * np.array(radii) + np.array(centre)).astype(np.float32)
    return Mesh(segment_id, vertices, ball.faces.astype(np.uint32), normals=normals.astype(np.float32), **facts)


def known(mesh, *, provenance=PROVENANCE, voxel_count=2**53 + 1):
    """The mesh with statistics and provenance."""
    low, high = (tuple(map(float, row)) for row in mesh.bounds_nm)
    measured = MeshStatistics(voxel_count, 2835.5, 1.25e9, low, high, watertight=True, error_nm=12.25)
    return replace(mesh, scale=2, mesher="cubes", search="pyramid", statistics=measured, provenance=provenance)
