"""Meshes and skeletons of bodies that DVID keeps as values beside a segmentation, by convention.

Meshes: instance `{segmentation}_meshes`, key `{id}.ngmesh`: uint32 number of vertices, float32 x, y, z in nanometres,
uint32 corners of triangles to the end; little-endian (as the fragments of neuroglancer's legacy meshes).
Skeletons: instance `{segmentation}_skeletons`, key `{id}_swc`: SWC text in voxels of the finest scale, as
neuroglancer takes it. SWC (Cannon et al. 1998): lines of id, type, x, y, z, radius, parent; # starts a comment; parent
-1 is a root.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import VoxelSize
from voxgate.model.meshes import Mesh
from voxgate.model.skeletons import Skeleton
from voxgate_remotes.dvid.client import Ask
from voxgate_remotes.dvid.instances import Instance
from voxgate_remotes.dvid.labels import check_id
from voxgate_remotes.dvid.voxels import Place

_MOST_BYTES = 1 << 30


class DvidMeshes:
    """Meshes that are kept; satisfies StoredMeshes."""

    def __init__(self, place: Place, instance: Instance) -> None:
        self._place = place
        self._instance = instance.name

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """The mesh of a body; see `voxgate.model.skeletons.StoredMeshes`."""
        check_id(segment_id)
        path = self._place.ask(f"{self._instance}_meshes", "key", f"{segment_id}.ngmesh")
        body = self._place.client.find(Ask(path, most_bytes=_MOST_BYTES), self._place.context)
        if body is None:
            return None
        vertices, faces = parsed_mesh(body)
        return Mesh(segment_id, vertices, faces, origin="stored", resolved_version=self._place.uuid)


class DvidSkeletons:
    """Skeletons that are kept; satisfies StoredSkeletons."""

    def __init__(self, place: Place, instance: Instance) -> None:
        self._place = place
        self._instance = instance

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """The skeleton of a body; see `voxgate.model.skeletons.StoredSkeletons`.

        Radii are in voxels, so they mean a length only where voxels are cubes; elsewhere they are left out.
        """
        check_id(segment_id)
        path = self._place.ask(f"{self._instance.name}_skeletons", "key", f"{segment_id}_swc")
        body = self._place.client.find(Ask(path, most_bytes=_MOST_BYTES), self._place.context)
        size = self._instance.voxel_size_nm
        if body is None or size is None:
            return None
        vertices, edges, radii = parsed_swc(body, size)
        return Skeleton(segment_id, vertices, edges, radii, resolved_version=self._place.uuid)


def parsed_mesh(body: bytes) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """Vertices (n, 3) in nanometres and faces (m, 3).

    Raises:
        ChunkCorrupt: when it is not exactly that.
    """
    count = int(np.frombuffer(body, "<u4", 1)[0]) if len(body) >= 4 else 0
    after = 4 + 12 * count
    if len(body) < max(4, after) or (len(body) - after) % 12:
        raise ChunkCorrupt(f"a stored mesh of {len(body)} bytes cannot have {count} vertices", "store it again")
    vertices = np.frombuffer(body, "<f4", 3 * count, 4).reshape(-1, 3).astype(np.float32)
    faces = np.frombuffer(body, "<u4", offset=after).reshape(-1, 3).astype(np.uint32)
    if (len(faces) and int(faces.max()) >= count) or not np.isfinite(vertices).all():
        raise ChunkCorrupt("a stored mesh has faces without vertices, or vertices nowhere", "store it again")
    return vertices, faces


def parsed_swc(
    body: bytes, size: VoxelSize
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32], npt.NDArray[np.float32] | None]:
    """Vertices (n, 3) in nanometres, edges (m, 2) from each vertex to its parent, and radii where voxels are cubes.

    Raises:
        ChunkCorrupt: for a line that is none of SWC, an id that is there twice, or a parent that is not there.
    """
    try:
        lines = [line.split() for line in body.decode("utf-8").splitlines()]
        rows = [line for line in lines if line and not line[0].startswith("#")]
        ids = [int(row[0]) for row in rows]
        parents = [int(row[6]) for row in rows]
        numbers = np.array([[float(value) for value in row[2:6]] for row in rows]).reshape(-1, 4)
        index = {one: position for position, one in enumerate(ids)}
        edges = [(position, index[parent]) for position, parent in enumerate(parents) if parent != -1]
    except (ValueError, IndexError, KeyError):
        raise ChunkCorrupt("a stored skeleton is no SWC", "store it again") from None
    if len(index) != len(ids) or not np.isfinite(numbers).all():
        raise ChunkCorrupt("a stored skeleton has a vertex twice, or one nowhere", "store it again")
    vertices = (numbers[:, :3] * np.array(tuple(size))).astype(np.float32)
    is_cube = size.x == size.y == size.z
    radii = (numbers[:, 3] * size.x).astype(np.float32) if is_cube else None
    return vertices, np.array(edges, np.uint32).reshape(-1, 2), radii
