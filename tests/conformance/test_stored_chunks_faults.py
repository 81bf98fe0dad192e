"""The suite of stored chunks judged: volumes with one known fault each, and the test that has to find it."""

from dataclasses import replace

import numpy as np
import pytest

from support.decoders import decode
from support.references import segmentation
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import (
    CallContext,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.testing import EncodedConformance, ScaleFacts, VolumeCase

VOXELS = segmentation((1, 7, 8, 9))
BOX = Box.at(Vec3(3, -5, 7), Vec3(9, 8, 7))
CHUNK = Vec3(4, 4, 4)
ABSENT = Box.at(BOX.start, CHUNK)
VOXELS[:, *ABSENT.slices_zyx(BOX.start)] = 0


class Sound:
    """Hands everything on; the faults are overrides."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def capability(self, kind):
        return self if kind is EncodedChunks else self.inner.capability(kind)


class SwapsTwoChunks(Sound):
    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        if len(found) > 3:
            found[2], found[3] = replace(found[2], data=found[3].data), replace(found[3], data=found[2].data)
        return found


class ClipsTheBoxOfAPaddedChunk(Sound):
    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        return [None if f is None else replace(f, data_box=f.data_box.intersection(BOX)) for f in found]


class MovesItsBoxes(Sound):
    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        return [None if f is None else replace(f, data_box=f.data_box.shifted(Vec3(0, 1, 0))) for f in found]


class LeavesAbsentChunksOut(Sound):
    def read_encoded(self, cells, **options):
        return [chunk for chunk in self.inner.read_encoded(cells, **options) if chunk is not None]


class MakesAbsentChunksUp(Sound):
    def read_encoded(self, cells, **options):
        made_up = EncodedChunk(bytes(512), Encoding(), ABSENT)
        return [made_up if f is None else f for f in self.inner.read_encoded(cells, **options)]


class LosesAChunk(Sound):
    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        return [None if cell.stop == BOX.stop else f for cell, f in zip(cells, found, strict=True)]


class LosesAllChunks(Sound):
    def read_encoded(self, cells, **options):
        return [None for _ in self.inner.read_encoded(cells, **options)]


class KeepsAnEncodingSecret(Sound):
    def encodings_of(self, scale):
        return tuple(replace(one, block_shape=CHUNK) for one in self.inner.encodings_of(scale))


class SwapsBytes(Sound):
    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        return [f and replace(f, data=np.frombuffer(f.data, ">u8").astype("<u8").tobytes()) for f in found]


class SortsItsAnswers(Sound):
    def read_encoded(self, cells, **options):
        return self.inner.read_encoded(sorted(cells, key=lambda cell: cell.start.zyx), **options)


class RoundsBoxesToCells(Sound):
    def read_encoded(self, cells, **options):
        level = self.inner.info.scales[0]
        starts = [Vec3(*(o + (a - o) // 4 * 4 for a, o in zip(c.start, BOX.start, strict=True))) for c in cells]
        return self.inner.read_encoded([Box.at(s, CHUNK).intersection(level.bounds) for s in starts], **options)


class CountsScalesFromTheEnd(Sound):
    def encodings_of(self, scale):
        return self.inner.encodings_of(0 if scale == -1 else scale)


class NeverGivesUp(Sound):
    def read_encoded(self, cells, **options):
        return self.inner.bound(CallContext()).read_encoded(cells, **options)


class ReusesOneBuffer(Sound):
    def __init__(self, inner):
        super().__init__(inner)
        self.buffer = bytearray(512)

    def read_encoded(self, cells, **options):
        found = self.inner.read_encoded(cells, **options)
        for chunk in filter(None, found):
            self.buffer[:] = chunk.data
        return [f and replace(f, data=memoryview(self.buffer)) for f in found]


class ChangesAmongThreads(Sound):
    def __init__(self, inner):
        super().__init__(inner)
        self.calls = 0

    def read_encoded(self, cells, **options):
        self.calls += 1
        found = self.inner.read_encoded(cells, **options)
        return [f and replace(f, data=bytes(512)) for f in found] if self.calls == 7 else found


FAULTS = [
    (SwapsTwoChunks, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (ClipsTheBoxOfAPaddedChunk, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (MovesItsBoxes, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (LeavesAbsentChunksOut, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (LosesAChunk, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (LosesAllChunks, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (KeepsAnEncodingSecret, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (SwapsBytes, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (ReusesOneBuffer, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (MakesAbsentChunksUp, EncodedConformance.test_every_stored_chunk_decodes_to_the_reference),
    (MakesAbsentChunksUp, EncodedConformance.test_chunks_known_to_be_absent_are_none),
    (SortsItsAnswers, EncodedConformance.test_cells_are_answered_in_the_order_asked_for),
    (RoundsBoxesToCells, EncodedConformance.test_a_box_that_is_no_cell_is_refused),
    (CountsScalesFromTheEnd, EncodedConformance.test_a_scale_that_does_not_exist_has_no_chunks),
    (NeverGivesUp, EncodedConformance.test_callers_who_left_or_are_late_get_no_chunks),
    (SwapsTwoChunks, EncodedConformance.test_cells_are_answered_in_the_order_asked_for),
    (ChangesAmongThreads, EncodedConformance.test_threads_get_the_same_chunks),
]


def case_of(fault):
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, chunk_shape=CHUNK),))
    whole = MemoryVolume.create(spec)
    for cell in grid_cells(BOX, CHUNK, BOX.start):
        if cell != ABSENT:
            whole.write(cell, VOXELS[:, *cell.slices_zyx(BOX.start)])
    return VolumeCase(
        open=lambda options: fault(whole.bound(options.context)),
        scales=(ScaleFacts(voxels=VOXELS, start=BOX.start, chunk_shape=CHUNK, absent=(ABSENT,)),),
        kind=VolumeKind.SEGMENTATION,
    )


def run(test, case):
    arguments = (case, decode) if "decode" in test.__code__.co_varnames else (case,)
    test(EncodedConformance(), *arguments)


@pytest.mark.parametrize(("fault", "test"), FAULTS, ids=lambda value: value.__name__)
def test_a_faulty_volume_is_found_out(fault, test):
    with pytest.raises((AssertionError, VoxgateError, ValueError, IndexError, TypeError, pytest.fail.Exception)):
        run(test, case_of(fault))


@pytest.mark.parametrize("test", sorted({test for _, test in FAULTS}, key=lambda test: test.__name__))
def test_the_same_volume_without_the_fault_passes(test):
    run(test, case_of(Sound))
