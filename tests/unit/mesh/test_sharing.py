"""Meshes made once for all who ask: who makes them, who waits, and what is never shared."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mesh_makers import HUGE, MIB, Maker, Watched, answers, make_alone
from support.mesh_volumes import segmentation
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DeadlineExceeded,
    LimitExceeded,
    SegmentNotFound,
    StoreUnavailable,
)
from voxgate.model.geometry import Box
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_stream import MeshEnding
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, LabelView, OpenOptions
from voxgate_mesh import sharing
from voxgate_mesh.finished import FinishedMeshes
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.sharing import LastingVoxels, cached_or_made, lasting_voxels

VOXELS = LastingVoxels("lab/seg at v1", has_index=False)


@pytest.fixture(autouse=True)
def _short_heartbeats(monkeypatch):
    monkeypatch.setattr(sharing, "HEARTBEAT_S", 0.02)


def asking(cache, make, *ids, context=None, voxels=VOXELS, **wishes):
    request = MeshRequest(ids or (HUGE,), **wishes)
    patience = CallContext(deadline=time.monotonic() + 60)  # whoever waits for nobody fails then
    return cached_or_made(cache, voxels, request, make, context or patience)


def test_eight_who_ask_at_once_cost_one_computation_and_get_the_same():
    cache, make = Watched(), Maker(blocked=True)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(lambda: answers(asking(cache, make, HUGE, 7))) for _ in range(8)]
        cache.until_waited_for(7)
        make.go.set()
        found = [call.result(30) for call in calls]
    assert make.asked == [(HUGE, 7)]
    assert all(each == answers(make(MeshRequest((HUGE, 7)))) for each in found)
    counts = cache.counts()
    assert (counts.misses, counts.joined + counts.hits) == (2, 14)


def test_pieces_reach_the_one_who_computes_as_they_come():
    make = Maker(blocked=True)
    events = asking(FinishedMeshes(MIB), make)
    assert next(events) == ScanProgress("meshing", 1, 7)
    assert len(next(events).vertices) == make.rows  # the second is not made yet
    make.go.set()
    assert isinstance(list(events)[-1], MeshEnding)


def test_who_waits_is_told_how_far_the_one_who_computes_has_come():
    cache = FinishedMeshes(MIB)
    leader, waiter = asking(cache, Maker()), asking(cache, Maker())
    assert next(leader) == next(waiter) == ScanProgress("meshing", 1, 7)
    assert answers(leader) == answers(make_alone())
    assert [type(event) for event in waiter][-1] is MeshEnding


def cancelled(context, leader):
    context.stop.set()
    with pytest.raises(Cancelled):
        list(leader)


def left(_, leader):
    leader.close()


@pytest.mark.parametrize("leave", [cancelled, left])
def test_when_the_one_who_computes_leaves_one_of_those_who_wait_takes_over(leave):
    cache, make, context = Watched(), Maker(), CallContext()

    def leaving(request):
        for event in make(request):
            context.check()
            yield event

    leader = asking(cache, leaving, context=context)
    next(leader)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(lambda: answers(asking(cache, make))) for _ in range(3)]
        cache.until_waited_for(3)
        leave(context, leader)
        assert [call.result(30) for call in calls] == [answers(make_alone())] * 3
    assert len(make.asked) == 2
    assert cache.counts().held_bytes == cache.counts().entry_count * 2048 + 2 * (5 * 24 + 512)


def test_one_whose_caller_takes_nothing_is_not_waited_for_forever():
    now = [0.0]
    cache, make = Watched(patience_s=5, clock=lambda: now[0]), Maker()
    stuck = asking(cache, make)
    next(stuck)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(lambda: answers(asking(cache, make)))
        cache.until_waited_for(1)
        assert len(make.asked) == 1
        now[0] = 6.0
        assert call.result(30) == answers(make_alone())
    assert len(make.asked) == 2
    assert answers(stuck) == answers(make_alone())
    assert len(answers(asking(cache, make))) == 1
    assert len(make.asked) == 2


@pytest.mark.parametrize("ending", ["cancel", "deadline"])
def test_who_waits_does_so_no_longer_than_its_own_caller(ending):
    cache = FinishedMeshes(MIB)
    leader = asking(cache, Maker())
    next(leader)
    context = CallContext(deadline=0.0 if ending == "deadline" else None)
    if ending == "cancel":
        context.stop.set()
    never = Maker()
    with pytest.raises(Cancelled if ending == "cancel" else DeadlineExceeded):
        list(asking(cache, never, context=context))
    assert never.asked == []
    assert answers(leader) == answers(make_alone())


@pytest.mark.parametrize(
    "error", [StoreUnavailable("gone"), ChunkCorrupt("torn"), LimitExceeded("too much"), OSError()]
)
def test_a_failure_is_nobodys_but_its_own_callers_and_is_not_kept(error):
    cache, failing, make = Watched(), Maker(blocked=True, error=error), Maker()
    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(lambda: answers(asking(cache, failing)))
        assert failing.began.wait(30)
        waiting = [pool.submit(lambda: answers(asking(cache, make))) for _ in range(2)]
        cache.until_waited_for(2)
        failing.go.set()
        with pytest.raises(type(error)):
            leader.result(30)
        assert [call.result(30) for call in waiting] == [answers(make_alone())] * 2
    assert len(make.asked) == 2  # each for itself, none waiting for the other
    assert cache.counts().held_bytes == 0
    answers(asking(cache, make))
    answers(asking(cache, make))
    assert len(make.asked) == 3


@pytest.mark.parametrize(
    ("ending", "wishes", "has_index", "is_kept"),
    [
        ({"search": "everywhere"}, {}, False, True),
        ({"search": "index"}, {}, True, True),
        ({"search": "pyramid"}, {}, False, True),
        ({"search": "pyramid"}, {}, True, False),
        ({"search": "pyramid"}, {"search": "pyramid"}, True, True),
        ({"error": SegmentNotFound("no"), "search": "everywhere"}, {}, False, True),
        ({"error": SegmentNotFound("no"), "search": "pyramid"}, {"search": "pyramid"}, False, False),
        ({"error": LimitExceeded("too large beside others")}, {}, False, False),
        ({"error": ChunkCorrupt("torn")}, {}, False, False),
    ],
)
def test_only_answers_that_others_would_have_got_are_kept(ending, wishes, has_index, is_kept):
    cache, make = FinishedMeshes(MIB), Maker(ending=ending)
    voxels = replace(VOXELS, has_index=has_index)
    found = [answers(asking(cache, make, voxels=voxels, **wishes)) for _ in range(2)]
    assert found[0] == found[1]
    assert len(make.asked) == (1 if is_kept else 2)


def test_a_kept_error_holds_no_traceback_and_is_a_new_one_each_time():
    try:
        raise SegmentNotFound("no", "look", details={"segment_id": str(HUGE)})
    except SegmentNotFound as error:
        raised = error
    cache = FinishedMeshes(MIB)
    make = Maker(rows=0, ending={"error": raised})
    list(asking(cache, make))
    first, second = (list(asking(cache, make))[-1].error for _ in range(2))
    assert (str(first), first.details) == (str(raised), raised.details)
    assert first.__traceback__ is None
    assert first is not second
    assert len(make.asked) == 1


def test_only_what_is_not_there_is_made():
    cache, make = FinishedMeshes(MIB), Maker()
    kept = [HUGE + i for i in range(0, 12, 2)]
    answers(asking(cache, make, *kept))
    ten = [HUGE + i for i in range(10)]
    found = answers(asking(cache, make, *ten))
    assert found == answers(make_alone(*ten))
    assert make.asked[1] == tuple(HUGE + i for i in range(1, 10, 2))


def test_two_who_ask_for_some_of_the_same_wait_for_each_other_without_an_end():
    cache, make = Watched(), Maker(blocked=True)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: answers(asking(cache, make, 1, 2, 3)))
        assert make.began.wait(30)
        second = pool.submit(lambda: answers(asking(cache, make, 3, 4, 1)))
        make.go.set()
        assert first.result(30) == answers(make_alone(1, 2, 3))
        assert second.result(30) == answers(make_alone(3, 4, 1))
    assert sorted(each for ids in make.asked for each in ids) == [1, 2, 3, 4]


def test_what_is_too_large_streams_to_each_and_is_not_kept():
    cache, make = FinishedMeshes(8192), Maker(rows=60)
    for _ in range(3):
        assert answers(asking(cache, make)) == answers(make_alone(rows=60))
    assert len(make.asked) == 3
    assert cache.counts().held_bytes <= 8192


def test_what_is_refused_is_refused_also_where_everything_is_there():
    cache, make = FinishedMeshes(MIB), Maker()
    for start in (1, 31):
        answers(asking(cache, make, *range(start, start + 30)))
    with pytest.raises(LimitExceeded):
        asking(cache, make, *range(1, 61))


@pytest.mark.parametrize(("cache", "voxels"), [(FinishedMeshes(0), VOXELS), (FinishedMeshes(MIB), None)])
def test_nothing_is_kept_where_the_cache_is_off_or_voxels_may_change(cache, voxels):
    make = Maker()
    for _ in range(2):
        assert answers(asking(cache, make, voxels=voxels)) == answers(make_alone())
    assert len(make.asked) == 2
    assert cache.counts() == FinishedMeshes(0).counts()


@pytest.mark.parametrize("wishes", [{"source": "computed"}, {"mesher": "cubes"}, {"scale": 0}])
def test_the_same_wish_in_other_words_finds_the_same_mesh(wishes):
    cache, make = FinishedMeshes(MIB), Maker()
    answers(asking(cache, make))
    answers(asking(cache, make, **wishes))
    assert len(make.asked) == 1


OTHERS = [
    {"scale": 1},
    {"bounds": Box.of(x=(-7, 3), y=(1, 5), z=(2, 9))},
    {"closed": False},
    {"mesher": "skimage"},
    {"simplification": Simplification(max_error_nm=7.0)},
    {"simplification": Simplification(max_error_nm=7.0), "scale": 0},
    {"simplification": Simplification(max_error_nm=7.0, target_face_count=90)},
    {"simplification": Simplification(max_error_nm=7.0, mode="fast")},
    {"normals": True},
    {"search": "everywhere"},
    {"voxels": LastingVoxels("lab/seg at v2", has_index=False)},
]


def test_every_other_wish_is_another_mesh():
    cache, make = FinishedMeshes(MIB), Maker()
    for wishes in [{}, *OTHERS]:
        answers(asking(cache, make, **wishes))
    assert len(make.asked) == len(OTHERS) + 1


def test_voxels_last_only_where_their_description_says_so_and_are_told_apart():
    volume = segmentation(np.zeros((3, 4, 5), np.uint64))
    assert lasting_voxels(volume, OpenOptions()) is None

    class Described:
        def __init__(self, **said):
            self.info = replace(volume.info, **{"name": "lab/seg", "immutable": True, **said})

        def capability(self, kind):
            return None

    assert lasting_voxels(Described(name=""), OpenOptions()) is None
    # The same name, after it has become another store's.
    assert lasting_voxels(Described(), OpenOptions(), 1) != lasting_voxels(Described(), OpenOptions(), 2)
    opened = [
        (Described(), OpenOptions()),
        (Described(name="lab/other"), OpenOptions()),
        (Described(resolved_version="v1"), OpenOptions()),
        (Described(), OpenOptions(time_index=1)),
        (Described(), OpenOptions(label_view=LabelView.SUPERVOXELS)),
        (Described(scales=(replace(volume.info.scales[0], voxel_size_nm=None),)), OpenOptions()),
    ]
    assert len({lasting_voxels(*each).name for each in opened}) == len(opened)
    assert lasting_voxels(*opened[0]) == lasting_voxels(Described(), OpenOptions(version="latest"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9, unique=True), min_size=1, max_size=12),
    st.integers(1, 120),
    st.sampled_from([1, 5000, 20_000, 60_000]),
)
def test_whatever_was_asked_before_the_answer_is_the_same_and_memory_is_bounded(requests, rows, max_bytes):
    cache, make = FinishedMeshes(max_bytes), Maker(rows=rows)
    for ids in requests:
        assert answers(asking(cache, make, *ids)) == answers(make_alone(*ids, rows=rows))
        assert cache.counts().held_bytes <= max_bytes
