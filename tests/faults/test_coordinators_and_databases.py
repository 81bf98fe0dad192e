"""Two coordinators over one job, a database that is locked or killed, a job that is cancelled again and again."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from support.fault_sites import DESTINATION, SOURCE, Site, site
from support.faults import CHUNK_COUNT, Program, precomputed, sharded, stored_precomputed, stored_zarr, the_seed, until
from support.house import ROOT
from support.postgres import postgres, program
from support.small_blocks import LEASE_S
from voxgate.client.jobs import JobHandle
from voxgate.model.jobs import JobState, TransferSpec

needs_postgres = pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL server."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[needs_postgres, pytest.mark.full])])
def here(request, tmp_path):
    """A site whose jobs are in a file, or on a server."""
    url = request.getfixturevalue("database").new_database() if request.param == "postgresql" else ""
    with site(tmp_path, url) as made:
        made.gate.allow(0)
        yield made


def began(here: Site, draw: random.Random) -> JobHandle:
    """A job that has read some of the source and waits for more."""
    handle = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=sharded()))
    here.gate.allow(draw.randint(1, CHUNK_COUNT // 2))
    here.gate.wait_until_used_up()
    return handle


def pair(here: Site) -> tuple[Program, Program]:
    """Two services over one database, the first called and running before the second."""
    first, second = here.server(), here.server()
    first.start()
    return first, second


def freeze(program: Program, here: Site) -> None:
    """Stop a process where it is, unless it just holds SQLite's lock: that holds up everybody until it goes on."""
    while True:
        program.send(signal.SIGSTOP)
        if not here.url.startswith("sqlite"):
            return
        with contextlib.closing(sqlite3.connect(here.url.removeprefix("sqlite:///"), timeout=1.0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                program.send(signal.SIGCONT)
                time.sleep(0.05)
            else:
                return


def test_of_two_coordinators_one_runs_the_job_and_no_block_twice(here):
    first, second = pair(here)
    handle = began(here, random.Random(the_seed()))
    second.start()
    until(lambda: '"serving"' in second.said(), "the second service")
    time.sleep(2 * LEASE_S)  # the first renews its lease meanwhile; would it not, the second would take the job
    here.gate.open()
    job = here.end_of(handle.job)
    assert np.array_equal(stored_zarr(here.destination()), here.voxels)
    here.check_ledger(job)
    assert job.run_count == 1
    assert len(here.gate.passed) == CHUNK_COUNT
    assert first.is_running
    assert second.is_running


def test_a_coordinator_that_froze_finds_its_job_taken_and_spoils_nothing(here):
    first, second = pair(here)
    handle = began(here, random.Random(the_seed()))
    freeze(first, here)
    here.service = second.address
    second.start()
    with here.records() as store:
        until(lambda: store.get(handle.name).run_count == 2, "the second coordinator")
    first.send(signal.SIGCONT)  # it thinks that it goes on
    here.gate.open()
    job = here.end_of(handle.job)
    assert np.array_equal(stored_zarr(here.destination()), here.voxels)
    here.check_ledger(job)
    assert job.run_count == 2
    until(lambda: "let go" in first.said() or "taken up" in first.said(), "the first coordinator's word")
    assert np.array_equal(stored_zarr(here.destination()), here.voxels)
    assert first.is_running


def test_a_locked_database_is_waited_for_and_loses_no_block(tmp_path):
    draw = random.Random(the_seed())
    with site(tmp_path) as here:
        here.gate.allow(0)
        here.server().start()
        handle = began(here, draw)
        for _ in range(2):
            command = [sys.executable, "-m", "support.job_writers", "lock", str(tmp_path / "jobs.db"), "2"]
            holder = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT / "tests")
            assert holder.stdout.readline() == b"locked\n"
            here.gate.allow(draw.randint(1, CHUNK_COUNT // 4))
            assert holder.wait(60) == 0
            here.gate.wait_until_used_up()
        here.gate.open()
        job = here.end_of(handle.job)
        assert np.array_equal(stored_zarr(here.destination()), here.voxels)
        here.check_ledger(job)


@needs_postgres
@pytest.mark.parametrize("away_s", [0.0, pytest.param(2 * LEASE_S, marks=pytest.mark.full)])
def test_a_database_server_that_is_killed_while_a_job_runs_is_found_again(tmp_path, database, away_s):
    draw = random.Random(the_seed())
    with site(tmp_path, database.new_database()) as here:
        here.gate.allow(0)
        here.server().start()
        handle = began(here, draw)
        database.stop()
        here.gate.allow(draw.randint(1, CHUNK_COUNT // 4))  # what is done now cannot be noted down
        time.sleep(away_s)
        database.start()
        here.gate.open()
        job = here.end_of(handle.job)
        assert np.array_equal(stored_zarr(here.destination()), here.voxels)
        here.check_ledger(job)


def test_a_job_is_cancelled_and_resumed_ten_times_and_its_copy_is_whole(tmp_path):
    draw = random.Random(the_seed())
    with site(tmp_path) as here:
        here.gate.allow(0)
        here.server().start()
        handle = here.create(TransferSpec(SOURCE, DESTINATION, destination_spec=precomputed()))
        seen = []
        for number in range(10):
            here.gate.allow(draw.randint(1, CHUNK_COUNT // 11))
            here.gate.wait_until_used_up()
            here.gate.settle(draw.uniform(0.0, 0.1))
            handle.cancel()
            here.gate.turn_away()
            assert here.end_of(handle.job).state is JobState.CANCELLED
            seen.append((len(here.gate.passed), here.done_blocks(handle.name)))
            assert handle.resume().state in (JobState.PENDING, JobState.RUNNING)
            with here.records() as store:
                until(lambda least=number + 2: store.get(handle.name).run_count >= least, "the next run")
        here.gate.open()
        job = here.end_of(handle.job)
        assert np.array_equal(stored_precomputed(here.destination()), here.voxels)
        here.check_ledger(job)
        here.check_nothing_redone(job, seen)
        assert job.run_count == 11
