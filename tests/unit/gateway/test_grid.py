from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import InvalidArgument, OutOfBounds
from voxgate.model.geometry import Box, Vec3, covered_once, grid_cells
from voxgate.model.volumes import (
    Channel,
    Scale,
    VolumeInfo,
    VolumeKind,
)
from voxgate_gateway.grid import chunk_shape, format_cell, parse_cell, require_cell

BOUNDS = Box.of(x=(-7, 38), y=(1000, 1038), z=(21, 50))
CHUNK = Vec3(16, 20, 8)


def described(dtype: str, stored: Vec3, shape: Vec3, channels: int = 1) -> tuple[VolumeInfo, Scale]:
    scale = Scale("s", Box.at(Vec3(5, -3, 11), shape), stored, stored, Vec3(5, -3, 11))
    axes = "czyx" if channels > 1 else "zyx"
    names = tuple(Channel(str(i)) for i in range(channels)) if channels > 1 else ()
    return VolumeInfo("a/b", np.dtype(dtype), VolumeKind.IMAGE, (scale,), axes, names), scale


def test_a_stored_chunk_that_fits_is_served_as_it_is():
    assert chunk_shape(*described("<u8", Vec3(64, 64, 64), Vec3(1000, 900, 800))) == Vec3(64, 64, 64)


def test_a_stored_chunk_larger_than_the_volume_is_cut_to_the_volume():
    assert chunk_shape(*described("<u8", Vec3(1024, 1024, 1024), Vec3(40, 30, 20))) == Vec3(40, 30, 20)


def test_a_large_stored_chunk_is_divided_into_parts_that_tile_it():
    assert chunk_shape(*described("<u8", Vec3(512, 512, 512), Vec3(5000, 5000, 5000))) == Vec3(64, 64, 64)
    assert chunk_shape(*described("<u2", Vec3(2048, 2048, 1), Vec3(5000, 5000, 500))) == Vec3(1024, 1024, 1)


def test_an_extent_that_is_prime_is_halved_rather_than_cut_to_single_voxels():
    assert chunk_shape(*described("|u1", Vec3(2_000_003, 2, 1), Vec3(3_000_000, 10, 10))) == Vec3(1_000_002, 2, 1)


def test_channels_count_toward_the_budget():
    shape = chunk_shape(*described("<u8", Vec3(64, 64, 64), Vec3(900, 900, 900), channels=3))
    assert shape.product * 24 <= 2 << 20


@given(
    stored=st.builds(Vec3, st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000)),
    budget=st.integers(64, 1 << 21),
    dtype=st.sampled_from(["|u1", "<u2", "<u8"]),
)
def test_a_virtual_chunk_always_fits_the_budget(stored, budget, dtype):
    info, scale = described(dtype, stored, Vec3(10_000, 10_000, 10_000))
    shape = chunk_shape(info, scale, budget)
    assert min(shape) >= 1
    assert shape.product * info.dtype.itemsize <= budget


def test_names_of_cells_read_back_to_the_same_boxes_even_when_negative():
    box = Box.of(x=(-7, 9), y=(-20, -3), z=(0, 8))
    assert format_cell(box) == "-7-9_-20--3_0-8"
    assert parse_cell("-7-9_-20--3_0-8") == box


@pytest.mark.parametrize(
    "text", ["info", "0-64_0-64", "0-64_0-64_0-64.gz", "0-64_0-64_0-64_0-1", "a-b_0-1_0-1", "0-1_0-1_0-1\n", ""]
)
def test_what_is_no_chunk_name_is_told_apart(text):
    assert parse_cell(text) is None


def test_every_cell_of_the_clipped_grid_is_served_and_they_cover_the_volume_once():
    cells = list(grid_cells(BOUNDS, CHUNK, BOUNDS.start))
    for cell in cells:
        require_cell(cell, BOUNDS, CHUNK)
    assert covered_once(BOUNDS, cells)


@pytest.mark.parametrize(
    ("box", "error"),
    [
        (Box.of(x=(-7, 8), y=(1000, 1020), z=(21, 29)), InvalidArgument),  # one voxel short
        (Box.of(x=(-6, 10), y=(1000, 1020), z=(21, 29)), InvalidArgument),  # off the grid
        (Box.of(x=(-7, 25), y=(1000, 1020), z=(21, 29)), InvalidArgument),  # two cells
        (Box.of(x=(25, 41), y=(1000, 1020), z=(21, 29)), OutOfBounds),  # padded instead of clipped
        (Box.of(x=(-23, -7), y=(1000, 1020), z=(21, 29)), OutOfBounds),  # before the volume
        (Box.of(x=(9, -7), y=(1000, 1020), z=(21, 29)), InvalidArgument),  # inverted
    ],
)
def test_a_box_that_is_no_cell_is_refused(box, error):
    with pytest.raises(error):
        require_cell(box, BOUNDS, CHUNK)
