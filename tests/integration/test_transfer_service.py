"""Transfers and jobs over real sockets, from and to real files, checked by a reader that is not ours."""

import contextlib
import functools
import itertools
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorstore as ts
from google.rpc import error_details_pb2, status_pb2

from support.job_engines import engine_of
from support.servers import SAMPLES, server_process, settings
from support.transfers import BOXES, CHUNK, DoorState, memory_registry, source_spec, voxels_of_scale
from voxgate.client.jobs import JobHandle
from voxgate.model.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    InvalidArgument,
    JobFailed,
    ReadOnly,
    RequestIdReused,
    ServerUnreachable,
    UnknownJob,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import JobState, TransferSpec
from voxgate.model.volumes import OpenOptions, VolumeSpec
from voxgate.v1 import job_pb2, job_pb2_grpc, transfer_pb2, transfer_pb2_grpc, types_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.job_specs import transfer_spec_to_proto
from voxgate.wire.jobs import job_from_proto
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import RunningServer, ServiceRegistration, start_server
from voxgate_transfer.job_servicer import JobServicer
from voxgate_transfer.service import JOB, registrations
from voxgate_transfer.transfers import Transfers, open_transfer


class Caller:
    """Raw stubs on one channel."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.transfers = transfer_pb2_grpc.TransferServiceStub(self.channel)
        self.jobs = job_pb2_grpc.JobServiceStub(self.channel)

    def create(
        self, source: str, destination: str, *, request_id: str | None = None, spec: VolumeSpec | None = None
    ) -> JobHandle:
        request = transfer_pb2.CreateTransferRequest(
            request_id=str(uuid.uuid4()) if request_id is None else request_id,
            spec=transfer_spec_to_proto(TransferSpec(source, destination, "", spec)),
        )
        try:
            return JobHandle(self.jobs, job_from_proto(self.transfers.CreateTransfer(request, timeout=60).job))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


@contextlib.contextmanager
def calling(address: str) -> Iterator[Caller]:
    caller = Caller(address)
    try:
        yield caller
    finally:
        caller.channel.close()


@contextlib.contextmanager
def serving(registry: Registry, **overrides) -> Iterator[RunningServer]:
    chosen = settings(**overrides)
    server = start_server(registrations(registry, chosen), chosen)
    try:
        yield server
    finally:
        server.stop(1.0)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Caller]:
    """The samples, and three empty folders whose default formats differ."""
    remotes = {
        name: RemoteConfig(uri=(tmp_path / name).as_uri(), writable=True, format=name)
        for name in ("precomputed", "zarr2", "zarr3")
    }
    for name in remotes:
        (tmp_path / name).mkdir()
    samples = RemoteConfig(uri=SAMPLES.as_uri())
    registry = Registry.from_config(RemotesConfig(remotes={"samples": samples, **remotes}))
    with serving(registry) as server, calling(server.address) as caller:
        yield caller


@pytest.fixture
def memory() -> Iterator[tuple[Caller, Registry, DoorState, DoorState]]:
    registry, source, destination = memory_registry()
    with serving(registry, workers=8) as server, calling(server.address) as caller:
        yield caller, registry, source, destination
        source.gate.set()


def precomputed_store(folder: Path, scale: int) -> ts.TensorStore:
    where = {"driver": "file", "path": f"{folder}/"}
    return ts.open({"driver": "neuroglancer_precomputed", "kvstore": where, "scale_index": scale}).result()


def precomputed(folder: Path, scale: int) -> np.ndarray:
    """A scale as tensorstore reads it: (c, z, y, x)."""
    return precomputed_store(folder, scale).read().result().transpose(3, 2, 1, 0)


def zarr(folder: Path, driver: str, scale: int) -> tuple[np.ndarray, dict]:
    """A scale as tensorstore reads it: (1, z, y, x), and its metadata."""
    where = {"driver": "file", "path": f"{folder}/{scale}/"}
    store = ts.open({"driver": driver, "kvstore": where}).result()
    return store.read().result()[np.newaxis], store.spec(retain_context=False).to_json()["metadata"]


def test_the_sample_becomes_a_sharded_zarr_with_every_voxel_of_every_scale(files: Caller, tmp_path: Path):
    result = files.create("samples/fib25/seg", "zarr3/seg").result(120)
    originals = [precomputed(SAMPLES / "fib25/seg", scale) for scale in range(3)]
    assert result.verified_bytes == sum(original.nbytes for original in originals)
    for scale, original in enumerate(originals):
        copy, metadata = zarr(tmp_path / "zarr3/seg", "zarr3", scale)
        assert metadata["codecs"][0]["name"] == "sharding_indexed"
        assert copy.dtype == original.dtype
        assert np.array_equal(copy, original)


def test_anisotropic_ids_beyond_two_to_the_63_survive_every_format_there_and_back(files: Caller, tmp_path: Path):
    names = ["samples/aniso/seg", "zarr3/one", "zarr2/two", "precomputed/three"]
    for source, destination in itertools.pairwise(names):
        files.create(source, destination).result(120)
    originals = [precomputed(SAMPLES / "aniso/seg", scale) for scale in range(3)]
    assert originals[0].max() > 2**63
    for scale, original in enumerate(originals):
        assert np.array_equal(zarr(tmp_path / "zarr3/one", "zarr3", scale)[0], original)
        assert np.array_equal(zarr(tmp_path / "zarr2/two", "zarr", scale)[0], original)
        assert np.array_equal(precomputed(tmp_path / "precomputed/three", scale), original)
        there = precomputed_store(SAMPLES / "aniso/seg", scale)
        back = precomputed_store(tmp_path / "precomputed/three", scale)
        assert back.domain == there.domain  # the offset
        assert back.dimension_units == there.dimension_units  # the voxel size


def test_an_image_of_bytes_arrives(files: Caller, tmp_path: Path):
    files.create("samples/fib25/em", "zarr3/em").result(120)
    assert np.array_equal(zarr(tmp_path / "zarr3/em", "zarr3", 0)[0], precomputed(SAMPLES / "fib25/em", 0))


@pytest.mark.parametrize(
    ("source", "destination", "error", "code"),
    [
        ("samples/none", "zarr3/copy", UnknownVolume, grpc.StatusCode.NOT_FOUND),
        ("samples/aniso/seg", "samples/copy", ReadOnly, grpc.StatusCode.FAILED_PRECONDITION),
        ("samples/aniso/seg", "samples/aniso/seg", InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
        ("samples/aniso/seg", "samples/aniso/seg/x", InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
        ("", "zarr3/copy", InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_transfer_that_cannot_start_is_an_error_of_the_call(
    files: Caller, tmp_path, source, destination, error, code
):
    with pytest.raises(error):
        files.create(source, destination)
    request = transfer_pb2.CreateTransferRequest(
        request_id=str(uuid.uuid4()), spec=types_pb2.TransferSpec(source=source, destination=destination)
    )
    with pytest.raises(grpc.RpcError) as raw:
        files.transfers.CreateTransfer(request, timeout=60)
    assert raw.value.code() is code
    details = dict(raw.value.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert (info.domain, info.metadata["remedy"] != "") == ("voxgate", True)
    assert str(tmp_path) not in str(raw.value)
    assert not files.jobs.ListJobs(job_pb2.ListJobsRequest()).jobs


def test_a_destination_that_exists_is_refused_and_left_as_it_is(files: Caller, tmp_path: Path):
    files.create("samples/aniso/seg", "zarr3/copy").result(120)
    before = zarr(tmp_path / "zarr3/copy", "zarr3", 0)[0]
    with pytest.raises(AlreadyExists):
        files.create("samples/fib25/seg", "zarr3/copy")
    with pytest.raises(AlreadyExists):
        files.create("samples/aniso/seg", "zarr3/copy")
    assert np.array_equal(zarr(tmp_path / "zarr3/copy", "zarr3", 0)[0], before)


@pytest.mark.parametrize("request_id", ["", "1", "not-a-uuid", "{12345678-1234-5678-1234-567812345678}", "x" * 5000])
def test_a_request_id_must_be_a_uuid(files: Caller, request_id: str):
    with pytest.raises(InvalidArgument, match="no UUID"):
        files.create("samples/aniso/seg", "zarr3/copy", request_id=request_id)


def test_a_request_may_be_repeated_but_its_id_not_reused(files: Caller):
    request_id = str(uuid.uuid4())
    first = files.create("samples/aniso/seg", "zarr3/copy", request_id=request_id)
    first.result(120)
    again = files.create("samples/aniso/seg", "zarr3/copy", request_id=request_id.upper())
    assert (again.name, again.job.state) == (first.name, JobState.SUCCEEDED)
    with pytest.raises(RequestIdReused):
        files.create("samples/aniso/seg", "zarr3/other", request_id=request_id)


def test_progress_can_be_watched_to_the_end(memory):
    caller, registry, _, _ = memory
    seen = list(caller.create("a/seg", "b/copy", spec=source_spec(CHUNK)).watch(60))
    assert seen[-1].state is JobState.SUCCEEDED
    sequences = [job.sequence for job in seen]
    assert sequences == sorted(set(sequences))
    done = [job.progress.done_bytes for job in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].progress.total_bytes == 8 * sum(box.voxel_count for box in BOXES)
    copy = registry.open("b/copy", OpenOptions())
    assert all(np.array_equal(copy.read(box, scale=i), voxels_of_scale(i)) for i, box in enumerate(BOXES))


def test_a_job_cancelled_midway_ends_cancelled_and_says_so(memory):
    caller, _, source, _ = memory
    source.free = 1
    source.gate.clear()
    handle = caller.create("a/seg", "b/copy", spec=source_spec(CHUNK))
    running = next(job for job in handle.watch(60) if job.progress.total_block_count)
    assert running.state is JobState.RUNNING
    assert handle.cancel().state is JobState.CANCELLING
    source.gate.set()
    with pytest.raises(Cancelled):
        handle.result(60)
    assert handle.job.state is JobState.CANCELLED
    assert handle.cancel().state is JobState.CANCELLED


def test_a_job_that_failed_tells_why(memory):
    caller, _, _, destination = memory
    destination.corrupt = Vec3(40, 50, 3)
    handle = caller.create("a/seg", "b/copy")
    with pytest.raises(JobFailed) as failed:
        handle.result(60)
    assert failed.value.details["reason"] == "VERIFICATION_FAILED"
    assert failed.value.details["code"] == "DATA_LOSS"
    assert "scale 0" in failed.value.details["message"]


def test_waiting_for_a_result_ends_with_the_callers_patience_and_the_job_goes_on(memory):
    caller, _, source, _ = memory
    source.gate.clear()
    handle = caller.create("a/seg", "b/copy")
    with pytest.raises(DeadlineExceeded):
        handle.result(0.2)
    source.gate.set()
    assert handle.result(60).destination == "b/copy"


def test_jobs_are_listed_newest_first_by_page_and_state(memory):
    caller, _, source, _ = memory
    ended = [caller.create("a/seg", f"b/copy{i}") for i in range(3)]
    for handle in ended:
        handle.result(60)
    source.gate.clear()
    running = caller.create("a/seg", "b/copy3")
    first = caller.jobs.ListJobs(job_pb2.ListJobsRequest(page_size=3))
    second = caller.jobs.ListJobs(job_pb2.ListJobsRequest(page_size=3, page_token=first.next_page_token))
    names = [job.name for page in (first, second) for job in page.jobs]
    assert names == [running.name, *(handle.name for handle in reversed(ended))]
    assert second.next_page_token == ""
    done = caller.jobs.ListJobs(job_pb2.ListJobsRequest(state=types_pb2.JOB_STATE_SUCCEEDED))
    assert [job.name for job in done.jobs] == names[1:]


def test_a_job_that_does_not_exist_is_unknown_to_every_call(memory):
    caller = memory[0]
    with pytest.raises(UnknownJob):
        JobHandle.named(caller.jobs, "jobs/none")
    ghost = caller.create("a/seg", "b/copy")
    ghost.result(60)
    for call in (
        lambda: caller.jobs.CancelJob(job_pb2.CancelJobRequest(name="jobs/none")),
        lambda: list(caller.jobs.WatchJob(job_pb2.WatchJobRequest(name="jobs/none"))),
    ):
        with pytest.raises(grpc.RpcError) as raw:
            call()
        assert isinstance(from_rpc_error(raw.value), UnknownJob)


def test_watchers_beyond_the_quota_are_turned_away_while_other_calls_go_on_and_their_place_is_free_again(memory):
    caller, _, source, _ = memory  # 8 threads: 4 watchers
    source.gate.clear()
    handle = caller.create("a/seg", "b/copy")
    request = job_pb2.WatchJobRequest(name=handle.name)
    streams = [caller.jobs.WatchJob(request) for _ in range(4)]
    for stream in streams:
        next(stream)
    with pytest.raises(grpc.RpcError) as refused:
        next(caller.jobs.WatchJob(request))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert handle.refresh().state is JobState.RUNNING
    polled = next(handle.watch(60))  # the handle asks instead
    assert polled.state is JobState.RUNNING
    streams[0].cancel()
    assert any(admitted(caller, handle.name) for _ in range(100))


def admitted(caller: Caller, name: str) -> bool:
    """Whether a watcher gets in; waits a little when it does not."""
    try:
        return next(caller.jobs.WatchJob(job_pb2.WatchJobRequest(name=name))).job.name == name
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
    time.sleep(0.1)
    return False


def test_a_watch_is_taken_up_again_where_it_broke(memory):
    _, registry, source, _ = memory
    source.gate.clear()
    jobs = SqlJobStore("sqlite://")
    opener = functools.partial(open_transfer, registry, task_bytes=4000)
    engine = engine_of(jobs, opener)
    servicer = JobServicer(jobs, jobs.ledger, engine, boxes=lambda spec: lambda _: None, watcher_count=4)
    register = ServiceRegistration(JOB, lambda server: job_pb2_grpc.add_JobServiceServicer_to_server(servicer, server))
    chosen = settings()
    first = start_server([register], chosen)
    asked = TransferSpec("a/seg", "b/again")
    job = Transfers(registry, jobs, engine).start("anonymous", str(uuid.uuid4()), asked, OpenOptions().context)
    with calling(first.address) as caller:
        handle = JobHandle(caller.jobs, job)
        seen = []
        for job in handle.watch(60):
            seen.append(job)
            if len(seen) == 1:
                first.stop(0)
                second = start_server([register], settings(port=first.port))
                source.gate.set()
        assert handle.result(60).destination == "b/again"
    second.stop(1.0)
    engine.close()
    assert seen[-1].state is JobState.SUCCEEDED
    assert [job.sequence for job in seen] == sorted({job.sequence for job in seen})


def test_a_server_that_stays_away_is_told_apart_from_a_job_that_failed(memory, monkeypatch):
    monkeypatch.setattr("voxgate.client.jobs._LONGEST_DELAY_S", 0.05)
    registry, source, _ = memory_registry()
    source.gate.clear()
    with serving(registry, grace_s=0.1) as server, calling(server.address) as caller:
        handle = caller.create("a/seg", "b/copy")
        source.gate.set()
        handle.result(60)
        gone = JobHandle(caller.jobs, job_from_proto(caller.jobs.GetJob(job_pb2.GetJobRequest(name=handle.name)).job))
        server.stop(0)
        with pytest.raises(ServerUnreachable):
            list(gone.watch(60))
        with pytest.raises(VoxgateError):
            gone.refresh()


CONFIG = """
[remotes.made]
uri = "procedural://"
options = {{ latency_ms = 20, size = "300,260,140", offset = "-7,11,900", chunk = "32,16,8" }}

[remotes.scratch]
uri = "{scratch}"
writable = true
"""


def test_a_process_told_to_stop_lets_its_jobs_go_and_the_next_one_does_what_is_left(tmp_path: Path):
    (tmp_path / "scratch").mkdir()
    config = tmp_path / "voxgate.toml"
    config.write_text(CONFIG.format(scratch=(tmp_path / "scratch").as_uri()))
    with server_process("voxgate_transfer", config, tmp_path / "log") as server, calling(server.address) as caller:
        handle = caller.create("made/seg", "scratch/copy")
        next(job for job in handle.watch(120) if job.progress.done_block_count or job.state.is_terminal)
        server.process.terminate()
        assert server.process.wait(30) == 0
        left = handle.job
    with server_process("voxgate_transfer", config, tmp_path / "log") as server, calling(server.address) as caller:
        again = JobHandle.named(caller.jobs, left.name)
        assert again.result(120).destination == "scratch/copy"
        assert again.job.run_count == 2
