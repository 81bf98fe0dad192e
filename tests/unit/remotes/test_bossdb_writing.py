"""How BossDB is written: zeros arrive, neighbours stay, nothing is lost without a word."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.boss_remotes import PATH, bare_remote, boss_remote, erase, held
from support.bossdb import BossServer, bossdb_server
from support.references import image, segmentation
from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import (
    Cancelled,
    ReadOnly,
    StoreAccessDenied,
    StoreRefused,
    StoreUnavailable,
    VerificationFailed,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, OpenOptions, Writable
from voxgate_remotes.bossdb.regions import Regions
from voxgate_remotes.bossdb.volume import BossVolume

BOUNDS = Box.of(x=(500, 533), y=(4, 17), z=(13, 21))
"""Around a corner of cuboids."""
BOX = Box.of(x=(507, 520), y=(5, 11), z=(15, 18))
OLD = segmentation((1, *BOUNDS.shape.zyx), seed=5) | np.uint64(1)


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, OLD[0], start=tuple(BOUNDS.start))
        yield running


@pytest.fixture
def volume(server: BossServer) -> BossVolume:
    return bare_remote(server).open(PATH, OpenOptions())


def expected(voxels: np.ndarray, box: Box = BOX) -> np.ndarray:
    whole = OLD.copy()
    whole[:, *box.slices_zyx(BOUNDS.start)] = voxels
    return whole


def mixed(seed: int = 0) -> np.ndarray:
    voxels = segmentation((1, *BOX.shape.zyx), seed=seed)
    voxels[:, 1::2, ::3, 2:9] = 0
    return voxels


def sent(server: BossServer) -> list[str]:
    """Erasing and sending, in order."""
    return [record.method for record in server.requests if record.method in ("PUT", "POST")]


def test_zeros_that_a_caller_writes_arrive_and_neighbours_stay(server, volume):
    volume.write(BOX, mixed())
    np.testing.assert_array_equal(held(server, BOUNDS), expected(mixed()))


def test_a_box_is_erased_and_then_sent_each_once_and_looked_at(server, volume):
    volume.write(Box.of(x=(500, 510), y=(4, 9), z=(13, 16)), mixed()[:, :3, :5, :10])
    calls = [(r.method, r.path.rpartition("lab/")[0], r.query) for r in server.requests if "/cutout/" in r.path]
    assert calls == [
        ("PUT", "/v1/cutout/to_black/", ""),
        ("POST", "/v1/cutout/", ""),
        ("GET", "/v1/cutout/", "access-mode=no-cache"),
    ]


def test_without_zeros_nothing_is_erased(server, volume):
    voxels = mixed() | np.uint64(2**63)
    volume.write(BOX, voxels)
    np.testing.assert_array_equal(held(server, BOUNDS), expected(voxels))
    assert set(sent(server)) == {"POST"}


def test_zeros_alone_are_only_erased(server, volume):
    volume.write(BOX, np.zeros((1, *BOX.shape.zyx), np.uint64))
    np.testing.assert_array_equal(held(server, BOUNDS), expected(np.uint64(0)))
    assert set(sent(server)) == {"PUT"}


def test_numbers_whose_sum_is_zero_in_64_bits_arrive(server, volume):
    voxels = np.full((1, *BOX.shape.zyx), 2**63, np.uint64)
    voxels[0, 0] = 0
    volume.write(BOX, voxels)
    np.testing.assert_array_equal(held(server, BOUNDS), expected(voxels))


def test_only_the_time_that_was_opened_is_written(server):
    old = image((3, 5, 6, 7), "<u2")
    server.store.add_channel("lab", "film", "em", old, num_time_samples=3)
    volume = bare_remote(server).open(("lab", "film", "em"), OpenOptions(time_index=1))
    box = Box.of(x=(2, 6), y=(1, 3), z=(0, 4))
    voxels = image((1, 4, 2, 4), "<u2", seed=3)
    voxels[0, 2] = 0
    volume.write(box, voxels)
    old[1, 0:4, 1:3, 2:6] = voxels[0]
    for time in range(3):
        found = held(server, Box.of(x=(0, 7), y=(0, 6), z=(0, 5)), time, ("lab", "film", "em"))
        np.testing.assert_array_equal(found[0], old[time])


def test_a_write_too_large_for_the_store_is_sent_in_halves(server, volume):
    server.state.cutout_max_bytes = 300
    volume.write(BOX, mixed())
    server.state.cutout_max_bytes = 1 << 30
    np.testing.assert_array_equal(held(server, BOUNDS), expected(mixed()))


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_a_busy_or_breaking_store_did_not_answer_is_said_again(server, volume, method):
    server.fail_next(503, method=method)
    server.fail_next(429, 3004, "slow down", {"Retry-After": "0"}, method=method)
    server.cut_next(0, method=method)
    volume.write(BOX, mixed())
    np.testing.assert_array_equal(held(server, BOUNDS), expected(mixed()))


def test_what_was_erased_and_could_not_be_sent_is_told(server, volume):
    server.fail_next(403, 3001, "no rights to add", method="POST", times=50)
    with pytest.raises(StoreAccessDenied, match="no rights to add") as caught:
        volume.write(Box.of(x=(512, 520), y=(5, 9), z=(16, 18)), mixed()[:, :2, :4, :8])
    assert caught.value.details["erased"] == "x[512:520] y[5:9] z[16:18]"
    assert "were erased" in str(caught.value)
    assert "write them again" in caught.value.remedy
    server.clear_faults()
    volume.write(BOX, mixed())
    np.testing.assert_array_equal(held(server, BOUNDS), expected(mixed()))


def test_an_erasure_of_unknown_end_is_told(server, volume):
    server.fail_next(500, method="PUT", times=50)
    with pytest.raises(StoreUnavailable, match="may have been erased") as caught:
        volume.write(BOX, mixed())
    assert "erased" in caught.value.details


def test_a_refused_erasure_changed_nothing_and_says_only_that(server, volume):
    server.fail_next(403, 3001, method="PUT", times=50)
    with pytest.raises(StoreAccessDenied) as caught:
        volume.write(BOX, mixed())
    assert "erased" not in caught.value.details
    np.testing.assert_array_equal(held(server, BOUNDS), OLD)


def test_what_reads_back_differently_is_an_error(server, volume):
    def spoil(request):
        if request.method == "GET" and "/cutout/" in request.path:
            erase(server, BOX)

    server.on_request(spoil)
    with pytest.raises(VerificationFailed) as caught:
        volume.write(BOX, mixed())
    assert int(caught.value.details["differing_voxels"]) > 0


def test_nothing_is_read_back_where_the_operator_does_not_want_it(server):
    bare_remote(server, options={"verify_writes": False}).open(PATH, OpenOptions()).write(BOX, mixed())
    assert server.requests.count("GET", "/cutout/") == 0


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_caller_who_leaves_while_a_box_is_written_leaves_no_hole(server, method):
    context = CallContext()
    volume = bare_remote(server).open(PATH, OpenOptions(context=context))
    box = Box.of(x=(512, 520), y=(5, 9), z=(16, 18))
    answering = threading.Event()

    def leave(request):
        if request.method == method:
            context.stop.set()
            threading.Timer(0.5, answering.set).start()  # by then a caller's patience would have ended the request

    server.on_request(leave)
    server.hold_next(answering, method=method)
    with pytest.raises(Cancelled) as caught:
        volume.write(box, mixed()[:, :2, :4, :8])
    assert "erased" not in caught.value.details
    np.testing.assert_array_equal(held(server, BOUNDS), expected(mixed()[:, :2, :4, :8], box))


def test_writers_of_overlapping_boxes_take_turns(server, volume):
    """Whoever is last wins everywhere: no mixture of both."""
    ones, twos = (np.full((1, *BOX.shape.zyx), number, np.uint64) for number in (1, 2))
    ones[0, 0], twos[0, 1] = 0, 0
    for _ in range(8):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda voxels: volume.write(BOX, voxels), (ones, twos)))
        found = held(server, BOX)
        assert any(np.array_equal(found, voxels) for voxels in (ones, twos))


def test_a_box_waits_only_for_those_that_overlap_it_and_came_before():
    regions, order = Regions(), []
    first, second = Box.of(x=(0, 5), y=(0, 5), z=(0, 5)), Box.of(x=(4, 9), y=(0, 5), z=(0, 5))
    waiting = threading.Thread(target=lambda: enter(second, "second"))

    def enter(box: Box, name: str) -> None:
        with regions.held("channel", box, CallContext()):
            order.append(name)

    with regions.held("channel", first, CallContext()):
        waiting.start()
        with regions.held("another channel", second, CallContext()):
            order.append("another channel")
        enter(Box.of(x=(20, 25), y=(0, 5), z=(0, 5)), "apart")
        order.append("first")
    waiting.join()
    assert order == ["another channel", "apart", "first", "second"]


def test_a_writer_who_leaves_while_waiting_is_forgotten():
    regions, context = Regions(), CallContext()
    box = Box.of(x=(0, 5), y=(0, 5), z=(0, 5))
    context.stop.set()
    with regions.held("channel", box, CallContext()):
        with pytest.raises(Cancelled):
            with regions.held("channel", box, context):
                raise AssertionError("held twice")
    with regions.held("channel", box, CallContext()):
        pass


def test_a_channel_read_from_elsewhere_takes_no_writes(server):
    server.store.add_channel("lab", "cloud", "em", OLD[0], storage_type="cloudvol", downsample_status="DOWNSAMPLED")
    volume = bare_remote(server).open(("lab", "cloud", "em"), OpenOptions())
    assert volume.capability(Writable) is None
    with pytest.raises(ReadOnly, match="CloudVolume"):
        volume.write(volume.info.scales[0].bounds, OLD)


def test_a_level_that_the_store_computes_takes_no_writes(server):
    server.store.add_channel("lab", "deep", "seg", OLD[0], levels=[OLD[0, :, :7, :17]])
    volume = bare_remote(server).open(("lab", "deep", "seg"), OpenOptions())
    assert [scale.writable for scale in volume.info.scales] == [True, False]
    with pytest.raises(ReadOnly, match="computes"):
        volume.write(volume.info.scales[1].bounds, OLD[:, :, :7, :17].copy(), scale=1)


def test_after_a_write_the_coarser_levels_are_gone_until_they_are_computed_again(server):
    path = ("lab", "deep", "seg")
    server.store.add_channel(*path, OLD[0], levels=[OLD[0, :, :7, :17]])
    remote = bare_remote(server)
    volume = remote.open(path, OpenOptions())
    assert (len(volume.info.scales), volume.downsampling()) == (2, DownsamplingState.DONE)
    volume.write(Box.at(Vec3(1, 2, 3), Vec3(1, 1, 1)), np.zeros((1, 1, 1, 1), np.uint64))
    written = remote.open(path, OpenOptions())
    assert (len(written.info.scales), written.downsampling()) == (1, DownsamplingState.NONE)
    server.state.downsampling.clear()
    written.start_downsampling()
    assert remote.open(path, OpenOptions()).downsampling() is DownsamplingState.QUEUED
    with pytest.raises(StoreRefused):
        written.start_downsampling()
    server.state.downsampling.set()


def test_who_may_not_write_is_told_what_the_store_says(server):
    remote = boss_remote(server, credentials={"token": "public"})
    with pytest.raises(StoreAccessDenied, match="required permissions"):
        remote.open(PATH, OpenOptions()).capability(Writable).write(BOX, mixed())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_writes_leave_what_the_last_of_them_said(server, volume, data):
    model = held(server, BOUNDS)
    for _ in range(3):
        ends = [sorted(data.draw(st.lists(st.integers(a, b), min_size=2, max_size=2, unique=True)))
                for a, b in zip(BOUNDS.start, BOUNDS.stop, strict=True)]  # fmt: skip
        box = Box.of(x=tuple(ends[0]), y=tuple(ends[1]), z=tuple(ends[2]))
        voxels = segmentation((1, *box.shape.zyx), seed=data.draw(st.integers(0, 99)))
        voxels[np.random.default_rng(1).random(voxels.shape) < data.draw(st.sampled_from([0, 0.5, 1]))] = 0
        volume.write(box, voxels)
        model[:, *box.slices_zyx(BOUNDS.start)] = voxels
    np.testing.assert_array_equal(held(server, BOUNDS), model)
