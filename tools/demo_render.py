"""A small renderer for surfaces and one textured plane: points on triangles, a depth buffer, soft shading.

matplotlib sorts whole triangles by depth, which breaks where long bodies wind around each other; this draws every pixel
by its own depth. numpy and scipy only, no display.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse  # type: ignore[import-untyped]

Array = npt.NDArray[Any]

_LIGHT = np.array([-0.45, 0.55, 0.70])
_TO_EYE = np.array([0.0, 0.0, 1.0])
_SAMPLES_AT_ONCE = 4_000_000
_NORMAL_ROUNDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A triangle mesh of one colour.

    Attributes:
        vertices: float array of shape (n, 3), x, y, z in nanometres.
        faces: integer array of shape (m, 3).
        color: red, green, blue, 0 to 1.
    """

    vertices: Array
    faces: Array
    color: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A picture lying at one z.

    Attributes:
        image: float array of shape (y, x, 3), 0 to 1.
        start_nm: x, y, z of the picture's first corner.
        pixel_nm: extents of a pixel along x and y.
    """

    image: Array
    start_nm: tuple[float, float, float]
    pixel_nm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """An orthographic view of a box of space.

    Attributes:
        azimuth: degrees the scene is turned about z.
        elevation: degrees the eye stands above the x, y plane, on the side of low z.
        width: pixels of the picture.
        margin: share of the picture left free on each side.
    """

    azimuth: float = -58.0
    elevation: float = 34.0
    width: int = 900
    margin: float = 0.03

    def axes(self) -> Array:
        """Array of shape (3, 3): rows are right, up, and toward the eye, in x, y, z.

        Seen as slices are: y and z grow away from the eye's side, so that a slice and its place in space look alike.
        """
        a, e = np.radians([self.azimuth, self.elevation])
        toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        return np.stack([right, np.cross(toward, right), toward]) * [1, -1, -1]


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """A picture of shape (height, width, 4), 0 to 1, transparent where nothing is; and nanometres of a pixel."""

    image: Array
    pixel_nm: float


class _Canvas:
    """Colour, normal and depth of the nearest point in every pixel."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.depth = np.full(height * width, -np.inf, np.float32)
        self.color = np.zeros((height * width, 3), np.float32)
        self.normal = np.zeros((height * width, 3), np.float32)

    def put(self, points: Array, colors: Array, normals: Array) -> None:
        """Points as (column, row, depth toward the eye); colours and normals one each, or one for all."""
        columns, rows = points[:, 0].astype(np.int64), points[:, 1].astype(np.int64)
        height, width = self.shape
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        where, depth = (rows * width + columns)[inside], points[inside, 2].astype(np.float32)
        np.maximum.at(self.depth, where, depth)
        nearest = self.depth[where] == depth
        self.color[where[nearest]] = np.broadcast_to(colors, points.shape)[inside][nearest]
        self.normal[where[nearest]] = np.broadcast_to(normals, points.shape)[inside][nearest]


def render(surfaces: Sequence[Surface], plane: Plane | None, box_nm: Array, camera: Camera) -> Rendering:
    """Draw surfaces and a plane.

    Args:
        surfaces: what to draw.
        plane: drawn unshaded; None draws none.
        box_nm: array of shape (2, 3), the part of space that fits the picture; nothing is cut at it.
        camera: the view.
    """
    axes = camera.axes()
    corners = np.array(np.meshgrid(*box_nm.T)).reshape(3, -1).T @ axes.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    oversampled = 2 * camera.width
    scale = oversampled * (1 - 2 * camera.margin) / (high[0] - low[0])
    edge = oversampled * camera.margin
    canvas = _Canvas(int((high[1] - low[1]) * scale + 2 * edge) // 2 * 2, oversampled)

    def project(points: Array) -> Array:
        view = points @ axes.T
        return np.stack(
            [(view[:, 0] - low[0]) * scale + edge, (high[1] - view[:, 1]) * scale + edge, view[:, 2]], axis=1
        )

    if plane is not None:
        _draw_plane(canvas, plane, project, scale)
    for surface in surfaces:
        _draw_surface(canvas, surface, project, axes)
    return Rendering(_halved(_shaded(canvas, scale)), 2 / scale)


def _draw_plane(canvas: _Canvas, plane: Plane, project: Any, scale: float) -> None:
    finer = [max(1, int(np.ceil(1.6 * size * scale))) for size in plane.pixel_nm]
    rows, columns = (n * f for n, f in zip(plane.image.shape[:2], (finer[1], finer[0]), strict=True))
    y, x = np.divmod(np.arange(rows * columns), columns)
    points = np.empty((rows * columns, 3))
    points[:, 0] = plane.start_nm[0] + (x + 0.5) * plane.pixel_nm[0] / finer[0]
    points[:, 1] = plane.start_nm[1] + (y + 0.5) * plane.pixel_nm[1] / finer[1]
    points[:, 2] = plane.start_nm[2]
    colors = plane.image[y // finer[1], x // finer[0]]
    canvas.put(project(points), colors, np.zeros(3))


def _draw_surface(canvas: _Canvas, surface: Surface, project: Any, axes: Array) -> None:
    normals = smooth_normals(surface.vertices, surface.faces) @ axes.T
    corners = project(surface.vertices.astype(np.float64))
    toward = (normals[surface.faces][:, :, 2] > -0.25).any(axis=1)
    faces = surface.faces[toward]
    sides = corners[np.roll(faces, -1, axis=1)] - corners[faces]
    longest = float(np.sqrt((sides[:, :, :2] ** 2).sum(axis=2)).max(initial=1.0))
    weights = _barycentric(int(np.ceil(longest)))
    for start in range(0, len(faces), max(1, _SAMPLES_AT_ONCE // len(weights))):
        part = faces[start : start + max(1, _SAMPLES_AT_ONCE // len(weights))]
        points = np.einsum("ki,fij->fkj", weights, corners[part]).reshape(-1, 3)
        shading = np.einsum("ki,fij->fkj", weights, normals[part]).reshape(-1, 3)
        canvas.put(points, np.array(surface.color), shading)


def _barycentric(count: int) -> Array:
    i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1))
    inside = i + j <= count
    weights = np.stack([i[inside], j[inside], count - i[inside] - j[inside]], axis=1)
    return weights / count


def smooth_normals(vertices: Array, faces: Array) -> Array:
    """Unit normals, float64 of shape (n, 3), averaged over neighbours: hides the steps of voxels, moves no vertex."""
    corners = vertices[faces].astype(np.float64)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = len(vertices)
    rows = np.concatenate([faces, np.roll(faces, -1, axis=1)], axis=1).ravel()
    columns = np.concatenate([np.roll(faces, -1, axis=1), faces], axis=1).ravel()
    near = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (count, count))
    normals: Array = np.stack([np.bincount(faces.ravel(), np.repeat(areas[:, i], 3), count) for i in range(3)], axis=1)
    for _ in range(_NORMAL_ROUNDS):
        normals += near @ normals
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    return normals


def _shaded(canvas: _Canvas, scale: float) -> Array:
    height, width = canvas.shape
    depth = canvas.depth.reshape(height, width)
    color = canvas.color.reshape(height, width, 3)
    normal = canvas.normal.reshape(height, width, 3)
    drawn = np.isfinite(depth)
    normal = normal / (np.linalg.norm(normal, axis=2, keepdims=True) + 1e-6)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    diffuse = np.clip(normal @ light, 0, 1)
    half = light + _TO_EYE
    half = half / np.linalg.norm(half)
    gloss = np.clip(normal @ half, 0, 1) ** 40
    rim = 0.35 + 0.65 * np.clip(normal[..., 2], 0, 1)
    lit = color * (0.30 + 0.78 * diffuse * rim + 0.12 * rim)[..., None] + 0.16 * gloss[..., None]
    flat = (canvas.normal == 0).all(axis=1).reshape(height, width)
    lit[flat] = color[flat]
    lit *= _occlusion(depth, drawn, scale)[..., None]
    return np.dstack([np.clip(lit, 0, 1), drawn.astype(np.float64)])


def _occlusion(depth: Array, drawn: Array, scale: float) -> Array:
    """How much of the open light reaches a pixel: less where its surroundings stand nearer to the eye."""
    shade = np.ones(depth.shape)
    floor = float(depth[drawn].min()) if drawn.any() else 0.0
    filled = np.where(drawn, depth, floor).astype(np.float64)
    for radius_nm, strength in ((30.0, 0.35), (110.0, 0.45)):
        raised = ndimage.gaussian_filter(filled, radius_nm * scale / 2) - filled
        shade *= 1 - strength * np.clip(raised / (2.2 * radius_nm), 0, 1)
    return shade


def _halved(image: Array) -> Array:
    height, width, bands = image.shape
    blocks = image.reshape(height // 2, 2, width // 2, 2, bands).swapaxes(1, 2)
    blocks = blocks.reshape(height // 2, width // 2, 4, bands)
    alpha = blocks[..., 3:].mean(axis=2)
    color = (blocks[..., :3] * blocks[..., 3:]).sum(axis=2) / np.maximum(blocks[..., 3:].sum(axis=2), 1e-9)
    return np.concatenate([color, alpha], axis=2)
