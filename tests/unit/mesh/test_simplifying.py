"""Simplified surfaces: what is kept of them, and how far they go, measured by trimesh and by scipy's nearest points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from tools.demo_references import read_precomputed
from tools.demo_suite import SAMPLES
from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh.meshers import zmesh_surfaces
from voxgate_mesh.simplifying import Simplified, simplify
from voxgate_mesh.simplifying.distances import farthest, squared_distances, target_of

Array = npt.NDArray[Any]
Surface = tuple[Array, Array]

ANISOTROPIC = (4.0, 5.0, 40.0)
FAR = (1_000_000.0, -700_000.0, 400_000.0)


def meshed(mask: Array, size: tuple[float, float, float] = (10.0, 10.0, 10.0), shift: Any = 0) -> Surface:
    """The surface of a mask (z, y, x), closed."""
    keys, faces = zmesh_surfaces(np.pad(mask, 1).astype(np.uint8))[1]
    vertices: Array = (keys / 2 * size + shift).astype(np.float32)
    return vertices, faces


def ball(radii: tuple[float, float, float], hole: float = 0.0) -> Array:
    z, y, x = np.mgrid[-14:15, -14:15, -14:15] + 0.13
    inside = ((z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2) < 1
    return np.asarray(inside & (np.hypot(x, y) >= hole))


def plate() -> Array:
    mask = np.zeros((9, 24, 31), bool)
    mask[4, 2:22, 3:28] = True
    return mask


def touching() -> Array:
    """Two bodies that touch along an edge, and a third that touches at a corner."""
    mask = np.zeros((20, 21, 22), bool)
    mask[2:8, 2:8, 2:9] = True
    mask[8:13, 8:15, 2:9] = True
    mask[13:18, 15:19, 9:16] = True
    return mask


def rough() -> Array:
    """A noisy body with tunnels and islands."""
    noise = np.random.default_rng(5).random((17, 18, 19))
    return (ball((12, 13, 14))[6:23, 6:24, 5:24] & (noise > 0.25)) | (noise > 0.97)


SHAPES: dict[str, Callable[[], Array]] = {
    "ball": lambda: ball((9, 10, 12)),
    "ring": lambda: ball((5, 13, 13.5), hole=5),
    "box": lambda: np.ones((11, 14, 17), bool),
    "plate": plate,
    "touching": touching,
    "rough": rough,
    "voxel": lambda: np.ones((1, 1, 1), bool),
}


def facts(vertices: Array, faces: Array) -> tuple[int, int, bool]:
    """Components, Euler characteristic of all of them, and whether every edge has two faces that agree."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    parts = len(trimesh.graph.connected_components(mesh.face_adjacency, nodes=np.arange(len(faces))))
    return parts, int(mesh.euler_number), bool(mesh.is_watertight and mesh.is_winding_consistent)


def directed(faces: Array) -> dict[tuple[int, int], int]:
    """Directed edges and how often each occurs, less its opposite."""
    balance: dict[tuple[int, int], int] = {}
    for a, b in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist():
        balance[a, b] = balance.get((a, b), 0) + 1
        balance[b, a] = balance.get((b, a), 0) - 1
    return balance


def one_way(of: Surface, to: Surface, spacing: float) -> float:
    """How far vertices and centroids of one surface are from dense points on another."""
    points = np.concatenate([of[0], trimesh.Trimesh(*of, process=False).triangles_center])
    dense, _ = trimesh.remesh.subdivide_to_size(*to, spacing, max_iter=20)  # type: ignore[no-untyped-call]
    return float(cKDTree(dense).query(points)[0].max())


def near(one: Surface, other: Surface, error: float) -> bool:
    """Whether two surfaces are within `error` of each other, both ways."""
    spacing = max(3.0, error / 4)
    origin = one[0].mean(axis=0, dtype=np.float64)
    one, other = (one[0] - origin, one[1]), (other[0] - origin, other[1])
    # No point of a triangle is further than 0.58 of its longest side from the nearest corner.
    most = np.hypot(error, 0.58 * spacing) + 0.1
    return max(one_way(one, other, spacing), one_way(other, one, spacing)) <= float(most)


def surface(answer: Simplified) -> Surface:
    return answer.vertices, answer.faces


def check_well_formed(answer: Simplified, vertices: int) -> None:
    """Types as promised, no vertex without a face, no face that has no area."""
    assert answer.vertices.dtype == np.float32
    assert answer.faces.dtype == np.uint32
    assert np.array_equal(np.unique(answer.faces), np.arange(len(answer.vertices)))
    assert len(answer.vertices) <= vertices


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("error", [3.0, 12.0, 45.0])
def test_quality_keeps_topology_and_stays_within_the_error(name: str, error: float) -> None:
    given_surface = meshed(SHAPES[name](), shift=(30.0, 70.0, -20.0))

    answer = simplify(*given_surface, Simplification(max_error_nm=error))

    check_well_formed(answer, len(given_surface[0]))
    assert facts(*surface(answer)) == facts(*given_surface)
    assert facts(*given_surface)[2], "the input was closed"
    triangles = np.sort(answer.faces, axis=1)
    assert len(np.unique(triangles, axis=0)) == len(triangles)
    assert trimesh.Trimesh(*surface(answer), process=False).area_faces.min() > 0
    assert answer.error_nm <= error
    assert near(given_surface, surface(answer), error)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("error", [3.0, 12.0, 45.0])
def test_fast_leaves_no_edge_open_and_stays_within_the_error(name: str, error: float) -> None:
    given_surface = meshed(SHAPES[name](), shift=(30.0, 70.0, -20.0))

    answer = simplify(*given_surface, Simplification(max_error_nm=error, mode="fast"))

    check_well_formed(answer, len(given_surface[0]))
    assert not any(directed(answer.faces).values())
    assert answer.error_nm <= error
    assert near(given_surface, surface(answer), error)


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_flat_voxels_and_a_far_origin_change_nothing_of_that(mode: str) -> None:
    given_surface = meshed(SHAPES["ring"](), ANISOTROPIC, FAR)

    answer = simplify(*given_surface, Simplification(max_error_nm=20.0, mode=mode))

    assert len(answer.faces) < len(given_surface[1]) / 4
    assert not any(directed(answer.faces).values())
    assert near(given_surface, surface(answer), 20.0)
    if mode == "quality":
        assert facts(*surface(answer)) == facts(*given_surface) == (1, 0, True)


def test_planes_need_few_triangles_and_stay_where_they_are() -> None:
    given_surface = meshed(np.ones((30, 40, 50), bool))

    answer = simplify(*given_surface, Simplification(max_error_nm=1.0))

    assert len(answer.faces) < len(given_surface[1]) / 15
    assert np.allclose(answer.vertices.min(axis=0), given_surface[0].min(axis=0), atol=1.0)
    assert np.allclose(answer.vertices.max(axis=0), given_surface[0].max(axis=0), atol=1.0)


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_a_number_of_triangles_is_kept_to_and_its_error_is_told(mode: str) -> None:
    given_surface = meshed(SHAPES["ball"]())

    answer = simplify(*given_surface, Simplification(target_face_count=300, mode=mode))

    assert 4 <= len(answer.faces) <= 300
    assert 0 < answer.error_nm < 80
    assert near(given_surface, surface(answer), answer.error_nm)


@pytest.mark.parametrize("mode", ["quality", "fast"])
@pytest.mark.parametrize(("size", "error"), [((10, 10, 10), 5), ((10, 10, 10), 40), ((4, 4, 40), 12)])
def test_a_real_body_stays_within_the_error_between_its_vertices_too(
    mode: str, size: tuple[float, float, float], error: float
) -> None:
    labels = read_precomputed(SAMPLES / "fib25" / "seg", 0)[20:78, 30:84, 60:122]
    ids, counts = np.unique(labels, return_counts=True)
    given_surface = meshed(labels == ids[counts.argsort()[-2]], size)

    answer = simplify(*given_surface, Simplification(max_error_nm=error, mode=mode))

    one, other = [(part[0].astype(float), part[1].astype(np.int32)) for part in (given_surface, surface(answer))]
    assert len(answer.faces) < len(given_surface[1])
    assert farthest(*one, target_of(*other), spacing=2.0) <= error
    assert farthest(*other, target_of(*one), spacing=2.0) <= error


def test_the_number_of_triangles_gives_way_to_the_error() -> None:
    given_surface = meshed(SHAPES["ball"]())
    wish = Simplification(max_error_nm=3.0, target_face_count=10)

    answer = simplify(*given_surface, wish)

    assert len(answer.faces) > 10
    assert answer.error_nm <= 3.0
    assert near(given_surface, surface(answer), 3.0)


def test_the_error_is_not_used_up_where_the_triangles_are_few_enough_before() -> None:
    given_surface = meshed(SHAPES["ball"]())

    loose = simplify(*given_surface, Simplification(max_error_nm=500.0, target_face_count=1000))

    assert 500 < len(loose.faces) <= 1000
    assert loose.error_nm < 20


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_one_voxel_survives_whatever_is_asked(mode: str) -> None:
    given_surface = meshed(SHAPES["voxel"](), ANISOTROPIC)

    answer = simplify(*given_surface, Simplification(max_error_nm=1e6, target_face_count=4, mode=mode))

    assert len(answer.faces) >= 4 or mode == "fast"
    assert len(answer.faces)
    assert not any(directed(answer.faces).values())


def test_a_border_keeps_its_vertices() -> None:
    vertices, faces = meshed(SHAPES["ball"]())
    kept = faces[(vertices[faces][:, :, 0] > vertices[:, 0].mean()).all(axis=1)]
    edges = directed(kept)
    border = np.unique([edge for edge, balance in edges.items() if balance])

    for mode in ("quality", "fast"):
        answer = simplify(vertices, kept, Simplification(max_error_nm=15.0, mode=mode))
        open_edges = {edge for edge, balance in directed(answer.faces).items() if balance}
        places = answer.vertices[np.unique(list(open_edges))]
        assert {*map(tuple, places.tolist())} == {*map(tuple, vertices[border].tolist())}, mode
        assert len(answer.faces) < len(kept) / 2, mode


def test_edges_with_four_triangles_are_left_alone_by_quality() -> None:
    one = meshed(SHAPES["box"]())
    # A second box that shares the vertices of one edge with the first: its mirror image, joined where both lie.
    mirrored = one[0] * (-1, -1, 1) + (2 * one[0][:, 0].max(), 2 * one[0][:, 1].max(), 0)
    both = trimesh.Trimesh(
        np.concatenate([one[0], mirrored]), np.concatenate([one[1], one[1] + len(one[0])]), process=False
    )
    both.merge_vertices()
    given_surface = both.vertices.astype(np.float32), both.faces.astype(np.uint32)
    wish = Simplification(max_error_nm=8.0)

    answer = simplify(*given_surface, wish)

    assert len(answer.faces) < len(given_surface[1]) / 4
    assert not any(directed(answer.faces).values())
    assert trimesh.Trimesh(*surface(answer), process=False).volume == pytest.approx(both.volume, rel=0.05)


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_equal_input_gives_equal_output(mode: str) -> None:
    given_surface = meshed(SHAPES["rough"]())
    wish = Simplification(max_error_nm=9.0, mode=mode)

    first, second = simplify(*given_surface, wish), simplify(given_surface[0].copy(), given_surface[1].copy(), wish)

    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.faces, second.faces)


def test_nothing_comes_of_nothing_and_what_is_few_enough_stays() -> None:
    empty = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32)
    assert len(simplify(*empty, Simplification(max_error_nm=1.0)).faces) == 0
    given_surface = meshed(SHAPES["voxel"]())
    answer = simplify(*given_surface, Simplification(target_face_count=8))
    assert answer.error_nm == 0
    assert np.array_equal(answer.faces, given_surface[1])


def test_the_input_is_not_touched() -> None:
    given_surface = meshed(SHAPES["touching"]())
    before = given_surface[0].copy(), given_surface[1].copy()
    for mode in ("quality", "fast"):
        simplify(*given_surface, Simplification(max_error_nm=9.0, mode=mode))
    assert np.array_equal(before[0], given_surface[0])
    assert np.array_equal(before[1], given_surface[1])


def test_what_is_no_surface_is_refused_before_it_is_worked_on() -> None:
    vertices, faces = meshed(SHAPES["voxel"]())
    wish = Simplification(max_error_nm=1.0)
    damaged = faces.copy()
    damaged[3, 1] = len(vertices)
    infinite = vertices.copy()
    infinite[2, 0] = np.nan
    for bad in ((vertices, damaged), (infinite, faces), (vertices[:, :2], faces), (vertices, faces.ravel())):
        with pytest.raises(InvalidArgument):
            simplify(*bad, wish)
    with pytest.raises(InvalidArgument):
        simplify(vertices, faces, replace(wish, mode="slow"))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8)),
    density=st.floats(0.1, 0.9),
    error=st.floats(0.5, 60),
    mode=st.sampled_from(["quality", "fast"]),
)
def test_any_voxels_stay_closed_and_near(
    seed: int, shape: tuple[int, int, int], density: float, error: float, mode: str
) -> None:
    mask = np.random.default_rng(seed).random(shape) < density
    if not mask.any():
        mask[:] = True
    given_surface = meshed(mask, (6.0, 10.0, 16.0), (1000.0, -3000.0, 50.0))

    answer = simplify(*given_surface, Simplification(max_error_nm=error, mode=mode))

    assert not any(directed(answer.faces).values())
    assert answer.error_nm <= error
    assert near(given_surface, surface(answer), error)
    if mode == "quality":
        assert facts(*surface(answer)) == facts(*given_surface)


def test_distances_are_those_that_trimesh_finds() -> None:
    vertices, faces = meshed(SHAPES["touching"](), ANISOTROPIC)
    points = np.random.default_rng(3).uniform(vertices.min(axis=0) - 30, vertices.max(axis=0) + 30, (60, 3))
    triangles = vertices.astype(np.float64)[faces]

    squares = squared_distances(points, target_of(vertices.astype(np.float64), faces.astype(np.int32)), 0.0)

    for point, square in zip(points, squares, strict=True):
        many = np.tile(point, (len(triangles), 1))
        nearest = trimesh.triangles.closest_point(triangles, many)  # type: ignore[no-untyped-call]
        assert np.sqrt(square) == pytest.approx(np.linalg.norm(nearest - point, axis=1).min(), abs=1e-6)
