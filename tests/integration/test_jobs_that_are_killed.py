"""Workers, schedulers and coordinators are real processes here, killed at random points; nothing is ever lost."""

import contextlib
import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_engines import job_until, until
from support.killed_jobs import coordinator, data_of, spec_of
from voxgate.model.jobs import Job, JobState
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = 240


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Cluster:
    """Processes of one test, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seed = int(os.environ.get("VOXGATE_SEED", random.SystemRandom().randrange(10**6)))
        self.random = random.Random(self.seed)
        print(f"VOXGATE_SEED={self.seed}")
        self.port = free_port()
        self.scheduler_url = f"tcp://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{folder / 'jobs.db'}"
        self.store = SqlJobStore(self.database)
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "out").mkdir()

    def process(self, *command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], env=environment, cwd=self.folder, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def scheduler(self) -> subprocess.Popen[bytes]:
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-show")
        return self.process("distributed.cli.dask_scheduler", *where, "--dashboard-address", "127.0.0.1:0")

    def worker(self) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "2", "--no-nanny", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        where = ("--host", "127.0.0.1", "--local-directory", str(self.folder), "--death-timeout", "60")
        return self.process("distributed.cli.dask_worker", self.scheduler_url, *options, *where, "--memory-limit", "0")

    def coordinator(self, *, scheduler: bool = False) -> subprocess.Popen[bytes]:
        return self.process("support.killed_jobs", self.database, *([self.scheduler_url] if scheduler else []))

    def start(self, blocks: int = BLOCKS, block_ms: int = 10) -> str:
        spec = spec_of(self.folder / "out", blocks, block_ms)
        return self.store.create(JobRequest("ada", uuid.uuid4().hex, spec, spec)).name

    def some_more(self, name: str) -> Job:
        """Until a few more blocks are done, how many is up to chance."""
        least = self.store.get(name).progress.done_block_count + self.random.randrange(1, 15)
        return job_until(self.store, name, lambda job: job.progress.done_block_count >= least or job.state.is_terminal)

    def end_of(self, name: str) -> Job:
        return job_until(self.store, name, lambda job: job.state.is_terminal)

    def runs(self) -> Counter[int]:
        return Counter(map(int, (self.folder / "out/runs").read_text().split()))

    def check(self, name: str, blocks: int = BLOCKS) -> None:
        """Every block's effect is exact, and the ledger says so."""
        job = self.store.get(name)
        assert job.state is JobState.SUCCEEDED, job
        files = {path.name for path in (self.folder / "out").glob("block-*")}
        assert files == {f"block-{index}" for index in range(blocks)}
        sums = []
        for block in self.store.ledger.manifest(name):
            data = (self.folder / f"out/block-{block.block_index}").read_bytes()
            assert data == data_of(block.block_index)
            assert block.checksum == hashlib.sha256(data).digest()
            sums.append(block.checksum)
        assert len(sums) == blocks
        assert job.result is not None
        assert job.result.checksum == hashlib.sha256(b"".join(sums)).hexdigest()
        assert self.store.ledger.totals(name).done_bytes == 1000 * blocks


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    for process in cluster.processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(30)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_a_coordinator_that_is_killed_is_followed_by_another_that_does_what_is_left(cluster: Cluster):
    name = cluster.start()
    for _ in range(3):
        running = cluster.coordinator()
        cluster.some_more(name)
        kill(running)
    before = cluster.store.ledger.totals(name).done_block_count
    cluster.coordinator()
    job = cluster.end_of(name)
    cluster.check(name)
    assert job.run_count == 4 or before == BLOCKS
    again = sum(cluster.runs().values()) - BLOCKS
    assert again < BLOCKS  # at most what was not committed, three times


def test_two_coordinators_on_one_job_do_no_block_twice(cluster: Cluster):
    name = cluster.start()
    cluster.coordinator()
    cluster.coordinator()
    assert cluster.end_of(name).run_count == 1
    cluster.check(name)
    assert cluster.runs() == Counter(range(BLOCKS))


def test_workers_that_are_killed_lose_nothing(cluster: Cluster):
    cluster.scheduler()
    workers = [cluster.worker() for _ in range(2)]
    engine = coordinator(cluster.database, cluster.scheduler_url)
    try:
        name = cluster.start()
        for _ in range(2):
            cluster.some_more(name)
            kill(workers.pop(cluster.random.randrange(2)))
            workers.append(cluster.worker())
        assert cluster.end_of(name).run_count == 1
        cluster.check(name)
    finally:
        engine.close()


def test_a_scheduler_that_is_killed_forgets_everything_and_the_job_goes_on(cluster: Cluster):
    scheduler = cluster.scheduler()
    cluster.worker()
    engine = coordinator(cluster.database, cluster.scheduler_url)
    try:
        name = cluster.start()
        cluster.some_more(name)
        kill(scheduler)
        cluster.scheduler()
        cluster.worker()
        assert cluster.end_of(name).run_count == 1
        cluster.check(name)
    finally:
        engine.close()


@pytest.mark.full
def test_a_block_that_kills_its_workers_is_found_out_and_fails_the_job(cluster: Cluster):
    (cluster.folder / "out/deadly-7").touch()
    cluster.scheduler()
    workers = [cluster.worker()]
    engine = coordinator(cluster.database, cluster.scheduler_url)
    try:
        name = cluster.start(blocks=20)

        def ended() -> bool:
            if workers[-1].poll() is not None:
                workers.append(cluster.worker())
            return cluster.store.get(name).state.is_terminal

        until(ended, 240.0)
        job = cluster.store.get(name)
        assert job.state is JobState.FAILED
        assert "workers in a row died" in job.error.message
        assert [failure.block_index for failure in cluster.store.ledger.failures(name).failures] == [7]
        (cluster.folder / "out/deadly-7").unlink()
        engine.resume(name)
        if workers[-1].poll() is not None:
            cluster.worker()
        cluster.end_of(name)
        cluster.check(name, 20)
    finally:
        engine.close()


def test_a_database_that_is_locked_for_a_while_stops_nothing_for_good(cluster: Cluster):
    cluster.coordinator()
    name = cluster.start()
    cluster.some_more(name)
    with contextlib.closing(sqlite3.connect(cluster.folder / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(3.0)  # longer than the lease
        other.execute("ROLLBACK")
    cluster.end_of(name)
    cluster.check(name)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_twenty_kills_of_whatever_chance_picks(cluster: Cluster):
    blocks = 3000
    scheduler, workers = cluster.scheduler(), [cluster.worker(), cluster.worker()]
    engine = cluster.coordinator(scheduler=True)
    name = cluster.start(blocks)
    for _ in range(20):
        if cluster.some_more(name).state.is_terminal:
            break
        match cluster.random.choice(["worker", "worker", "scheduler", "coordinator"]):
            case "worker":
                kill(workers.pop(0))
                workers.append(cluster.worker())
            case "scheduler":
                kill(scheduler)
                scheduler, workers = cluster.scheduler(), [cluster.worker(), cluster.worker()]
            case "coordinator":
                kill(engine)
                engine = cluster.coordinator(scheduler=True)
    cluster.end_of(name)
    cluster.check(name, blocks)
