import uuid
from dataclasses import dataclass, field

import pytest

from support.transfers import memory_registry
from voxgate.model.errors import ReadOnly, UnknownJob
from voxgate.model.jobs import TransferSpec
from voxgate.model.volumes import CallContext
from voxgate.v1 import job_pb2, transfer_pb2, types_pb2
from voxgate_jobs.engine import ThreadEngine
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_serving.principal import Principal
from voxgate_transfer.servicers import JobServicer, TransferServicer
from voxgate_transfer.transfers import Transfers, open_transfer

SPEC = TransferSpec("a/seg", "b/copy")


@dataclass
class Call:
    """What servicers look at of a call's context."""

    principal: Principal
    call: CallContext = field(default_factory=CallContext)


ADA, BOB = Call(Principal("ada")), Call(Principal("bob"))


class Bench:
    def __init__(self, writes_enabled: bool = True) -> None:
        self.registry, *_ = memory_registry()
        self.jobs = SqlJobStore("sqlite://")
        self.engine = ThreadEngine(self.jobs, lambda spec, patience: open_transfer(self.registry, spec, patience))
        self.job = JobServicer(self.jobs, self.engine, watcher_count=1)
        transfers = Transfers(self.registry, self.jobs, self.engine)
        self.transfer = TransferServicer(transfers, writes_enabled=writes_enabled)

    def create(self, call: Call, request_id: str) -> types_pb2.Job:
        spec = types_pb2.TransferSpec(source="a/seg", destination=f"b/{uuid.uuid4()}")
        request = transfer_pb2.CreateTransferRequest(request_id=request_id, spec=spec)
        return self.transfer.CreateTransfer(request, call).job


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.engine.close()


def test_a_server_that_serves_reads_only_starts_no_transfer():
    bench = Bench(writes_enabled=False)
    with pytest.raises(ReadOnly, match="reads only"):
        bench.create(ADA, str(uuid.uuid4()))
    assert bench.registry.list("b") == []
    bench.engine.close()


def test_the_caller_owns_the_job_and_request_ids_are_the_callers_own(bench: Bench):
    request_id = str(uuid.uuid4())
    jobs = [bench.create(call, request_id) for call in (ADA, BOB)]
    assert [job.owner for job in jobs] == ["ada", "bob"]
    assert jobs[0].name != jobs[1].name


def test_callers_list_their_own_jobs_only(bench: Bench):
    job = bench.create(ADA, str(uuid.uuid4()))
    request = job_pb2.ListJobsRequest()
    assert [one.name for one in bench.job.ListJobs(request, ADA).jobs] == [job.name]
    assert not bench.job.ListJobs(request, BOB).jobs


def test_jobs_of_others_can_be_neither_seen_nor_watched_nor_cancelled(bench: Bench):
    name = bench.create(ADA, str(uuid.uuid4())).name
    assert bench.job.GetJob(job_pb2.GetJobRequest(name=name), ADA).job.name == name
    with pytest.raises(UnknownJob):
        bench.job.GetJob(job_pb2.GetJobRequest(name=name), BOB)
    with pytest.raises(UnknownJob):
        next(bench.job.WatchJob(job_pb2.WatchJobRequest(name=name), BOB))
    with pytest.raises(UnknownJob):
        bench.job.CancelJob(job_pb2.CancelJobRequest(name=name), BOB)


def test_a_watcher_gives_its_place_back_when_its_stream_is_dropped(bench: Bench):
    job = bench.jobs.create(JobRequest("ada", "1", SPEC, SPEC))
    for _ in range(3):
        stream = bench.job.WatchJob(job_pb2.WatchJobRequest(name=job.name), ADA)
        assert next(stream).sequence == 1
        stream.close()


@pytest.mark.parametrize(("asked", "answered"), [(0, 100), (7, 7), (2**32 - 1, 1000)])
def test_page_sizes_are_those_of_the_contract(bench: Bench, asked: int, answered: int):
    for i in range(1001):
        bench.jobs.create(JobRequest("ada", str(i), SPEC, SPEC))
    assert len(bench.job.ListJobs(job_pb2.ListJobsRequest(page_size=asked), ADA).jobs) == answered
