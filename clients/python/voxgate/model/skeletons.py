"""Skeletons, and what a store keeps ready beside its voxels."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument, VoxgateError
from voxgate.model.meshes import Mesh, MeshProgress


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The centre line of one segment.

    Attributes:
        segment_id: the segment.
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres, global frame.
        edges: uint32 array of shape (m, 2), indices into `vertices`.
        radii: float32 array of shape (n,), nanometres; None where the store has none.
        resolved_version: the version it is of.
        origin: "stored" or "computed".
        scale: index of the scale that it was computed from.
    """

    segment_id: int
    vertices: npt.NDArray[np.float32]
    edges: npt.NDArray[np.uint32]
    radii: npt.NDArray[Any] | None = None
    resolved_version: str = ""
    origin: str = "stored"
    scale: int = 0

    @property
    def length_nm(self) -> float:
        """The length of all edges, nanometres."""
        ends = self.vertices.astype(np.float64)[self.edges]
        return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())

    @property
    def tree_count(self) -> int:
        """The number of its connected parts; a vertex without an edge is one."""
        least = np.arange(len(self.vertices))
        one, other = self.edges.T.astype(np.int64)
        while True:
            # Each vertex learns the least number that its neighbours know, and what that one knows: log(n) rounds.
            before = least.copy()
            np.minimum.at(least, least[one], before[other])
            np.minimum.at(least, least[other], before[one])
            np.minimum.at(least, one, before[other])
            np.minimum.at(least, other, before[one])
            least = least[least]
            if (least == before).all():
                return int((least == np.arange(len(least))).sum())

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
        counts = f"{len(self.vertices)} vertices, {len(self.edges)} edges"
        return f"<Skeleton of segment {self.segment_id}: {counts}, {self.origin}>"


SKELETON_SOURCES: tuple[str, ...] = ("auto", "stored", "computed")
"""Where skeletons may come from: the store's own where it has one, else made from voxels; only one of them."""


@dataclass(frozen=True, slots=True)
class Teasar:
    """Parameters of TEASAR (Sato et al. 2000), as kimimaro names them.

    A path clears all voxels within `scale` * (distance to the surface) + `const_nm` of it: larger means fewer branches.
    """

    scale: float = 1.5
    const_nm: float = 300.0

    def check(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            InvalidArgument.
        """
        for name, value in (("scale", self.scale), ("const_nm", self.const_nm)):
            if not (math.isfinite(value) and value >= 0):
                raise InvalidArgument(f"{value} is no TEASAR {name}", "give a number that is not negative")


@dataclass(frozen=True, slots=True)
class SkeletonRequest:
    """Which skeletons to answer.

    Attributes:
        segment_ids: none of them 0, none twice.
        source: one of SKELETON_SOURCES.
        scale: index of the scale to compute from; None means the finest whose voxels around the segment are within the
            server's limit.
        teasar: parameters of what is computed; None means the defaults.
    """

    segment_ids: tuple[int, ...]
    source: str = "auto"
    scale: int | None = None
    teasar: Teasar | None = None

    @property
    def takes_stored(self) -> bool:
        """Whether a skeleton that the store keeps answers this: it has no scale or parameters to choose."""
        return self.source != "computed" and self.scale is None and self.teasar is None

    def check(self) -> None:
        """Refuse words and numbers that mean nothing, and wishes that no stored skeleton can have.

        Raises:
            InvalidArgument.
        """
        if self.source not in SKELETON_SOURCES:
            raise InvalidArgument(f"{self.source!r} is no source of skeletons", f"one of {', '.join(SKELETON_SOURCES)}")
        if self.source == "stored" and not self.takes_stored:
            raise InvalidArgument(
                "stored skeletons have no scale or parameters to choose", 'leave them out, or take "computed"'
            )
        if self.teasar is not None:
            self.teasar.check()


@dataclass(frozen=True, slots=True)
class SkeletonFailure:
    """Why one requested segment has no skeleton."""

    segment_id: int
    error: VoxgateError


class SkeletonSource(Protocol):
    """Answers the skeletons of segments, kept or made."""

    def skeletons(
        self, request: SkeletonRequest, *, progress: MeshProgress | None = None
    ) -> Iterator[Skeleton | SkeletonFailure]:
        """Yield exactly one Skeleton or SkeletonFailure for each requested id, in the order they get ready."""
        ...


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
