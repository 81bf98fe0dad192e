"""Areas, volumes and closedness, against formulas and against trimesh."""

import numpy as np
import pytest
import trimesh

from voxgate_mesh.measuring import Sums, measure, sums_of

FAR = np.array([3.1e6, -2.4e6, 8.8e5])


def shape(kind):
    if kind == "box":
        return trimesh.creation.box((3, 5, 11))
    if kind == "ball":
        return trimesh.creation.icosphere(4, 17.0)
    return trimesh.creation.torus(20.0, 6.0, 96, 64)


@pytest.mark.parametrize("kind", ["box", "ball", "torus"])
@pytest.mark.parametrize("stretch", [(1, 1, 1), (4.0, 4.0, 40.0)])
def test_areas_and_volumes_are_those_of_trimesh(kind, stretch):
    body = shape(kind)
    body.apply_transform(np.diag([*stretch, 1.0]))
    found = measure(body.vertices, body.faces, 5, 0.5)
    assert found.surface_nm2 == pytest.approx(body.area, rel=1e-9)
    assert found.volume_nm3 == pytest.approx(body.volume, rel=1e-9)
    assert (found.watertight, found.voxel_count, found.error_nm) == (True, 5, 0.5)
    assert found.min_nm == pytest.approx(body.bounds[0])
    assert found.max_nm == pytest.approx(body.bounds[1])


def test_far_from_the_origin_nothing_is_lost():
    body = shape("torus")
    body.apply_scale(40.0)
    found = measure((body.vertices + FAR).astype(np.float32), body.faces)
    assert found.volume_nm3 == pytest.approx(body.volume, rel=1e-3)
    assert found.surface_nm2 == pytest.approx(body.area, rel=1e-3)


def test_formulas_agree():
    ball, torus = (
        measure(shape("ball").vertices, shape("ball").faces),
        measure(shape("torus").vertices, shape("torus").faces),
    )
    assert ball.volume_nm3 == pytest.approx(4 / 3 * np.pi * 17**3, rel=0.01)
    assert ball.surface_nm2 == pytest.approx(4 * np.pi * 17**2, rel=0.01)
    assert torus.volume_nm3 == pytest.approx(2 * np.pi**2 * 20 * 36, rel=0.01)


@pytest.mark.parametrize("row", [0, 7, 500])
def test_one_triangle_less_twice_or_turned_is_not_watertight(row):
    body = shape("ball")
    faces = np.array(body.faces)
    assert measure(body.vertices, faces).watertight
    turned = faces.copy()
    turned[row] = turned[row, ::-1]
    for broken in (np.delete(faces, row, axis=0), np.concatenate([faces, faces[row : row + 1]]), turned):
        found = measure(body.vertices, broken)
        assert not found.watertight
        assert found.volume_nm3 is None


def test_nothing_measures_nothing():
    found = measure(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32))
    assert (found.watertight, found.volume_nm3, found.surface_nm2) == (False, None, 0.0)


def test_pieces_add_up_to_the_whole():
    body = shape("torus")
    numbers = np.arange(len(body.vertices))
    parts = np.array_split(body.faces, 7)
    total = sum((sums_of(body.vertices, part, numbers) for part in parts), Sums())
    whole = sums_of(body.vertices, body.faces, numbers)
    assert total.fingerprint == whole.fingerprint == 0
    assert total.area == pytest.approx(whole.area)
    assert total.volume == pytest.approx(whole.volume)
    assert sums_of(body.vertices, parts[0], numbers).fingerprint != 0
