"""The suite judged: volumes with one known fault each, and the test that has to find it.

A suite that passes everything proves nothing.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from support.references import segmentation
from voxgate.model.errors import OutOfBounds, UnalignedWrite, VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.volumes import (
    CallContext,
    Channel,
    ChunkPresence,
    ScaleSpec,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase, WriteConformance

VOXELS = segmentation((1, 7, 8, 9))
BOX = Box.at(Vec3(3, -5, 7), Vec3(9, 8, 7))
ABSENT = Box.at(BOX.start, Vec3(4, 4, 4))
VOXELS[:, *ABSENT.slices_zyx(BOX.start)] = 0


class Sound:
    """Hands everything on; the faults are overrides."""

    def __init__(self, inner: MemoryVolume) -> None:
        self.inner = inner

    @property
    def info(self) -> VolumeInfo:
        return self.inner.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: np.ndarray | None = None
    ) -> np.ndarray:
        return self.inner.read(box, scale=scale, channels=channels, out=out)

    def write(self, box: Box, voxels: np.ndarray, *, scale: int = 0) -> None:
        self.inner.write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        return self.inner.is_absent(box, scale=scale)

    def capability(self, kind: type[Any]) -> Any:
        return self if kind in (Writable, ChunkPresence) else None


class TransposesCubes(Sound):
    def read(self, box, **options):
        found = super().read(box, **options)
        return np.ascontiguousarray(found.swapaxes(1, 3)) if box.shape.x == box.shape.z else found


class IsOffByOne(Sound):
    def read(self, box, **options):
        return np.roll(super().read(box, **options), 1, axis=3)


class ForgetsTheOffset(Sound):
    @property
    def info(self):
        info = super().info
        return replace(info, scales=(replace(info.scales[0], bounds=BOX.shifted(Vec3(0, 5, 0))),))


class ThroughFloat64(Sound):
    def read(self, box, **options):
        found = super().read(box, **options)
        found[found > 2**53] &= np.uint64(2**64 - 2**12)
        return found


class ForgetsOut(Sound):
    def read(self, box, *, out=None, **options):
        return super().read(box, **options)


class FillsOnlyContiguousOut(Sound):
    def read(self, box, *, out=None, **options):
        if out is None or out.flags.c_contiguous:
            return super().read(box, out=out, **options)
        np.ascontiguousarray(out)[...] = super().read(box, **options)
        return out


class BroadcastsIntoOut(Sound):
    def read(self, box, *, out=None, **options):
        found = super().read(box, **options)
        if out is None:
            return found
        out[...] = found[..., : out.shape[-1]] if out.ndim == 4 else found[0]
        return out


class SharesItsMemory(Sound):
    def __init__(self, inner):
        super().__init__(inner)
        self.kept = inner.read(BOX)

    def read(self, box, **options):
        return self.kept if box == BOX else super().read(box, **options)


class ClipsBoxes(Sound):
    def read(self, box, **options):
        return super().read(box if box.is_empty else box.intersection(BOX), **options)


class AnswersEmptyBoxes(Sound):
    def read(self, box, **options):
        return np.empty((1, 0, 0, 0), "<u8") if box.is_empty else super().read(box, **options)


class CountsScalesFromTheEnd(Sound):
    def read(self, box, *, scale=0, **options):
        return super().read(box, scale=0 if scale == -1 else scale, **options)


class CountsChannelsFromTheEnd(Sound):
    def read(self, box, *, channels=None, **options):
        return super().read(box, channels=None if channels is None else [c % 1 for c in channels], **options)


class IgnoresChannels(Sound):
    def read(self, box, *, channels=None, out=None, **options):
        return super().read(box, **options)


class TakesNoChannelsForAll(Sound):
    def read(self, box, *, channels=None, **options):
        return super().read(box, channels=channels or None, **options)


class CallsAllAbsent(Sound):
    def is_absent(self, box, *, scale=0):
        return True


class CallsNothingAbsent(Sound):
    def is_absent(self, box, *, scale=0):
        return False


class HasEveryCapability(Sound):
    def capability(self, kind):
        return self


class SaysNothingUseful(Sound):
    def read(self, box, **options):
        try:
            return super().read(box, **options)
        except OutOfBounds:
            raise OutOfBounds('Traceback (most recent call last):\n  File "x.py"') from None


class NeverGivesUp(Sound):
    def __init__(self, inner):
        super().__init__(inner.bound(CallContext()))


class GuessesTheVoxelSize(Sound):
    @property
    def info(self):
        info = super().info
        return replace(info, scales=(replace(info.scales[0], voxel_size_nm=VoxelSize(1, 1, 1)),))


class ListsAChannelWithoutAnAxis(Sound):
    @property
    def info(self):
        return replace(super().info, channels=(Channel(),))


class IsReadOnlyInSecret(Sound):
    def capability(self, kind):
        return None if kind is Writable else super().capability(kind)


class DropsZeros(Sound):
    def write(self, box, voxels, *, scale=0):
        if (voxels == 0).any() and voxels.shape == (1, *box.shape.zyx) and BOX.contains(box):
            voxels = np.where(voxels == 0, super().read(box), voxels)
        super().write(box, voxels, scale=scale)


class PadsGranules(Sound):
    def write(self, box, voxels, *, scale=0):
        super().write(box, voxels, scale=scale)
        beyond = Box.at(Vec3(box.start.x, box.start.y, box.stop.z), Vec3(1, 1, 1))
        if BOX.contains(beyond):
            super().write(beyond, np.zeros((1, 1, 1, 1), "<u8"))


class Casts(Sound):
    def write(self, box, voxels, *, scale=0):
        super().write(box, voxels.astype("<u8"), scale=scale)


class Broadcasts(Sound):
    def write(self, box, voxels, *, scale=0):
        super().write(box, np.resize(voxels, (1, *box.shape.zyx)), scale=scale)


class WritesWhatFits(Sound):
    def write(self, box, voxels, *, scale=0):
        inside = box if box.is_empty else box.intersection(BOX)
        super().write(inside, voxels[:, : inside.shape.z, : inside.shape.y, : inside.shape.x], scale=scale)


class IgnoresStrides(Sound):
    def write(self, box, voxels, *, scale=0):
        super().write(box, np.frombuffer(voxels.tobytes("A"), voxels.dtype).reshape(voxels.shape), scale=scale)


class WritesLater(Sound):
    def __init__(self, inner):
        super().__init__(inner)
        self.pending = []

    def write(self, box, voxels, *, scale=0):
        self.pending.append((box, voxels))

    def read(self, box, **options):
        while self.pending:
            super().write(*self.pending.pop(0))
        return super().read(box, **options)


class WritesBeforeItLooks(Sound):
    def write(self, box, voxels, *, scale=0):
        self.inner.bound(CallContext()).write(BOX, np.full((1, 7, 8, 9), 77, "<u8"))
        super().write(box, voxels, scale=scale)


class RefusesCutGranules(Sound):
    def write(self, box, voxels, *, scale=0):
        if box != BOX and not box.is_empty and BOX.contains(box):
            raise UnalignedWrite("cut", "align it")
        super().write(box, voxels, scale=scale)


class LosesUpdates(Sound):
    def write(self, box, voxels, *, scale=0):
        found = super().read(BOX)
        time.sleep(0.002)
        found[:, *box.slices_zyx(BOX.start)] = voxels
        super().write(BOX, found)


class WritesInHalves(Sound):
    def write(self, box, voxels, *, scale=0):
        half = box.shape.z // 2
        parts = [box.start.z, box.start.z + half, box.stop.z] if half else [box.start.z, box.stop.z]
        for low, high in itertools.pairwise(parts):
            part = Box(Vec3(*box.start[:2], low), Vec3(*box.stop[:2], high))
            super().write(part, voxels[:, *part.slices_zyx(box.start)])
            time.sleep(0.002)


FAULTS = [
    (TransposesCubes, ReadConformance.test_telling_boxes_equal_the_reference_at_every_scale),
    (IsOffByOne, ReadConformance.test_any_box_equals_the_reference),
    (IsOffByOne, ReadConformance.test_telling_boxes_equal_the_reference_at_every_scale),
    (IsOffByOne, ReadConformance.test_a_box_read_in_parts_equals_the_whole),
    (IsOffByOne, ReadConformance.test_concurrent_readers_agree),
    (ForgetsTheOffset, ReadConformance.test_info_states_the_facts),
    (ThroughFloat64, ReadConformance.test_single_voxels_are_exact_as_python_numbers),
    (ForgetsOut, ReadConformance.test_out_is_filled_and_returned),
    (FillsOnlyContiguousOut, ReadConformance.test_out_is_filled_and_returned),
    (BroadcastsIntoOut, ReadConformance.test_a_wrong_out_is_refused_and_left_alone),
    (SharesItsMemory, ReadConformance.test_the_answer_belongs_to_the_caller),
    (ClipsBoxes, ReadConformance.test_a_box_out_of_bounds_is_refused),
    (ClipsBoxes, ReadConformance.test_errors_say_what_happened_and_what_to_do),
    (AnswersEmptyBoxes, ReadConformance.test_an_empty_or_inverted_box_is_refused),
    (CountsScalesFromTheEnd, ReadConformance.test_a_scale_that_does_not_exist_is_refused),
    (CountsChannelsFromTheEnd, ReadConformance.test_a_channel_that_does_not_exist_is_refused),
    (IgnoresChannels, ReadConformance.test_channels_are_answered_in_the_order_asked_for),
    (IgnoresChannels, ReadConformance.test_out_takes_chosen_channels),
    (TakesNoChannelsForAll, ReadConformance.test_no_channels_at_all_does_not_mean_all_channels),
    (CallsAllAbsent, ReadConformance.test_absent_voxels_have_the_fill_value_and_presence_is_honest),
    (CallsAllAbsent, WriteConformance.test_written_voxels_are_not_absent),
    (CallsNothingAbsent, ReadConformance.test_absent_voxels_have_the_fill_value_and_presence_is_honest),
    (HasEveryCapability, ReadConformance.test_an_unknown_capability_is_none),
    (SaysNothingUseful, ReadConformance.test_errors_say_what_happened_and_what_to_do),
    (NeverGivesUp, ReadConformance.test_a_caller_who_left_gets_cancelled),
    (NeverGivesUp, ReadConformance.test_a_deadline_that_passed_is_reported),
    (NeverGivesUp, WriteConformance.test_a_caller_who_left_writes_nothing),
    (GuessesTheVoxelSize, ReadConformance.test_info_states_the_facts),
    (ListsAChannelWithoutAnAxis, ReadConformance.test_info_is_well_formed),
    (IsReadOnlyInSecret, ReadConformance.test_writable_is_offered_exactly_where_writes_are_taken),
    (DropsZeros, WriteConformance.test_zeros_replace_what_was_there),
    (PadsGranules, WriteConformance.test_any_box_reads_back_and_its_neighbours_stay),
    (IsOffByOne, WriteConformance.test_whole_granules_read_back),
    (ThroughFloat64, WriteConformance.test_the_extreme_numbers_of_the_dtype_read_back),
    (Casts, WriteConformance.test_a_wrong_dtype_is_refused_without_writing),
    (Broadcasts, WriteConformance.test_a_wrong_shape_is_refused_without_writing),
    (WritesWhatFits, WriteConformance.test_a_bad_box_or_scale_is_refused_without_writing),
    (WritesBeforeItLooks, WriteConformance.test_a_bad_box_or_scale_is_refused_without_writing),
    (WritesBeforeItLooks, WriteConformance.test_a_caller_who_left_writes_nothing),
    (IgnoresStrides, WriteConformance.test_voxels_of_any_memory_layout_are_written_as_they_are),
    (WritesLater, WriteConformance.test_written_voxels_no_longer_belong_to_the_caller),
    (WritesLater, WriteConformance.test_other_handles_see_what_was_written),
    (RefusesCutGranules, WriteConformance.test_any_box_reads_back_and_its_neighbours_stay),
    (RefusesCutGranules, WriteConformance.test_a_cut_granule_is_merged_or_refused_as_stated),
    (LosesUpdates, WriteConformance.test_concurrent_writers_of_one_granule_lose_nothing),
    (WritesInHalves, WriteConformance.test_readers_beside_writers_find_chunks_old_or_new),
]


def case_of(fault: type[Sound]) -> VolumeCase:
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, chunk_shape=Vec3(4, 4, 4)),))
    whole = MemoryVolume.create(spec)
    for cell in grid_cells(BOX, Vec3(4, 4, 4), BOX.start):
        if cell != ABSENT:
            whole.write(cell, VOXELS[:, *cell.slices_zyx(BOX.start)])
    return VolumeCase(
        open=lambda options: fault(whole.bound(options.context)),
        scales=(ScaleFacts(voxels=VOXELS, start=BOX.start, chunk_shape=Vec3(4, 4, 4), absent=(ABSENT,)),),
        kind=VolumeKind.SEGMENTATION,
        writable=True,
    )


def run(test: Callable[..., None], case: VolumeCase) -> None:
    suite = ReadConformance if test.__qualname__.startswith("Read") else WriteConformance
    test(suite(), case=case)


@pytest.mark.parametrize(("fault", "test"), FAULTS, ids=lambda value: value.__name__)
def test_a_faulty_volume_is_found_out(fault, test):
    with pytest.raises((AssertionError, VoxgateError, ValueError, IndexError, TypeError, pytest.fail.Exception)):
        run(test, case_of(fault))


TESTS = sorted({test for _, test in FAULTS}, key=lambda test: test.__name__)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
def test_the_same_volume_without_the_fault_passes(test):
    run(test, case_of(Sound))
