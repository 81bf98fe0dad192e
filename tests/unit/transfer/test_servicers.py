import functools
import hashlib
import uuid
from dataclasses import dataclass, field, replace

import pytest

from support.job_engines import engine_of, job_until
from support.transfers import BOXES, memory_registry, voxels_of_scale
from voxgate.model.errors import ReadOnly, UnknownJob
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import JobState, TransferSpec
from voxgate.model.volumes import CallContext
from voxgate.v1 import job_pb2, transfer_pb2, types_pb2
from voxgate.wire.jobs import block_from_proto, failure_from_proto
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import Patience
from voxgate_serving.auth.principals import Principal
from voxgate_transfer.job_servicer import JobServicer
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.servicers import TransferServicer
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
        self.registry, _, self.destination = memory_registry()
        self.jobs = SqlJobStore("sqlite://")
        opener = functools.partial(open_transfer, self.registry, task_bytes=4000)
        self.engine = engine_of(self.jobs, opener)
        boxes = lambda spec: opener(spec, Patience()).box_of  # noqa: E731
        self.job = JobServicer(self.jobs, self.jobs.ledger, self.engine, boxes=boxes, watcher_count=1)
        transfers = Transfers(self.registry, self.jobs, self.engine)
        pyramids = Pyramids(self.registry, self.jobs, self.engine)
        self.transfer = TransferServicer(transfers, pyramids, writes_enabled=writes_enabled)

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


def ended(bench: Bench, name: str):
    return job_until(bench.jobs, name, lambda job: job.state.is_terminal)


def test_a_manifest_tells_every_block_its_place_and_the_checksum_of_its_voxels(bench: Bench):
    name = bench.create(ADA, str(uuid.uuid4())).name
    job = ended(bench, name)
    assert job.state is JobState.SUCCEEDED, job.error
    pages = bench.job.ReadJobManifest(job_pb2.ReadJobManifestRequest(name=name), ADA)
    blocks = [block_from_proto(block) for page in pages for block in page.blocks]
    assert [block.block_index for block in blocks] == list(range(job.progress.total_block_count))
    for block in blocks:
        voxels = voxels_of_scale(block.scale)[:, *block.box.slices_zyx(BOXES[block.scale].start)]
        assert block.checksum == hashlib.sha256(voxels.tobytes()).digest()
    assert hashlib.sha256(b"".join(block.checksum for block in blocks)).hexdigest() == job.result.checksum


def test_a_manifest_of_a_volume_that_is_gone_still_tells_checksums(bench: Bench):
    name = bench.create(ADA, str(uuid.uuid4())).name
    ended(bench, name)
    bench.job._boxes = lambda spec: open_transfer(bench.registry, replace(spec, source="a/none"), Patience()).box_of
    (page,) = bench.job.ReadJobManifest(job_pb2.ReadJobManifestRequest(name=name), ADA)
    assert all(len(block.checksum) == 32 and not block.HasField("box") for block in page.blocks)


def test_a_job_that_never_began_has_an_empty_manifest_and_no_failures(bench: Bench):
    job = bench.jobs.create(JobRequest("ada", "1", TransferSpec("a/none", "b/copy"), TransferSpec("a/none", "b/copy")))
    bench.engine.cancel(job.name)
    ended(bench, job.name)
    assert not list(bench.job.ReadJobManifest(job_pb2.ReadJobManifestRequest(name=job.name), ADA))
    assert not bench.job.ListJobFailures(job_pb2.ListJobFailuresRequest(name=job.name), ADA).failures


def test_failed_blocks_are_listed_with_their_places_and_the_job_is_resumed(bench: Bench):
    bench.destination.corrupt = Vec3(40, 50, 3)
    name = bench.create(ADA, str(uuid.uuid4())).name
    assert ended(bench, name).state is JobState.FAILED
    (failure,) = bench.job.ListJobFailures(job_pb2.ListJobFailuresRequest(name=name), ADA).failures
    assert failure_from_proto(failure).box.contains_point(Vec3(40, 50, 3))
    assert failure.error.reason == "VERIFICATION_FAILED"
    bench.destination.corrupt = None
    assert bench.job.ResumeJob(job_pb2.ResumeJobRequest(name=name), ADA).job.name == name
    assert ended(bench, name).state is JobState.SUCCEEDED


@pytest.mark.parametrize("call", ["ListJobFailures", "ReadJobManifest", "ResumeJob"])
def test_jobs_of_others_can_be_neither_looked_into_nor_resumed(bench: Bench, call: str):
    name = bench.create(ADA, str(uuid.uuid4())).name
    request = getattr(job_pb2, f"{call}Request")(name=name)
    with pytest.raises(UnknownJob):
        list(answer) if hasattr(answer := getattr(bench.job, call)(request, BOB), "__next__") else answer
