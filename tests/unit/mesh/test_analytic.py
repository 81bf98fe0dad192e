"""Surfaces of bodies whose areas and volumes are known by formula, at anisotropic voxel sizes, near and far."""

import itertools
import math

import numpy as np
import pytest

from support.mesh_volumes import as_trimesh
from voxgate.model.mesh_facts import Simplification
from voxgate_mesh.meshing import mesh_labels

SIZES = [(1.0, 1.0, 1.0), (4.0, 4.0, 40.0), (8.0, 6.0, 30.0)]
PLACES = [(0, 0, 0), (-7, 1013, 57), (200_003, 90_001, 20_011)]
HUGE = 2**63 + 5
STAIRS = {SIZES[0]: 1.12, SIZES[1]: 1.32, SIZES[2]: 1.25}
"""A surface through midpoints is a staircase with bevelled steps; the longer the voxels, the larger it is."""


def centres(extent_nm, size):
    """The places of voxel centres from -extent to extent, z, y, x, as far as they broadcast; and the first voxel."""
    counts = [math.ceil(extent / step) + 2 for extent, step in zip(extent_nm, size, strict=True)]
    x, y, z = ((np.arange(-n, n) + 0.5) * step for n, step in zip(counts, size, strict=True))
    return z[:, None, None], y[:, None], x, [-n for n in counts]


def mesh_of(inside, size, first, **wishes):
    labels = np.where(inside, np.uint64(HUGE), np.uint64(0))
    return mesh_labels(labels, size, offset=tuple(first), **wishes)[HUGE]


def box_by_formula(shape, size):
    """Area and volume of the surface of a box of voxels (x, y, z), whose edges and corners marching cubes cuts off."""
    n = [count - 1 for count in shape]
    area = 2 * sum(n[i] * size[i] * n[j] * size[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    area += sum(4 * n[i] * size[i] * math.hypot(*(size[j] / 2 for j in range(3) if j != i)) for i in range(3))
    area += 8 * 0.5 * math.hypot(*(size[i] * size[j] / 4 for i, j in ((0, 1), (0, 2), (1, 2))))
    volume = math.prod(n) + n[0] * n[1] + n[0] * n[2] + n[1] * n[2] + sum(n) / 2 + 8 / 48
    return area, volume * math.prod(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (3, 5, 7), (11, 2, 4)])
def test_a_box_has_the_area_and_volume_of_the_formula(shape, size):
    mesh = mesh_of(np.ones(shape[::-1], bool), size, (0, 0, 0))
    area, volume = box_by_formula(shape, size)
    assert mesh.statistics.surface_nm2 == pytest.approx(area, rel=1e-9)
    assert mesh.statistics.volume_nm3 == pytest.approx(volume, rel=1e-9)
    assert mesh.statistics.watertight
    assert mesh.statistics.voxel_count == math.prod(shape)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_one_voxel_is_an_octahedron_at_golden_coordinates(size, place):
    mesh = mesh_of(np.ones((1, 1, 1), bool), size, place)
    centre = [(at + 0.5) * step for at, step in zip(place, size, strict=True)]
    golden = {
        tuple(centre[axis] + (way * size[axis] / 2 if axis == along else 0) for axis in range(3))
        for along, way in itertools.product(range(3), (-1, 1))
    }
    assert set(map(tuple, mesh.vertices.tolist())) == golden
    assert len(mesh.faces) == 8
    low, high = zip(*((at * step, (at + 1) * step) for at, step in zip(place, size, strict=True)), strict=True)
    assert (mesh.statistics.min_nm, mesh.statistics.max_nm) == (low, high)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_a_ball_has_its_volume_area_and_shape_wherever_it_lies(size, place):
    radius = 10 * max(size)
    z, y, x, first = centres([radius] * 3, size)
    mesh = mesh_of(z**2 + y**2 + x**2 <= radius**2, size, [a + b for a, b in zip(first, place, strict=True)])
    assert mesh.statistics.volume_nm3 == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert 1.0 < mesh.statistics.surface_nm2 / (4 * math.pi * radius**2) < STAIRS[size]
    assert mesh.statistics.watertight
    assert len(mesh.vertices) - len(mesh.faces) // 2 == 2
    away = np.array(place) * size
    distances = np.linalg.norm(mesh.vertices.astype(float) - away, axis=1)
    assert np.abs(distances - radius).max() < math.hypot(*size) / 2 + 0.5


@pytest.mark.parametrize("size", SIZES)
def test_a_torus_has_its_volume_and_its_hole(size):
    ring, tube = 15 * max(size), 6 * max(size)
    z, y, x, first = centres([ring + tube, ring + tube, tube], size)
    mesh = mesh_of((np.hypot(x, y) - ring) ** 2 + z**2 <= tube**2, size, first)
    assert mesh.statistics.volume_nm3 == pytest.approx(2 * math.pi**2 * ring * tube**2, rel=0.02)
    assert 1.0 < mesh.statistics.surface_nm2 / (4 * math.pi**2 * ring * tube) < STAIRS[size]
    assert len(mesh.vertices) - len(mesh.faces) // 2 == 0
    assert as_trimesh(mesh).is_watertight


def test_a_simplified_torus_keeps_volume_hole_and_distance():
    size, place = (8.0, 8.0, 40.0), PLACES[1]
    z, y, x, first = centres([650, 650, 200], size)
    inside = (np.hypot(x, y) - 450) ** 2 + z**2 <= 200**2
    wish = Simplification(max_error_nm=30.0)
    mesh = mesh_of(inside, size, [a + b for a, b in zip(first, place, strict=True)], simplification=wish, normals=True)
    assert mesh.statistics.volume_nm3 == pytest.approx(2 * math.pi**2 * 450 * 200**2, rel=0.04)
    assert len(mesh.vertices) - len(mesh.faces) // 2 == 0
    assert mesh.statistics.watertight
    assert mesh.statistics.error_nm <= 30
    x, y, z = (mesh.vertices.astype(float) - np.array(place) * size).T
    apart = np.hypot(np.hypot(x, y) - 450, z) - 200
    assert np.abs(apart).max() < 30 + math.hypot(*size) / 2 + 0.5
    ways = np.stack([x - 450 * x / np.hypot(x, y), y - 450 * y / np.hypot(x, y), z], axis=1)
    assert np.median((mesh.normals * ways).sum(axis=1) / np.linalg.norm(ways, axis=1)) > 0.9
