"""How a box is cut into blocks of whole stored chunks."""

from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, aligned_outward, covered_once
from voxgate.model.volumes import Scale
from voxgate_blocks.plans import plan_blocks

CHUNK = Vec3(64, 32, 16)
ORIGIN = Vec3(5, -7, 3)
BOUNDS = Box.of(x=(-1000, 1000), y=(-1000, 1000), z=(-1000, 1000))
LEVEL = Scale("0", BOUNDS, CHUNK, CHUNK, ORIGIN)
BOXES = st.tuples(*[st.tuples(st.integers(-300, 300), st.integers(1, 250))] * 3)


def plan(block_bytes: int, **spans: tuple[int, int]) -> list[Box]:
    return list(plan_blocks(LEVEL, Box.of(**spans), voxel_bytes=2, block_bytes=block_bytes))


@given(ends=BOXES, budget=st.integers(1, 20 * CHUNK.product))
def test_blocks_hold_no_more_than_their_budget_unless_they_are_one_chunk(ends, budget):
    box = Box.of(*((a, a + n) for a, n in ends))
    blocks = list(plan_blocks(LEVEL, box, voxel_bytes=2, block_bytes=budget))
    assert covered_once(box, blocks)
    for block in blocks:
        is_chunk = aligned_outward(block, CHUNK, ORIGIN).shape == CHUNK
        assert is_chunk or block.voxel_count * 2 <= budget


def test_a_box_beside_the_grid_that_fits_is_one_block():
    box = {"x": (6, 6 + 128), "y": (-6, 26), "z": (4, 20)}
    assert len(plan(2 * 128 * 32 * 16, **box)) == 1
    assert len(plan(2 * 128 * 32 * 16 - 1, **box)) > 1


def test_what_of_chunks_lies_beside_a_narrow_box_is_not_counted():
    assert len(plan(2 * 3 * 2 * 160, x=(10, 13), y=(0, 2), z=(3, 163))) == 1
