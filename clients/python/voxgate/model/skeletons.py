"""Skeletons, and what a store keeps ready beside its voxels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.meshes import Mesh


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The centre line of one segment.

    Attributes:
        segment_id: the segment.
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres, global frame.
        edges: uint32 array of shape (m, 2), indices into `vertices`.
        radii: float32 array of shape (n,), nanometres; None where the store has none.
        resolved_version: the version it is of.
    """

    segment_id: int
    vertices: npt.NDArray[np.float32]
    edges: npt.NDArray[np.uint32]
    radii: npt.NDArray[Any] | None = None
    resolved_version: str = ""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as SWC in nanometres, in place of a file that is there; unknown radii are 0.

        Raises:
            InvalidArgument: for another ending than .swc, and for a skeleton with a ring, which SWC cannot say.
            OSError: when the file cannot be written.
        """
        from voxgate.model.skeleton_files import skeleton_to_swc  # noqa: PLC0415  (that module imports this one)

        if Path(path).suffix.lower() != ".swc":
            raise InvalidArgument(f"{Path(path).name} has another ending than .swc", "skeletons are saved as SWC")
        Path(path).write_text(skeleton_to_swc(self))

    def __repr__(self) -> str:
        return f"<Skeleton of segment {self.segment_id}: {len(self.vertices)} vertices, {len(self.edges)} edges>"


class StoredMeshes(Protocol):
    """The store keeps meshes of segments."""

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """The mesh of a segment, vertices in nanometres in the global frame, origin "stored"; None where none is kept.

        Raises:
            ChunkCorrupt: when what is kept is no mesh.
        """
        ...


class StoredSkeletons(Protocol):
    """The store keeps skeletons of segments."""

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """The skeleton of a segment; None where none is kept.

        Raises:
            ChunkCorrupt: when what is kept is no skeleton.
        """
        ...
