"""What is asked for again, how often, and at which version: the logic, without a network."""

import threading
from dataclasses import replace

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.array_volume import scale_of
from voxgate.client.resuming import (
    Broken,
    OneVersion,
    Persistence,
    is_break,
    lanes_of,
    read_in_lanes,
    read_whole,
)
from voxgate.model.errors import Cancelled, ChunkCorrupt, ServerUnreachable, StoreUnavailable, VersionMoved
from voxgate.model.geometry import Box, Vec3, covered_once, grid_cells, uncovered
from voxgate.model.volumes import CallContext
from voxgate.wire.errors import DETAILS_KEY, to_status

BOX = Box.of(x=(-3, 20), y=(100, 117), z=(41, 50))
AT_ONCE = Persistence(first_wait_s=0.0, most_wait_s=0.0)
GONE = ServerUnreachable("nothing answers")


class Breaking:
    """A store of cells; each call brings as many as the script says, then breaks."""

    def __init__(self, script, error=GONE):
        self.script = list(script)
        self.error = error
        self.came = []
        self.asked = []

    def __call__(self, part):
        self.asked.append(part)
        cells = list(grid_cells(part, Vec3(4, 5, 3), BOX.start))
        count = self.script.pop(0) if self.script else len(cells)
        self.came += cells[:count]
        missing = uncovered(part, cells[:count])
        return Broken(self.error, tuple(missing)) if missing else None


@given(st.lists(st.integers(0, 30), max_size=12))
def test_every_voxel_comes_exactly_once_however_calls_break(script):
    attempt = Breaking([max(1, count) for count in script])
    read_whole(BOX, attempt, context=CallContext(), persistence=AT_ONCE)
    assert covered_once(BOX, attempt.came)
    assert attempt.asked[0] == BOX


def test_only_what_is_missing_is_asked_for():
    attempt = Breaking([7])
    read_whole(BOX, attempt, context=CallContext(), persistence=AT_ONCE)
    assert covered_once(BOX, attempt.came[:7] + attempt.asked[1:])


def test_calls_in_a_row_that_bring_nothing_end_the_read():
    attempt = Breaking([0] * 99)
    with pytest.raises(ServerUnreachable):
        read_whole(BOX, attempt, context=CallContext(), persistence=AT_ONCE)
    assert len(attempt.asked) == AT_ONCE.first_attempts


def test_after_something_came_patience_is_longer_and_every_step_renews_it():
    script = [0, 0, 3, *[0] * (AT_ONCE.later_attempts - 2), 1, *[0] * (AT_ONCE.later_attempts - 2)]
    attempt = Breaking(script)
    read_whole(BOX, attempt, context=CallContext(), persistence=AT_ONCE)
    assert covered_once(BOX, attempt.came)
    attempt = Breaking([3, *[0] * 99])
    with pytest.raises(ServerUnreachable):
        read_whole(BOX, attempt, context=CallContext(), persistence=AT_ONCE)
    assert len(attempt.asked) == AT_ONCE.later_attempts


def test_a_refusal_passes_through():
    def refuse(part):
        raise StoreUnavailable("the store went away")

    with pytest.raises(StoreUnavailable):
        read_whole(BOX, refuse, context=CallContext(), persistence=AT_ONCE)


def corrupt(box):
    return ChunkCorrupt(f"the bytes of {box} were damaged", details={"box": str(box)})


def test_a_block_damaged_twice_is_an_error_and_two_blocks_damaged_once_are_not():
    first, second = BOX, Box.of(x=(0, 1), y=(100, 101), z=(41, 42))
    errors = [corrupt(first), corrupt(second), None]
    read_whole(
        BOX,
        lambda part: (error := errors.pop(0)) and Broken(error, (part,)),
        context=CallContext(),
        persistence=AT_ONCE,
    )
    errors = [corrupt(first), corrupt(second), corrupt(first)]
    with pytest.raises(ChunkCorrupt) as raised:
        read_whole(BOX, lambda part: Broken(errors.pop(0), (part,)), context=CallContext(), persistence=AT_ONCE)
    assert raised.value.details == {"box": str(first)}


def test_a_stop_ends_the_waiting():
    context = CallContext()
    threading.Timer(0.05, context.stop.set).start()
    with pytest.raises(Cancelled):
        read_whole(
            BOX, Breaking([0] * 9), context=context, persistence=Persistence(first_wait_s=9999, most_wait_s=9999)
        )


@given(st.integers(1, 9), st.integers(-40, 40), st.integers(1, 90), st.integers(1, 13))
def test_lanes_are_the_box_cut_between_stored_chunks(count, start, extent, cell):
    level = replace(scale_of((9, 9, 9)), stored_chunk_shape=Vec3(5, 6, cell), grid_origin=Vec3(7, -11, 3))
    box = Box.of(x=(1, 4), y=(-2, 9), z=(start, start + extent))
    parts = lanes_of(box, level, count)
    assert 1 <= len(parts) <= count
    assert covered_once(box, parts)
    assert all((part.stop.z - 3) % cell == 0 for part in parts[:-1])


def test_the_first_failure_of_a_lane_ends_the_others():
    failed = threading.Event()

    def endless(part):
        failed.wait(30)
        raise Cancelled("another part of the same read failed")

    def refuse(part):
        raise StoreUnavailable("the store went away")

    with pytest.raises(StoreUnavailable):
        read_in_lanes([BOX, BOX], [endless, refuse], context=CallContext(), failed=failed)


def test_the_first_version_said_is_the_one_that_counts():
    version = OneVersion("")
    version.note(None)
    assert version.wanted == ""
    version.note("v5")
    version.note("v5")
    assert version.wanted == "v5"
    with pytest.raises(VersionMoved, match="v5"):
        version.note("v6")


class Ended(grpc.RpcError, grpc.Call):
    """A call that ended."""

    def __init__(self, code, error=None):
        self._code = code
        self._trailers = [(DETAILS_KEY, to_status(error).SerializeToString())] if error else None

    def code(self):
        return self._code

    def trailing_metadata(self):
        return self._trailers

    def details(self):
        return ""

    def initial_metadata(self):
        return ()

    def is_active(self):
        return False

    def time_remaining(self):
        return None

    def cancel(self):
        return False

    def add_callback(self, callback):
        return False


@pytest.mark.parametrize(
    ("ended", "broken"),
    [
        (Ended(grpc.StatusCode.UNAVAILABLE), True),
        (Ended(grpc.StatusCode.INTERNAL), True),
        (Ended(grpc.StatusCode.CANCELLED), True),
        (Ended(grpc.StatusCode.CANCELLED, Cancelled("the server stops")), True),
        (Ended(grpc.StatusCode.UNAVAILABLE, StoreUnavailable("the store went away")), False),
        (Ended(grpc.StatusCode.DEADLINE_EXCEEDED), False),
        (Ended(grpc.StatusCode.RESOURCE_EXHAUSTED), False),
        (Ended(grpc.StatusCode.UNIMPLEMENTED), False),
        (grpc.RpcError(), False),
    ],
)
def test_a_break_is_told_from_a_refusal(ended, broken):
    assert is_break(ended) is broken
