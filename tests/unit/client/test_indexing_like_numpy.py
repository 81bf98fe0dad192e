"""Whatever numpy's basic indexing does to an array, the same index does to a VolumeArray."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.array_volume import ALL_POWERS, ArrayVolume, image, multichannel, scale_of
from voxgate.client.array import VolumeArray

NUMPY_INTS = st.sampled_from([int, np.int64, np.uint8, np.int16])


@st.composite
def index_items(draw):
    """An int, slice, newaxis or ellipsis; sometimes beyond the extents, sometimes an index that numpy refuses."""
    kind = draw(st.sampled_from(["int", "slice", "slice", "newaxis", "ellipsis", "wrong"]))
    if kind == "int":
        number = draw(st.integers(-6, 6))
        as_type = draw(NUMPY_INTS)
        return as_type(number) if number >= 0 or as_type is not np.uint8 else number
    if kind == "slice":
        end = st.none() | st.integers(-9, 9)
        return slice(draw(end), draw(end), draw(st.none() | st.integers(-4, 4)))
    if kind == "newaxis":
        return None
    if kind == "ellipsis":
        return Ellipsis
    return draw(st.sampled_from([1.5, "x", slice(0.5, 2), np.array(2), np.float32(1)]))


def outcome(indexed, index):
    try:
        return np.asarray(indexed[index]), type(indexed[index])
    except (IndexError, TypeError, ValueError) as error:
        return type(error)


INDICES = index_items() | st.lists(index_items(), max_size=6).map(tuple)


def check_same(array, expected, index):
    want, got = outcome(expected, index), outcome(array, index)
    if isinstance(want, type):
        assert got is want, (index, got, want)
        return
    assert not isinstance(got, type), (index, got)
    assert got[1] is want[1], index
    assert got[0].shape == want[0].shape, index
    assert got[0].dtype == want[0].dtype, index
    np.testing.assert_array_equal(got[0], want[0])


@given(index=INDICES, axes=st.sampled_from(["".join(p) for p in itertools.permutations("zyx")]))
@settings(max_examples=600, deadline=None)
def test_any_index_on_any_order_of_zyx_answers_what_numpy_answers(index, axes):
    volume = image()
    expected = volume.arrays[0][0].transpose(["zyx".index(axis) for axis in axes])
    check_same(VolumeArray(volume).as_axes(axes), expected, index)


@given(index=INDICES, axes=st.sampled_from(["".join(p) for p in itertools.permutations("czyx")]))
@settings(max_examples=400, deadline=None)
def test_any_index_on_any_order_of_czyx_answers_what_numpy_answers(index, axes):
    volume = multichannel()
    expected = volume.arrays[0].transpose(["czyx".index(axis) for axis in axes])
    check_same(VolumeArray(volume).as_axes(axes), expected, index)


def movie():
    whole = np.arange(4 * 2 * 3 * 4 * 5, dtype=np.int32).reshape(4, 2, 3, 4, 5)
    scales = [scale_of((3, 4, 5))]
    at = [ArrayVolume([t], scales, axes="tczyx", channels=("a", "b"), time_count=4) for t in whole]
    return whole, at


@given(index=INDICES, axes=st.sampled_from(["tczyx", "xyzct", "yctzx"]))
@settings(max_examples=300, deadline=None)
def test_any_index_on_an_array_with_time_answers_what_numpy_answers(index, axes):
    whole, at = movie()
    expected = whole.transpose(["tczyx".index(axis) for axis in axes])
    check_same(VolumeArray(at[0], reopen=at.__getitem__).as_axes(axes), expected, index)


@given(index=index_items() | st.lists(index_items(), max_size=4).map(tuple), value=st.integers(0, 99))
@settings(max_examples=300, deadline=None)
def test_assigning_a_number_changes_what_numpy_changes(index, value):
    volume = image(powers=ALL_POWERS)
    expected = volume.arrays[0][0].copy()
    array = VolumeArray(volume)
    try:
        expected[index] = value
    except (IndexError, TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            array[index] = value
        return
    if is_strided(index):
        with pytest.raises(TypeError, match="step"):
            array[index] = value
        return
    array[index] = value
    np.testing.assert_array_equal(volume.arrays[0][0], expected)


def is_strided(index):
    items = index if isinstance(index, tuple) else (index,)
    return any(isinstance(item, slice) and item.step not in (None, 1, -1) for item in items)


@given(
    index=st.lists(index_items(), max_size=4).map(tuple),
    shape=st.lists(st.sampled_from([1, 2, 3, 4, 5]), max_size=4).map(tuple),
    axes=st.sampled_from(["zyx", "xyz", "yxz"]),
)
@settings(max_examples=500, deadline=None)
def test_assigning_an_array_broadcasts_and_refuses_as_numpy_does(index, shape, axes):
    volume = image(powers=ALL_POWERS)
    order = ["zyx".index(axis) for axis in axes]
    expected = volume.arrays[0][0].copy()
    value = np.arange(100, 100 + np.prod(shape), dtype=volume.info.dtype).reshape(shape)
    array = VolumeArray(volume).as_axes(axes)
    try:
        expected.transpose(order)[index] = value
    except (IndexError, TypeError, ValueError) as error:
        # Which of two faults is told first is nobody's business.
        with pytest.raises((IndexError, TypeError, ValueError) if is_strided(index) else type(error)):
            array[index] = value
        return
    if is_strided(index):
        return
    array[index] = value
    np.testing.assert_array_equal(volume.arrays[0][0], expected)


@pytest.mark.parametrize(
    "index",
    [
        True,
        np.True_,
        np.array(True),
        [True, False, True],
        np.ones((3, 4, 5), bool),
        (slice(None), np.array([True] * 4)),
    ],
)
def test_a_boolean_mask_is_refused_by_name(index):
    with pytest.raises(TypeError, match="boolean mask"):
        VolumeArray(image())[index]


@pytest.mark.parametrize("index", [[0, 1], np.array([2]), (0, [1]), [], (range(2),), ((0, 1),)])
def test_an_integer_array_is_refused_by_name(index):
    with pytest.raises(TypeError, match="integer array"):
        VolumeArray(image())[index]


def test_a_step_reads_the_box_it_spans_and_nothing_else():
    volume = image((6, 4, 5))
    VolumeArray(volume)[4:0:-2, 1, ::3]
    ((box, _, _),) = volume.reads
    assert box.shape.zyx == (3, 1, 4)
    assert (box.start - volume.info.scales[0].bounds.start).zyx == (2, 1, 0)


def test_a_step_does_not_keep_the_box_it_spans_in_memory():
    result = VolumeArray(image((6, 4, 5)))[::3]
    assert result.base is None


def test_single_channels_and_times_are_read_alone():
    _, at = movie()
    array = VolumeArray(at[0], reopen=at.__getitem__)
    array[::-2, 1]
    assert [len(volume.reads) for volume in at] == [0, 1, 0, 1]
    assert at[3].reads[0][2] == [1]


def test_an_empty_answer_reads_nothing():
    volume = image()
    answer = VolumeArray(volume)[1:1, :, np.newaxis, 2]
    assert answer.shape == (0, 4, 1)
    assert answer.dtype == np.uint16
    assert volume.reads == []


def test_other_orders_of_axes_are_views_of_what_was_read():
    result = VolumeArray(image()).as_axes("xyz")[:]
    assert result.shape == (5, 4, 3)
    assert result.flags.f_contiguous
    assert not result.flags.owndata


def test_numpy_reads_everything_and_converts_on_request():
    volume = image()
    array = VolumeArray(volume)
    np.testing.assert_array_equal(np.asarray(array), volume.arrays[0][0])
    assert np.asarray(array, dtype=np.float64).dtype == np.float64
    assert np.array(array, copy=True).shape == (3, 4, 5)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(array, copy=False)


def test_iterating_reads_along_the_first_axis():
    volume = image()
    planes = list(VolumeArray(volume))
    assert len(planes) == len(VolumeArray(volume)) == 3
    np.testing.assert_array_equal(np.stack(planes), volume.arrays[0][0])
    assert len(volume.reads) == 3
