"""Meshes as objects of other libraries: trimesh, navis, napari, plotly, matplotlib, each loaded when asked for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.extras import loaded
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.mesh_documents import segment_document
from voxgate.model.meshes import Mesh

NapariLayer = tuple[tuple[npt.NDArray[Any], ...], dict[str, Any], str]
"""What napari calls a layer data tuple: the data, the arguments of the layer, its kind."""

_COLOR = "#4c90c0"
_AXIS_NAMES = ("x (nm)", "y (nm)", "z (nm)")


class Placed(Protocol):
    """An array that knows which voxels it has: a VolumeArray is one."""

    @property
    def bounds(self) -> Box:
        """Global voxels."""
        ...

    @property
    def voxel_size_nm(self) -> VoxelSize | None:
        """None where unknown."""
        ...


def facts(mesh: Mesh) -> dict[str, Any]:
    """What is known of a mesh, for the metadata of other libraries: JSON's types, the id as text."""
    return {**segment_document(mesh), "units": "nm"}


def to_trimesh(mesh: Mesh) -> Any:
    """A `trimesh.Trimesh`; see `Mesh.to_trimesh`."""
    made = loaded("trimesh", "trimesh").Trimesh(
        mesh.vertices.astype(np.float64),
        mesh.faces.astype(np.int64),
        vertex_normals=mesh.normals,
        process=False,
        metadata=facts(mesh),
    )
    made.units = "nm"
    return made


def to_navis(mesh: Mesh) -> Any:
    """A `navis.MeshNeuron`; see `Mesh.to_navis`."""
    return loaded("navis", "navis").MeshNeuron(
        (mesh.vertices, mesh.faces.astype(np.int64)),
        units="1 nm",
        process=False,
        id=mesh.segment_id,
        name=str(mesh.segment_id),
    )


def to_napari(mesh: Mesh, over: Placed | None) -> NapariLayer:
    """A napari surface; see `Mesh.to_napari`."""
    settings: dict[str, Any] = {"name": f"mesh {mesh.segment_id}", "metadata": facts(mesh)}
    if over is not None:
        size = over.voxel_size_nm
        if size is None:
            raise InvalidArgument("the voxel size of that array is unknown", "show its layer and the mesh apart")
        # napari puts the centre of the first voxel at 0, ours has its low corner at `bounds.start` voxels.
        settings["scale"] = tuple(1.0 / step for step in size.zyx)
        settings["translate"] = tuple(-(start + 0.5) for start in over.bounds.start.zyx)
    vertices = np.ascontiguousarray(mesh.vertices[:, ::-1])
    # The reversed axes are a mirror: what was counter-clockwise would be seen from inside.
    faces = np.ascontiguousarray(mesh.faces[:, ::-1])
    return (vertices, faces, np.ones(len(vertices), np.float32)), settings, "surface"


def to_plotly(mesh: Mesh) -> Any:
    """A `plotly.graph_objects.Figure`; see `Mesh.to_plotly`."""
    plotly = loaded("plotly.graph_objects", "plotly")
    corners = zip("ijk", mesh.faces.T, strict=True)
    surface = plotly.Mesh3d(
        **dict(zip("xyz", mesh.vertices.T, strict=True)),
        **dict(corners),
        name=str(mesh.segment_id),
        color=_COLOR,
        hoverinfo="x+y+z+name",
    )
    axes = {f"{axis}axis": {"title": {"text": name}} for axis, name in zip("xyz", _AXIS_NAMES, strict=True)}
    return plotly.Figure(surface, layout={"scene": {"aspectmode": "data", **axes}})


def to_matplotlib(mesh: Mesh, axes: Any = None) -> Any:
    """Axes of matplotlib; see `Mesh.to_matplotlib`."""
    art3d = loaded("mpl_toolkits.mplot3d.art3d", "matplotlib")
    if axes is None:
        axes = loaded("matplotlib.pyplot", "matplotlib").figure().add_subplot(projection="3d")
        axes.set(**dict(zip(("xlabel", "ylabel", "zlabel"), _AXIS_NAMES, strict=True)))
    if not len(mesh.faces):
        return axes
    axes.auto_scale_xyz(*mesh.vertices.T, had_data=axes.has_data())
    axes.add_collection3d(art3d.Poly3DCollection(mesh.vertices[mesh.faces], facecolors=_COLOR, shade=True))
    # Nanometres are as long along every axis.
    axes.set_box_aspect([high - low for low, high in (axes.get_xlim3d(), axes.get_ylim3d(), axes.get_zlim3d())])
    return axes
