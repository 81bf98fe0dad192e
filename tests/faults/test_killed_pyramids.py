"""`kill -9` of everything that takes part in a pyramid, at random points; it is the one that is made in one go."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from support.fault_sites import Site, killed_often, site
from support.faults import BOUNDS, SIZE, Program, free_port
from support.pyramids import expected, run
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import Job, JobState, PyramidJobSpec, PyramidMethod, PyramidSpec
from voxgate.model.remotes import CoarserScale
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_jobs.work import Patience
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_transfer.coarsening import open_pyramid

VOLUME = "near/seg"
FACTORS = (Vec3(2, 2, 1), Vec3(2, 3, 2))
SPEC = PyramidJobSpec(VOLUME, PyramidSpec(FACTORS, PyramidMethod.MODE))
GRANULE = Vec3(32, 32, 16)
STORED = VolumeSpec(
    np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, SIZE, Vec3(16, 16, 16), GRANULE),), format="zarr3"
)
SMALL = {"SMALL_BLOCK_BYTES": str(GRANULE.product * 8)}
FEW = 2
MANY = pytest.param(20, marks=[pytest.mark.full, pytest.mark.timeout(900)])

Seen = list[tuple[int, set[int]]]


def files(here: Site) -> Registry:
    """The volumes of a site as a process of their own sees them."""
    remote = RemoteConfig(uri=(here.folder / "near").as_uri(), writable=True)
    return Registry.from_config(RemotesConfig(remotes={"near": remote}))


def fill(here: Site) -> list[np.ndarray]:
    """Write the finest level; have blocks wait at the gate. Answers the levels that are to be made."""
    writer = files(here).create(VOLUME, STORED).capability(Writable)
    writer.write(BOUNDS, here.voxels)
    here.environment = {**SMALL, "SMALL_BLOCK_ASKS": here.far}
    here.gate.allow(0)
    return [voxels for _, voxels in expected(here.voxels, FACTORS, "mode", BOUNDS)]


def block_count(here: Site) -> int:
    """How many blocks the pyramid has, once it was created."""
    return open_pyramid(files(here), SPEC, Patience(), task_bytes=int(SMALL["SMALL_BLOCK_BYTES"])).block_count


def made_under_blows(
    here: Site, kills: int, victim: Callable[[int], Program], after: Callable[[], None] = lambda: None
) -> tuple[Job, Seen]:
    """Kill and restart a program so many times while the pyramid is made: its last record, what was done each time."""
    job = here.create_pyramid(SPEC).job
    stride = block_count(here) // (kills + 1)
    assert stride > 1
    seen = killed_often(here, job.name, [stride] * kills, victim, after)
    return here.end_of(job), seen


def check(here: Site, job: Job, levels: list[np.ndarray], seen: Seen) -> None:
    """The job and its ledger are whole, what was done was not done again, and the levels are those of one go."""
    assert job.state is JobState.SUCCEEDED, job
    manifest = here.handle(job).manifest()
    blocks = list(manifest)
    assert manifest.checksum == job.result.checksum
    assert job.progress.done_block_count == job.progress.total_block_count == len(blocks) == block_count(here)
    for block in blocks:
        start = files(here).open(VOLUME).info.scales[block.scale].bounds.start
        voxels = np.ascontiguousarray(levels[block.scale - 1][:, *block.box.slices_zyx(start)])
        assert block.checksum == hashlib.sha256(voxels.tobytes()).digest()
    for count, done in seen:
        again = {str(index) for index in done} & set(here.gate.passed[count:])
        assert not again, f"made again although the ledger had them: {again}"
    assert set(here.gate.passed) == {str(block.block_index) for block in blocks}
    assert not list((here.folder / VOLUME).rglob("*.__lock")), "half of a shard was left behind"
    check_equal_to_one_go(here, levels)


def check_equal_to_one_go(here: Site, levels: list[np.ndarray]) -> None:
    registry, name = files(here), "near/once"
    registry.create(name, STORED).capability(Writable).write(BOUNDS, here.voxels)
    made = registry.open(VOLUME)
    factors = [(scale.bounds, factor) for scale, factor in zip(made.info.scales[1:], FACTORS, strict=True)]
    registry.add_scales(name, 1, [CoarserScale(factor, bounds) for bounds, factor in factors])
    run(open_pyramid(registry, replace(SPEC, volume=name), Patience()))
    once = registry.open(name)
    for index, voxels in enumerate(levels, start=1):
        bounds = once.info.scales[index].bounds
        assert np.array_equal(made.read(bounds, scale=index), voxels)
        assert np.array_equal(made.read(bounds, scale=index), once.read(bounds, scale=index))


@pytest.mark.parametrize("kills", [FEW, MANY])
@pytest.mark.parametrize("module", ["voxgate_transfer", "voxgate_standalone"])
def test_whoever_makes_a_pyramid_may_be_killed_and_the_next_one_goes_on_from_the_ledger(tmp_path, module, kills):
    with site(tmp_path) as here:
        levels = fill(here)
        server = here.server(module)
        server.start()
        job, seen = made_under_blows(here, kills, lambda _: server)
        check(here, job, levels, seen)
        assert job.run_count == 1 + kills


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_workers_that_are_killed_lose_no_block_of_a_pyramid_that_the_ledger_has(tmp_path, kills):
    port = free_port()
    with site(tmp_path, scheduler=port) as here:
        levels = fill(here)
        workers = [here.worker(port, number) for number in range(2)]
        for program in (here.scheduler(port), *workers, here.server()):
            program.start()
        job, seen = made_under_blows(here, kills, lambda number: workers[number % 2])
        check(here, job, levels, seen)
        assert job.run_count == 1


def test_a_level_that_was_half_made_is_not_what_the_next_one_is_made_of(tmp_path):
    """The blow falls when one block of the first level is left: the second begins after that one, in a new run."""
    with site(tmp_path) as here:
        levels = fill(here)
        server = here.server()
        server.start()
        job = here.create_pyramid(SPEC).job
        (second,) = open_pyramid(files(here), SPEC, Patience(), task_bytes=int(SMALL["SMALL_BLOCK_BYTES"])).stage_starts
        here.gate.allow(second - 1)
        here.gate.wait_until_used_up()
        server.kill()
        seen = [(len(here.gate.passed), here.done_blocks(job.name))]
        here.gate.turn_away()
        server.start()
        here.gate.open()
        check(here, here.end_of(job), levels, seen)
        first = [int(name) for name in here.gate.passed]
        assert min(at for at, index in enumerate(first) if index >= second) > max(
            at for at, index in enumerate(first) if index < second
        )
