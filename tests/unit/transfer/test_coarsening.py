"""A pyramid's work beside others: interrupted, and after a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.pyramids import BOUNDS, SIZE, expected, filled, finest, pyramid_registry, run
from voxgate.model.errors import FailedPrecondition, InvalidArgument
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import PyramidJobSpec, PyramidMethod, PyramidSpec, TransferSpec
from voxgate.model.volumes import CallContext, VolumeKind
from voxgate_jobs.work import Patience
from voxgate_remotes.registry import Registry
from voxgate_transfer import coarsening
from voxgate_transfer.coarsening import InTurn, open_pyramid
from voxgate_transfer.destinations import prepared
from voxgate_transfer.mapping import mapped
from voxgate_transfer.pyramids import levels_of
from voxgate_transfer.transfers import open_transfer

FACTORS = (Vec3(2, 2, 1), Vec3(3, 2, 5))
SPEC = PyramidJobSpec("memory/one", PyramidSpec(FACTORS, PyramidMethod.MODE))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = pyramid_registry(tmp_path)
    filled(registry, "memory/one", finest())
    return registry


def arrived(registry: Registry, name: str) -> bool:
    volume = registry.open(name)
    made = expected(finest(), FACTORS, "mode")
    return all(np.array_equal(volume.read(box, scale=at), voxels) for at, (box, voxels) in enumerate(made, start=1))


def test_what_was_interrupted_is_finished_by_whoever_opens_the_same_work(registry: Registry) -> None:
    registry.add_scales("memory/one", 1, levels_of(SPEC.pyramid, BOUNDS, SIZE))
    first = open_pyramid(registry, SPEC, Patience(), task_bytes=9_000)
    (second_level,) = first.stage_starts
    early = {index: first.run_block(index) for index in range(0, second_level, 2)}
    then = open_pyramid(registry, SPEC, Patience(), task_bytes=9_000)
    assert (then.digest, then.block_count, then.stage_starts) == (first.digest, first.block_count, first.stage_starts)
    for index in range(then.block_count):
        if index not in early:
            then.run_block(index)
    assert arrived(registry, "memory/one")
    assert all(then.run_block(index).checksum == done.checksum for index, done in early.items())


def test_a_level_is_made_in_pieces_that_are_much_smaller_than_what_it_is_made_of(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add_scales("memory/one", 1, levels_of(SPEC.pyramid, BOUNDS, SIZE))
    monkeypatch.setattr(coarsening, "PIECE_BYTES", 4_000)
    work = open_pyramid(registry, SPEC, Patience())
    read: list[Box] = []
    inner = work._source._inner

    class Watched:
        info = inner.info

        def read(self, box: Box, **options: object) -> object:
            read.append(box)
            return inner.read(box, **options)  # type: ignore[arg-type]

    work._source._inner = Watched()  # type: ignore[assignment]
    run(work)
    assert arrived(registry, "memory/one")
    assert max(box.voxel_count for box in read) * 8 <= 4_000


def test_levels_are_made_when_the_copy_is_done(registry: Registry) -> None:
    spec = TransferSpec("memory/one", "files/copy", pyramid=PyramidSpec(FACTORS))
    source = registry.open("memory/one").info
    target = prepared(registry, spec, mapped(source, spec).info, CallContext())
    assert target.targets == (0,)
    work = open_transfer(registry, spec, Patience(), task_bytes=9_000)
    assert isinstance(work, InTurn)
    scales = [place[0] for index in range(work.block_count) if (place := work.box_of(index))]
    assert scales == sorted(scales)
    assert list(work.stage_starts) == [scales.index(1), scales.index(2)]
    assert work.phase == "copying and downsampling"
    totals = run(work)
    assert arrived(registry, "files/copy")
    assert totals.done_bytes == work.total_bytes
    assert totals.copied_bytes == finest().nbytes
    result = work.finish(totals, "ab")
    assert (result.destination, result.verified_bytes) == ("files/copy", work.total_bytes)
    with pytest.raises(IndexError):
        work.run_block(work.block_count)


def test_a_volume_that_needs_no_levels_is_copied_without_any(tmp_path: Path) -> None:
    registry = pyramid_registry(tmp_path)
    filled(registry, "memory/one", finest())
    box = Box.at(BOUNDS.start, Vec3(40, 30, 20))
    spec = TransferSpec("memory/one", "files/part", box=box, pyramid=PyramidSpec())
    prepared(registry, spec, mapped(registry.open("memory/one").info, spec).info, CallContext())
    work = open_transfer(registry, spec, Patience())
    assert list(work.stage_starts) == []
    run(work)
    volume = registry.open("files/part")
    assert len(volume.info.scales) == 1
    assert np.array_equal(volume.read(box), finest()[:, *box.slices_zyx(BOUNDS.start)])


def test_nothing_is_created_for_a_pyramid_that_cannot_be(registry: Registry) -> None:
    filled(registry, "memory/what", finest(), kind=VolumeKind.UNKNOWN)
    for source, pyramid in (("memory/what", PyramidSpec()), ("memory/one", PyramidSpec((Vec3(0, 1, 1),)))):
        spec = TransferSpec(source, "files/none", pyramid=pyramid)
        with pytest.raises(InvalidArgument):
            prepared(registry, spec, mapped(registry.open(source).info, spec).info, CallContext())
    assert registry.list("files") == []


def test_a_destination_without_the_levels_is_refused(registry: Registry) -> None:
    filled(registry, "files/there", finest(), format="zarr3")
    spec = TransferSpec("memory/one", "files/there", pyramid=PyramidSpec(FACTORS))
    with pytest.raises(FailedPrecondition, match="0 of the 2 coarser levels"):
        open_transfer(registry, spec, Patience())
