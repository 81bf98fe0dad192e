"""Which levels a pyramid has, that blocks in any order make them, and that volumes of every format take them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from support.pyramids import BOUNDS, CHUNK, FORMATS, SIZE, expected, filled, finest, pyramid_registry, run
from support.transfers import Door, DoorState
from support.zarr_files import ids, multiscale
from voxgate.model.downsampling import Downsampling
from voxgate.model.errors import (
    FailedPrecondition,
    InvalidArgument,
    LimitExceeded,
    MissingCapability,
    ReadOnly,
    RequestIdReused,
    StoreUnavailable,
    UnsupportedFormat,
    VerificationFailed,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import Job, PyramidJobSpec, PyramidMethod, PyramidSpec
from voxgate.model.remotes import CoarserScale
from voxgate.model.volumes import CallContext, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.work import Patience
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.registry import Registry
from voxgate_transfer.coarsening import CoarserVolume, PyramidWork, open_pyramid
from voxgate_transfer.pyramids import Pyramids, levels_of, method_of

FACTORS = (Vec3(2, 2, 1), Vec3(3, 2, 5))
TASK_BYTES = 9_000


class Idle:
    """An engine that takes jobs and leaves them."""

    def check_room(self) -> None:
        pass

    def submit(self, name: str) -> None:
        pass


class Bench:
    def __init__(self, registry: Any) -> None:
        self.registry = registry
        self.jobs = SqlJobStore("sqlite://")
        self.pyramids = Pyramids(registry, self.jobs, Idle())  # type: ignore[arg-type]

    def start(self, volume: str, pyramid: PyramidSpec | None = None, request_id: str = "") -> Job:
        asked = PyramidJobSpec(volume, pyramid or PyramidSpec(FACTORS))
        return self.pyramids.start("ada", request_id or str(uuid.uuid4()), asked, CallContext())

    def work(self, job: Job) -> PyramidWork:
        assert isinstance(job.spec, PyramidJobSpec)
        return open_pyramid(self.registry, job.spec, Patience(), task_bytes=TASK_BYTES)

    def made(self, volume: str, pyramid: PyramidSpec | None = None) -> PyramidWork:
        return self.work(self.start(volume, pyramid))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(pyramid_registry(tmp_path))


def has_levels(volume: Any, levels: list[tuple[Box, Any]]) -> bool:
    assert [scale.bounds for scale in volume.info.scales[1:]] == [bounds for bounds, _ in levels]
    read = [volume.read(bounds, scale=index) for index, (bounds, _) in enumerate(levels, start=1)]
    return all(np.array_equal(one, voxels) for one, (_, voxels) in zip(read, levels, strict=True))


@pytest.mark.parametrize("where", FORMATS)
@pytest.mark.parametrize(("dtype", "kind"), [("uint64", "segmentation"), ("uint8", "image")])
def test_a_volume_of_every_format_gets_levels_that_are_those_of_the_whole(
    bench: Bench, where: str, dtype: str, kind: str
) -> None:
    name, form = ("memory/one", "") if where == "memory" else ("files/one", where)
    shard = Vec3(32, 24, 14) if where == "zarr3" else None
    filled(bench.registry, name, finest(dtype), format=form, shard=shard, kind=VolumeKind(kind))
    work = bench.made(name)
    totals = run(work)
    volume = bench.registry.open(name)
    method = "mode" if kind == "segmentation" else "mean"
    assert has_levels(volume, expected(finest(dtype), FACTORS, method))
    assert [scale.voxel_size_nm for scale in volume.info.scales] == [
        SIZE,
        VoxelSize(8.0, 8.0, 30.0),
        VoxelSize(24.0, 16.0, 150.0),
    ]
    assert {scale.stored_chunk_shape for scale in volume.info.scales} == {CHUNK}
    assert len({scale.write_granule_shape for scale in volume.info.scales}) == 1
    assert volume.info.inferred == ()
    assert np.array_equal(volume.read(BOUNDS), finest(dtype))
    assert totals.done_bytes == totals.verified_bytes == work.total_bytes
    assert totals.copied_bytes == 0
    result = work.finish(totals, "ab")
    assert (result.destination, result.checksum) == (name, "ab")


def test_a_level_begins_when_the_one_before_is_done(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest())
    work = bench.made("memory/one")
    (second,) = work.stage_starts
    scales = [work.box_of(index)[0] for index in range(work.block_count)]
    assert scales == [1] * second + [2] * (work.block_count - second)
    assert min(second, work.block_count - second) > 1


def test_equal_work_is_numbered_equally_and_other_work_says_so(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest("uint8"), kind=VolumeKind.IMAGE)
    job = bench.start("memory/one")
    assert bench.work(job).digest == bench.work(job).digest
    other = bench.start("memory/one", PyramidSpec(FACTORS, PyramidMethod.MODE))
    assert bench.work(other).digest != bench.work(job).digest


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(data=st.data())
def test_any_block_of_a_coarser_view_is_a_part_of_the_whole(data: st.DataObject) -> None:
    start = Vec3(*(data.draw(st.integers(-20, 20)) for _ in range(3)))
    shape = [data.draw(st.integers(1, 11)) for _ in range(3)]
    factor = Vec3(*(data.draw(st.integers(1, 4)) for _ in range(3)))
    voxels = np.random.default_rng(data.draw(st.integers(0, 9))).integers(2**63, 2**63 + 4, shape, np.uint64)
    volume = MemoryVolume.from_array(
        voxels, voxel_offset=start, kind=VolumeKind.SEGMENTATION, chunk_shape=Vec3(3, 5, 2)
    )
    levels = levels_of(
        PyramidSpec((factor,) if max(factor) > 1 else (Vec3(2, 1, 1),)), volume.info.scales[0].bounds, None
    )
    ((bounds, whole),) = expected(voxels[None], (levels[0].factor,), "mode", volume.info.scales[0].bounds)
    view = CoarserVolume(volume, levels, "mode")
    assert view.info.scales[0].bounds == bounds
    ends = [
        sorted(data.draw(st.lists(st.integers(a, b), min_size=2, max_size=2, unique=True)))
        for a, b in zip(bounds.start, bounds.stop, strict=True)
    ]
    box = Box.of(*((a, b) for a, b in ends))
    assert np.array_equal(view.read(box), whole[:, *box.slices_zyx(bounds.start)])


def test_nothing_is_stored_where_nothing_was(bench: Bench) -> None:
    filled(bench.registry, "files/empty", np.zeros((1, *BOUNDS.shape.zyx), np.uint64), format="zarr3")
    totals = run(bench.made("files/empty"))
    assert totals.skipped_block_count == totals.done_block_count > 0


def test_a_store_that_falsifies_a_level_is_found_out(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest())
    job = bench.start("memory/one")
    assert isinstance(job.spec, PyramidJobSpec)
    source, state = bench.registry.open("memory/one"), DoorState()
    work = PyramidWork("memory/one", (source, Door(source, state)), job.spec.pyramid)
    state.corrupt = work.box_of(0)[1].start
    with pytest.raises(VerificationFailed):
        work.run_block(0)


def test_a_repeated_request_answers_its_job_and_another_one_is_refused(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest())
    request = str(uuid.uuid4())
    first = bench.start("memory/one", request_id=request)
    assert bench.start("memory/one", request_id=request).name == first.name
    with pytest.raises(RequestIdReused):
        bench.start("memory/one", PyramidSpec(FACTORS[:1]), request_id=request)


def test_levels_that_are_there_are_made_anew_and_further_ones_added(bench: Bench) -> None:
    filled(bench.registry, "files/one", finest(), format="zarr2")
    run(bench.made("files/one", PyramidSpec(FACTORS[:1])))
    changed = finest(seed=5)
    bench.registry.open("files/one").capability(Writable).write(BOUNDS, changed)  # type: ignore[union-attr]
    run(bench.made("files/one"))
    assert has_levels(bench.registry.open("files/one"), expected(changed, FACTORS, "mode"))


def test_other_levels_than_those_that_are_there_are_refused(bench: Bench) -> None:
    filled(bench.registry, "files/one", finest(), format="precomputed")
    bench.start("files/one")
    for factors in ((Vec3(4, 4, 1),), (Vec3(2, 2, 1),), (Vec3(2, 2, 1), Vec3(3, 2, 4))):
        with pytest.raises(FailedPrecondition, match="the volume has") as caught:
            bench.start("files/one", PyramidSpec(factors))
        assert "state the factors" in caught.value.remedy
    assert len(bench.registry.open("files/one").info.scales) == 3


def test_levels_that_another_process_does_not_see_yet_are_waited_for(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest())
    spec = PyramidJobSpec("memory/one", PyramidSpec(FACTORS, PyramidMethod.MODE))
    with pytest.raises(StoreUnavailable) as caught:
        open_pyramid(bench.registry, spec, Patience())
    assert caught.value.retry_after_s
    bench.registry.add_scales("memory/one", 1, levels_of(spec.pyramid, BOUNDS, SIZE))
    assert open_pyramid(bench.registry, spec, Patience()).block_count > 0


def test_factors_that_nobody_states_are_two_where_voxels_are_short() -> None:
    levels = levels_of(PyramidSpec(), Box.of(x=(0, 300), y=(7, 300), z=(0, 90)), VoxelSize(4, 4, 30))
    assert levels == (
        CoarserScale(Vec3(2, 2, 1), Box.of(x=(0, 150), y=(3, 150), z=(0, 90))),
        CoarserScale(Vec3(2, 2, 1), Box.of(x=(0, 75), y=(1, 75), z=(0, 90))),
        CoarserScale(Vec3(2, 2, 2), Box.of(x=(0, 38), y=(0, 38), z=(0, 45))),
    )
    assert [level.factor for level in levels_of(PyramidSpec(), Box.of(x=(0, 65), y=(0, 1), z=(0, 64)), None)] == [
        Vec3(2, 2, 2)
    ]
    assert levels_of(PyramidSpec(), Box.of(x=(0, 64), y=(0, 64), z=(0, 64)), None) == ()


@pytest.mark.parametrize(
    ("factors", "error"),
    [
        ((Vec3(1, 1, 1),), InvalidArgument),
        ((Vec3(2, 2, 2), Vec3(0, 2, 2)), InvalidArgument),
        ((Vec3(2, 2, 17),), InvalidArgument),
        ((Vec3(2, 1, 1),) * 65, LimitExceeded),
    ],
)
def test_factors_that_are_none_are_refused(bench: Bench, factors: tuple[Vec3, ...], error: type[Exception]) -> None:
    filled(bench.registry, "memory/one", finest())
    with pytest.raises(error):
        bench.start("memory/one", PyramidSpec(factors))
    assert len(bench.registry.open("memory/one").info.scales) == 1


def test_how_voxels_become_one_is_never_guessed() -> None:
    assert method_of(PyramidSpec(), VolumeKind.IMAGE) == "mean"
    assert method_of(PyramidSpec(), VolumeKind.SEGMENTATION) == "mode"
    assert method_of(PyramidSpec(method=PyramidMethod.MODE), VolumeKind.UNKNOWN) == "mode"
    with pytest.raises(InvalidArgument, match="unknown"):
        method_of(PyramidSpec(), VolumeKind.UNKNOWN)
    with pytest.raises(InvalidArgument, match="mean of segment ids"):
        method_of(PyramidSpec(method=PyramidMethod.MEAN), VolumeKind.SEGMENTATION)


def test_a_volume_that_needs_no_level_is_refused_unless_factors_are_stated(tmp_path: Path) -> None:
    bench = Bench(pyramid_registry(tmp_path))
    voxels = np.ones((1, *BOUNDS.shape.zyx), np.uint64)
    filled(bench.registry, "memory/one", voxels)
    small = PyramidSpec()
    assert max(BOUNDS.shape) > 64
    assert len(bench.made("memory/one", small).stage_starts) == 0
    with pytest.raises(InvalidArgument, match="needs no coarser level"):
        _start_small(bench, small)
    assert _start_small(bench, PyramidSpec((Vec3(2, 2, 2),))).name


def _start_small(bench: Bench, pyramid: PyramidSpec) -> Job:
    scale = ScaleSpec(Box.of(x=(0, 9), y=(0, 8), z=(0, 7)), SIZE)
    bench.registry.create("memory/small", VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (scale,)))
    return bench.start("memory/small", pyramid)


def test_a_remote_without_writes_takes_no_levels(tmp_path: Path) -> None:
    filled(pyramid_registry(tmp_path), "files/one", finest(), format="zarr3")
    config = RemotesConfig(remotes={"files": RemoteConfig(uri=f"file://{tmp_path}")})
    with pytest.raises(ReadOnly):
        Bench(Registry.from_config(config)).start("files/one")


def test_a_remote_whose_volumes_keep_their_levels_says_so() -> None:
    config = RemotesConfig(remotes={"made": RemoteConfig(uri="procedural://blobs", writable=True)})
    registry = Registry.from_config(config)
    with pytest.raises(MissingCapability):
        registry.add_scales("made/any", 1, [CoarserScale(Vec3(2, 2, 2), BOUNDS)])


def test_an_opened_volume_keeps_its_levels(bench: Bench) -> None:
    filled(bench.registry, "memory/one", finest())
    before = bench.registry.open("memory/one", OpenOptions())
    bench.start("memory/one")
    assert len(before.info.scales) == 1


def test_a_volume_with_several_times_is_refused(bench: Bench, tmp_path: Path) -> None:
    multiscale(tmp_path / "movie", [(ids((3, 9, 8, 7), "uint16"), (1, 40, 4, 4), None)], "tzyx", version="0.5")
    with pytest.raises(UnsupportedFormat, match="time points"):
        bench.start("files/movie", PyramidSpec(FACTORS, PyramidMethod.MEAN))


class MadeByItsStore:
    """Volumes whose store makes coarser levels when it is asked to."""

    def __init__(self, volume: Any) -> None:
        self._volume = volume

    @property
    def info(self) -> Any:
        return self._volume.info

    def for_caller(self, context: CallContext) -> Any:
        return self

    def open(self, name: str, options: OpenOptions) -> Any:
        return self

    def capability(self, kind: type) -> Any:
        return self if kind is Downsampling else self._volume.capability(kind)


def test_where_the_store_makes_levels_it_is_to_be_asked() -> None:
    volume = MemoryVolume.from_array(finest()[0], kind=VolumeKind.SEGMENTATION)
    with pytest.raises(MissingCapability, match="by itself") as caught:
        Bench(MadeByItsStore(volume)).start("dvid/seg")
    assert "StartDownsampling" in caught.value.remedy
