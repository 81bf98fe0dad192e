"""`kill -9` of everything that takes part in a transfer, at random points; the copy is the source, voxel for voxel."""

from collections.abc import Callable

import numpy as np
import pytest

from support.fault_sites import DESTINATION, SOURCE, Site, killed_often, site
from support.faults import CHUNK_COUNT, Program, free_port, sharded, stored_zarr
from voxgate.model.jobs import Job, JobState, TransferSpec

FEW = 2
MANY = pytest.param(20, marks=[pytest.mark.full, pytest.mark.timeout(900)])


def copied_under_blows(
    here: Site, kills: int, victim: Callable[[int], Program], after: Callable[[], None] = lambda: None
) -> tuple[Job, list[tuple[int, set[int]]]]:
    """Kill and restart a program so many times while a job runs: its last record, and what was done each time."""
    here.gate.allow(0)
    job = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded())).job
    seen = killed_often(here, job.name, [CHUNK_COUNT // (kills + 1)] * kills, victim, after)
    return here.end_of(job), seen


def check(here: Site, job: Job, seen: list[tuple[int, set[int]]]) -> None:
    assert np.array_equal(stored_zarr(here.destination()), here.voxels)
    assert not list(here.destination().rglob("*.__lock")), "half of a shard was left behind"
    here.check_ledger(job)
    here.check_nothing_redone(job, seen)


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_a_coordinator_that_is_killed_is_followed_by_one_that_goes_on_from_the_ledger(tmp_path, kills):
    with site(tmp_path) as here:
        server = here.server()
        server.start()
        job, seen = copied_under_blows(here, kills, lambda _: server)
        check(here, job, seen)
        assert job.run_count == 1 + kills


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_the_whole_suite_may_be_killed_and_started_again(tmp_path, kills):
    with site(tmp_path) as here:
        suite = here.server("voxgate_standalone")
        suite.start()
        job, seen = copied_under_blows(here, kills, lambda _: suite)
        check(here, job, seen)
        assert job.run_count == 1 + kills


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_workers_that_are_killed_lose_nothing_that_the_ledger_has(tmp_path, kills):
    port = free_port()
    with site(tmp_path, scheduler=port) as here:
        workers = [here.worker(port, number) for number in range(2)]
        for program in (here.scheduler(port), *workers, here.server()):
            program.start()
        job, seen = copied_under_blows(here, kills, lambda number: workers[number % 2])
        check(here, job, seen)
        assert job.run_count == 1


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_a_scheduler_that_is_killed_takes_its_tasks_along_and_no_block_of_the_ledger(tmp_path, kills):
    port = free_port()
    with site(tmp_path, scheduler=port) as here:
        scheduler, workers = here.scheduler(port), [here.worker(port, number) for number in range(2)]
        for program in (scheduler, *workers, here.server()):
            program.start()

        def restart() -> None:
            """Dask's workers end with their scheduler; who operates them starts them again."""
            for worker in workers:
                worker.kill()
                worker.start()

        job, seen = copied_under_blows(here, kills, lambda _: scheduler, restart)
        check(here, job, seen)
        assert job.run_count == 1


def test_a_worker_that_cuts_the_work_otherwise_fails_the_job_before_it_writes_a_voxel(tmp_path):
    port = free_port()
    with site(tmp_path, scheduler=port) as here:
        worker = here.worker(port, 0, SMALL_BLOCK_BYTES=str(5 << 20))
        for program in (here.scheduler(port), worker, here.server()):
            program.start()
        here.gate.open()
        handle = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded()))
        job = here.end_of(handle.job)
        assert job.state is JobState.FAILED
        assert "other blocks" in job.error.message
        assert not here.done_blocks(job.name)
        assert not stored_zarr(here.destination()).any()
        worker.kill()
        here.worker(port, 1).start()
        handle.resume()
        check(here, here.end_of(job), [])
