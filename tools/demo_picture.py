"""The picture that people look at: an EM slice, the bodies on it, and their meshes standing on the same slice."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tools.demo_references import Array
from tools.demo_render import Camera, Plane, Surface, render
from voxgate import Box, Mesh, VoxelSize

Color = tuple[float, float, float]

_BACKGROUND = "#0b0e14"
_TEXT, _QUIET = "#e6e9ef", "#8b93a3"
_SIZE_INCHES = (16.0, 5.95)
_PIXELS_PER_INCH = 110
_PANEL_PIXELS = 590
_SCALE_BAR_NM = 500.0
_TINT = 0.5
_LEFT_OUT_SHARE = 0.025
"""Bodies that fill more of the volume than this would hide the others, and are left out of the view in 3-D."""
ATTRIBUTION = (
    "Data: FIB-25, HHMI Janelia FlyEM (CC BY), Takemura et al., PNAS 2015; cropped, meshed and rendered by voxgate"
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What there is to show.

    Attributes:
        em: the last slice, uint8 array of shape (y, x).
        seg: the same slice of the segmentation, segment ids.
        meshes: the bodies, largest first.
        voxel_counts: of each body, by id.
        bounds: of the whole volume, voxels.
        voxel_size_nm: of a voxel.
    """

    em: Array
    seg: Array
    meshes: Sequence[Mesh]
    voxel_counts: Mapping[int, int]
    bounds: Box
    voxel_size_nm: VoxelSize

    @property
    def box_nm(self) -> Array:
        """Array of shape (2, 3): where the volume starts and stops, x, y, z in nanometres."""
        return np.array([tuple(self.bounds.start), tuple(self.bounds.stop)]) * tuple(self.voxel_size_nm)


def body_colors(segment_ids: Sequence[int]) -> dict[int, Color]:
    """A colour for each body, neighbours in the list far apart."""
    hues = ((0.58 + rank * 0.618034) % 1 for rank in range(len(segment_ids)))
    return {segment_id: colorsys.hls_to_rgb(hue, 0.60, 0.75) for segment_id, hue in zip(segment_ids, hues, strict=True)}


def save_picture(scene: Scene, path: Path, *, title: str) -> None:
    """Draw the three panels into a PNG."""
    colors = body_colors([mesh.segment_id for mesh in scene.meshes])
    gray = np.repeat(scene.em[..., np.newaxis] / 255.0, 3, axis=2)
    overlay = _tinted(gray, scene.seg, colors)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_PIXELS_PER_INCH, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    z = scene.bounds.stop.z - 1
    _slice_panel(_axes(figure, 0.012, f"EM, slice z = {z}"), gray, scene, with_bar=True)
    _slice_panel(_axes(figure, 0.345, f"segmentation, {len(colors)} largest bodies"), overlay, scene, with_bar=False)
    drawn = _drawn(scene)
    _space_panel(_axes(figure, 0.678, "meshes over the same slice"), drawn, overlay, scene)
    figure.text(0.012, 0.94, title, color=_TEXT, fontsize=15, weight="bold")
    extent = " x ".join(f"{n * s / 1000:.2f}" for n, s in zip(scene.bounds.shape, scene.voxel_size_nm, strict=True))
    left_out = len(scene.meshes) - len(drawn)
    note = f"{extent} µm, {scene.voxel_size_nm.x:g} nm voxels; 3-D: without the {left_out} bodies that fill most of it"
    figure.text(0.988, 0.94, note, color=_QUIET, fontsize=9.5, ha="right")
    figure.text(0.012, 0.022, ATTRIBUTION, color=_QUIET, fontsize=8.5)
    figure.savefig(path, facecolor=_BACKGROUND)


def _drawn(scene: Scene) -> list[Mesh]:
    most = _LEFT_OUT_SHARE * scene.bounds.voxel_count
    return [mesh for mesh in scene.meshes if scene.voxel_counts[mesh.segment_id] <= most]


def _tinted(gray: Array, seg: Array, colors: Mapping[int, Color]) -> Array:
    shown = gray.copy()
    for segment_id, color in colors.items():
        inside = seg == segment_id
        shown[inside] = (1 - _TINT) * shown[inside] + _TINT * np.array(color)
    return shown


def _axes(figure: Figure, left: float, title: str) -> Axes:
    axes = figure.add_axes((left, 0.045, 0.31, 0.815), anchor="NW")
    axes.set_axis_off()
    axes.set_title(title, color=_TEXT, fontsize=11.5, loc="left", pad=7)
    return axes


def _slice_panel(axes: Axes, image: Array, scene: Scene, *, with_bar: bool) -> None:
    (x, y, _), (right, low, _) = scene.box_nm
    width, height = right - x, low - y
    axes.imshow(image, extent=(x, right, low, y), interpolation="lanczos")
    if with_bar:
        right, low = right - 0.045 * width, low - 0.045 * height
        axes.plot([right - _SCALE_BAR_NM, right], [low, low], color="white", linewidth=4, solid_capstyle="butt")
        middle = right - _SCALE_BAR_NM / 2
        style: dict[str, Any] = {"color": "white", "fontsize": 10, "ha": "center", "va": "bottom", "weight": "bold"}
        axes.text(middle, low - 0.018 * height, f"{_SCALE_BAR_NM:g} nm", **style)


def _space_panel(axes: Axes, meshes: Sequence[Mesh], overlay: Array, scene: Scene) -> None:
    colors = body_colors([mesh.segment_id for mesh in scene.meshes])
    size = scene.voxel_size_nm
    start, stop = scene.box_nm
    surfaces = [Surface(mesh.vertices, mesh.faces, colors[mesh.segment_id]) for mesh in meshes]
    plane = Plane(overlay, (start[0], start[1], stop[2]), (size.x, size.y))
    rendering = render(surfaces, plane, scene.box_nm, Camera(width=_PANEL_PIXELS))
    axes.imshow(rendering.image, interpolation="antialiased")
