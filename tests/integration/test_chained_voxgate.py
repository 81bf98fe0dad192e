"""A server whose remote is a server whose remote is a server: the same voxels, the same words, and an end to loops."""

import contextlib
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np
import pytest

from support.chains import Later, chained_registry, far_store, two_hops
from support.servers import settings, volume_server
from support.transfers import BOXES, CHUNK, SIZES, source_spec, voxels_of_scale
from voxgate.client.connection import connect
from voxgate.model.errors import (
    DeadlineExceeded,
    OutOfBounds,
    PermissionDenied,
    ReadOnly,
    StoreUnavailable,
    UnknownRemote,
    UnknownVolume,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentIndex
from voxgate.model.volumes import (
    CallContext,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.voxgates import VoxgateRemote
from voxgate_standalone.suite import start_suite

NAME = "next/next/lab/seg"
PATIENCE_S = 30


@pytest.fixture
def far():
    return far_store()


@pytest.fixture
def chain(far):
    with two_hops(far[0]) as running:
        yield running


@pytest.fixture(scope="module")
def client():
    """Of a chain that no test changes."""
    with two_hops(far_store()[0]) as (connected, *_):
        yield connected


def test_every_scale_reads_the_same_through_two_hops(client):
    volume = client.open(NAME)
    assert volume.info.name == NAME
    assert [scale.bounds for scale in volume.info.scales] == list(BOXES)
    assert [scale.voxel_size_nm for scale in volume.info.scales] == list(SIZES)
    assert volume.info.scales[0].write_granule_shape == CHUNK
    for scale, bounds in enumerate(BOXES):
        whole = voxels_of_scale(scale)
        assert whole.max() > 2**63
        inner = Box(bounds.start + Vec3(1, 2, 3), bounds.stop - Vec3(3, 2, 1))
        for box in (bounds, inner):
            expected = whole[(slice(None), *box.slices_zyx(bounds.start))]
            assert np.array_equal(volume.read(box, scale=scale), expected)


def test_what_is_written_through_two_hops_arrives_zeros_too(chain, far):
    client, *_ = chain
    volume = client.open(NAME)
    box = Box.of(x=(-20, 3), y=(45, 66), z=(-4, 9))
    voxels = np.random.default_rng(5).integers(2**63, 2**64 - 1, (1, *box.shape.zyx), dtype=np.uint64)
    voxels[:, 2:7] = 0
    volume.capability(Writable).write(box, voxels)
    stored = far[0].open("mem/lab/seg")
    expected = voxels_of_scale(0)
    expected[(slice(None), *box.slices_zyx(BOXES[0].start))] = voxels
    assert np.array_equal(stored.read(BOXES[0]), expected)
    assert np.array_equal(volume.read(box), voxels)


def test_a_volume_is_created_and_listed_through_two_hops(chain, far):
    client, *_ = chain
    client.create("next/next/lab/new", source_spec())
    assert far[0].open("mem/lab/new").info.scales[1].bounds == BOXES[1]
    assert [(e.name, e.is_volume) for e in client.volumes()] == [("next", False)]
    assert [(e.name, e.is_volume) for e in client.volumes("next")] == [("next/next", False)]
    listed = [(e.name, e.is_volume) for e in client.volumes("next/next/lab")]
    assert listed == [("next/next/lab/new", True), ("next/next/lab/seg", True)]


def test_a_uri_of_the_next_server_resolves_to_a_name_and_other_uris_do_not(chain):
    client, _, middle, far = chain
    assert client.resolve(f"voxgate://{middle.address}/next/lab/seg") == NAME
    for other in (f"voxgate://{far.address}/mem/lab/seg", "voxgate://me:secret@localhost:1/x", "file:///data"):
        with pytest.raises(UnknownRemote) as refused:
            client.resolve(other)
        assert "secret" not in str(refused.value)


def test_segments_are_counted_and_looked_up_through_two_hops(client):
    index = client.open(NAME).capability(SegmentIndex)
    box = Box.of(x=(-24, 11), y=(41, 70), z=(-7, 6))
    cut = voxels_of_scale(0)[(slice(None), *box.slices_zyx(BOXES[0].start))]
    ids, counts = np.unique(cut[cut != 0], return_counts=True)
    assert [(c.segment_id, c.voxel_count) for c in index.segments_in(box)] == list(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )
    points = [Vec3(-24, 40, -7), Vec3(10, 60, 3), Vec3(46, 82, 13)]
    voxels = voxels_of_scale(0)[0]
    expected = [int(voxels[(p - BOXES[0].start).zyx]) for p in points]
    assert index.segments_at(points) == expected


def test_what_the_far_server_refuses_keeps_its_reason_and_its_words(client):
    with pytest.raises(UnknownVolume) as missing:
        client.open("next/next/nothing")
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(volume_server(far_store()[0]))
        there = stack.enter_context(connect(far.address))
        with pytest.raises(UnknownVolume) as told:
            there.open("mem/nothing")
    assert str(missing.value) == str(told.value)
    with pytest.raises(OutOfBounds):
        client.volume(NAME).at([[1000, 1000, 1000]])


def test_a_link_without_writes_refuses_them_whatever_the_far_server_allows(far):
    with (
        volume_server(far[0]) as server,
        volume_server(chained_registry(server.address, writable=False)) as near,
        connect(near.address) as client,
    ):
        volume = client.open("next/mem/lab/seg")
        assert volume.capability(Writable) is None
        with pytest.raises(ReadOnly):
            client.create("next/mem/lab/new", source_spec())


def test_the_far_store_learns_the_way_of_a_call_and_its_deadline(chain, far):
    client, near, middle, last = chain
    context = CallContext(deadline=time.monotonic() + 1000)
    volume = client.open(NAME, OpenOptions(context=context))
    volume.read(BOXES[2], scale=2)
    learnt = far[1].contexts[-1]
    assert learnt.via == (near.server_id, middle.server_id, last.server_id)
    assert learnt.deadline is not None
    assert learnt.deadline < time.monotonic() + 1001


@pytest.mark.parametrize("size", ["one message", "a stream"])
@pytest.mark.parametrize("end", ["cancel", "disconnect", "deadline"])
def test_a_caller_who_leaves_ends_the_work_at_the_far_store(chain, far, end, size):
    _, near, *_ = chain
    registry, store = far
    box = BOXES[0]
    if size == "a stream":
        box = Box.of(x=(-7, 200), y=(3, 153), z=(10, 522))
        level = ScaleSpec(box, chunk_shape=Vec3(64, 32, 16))
        registry.create("mem/lab/large", VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (level,)))
    name = NAME if size == "one message" else "next/next/lab/large"
    store.state.gate.clear()
    with grpc.insecure_channel(near.address) as channel:
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.ReadCutoutRequest(volume=name, box=box_to_proto(box))
        call = stub.ReadCutout(request, timeout=3 if end == "deadline" else 600)
        assert store.reading.wait(PATIENCE_S)
        told = store.contexts[-1]
        if end == "cancel":
            call.cancel()
        elif end == "disconnect":
            channel.close()
        # The far server's call is over although its store never answered.
        assert told.stop.wait(PATIENCE_S)
    reads = settled(store.state.reads.total)
    store.state.gate.set()
    # Nothing was put off either: whoever reads next is the first to do so.
    assert settled(store.state.reads.total) == reads
    assert reads < 16 or size == "one message"  # of a box that takes sixteen


def settled(count: Callable[[], int], *, quiet_s: float = 0.3) -> int:
    """A count once it has not changed for a while: a read that was on its way when a call ended may still begin."""
    seen = count()
    until = time.monotonic() + quiet_s
    while time.monotonic() < until:
        time.sleep(0.01)
        if count() != seen:
            seen, until = count(), time.monotonic() + quiet_s
    return seen


def test_a_deadline_is_told_as_one(chain, far):
    client, *_ = chain
    volume = client.open(NAME, OpenOptions(context=CallContext(deadline=time.monotonic() + 1.5)))
    far[1].state.gate.clear()
    with pytest.raises(DeadlineExceeded):
        volume.read(BOXES[0])
    far[1].state.gate.set()


@contextlib.contextmanager
def loop_of(count: int):
    """Servers each of which has the next as its remote "next", the last the first; and a client of the first."""
    doors = [Later() for _ in range(count)]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(volume_server(Registry({"next": door}))) for door in doors]
        for door, server in zip(doors, servers[1:] + servers[:1], strict=True):
            door.remote = VoxgateRemote(RemoteConfig(uri=f"voxgate://{server.address}"))
        yield stack.enter_context(connect(servers[0].address))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_loop_is_refused_in_words_when_it_is_closed(count):
    with loop_of(count) as client:
        name = "/".join(["next"] * (count + 1))
        for ask in (
            lambda: client.open(f"{name}/lab/seg"),
            lambda: client.volumes(name),
            lambda: client.create(f"{name}/lab/new", source_spec()),
        ):
            with pytest.raises(PermissionDenied, match="came back to a server"):
                ask()
        # Short of the loop there is nothing wrong.
        assert [entry.name for entry in client.volumes()] == ["next"]


def test_a_server_that_is_not_there_is_a_store_that_does_not_answer(tmp_path):
    with volume_server(Registry({})) as gone:
        address = gone.address
    with volume_server(chained_registry(address)) as near, connect(near.address) as client:
        for ask in (lambda: client.open("next/mem/seg"), lambda: client.volumes("next")):
            with pytest.raises(StoreUnavailable, match=f"voxgate server {address} does not answer"):
                ask()
        assert [(e.name, e.is_volume) for e in client.volumes()] == [("next", False)]


def test_a_far_server_that_ends_in_the_middle_of_a_read_is_an_error_and_never_zeros(far):
    registry, store = far
    store.state.gate.clear()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(volume_server(registry))
        near = stack.enter_context(volume_server(chained_registry(server.address)))
        client = stack.enter_context(connect(near.address))
        volume = client.open("next/mem/lab/seg")
        _end_when_reading(stack, store, lambda: server.stop(0))
        with pytest.raises(StoreUnavailable):
            volume.read(BOXES[0])
        store.state.gate.set()


def test_a_read_outlives_a_far_server_that_starts_anew(far):
    registry, store = far
    store.state.gate.clear()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(volume_server(registry))
        near = stack.enter_context(volume_server(chained_registry(first.address)))
        client = stack.enter_context(connect(near.address))
        volume = client.open("next/mem/lab/seg")

        def start_anew():
            first.stop(0)
            stack.enter_context(volume_server(registry, port=first.port))
            store.state.gate.set()

        _end_when_reading(stack, store, start_anew)
        assert np.array_equal(volume.read(BOXES[0]), voxels_of_scale(0))
        assert np.array_equal(client.open("next/mem/lab/seg").read(BOXES[1], scale=1), voxels_of_scale(1))


def test_a_volume_is_transferred_from_a_chain_and_to_it(far):
    registry, _ = far
    with contextlib.ExitStack() as stack:
        last = stack.enter_context(volume_server(registry))
        remotes = {
            "next": RemoteConfig(uri=f"voxgate://{last.address}/mem", writable=True),
            "here": RemoteConfig(uri="memory://", writable=True),
        }
        suite = start_suite(RemotesConfig(remotes=remotes), settings(), http=False)
        stack.callback(suite.stop, 0)
        client = stack.enter_context(connect(suite.server.address))
        for source, destination in (("next/lab/seg", "here/copy"), ("here/copy", "next/lab/back")):
            result = client.transfer(source, destination).result(PATIENCE_S)
            assert result.verified_bytes == sum(voxels_of_scale(scale).nbytes for scale in range(len(BOXES)))
        returned = registry.open("mem/lab/back")
        for scale, box in enumerate(BOXES):
            assert np.array_equal(returned.read(box, scale=scale), voxels_of_scale(scale))


def _end_when_reading(stack, store, end):
    """Calls `end` in a thread as soon as the far store is read."""

    def wait_and_end():
        assert store.reading.wait(PATIENCE_S)
        end()

    thread = threading.Thread(target=wait_and_end)
    thread.start()
    stack.callback(thread.join, PATIENCE_S)
