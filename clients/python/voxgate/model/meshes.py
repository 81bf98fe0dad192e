"""Meshes: what every mesh service answers, wherever the surface came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.mesh_facts import MESH_SEARCHES, MeshProvenance, MeshStatistics, Simplification

if TYPE_CHECKING:
    from voxgate.model.mesh_views import NapariLayer, Placed


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """The surface of one segment.

    Attributes:
        segment_id: the segment.
        vertices: float32 array of shape (n, 3), columns x, y, z, nanometres, global frame; voxel i spans
            [i * size, (i + 1) * size).
        faces: uint32 array of shape (m, 3), indices into `vertices`, counter-clockwise seen from outside.
        origin: "stored" or "computed".
        scale: index of the scale that was meshed.
        resolved_version: the version that was meshed.
        mesher: name of the mesher; empty for a stored mesh.
        normals: float32 array of shape (n, 3), the unit vectors that point outside; None where they were not asked for.
        search: how the voxels were found, one of MESH_SEARCHES but "auto"; empty for a stored mesh.
        statistics: what is measured of it; None where nobody did.
        provenance: how it came to be; None where nobody knows.
    """

    segment_id: int
    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint32]
    origin: str = "computed"
    scale: int = 0
    resolved_version: str = ""
    mesher: str = ""
    normals: npt.NDArray[np.float32] | None = None
    search: str = ""
    statistics: MeshStatistics | None = None
    provenance: MeshProvenance | None = None

    @property
    def bounds_nm(self) -> npt.NDArray[Any]:
        """Array of shape (2, 3): the least and the greatest x, y, z of the vertices, nanometres."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def __repr__(self) -> str:
        counts = f"{len(self.vertices)} vertices, {len(self.faces)} faces"
        return f"<Mesh of segment {self.segment_id}: {counts}, scale {self.scale}, {self.origin}>"

    def save(self, path: str | os.PathLike[str], *, format: str = "") -> None:  # noqa: A002  (np.save's users expect it)
        """Write the mesh to a file, in place of one that is there.

        Args:
            path: where to; its ending says the format: .obj, .ply, .stl, .glb or .drc.
            format: one of MESH_FORMATS; needed for "precomputed", which has no ending.

        Raises:
            InvalidArgument: when neither names a format, or the format cannot hold the mesh.
            Unimplemented: for "drc" without the extra `voxgate[draco]`.
            OSError: when the file cannot be written.
        """
        from voxgate.model.mesh_files import encode_meshes  # noqa: PLC0415  (that module imports this one)

        Path(path).write_bytes(encode_meshes([self], format or Path(path).suffix.lstrip(".").lower()))

    def to_trimesh(self) -> Any:
        """A `trimesh.Trimesh` of the same vertices and faces in the same order, in nanometres, nothing merged.

        Its `metadata` has what is known of the mesh (the id as text), its `vertex_normals` are the mesh's where it has
        them, else trimesh's own.

        Raises:
            Unimplemented: without the extra `voxgate[trimesh]`.
        """
        from voxgate.model import mesh_views  # noqa: PLC0415  (that module imports this one)

        return mesh_views.to_trimesh(self)

    def to_navis(self) -> Any:
        """A `navis.MeshNeuron` in units of 1 nm, whose id is the segment's and whose name is the id.

        Raises:
            Unimplemented: without the extra `voxgate[navis]`.
        """
        from voxgate.model import mesh_views  # noqa: PLC0415  (that module imports this one)

        return mesh_views.to_navis(self)

    def to_napari(self, *, over: Placed | None = None) -> NapariLayer:
        """The surface as napari takes it: `viewer.add_layer(napari.layers.Layer.create(*mesh.to_napari()))`.

        Vertices are in the order z, y, x, like napari's axes, and faces are turned round, so that they still look
        outside. The world is in nanometres: it lies over an image layer that was given the voxel size as `scale` and
        the *centre* of the first voxel as `translate`, because napari puts the centre of a voxel where `translate`
        says, and a voxel of ours begins half its size before.

        Args:
            over: an array whose layer was given neither `scale` nor `translate`, so that the world is in its indices;
                the surface is moved and scaled to lie over it.

        Returns:
            The data (vertices float32 (n, 3), faces uint32 (m, 3), values float32 (n,), all 1), the arguments of the
            layer, and "surface".

        Raises:
            InvalidArgument: when the voxel size of `over` is unknown.
        """
        from voxgate.model import mesh_views  # noqa: PLC0415  (that module imports this one)

        return mesh_views.to_napari(self, over)

    def to_plotly(self) -> Any:
        """A `plotly.graph_objects.Figure` that turns in a notebook, axes x, y, z in nanometres, equally long.

        A browser gets all of it: some 100,000 faces are comfortable, ask for `target_face_count`.

        Raises:
            Unimplemented: without the extra `voxgate[plotly]`.
        """
        from voxgate.model import mesh_views  # noqa: PLC0415  (that module imports this one)

        return mesh_views.to_plotly(self)

    def to_matplotlib(self, axes: Any = None) -> Any:
        """Draw the surface on axes of matplotlib, x, y, z in nanometres; answers the axes.

        Each face is drawn by itself: for more than some 20,000 ask for `target_face_count`.

        Args:
            axes: made with `projection="3d"`; their limits grow with what they hold. Those of a new figure when not
                given.

        Raises:
            Unimplemented: without the extra `voxgate[matplotlib]`.
        """
        from voxgate.model import mesh_views  # noqa: PLC0415  (that module imports this one)

        return mesh_views.to_matplotlib(self, axes)


MESH_FORMATS: tuple[str, ...] = ("obj", "ply", "stl", "glb", "drc", "precomputed")
"""Formats a mesh can be written in; all but "precomputed" are also the file's ending."""


MESH_SOURCES: tuple[str, ...] = ("auto", "stored", "computed")
"""Where meshes may come from: the store's own where it has one, else made from voxels; only one of them."""


@dataclass(frozen=True, slots=True)
class MeshRequest:
    """Which surfaces to make.

    Attributes:
        segment_ids: none twice; 0 fails by itself.
        scale: index of the scale to mesh; None means the finest, or the coarsest that `simplification` allows.
        bounds: where, in voxels of the scale; None means the whole scale.
        closed: whether surfaces are closed at the border of `bounds`, as if only background lay outside.
        mesher: a mesher by name ("zmesh", "skimage"); empty means the default.
        source: one of MESH_SOURCES.
        simplification: how far to simplify; None means not.
        normals: whether each vertex gets a normal.
        search: one of MESH_SEARCHES.
    """

    segment_ids: tuple[int, ...]
    scale: int | None = None
    bounds: Box | None = None
    closed: bool = True
    mesher: str = ""
    source: str = "auto"
    simplification: Simplification | None = None
    normals: bool = False
    search: str = "auto"

    @property
    def takes_stored(self) -> bool:
        """Whether a mesh that the store keeps answers this: such a mesh has no scale, bounds or mesher to choose."""
        wishes = (self.scale or 0, self.bounds, self.closed, self.mesher, self.simplification)
        return self.source != "computed" and wishes == (0, None, True, "", None)

    def check(self) -> None:
        """Refuse words that mean nothing.

        Raises:
            InvalidArgument.
        """
        if self.source not in MESH_SOURCES:
            raise InvalidArgument(f"{self.source!r} is no source of meshes", f"one of {', '.join(MESH_SOURCES)}")
        if self.search not in MESH_SEARCHES:
            raise InvalidArgument(f"{self.search!r} is no way to search", f"one of {', '.join(MESH_SEARCHES)}")
        if self.simplification is not None:
            self.simplification.check()


@dataclass(frozen=True, slots=True)
class MeshFailure:
    """Why one requested segment has no mesh."""

    segment_id: int
    error: VoxgateError


MeshProgress = Callable[[str, int, int], None]
"""Called with (phase, done bytes, total bytes); the total is 0 while unknown."""


class MeshSource(Protocol):
    """Can mesh the segments of a volume."""

    def meshes(self, request: MeshRequest, *, progress: MeshProgress | None = None) -> Iterator[Mesh | MeshFailure]:
        """Yield exactly one Mesh or MeshFailure for each requested id, in the order they get ready."""
        ...
