"""A site that transfers: a source far away on a socket, a folder to write to, services, a Dask cluster if wanted."""

from __future__ import annotations

import contextlib
import random
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from support.certificates import Certificate
from support.faults import (
    BOUNDS,
    CHUNK_COUNT,
    Gate,
    Program,
    checksum_of,
    chunks_of,
    ended_at_last,
    free_port,
    ours,
    the_seed,
    until,
    write_source,
)
from support.static_http import static_http
from voxgate.client.jobs import JobHandle
from voxgate.model.jobs import Job, JobState, PyramidJobSpec, TransferSpec
from voxgate.v1 import job_pb2_grpc, transfer_pb2, transfer_pb2_grpc
from voxgate.wire.job_specs import pyramid_job_spec_to_proto, transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto
from voxgate_jobs.sqlstore import SqlJobStore

SOURCE = "far/seg"
DESTINATION = "near/seg"


@dataclass
class Site:
    """What a test has at hand.

    Attributes:
        folder: of everything; the destination is in `folder / "near"`.
        voxels: of the source, (1, z, y, x).
        gate: lets reads of the source through.
        far: the URL of the source's server.
        url: of the database of jobs.
        certificate: of Dask's programs and of the services towards them; None for no TLS.
        environment: of all programs that are made from here on.
        shrinks: whether they have small blocks and short leases.
        service: the address of the service that `create` calls.
        programs: that were made; killed at the end.
    """

    folder: Path
    voxels: np.ndarray
    gate: Gate
    far: str
    url: str
    config: Path
    certificate: Certificate | None = None
    environment: dict[str, str] = field(default_factory=dict)
    shrinks: bool = True
    service: str = ""
    programs: list[Program] = field(default_factory=list)

    def destination(self, name: str = DESTINATION) -> Path:
        """The folder of a volume that is written."""
        return self.folder / name

    def server(self, module: str = "voxgate_transfer", *, prefix: tuple[str, ...] = (), **environment: str) -> Program:
        """A service at ports of its own, not started yet. The first one that is made is the one that is called."""
        port, health = free_port(), free_port()
        self.service = self.service or f"127.0.0.1:{port}"
        arguments = ["--config", str(self.config), "--port", str(port), "--health-port", str(health)]
        stated = {"VOXGATE_JOBS_URL": self.url, "VOXGATE_WORKER_PROCESSES": "1", "VOXGATE_HTTP_PORT": "0"}
        made = self._program([*prefix, *self._ours(module, *arguments)], f"server-{port}", stated | environment)
        made.address = f"127.0.0.1:{port}"
        return made

    def scheduler(self, port: int) -> Program:
        """A Dask scheduler."""
        where = ["--host", "127.0.0.1", "--port", str(port), *self._tls()]
        return self._program([sys.executable, "-m", "dask", "scheduler", *where, "--no-dashboard"], "scheduler", {})

    def worker(self, port: int, number: int, **environment: str) -> Program:
        """A Dask worker of the scheduler at a port."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        options += [*self._tls(), "--local-directory", str(self.folder / f"worker-{number}"), "--death-timeout", "60"]
        command = self._ours("dask", "worker", f"{self.protocol}://127.0.0.1:{port}", *options)
        return self._program(command, f"worker-{number}", {"VOXGATE_CONFIG": str(self.config), **environment})

    @property
    def protocol(self) -> str:
        """Of Dask's scheduler."""
        return "tls" if self.certificate else "tcp"

    def _tls(self) -> list[str]:
        if self.certificate is None:
            return []
        return ["--protocol", "tls", *self.certificate.options]

    def _ours(self, module: str, *arguments: str) -> list[str]:
        return ours(module, *arguments) if self.shrinks else [sys.executable, "-m", module, *arguments]

    def _program(self, command: list[str], name: str, environment: dict[str, str]) -> Program:
        # Tests of others may be looking at the same machine: two threads are enough, and the same everywhere.
        usual = {"VOXGATE_JOB_THREADS": "2", "XDG_STATE_HOME": str(self.folder / "state")}
        program = Program(command, self.folder / f"{name}.log", usual | self.environment | environment)
        self.programs.append(program)
        return program

    def wait_until_served(self) -> None:
        """Return when the service answers."""
        with grpc.insecure_channel(self.service) as channel:
            try:
                grpc.channel_ready_future(channel).result(180)
            except grpc.FutureTimeoutError:
                said = "\n".join(program.said() for program in self.programs)
                raise AssertionError(f"nobody serves {self.service}; the programs said:\n{said}") from None

    def create(self, asked: TransferSpec) -> JobHandle:
        """Start a transfer; waits for the service."""
        request = transfer_pb2.CreateTransferRequest(request_id=str(uuid.uuid4()), spec=transfer_spec_to_proto(asked))
        return self._started("CreateTransfer", request)

    def create_pyramid(self, asked: PyramidJobSpec) -> JobHandle:
        """Start a pyramid; waits for the service."""
        spec = pyramid_job_spec_to_proto(asked)
        return self._started(
            "CreatePyramid", transfer_pb2.CreatePyramidRequest(request_id=str(uuid.uuid4()), spec=spec)
        )

    def _started(self, call: str, request: Any) -> JobHandle:
        self.wait_until_served()
        with grpc.insecure_channel(self.service) as channel:
            answer = getattr(transfer_pb2_grpc.TransferServiceStub(channel), call)(request, timeout=60)
        return self.handle(job_from_proto(answer.job))

    def handle(self, job: Job) -> JobHandle:
        """The job through a channel of its own; waits for the service."""
        self.wait_until_served()
        return JobHandle(job_pb2_grpc.JobServiceStub(grpc.insecure_channel(self.service)), job)

    @contextlib.contextmanager
    def records(self) -> Iterator[SqlJobStore]:
        """The database of jobs as anybody may look into it."""
        store = SqlJobStore(self.url)
        try:
            yield store
        finally:
            store.close()

    def done_blocks(self, job: str) -> set[int]:
        """The blocks that the ledger has."""
        with self.records() as store:
            return {block.block_index for block in store.ledger.manifest(job)}

    def end_of(self, job: Job) -> Job:
        """The record once the job has ended, as the database has it."""
        with self.records() as store:
            until(lambda: store.get(job.name).state.is_terminal, "the job's end")
            return store.get(job.name)

    def check_ledger(self, job: Job) -> None:
        """The job succeeded, and its ledger has every block with the checksum of the source's voxels."""
        assert job.state is JobState.SUCCEEDED, job
        handle = self.handle(job)
        manifest = handle.manifest()
        assert sum(block.box.voxel_count for block in manifest) == BOUNDS.voxel_count
        assert all(block.checksum == checksum_of(self.voxels, block.box) for block in manifest)
        assert job.result is not None
        assert manifest.checksum == job.result.checksum
        assert job.result.verified_bytes == self.voxels.nbytes
        assert job.progress.done_block_count == job.progress.total_block_count == len(list(manifest))

    def check_nothing_redone(self, job: Job, seen: list[tuple[int, set[int]]]) -> None:
        """Blocks that the ledger had are not read again: `seen` has (reads by then, blocks by then)."""
        boxes = {block.block_index: block.box for block in self.handle(job).manifest()}
        for count, done in seen:
            kept = set().union(*(chunks_of(boxes[block]) for block in done))
            again = kept & set(self.gate.passed[count:])
            assert not again, f"read again although the ledger had them: {again}"
        assert len(set(self.gate.passed)) == CHUNK_COUNT


def killed_often(
    here: Site,
    name: str,
    strides: Sequence[int],
    victim: Callable[[int], Program],
    after: Callable[[], None] = lambda: None,
) -> list[tuple[int, set[int]]]:
    """Kill and restart a program while a job runs: each time, how much was let through by then, and what was done.

    Each time, some reads of the source (or blocks) pass first and all others wait, so that the job is never done
    before; and then the blow falls at any point of what follows: while blocks are cut, written, read back or committed.

    Args:
        here: where; nothing passes the gate yet.
        name: of the job.
        strides: for each blow, the most that passes before it.
        victim: the program that the blow with a number is for.
        after: what else is done once it was started again.
    """
    draw = random.Random(the_seed())
    seen = []
    for number, most in enumerate(strides):
        here.gate.allow(draw.randint(1, most))
        here.gate.wait_until_used_up()
        here.gate.settle(draw.uniform(0.0, 0.4))
        program = victim(number)
        program.kill()
        seen.append((len(here.gate.passed), here.done_blocks(name)))
        here.gate.turn_away()
        program.start()
        after()
    here.gate.open()
    return seen


@contextlib.contextmanager
def site(
    folder: Path, url: str = "", *, scheduler: int | None = None, certificate: Certificate | None = None
) -> Iterator[Site]:
    """A site; what was started is killed at the end. Nothing passes the gate before it is told to.

    Args:
        folder: of everything.
        url: of the database of jobs; a file of its own where it is empty.
        scheduler: port of a Dask scheduler that is to be asked.
        certificate: for TLS with it.
    """
    source, near = folder / "far", folder / "near"
    near.mkdir()
    voxels = write_source(source / "seg")
    gate = Gate()
    with static_http(source) as files:
        files.whim = gate
        lines = ["[server]", 'host = "127.0.0.1"']
        protocol = "tls" if certificate else "tcp"
        lines += [f'scheduler = "{protocol}://127.0.0.1:{scheduler}"'] if scheduler else []
        lines += certificate.settings if certificate else []
        lines += ["[remotes.far]", f'uri = "{files.url}"', 'format = "precomputed"']
        lines += ["[remotes.near]", f'uri = "{near.as_uri()}"', "writable = true", "deletable = true"]
        config = folder / "voxgate.toml"
        config.write_text("\n".join(lines) + "\n")
        made = Site(folder, voxels, gate, files.url, url or f"sqlite:///{folder / 'jobs.db'}", config, certificate)
        try:
            with ended_at_last(made.programs):
                yield made
        finally:
            gate.turn_away()
            gate.open()
