"""What rows of meshing judge by."""

import numpy as np

from tests.bench.harness import Contender, Goal, Result, Rotation, Work
from tests.bench.report import table
from tests.bench.rows_mesh_serving import inner_segment, is_manifold
from tests.bench.rows_meshing import skimage_on_boxes, skimage_on_masks

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.uint32)


def test_a_closed_surface_is_told_from_one_with_a_hole_a_flipped_triangle_or_a_doubled_one():
    assert is_manifold(TETRAHEDRON)
    assert is_manifold(np.concatenate([TETRAHEDRON, TETRAHEDRON + 4]))
    flipped = TETRAHEDRON.copy()
    flipped[2] = flipped[2][::-1]
    for wrong in (TETRAHEDRON[:3], flipped, np.concatenate([TETRAHEDRON, TETRAHEDRON]), TETRAHEDRON[:0]):
        assert not is_manifold(wrong)


def test_two_bodies_that_share_an_edge_are_no_manifold():
    shared = np.where(TETRAHEDRON > 1, TETRAHEDRON + 2, TETRAHEDRON)
    assert not is_manifold(np.concatenate([TETRAHEDRON, shared]))


def test_the_inner_segment_is_the_largest_that_touches_no_border():
    labels = np.zeros((16, 20, 24), np.uint64)
    labels[0:12, 1:19, 1:12] = 5
    labels[4:9, 3:13, 13:22] = 2**63 + 1
    labels[12:14, 4:9, 4:9] = 7
    assert inner_segment(labels) == 2**63 + 1


def test_masks_of_the_whole_and_of_boxes_give_the_same_triangles():
    labels = np.zeros((9, 11, 13), np.uint64)
    labels[0:5, 2:9, 3:13] = 2**63 + 1
    labels[5:9, 1:4, 0:6] = 2**53 + 1
    boxes = skimage_on_boxes(labels)
    assert boxes.keys() == {2**63 + 1, 2**53 + 1}
    assert skimage_on_masks(labels, [2**53 + 1]) == {2**53 + 1: boxes[2**53 + 1]}


def test_numbers_of_meshes_are_shown_as_such():
    contenders = [Contender(name, lambda: None, lambda: 0.0) for name in ("all", "good")]
    rotations = (Rotation(0.0, {"all": (216.0,), "good": (215.0,)}),) * 3
    result = Result("M4", "share", Goal(1, 1), Work(contenders, lambda a, b: True, unit="meshes"), rotations)
    assert result.missed
    cells = [cell for column in table([result]).columns for cell in column.cells]
    assert {"216 meshes", "215 meshes"} <= set(cells)
