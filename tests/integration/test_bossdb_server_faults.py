"""Faults that the BossDB test server serves when told to, and the server as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import requests

from support.bossdb import BossServer, Request, bossdb_server
from support.bossdb.raw import Raw
from support.house import ROOT

VOXELS = np.random.default_rng(1).integers(1, 255, (40, 50, 60), np.uint8, endpoint=True)
WHOLE = "c/e/h/0/0:60/0:50/0:40/"


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel("c", "e", "h", VOXELS)
        yield running


@pytest.fixture
def owner(server: BossServer) -> Raw:
    return Raw(server, server.token)


def test_the_next_requests_fail_as_told_and_those_after_do_not(server: BossServer, owner: Raw) -> None:
    server.fail_next(503, times=2, containing="/cutout/")
    server.fail_next(429, 3004, {"user": "owner"}, {"Retry-After": "1"}, containing="/coord/")
    assert owner.get("collection/c").status_code == 200
    assert [owner.get(f"cutout/{WHOLE}").status_code for _ in range(3)] == [503, 503, 200]
    throttled = owner.get("coord/CF_c_e")
    assert (throttled.status_code, throttled.headers["Retry-After"], throttled.json()["code"]) == (429, "1", 3004)
    assert server.requests.count("GET", "/cutout/") == 3
    assert [record.status for record in server.requests.of(containing="/cutout/")] == [503, 503, 200]


def test_a_reply_that_is_cut_ends_its_connection(server: BossServer, owner: Raw) -> None:
    server.cut_next(1000)
    with pytest.raises(requests.RequestException):
        owner.get(f"cutout/{WHOLE}")
    assert np.array_equal(owner.cutout(WHOLE, "u1", VOXELS.shape), VOXELS)


def test_a_reply_that_is_shortened_is_whole_http(server: BossServer, owner: Raw) -> None:
    server.shorten_next(1000)
    assert len(owner.get(f"cutout/{WHOLE}").content) == 1000


def test_a_redirect_names_the_same_address_elsewhere(server: BossServer, owner: Raw) -> None:
    server.redirect_next("http://127.0.0.1:1", status=302)
    reply = owner.get("collection/c/?x=1")
    assert (reply.status_code, reply.headers["Location"]) == (302, "http://127.0.0.1:1/v1/collection/c/?x=1")


def test_a_hook_may_change_a_channel_under_its_reader(server: BossServer, owner: Raw) -> None:
    def shrink(request: Request) -> None:
        if "/cutout/" in request.path:
            server.store.frames["CF_c_e"].stop = (60, 50, 39)

    server.on_request(shrink)
    assert owner.refusal("GET", f"cutout/{WHOLE}") == (400, 1001)


def test_a_held_reply_waits_while_others_are_answered(server: BossServer, owner: Raw) -> None:
    released = threading.Event()
    server.hold_next(released, containing="/cutout/")
    statuses: list[int] = []
    waiting = threading.Thread(target=lambda: statuses.append(owner.get(f"cutout/{WHOLE}").status_code))
    waiting.start()
    assert Raw(server, None).get("collection/c").status_code == 200
    assert statuses == []
    released.set()
    waiting.join(60)
    assert statuses == [200]


def test_one_connection_serves_many_requests_and_can_be_dropped(server: BossServer, owner: Raw) -> None:
    assert owner.get("collection/c").headers.get("Connection") != "close"
    assert owner.get("collection/c").status_code == 200
    server.drop_connections()
    assert owner.get("collection/c").status_code == 200


def test_the_server_is_a_process_too(tmp_path: os.PathLike[str]) -> None:
    file = os.path.join(tmp_path, "voxels.npy")
    np.save(file, VOXELS)
    command = [sys.executable, "-m", "support.bossdb", "--channel", f"c/e/h={file}", "--start", "5,6,7", "--token", "t"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            address = f"http://127.0.0.1:{int(process.stdout.readline())}"
            frame = requests.get(f"{address}/v1/coord/CF_c_e", headers={"Authorization": "Token t"}, timeout=60).json()
        finally:
            process.terminate()
    assert [frame[f"{axis}_start"] for axis in "xyz"] == [5, 6, 7]
    assert [frame[f"{axis}_stop"] for axis in "xyz"] == [65, 56, 47]
    assert process.returncode == 0
