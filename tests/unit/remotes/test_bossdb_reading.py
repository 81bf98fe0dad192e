"""How BossDB is read: what is asked for, and what becomes of answers that are not what was asked for."""

import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numcodecs import blosc

from support.boss_remotes import PATH, ROOT, bare_remote
from support.bossdb import BossServer, bossdb_server
from support.references import image, segmentation
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DeadlineExceeded,
    LimitExceeded,
    OutOfBounds,
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    VersionMoved,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, OpenOptions, ReadTuning, Tuned
from voxgate_remotes.bossdb import BossRemote
from voxgate_remotes.bossdb.codec import HEADER, decode
from voxgate_remotes.bossdb.options import BossOptions
from voxgate_remotes.bossdb.volume import BossVolume
from voxgate_remotes.bossdb.workers import Gate, Workers
from voxgate_remotes.config import RemoteConfig

VOXELS = image((1, 40, 530, 700), "<u1")
WHOLE = Box.of(x=(0, 700), y=(0, 530), z=(0, 40))
SMALL = Box.of(x=(3, 20), y=(500, 520), z=(14, 19))


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, VOXELS[0])
        yield running


@pytest.fixture
def volume(server: BossServer) -> BossVolume:
    return bare_remote(server).open(PATH, OpenOptions())


def paths(server: BossServer, method: str = "GET") -> list[str]:
    return [record.path.removeprefix(ROOT) for record in server.requests.of(method, "/cutout/")]


def test_requests_lie_on_the_grid_of_cuboids_and_are_clipped_to_the_box(server, volume):
    np.testing.assert_array_equal(volume.read(WHOLE), VOXELS)
    assert sorted(paths(server)) == ["0:700/0:530/0:32/", "0:700/0:530/32:40/"]


def test_requests_are_as_large_as_the_operator_states(server):
    remote = bare_remote(server, tuning={"request_bytes": 512 * 512 * 16, "parallel_reads": 2})
    volume = remote.open(PATH, OpenOptions())
    box = Box.of(x=(0, 512), y=(7, 400), z=(5, 40))
    np.testing.assert_array_equal(volume.read(box), VOXELS[:, 5:40, 7:400, 0:512])
    assert sorted(paths(server)) == ["0:512/7:400/16:32/", "0:512/7:400/32:40/", "0:512/7:400/5:16/"]
    assert volume.capability(Tuned).tuning == ReadTuning(2, 512 * 512 * 16, Vec3(512, 512, 16))


def test_what_of_a_cuboid_lies_beside_the_box_is_not_counted_up_to_four_cuboids_for_one(server):
    tall = np.resize(VOXELS[0, :, :90, :90], (160, 90, 90))
    server.store.add_channel("lab", "tall", "em", tall)
    remote = bare_remote(server, tuning={"request_bytes": 512 * 512 * 16})
    volume = remote.open(("lab", "tall", "em"), OpenOptions())
    np.testing.assert_array_equal(volume.read(Box.of(x=(3, 90), y=(1, 80), z=(17, 159)))[0], tall[17:159, 1:80, 3:90])
    asked = [record.path.split("/")[-2] for record in server.requests.of("GET", "/cutout/")]
    assert sorted(asked) == ["112:159", "17:64", "64:112"]


def test_a_request_of_a_wide_type_has_at_least_a_cuboid(server):
    voxels = segmentation((1, 20, 5, 6))
    server.store.add_channel("lab", "ids", "seg", voxels[0])
    volume = bare_remote(server, tuning={"request_bytes": 4096}).open(("lab", "ids", "seg"), OpenOptions())
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), voxels)
    assert server.requests.count("GET", "/cutout/") == 2


def test_the_cache_of_the_store_is_passed_by_unless_the_operator_says_otherwise(server, volume):
    volume.read(SMALL)
    bare_remote(server, options={"access_mode": "cache"}).open(PATH, OpenOptions()).read(SMALL)
    queries = [record.query for record in server.requests.of("GET", "/cutout/")]
    assert queries == ["access-mode=no-cache", "access-mode=cache"]


def test_a_request_too_large_for_the_store_is_asked_for_in_halves_between_cuboids(server, volume):
    server.state.cutout_max_bytes = 512 * 512 * 16
    box = Box.of(x=(0, 512), y=(0, 512), z=(3, 40))
    np.testing.assert_array_equal(volume.read(box), VOXELS[:, 3:40, :512, :512])
    done = [record.path.removeprefix(ROOT) for record in server.requests.of("GET", "/cutout/") if record.status == 200]
    assert sorted(done) == ["0:512/0:512/16:32/", "0:512/0:512/32:40/", "0:512/0:512/3:16/"]


def test_a_store_that_finds_even_a_voxel_too_large_is_not_asked_forever(server, volume):
    server.state.cutout_max_bytes = 0
    with pytest.raises(LimitExceeded, match="over 500MB"):
        volume.read(Box.of(x=(5, 9), y=(0, 3), z=(1, 2)))


def test_halves_within_a_cuboid_are_put_together(server, volume):
    server.state.cutout_max_bytes = 100
    np.testing.assert_array_equal(volume.read(SMALL), VOXELS[:, 14:19, 500:520, 3:20])


@pytest.mark.parametrize("size", [0, 7, 16, 40])
def test_an_answer_shorter_than_it_should_be_is_corrupt_and_never_zeros(server, volume, size):
    server.shorten_next(size)
    with pytest.raises(ChunkCorrupt):
        volume.read(SMALL)


def test_an_answer_that_breaks_off_is_asked_for_again(server, volume):
    server.cut_next(30)
    np.testing.assert_array_equal(volume.read(SMALL), VOXELS[:, 14:19, 500:520, 3:20])


def test_an_answer_that_always_breaks_off_is_an_error(server, volume):
    server.cut_next(30, times=50)
    with pytest.raises(StoreUnavailable):
        volume.read(SMALL)


def header(*, version: int = 2, voxel_bytes: int = 24, buffer_bytes: int = 40, rest: int = 24) -> bytes:
    return HEADER.pack(version, 1, 1, 1, voxel_bytes, voxel_bytes, buffer_bytes) + bytes(rest)


BOMB = blosc.compress(np.zeros(1 << 24, np.uint8), b"lz4", 9, blosc.SHUFFLE)
BAD_BUFFERS = {
    "a bomb": BOMB,
    "no blosc": b"\x93NUMPY" + bytes(200),
    "a page": b"<html>please log in</html>",
    "another version": header(version=9),
    "fewer bytes than it says": header(buffer_bytes=400),
    "more bytes than it says": header(buffer_bytes=30),
    "too few voxels": blosc.compress(np.zeros(23, np.uint8), b"lz4", 9, blosc.SHUFFLE),
    "a damaged middle": header(voxel_bytes=24, buffer_bytes=40, rest=24),
}


@pytest.mark.parametrize("body", BAD_BUFFERS.values(), ids=BAD_BUFFERS.keys())
def test_a_buffer_that_is_not_what_was_asked_for_is_corrupt_and_fills_nothing(body):
    if body == BAD_BUFFERS["a damaged middle"]:
        body = bytearray(blosc.compress(image((24,), "<u1"), b"zlib", 9, blosc.SHUFFLE))
        struct.pack_into("<B", body, 2, body[2] & ~0x02)  # says that it is compressed, which it is not
    target = np.full((2, 3, 4), 7, np.uint8)
    with pytest.raises(ChunkCorrupt) as caught:
        decode(bytes(body), Box.of(x=(0, 4), y=(0, 3), z=(0, 2)), target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("codec", ["blosclz", "lz4", "lz4hc", "zlib", "zstd"])
def test_whatever_the_store_compresses_with_is_read(server, volume, codec):
    from support.bossdb import Compression

    server.state.compression = Compression(codec, 3)
    np.testing.assert_array_equal(volume.read(SMALL), VOXELS[:, 14:19, 500:520, 3:20])


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, 1001, OutOfBounds),
        (400, 1002, StoreRefused),
        (400, 9001, StoreRefused),
        (401, None, StoreAccessDenied),
        (403, 3001, StoreAccessDenied),
        (404, 4000, UnknownVolume),
        (404, 4005, UnknownVolume),
        (404, 2004, StoreRefused),
        (404, 5000, StoreUnavailable),
        (404, 5003, StoreRefused),
        (409, 2006, StoreRefused),
        (413, 2000, LimitExceeded),
        (500, 9002, StoreUnavailable),
        (500, None, StoreUnavailable),
        (418, None, StoreRefused),
    ],
)
def test_each_refusal_is_its_typed_error_with_the_stores_own_words(server, volume, status, code, error):
    server.fail_next(status, code, "the hippocampus is shut", containing="/cutout/", times=100)
    with pytest.raises(error) as caught:
        volume.read(SMALL)
    assert type(caught.value) is error
    assert caught.value.details["status"] == str(status)
    assert caught.value.details.get("code") == (None if code is None else str(code))
    if code is not None:
        assert "the hippocampus is shut" in str(caught.value)


def test_a_busy_store_is_asked_again_and_the_voxels_arrive(server, volume):
    server.fail_next(429, 3004, {"user": "public", "max_metric": 5}, {"Retry-After": "0"}, containing="/cutout/")
    server.fail_next(503, containing="/cutout/")
    np.testing.assert_array_equal(volume.read(SMALL), VOXELS[:, 14:19, 500:520, 3:20])


def test_a_store_that_stays_busy_says_when_to_come_back(server, volume):
    server.fail_next(429, 3004, {"max_metric": 5}, {"Retry-After": "3600"}, times=50, containing="/cutout/")
    with pytest.raises(StoreBusy, match="max_metric") as caught:
        volume.read(SMALL)
    assert caught.value.retry_after_s == 3600


def test_nobody_writes_into_an_array_whose_reader_went_away(server):
    context = CallContext()
    volume = bare_remote(server).open(PATH, OpenOptions(context=context))
    answering, out = threading.Event(), np.zeros((1, *WHOLE.shape.zyx), np.uint8)
    server.hold_next(answering, times=4, containing="/cutout/")
    server.on_request(lambda request: context.stop.set() if "/cutout/" in request.path else None)
    with pytest.raises(Cancelled):
        volume.read(WHOLE, out=out)
    answering.set()
    bare_remote(server).open(PATH, OpenOptions()).read(WHOLE)
    assert not out.any()


def test_nobody_writes_into_an_array_whose_read_failed_elsewhere():
    workers, landed = Workers(2), []
    started, failed, finished = threading.Event(), threading.Event(), threading.Event()

    def work(item: str, gate: Gate) -> None:
        if item == "fails":
            assert started.wait(60)
            raise StoreRefused("no")
        started.set()
        assert failed.wait(60)
        try:
            with gate.passed():
                landed.append(item)
        finally:
            finished.set()

    with pytest.raises(StoreRefused):
        workers.run(["is late", "fails"], work, CallContext(), 2)
    failed.set()
    assert finished.wait(60)
    assert landed == []


def test_a_deadline_ends_a_read_that_the_store_does_not_answer(server):
    answering = threading.Event()
    server.hold_next(answering, times=4, containing="/cutout/")
    remote = bare_remote(server)
    remote.open(PATH, OpenOptions())
    volume = remote.open(PATH, OpenOptions(context=CallContext(deadline=time.monotonic() + 0.3)))
    with pytest.raises(DeadlineExceeded):
        volume.read(SMALL)
    answering.set()


def test_one_failing_request_fails_the_read(server, volume):
    server.fail_next(403, 3001, containing="0:700/0:530/32:40")
    with pytest.raises(StoreAccessDenied):
        volume.read(WHOLE)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("bossdb://http://127.0.0.1:9", "refuses the connection"),
        ("bossdb://no-such-host.invalid", "no-such-host.invalid|name|resolve"),
    ],
)
def test_a_store_that_cannot_be_reached_is_unavailable(uri, words):
    context = CallContext(deadline=time.monotonic() + 60)
    with pytest.raises(StoreUnavailable, match=words):
        BossRemote(RemoteConfig(uri=uri)).open(PATH, OpenOptions(context=context))


def test_a_store_without_tls_where_https_is_configured_is_unavailable(server):
    remote = BossRemote(RemoteConfig(uri=f"bossdb://{server.address}"))
    with pytest.raises(StoreUnavailable, match="TLS"):
        remote.open(PATH, OpenOptions())


def test_a_redirect_to_a_private_address_is_refused(server, volume):
    server.redirect_next("http://127.0.0.2:80", containing="/cutout/")
    with pytest.raises(VoxgateError) as caught:
        volume.read(SMALL)
    assert caught.value.reason == "PATH_REFUSED"


def test_no_token_shows_in_an_error(server):
    secret = "dontshowme0123456789"
    remote = bare_remote(server, credentials={"token": secret})
    with pytest.raises(StoreAccessDenied) as caught:
        remote.open(PATH, OpenOptions())
    assert secret not in str(caught.value)
    assert secret not in repr(remote)


def test_without_credentials_it_is_the_public_account(server):
    BossRemote(RemoteConfig(uri=f"bossdb://http://{server.address}")).open(PATH, OpenOptions()).read(SMALL)
    assert {record.headers["authorization"] for record in server.requests} == {"Token public"}


def test_a_volume_on_a_store_that_lost_a_level_between_says_so(server):
    server.store.add_channel("lab", "deep", "em", VOXELS[0], levels=[VOXELS[0, :, ::2, ::2]])
    volume = bare_remote(server).open(("lab", "deep", "em"), OpenOptions())
    server.store.frames["CF_lab_deep"].stop = (300, 200, 40)
    with pytest.raises(VersionMoved):
        volume.read(WHOLE)


def test_options_default_to_what_is_documented():
    assert BossOptions.of(RemoteConfig(uri="bossdb://x")) == BossOptions(True, "no-cache", 5.0)
