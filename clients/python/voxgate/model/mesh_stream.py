"""What a stream of meshes is made of, before and after the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import VoxgateError
from voxgate.model.mesh_facts import MeshStatistics


@dataclass(frozen=True, slots=True, eq=False)
class MeshPiece:
    """A piece of a segment's mesh, to be appended to the pieces before it.

    Attributes:
        segment_id: the segment.
        first_vertex: the number of the segment's vertices in earlier pieces.
        vertices: new vertices, float32 of shape (n, 3), columns x, y, z, nanometres, global frame.
        faces: uint32 of shape (m, 3), indices of vertices of this and earlier pieces.
        normals: float32 of shape (n, 3), one for each new vertex; None in every piece of a mesh without them.
    """

    segment_id: int
    first_vertex: int
    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint32]
    normals: npt.NDArray[np.float32] | None = None

    @property
    def byte_count(self) -> int:
        """The bytes of its tables."""
        return self.vertices.nbytes + self.faces.nbytes + (0 if self.normals is None else self.normals.nbytes)


@dataclass(frozen=True, slots=True)
class MeshEnding:
    """The end of one segment's mesh; exactly one for each requested id.

    Attributes:
        segment_id: the segment.
        vertex_count: of all pieces.
        face_count: of all pieces.
        error: why there is no mesh; None when there is one.
        origin: "computed" or "stored".
        scale: index of the scale that was meshed.
        search: how the voxels were found; empty for a stored mesh.
        statistics: what is measured of it.
    """

    segment_id: int
    vertex_count: int = 0
    face_count: int = 0
    error: VoxgateError | None = None
    origin: str = "computed"
    scale: int = 0
    search: str = ""
    statistics: MeshStatistics | None = None
