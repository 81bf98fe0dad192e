import numpy as np
import pytest

from support.mesh_volumes import blobs
from voxgate.model.errors import InvalidArgument
from voxgate_mesh.meshers import cubes_surfaces, find_mesher, frees_gil, mesher_names, skimage_surfaces, zmesh_surfaces

MESHERS = [cubes_surfaces, zmesh_surfaces, skimage_surfaces]


def signed_volume(keys, faces):
    corners = keys[faces.astype(int)].astype(float) / 2
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def small(labels):
    ids = np.unique(labels)
    return np.searchsorted(ids, labels).astype(np.uint8), len(ids)


def closed(labels):
    return np.pad(labels, 1)


@pytest.mark.parametrize("mesher", MESHERS)
def test_a_bar_keeps_its_axes_and_its_faces_look_outward(mesher):
    labels = np.zeros((7, 9, 13), np.uint8)
    labels[2:4, 3:7, 1:10] = 2
    keys, faces = mesher(labels)[2]
    assert keys.dtype == np.int32
    assert faces.dtype == np.uint32
    assert keys.min(axis=0).tolist() == [1, 5, 3]
    assert keys.max(axis=0).tolist() == [19, 13, 7]
    assert 0.8 * 72 < signed_volume(keys, faces) < 72


@pytest.mark.parametrize("mesher", MESHERS)
@pytest.mark.parametrize("labels", [np.zeros((4, 5, 6), np.uint8), np.full((4, 5, 6), 3, np.uint16)])
def test_an_array_without_an_edge_has_no_surface(mesher, labels):
    assert mesher(labels) == {}


@pytest.mark.parametrize("mesher", MESHERS)
@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 1, 6), (4, 5, 1)])
def test_an_array_without_cells_has_no_surface(mesher, shape):
    labels = np.zeros(shape, np.uint8)
    labels.flat[::2] = 1
    assert mesher(labels) == {}


@pytest.mark.parametrize("mesher", MESHERS)
@pytest.mark.parametrize("density", [0.15, 0.5, 0.85])
def test_every_edge_of_noise_has_exactly_two_faces_of_opposite_turn(mesher, density):
    rng = np.random.default_rng(5)
    labels = closed((rng.random((9, 10, 12)) < density).astype(np.uint8))
    keys, faces = mesher(labels)[1]
    assert len(np.unique(keys, axis=0)) == len(keys)
    edges = {tuple(edge) for edge in faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).tolist()}
    assert len(edges) == 3 * len(faces)
    assert all((b, a) in edges for a, b in edges)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mesher", [zmesh_surfaces, skimage_surfaces])
def test_other_meshers_put_the_same_vertices(seed, mesher):
    labels, count = small(blobs(seed))
    ours, theirs = cubes_surfaces(closed(labels)), mesher(closed(labels))
    assert set(ours) == set(theirs) == set(range(1, count))
    for label, (keys, faces) in ours.items():
        assert {tuple(k) for k in keys.tolist()} == {tuple(k) for k in theirs[label][0].tolist()}
        assert signed_volume(keys, faces) == pytest.approx(signed_volume(*theirs[label]), rel=0.02)


def test_meshers_are_found_by_name_and_unknown_ones_refused_with_the_known():
    assert find_mesher("") == ("cubes", cubes_surfaces)
    assert find_mesher("skimage") == ("skimage", skimage_surfaces)
    assert mesher_names() == ("cubes", "skimage", "zmesh")
    assert [frees_gil(find_mesher(name)[1]) for name in mesher_names()] == [True, False, False]
    with pytest.raises(InvalidArgument, match="skimage, zmesh"):
        find_mesher("marching-squares")
