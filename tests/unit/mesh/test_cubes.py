"""Our own marching cubes: the case table by all its cases, the kernel by what a surface must be."""

import itertools
from collections import Counter

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from support.mesh_volumes import blobs
from voxgate_mesh.cubes.kernel import surfaces_of
from voxgate_mesh.cubes.tables import CORNERS, EDGES, MAX_TRIANGLES, case_table
from voxgate_mesh.meshers import cubes_surfaces

MIDDLES = [(np.array(CORNERS[a]) + np.array(CORNERS[b])) for a, b in EDGES]  # on the doubled lattice


def triangles_of(case):
    table = case_table()
    return table.edges[case, : 3 * table.counts[case]].reshape(-1, 3).tolist()


def boundary(case):
    """Directed edges of a case's triangles that no other triangle of it runs back along, as pairs of places."""
    runs = Counter((t[i], t[(i + 1) % 3]) for t in triangles_of(case) for i in range(3))
    return [(a, b) for (a, b), n in runs.items() for _ in range(n - runs[b, a])]


def test_every_case_has_a_vertex_on_just_the_edges_whose_ends_differ():
    for case in range(256):
        cut = {i for i, (a, b) in enumerate(EDGES) if (case >> a & 1) != (case >> b & 1)}
        assert {edge for triangle in triangles_of(case) for edge in triangle} == cut
    assert case_table().counts.max() == MAX_TRIANGLES


def test_inside_a_cell_every_edge_has_two_triangles_and_the_rest_lies_in_its_faces():
    for case in range(256):
        runs = Counter(frozenset((t[i], t[(i + 1) % 3])) for t in triangles_of(case) for i in range(3))
        in_face = {frozenset(pair) for pair in boundary(case)}
        for pair, count in runs.items():
            assert count == (1 if pair in in_face else 2)
            one, other = (MIDDLES[edge] for edge in pair)
            lies_in_a_face = any(one[a] == other[a] and one[a] in (0, 2) for a in range(3))
            # A diagonal in a face could be drawn by the neighbour too, and would have four triangles then.
            assert lies_in_a_face == (pair in in_face)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cells_on_both_sides_of_a_face_draw_the_same_lines_there_in_opposite_directions(axis):
    for lower, upper in itertools.product(range(256), repeat=2):
        shared = [(low | 1 << axis, low) for low in range(8) if not low >> axis & 1]
        if any((lower >> a & 1) != (upper >> b & 1) for a, b in shared):
            continue

        def lines(case, plane):
            pairs = [(tuple(MIDDLES[a]), tuple(MIDDLES[b])) for a, b in boundary(case)]
            on_plane = [(a, b) for a, b in pairs if a[axis] == b[axis] == plane]
            return {tuple((*p[:axis], 0, *p[axis + 1 :]) for p in pair) for pair in on_plane}

        assert lines(lower, 2) == {(b, a) for a, b in lines(upper, 0)}


@settings(max_examples=150, deadline=None)
@given(arrays(np.uint8, st.tuples(*[st.integers(2, 6)] * 3), elements=st.integers(0, 3)))
def test_every_label_of_noise_is_bounded_by_closed_manifolds(labels):
    surfaces = cubes_surfaces(np.pad(labels, 1))
    assert set(surfaces) == set(np.unique(labels).tolist()) - {0}
    for label, (keys, faces) in surfaces.items():
        body = trimesh.Trimesh(keys, faces, process=False)
        assert body.is_watertight
        assert body.is_winding_consistent
        assert (
            np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)), axis=0, return_counts=True)[1] == 2
        ).all()
        assert len(np.unique(keys, axis=0)) == len(keys)
        # Three vertices on the lattice around it and one ring of triangles each: a link is one circle.
        rings = Counter(corner for face in faces.tolist() for corner in face)
        assert min(rings.values()) >= 3
        assert 0 < body.volume / 8 <= (labels == label).sum()


@settings(max_examples=50, deadline=None)
@given(arrays(np.bool_, (5, 4, 6)))
def test_both_sides_of_a_boundary_have_vertices_in_the_same_places(mask):
    both = cubes_surfaces(np.where(mask, 1, 2).astype(np.uint8))
    if len(both) == 2:
        ones, twos = ({tuple(key) for key in both[label][0].tolist()} for label in (1, 2))
        assert ones == twos


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_labels_of_every_width_and_size_mesh_alike(dtype):
    ids = np.array([0, 1, np.iinfo(dtype).max - 1, np.iinfo(dtype).max], dtype)
    small = np.searchsorted(np.unique(blobs(4)), blobs(4)).astype(np.uint8)
    expected, found = cubes_surfaces(small), cubes_surfaces(ids[small])
    assert set(found) == {int(i) for i in ids if i}
    for number, label in enumerate(ids.tolist()):
        if label:
            assert np.array_equal(found[label][0], expected[number][0])
            assert np.array_equal(found[label][1], expected[number][1])


def test_arrays_that_are_not_contiguous_mesh_alike():
    labels = np.asfortranarray(np.searchsorted(np.unique(blobs(4)), blobs(4)).astype(np.uint8))
    for label, (keys, faces) in cubes_surfaces(labels).items():
        straight = cubes_surfaces(np.ascontiguousarray(labels))[label]
        assert np.array_equal(keys, straight[0])
        assert np.array_equal(faces, straight[1])


def test_surfaces_lie_one_after_the_other_in_two_tables():
    labels = np.pad(np.searchsorted(np.unique(blobs(5)), blobs(5)).astype(np.uint8), 1)
    vertex_starts, face_starts, keys, faces = surfaces_of(labels)
    assert (len(keys), len(faces)) == (vertex_starts[-1], face_starts[-1])
    for label in (1, 2, 3):
        own = faces[face_starts[label] : face_starts[label + 1]]
        assert set(np.unique(own)) == set(range(vertex_starts[label + 1] - vertex_starts[label]))
