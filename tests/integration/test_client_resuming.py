"""Streams that break under a read, by a real server behind a proxy that cuts, or one that is killed."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from support.array_volume import ArrayVolume, scale_of
from support.cutting_proxy import cutting_proxy
from support.fakes import Hooked
from support.servers import OneVolume, health, volume_server
from voxgate.client.channels import Stubs
from voxgate.client.connection import connect
from voxgate.client.remote_volume import RemoteVolume
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    DeadlineExceeded,
    FailedPrecondition,
    ServerUnreachable,
    StoreUnavailable,
    VersionMoved,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, OpenOptions, VolumeFacts
from voxgate_remotes.registry import Registry

MIB = 1 << 20
SHAPE_ZYX = (97, 401, 509)
CHUNK = Vec3(128, 64, 16)
IN_FLIGHT = 12 * MIB  # what a server may have read, and gRPC may hold, that never came


class Store:
    """A volume of random bytes that counts what is read of it."""

    def __init__(self):
        voxels = np.random.default_rng(7).integers(0, 256, (1, *SHAPE_ZYX), np.uint8)
        level = replace(scale_of(SHAPE_ZYX), stored_chunk_shape=CHUNK, write_granule_shape=CHUNK)
        self.inner = ArrayVolume(voxels[None], [level])
        self.voxels = voxels[0]
        self.bounds = level.bounds
        self.boxes = []
        self.meanwhile = None

    def _before(self, box):
        self.boxes.append(box)
        if self.meanwhile:
            self.meanwhile(box)

    @property
    def voxel_count(self):
        return sum(box.voxel_count for box in self.boxes)

    @contextlib.contextmanager
    def served(self):
        registry = Registry({"lab": OneVolume(Hooked(self.inner, before=self._before))})
        with volume_server(registry, stream_budget_bytes=4 * MIB) as server:
            yield server


@pytest.fixture
def store():
    return Store()


@contextlib.contextmanager
def reader_through(proxy, volume):
    """Reads a volume that was opened directly through a proxy: no cut is spent on opening it."""
    stubs = Stubs(replace(volume._stubs.server, address=proxy.address))

    def read(box, context=None):
        options = OpenOptions(context=context or CallContext())
        return RemoteVolume(stubs, VolumeFacts(volume.info), options).read(box)

    try:
        yield read
    finally:
        stubs.close()


def misaligned(bounds):
    return Box(bounds.start + Vec3(3, 5, 2), bounds.stop + Vec3(-7, -1, -4))


def cut_of(store, box):
    return store.voxels[box.slices_zyx(store.bounds.start)]


@pytest.mark.parametrize("seed", range(12))
def test_a_read_is_exact_wherever_its_connections_are_cut(store, seed):
    dice = random.Random(seed)
    # Three at most. A reset takes with it what the client has not looked at yet, so on a busy machine each of them may
    # bring nothing, and a read that nothing has come of is given up after some calls.
    budgets = [dice.randrange(9 * MIB), dice.randrange(50_000), dice.randrange(9 * MIB)]
    budgets = budgets[dice.randrange(3) :]
    box = misaligned(store.bounds)
    with store.served() as server, connect(server.address) as direct, cutting_proxy(server.port, budgets) as proxy:
        with reader_through(proxy, direct.open("lab/x")) as read:
            got = read(box)
    np.testing.assert_array_equal(got[0], cut_of(store, box))
    assert proxy.cut_count >= 1
    assert store.voxel_count <= store.bounds.voxel_count + proxy.cut_count * IN_FLIGHT


def test_several_connections_are_each_resumed(store):
    box = misaligned(store.bounds)
    budgets = [10 * MIB, 3 * MIB, 2 * MIB]  # no more than a read that nothing came of survives: see above
    with store.served() as server, cutting_proxy(server.port, budgets) as proxy:
        with connect(proxy.address) as plain, plain.with_streams(2) as client:
            got = client.open("lab/x").read(box)
    np.testing.assert_array_equal(got[0], cut_of(store, box))
    assert proxy.cut_count >= 2


def test_a_volume_that_changed_meanwhile_is_not_mixed(store):
    box = misaligned(store.bounds)
    store.inner.info = replace(store.inner.info, resolved_version="v1")

    def move_on(asked):
        if asked.start.z > store.bounds.start.z + 40:
            store.inner.info = replace(store.inner.info, resolved_version="v2")

    with store.served() as server, connect(server.address) as direct, cutting_proxy(server.port, [9 * MIB]) as proxy:
        volume = direct.open("lab/x")
        assert volume.info.resolved_version == "v1"
        store.meanwhile = move_on
        with reader_through(proxy, volume) as read, pytest.raises(VersionMoved):
            read(box)
    assert proxy.cut_count == 1


def test_a_server_that_never_gets_anything_through_is_given_up_within_the_callers_patience(store):
    box = misaligned(store.bounds)
    with store.served() as server, connect(server.address) as direct:
        with cutting_proxy(server.port, [2_000], forever=True) as proxy:
            with reader_through(proxy, direct.open("lab/x")) as read:
                with pytest.raises(ServerUnreachable):
                    read(box)
                assert proxy.cut_count >= 1
                with pytest.raises(DeadlineExceeded):
                    read(box, CallContext(deadline=time.monotonic() + 0.15))
                patience = CallContext()
                threading.Timer(0.2, patience.stop.set).start()
                with pytest.raises(Cancelled):
                    read(box, patience)


def test_a_refusal_is_final(store):
    refused = []

    def refuse(box):
        refused.append(box)
        raise StoreUnavailable("the store went away", "try again")

    with store.served() as server, connect(server.address) as client:
        volume = client.open("lab/x")
        store.meanwhile = refuse
        one_block = Box.at(store.bounds.start, Vec3(50, 60, 10))
        with pytest.raises(StoreUnavailable):
            volume.read(one_block)
    assert len(refused) == 1


def test_a_closed_client_says_so(store):
    with store.served() as server:
        client = connect(server.address)
        volume = client.open("lab/x")
        client.close()
        with pytest.raises(FailedPrecondition, match="closed"):
            volume.read(store.bounds)


class Damaging:
    """The call of a stub, but for a byte at the end of some of its messages."""

    def __init__(self, call, damages):
        self._call = call
        self._damages = damages

    def __call__(self, request, timeout=None):
        self._running = self._call(request, timeout=timeout)
        return self

    def __iter__(self):
        for message in self._running:
            damaged = len(message) > 100_000 and self._damages()
            yield message[:-1] + bytes([message[-1] ^ 1]) if damaged else message

    def cancel(self):
        self._running.cancel()


@pytest.mark.parametrize(("times", "survives"), [(1, True), (2, False)])
def test_a_damaged_block_is_asked_for_once_more(store, monkeypatch, times, survives):
    box = misaligned(store.bounds)
    left = [times]
    asked = []

    def damages():
        asked.append(1)
        # The third message of the first answer, and the first of every answer after it.
        damaged = left[0] > 0 and (len(asked) == 3 or left[0] < times)
        left[0] -= damaged
        return damaged

    lanes = Stubs.read_cutout_lanes.fget
    monkeypatch.setattr(Stubs, "read_cutout_lanes", property(lambda s: [Damaging(each, damages) for each in lanes(s)]))
    monkeypatch.setattr(Stubs, "wants_checksums", True)
    with store.served() as server, connect(server.address) as client:
        volume = client.open("lab/x")
        if survives:
            np.testing.assert_array_equal(volume.read(box)[0], cut_of(store, box))
            assert store.voxel_count < 2 * box.voxel_count
        else:
            with pytest.raises(ChunkCorrupt, match=r"x\[.*damaged"):
                volume.read(box)
    assert left == [0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(config, port, health_port, log):
    command = [sys.executable, "-m", "voxgate_volume", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen([*command, "--health-port", str(health_port)], stderr=log)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            if health(health_port) == "SERVING":
                return process
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_is_ended_and_started_again_goes_unnoticed(tmp_path, how):
    config = tmp_path / "voxgate.toml"
    config.write_text(
        '[remotes.p]\nuri = "procedural://"\n[remotes.p.options]\nlatency_ms = 60\n[server]\ngrace_s = 0.0\n'
    )
    box = Box.of(x=(5, 517), y=(7, 519), z=(3, 350))
    port, health_port = free_port(), free_port()
    out = np.zeros(box.shape.zyx, np.uint8)
    failures = []

    def read(volume):
        try:
            volume.read(box, out=out)
        except VoxgateError as error:
            failures.append(error)

    with (tmp_path / "log").open("w") as log:
        process = start(config, port, health_port, log)
        try:
            with connect(f"localhost:{port}") as client:
                volume = client.volume("p/em")
                reader = threading.Thread(target=read, args=(volume,), daemon=True)
                reader.start()
                until = time.monotonic() + 30
                while not out.any() and time.monotonic() < until:
                    time.sleep(0.02)
                os.kill(process.pid, how)
                process.wait(20)
                assert reader.is_alive()
                process = start(config, port, health_port, log)
                reader.join(120)
                assert not reader.is_alive()
                assert failures == []
                np.testing.assert_array_equal(out, volume.read(box))
        finally:
            process.kill()
            process.wait(10)
