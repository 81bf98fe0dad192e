"""What every volume that takes writes must do for writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import (
    Cancelled,
    DataTypeMismatch,
    EmptyBox,
    OutOfBounds,
    ShapeMismatch,
    UnalignedWrite,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import (
    CallContext,
    ChunkPresence,
    OpenOptions,
    Scale,
    Volume,
    Voxels,
    Writable,
)
from voxgate_remotes.testing.cases import (
    PROPERTY,
    VolumeCase,
    bad_boxes,
    empty_boxes,
    expect,
    expect_voxels,
    scales_and_boxes,
    telling_boxes,
)


class WriteConformance:
    """Inherit, and give a fixture `case` that returns a VolumeCase with writable=True, fresh for each test.

    Each test holds a model, a plain array of every scale, writes to both, and compares every voxel, so that a voxel
    that changed outside of the box is found as surely as one inside that did not.
    """

    def test_whole_granules_read_back(self, case: VolumeCase) -> None:
        """Every write granule of every scale, those clipped by the bounds included."""
        volume, models = _opened(case)
        for scale, level in enumerate(volume.info.scales):
            for cell in grid_cells(level.bounds, level.write_granule_shape, level.grid_origin):
                _write_both(volume, models, case, (scale, cell))
            _expect_model(volume, models, case)

    @PROPERTY
    @given(data=st.data())
    def test_any_box_reads_back_and_its_neighbours_stay(self, case: VolumeCase, data: st.DataObject) -> None:
        """Unaligned boxes where the volume merges, whole granules where it does not."""
        volume, models = _opened(case)
        # Examples share the volume: each starts by putting the truth back, so that a failure can be repeated.
        for scale, true in enumerate(case.scales):
            _write_both(volume, models, case, (scale, true.bounds), true.voxels)
        for _ in range(2):
            scale, box = data.draw(scales_and_boxes(case))
            _write_both(volume, models, case, (scale, _allowed(case, volume.info.scales[scale], box)))
        _expect_model(volume, models, case)

    def test_a_cut_granule_is_merged_or_refused_as_stated(self, case: VolumeCase) -> None:
        """All but one plane of a granule: merged exactly, or UnalignedWrite and not a voxel changes."""
        volume, models = _opened(case)
        level = volume.info.scales[0]
        granule = next(grid_cells(level.bounds, level.write_granule_shape, level.grid_origin))
        axis = max(range(3), key=lambda i: tuple(granule.shape)[i])
        cut = Box(granule.start, granule.stop - Vec3(*(int(i == axis) for i in range(3))))
        if case.merges:
            _write_both(volume, models, case, (0, cut))
        else:
            with pytest.raises(UnalignedWrite):
                _writer(volume).write(cut, _noise(case, cut, 1))
        _expect_model(volume, models, case)

    def test_zeros_replace_what_was_there(self, case: VolumeCase) -> None:
        """Zeros are voxels like any other, in part of a box and in all of it."""
        volume, models = _opened(case)
        box = case.scales[0].bounds
        voxels = np.ones_like(models[0])
        _write_both(volume, models, case, (0, box), voxels)
        voxels[:, ::2, 1::2, ::3] = 0
        _write_both(volume, models, case, (0, box), voxels)
        _expect_model(volume, models, case)
        _write_both(volume, models, case, (0, box), np.zeros_like(voxels))
        _expect_model(volume, models, case)

    def test_the_extreme_numbers_of_the_dtype_read_back(self, case: VolumeCase) -> None:
        """Largest and smallest, exactly: no way through float64."""
        volume, models = _opened(case)
        dtype = volume.info.dtype
        limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        voxels = np.full_like(models[0], limits.max)
        voxels[..., ::2] = limits.min
        _write_both(volume, models, case, (0, case.scales[0].bounds), voxels)
        _expect_model(volume, models, case)

    def test_voxels_of_any_memory_layout_are_written_as_they_are(self, case: VolumeCase) -> None:
        """Fortran order, reversed rows and gaps."""
        volume, models = _opened(case)
        box = case.scales[0].bounds
        noise = _noise(case, box, 3)
        wide = np.repeat(noise, 2, axis=3)
        for voxels in (np.asfortranarray(noise), noise[:, ::-1, :, ::-1], wide[..., ::2]):
            _write_both(volume, models, case, (0, box), voxels)
            _expect_model(volume, models, case)

    def test_written_voxels_no_longer_belong_to_the_caller(self, case: VolumeCase) -> None:
        """A caller that reuses its buffer after `write` returned changes nothing."""
        volume, models = _opened(case)
        voxels = _noise(case, case.scales[0].bounds, 4)
        _write_both(volume, models, case, (0, case.scales[0].bounds), voxels)
        voxels[...] = 0
        _expect_model(volume, models, case)

    def test_other_handles_see_what_was_written(self, case: VolumeCase) -> None:
        """One that was open before the write and one that is opened after it."""
        volume, models = _opened(case)
        before = case.opened()
        before.read(case.scales[0].bounds)
        _write_both(volume, models, case, (0, case.scales[0].bounds))
        _expect_model(before, models, case)
        _expect_model(case.opened(), models, case)

    def test_written_voxels_are_not_absent(self, case: VolumeCase) -> None:
        """Whatever is_absent said before, it is False where numbers were written."""
        volume, models = _opened(case)
        presence = volume.capability(ChunkPresence)
        if presence is None:
            pytest.skip("this volume does not tell absent voxels from others")
        for scale, true in enumerate(case.scales):
            _write_both(volume, models, case, (scale, true.bounds), np.full_like(models[scale], 1))
            for box in telling_boxes(true.bounds):
                expect(not presence.is_absent(box, scale=scale), f"{box} was written and is reported absent")

    # -- what is refused, without writing

    def test_a_wrong_dtype_is_refused_without_writing(self, case: VolumeCase) -> None:
        """Nothing is cast, not even where no number would change."""
        volume, models = _opened(case)
        right = _noise(case, case.scales[0].bounds, 5)
        others = [np.dtype(name) for name in ("<u1", "<u4", "<f8") if np.dtype(name) != right.dtype]
        for dtype in others:
            with pytest.raises(DataTypeMismatch):
                _writer(volume).write(case.scales[0].bounds, np.ones(right.shape, dtype))
        _expect_model(volume, models, case)

    def test_a_wrong_shape_is_refused_without_writing(self, case: VolumeCase) -> None:
        """Also shapes that numpy could broadcast or that have as many voxels."""
        volume, models = _opened(case)
        c, z, y, x = models[0].shape
        dtype = models[0].dtype
        for shape in ((c, z, y, x + 1), (z, y, x), (c + 1, z, y, x), (c, x, y, z) if x != z else (c, z, x, y), (c,)):
            if shape != (c, z, y, x):
                with pytest.raises(ShapeMismatch):
                    _writer(volume).write(case.scales[0].bounds, np.ones(shape, dtype))
        _expect_model(volume, models, case)

    def test_a_bad_box_or_scale_is_refused_without_writing(self, case: VolumeCase) -> None:
        """Out of bounds on each side, empty, inverted, and no such scale."""
        volume, models = _opened(case)
        bounds = case.scales[0].bounds
        for box in bad_boxes(bounds):
            with pytest.raises(OutOfBounds):
                _writer(volume).write(box, _noise(case, box, 6))
        for box in empty_boxes(bounds):
            with pytest.raises(EmptyBox):
                _writer(volume).write(box, np.ones((models[0].shape[0], 0, 0, 0), models[0].dtype))
        for scale in (len(case.scales), -1):
            with pytest.raises(UnknownScale):
                _writer(volume).write(bounds, _noise(case, bounds, 7), scale=scale)
        _expect_model(volume, models, case)

    def test_a_caller_who_left_writes_nothing(self, case: VolumeCase) -> None:
        """Cancelled before the first granule."""
        volume, models = _opened(case)
        context = CallContext()
        leaving = case.open(OpenOptions(context=context))
        context.stop.set()
        with pytest.raises(Cancelled):
            _writer(leaving).write(case.scales[0].bounds, _noise(case, case.scales[0].bounds, 8))
        _expect_model(volume, models, case)

    # -- several writers

    def test_concurrent_writers_of_one_granule_lose_nothing(self, case: VolumeCase) -> None:
        """Eight threads, each on handles of its own, write voxels that lie between one another's."""
        volume, models = _opened(case)
        level = volume.info.scales[0]
        cells = list(grid_cells(level.bounds, level.write_granule_shape, level.grid_origin))
        if case.merges:
            granule = max(cells, key=lambda cell: cell.voxel_count)
            parts = list(grid_cells(granule, _part_of(granule), granule.start))[:64]
        else:
            parts = cells[:64]
        handles = [case.opened() for _ in range(8)]

        def write(number: int) -> None:
            _writer(handles[number % 8]).write(parts[number], _noise(case, parts[number], number))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(len(parts))))
        for number, part in enumerate(parts):
            models[0][:, *part.slices_zyx(level.bounds.start)] = _noise(case, part, number)
        _expect_model(volume, models, case)

    def test_readers_beside_writers_find_chunks_old_or_new(self, case: VolumeCase) -> None:
        """Two writers fill granules with one number each time, while three look: no chunk is half done."""
        if not case.atomic_chunks:
            pytest.skip("this store erases before it writes")
        volume, _ = _opened(case)
        level = volume.info.scales[0]
        granules = list(grid_cells(level.bounds, level.write_granule_shape, level.grid_origin))[:4]
        looked_at = [
            cell
            for granule in granules
            for cell in list(grid_cells(granule, level.stored_chunk_shape, level.grid_origin))[:4]
        ]

        def fill(granule: Box, value: int) -> None:
            shape = (case.scales[0].voxels.shape[0], *granule.shape.zyx)
            _writer(volume).write(granule, np.full(shape, value, volume.info.dtype))

        def write(number: int) -> None:
            for value in (2, 3, 4):
                for granule in granules[number::2]:
                    fill(granule, value)

        def look(_: int) -> list[str]:
            seen = [(cell, np.unique(channel)) for cell in looked_at for channel in volume.read(cell)]
            return [f"{cell}: {values}" for cell, values in seen if len(values) != 1 or not 1 <= values[0] <= 4]

        for granule in granules:
            fill(granule, 1)
        with ThreadPoolExecutor(5) as threads:
            writers = [threads.submit(write, number) for number in (0, 1)]
            torn = [line for lines in threads.map(look, range(9)) for line in lines]
            for writer in writers:
                writer.result()
        expect(not torn, f"chunks were seen half written: {torn[:3]}")
        for granule in granules:
            expect(bool((case.opened().read(granule) == 4).all()), f"{granule} does not have the last number")


def _opened(case: VolumeCase) -> tuple[Volume, list[Voxels]]:
    """The volume, and a model of each of its scales."""
    expect(case.writable, "WriteConformance is for cases with writable=True")
    return case.opened(), [true.voxels.copy() for true in case.scales]


def _writer(volume: Volume) -> Writable:
    writer = volume.capability(Writable)
    if writer is None:
        raise AssertionError("the volume has no Writable")
    return writer


def _write_both(
    volume: Volume, models: list[Voxels], case: VolumeCase, where: tuple[int, Box], voxels: Voxels | None = None
) -> None:
    """Write to the volume and to the model, noise where nothing else is given."""
    scale, box = where
    if voxels is None:
        voxels = _noise(case, box, sum(box.start) + scale)
    _writer(volume).write(box, voxels, scale=scale)
    models[scale][:, *box.slices_zyx(case.scales[scale].start)] = voxels


def _expect_model(volume: Volume, models: list[Voxels], case: VolumeCase) -> None:
    """Fail unless every voxel of every scale is the model's."""
    for scale, (true, model) in enumerate(zip(case.scales, models, strict=True)):
        expect_voxels(volume.read(true.bounds, scale=scale), model, f"scale {scale} after writing")


def _allowed(case: VolumeCase, level: Scale, box: Box) -> Box:
    """The box itself, or the whole granules around it where cut ones are refused."""
    if case.merges:
        return box
    return aligned_outward(box, level.write_granule_shape, level.grid_origin).intersection(level.bounds)


def _part_of(granule: Box) -> Vec3:
    """A shape that cuts a granule in about four on each axis, unevenly."""
    return Vec3(*(max(1, -(-extent // 4)) for extent in granule.shape))


def _noise(case: VolumeCase, box: Box, seed: int) -> npt.NDArray[Any]:
    """Numbers of the volume's dtype that use all of its bits: array of shape (c, z, y, x)."""
    model = case.scales[0].voxels
    shape = (model.shape[0], *(max(0, extent) for extent in box.shape.zyx))
    random = np.random.default_rng(abs(seed))
    if model.dtype.kind == "f":
        return random.standard_normal(shape).astype(model.dtype)
    limits = np.iinfo(model.dtype)
    return random.integers(limits.min, limits.max, shape, model.dtype.newbyteorder("="), endpoint=True)
