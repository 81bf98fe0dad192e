"""The blocks of a plan, by number, by place and by what they touch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate_mesh.blocks import BlockPlan, HaloAssembler

PLACES = st.builds(Vec3, *[st.integers(-20, 20)] * 3)
SHAPES = st.builds(Vec3, *[st.integers(1, 12)] * 3)
CELLS = st.builds(Vec3, *[st.integers(1, 9)] * 3)
PLANS = st.builds(
    lambda start, shape, cell, origin, closed: BlockPlan(Box.at(start, shape), cell, origin, closed),
    PLACES,
    SHAPES,
    CELLS,
    PLACES,
    st.booleans(),
)


@settings(max_examples=50, deadline=None)
@given(plan=PLANS)
def test_blocks_are_the_cells_of_the_grid_in_order_and_know_their_numbers(plan):
    blocks = list(plan.blocks())
    assert [block.box for block in blocks] == list(grid_cells(plan.region, plan.block_shape, plan.grid_origin))
    codes = np.arange(len(blocks))
    assert [tuple(index) for index in plan.indices_of(codes).tolist()] == [block.index for block in blocks]
    assert plan.codes_at(np.array([block.index for block in blocks])).tolist() == codes.tolist()
    assert plan.voxel_counts(codes).tolist() == [block.box.voxel_count for block in blocks]
    assert all(plan.block_at(block.index) == block for block in blocks)


@settings(max_examples=50, deadline=None)
@given(plan=PLANS, boxes=st.lists(st.builds(Box.at, PLACES, SHAPES), max_size=3))
def test_the_blocks_of_boxes_are_those_that_share_a_voxel_with_one(plan, boxes):
    ranges = [plan.ranges_of(box) for box in boxes]
    expected = [
        code
        for code, block in enumerate(plan.blocks())
        if any(not block.box.intersection(box).is_empty for box in boxes)
    ]
    assert plan.codes_of(ranges).tolist() == expected
    for each in ranges:
        assert plan.voxel_count(each) == plan.voxel_counts(plan.codes_of([each])).sum()


@settings(max_examples=50, deadline=None)
@given(plan=PLANS, seed=st.integers(0, 2**32))
def test_a_walk_of_some_blocks_hands_out_the_same_cells_as_one_of_all(plan, seed):
    """Every fifth block holds something, up to all of its faces."""
    blocks = list(plan.blocks())
    codes = np.flatnonzero(np.random.default_rng(seed).random(len(blocks)) < 0.2)
    holding = {blocks[code].index for code in codes}

    def handed_out(walk):
        halos = HaloAssembler(plan)
        for block in walk:
            labels = np.ones(block.box.shape.zyx, np.uint8) if block.index in holding else None
            halo = halos.add(block, labels, np.dtype(np.uint8))
            if halo is not None:
                yield block.index, halo.origin, halo.cells, halo.labels.tobytes()

    walked = list(plan.walked(codes))
    assert {block.index for block, is_one in walked if is_one} == holding
    assert list(handed_out(block for block, _ in walked)) == list(handed_out(plan.blocks()))
    assert [block.index for block, _ in plan.walked(None)] == [block.index for block in blocks]
