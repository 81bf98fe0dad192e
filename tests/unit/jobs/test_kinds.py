"""Coordinators of different services share one database: each runs what its own process can open."""

import contextlib
import threading
import uuid

import pytest

from support.job_engines import SETTINGS, CountedWork, ThreadExecutor, job_until
from voxgate.model.errors import Unimplemented
from voxgate.model.jobs import JobState, MeshJobResult, MeshJobSpec, PyramidJobSpec, TransferSpec
from voxgate_jobs.documents import KINDS, kind_of
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.kinds import Opener
from voxgate_jobs.runs import Tools
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import Patience
from voxgate_remotes.registry import Registry

MESHING = MeshJobSpec("fib25/seg", destination="scratch/meshes")
COPYING = TransferSpec("fib25/seg", "scratch/copy")
COARSER = PyramidJobSpec("scratch/copy")


class CountedMeshing(CountedWork):
    def finish(self, totals, checksum):
        return MeshJobResult("scratch/meshes", 2**40, 2**54, totals.done_bytes, checksum)


class Coordinating:
    """A coordinator of some kinds that notes what it opened."""

    def __init__(self, address, kinds, body=lambda _: None) -> None:
        self.store = SqlJobStore(address)
        self.opened: list[str] = []
        self._body = body
        tools = Tools(self.store, self.store.ledger, ThreadExecutor(self._open), self._open, SETTINGS, kinds)
        self.engine = Coordinator(tools)

    def _open(self, spec, patience):
        self.opened.append(kind_of(spec))
        return (CountedMeshing if isinstance(spec, MeshJobSpec) else CountedWork)(7, self._body)

    def close(self) -> None:
        self.engine.close(grace_s=5.0)
        self.store.close()


def create(store, spec):
    return store.create(JobRequest("ada", str(uuid.uuid4()), spec, spec)).name


def test_a_claim_takes_the_oldest_job_of_its_kinds(store):
    names = [create(store, spec) for spec in (COPYING, MESHING, COARSER, MESHING)]
    assert store.claim("nobody", 3600.0, ()) is None
    assert store.claim("mesh", 3600.0, ("mesh",)).job.name == names[1]
    assert store.claim("rest", 3600.0, {"pyramid", "transfer"}).job.name == names[0]
    assert store.claim("all", 3600.0).job.name == names[2]
    assert store.claim("rest", 3600.0, {"pyramid", "transfer"}) is None
    assert store.claim("mesh", 3600.0, ("mesh",)).job.name == names[3]


def test_coordinators_of_two_services_share_a_database_and_each_runs_its_own(address):
    mesh, transfer = Coordinating(address, {"mesh"}), Coordinating(address, {"transfer", "pyramid"})
    with contextlib.closing(mesh), contextlib.closing(transfer):
        names = [create(transfer.store, spec) for spec in (MESHING, COPYING, MESHING, COARSER, COPYING, MESHING)]
        ended = [job_until(mesh.store, name, lambda job: job.state.is_terminal) for name in names]
        assert {job.state for job in ended} == {JobState.SUCCEEDED}
        # Each is opened once where it is counted and once where it runs, and nowhere else.
        assert mesh.opened == ["mesh"] * 6
        assert sorted(transfer.opened) == ["pyramid"] * 2 + ["transfer"] * 4
        assert ended[0].result == MeshJobResult("scratch/meshes", 2**40, 2**54, 70, ended[0].result.checksum)
        assert [type(job.result).__name__ for job in ended[1:4]] == [
            "TransferResult",
            "MeshJobResult",
            "TransferResult",
        ]


def test_a_job_is_cancelled_through_a_server_that_cannot_run_it_and_goes_on_with_the_one_that_can(address):
    gate, begun = threading.Event(), threading.Event()

    def body(index):
        begun.set()
        assert index < 3 or gate.wait(60)

    mesh, transfer = Coordinating(address, {"mesh"}, body), Coordinating(address, {"transfer", "pyramid"})
    with contextlib.closing(mesh), contextlib.closing(transfer):
        name = create(mesh.store, MESHING)
        assert begun.wait(60)
        transfer.engine.cancel(name)
        gate.set()
        assert job_until(transfer.store, name, lambda job: job.state.is_terminal).state is JobState.CANCELLED
        transfer.engine.resume(name)
        assert job_until(transfer.store, name, lambda job: job.state.is_terminal).state is JobState.SUCCEEDED
        assert set(mesh.opened) == {"mesh"}
        assert transfer.opened == []


def test_every_kind_of_job_is_installed_here_and_an_opener_of_some_refuses_the_others():
    registry = Registry({})
    assert Opener(registry).kinds == set(KINDS)
    only = Opener(registry, {"mesh"})
    assert only.kinds == {"mesh"}
    with pytest.raises(Unimplemented):
        only(COPYING, Patience())
