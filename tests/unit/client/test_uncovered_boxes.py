"""What is still missing of a box, against a mask of every voxel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, covered_once, uncovered

WHOLE = Box.of(x=(-3, 8), y=(100, 107), z=(41, 46))


@st.composite
def boxes(draw, around=WHOLE):
    """A box that may be empty, overlap its neighbours and stick out of WHOLE."""
    ends = [
        sorted((draw(st.integers(a - 2, b + 2)), draw(st.integers(a - 2, b + 2))))
        for a, b in zip(around.start, around.stop, strict=True)
    ]
    return Box.of(x=tuple(ends[0]), y=tuple(ends[1]), z=tuple(ends[2]))


def mask_of(parts):
    mask = np.zeros(WHOLE.shape.zyx, np.int64)
    for part in parts:
        inside = part.intersection(WHOLE)
        if not inside.is_empty:
            mask[inside.slices_zyx(WHOLE.start)] += 1
    return mask


@given(st.lists(boxes(), max_size=9))
def test_the_missing_boxes_are_exactly_the_complement(parts):
    missing = uncovered(WHOLE, parts)
    np.testing.assert_array_equal(mask_of(missing), mask_of(parts) == 0)
    assert not any(box.is_empty for box in missing)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_what_came_and_what_is_missing_make_the_whole(order, count):
    cells = [
        Box.at(Vec3(-3 + 4 * i, 100 + 4 * j, 41 + 3 * k), Vec3(4, 4, 3)).intersection(WHOLE)
        for i in range(3)
        for j in range(2)
        for k in range(2)
    ]
    came = [cells[i] for i in order[:count]]
    assert covered_once(WHOLE, came + uncovered(WHOLE, came))


def test_a_stream_in_order_leaves_few_boxes_to_ask_for():
    cells = [
        Box.at(Vec3(x, y, z), Vec3(10, 10, 10))
        for z in range(0, 100, 10)
        for y in range(0, 100, 10)
        for x in range(0, 100, 10)
    ]
    whole = Box.of(x=(0, 100), y=(0, 100), z=(0, 100))
    assert len(uncovered(whole, cells[:437])) == 3
    assert uncovered(whole, []) == [whole]
    assert uncovered(whole, cells) == []
    empty = Box.of(x=(5, 5), y=(0, 1), z=(0, 1))
    assert uncovered(empty, []) == []
