"""Boxes cut into requests."""

from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, aligned_outward, covered_once
from voxgate_remotes.cuts import _shares, requests_of

GRID = Vec3(16, 8, 32)
BOXES = st.tuples(*[st.tuples(st.integers(-200, 200), st.integers(1, 150))] * 3)


def cut(most: int, **spans: tuple[int, int]) -> list[str]:
    return [str(box) for box in requests_of(Box.of(**spans), GRID, most)]


@given(ends=BOXES, most=st.integers(1, 40 * GRID.product))
def test_requests_cover_a_box_once_end_between_cells_and_are_not_too_large(ends, most):
    box = Box.of(*((a, a + n) for a, n in ends))
    found = list(requests_of(box, GRID, most))
    assert covered_once(box, found)
    for one in found:
        cells = aligned_outward(one, GRID, Vec3(0, 0, 0)).voxel_count // GRID.product
        assert cells == 1 or (one.voxel_count <= most and cells <= 4 * max(1, most // GRID.product))
        for axis in range(3):
            low, high = tuple(one.start)[axis], tuple(one.stop)[axis]
            assert low == tuple(box.start)[axis] or low % tuple(GRID)[axis] == 0
            assert high == tuple(box.stop)[axis] or high % tuple(GRID)[axis] == 0


def test_a_box_beside_the_grid_has_hardly_more_requests_than_one_on_it():
    on, beside = Box.of(x=(0, 512), y=(0, 512), z=(0, 128)), Box.of(x=(32, 544), y=(32, 544), z=(32, 160))
    block, most = Vec3(64, 64, 64), 256**3
    assert len(list(requests_of(on, block, most))) == 2
    assert len(list(requests_of(beside, block, most))) == 3


def test_a_small_box_is_one_request_wherever_it_lies():
    assert len(cut(GRID.product, x=(15, 17), y=(7, 9), z=(-1, 31))) == 2  # eight cells for one would be too many
    assert len(cut(GRID.product, x=(15, 17), y=(7, 9), z=(1, 31))) == 1


def test_what_is_sent_counts_and_not_what_is_looked_at():
    assert len(cut(4 * GRID.product, x=(0, 16), y=(0, 8), z=(0, 4 * 32))) == 1
    assert len(cut(4 * GRID.product, x=(0, 16), y=(0, 8), z=(0, 5 * 32))) == 2
    assert len(cut(4 * GRID.product, x=(0, 8), y=(0, 8), z=(0, 8 * 32))) == 1
    assert len(cut(4 * GRID.product, x=(0, 1), y=(0, 1), z=(0, 17 * 32))) == 2


@given(cells=st.integers(1, 5000))
def test_a_row_is_cut_into_every_even_length_there_is_once(cells):
    expected = {-(-cells // parts) for parts in range(1, cells + 1)}
    found = list(_shares(cells))
    assert found == sorted(expected, reverse=True)


def test_a_volume_of_many_cells_is_cut_at_once():
    found = requests_of(Box.of(x=(3, 10**6), y=(5, 10**6), z=(7, 10**6)), GRID, 4096)
    assert str(next(found)) == str(Box.of(x=(3, 16), y=(5, 8), z=(7, 32)))
