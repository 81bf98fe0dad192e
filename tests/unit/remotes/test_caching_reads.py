"""A cache of stored chunks: what is asked of the store, and that nothing but the truth is answered."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cached_volumes import HELD_UP_S, NAME, UNALIGNED, Watched, cached, counted
from support.memory_volumes import CHUNK, three_channels, two_scales
from voxgate.model.errors import Cancelled, ChunkMissing, DeadlineExceeded, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.segments import SegmentIdReservation
from voxgate.model.volumes import (
    CallContext,
    ChunkPresence,
    EncodedChunks,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote
from voxgate_remotes.testing.cases import boxes_in

FOREVER = 10**9


@pytest.fixture
def store():
    remote, volume = two_scales()
    watched = Watched(remote)
    watched.truth = volume.scales
    return watched


def opened(remote, **options):
    return remote.open(NAME, OpenOptions(**options))


def cells_touched(box, level):
    return list(grid_cells(box, level.stored_chunk_shape, level.grid_origin))


def test_what_was_read_once_is_not_asked_of_the_store_again(store):
    volume = opened(cached(store))
    first = volume.read(UNALIGNED)
    assert [what for what, _, _ in store.taken()] == ["read"]
    inside = Box.of(x=(-5, 2), y=(9, 11), z=(1003, 1007))
    assert np.array_equal(volume.read(UNALIGNED), first)
    assert np.array_equal(volume.read(inside), store.truth[0].cut(inside))
    assert store.taken() == []


def test_the_store_is_asked_for_whole_chunks_clipped_to_the_bounds(store):
    volume = opened(cached(store))
    volume.read(Box.of(x=(14, 16), y=(23, 24), z=(1009, 1011)))
    ((_, box, _),) = store.taken()
    assert box == Box.of(x=(11, 16), y=(19, 24), z=(1008, 1011))


def test_only_what_is_missing_is_asked_for(store):
    volume = opened(cached(store))
    left = Box.of(x=(-13, 3), y=(7, 24), z=(1000, 1011))
    volume.read(left)
    store.taken()
    whole = volume.info.scales[0].bounds
    assert np.array_equal(volume.read(whole), store.truth[0].cut(whole))
    assert [box for _, box, _ in store.taken()] == [Box.of(x=(3, 16), y=(7, 24), z=(1000, 1011))]


def test_scattered_holes_are_asked_for_together_where_that_is_hardly_more(store):
    volume = opened(cached(store))
    cells = cells_touched(volume.info.scales[0].bounds, volume.info.scales[0])
    for cell in cells[::3]:
        volume.read(cell)
    store.taken()
    whole = volume.info.scales[0].bounds
    assert np.array_equal(volume.read(whole), store.truth[0].cut(whole))
    assert len(store.taken()) == 1


def test_every_handle_of_a_volume_shares_what_is_kept_and_every_scale_has_its_own(store):
    remote = cached(store)
    opened(remote).read(UNALIGNED)
    store.taken()
    opened(remote).read(UNALIGNED)
    assert store.taken() == []
    coarse = Box.of(x=(-4, 5), y=(2, 8), z=(1000, 1011))
    assert np.array_equal(opened(remote).read(coarse, scale=1), store.truth[1].cut(coarse))
    assert len(store.taken()) == 1


def test_channels_are_kept_each_by_itself():
    remote, known = three_channels()
    store = Watched(remote)
    volume = opened(cached(store))
    box = known.scales[0].bounds
    true = known.scales[0].voxels
    assert np.array_equal(volume.read(box, channels=[2, 0]), true[[2, 0]])
    store.taken()
    assert np.array_equal(volume.read(box, channels=[0, 2, 0]), true[[0, 2, 0]])
    assert store.taken() == []
    assert np.array_equal(volume.read(box), true)
    assert len(store.taken()) == 1
    assert np.array_equal(volume.read(box, channels=[1]), true[[1]])
    assert store.taken() == []


def test_readers_of_one_chunk_at_the_same_time_ask_the_store_once(store):
    arrived, let_go = threading.Event(), threading.Event()

    def hold_up(what, box):
        arrived.set()
        assert let_go.wait(HELD_UP_S)

    store.before = hold_up
    remote = cached(store)
    with ThreadPoolExecutor(8) as threads:
        reads = [threads.submit(opened(remote).read, UNALIGNED) for _ in range(8)]
        assert arrived.wait(HELD_UP_S)
        while counted(remote).get("shared", 0) < 7 * len(cells_touched(UNALIGNED, opened(remote).info.scales[0])):
            assert not any(read.done() for read in reads)
            threading.Event().wait(0.01)
        let_go.set()
        for read in reads:
            assert np.array_equal(read.result(HELD_UP_S), store.truth[0].cut(UNALIGNED))
    assert len(store.asked) == 1


def test_who_waits_for_one_who_leaves_asks_by_himself(store):
    arrived, let_go = threading.Event(), threading.Event()
    leaving = CallContext()

    def leave(what, box):
        if not arrived.is_set():
            arrived.set()
            assert let_go.wait(HELD_UP_S)
            leaving.check()

    store.before = leave
    remote = cached(store)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(opened(remote, context=leaving).read, UNALIGNED)
        assert arrived.wait(HELD_UP_S)
        second = threads.submit(opened(remote).read, UNALIGNED)
        while not counted(remote).get("shared"):
            threading.Event().wait(0.01)
        leaving.stop.set()
        let_go.set()
        with pytest.raises(Cancelled):
            first.result(HELD_UP_S)
        assert np.array_equal(second.result(HELD_UP_S), store.truth[0].cut(UNALIGNED))


def test_who_waits_leaves_when_his_own_patience_ends(store):
    arrived, let_go = threading.Event(), threading.Event()

    def hold_up(what, box):
        arrived.set()
        assert let_go.wait(HELD_UP_S)

    store.before = hold_up
    remote = cached(store)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(opened(remote).read, UNALIGNED)
        assert arrived.wait(HELD_UP_S)
        impatient = CallContext()
        waiting = threads_of_one(lambda: opened(remote, context=impatient).read(UNALIGNED))
        while not counted(remote).get("shared"):
            threading.Event().wait(0.01)
        impatient.stop.set()
        with pytest.raises(Cancelled):
            waiting.result(HELD_UP_S)
        let_go.set()
        first.result(HELD_UP_S)


def threads_of_one(work):
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


@pytest.mark.parametrize("error", [StoreUnavailable("gone", "wait"), DeadlineExceeded("late"), ChunkMissing("lost")])
def test_a_read_that_fails_leaves_nothing_behind(store, error):
    def fail(what, box):
        raise error

    store.before = fail
    volume = opened(cached(store))
    for _ in range(2):
        with pytest.raises(type(error)):
            volume.read(UNALIGNED)
    store.before = lambda what, box: None
    assert np.array_equal(volume.read(UNALIGNED), store.truth[0].cut(UNALIGNED))
    assert len(store.asked) == 3


def test_all_who_wait_for_a_store_that_fails_are_told_so_after_one_question(store):
    arrived, let_go = threading.Event(), threading.Event()

    def fail(what, box):
        arrived.set()
        assert let_go.wait(HELD_UP_S)
        raise StoreUnavailable("gone", "wait")

    store.before = fail
    remote = cached(store)
    with ThreadPoolExecutor(4) as threads:
        reads = [threads.submit(opened(remote).read, Box.at(Vec3(3, 7, 1000), Vec3(2, 3, 1))) for _ in range(4)]
        assert arrived.wait(HELD_UP_S)
        while counted(remote).get("shared", 0) < 3:
            threading.Event().wait(0.01)
        let_go.set()
        assert {type(read.exception(HELD_UP_S)) for read in reads} == {StoreUnavailable}
    assert len(store.asked) == 1


def test_absent_chunks_are_asked_for_once_and_stay_absent(store):
    volume = opened(cached(store))
    presence, chunks = volume.capability(ChunkPresence), volume.capability(EncodedChunks)
    level, (absent,) = volume.info.scales[0], store.truth[0].absent
    cells = cells_touched(absent, level)
    for _ in range(3):
        assert chunks.read_encoded(cells) == [None] * len(cells)
        assert all(presence.is_absent(cell) for cell in cells)
        assert not presence.is_absent(Box.at(level.bounds.start, Vec3(1, 2, 3)))
        assert not volume.read(absent).any()
    # Whether the first chunk of all is there is the one thing that the stored chunks did not say.
    assert [what for what, _, _ in store.taken()] == ["read_encoded"] * len(cells) + ["is_absent"]


def test_chunks_that_are_passed_on_are_kept_as_they_are_stored(store):
    volume = opened(cached(store))
    chunks = volume.capability(EncodedChunks)
    cells = cells_touched(UNALIGNED, volume.info.scales[0])
    whole = [cell for cell in cells_touched(volume.info.scales[0].bounds, volume.info.scales[0]) if cell in cells]
    first = chunks.read_encoded(whole)
    store.taken()
    again = chunks.read_encoded(whole[::-1])[::-1]
    assert again == first
    assert store.taken() == []


@pytest.mark.parametrize("values", [[0.0, -0.0], [-0.0, -0.0], [np.nan, np.nan], [1.5, 1.5], [-0.0, 0.0]])
def test_chunks_of_one_value_are_kept_bit_by_bit(values):
    voxels = np.array(values * 12, "<f4").reshape(1, 2, 3, 4)
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    box = Box.at(Vec3(5, 6, 7), Vec3(4, 3, 2))
    spec = VolumeSpec(voxels.dtype, VolumeKind.IMAGE, (ScaleSpec(box, chunk_shape=Vec3(4, 3, 2)),))
    remote.create(NAME, spec).write(box, voxels)
    volume = opened(cached(remote))
    for _ in range(2):
        assert volume.read(box).tobytes() == voxels.tobytes()


def test_a_cache_has_the_powers_of_its_volume_and_no_others(store):
    plain, behind = opened(store), opened(cached(store))
    for kind in (Writable, ChunkPresence, EncodedChunks, SegmentIdReservation):
        assert (behind.capability(kind) is None) == (plain.capability(kind) is None)


def test_memory_holds_no_more_than_it_may_and_reads_stay_right(store):
    remote = cached(store, memory_bytes=4000)
    volume = opened(remote)
    for cell in cells_touched(volume.info.scales[0].bounds, volume.info.scales[0]):
        assert np.array_equal(volume.read(cell), store.truth[0].cut(cell))
        assert remote.report().gauges["memory_bytes"] <= 4000
    counts = counted(remote)
    assert counts["memory_evicted"] > 0
    assert remote.report().gauges["memory_bytes"] > 0


def test_what_was_used_last_stays_longest(store):
    volume = opened(cached(store, memory_bytes=7000))  # three chunks of 1536 bytes, and what an entry costs
    a, b, c, d = [Box.at(Vec3(-13 + 8 * i, 7, 1000), Vec3(1, 1, 1)) for i in range(4)]
    for box in (a, b, c, a, d):
        volume.read(box)
    store.taken()
    volume.read(a)
    assert store.taken() == []
    volume.read(b)
    assert len(store.taken()) == 1


def test_chunks_that_are_too_large_are_left_to_the_store(store, monkeypatch):
    monkeypatch.setattr("voxgate_remotes.caching.volume.MOST_BYTES", CHUNK.product * 8 - 1)
    remote = cached(store)
    volume = opened(remote)
    for _ in range(2):
        assert np.array_equal(volume.read(UNALIGNED), store.truth[0].cut(UNALIGNED))
    assert [box for _, box, _ in store.taken()] == [UNALIGNED] * 2
    assert counted(remote) == {"bypassed": 2}


def test_a_read_of_many_chunks_holds_some_at_a_time(store, monkeypatch):
    monkeypatch.setattr("voxgate_remotes.caching.reading._AT_ONCE_BYTES", 4 * CHUNK.product * 8)
    volume = opened(cached(store))
    plane = Box.of(x=(-13, 16), y=(7, 24), z=(1005, 1006))
    assert np.array_equal(volume.read(plane), store.truth[0].cut(plane))
    asked = [box for _, box, _ in store.taken()]
    assert len(asked) > 2
    assert max(box.voxel_count for box in asked) <= 4 * CHUNK.product


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_random_reads_and_writes_equal_an_uncached_volume(data):
    remote, known = two_scales()
    truth = [facts.voxels.copy() for facts in known.scales]
    behind = cached(remote, writable=True, memory_bytes=data.draw(st.sampled_from([3000, FOREVER])))
    for step in range(data.draw(st.integers(1, 12))):
        volume = opened(behind)
        scale = data.draw(st.integers(0, 1))
        bounds = known.scales[scale].bounds
        box = data.draw(boxes_in(bounds))
        where = (slice(None), *box.slices_zyx(bounds.start))
        if data.draw(st.booleans()):
            voxels = np.full((1, *box.shape.zyx), 2**63 + step * data.draw(st.integers(0, 1)), "<u8")
            volume.capability(Writable).write(box, voxels, scale=scale)
            truth[scale][where] = voxels
        else:
            assert np.array_equal(volume.read(box, scale=scale), truth[scale][where])


def test_a_volume_of_several_times_of_which_none_was_picked_is_left_to_the_store(store):
    store.change = lambda info: replace(info, time_count=3)
    volume = opened(cached(store))
    for _ in range(2):
        volume.read(UNALIGNED)
    assert len(store.taken()) == 2
