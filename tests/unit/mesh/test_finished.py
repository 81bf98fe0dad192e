"""What is kept of finished meshes, and for how long."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate_mesh.finished import FinishedMesh, FinishedMeshes, Flight, kept_bytes, kept_piece

HUGE = 2**63 + 9
ENTRY = 2048  # what an entry costs beside its tables
MOST = 40_000


def piece(segment_id, rows, normals=False):
    vertices = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) + segment_id % 97
    faces = np.arange(3 * rows, dtype=np.uint32).reshape(rows, 3) % max(rows, 1)
    return kept_piece(MeshPiece(segment_id, 0, vertices, faces, vertices / 2 if normals else None))


def finish(cache, key, rows=10):
    """Make a mesh as a call does; whether it was let in, and what it counts."""
    flight = Flight()
    cache.board([key], flight, set())
    part = piece(key[1], rows)
    size = kept_bytes(part)
    if size > cache.most_bytes or not cache.reserve(size):
        cache.give_up(key, flight, is_too_large=size > cache.most_bytes)
        return False, ENTRY
    cache.finish(key, flight, FinishedMesh((part,), MeshEnding(key[1], rows, rows)), size)
    return True, size + ENTRY


STEPS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0, 1, 40, 380, 380, 900]), st.booleans()), max_size=60)


@given(STEPS)
def test_the_least_recently_used_goes_first_and_the_bytes_are_never_exceeded(steps):
    cache = FinishedMeshes(MOST)
    model: OrderedDict[int, tuple[bool, int]] = OrderedDict()
    for segment_id, rows, is_new in steps:
        key = ("digest", segment_id)
        found = cache.take(key)
        assert (found is not None) == model.get(segment_id, (False, 0))[0]
        if found is not None:
            assert found.pieces[0].segment_id == segment_id
            model.move_to_end(segment_id)
        elif is_new and segment_id not in model:
            collected = 0 if rows * 24 + 512 > MOST // 4 else rows * 24 + 512
            while model and sum(size for _, size in model.values()) + collected > MOST:
                model.popitem(last=False)
            model[segment_id] = finish(cache, key, rows)
            while sum(size for _, size in model.values()) > MOST:
                model.popitem(last=False)
        held = cache.counts().held_bytes
        assert held == sum(size for _, size in model.values()) <= MOST
    assert cache.counts().entry_count == sum(is_kept for is_kept, _ in model.values())


def test_what_was_asked_for_again_outlives_what_came_after_it():
    cache = FinishedMeshes(MOST)
    first, second, third, fourth = (("digest", HUGE + i) for i in range(4))
    for key in (first, second, third):
        finish(cache, key, rows=380)
    assert cache.take(first) is not None
    finish(cache, fourth, rows=380)
    assert [cache.take(key) is not None for key in (first, second, third, fourth)] == [True, False, True, True]


def test_running_calls_collect_no_more_than_half_and_what_is_kept_makes_room():
    cache = FinishedMeshes(MOST)
    for segment_id in range(1, 5):
        finish(cache, ("digest", segment_id), rows=300)
    assert cache.counts().entry_count == 4
    assert cache.reserve(MOST // 4)
    assert cache.counts().entry_count == 3
    assert cache.take(("digest", 1)) is None
    assert cache.reserve(MOST // 4)
    assert not cache.reserve(1)
    assert cache.counts().held_bytes <= MOST
    cache.release(MOST // 2)
    assert cache.reserve(1)


def test_a_kept_piece_holds_on_to_nothing_larger_and_cannot_be_written_into():
    room = np.zeros((100_000, 3), np.float32)
    faces = np.zeros((5, 3), np.uint32)
    kept = kept_piece(MeshPiece(HUGE, 3, room[:7], faces, room[7:14]))
    for table in (kept.vertices, kept.normals, kept.faces):
        assert table.base is None or table.base.nbytes == table.nbytes
        with pytest.raises(ValueError, match="read-only"):
            table[0, 0] = 1
    room[:14] = faces[:] = 9  # the caller's own tables stay writable
    assert kept.vertices.max() == kept.normals.max() == 0
    assert (kept.segment_id, kept.first_vertex, len(kept.vertices), len(kept.normals)) == (HUGE, 3, 7, 7)
    assert kept_piece(MeshPiece(1, 0, room[:2], faces)).normals is None


def test_what_is_being_made_is_claimed_once_and_what_came_meanwhile_is_in_no_list():
    cache = FinishedMeshes(MOST)
    first, second = Flight(), Flight()
    keys = [("digest", HUGE + i) for i in range(4)]
    assert cache.board(keys[:2], first, set()).claimed == tuple(keys[:2])
    finish(cache, keys[3])
    boarding = cache.board(keys, second, set())
    assert boarding.claimed == (keys[2],)
    assert boarding.joined == {keys[0]: first, keys[1]: first}
    assert boarding.alone == ()
    cache.leave(keys[:2], first)
    assert cache.wait(keys[0], first, 0)
    assert not cache.wait(keys[2], second, 0)
    assert cache.board(keys[:1], second, {keys[0]}).alone == (keys[0],)


def test_what_is_too_large_to_keep_is_remembered_to_be_and_makes_nobody_wait():
    cache = FinishedMeshes(MOST)
    assert finish(cache, ("digest", HUGE), rows=5000)[0] is False
    assert cache.take(("digest", HUGE)) is None
    assert cache.board([("digest", HUGE)], Flight(), set()).alone == (("digest", HUGE),)
    assert cache.counts().entry_count == 0


def test_counts_tell_what_was_there_what_was_waited_for_and_what_was_made():
    cache = FinishedMeshes(MOST)
    finish(cache, ("digest", HUGE))
    for waited in (False, True, False):
        assert cache.take(("digest", HUGE), waited=waited) is not None
    counts = cache.counts()
    assert (counts.hits, counts.joined, counts.misses, counts.entry_count) == (2, 1, 1, 1)
