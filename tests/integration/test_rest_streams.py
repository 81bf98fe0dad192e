"""What a cutout over REST promises beyond its bytes: versions, times, label views, and endings nobody mistakes."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from support.array_volume import ArrayVolume, scale_of
from support.rest import array_of, asked, on, problem_of, where
from support.servers import OneVolume, volume_server
from support.versioned_store import BOUNDS, VersionedStore, registry_of
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box
from voxgate.model.volumes import LabelView, VolumeKind
from voxgate_gateway.rest import cutouts, streaming
from voxgate_gateway.server import Gateway
from voxgate_remotes.registry import Registry

SHAPE = (11, 13, 17)
WHOLE = scale_of(SHAPE).bounds
PART = Box.of(x=(-5, 20), y=(1003, 1020), z=(31, 44))


@contextlib.contextmanager
def gateway_over(registry):
    """A client of a gateway in front of a Volume server."""
    with volume_server(registry) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        try:
            with httpx.Client(base_url=gateway.url, timeout=60) as client:
                yield client
        finally:
            gateway.stop(1)


def one(volume):
    return Registry({"one": OneVolume(volume)})


class Labelled(ArrayVolume):
    """Bodies and supervoxels at three times, as numbers that say which they are."""

    def __init__(self, added=0):
        ids = np.arange(int(np.prod(SHAPE)), dtype="<u8").reshape(1, *SHAPE) + np.uint64(2**63 + added)
        super().__init__([ids], [scale_of(SHAPE)], axes="tzyx", time_count=3, kind=VolumeKind.SEGMENTATION)
        self.info = replace(self.info, label_views=(LabelView.BODIES, LabelView.SUPERVOXELS))

    def bound_to(self, options):
        return Labelled((options.time_index or 0) * 10_000 + (options.label_view is LabelView.SUPERVOXELS) * 100_000)


class Fragile(ArrayVolume):
    """Cannot be read from `damaged` on along z; waits before it reads what is there from `slow` on."""

    def __init__(self, damaged=WHOLE.stop.z, slow=WHOLE.stop.z):
        voxels = np.arange(int(np.prod(SHAPE)), dtype="<u2").reshape(1, *SHAPE)
        super().__init__([voxels], [scale_of(SHAPE)])
        self.damaged, self.slow, self.go_on = damaged, slow, threading.Event()

    def read(self, box, *, scale=0, channels=None, out=None):
        if box.stop.z > self.damaged:
            raise ChunkCorrupt(f"{box} is damaged", "restore it")
        if box.stop.z > self.slow:
            self.go_on.wait(60)
        return super().read(box, scale=scale, channels=channels, out=out)


@pytest.fixture
def small_pieces(monkeypatch):
    """Everything is streamed, a chunk's planes at a time."""
    monkeypatch.setattr(cutouts, "PIECE_BYTES", 2 * 2 * SHAPE[1] * SHAPE[2])
    monkeypatch.setattr(cutouts, "_WHOLE_BYTES", 0)


def asked_until_free(http):
    """The whole volume, once there is a turn for it: one is given back a moment after its last byte was sent."""
    for _ in range(600):
        found = asked(http, "one/x", WHOLE)
        if found.status_code != 503:
            break
        threading.Event().wait(0.05)
    return found


def test_a_time_has_to_be_picked_and_label_views_are_two_things():
    with gateway_over(one(Labelled())) as http:
        for time in range(3):
            for view, more in ((None, 0), ("bodies", 0), ("supervoxels", 100_000)):
                labels = {} if view is None else {"labels": view}
                found = array_of(asked(http, "one/x", WHOLE, time=time, **labels))
                expected = Labelled(time * 10_000 + more).arrays[0][0]
                np.testing.assert_array_equal(found, expected, strict=True)
        told = problem_of(asked(http, "one/x", WHOLE))
        assert (told["status"], told["details"]) == (400, {"field": "time_index"})
        assert problem_of(asked(http, "one/x", WHOLE, time=3))["reason"] == "OUT_OF_BOUNDS"
        assert http.get(on("one/x", "info")).json()["label_views"] == ["bodies", "supervoxels"]


def test_a_committed_version_is_known_by_its_etag_before_it_is_read(monkeypatch):
    store = VersionedStore()
    store.commit("v0", "done")
    with gateway_over(registry_of(store)) as http:
        first = asked(http, "history/seg@v0", PART)
        np.testing.assert_array_equal(array_of(first), np.full(PART.shape.zyx, 2**63 + 5, np.uint64), strict=True)
        assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert first.headers["x-voxgate-version"] == "v0"
        unnamed = asked(http, "history/seg", PART)
        assert (unnamed.headers["etag"], unnamed.headers["cache-control"]) == (first.headers["etag"], "no-cache")
        monkeypatch.setattr("voxgate_gateway.backend.volumes.read_cutout", None)
        known = {"if-none-match": first.headers["etag"]}
        again = http.get(on("history/seg@v0", "cutout"), params=where(PART), headers=known)
        assert (again.status_code, again.content) == (304, b"")


def test_formats_boxes_and_versions_have_etags_of_their_own():
    store = VersionedStore()
    store.commit("v0", "done")
    store.child("v0", "", "next")
    store.commit("v1", "done")
    other = Box.of(x=(-5, 20), y=(1003, 1020), z=(31, 43))
    with gateway_over(registry_of(store)) as http:
        tags = [
            asked(http, f"history/seg@{version}", box, format=format_).headers["etag"]
            for version in ("v0", "v1")
            for box in (PART, other)
            for format_ in ("npy", "npz", "raw")
        ]
    assert len(set(tags)) == len(tags)


@pytest.mark.usefixtures("small_pieces")
def test_an_etag_that_is_not_ours_any_more_turns_a_range_into_the_whole():
    store = VersionedStore()
    store.commit("v0", "done")
    with gateway_over(registry_of(store)) as http:
        whole = asked(http, "history/seg@v0", BOUNDS)
        ask = {"range": "bytes=200-299"}
        part = http.get(
            on("history/seg@v0", "cutout"), params=where(BOUNDS), headers={**ask, "if-range": whole.headers["etag"]}
        )
        assert (part.status_code, part.content) == (206, whole.content[200:300])
        stale = http.get(on("history/seg@v0", "cutout"), params=where(BOUNDS), headers={**ask, "if-range": '"old"'})
        assert (stale.status_code, stale.content) == (200, whole.content)


@pytest.mark.usefixtures("small_pieces")
def test_a_store_that_fails_at_once_is_an_error_and_one_that_fails_later_no_whole_body():
    with gateway_over(one(Fragile(damaged=WHOLE.start.z + 1))) as http:
        told = problem_of(asked(http, "one/x", WHOLE))
        assert (told["status"], told["reason"]) == (422, "CHUNK_CORRUPT")
    with gateway_over(one(Fragile(damaged=WHOLE.stop.z - 1))) as http:
        with http.stream("GET", on("one/x", "cutout"), params=where(WHOLE)) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        intact = Box.of(x=(7, 24), y=(-11, 2), z=(WHOLE.start.z, WHOLE.start.z + 4))
        assert array_of(asked(http, "one/x", intact)).shape == (4, 13, 17)


@pytest.mark.usefixtures("small_pieces")
def test_more_streams_than_there_are_turns_for_are_told_to_come_back(monkeypatch):
    monkeypatch.setattr(streaming, "STREAMS_AT_A_TIME", 1)
    volume = Fragile(slow=WHOLE.start.z + 4)
    with gateway_over(one(volume)) as http, httpx.Client(base_url=http.base_url, timeout=60) as other:
        try:
            with http.stream("GET", on("one/x", "cutout"), params=where(WHOLE)) as answer:
                assert answer.status_code == 200
                busy = asked(other, "one/x", WHOLE)
                assert (busy.status_code, problem_of(busy)["reason"]) == (503, "SERVER_BUSY")
                assert int(busy.headers["retry-after"]) >= 1
                volume.go_on.set()
                assert len(answer.read()) == WHOLE.voxel_count * 2 + 128
            np.testing.assert_array_equal(array_of(asked_until_free(other)), volume.arrays[0][0])
        finally:
            volume.go_on.set()


@pytest.mark.usefixtures("small_pieces")
def test_a_client_that_goes_away_gives_its_turn_back(monkeypatch):
    monkeypatch.setattr(streaming, "STREAMS_AT_A_TIME", 1)
    volume = Fragile(slow=WHOLE.start.z + 4)
    with gateway_over(one(volume)) as http:
        with httpx.Client(base_url=http.base_url, timeout=60) as leaving:
            with leaving.stream("GET", on("one/x", "cutout"), params=where(WHOLE)) as answer:
                assert answer.status_code == 200
        volume.go_on.set()
        np.testing.assert_array_equal(array_of(asked_until_free(http)), volume.arrays[0][0])


@pytest.mark.usefixtures("small_pieces")
def test_pieces_end_where_stored_chunks_do():
    volume = Fragile()
    with gateway_over(one(volume)) as http:
        asked(http, "one/x", Box.of(x=(8, 20), y=(-9, 0), z=(101, 111)))
    assert {(box.start.z, box.stop.z) for box, _, _ in volume.reads} == {(101, 104), (104, 108), (108, 111)}


def test_a_client_that_takes_nothing_does_not_make_the_gateway_read_on(monkeypatch):
    monkeypatch.setattr(cutouts, "PIECE_BYTES", 1 << 20)
    voxels = np.zeros((1, 128, 512, 1024), "u1")
    volume = ArrayVolume([voxels], [scale_of(voxels.shape[1:])])
    bounds = volume.info.scales[0].bounds
    with gateway_over(one(volume)) as http, http.stream("GET", on("one/x", "cutout"), params=where(bounds)) as answer:
        body = answer.iter_raw()
        taken = len(next(body))
        threading.Event().wait(1.0)
        # What the two sockets hold, and one piece more: far from all of them.
        read = sum(box.voxel_count for box, _, _ in volume.reads)
        assert read < voxels.size * 3 // 4
        assert taken + sum(map(len, body)) == voxels.size + 128


def test_a_version_of_any_name_is_told_in_a_header():
    store = VersionedStore()
    store.commit("v0", "done")
    with gateway_over(registry_of(store)) as http:
        for name, told in (("v0", "v0"), ("größe/✓ 1", "gr%C3%B6%C3%9Fe/%E2%9C%93%201")):
            store.infos[name], store.voxels[name] = store.infos["v0"], store.voxels["v0"]
            answer = asked(http, f"history/seg@{quote(name, safe='')}", PART)
            assert (answer.status_code, answer.headers["x-voxgate-version"]) == (200, told)
