"""What every volume must do for readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import (
    Cancelled,
    DataTypeMismatch,
    DeadlineExceeded,
    EmptyBox,
    OutOfBounds,
    ShapeMismatch,
    UnknownScale,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    CallContext,
    ChunkPresence,
    OpenOptions,
    Scale,
    VolumeInfo,
    Writable,
)
from voxgate_remotes.testing.cases import (
    PROPERTY,
    VolumeCase,
    bad_boxes,
    boxes_in,
    empty_boxes,
    expect,
    expect_voxels,
    scales_and_boxes,
    telling_boxes,
)


class _NobodyHasThis(Protocol):
    """A capability no volume knows."""

    def fly(self) -> None: ...


class ReadConformance:
    """Inherit, and give a fixture `case` that returns a VolumeCase; it may be shared by all tests of the class."""

    # -- what the volume says about itself

    def test_info_states_the_facts(self, case: VolumeCase) -> None:
        """Dtype, kind, axes, channels, times, fill value and every scale are what the author knows them to be."""
        info, voxels = case.opened().info, case.scales[0].voxels
        expect(info.dtype == voxels.dtype, f"dtype {info.dtype}, should be {voxels.dtype}")
        expect(info.kind is case.kind, f"kind {info.kind}, should be {case.kind}")
        expect(info.axes == case.axes, f"axes {info.axes!r}, should be {case.axes!r}")
        expect(info.channel_count == voxels.shape[0], f"{info.channel_count} channels, should be {voxels.shape[0]}")
        expect(info.time_count == case.time_count, f"{info.time_count} time points, should be {case.time_count}")
        np.testing.assert_equal(info.fill_value, case.fill_value)
        expect(len(info.scales) == len(case.scales), f"{len(info.scales)} scales, should be {len(case.scales)}")
        for index, (found, true) in enumerate(zip(info.scales, case.scales, strict=True)):
            expect(found.bounds == true.bounds, f"scale {index} has {found.bounds}, should be {true.bounds}")
            if true.chunk_shape is not None:
                expect(found.stored_chunk_shape == true.chunk_shape, f"scale {index}: {found.stored_chunk_shape}")
            if true.voxel_size_nm is None:
                expect(found.voxel_size_nm is None, f"scale {index}: the unknown voxel size was made up")
            else:
                expect(found.voxel_size_nm is not None, f"scale {index}: the voxel size is missing")
                np.testing.assert_allclose(tuple(found.voxel_size_nm or ()), tuple(true.voxel_size_nm), rtol=1e-9)

    def test_info_is_well_formed(self, case: VolumeCase) -> None:
        """The description keeps the promises of VolumeInfo and Scale."""
        info = case.opened().info
        little = info.dtype.newbyteorder("<")
        expect(info.dtype == little and little in SUPPORTED_DTYPES, f"{info.dtype} is not a dtype of the contract")
        expect(info.axes in ("zyx", "czyx", "tzyx", "tczyx"), f"axes {info.axes!r}")
        expect(bool(info.channels) == ("c" in info.axes), "channels are listed exactly where there is a channel axis")
        expect("t" in info.axes or info.time_count == 1, "time points without a time axis")
        expect(type(info.fill_value) in (int, float), f"the fill value is a {type(info.fill_value)}")
        np.testing.assert_equal(np.array(info.fill_value, info.dtype).item(), info.fill_value)
        keys = [scale.key for scale in info.scales]
        expect(len(set(keys)) == len(keys), f"two scales have one key: {keys}")
        for scale in info.scales:
            _expect_well_formed(scale)
        sizes = [scale.bounds.voxel_count for scale in info.scales]
        expect(sizes == sorted(sizes, reverse=True), "scales are not finest first")

    # -- what is read

    def test_telling_boxes_equal_the_reference_at_every_scale(self, case: VolumeCase) -> None:
        """The whole, corner voxels, edges and an unaligned middle."""
        volume = case.opened()
        for scale, true in enumerate(case.scales):
            for box in telling_boxes(true.bounds):
                found = volume.read(box, scale=scale)
                expect_voxels(found, true.cut(box), f"{box} at scale {scale}")
                expect(found.flags.c_contiguous, "the answer is not C-order")

    @PROPERTY
    @given(data=st.data())
    def test_any_box_equals_the_reference(self, case: VolumeCase, data: st.DataObject) -> None:
        """Boxes of every shape and place, at every scale."""
        scale, box = data.draw(scales_and_boxes(case))
        expect_voxels(case.opened().read(box, scale=scale), case.scales[scale].cut(box), f"{box} at scale {scale}")

    @PROPERTY
    @given(data=st.data())
    def test_a_box_read_in_parts_equals_the_whole(self, case: VolumeCase, data: st.DataObject) -> None:
        """Eight parts around any voxel, read into one array."""
        volume = case.opened()
        scale, box = data.draw(scales_and_boxes(case))
        middle = data.draw(boxes_in(box)).start
        whole = volume.read(box, scale=scale)
        joined = np.empty_like(whole)
        spans = [[(a, m), (m, b)] for a, m, b in zip(box.start, middle, box.stop, strict=True)]
        for x, y, z in ((x, y, z) for x in spans[0] for y in spans[1] for z in spans[2]):
            part = Box.of(x=x, y=y, z=z)
            if not part.is_empty:
                joined[:, *part.slices_zyx(box.start)] = volume.read(part, scale=scale)
        expect_voxels(joined, whole, f"{box} cut at {middle}, scale {scale}")

    def test_single_voxels_are_exact_as_python_numbers(self, case: VolumeCase) -> None:
        """The largest and the smallest number each come back as themselves: no way through float64."""
        volume, true = case.opened(), case.scales[0]
        for flat in (int(np.argmax(true.voxels)), int(np.argmin(true.voxels))):
            c, z, y, x = (int(index) for index in np.unravel_index(flat, true.voxels.shape))
            found = volume.read(Box.at(true.start + Vec3(x, y, z), Vec3(1, 1, 1)), channels=[c])
            np.testing.assert_equal(found.item(), true.voxels[c, z, y, x].item())

    def test_the_answer_belongs_to_the_caller(self, case: VolumeCase) -> None:
        """What a caller does to an answer changes nothing for the next one."""
        volume, true = case.opened(), case.scales[-1]
        volume.read(true.bounds, scale=len(case.scales) - 1)[...] = 1
        found = volume.read(true.bounds, scale=len(case.scales) - 1)
        expect_voxels(found, true.voxels, "after a caller wrote into its answer")

    def test_channels_are_answered_in_the_order_asked_for(self, case: VolumeCase) -> None:
        """Subsets, reversed orders and repeats."""
        volume, true = case.opened(), case.scales[0]
        everything = list(range(true.voxels.shape[0]))
        for channels in ([0], everything[::-1], [everything[-1], 0, everything[-1]], (everything[-1],)):
            for box in telling_boxes(true.bounds):
                found = volume.read(box, channels=channels)
                expect_voxels(found, true.cut(box)[list(channels)], f"channels {channels} of {box}")

    # -- `out`

    def test_out_is_filled_and_returned(self, case: VolumeCase) -> None:
        """A C-order array, and views with gaps, reversed rows and Fortran order."""
        volume = case.opened()
        for scale, true in enumerate(case.scales):
            box = telling_boxes(true.bounds)[-1]
            shape = (true.voxels.shape[0], *box.shape.zyx)
            for make in _OUT_ARRAYS:
                base = np.ones([2 * n + 3 for n in shape], true.voxels.dtype)
                out = make(base, shape)
                before = base.copy()
                found = volume.read(box, scale=scale, out=out)
                expect(found is out, "`out` is not what was returned")
                expect_voxels(out, true.cut(box), f"{box} read into {make.__name__}")
                make(before, shape)[...] = true.cut(box)
                expect_voxels(base, before, f"around `out`, {make.__name__}")

    def test_out_takes_chosen_channels(self, case: VolumeCase) -> None:
        """`out` has as many channels as were asked for."""
        true = case.scales[0]
        last = true.voxels.shape[0] - 1
        out = np.zeros((2, *true.voxels.shape[1:]), true.voxels.dtype)
        case.opened().read(true.bounds, channels=[last, 0], out=out)
        expect_voxels(out, true.voxels[[last, 0]], "`out` of two channels")

    def test_a_wrong_out_is_refused_and_left_alone(self, case: VolumeCase) -> None:
        """Another shape, also one that numpy could broadcast, and another dtype."""
        volume, true = case.opened(), case.scales[0]
        box = telling_boxes(true.bounds)[-1]
        right = (true.voxels.shape[0], *box.shape.zyx)
        z, y, x = right[1:]
        for shape in ((right[0] + 1, z, y, x), (right[0], z, y, x + 1), (z, y, x), (1, *right)):
            out = np.ones(shape, true.voxels.dtype)
            with pytest.raises(ShapeMismatch):
                volume.read(box, out=out)
            expect((out == 1).all(), "a refused `out` was written to")
        other = np.dtype("<f4") if true.voxels.dtype != np.dtype("<f4") else np.dtype("<u4")
        with pytest.raises(DataTypeMismatch):
            volume.read(box, out=np.ones(right, other))

    # -- what is refused

    def test_a_scale_that_does_not_exist_is_refused(self, case: VolumeCase) -> None:
        """One too many, and negative: no counting from the end."""
        for scale in (len(case.scales), -1, 1000):
            with pytest.raises(UnknownScale):
                case.opened().read(case.scales[0].bounds, scale=scale)

    def test_an_empty_or_inverted_box_is_refused(self, case: VolumeCase) -> None:
        """Nothing to read is a mistake, not an empty answer."""
        volume = case.opened()
        for scale, true in enumerate(case.scales):
            for box in empty_boxes(true.bounds):
                with pytest.raises(EmptyBox):
                    volume.read(box, scale=scale)

    def test_a_box_out_of_bounds_is_refused(self, case: VolumeCase) -> None:
        """One voxel beyond each side, and far off; never padded, never clipped."""
        volume = case.opened()
        for scale, true in enumerate(case.scales):
            for box in bad_boxes(true.bounds):
                with pytest.raises(OutOfBounds):
                    volume.read(box, scale=scale)

    def test_a_channel_that_does_not_exist_is_refused(self, case: VolumeCase) -> None:
        """One too many, and negative: no counting from the end."""
        true = case.scales[0]
        for channels in ([true.voxels.shape[0]], [0, -1]):
            with pytest.raises(OutOfBounds):
                case.opened().read(true.bounds, channels=channels)

    def test_no_channels_at_all_does_not_mean_all_channels(self, case: VolumeCase) -> None:
        """An empty choice is answered by an array without channels, as numpy would."""
        true = case.scales[0]
        found = case.opened().read(true.bounds, channels=[])
        expect_voxels(found, true.voxels[[]], "no channels")

    # -- absent voxels

    def test_absent_voxels_have_the_fill_value_and_presence_is_honest(self, case: VolumeCase) -> None:
        """What the author knows to be absent reads as fill; what differs from fill is not called absent."""
        volume = case.opened()
        presence = volume.capability(ChunkPresence)
        for scale, true in enumerate(case.scales):
            for box in true.absent:
                np.testing.assert_array_equal(volume.read(box, scale=scale), case.fill_value)
                expect(presence is None or presence.is_absent(box, scale=scale), f"{box} is absent, not reported so")
            for box in telling_boxes(true.bounds):
                is_there = not np.array_equal(true.cut(box), np.full_like(true.cut(box), case.fill_value))
                wrong = presence is not None and is_there and presence.is_absent(box, scale=scale)
                expect(not wrong, f"{box} has voxels and is reported absent")

    # -- callers

    def test_concurrent_readers_agree(self, case: VolumeCase) -> None:
        """Sixty reads by eight threads on one handle, of all scales at once."""
        volume = case.opened()
        work = [(s, box) for s, true in enumerate(case.scales) for box in telling_boxes(true.bounds)]
        work = (work * 60)[:60]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda item: volume.read(item[1], scale=item[0]), work))
        for (scale, box), found in zip(work, answers, strict=True):
            expect_voxels(found, case.scales[scale].cut(box), f"{box} at scale {scale}, among threads")

    def test_a_caller_who_left_gets_cancelled(self, case: VolumeCase) -> None:
        """And another handle on the same volume does not notice."""
        context = CallContext()
        volume, other = case.open(OpenOptions(context=context)), case.opened()
        context.stop.set()
        with pytest.raises(Cancelled):
            volume.read(case.scales[0].bounds)
        expect_voxels(other.read(case.scales[0].bounds), case.scales[0].voxels, "for another caller")

    def test_a_deadline_that_passed_is_reported(self, case: VolumeCase) -> None:
        """DeadlineExceeded, whether the volume or its store notices."""
        with pytest.raises(DeadlineExceeded):
            case.open(OpenOptions(context=CallContext(deadline=time.monotonic() - 1))).read(case.scales[0].bounds)

    # -- opening and capabilities

    def test_reopening_sees_the_same_voxels(self, case: VolumeCase) -> None:
        """Two handles, one volume."""
        first, second = case.opened(), case.opened()
        for scale, true in enumerate(case.scales):
            expect_voxels(first.read(true.bounds, scale=scale), second.read(true.bounds, scale=scale), "reopened")
        expect(_without_services(first.info) == _without_services(second.info), "reopened with another description")

    def test_a_volume_that_does_not_exist_is_unknown(self, case: VolumeCase) -> None:
        """UnknownVolume, with a message that shows no path of the file system."""
        if case.open_missing is None:
            pytest.skip("the case names no missing volume")
        with pytest.raises(UnknownVolume) as caught:
            case.open_missing()
        _expect_fit_for_people(caught.value)

    def test_errors_say_what_happened_and_what_to_do(self, case: VolumeCase) -> None:
        """Message and remedy, one line each, no traceback."""
        with pytest.raises(OutOfBounds) as caught:
            case.opened().read(bad_boxes(case.scales[0].bounds)[-1])
        _expect_fit_for_people(caught.value)
        expect(caught.value.remedy, "there is no remedy")

    def test_an_unknown_capability_is_none(self, case: VolumeCase) -> None:
        """A volume does not guess what it has never heard of."""
        expect(case.opened().capability(_NobodyHasThis) is None, "an unknown capability was promised")

    def test_writable_is_offered_exactly_where_writes_are_taken(self, case: VolumeCase) -> None:
        """As a capability and in the description of the scales."""
        volume = case.opened()
        expect((volume.capability(Writable) is not None) == case.writable, f"Writable, but writable={case.writable}")
        expect(any(scale.writable for scale in volume.info.scales) == case.writable, "the scales say otherwise")


def _expect_well_formed(scale: Scale) -> None:
    expect(not scale.bounds.is_empty, f"scale {scale.key} has no voxels")
    expect(min(scale.stored_chunk_shape) >= 1, f"scale {scale.key} has chunks of {scale.stored_chunk_shape}")
    pairs = list(zip(scale.write_granule_shape, scale.stored_chunk_shape, strict=True))
    expect(all(g >= c and g % c == 0 for g, c in pairs), f"granules of scale {scale.key} are not whole chunks")
    expect(scale.voxel_size_nm is None or min(scale.voxel_size_nm) > 0, f"voxel size of scale {scale.key}")


def _expect_fit_for_people(error: VoxgateError) -> None:
    text = str(error)
    expect(error.message and "\n" not in text and "Traceback" not in text, f"not fit for people: {text!r}")


def _without_services(info: VolumeInfo) -> tuple[Any, ...]:
    return (info.name, info.dtype, info.kind, info.scales, info.axes, info.channels, info.resolved_version)


def _contiguous(base: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return base.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def _with_gaps(base: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return base[tuple(slice(1, 1 + 2 * n, 2) for n in shape)]


def _reversed(base: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return base[tuple(slice(n, 0, -1) for n in shape)]


def _fortran_order(base: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return base.reshape(-1)[: int(np.prod(shape))].reshape(shape[::-1]).T


_OUT_ARRAYS: tuple[Callable[[np.ndarray[Any, Any], tuple[int, ...]], np.ndarray[Any, Any]], ...] = (
    _contiguous,
    _with_gaps,
    _reversed,
    _fortran_order,
)
