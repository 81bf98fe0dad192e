"""What every volume must do that hands out stored chunks as they are stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import pytest

from voxgate.model.errors import Cancelled, DeadlineExceeded, InvalidArgument, UnknownScale
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import (
    CallContext,
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    OpenOptions,
    Volume,
    VolumeInfo,
    Voxels,
)
from voxgate_remotes.testing.cases import VolumeCase, expect, expect_voxels

Decode: TypeAlias = Callable[[EncodedChunk, VolumeInfo], Voxels]
"""Decodes a chunk of a volume to the voxels of its `data_box`, shape (c, z, y, x), with somebody else's decoder."""


class EncodedConformance:
    """Inherit, and give fixtures `case`, a VolumeCase with EncodedChunks, and `decode`, a Decode.

    Both may be shared by all tests of the class.
    """

    def test_every_stored_chunk_decodes_to_the_reference(self, case: VolumeCase, decode: Decode) -> None:
        """All cells of all scales, those clipped by the bounds included; a chunk that is absent is fill and said so."""
        volume = case.opened()
        chunks, presence = _power(volume), volume.capability(ChunkPresence)
        for scale in _scales(volume):
            true = case.scales[scale]
            cells = list(_cells(volume, scale))
            found = chunks.read_encoded(cells, scale=scale)
            expect(len(found) == len(cells), f"{len(found)} answers for {len(cells)} cells")
            expect(any(chunk is not None for chunk in found), f"scale {scale}: not one stored chunk")
            for cell, chunk in zip(cells, found, strict=True):
                if chunk is None:
                    np.testing.assert_array_equal(true.cut(cell), case.fill_value, f"{cell} has voxels and is absent")
                    expect(presence is None or presence.is_absent(cell, scale=scale), f"{cell} is stored, not answered")
                    continue
                expect(presence is None or not presence.is_absent(cell, scale=scale), f"{cell} is not stored, answered")
                expect(chunk.data_box.contains(cell), f"{chunk.data_box} does not contain {cell}")
                expect(chunk.encoding in chunks.encodings_of(scale), f"{chunk.encoding} was not announced")
                voxels = decode(chunk, volume.info)
                shape = (volume.info.channel_count, *chunk.data_box.shape.zyx)
                expect(voxels.shape == shape, f"{cell} decodes to {voxels.shape}, should be {shape}")
                expect_voxels(voxels[:, *cell.slices_zyx(chunk.data_box.start)], true.cut(cell), f"{cell} at {scale}")

    def test_chunks_known_to_be_absent_are_none(self, case: VolumeCase) -> None:
        """And nothing else: no empty bytes, no chunk of fill values."""
        volume = case.opened()
        for scale in _scales(volume):
            for box in case.scales[scale].absent:
                cells = [cell for cell in _cells(volume, scale) if box.contains(cell)]
                found = _power(volume).read_encoded(cells, scale=scale)
                expect(found == [None] * len(cells), f"{box} is absent, and something was answered")

    def test_cells_are_answered_in_the_order_asked_for(self, case: VolumeCase) -> None:
        """Reversed, one by one, repeated, and none at all."""
        volume = case.opened()
        chunks = _power(volume)
        for scale in _scales(volume):
            cells = list(_cells(volume, scale))
            forward = chunks.read_encoded(cells, scale=scale)
            expect(_same(chunks.read_encoded(cells[::-1], scale=scale), forward[::-1]), "reversed")
            single = [chunks.read_encoded([cell], scale=scale)[0] for cell in cells]
            expect(_same(single, forward), "one by one")
            twice = chunks.read_encoded([cells[-1], cells[0], cells[-1]], scale=scale)
            expect(_same(twice, [forward[-1], forward[0], forward[-1]]), "repeated")
            expect(chunks.read_encoded([], scale=scale) == [], "no cells")

    def test_a_box_that_is_no_cell_is_refused(self, case: VolumeCase) -> None:
        """Part of a cell, two cells, one beyond the bounds: the answer would not be what was asked for."""
        volume = case.opened()
        for scale in _scales(volume):
            level = volume.info.scales[scale]
            cells = list(_cells(volume, scale))
            cell = max(cells, key=lambda one: one.voxel_count)
            bad = [cell.shifted(level.bounds.shape), Box(cell.start, cell.start)]
            if len(cells) > 1:
                bad.append(level.bounds)
            if cell.shape.x > 1:
                bad += [Box(cell.start + Vec3(1, 0, 0), cell.stop), Box(cell.start, cell.stop - Vec3(1, 0, 0))]
            for box in bad:
                with pytest.raises(InvalidArgument):
                    _power(volume).read_encoded([cell, box], scale=scale)

    def test_a_scale_that_does_not_exist_has_no_chunks(self, case: VolumeCase) -> None:
        """One too many, and negative: no counting from the end."""
        volume = case.opened()
        cell = next(_cells(volume, _scales(volume)[0]))
        for scale in (len(case.scales), -1):
            with pytest.raises(UnknownScale):
                _power(volume).encodings_of(scale)
            with pytest.raises(UnknownScale):
                _power(volume).read_encoded([cell], scale=scale)

    def test_callers_who_left_or_are_late_get_no_chunks(self, case: VolumeCase) -> None:
        """Cancelled and DeadlineExceeded, before anything is read."""
        context = CallContext()
        leaving = case.open(OpenOptions(context=context))
        scale = _scales(leaving)[0]
        cell = next(_cells(leaving, scale))
        context.stop.set()
        with pytest.raises(Cancelled):
            _power(leaving).read_encoded([cell], scale=scale)
        late = case.open(OpenOptions(context=CallContext(deadline=time.monotonic() - 1)))
        with pytest.raises(DeadlineExceeded):
            _power(late).read_encoded([cell], scale=scale)

    def test_threads_get_the_same_chunks(self, case: VolumeCase) -> None:
        """Thirty readers of all cells by eight threads on one handle, while others read voxels."""
        volume = case.opened()
        scale = _scales(volume)[0]
        cells, true = list(_cells(volume, scale)), case.scales[scale]
        first = _power(volume).read_encoded(cells, scale=scale)
        with ThreadPoolExecutor(8) as threads:
            encoded = threads.map(lambda _: _power(volume).read_encoded(cells, scale=scale), range(30))
            read = threads.map(lambda _: volume.read(true.bounds, scale=scale), range(8))
            expect(all(_same(again, first) for again in encoded), "chunks differ among threads")
            for voxels in read:
                expect_voxels(voxels, true.voxels, "among readers of chunks")


def _power(volume: Volume) -> EncodedChunks:
    chunks = volume.capability(EncodedChunks)
    if chunks is None:
        raise AssertionError("the volume has no EncodedChunks")
    return chunks


def _scales(volume: Volume) -> list[int]:
    """The scales whose chunks can be passed on; there is one."""
    scales = [scale for scale in range(len(volume.info.scales)) if _power(volume).encodings_of(scale)]
    expect(scales, "EncodedChunks is offered, and no scale has an encoding")
    return scales


def _cells(volume: Volume, scale: int) -> Iterator[Box]:
    level = volume.info.scales[scale]
    return grid_cells(level.bounds, level.stored_chunk_shape, level.grid_origin)


def _same(some: list[EncodedChunk | None], others: list[EncodedChunk | None]) -> bool:
    return [_facts(chunk) for chunk in some] == [_facts(chunk) for chunk in others]


def _facts(chunk: EncodedChunk | None) -> tuple[object, ...] | None:
    return None if chunk is None else (bytes(chunk.data), chunk.encoding, chunk.data_box)
