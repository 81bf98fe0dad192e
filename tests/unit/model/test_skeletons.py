"""What a skeleton says of itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from voxgate.model.skeletons import Skeleton


def graph(count, pairs):
    return Skeleton(1, np.zeros((count, 3), np.float32), np.array(pairs, np.uint32).reshape(-1, 2))


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 40))
    ends = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(ends, ends), max_size=60))


@settings(deadline=None)
@given(graphs())
def test_trees_are_counted_as_scipy_counts_connected_parts(drawn):
    count, pairs = drawn
    one, other = np.array(pairs, int).reshape(-1, 2).T
    expected, _ = connected_components(coo_array((np.ones(len(one)), (one, other)), shape=(count, count)), False)
    assert graph(count, pairs).tree_count == expected


@pytest.mark.parametrize("order", ["straight", "shuffled"])
def test_a_long_line_is_one_tree(order):
    numbers = np.arange(200_001)
    if order == "shuffled":
        np.random.default_rng(5).shuffle(numbers)
    assert graph(len(numbers), np.stack([numbers[:-1], numbers[1:]], 1)).tree_count == 1


def test_nothing_has_no_trees_and_no_length():
    nothing = graph(0, [])
    assert (nothing.tree_count, nothing.length_nm) == (0, 0.0)


def test_the_length_is_that_of_all_edges():
    vertices = np.array([[1e6, 5, 5], [1e6 + 3, 9, 5], [1e6 + 3, 9, 17]], np.float32)
    assert Skeleton(1, vertices, np.array([[0, 1], [2, 1]], np.uint32)).length_nm == pytest.approx(17.0)
