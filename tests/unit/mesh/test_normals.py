"""Normals against trimesh, formulas and a plain loop."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate_mesh.normals import vertex_normals

FAR = np.array([3.1e6, -2.4e6, 8.8e5])


def plain(vertices, faces):
    sums = np.zeros((len(vertices), 3))
    for a, b, c in faces:
        normal = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        for corner in (a, b, c):
            sums[corner] += normal
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), [0, 0, 1])


@pytest.mark.parametrize("away", [np.zeros(3), FAR])
def test_normals_of_a_ball_point_away_from_its_centre(away):
    ball = trimesh.creation.icosphere(3, 900.0)
    normals = vertex_normals((ball.vertices + away).astype(np.float32), ball.faces.astype(np.uint32))
    assert normals.dtype == np.float32
    assert normals.shape == ball.vertices.shape
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 1e-6
    assert ((normals * ball.vertices).sum(axis=1) / 900 > 0.99).all()


def test_a_large_triangle_counts_more_than_a_small_one():
    vertices = np.array([[0, 0, 0], [30, 0, 0], [0, 30, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)  # areas 450 along z and 15 along x
    x, y, z = vertex_normals(vertices, faces)[0]
    assert (x, y, z) == pytest.approx((30 / np.hypot(30, 900), 0, 900 / np.hypot(30, 900)))


def test_vertices_without_a_direction_get_one_of_length_one():
    vertices = np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3], [9, 9, 9], [0, 5, 0], [5, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5], [3, 5, 4], [0, 0, 0]], np.uint32)
    assert vertex_normals(vertices, faces).tolist() == [[0, 0, 1]] * 6
    assert vertex_normals(vertices[:0], faces[:0]).shape == (0, 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 30), st.integers(0, 60))
def test_normals_are_those_of_a_plain_loop(seed, count, triangles):
    rng = np.random.default_rng(seed)
    vertices = rng.integers(-50, 50, (count, 3)).astype(np.float32)
    faces = rng.integers(0, count, (triangles, 3)).astype(np.uint32)
    np.testing.assert_allclose(vertex_normals(vertices, faces), plain(vertices.astype(float), faces), atol=1e-6)
