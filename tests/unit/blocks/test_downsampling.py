"""Voxels made coarser, compared with counting in plain Python, with scikit-image, and with themselves in parts."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from typing import Any

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st
from scipy.stats import mode
from skimage.measure import block_reduce

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, covered_once
from voxgate.model.volumes import SUPPORTED_DTYPES
from voxgate_blocks.downsampling import Method, coarser, downsample, finer, pieces

HUGE = 2**64 - 1
INTEGERS = [dtype for dtype in SUPPORTED_DTYPES if dtype.kind != "f"]
FACTORS = st.builds(Vec3, *[st.integers(1, 5)] * 3)
STARTS = st.builds(Vec3, *[st.integers(-9, 9)] * 3)
SHAPES = st.tuples(*[st.integers(1, 7)] * 3)


def by_hand(voxels: npt.NDArray[Any], factor: Vec3, method: Method, start: Vec3) -> npt.NDArray[Any]:
    """The same of one channel, voxel by voxel, in numbers without limits."""
    box = Box.at(start, Vec3(*reversed(voxels.shape)))
    cells = coarser(box, factor)
    out = np.empty(cells.shape.zyx, voxels.dtype)
    for z, y, x in itertools.product(*map(range, out.shape)):
        cell = finer(Box.at(cells.start + Vec3(x, y, z), Vec3(1, 1, 1)), factor).intersection(box)
        values = voxels[cell.slices_zyx(start)].ravel().tolist()
        if method == "mode":
            out[z, y, x] = Counter(values).most_common(1)[0][0]  # of equal counts the one that was met first
        else:
            out[z, y, x] = int((Fraction(sum(values), len(values)) + Fraction(1, 2)) // 1)
    return out


@st.composite
def integer_voxels(draw: st.DrawFn) -> npt.NDArray[Any]:
    dtype = draw(st.sampled_from(INTEGERS))
    limits = np.iinfo(dtype)
    few = draw(st.lists(st.integers(int(limits.min), int(limits.max)), min_size=1, max_size=4))
    values = np.array([*few, limits.max, limits.min, 0], dtype)
    return values[np.random.default_rng(draw(st.integers(0, 99))).integers(0, len(values), draw(SHAPES))]


@pytest.mark.parametrize("method", ["mean", "mode"])
@hypothesis.settings(deadline=None)
@hypothesis.given(voxels=integer_voxels(), factor=FACTORS, start=STARTS)
def test_integers_of_every_width_are_as_counted_by_hand(
    method: Method, voxels: npt.NDArray[Any], factor: Vec3, start: Vec3
) -> None:
    found = downsample(voxels[None], factor, method, start=start)
    assert found.dtype == voxels.dtype
    np.testing.assert_array_equal(found[0], by_hand(voxels, factor, method, start))


@pytest.mark.parametrize("method", ["mean", "mode"])
@hypothesis.settings(deadline=None)
@hypothesis.given(voxels=integer_voxels(), factor=FACTORS, start=STARTS, cut=st.integers(1, 6))
def test_parts_are_what_the_whole_is(
    method: Method, voxels: npt.NDArray[Any], factor: Vec3, start: Vec3, cut: int
) -> None:
    box = Box.at(start, Vec3(*reversed(voxels.shape)))
    whole = downsample(voxels[None], factor, method, start=start)
    level = coarser(box, factor)
    parts = list(pieces(level, factor, cut))
    assert covered_once(level, parts)
    for part in parts:
        made_from = finer(part, factor).intersection(box)
        one = downsample(voxels[None][:, *made_from.slices_zyx(start)], factor, method, start=made_from.start)
        np.testing.assert_array_equal(one, whole[:, *part.slices_zyx(level.start)])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_means_of_whole_cells_are_those_of_scikit_image(dtype: str) -> None:
    voxels = (np.random.default_rng(3).random((6, 10, 12)) * 250).astype(dtype)
    theirs = block_reduce(voxels.astype(np.float64), (3, 5, 2), np.mean)
    ours = downsample(voxels[None], Vec3(2, 5, 3), "mean")[0]
    if dtype.startswith("u"):
        np.testing.assert_array_equal(ours, np.floor(theirs + 0.5))
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_modes_of_whole_cells_are_those_of_scipy() -> None:
    voxels = np.random.default_rng(4).integers(0, 3, (4, 9, 10), np.uint8)
    theirs = voxels.reshape(2, 2, 3, 3, 5, 2).transpose(0, 2, 4, 1, 3, 5).reshape(2, 3, 5, 12)
    found, counts = mode(theirs, axis=3)  # of equal counts it takes the smallest
    alone = [
        np.sum(np.bincount(cell, minlength=3) == n) == 1
        for cell, n in zip(theirs.reshape(-1, 12), counts.ravel(), strict=True)
    ]
    ours = downsample(voxels[None], Vec3(2, 3, 2), "mode")[0]
    assert sum(alone) > 10
    np.testing.assert_array_equal(ours.ravel()[alone], found.ravel()[alone])


def test_ids_above_all_floats_stay_themselves() -> None:
    ids = np.array([2**53 + 1, 2**53 + 1, 2**63 + 3, HUGE, HUGE, HUGE, 0, 0], np.uint64).reshape(1, 2, 2, 2)
    assert downsample(ids, Vec3(2, 2, 2), "mode").tolist() == [[[[HUGE]]]]


def test_of_equally_common_ids_the_first_along_x_then_y_then_z_is_taken() -> None:
    ids = np.array([[[7, 3], [5, 9]], [[5, 9], [3, 7]]], np.uint64)[None]
    assert downsample(ids, Vec3(2, 2, 2), "mode").item() == 7
    assert downsample(ids[:, ::-1], Vec3(2, 2, 2), "mode").item() == 5


def test_nothing_counts_as_any_other_value() -> None:
    ids = np.array([0, 0, 0, 8], np.uint32).reshape(1, 1, 1, 4)
    assert downsample(ids, Vec3(4, 1, 1), "mode").item() == 0


def test_halves_are_rounded_up_below_zero_too() -> None:
    voxels = np.array([-2, -1, 1, 2], np.int8).reshape(1, 1, 1, 4)
    assert downsample(voxels, Vec3(2, 1, 1), "mean").ravel().tolist() == [-1, 2]


@pytest.mark.parametrize("dtype", ["uint64", "int64"])
def test_the_mean_of_the_largest_numbers_is_exact_in_the_largest_cell(dtype: str) -> None:
    limits = np.iinfo(dtype)
    voxels = np.full((1, 16, 16, 16), limits.max, dtype)
    voxels[0, 0, 0, 0] -= 4096
    assert downsample(voxels, Vec3(16, 16, 16), "mean").item() == int(limits.max) - 1
    voxels[:] = limits.min
    assert downsample(voxels, Vec3(16, 16, 16), "mean").item() == limits.min


def test_a_mean_of_floats_near_the_largest_is_no_infinity_and_a_nan_stays_in_its_cell() -> None:
    largest = float(np.finfo(np.float64).max)
    voxels = np.array([largest, largest, np.nan, 1.0, -0.5, 0.25, np.inf, 0.0]).reshape(1, 1, 1, 8)
    found = downsample(voxels, Vec3(2, 1, 1), "mean").ravel()
    assert found[0] == largest
    assert np.isnan(found[1])
    assert found[2] == -0.125
    assert found[3] == np.inf


def test_floats_have_a_commonest_value_by_their_bits() -> None:
    voxels = np.array([np.nan, np.nan, 1.0, -0.0, -0.0, 0.0], np.float32).reshape(1, 1, 1, 6)
    found = downsample(voxels, Vec3(3, 1, 1), "mode").ravel()
    assert np.isnan(found[0])
    assert np.signbit(found[1])


def test_channels_do_not_mix() -> None:
    voxels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    found = downsample(voxels, Vec3(2, 2, 2), "mean", start=Vec3(1, 0, 1))
    for channel in (0, 1):
        alone = downsample(voxels[channel : channel + 1], Vec3(2, 2, 2), "mean", start=Vec3(1, 0, 1))
        np.testing.assert_array_equal(found[channel], alone[0])


def test_arrays_in_another_order_are_read_as_they_are_indexed() -> None:
    voxels = np.random.default_rng(1).integers(0, 5, (1, 4, 5, 6), np.uint32)
    for view in (np.asfortranarray(voxels), voxels[:, ::-1, :, ::2]):
        np.testing.assert_array_equal(
            downsample(view, Vec3(2, 3, 2), "mode"), downsample(view.copy(order="C"), Vec3(2, 3, 2), "mode")
        )


@pytest.mark.parametrize("factor", [Vec3(0, 2, 2), Vec3(2, 17, 2), Vec3(2, 2, -1)])
def test_a_factor_that_is_none_is_refused(factor: Vec3) -> None:
    with pytest.raises(InvalidArgument, match="no factor"):
        downsample(np.zeros((1, 2, 2, 2), np.uint8), factor, "mean")


@pytest.mark.parametrize(
    "voxels", [np.zeros((2, 2, 2), np.uint8), np.zeros((1, 2, 2, 2), ">u2"), np.zeros((1, 2, 2, 2), bool)]
)
def test_other_arrays_are_refused(voxels: npt.NDArray[Any]) -> None:
    with pytest.raises(InvalidArgument):
        downsample(voxels, Vec3(2, 2, 2), "mean")
