"""`kill -9` of what takes part in a bulk meshing, at random points: the files are those of one that is undisturbed."""

import contextlib
import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.bulk_meshes import opened, registry_of, segmentation, stored
from support.faults import Program, ended_at_last, free_port, the_seed, until
from support.slow_meshing import Gate
from voxgate.client.connection import Client, connect
from voxgate.client.jobs import JobHandle
from voxgate.model.errors import ServerUnreachable
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import Job, JobState, MeshJobSpec
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_mesh.bulk.creating import resolved

FEW = 2
MANY = pytest.param(20, marks=[pytest.mark.full, pytest.mark.timeout(900)])
SPEC = MeshJobSpec("lab/seg", destination="lab/meshes", chunk_shape=Vec3(16, 16, 16), sharded=True)


@dataclass
class Site:
    """A folder with a segmentation, a database of jobs, and programs over them."""

    folder: Path
    gate: Gate
    scheduler_port: int = 0
    programs: list[Program] = field(default_factory=list)

    def server(self) -> Program:
        """The whole suite, not started yet."""
        port, health, http = free_port(), free_port(), free_port()
        config = self.folder / "voxgate.toml"
        arguments = ("voxgate_standalone", "--config", str(config), "--port", str(port), "--health-port", str(health))
        made = self._program("server", "support.slow_meshing", *arguments, "--http-port", str(http))
        made.address = f"127.0.0.1:{port}"
        return made

    def scheduler(self) -> Program:
        where = ("--host", "127.0.0.1", "--port", str(self.scheduler_port), "--no-dashboard")
        return self._program("scheduler", "dask", "scheduler", *where)

    def worker(self, number: int) -> Program:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--death-timeout", "120")
        options += ("--local-directory", str(self.folder / f"worker-{number}"))
        where = f"tcp://127.0.0.1:{self.scheduler_port}"
        return self._program(f"worker-{number}", "support.slow_meshing", "dask", "worker", where, *options)

    def _program(self, name: str, *command: str) -> Program:
        environment = {
            "MESHING_GATE": str(self.folder),
            "VOXGATE_CONFIG": str(self.folder / "voxgate.toml"),
            "VOXGATE_JOBS_URL": self.url,
            "VOXGATE_JOB_THREADS": "2",
            "VOXGATE_WORKER_PROCESSES": "0",
        }
        program = Program([sys.executable, "-m", *command], self.folder / f"{name}.log", environment)
        self.programs.append(program)
        return program

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'jobs.db'}"

    @contextlib.contextmanager
    def records(self) -> Iterator[SqlJobStore]:
        store = SqlJobStore(self.url)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def logs_of_failure(self) -> Iterator[None]:
        """Print what the programs said last when the block fails; pytest shows it."""
        try:
            yield
        except AssertionError:
            for program in self.programs:
                print(f"running: {program.is_running}; it said {program.said()}")
            raise

    def done(self, job: Job) -> set[int]:
        """The blocks that the ledger has."""
        with self.records() as store:
            return {block.block_index for block in store.ledger.manifest(job.name)}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "lab").mkdir()
    stored(registry_of(tmp_path / "lab"), "lab/seg", segmentation())
    lines = [f'[remotes.lab]\nuri = "{(tmp_path / "lab").as_uri()}"\nwritable = true']
    (tmp_path / "voxgate.toml").write_text("\n".join(lines) + "\n")
    site = Site(tmp_path, Gate(tmp_path))
    site.gate.allow(0)
    with ended_at_last(site.programs):
        yield site


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a meshing that nobody killed, by name."""
    folder = tmp_path_factory.mktemp("undisturbed")
    registry = registry_of(folder)
    stored(registry, "lab/seg", segmentation())
    work = opened(registry, resolved(SPEC, registry.open("lab/seg").info))
    sums = [work.run_block(index).checksum for index in range(work.block_count)]
    work.finish(None, hashlib.sha256(b"".join(sums)).hexdigest())
    return contents(folder / "meshes")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def client_of(server: Program) -> Client:
    found: list[Client] = []

    def is_there() -> bool:
        with contextlib.suppress(ServerUnreachable):
            found.append(connect(server.address))
        return bool(found)

    until(is_there, f"the server; it said {server.said()}")
    return found[0]


def killed_often(here: Site, job: Job, kills: int, victim: Callable[[int], Program]) -> list[tuple[int, set[int]]]:
    """Kill and restart a program while a job runs: each time, how many blocks had begun, and which the ledger had.

    Each time some blocks may begin and the others wait, so that the job is never done before; the blow falls at any
    point of what follows.
    """
    draw = random.Random(the_seed())
    seen = []
    for number in range(kills):
        here.gate.allow(draw.randint(1, 90 // kills))
        with here.logs_of_failure():
            until(here.gate.is_used_up, "blocks that begin")
        time.sleep(draw.uniform(0.0, 0.3))  # nothing depends on how far it comes
        program = victim(number)
        program.kill()
        seen.append((len(here.gate.runs()), here.done(job)))
        program.start()
    here.gate.allow(10_000)
    return seen


def check(here: Site, handle: JobHandle, seen: list[tuple[int, set[int]]], undisturbed: dict[str, bytes]) -> Job:
    """The files are those that nobody disturbed, the ledger is whole, and what it had was not done again."""
    with here.records() as store, here.logs_of_failure():
        until(lambda: store.get(handle.name).state.is_terminal, "the end of the job")
        job = store.get(handle.name)
    assert job.state is JobState.SUCCEEDED, job
    assert contents(here.folder / "lab" / "meshes") == undisturbed
    assert here.done(job) == set(range(job.progress.total_block_count))
    begun = here.gate.runs()
    for count, done in seen:
        assert not done & set(begun[count:]), "done again although the ledger had them"
    return job


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_a_server_that_is_killed_goes_on_from_the_ledger_when_it_is_started_again(here, undisturbed, kills):
    server = here.server()
    server.start()
    with client_of(server) as client:
        handle = client.create_mesh_job(SPEC)
    seen = killed_often(here, handle.job, kills, lambda _: server)
    job = check(here, handle, seen, undisturbed)
    assert job.run_count == 1 + kills


@pytest.mark.parametrize("kills", [FEW, MANY])
def test_workers_that_are_killed_lose_nothing_that_the_ledger_has(here, undisturbed, kills):
    here.scheduler_port = free_port()
    config = here.folder / "voxgate.toml"
    config.write_text(f'[server]\nscheduler = "tcp://127.0.0.1:{here.scheduler_port}"\n{config.read_text()}')
    workers = [here.worker(number) for number in range(2)]
    server = here.server()
    for program in (here.scheduler(), *workers, server):
        program.start()
    with client_of(server) as client:
        handle = client.create_mesh_job(SPEC)
    seen = killed_often(here, handle.job, kills, lambda number: workers[number % 2])
    job = check(here, handle, seen, undisturbed)
    assert job.run_count == 1
