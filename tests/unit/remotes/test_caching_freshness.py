"""What makes a cache forget: writes, deletions, time, another version, another caller."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from support.cached_volumes import HELD_UP_S, NAME, UNALIGNED, Watched, cached
from support.memory_volumes import two_scales
from voxgate.model.access import Caller
from voxgate.model.errors import StoreUnavailable, UnknownVolume
from voxgate.model.geometry import Box, Vec3
from voxgate.model.remotes import CallerBound, Deletable
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

CELL = Box.of(x=(-5, 3), y=(13, 19), z=(1004, 1008))
"""A whole chunk, one of those that are absent."""


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def store():
    remote, volume = two_scales()
    watched = Watched(remote)
    watched.truth = volume.scales
    return watched


def opened(remote, **options):
    return remote.open(NAME, OpenOptions(**options))


def write(volume, box, value, scale=0):
    volume.capability(Writable).write(box, np.full((1, *box.shape.zyx), value, "<u8"), scale=scale)


def test_what_may_change_is_believed_for_its_time_and_no_longer(store):
    clock = Clock()
    volume = opened(cached(store, ttl_s=30, clock=clock))
    volume.read(UNALIGNED)
    clock.now += 29.9
    volume.read(UNALIGNED)
    assert len(store.taken()) == 1
    clock.now += 0.2
    volume.read(UNALIGNED)
    assert len(store.taken()) == 1


def test_an_answer_is_as_old_as_its_question(store):
    clock = Clock()
    volume = opened(cached(store, ttl_s=30, clock=clock))

    def take_long(what, box):
        clock.now += 31

    store.before = take_long
    volume.read(UNALIGNED)
    volume.read(UNALIGNED)
    assert len(store.taken()) == 2


def test_what_a_clock_that_was_set_back_says_is_from_the_future_is_not_believed(store):
    clock = Clock()
    volume = opened(cached(store, ttl_s=30, clock=clock))
    volume.read(UNALIGNED)
    clock.now -= 3600
    volume.read(UNALIGNED)
    assert len(store.taken()) == 2


@pytest.mark.parametrize("who_says_so", ["store", "operator"])
def test_what_never_changes_is_believed_for_ever(store, who_says_so):
    clock = Clock()
    if who_says_so == "store":
        store.change = lambda info: replace(info, immutable=True)
    volume = opened(cached(store, ttl_s=0, clock=clock, immutable=who_says_so == "operator"))
    volume.read(UNALIGNED)
    clock.now += 10 * 365 * 86400
    volume.read(UNALIGNED)
    assert len(store.taken()) == 1


def test_without_time_to_live_what_may_change_is_not_kept(store):
    volume = opened(cached(store, ttl_s=0))
    volume.read(UNALIGNED)
    volume.read(UNALIGNED)
    assert len(store.taken()) == 2


def test_what_was_read_while_a_version_was_open_is_not_believed_once_it_is_committed(store):
    remote = cached(store, ttl_s=10**9)
    opened(remote).read(UNALIGNED)
    write(store.inner.open(NAME, OpenOptions()), CELL, 2**63 + 5)  # by somebody else, right before the commit
    store.change = lambda info: replace(info, immutable=True)
    assert (opened(remote).read(CELL) == 2**63 + 5).all()


def test_versions_are_kept_apart(store):
    remote = cached(store)
    for version in ("3fa", "9c1", "3fa"):
        store.change = lambda info, version=version: replace(info, resolved_version=version)
        opened(remote).read(UNALIGNED)
    assert len(store.taken()) == 2


def test_a_volume_that_became_another_one_is_read_anew(store):
    remote = cached(store, immutable=True)
    opened(remote).read(UNALIGNED)
    store.change = lambda info: replace(info, fill_value=9)
    opened(remote).read(UNALIGNED)
    assert len(store.taken()) == 2


def test_a_write_is_seen_by_every_handle_at_once(store):
    remote = cached(store, writable=True, ttl_s=10**9)
    reader, other = opened(remote), opened(remote)
    reader.read(UNALIGNED)
    assert other.capability(ChunkPresence).is_absent(CELL)
    assert reader.capability(EncodedChunks).read_encoded([CELL]) == [None]
    part = Box.of(x=(-4, 2), y=(14, 17), z=(1005, 1008))
    write(opened(remote), part, 2**53 + 1)
    assert (reader.read(part) == 2**53 + 1).all()
    assert not other.capability(ChunkPresence).is_absent(CELL)
    assert other.capability(EncodedChunks).read_encoded([CELL]) != [None]


def test_a_write_leaves_what_it_did_not_touch_and_forgets_other_scales(store):
    remote = cached(store, writable=True, ttl_s=10**9)
    volume = opened(remote)
    far, coarse = Box.of(x=(3, 11), y=(7, 13), z=(1000, 1004)), Box.of(x=(-4, 5), y=(2, 8), z=(1000, 1011))
    volume.read(far)
    volume.read(coarse, scale=1)
    store.taken()
    write(volume, CELL, 7)
    volume.read(far)
    assert [what for what, _, _ in store.taken()] == ["write"]
    volume.read(coarse, scale=1)
    assert [what for what, _, _ in store.taken()] == ["read"]


def test_a_write_that_failed_may_have_written(store):
    remote = cached(store, writable=True, ttl_s=10**9)
    volume = opened(remote)
    volume.read(UNALIGNED)

    def break_off(what, box):
        if what == "write":
            write(store.inner.open(NAME, OpenOptions()), box, 11)
            raise StoreUnavailable("the answer was lost", "look")

    store.before = break_off
    with pytest.raises(StoreUnavailable):
        write(volume, CELL, 11)
    assert (volume.read(CELL) == 11).all()


def test_what_was_on_its_way_while_a_write_ended_is_not_kept(store):
    """And nobody who asks after the write joins that read."""
    arrived, let_go, held = threading.Event(), threading.Event(), []

    def hold_up(what, box):
        if what == "read" and not arrived.is_set():
            held.append(store.inner.open(NAME, OpenOptions()).read(CELL))
            arrived.set()
            assert let_go.wait(HELD_UP_S)

    store.before = hold_up
    remote = cached(store, writable=True, ttl_s=10**9)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(opened(remote).read, CELL)
        assert arrived.wait(HELD_UP_S)
        write(opened(remote), CELL, 13)
        assert (opened(remote).read(CELL) == 13).all()
        asked = len(store.taken())
        assert asked == 3  # the read that waits, the write, and a read of its own
        let_go.set()
        slow.result(HELD_UP_S)
    assert (opened(remote).read(CELL) == 13).all()


def test_a_volume_under_two_names_is_forgotten_under_both(store):
    """Stores know some volumes by an alias and by a number; nobody tells the cache."""

    class TwoNames(Watched):
        def open(self, path, options):
            return super().open(NAME, options)

    both = TwoNames(store.inner)
    remote = cached(both, writable=True, ttl_s=10**9)
    alias = remote.open(("alias",), OpenOptions())
    alias.read(UNALIGNED)
    write(opened(remote), CELL, 17)
    assert (alias.read(CELL) == 17).all()


def test_a_deleted_volume_is_gone_and_one_of_its_name_is_another():
    remote = cached(MemoryRemote(RemoteConfig(uri="memory://", writable=True, deletable=True)), immutable=True)
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(UNALIGNED, chunk_shape=Vec3(8, 6, 4)),))
    volume = remote.create(NAME, spec)
    write(volume, UNALIGNED, 19)
    assert volume.read(UNALIGNED).all()
    remote.capability(Deletable).delete(NAME)
    with pytest.raises(UnknownVolume):
        volume.read(UNALIGNED)
    assert not remote.create(NAME, spec).read(UNALIGNED).any()


def test_where_a_store_is_asked_on_behalf_of_callers_none_gets_what_another_was_told(store):
    store.is_bound = True
    remote = cached(store, immutable=True)
    assert remote.capability(CallerBound) is not None
    for caller in ("ada", "bob", "ada", "", "bob"):
        context = CallContext(caller=Caller(caller))
        remote.for_caller(context).open(NAME, OpenOptions(context=context)).read(UNALIGNED)
    assert len(store.taken()) == 3


def test_where_a_store_is_asked_in_its_operators_name_callers_share(store):
    remote = cached(store, immutable=True)
    assert remote.capability(CallerBound) is None
    for caller in ("ada", "bob"):
        opened(remote, context=CallContext(caller=Caller(caller))).read(UNALIGNED)
    assert len(store.taken()) == 1
