"""What is known of a mesh beside its triangles: how it was asked for, what it measures, how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voxgate.model.errors import InvalidArgument

SIMPLIFICATIONS: tuple[str, ...] = ("quality", "fast")
"""How triangles are made fewer: topology kept, every edge between exactly two triangles; or faster, for looking at."""

MESH_SEARCHES: tuple[str, ...] = ("auto", "index", "everywhere", "pyramid")
"""How a segment's voxels are found; "pyramid" may miss what is too small to appear at a coarser scale."""

LEAST_FACES = 4
"""Of a closed surface: a tetrahedron's."""


@dataclass(frozen=True, slots=True)
class Simplification:
    """How far a surface is made simpler; at least one of the first two is given.

    Attributes:
        max_error_nm: how far the surface may move, nanometres; None means no limit.
        target_face_count: how many triangles are few enough; None means as few as `max_error_nm` allows.
        mode: one of SIMPLIFICATIONS.
    """

    max_error_nm: float | None = None
    target_face_count: int | None = None
    mode: str = "quality"

    def check(self) -> None:
        """Refuse what means nothing.

        Raises:
            InvalidArgument.
        """
        if self.max_error_nm is None and self.target_face_count is None:
            raise InvalidArgument("simplified how far?", "give max_error_nm, target_face_count or both")
        if self.max_error_nm is not None and not 0 < self.max_error_nm < float("inf"):
            raise InvalidArgument(
                f"a surface cannot be {self.max_error_nm} nm off",
                "give nanometres above 0",
                details={"field": "max_error_nm"},
            )
        if self.target_face_count is not None and self.target_face_count < LEAST_FACES:
            raise InvalidArgument(
                f"no closed surface has {self.target_face_count} triangles",
                f"give at least {LEAST_FACES}",
                details={"field": "target_face_count"},
            )
        if self.mode not in SIMPLIFICATIONS:
            raise InvalidArgument(f"{self.mode!r} is no simplification", f"one of {', '.join(SIMPLIFICATIONS)}")


PointNm = tuple[float, float, float]
"""x, y, z in nanometres, global frame."""


@dataclass(frozen=True, slots=True)
class MeshStatistics:
    """What is measured of a mesh.

    Attributes:
        voxel_count: the segment's voxels inside the bounds, at the scale that was meshed; None where voxels were not
            looked at.
        volume_nm3: what the surface encloses; None unless it is watertight.
        surface_nm2: its area.
        min_nm: the least x, y, z of a vertex.
        max_nm: the greatest.
        watertight: whether every directed edge of a triangle meets its opposite.
        error_nm: how far simplification may have moved the surface; 0 for what was not simplified.
    """

    voxel_count: int | None
    volume_nm3: float | None
    surface_nm2: float
    min_nm: PointNm
    max_nm: PointNm
    watertight: bool
    error_nm: float = 0.0


@dataclass(frozen=True, slots=True)
class MeshProvenance:
    """How meshes came to be: what it takes to make them again.

    Attributes:
        volume: "remote/path" of the segmentation.
        resolved_version: the version that was meshed.
        server_version: the release of voxgate that made them.
        parameters: the request as it was understood, by the names of the contract; only what was set.
    """

    volume: str
    resolved_version: str = ""
    server_version: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
