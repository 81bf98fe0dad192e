"""Fragments of a multi-resolution mesh become one surface where they were cut apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate_remotes.precomputed_kept.multires import joined

MOST = 1023


def tube(count):
    """A closed square tube along x through `count` frames, with a ring of four vertices at each plane between them."""
    ring = np.array([[200, 200], [800, 200], [800, 800], [200, 800]])
    places = np.array([[k * MOST, y, z] for k in range(count + 1) for y, z in ring.tolist()])
    faces = [
        (0, 2, 1),
        (0, 3, 2),
        *((4 * count + a, 4 * count + b, 4 * count + c) for a, b, c in [(0, 1, 2), (0, 2, 3)]),
    ]
    for k in range(count):
        for i in range(4):
            a, b = 4 * k + i, 4 * k + (i + 1) % 4
            faces += [(a, b, b + 4), (a, b + 4, a + 4)]
    return places, np.array(faces)


def directed_edges(faces):
    """The edges as the triangles go around, and the other way around, both sorted."""
    ahead = [tuple(edge) for face in faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)]
    return sorted(ahead), sorted((b, a) for a, b in ahead)


def cut(places, faces, position):
    """The fragment at a position of the grid: triangles that lie in its frame, vertices numbered anew."""
    low = np.array(position) * MOST
    mine = faces[(places[faces].min(axis=1) // MOST == position).all(axis=1)]
    used, numbers = np.unique(mine, return_inverse=True)
    return np.array(position, np.uint32), (places[used] - low).astype(np.uint32), numbers.reshape(-1, 3).astype("<u4")


@given(st.integers(1, 4), st.integers(0, 2**20), st.permutations(range(3)))
def test_a_tube_cut_along_an_axis_is_closed_again(count, first, axes):
    places, faces = tube(count)
    places = places[:, axes] + np.array([first, 7, 3]) * MOST
    grid = np.unique(places[faces].min(axis=1) // MOST, axis=0)
    fragments = [cut(places, faces, position) for position in grid.tolist()]
    fragments = [fragment for fragment in fragments if len(fragment[2])]
    vertices, triangles = joined(fragments, MOST)
    assert len(triangles) == len(faces)
    assert len(vertices) == len(places)
    assert len(np.unique(vertices, axis=0)) == len(vertices)
    ahead, back = directed_edges(triangles)
    assert ahead == back


def test_equal_places_inside_of_a_frame_stay_apart():
    places = np.array([[5, 5, 5], [5, 5, 5], [0, 9, 9], [0, 9, 9]], np.uint32)
    faces = np.array([[0, 1, 2], [1, 0, 3]], np.uint32)
    vertices, triangles = joined([(np.zeros(3, np.uint32), places, faces)], MOST)
    assert len(vertices) == 3
    assert triangles.tolist() == [[0, 1, 2], [1, 0, 2]]


@pytest.mark.parametrize("most", [1023, 65535])
def test_frames_that_touch_in_an_edge_share_what_lies_on_it(most):
    corner = np.array([[most, most, 4], [most, most, 9], [3, 3, 3]], np.uint32)
    other = np.array([[0, 0, 4], [0, 0, 9], [8, 8, 8]], np.uint32)
    face = np.array([[0, 1, 2]], np.uint32)
    vertices, triangles = joined(
        [(np.array([2**20, 4, 0], np.uint32), corner, face), (np.array([2**20 + 1, 5, 0], np.uint32), other, face)],
        most,
    )
    assert len(vertices) == 4
    assert triangles[1, :2].tolist() == triangles[0, :2].tolist()
