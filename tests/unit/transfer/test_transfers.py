import functools
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from support.transfer_bench import SETTINGS, TOTAL_BYTES, Bench
from support.transfers import BOXES, CHUNK, SIZES, source_spec, voxels_of_scale
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    MalformedName,
    ReadOnly,
    RequestIdReused,
    ServerBusy,
    UnknownRemote,
    UnknownVersion,
    UnknownVolume,
)
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import JobState, TransferSpec
from voxgate.model.remotes import VolumeEntry
from voxgate.model.volumes import CallContext, OpenOptions, VolumeKind
from voxgate_jobs.engine import Coordinator
from voxgate_jobs.store import JobQuery
from voxgate_transfer.specs import destination_spec


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.source.gate.set()
    bench.engine.close(grace_s=5.0)


def test_every_voxel_of_every_scale_arrives_and_was_read_back(bench: Bench):
    job = bench.end_of(bench.start(destination_spec=source_spec(CHUNK)))
    assert job.state is JobState.SUCCEEDED, job.error
    assert job.result is not None
    assert (job.result.destination, job.result.verified_bytes) == ("b/copy", TOTAL_BYTES)
    assert job.progress.done_block_count == job.progress.total_block_count > 10
    assert bench.arrived()
    assert voxels_of_scale(0).max() > 2**63


def test_the_destination_is_the_like_of_the_source(bench: Bench):
    bench.end_of(bench.start())
    info = bench.registry.open("b/copy", OpenOptions()).info
    assert (info.dtype, info.kind, info.fill_value) == (np.dtype("<u8"), VolumeKind.SEGMENTATION, 0)
    assert [scale.bounds for scale in info.scales] == list(BOXES)
    assert [scale.voxel_size_nm for scale in info.scales] == list(SIZES)
    like = destination_spec(bench.registry.open("a/seg", OpenOptions()).info)
    assert [scale.write_granule_shape for scale in info.scales] == [scale.shard_shape for scale in like.scales]


def test_a_caller_may_say_how_the_destination_is_stored(bench: Bench):
    spec = source_spec(Vec3(8, 4, 16), fill_value=2**64 - 1)
    bench.end_of(bench.start(destination_spec=spec))
    info = bench.registry.open("b/copy", OpenOptions()).info
    assert info.scales[2].stored_chunk_shape == Vec3(8, 4, 16)
    assert info.fill_value == 2**64 - 1
    assert bench.arrived()


def test_the_same_voxels_have_the_same_checksum_however_their_destinations_are_named(bench: Bench):
    results = [bench.end_of(bench.start(name)).result for name in ("b/one", "b/two")]
    assert results[0] is not None
    assert results[1] is not None
    assert results[0].checksum == results[1].checksum


def test_each_granule_of_the_destination_is_written_once(bench: Bench):
    bench.end_of(bench.start(destination_spec=source_spec(CHUNK)))
    assert set(bench.destination.writes.values()) == {1}
    assert sum(box.voxel_count for _, box in bench.destination.writes) * 8 == TOTAL_BYTES


def test_the_destination_exists_and_the_job_is_known_when_the_call_returns(bench: Bench):
    bench.source.gate.clear()
    job = bench.start()
    assert not job.state.is_terminal
    assert bench.registry.open("b/copy", OpenOptions()).info.scales[0].bounds == BOXES[0]
    assert bench.store.list(JobQuery("ada")).jobs[0].name == job.name


def test_a_repeated_request_answers_the_first_job_although_its_destination_exists_by_now(bench: Bench):
    first = bench.start(request_id="1")
    bench.end_of(first)
    again = bench.start(request_id="1")
    assert (again.name, again.state) == (first.name, JobState.SUCCEEDED)
    with pytest.raises(RequestIdReused):
        bench.start("b/other", request_id="1")
    with pytest.raises(UnknownVolume):
        bench.registry.open("b/other", OpenOptions())


def test_a_volume_that_exists_is_never_written_into_even_when_an_equal_spec_made_it(bench: Bench):
    source = bench.registry.open("a/seg", OpenOptions()).info
    bench.registry.create("b/copy", destination_spec(source))
    with pytest.raises(AlreadyExists):
        bench.start()
    assert not bench.destination.writes
    assert not bench.store.list(JobQuery("ada")).jobs


@pytest.mark.parametrize("same_request", [True, False])
def test_of_simultaneous_calls_for_one_destination_one_creates_it(bench: Bench, same_request: bool):
    bench.source.gate.clear()
    barrier, jobs, refused = threading.Barrier(6), [], []

    def call() -> None:
        barrier.wait(10)
        try:
            jobs.append(bench.start(request_id="1" if same_request else ""))
        except AlreadyExists as error:
            refused.append(error)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(jobs), len(refused)) == ((6, 0) if same_request else (1, 5))
    assert len({job.name for job in jobs}) == 1


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"source": "a/none"}, UnknownVolume),
        ({"source": "nowhere/seg"}, UnknownRemote),
        ({"source": "a/seg", "source_version": "v7"}, UnknownVersion),
        ({"destination": "nowhere/copy"}, UnknownRemote),
        ({"destination": "fixed/copy"}, ReadOnly),
        ({"destination": "b/../copy"}, MalformedName),
        ({"destination": "a/seg"}, InvalidArgument),
        ({"destination": "a/seg/inside"}, InvalidArgument),
        ({"destination": "b"}, InvalidArgument),
        ({"destination_spec": source_spec(kind=VolumeKind.IMAGE)}, InvalidArgument),
    ],
)
def test_what_can_be_refused_is_refused_by_the_call_and_leaves_nothing(bench: Bench, spec, error):
    with pytest.raises(error) as refused:
        bench.start(**spec)
    assert refused.value.remedy
    assert not bench.store.list(JobQuery("ada")).jobs
    assert bench.registry.list("b") == []


def test_a_full_engine_refuses_before_anything_is_created():
    bench = Bench(replace(SETTINGS, running_count=1, waiting_count=1))
    bench.source.gate.clear()
    first = bench.start("b/first")
    for _ in range(200):
        if first.state is JobState.RUNNING:
            break
        first = bench.store.wait_for_change(first.name, first.sequence, 0.1)
    bench.start("b/second")
    with pytest.raises(ServerBusy):
        bench.start("b/third")
    assert bench.registry.list("b") == [VolumeEntry("b/first", True), VolumeEntry("b/second", True)]
    bench.source.gate.set()
    bench.engine.close()


def test_a_source_that_fails_now_and_then_is_tried_again(bench: Bench):
    bench.source.unavailable = 3
    job = bench.end_of(bench.start(destination_spec=source_spec(CHUNK)))
    assert job.state is JobState.SUCCEEDED, job.error
    assert bench.arrived()
    assert bench.source.reads.total() == job.progress.total_block_count + 3


def test_a_source_that_stays_away_fails_the_job(bench: Bench):
    bench.source.unavailable = 10**6
    job = bench.end_of(bench.start())
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "STORE_UNAVAILABLE")


def test_a_destination_that_changes_a_byte_fails_the_job_and_the_box_is_named(bench: Bench):
    bench.destination.corrupt = Vec3(40, 50, 3)
    job = bench.end_of(bench.start())
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "VERIFICATION_FAILED")
    assert "scale 0 in x[" in job.error.message
    assert job.progress.failed_block_count == 1


def test_cancelling_midway_leaves_whole_granules_only(bench: Bench):
    bench.source.free = 5
    bench.source.gate.clear()
    job = bench.start(destination_spec=source_spec(CHUNK))
    for _ in range(200):
        if bench.source.reads.total() > bench.source.free:
            break
        job = bench.store.wait_for_change(job.name, job.sequence, 0.05)
    assert bench.engine.cancel(job.name).state is JobState.CANCELLING
    bench.source.gate.set()
    job = bench.end_of(job)
    assert (job.state, job.result) == (JobState.CANCELLED, None)
    assert 0 < job.progress.done_block_count < job.progress.total_block_count
    copy = bench.registry.open("b/copy", OpenOptions())
    for (scale, box), _ in bench.destination.writes.items():
        original = voxels_of_scale(scale)[:, *box.slices_zyx(BOXES[scale].start)]
        assert np.array_equal(copy.read(box, scale=scale), original)


def test_two_transfers_at_once_both_arrive(bench: Bench):
    jobs = [bench.start(name) for name in ("b/one", "b/two")]
    assert [bench.end_of(job).state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert bench.arrived("b/one")
    assert bench.arrived("b/two")


def refuses(engine: Coordinator) -> bool:
    try:
        engine.check_room()
    except ServerBusy:
        return True
    return False


def test_a_transfer_that_the_engine_lets_go_is_ended_by_the_next_one(bench: Bench):
    bench.source.free = 3
    bench.source.gate.clear()
    job = bench.start(destination_spec=source_spec(CHUNK))
    closing = threading.Thread(target=functools.partial(bench.engine.close, grace_s=20.0))
    closing.start()
    while not refuses(bench.engine):
        time.sleep(0.01)
    bench.source.gate.set()
    closing.join(30)
    assert not bench.store.get(job.name).state.is_terminal
    bench.engine = bench.another_engine()
    assert bench.end_of(job).state is JobState.SUCCEEDED
    assert bench.arrived()


def test_a_caller_who_leaves_does_not_stop_the_job(bench: Bench):
    context = CallContext()
    job = bench.transfers.start("ada", str(uuid.uuid4()), TransferSpec("a/seg", "b/copy"), context)
    context.stop.set()
    assert bench.end_of(job).state is JobState.SUCCEEDED
