"""What travels through gateways beside voxels, and what does not: loops, callers, caches, tokens."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests

from support.boss_dialect import boss_names
from support.boss_gateways import told_by
from support.chains import far_store
from support.hops import TOKEN, hop, registry_of
from support.servers import volume_server
from support.transfers import BOXES, source_spec, voxels_of_scale
from voxgate.client.connection import connect
from voxgate.model.errors import PermissionDenied, ReadOnly, StoreUnavailable
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.volumes import ScaleSpec, Writable
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.volumes import box_to_proto
from voxgate_gateway.http import protocol
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

PATIENCE_S = 30
FINEST = {"scales": (ScaleSpec(Box.of(x=(3, 40), y=(2, 21), z=(5, 17)), VoxelSize(4, 5, 40)),)}
NAME = "/".join(("far", *boss_names("mem/lab/seg")))


SAME = {"names": {("lab", "mouse", "em"): "next/lab/mouse/em"}, "home": "next"}
"""Settings of a dialect with which a volume and its groups are called the same at every server of a chain."""


@contextlib.contextmanager
def chained(far_registry, **stated):
    """A client of a server whose "far" is a gateway over remotes; and the gateway."""
    with (
        hop(far_registry) as far,
        volume_server(registry_of(far=far.as_boss(**stated))) as near,
        connect(near.address) as client,
    ):
        yield client, near, far


@contextlib.contextmanager
def loop_of(count, kinds=()):
    """Servers each of which has the next as its remote "next", the last the first; a client of the first, and all.

    By the BossDB dialect of its gateway, or by gRPC where `kinds` says so.
    """
    registries = [Registry({}) for _ in range(count)]
    with contextlib.ExitStack() as stack:
        hops = [stack.enter_context(hop(each, **SAME)) for each in registries]
        for registry, follows, kind in zip(registries, hops[1:] + hops[:1], kinds or ["boss"] * count, strict=True):
            by_grpc = {"uri": f"voxgate://{follows.server.address}/next", "writable": True, "deletable": True}
            table = follows.as_boss(deletable=True) if kind == "boss" else by_grpc
            registry.adopt(parse_remotes({"next": table}, Path.cwd()))
        yield stack.enter_context(connect(hops[0].server.address)), hops


LOOPS = {"itself": (1, ()), "two": (2, ()), "three": (3, ()), "by gRPC in between": (3, ("boss", "grpc", "boss"))}
CALLS = {
    "open": lambda client: client.open("next/lab/mouse/em"),
    "list": lambda client: client.volumes("next/lab"),
    "create": lambda client: client.create("next/lab/mouse/new", source_spec(**FINEST)),
    "delete": lambda client: client.delete("next/lab/mouse/em"),
    "key-values": lambda client: client.metadata("next/lab/mouse/em").keys(),
    "set": lambda client: client.metadata("next/lab/mouse/em").set_text("who", "me"),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_is_refused_in_words_after_one_round(loop):
    with loop_of(*LOOPS[loop]) as (client, hops):
        for name, ask in CALLS.items():
            before = sum(each.tap.count() for each in hops)
            with pytest.raises(PermissionDenied, match="came back to a server") as refused:
                ask(client)
            assert type(refused.value) is PermissionDenied, name
            assert sum(each.tap.count() for each in hops) - before <= 3 * len(hops), name
        # Whoever asks a gateway in the loop is told the same in its dialect's words.
        reply = requests.get(f"{hops[0].url}/v1/collection/lab/experiment/mouse/channel/em", timeout=60)
        assert told_by(reply) == (403, 3001)
        assert reply.headers["voxgate-reason"] == "PERMISSION_DENIED"
        assert "came back to a server" in reply.json()["message"]


def test_of_many_callers_who_enter_a_loop_everywhere_at_once_none_waits_for_another():
    with loop_of(2) as (client, hops), connect(hops[1].server.address) as other:

        def ask(number):
            with pytest.raises(PermissionDenied, match="came back to a server"):
                (client, other)[number % 2].open("next/lab/mouse/em")

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(ask, range(24), timeout=PATIENCE_S))
        assert sum(each.tap.count() for each in hops) <= 24 * 3


def test_a_gateway_is_told_the_way_and_the_operators_token_and_never_the_callers():
    registry, store = far_store()
    secret = "a-callers-own"
    with chained(registry) as (_, near, far), connect(near.address, token=secret) as client:
        volume = client.open(NAME)
        volume.read(BOXES[0])
        volume.capability(Writable).write(BOXES[0], voxels_of_scale(0))
        client.volumes("far/mem")
        client.metadata(NAME).keys()
        with pytest.raises(ReadOnly, match="the remote mem takes no writes"):
            client.create("far/mem/other/new", source_spec(**FINEST))
        assert {each.method for each in far.tap.seen} >= {"GET", "POST", "PUT"}
        for each in far.tap.seen:
            assert each.headers["authorization"] == f"Token {TOKEN}"
            assert secret not in f"{each.path} {each.headers}"
            assert each.headers["voxgate-via"] == near.server_id
        # The far store is told both servers, in the order in which the call came.
        assert store.contexts[0].via == (near.server_id, far.server.server_id)


def test_a_caller_of_a_gateway_in_front_of_a_chain_is_known_there_and_no_further():
    registry, _ = far_store()
    secret = "Bearer a-callers-own"
    with hop(registry) as far, hop(registry_of(far=far.as_boss())) as near:
        cutout = "cutout/far/mem__2Flab/seg/1/-12:24/20:42/-7:14"
        reply = requests.get(f"{near.url}/v1/{cutout}", headers={"authorization": secret}, timeout=60)
        assert reply.status_code == 200, reply.text
        assert far.tap.count("/cutout/")
        assert not [each for each in far.tap.seen if "a-callers-own" in str(each)]


def test_an_origin_that_is_gone_is_not_asked_for_again_by_every_server_of_a_chain():
    with volume_server(Registry({})) as gone:
        address = gone.address
    with contextlib.ExitStack() as stack:
        table = {"uri": f"voxgate://{address}"}
        taps = []
        for _ in range(3):
            each = stack.enter_context(hop(registry_of(next=table), **SAME))
            taps.append(each.tap)
            table = each.as_boss()
        client = stack.enter_context(connect(each.server.address))
        for ask in (lambda: client.open("next/lab/mouse/em"), lambda: client.volumes("next/lab")):
            for tap in taps:
                tap.seen.clear()
            with pytest.raises(StoreUnavailable, match="does not answer"):
                ask()
            assert [tap.count() for tap in taps] == [1, 1, 0]


@pytest.mark.parametrize("end", ["cancel", "deadline"])
def test_a_caller_who_leaves_ends_the_work_behind_the_gateway(end, monkeypatch):
    # A connection that was closed looks like one whose client says no more, for so long.
    monkeypatch.setattr(protocol, "SILENCE_PATIENCE_S", 0.05)
    registry, store = far_store()
    with chained(registry, options={"believed_s": 3600}) as (client, near, _):
        client.open(NAME)
        store.state.gate.clear()
        with grpc.insecure_channel(near.address) as channel:
            stub = volume_pb2_grpc.VolumeServiceStub(channel)
            request = volume_pb2.ReadCutoutRequest(volume=NAME, box=box_to_proto(BOXES[0]))
            call = stub.ReadCutout(request, timeout=2 if end == "deadline" else 600)
            assert store.reading.wait(PATIENCE_S)
            told = store.contexts[-1]
            assert not told.stop.is_set()
            if end == "cancel":
                call.cancel()
            # The origin's call is over although its store never answered.
            assert told.stop.wait(PATIENCE_S)
        store.state.gate.set()


CACHE = {"memory_bytes": 1 << 24, "ttl_s": 10**9}


def test_what_was_read_once_is_asked_of_nobody_again_and_each_hop_keeps_it():
    registry, store = far_store()
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(volume_server(registry))
        link = {"uri": f"voxgate://{origin.address}", "options": {"believed_s": 3600}, "cache": CACHE}
        middle = stack.enter_context(hop(registry_of(hop=link)))
        table = middle.as_boss(options={"believed_s": 3600}, cache=CACHE, writable=False)
        near, other = (stack.enter_context(volume_server(registry_of(far=table))) for _ in range(2))
        client, neighbour = (stack.enter_context(connect(each.address)) for each in (near, other))
        name = "/".join(("far", *boss_names("hop/mem/lab/seg")))
        volume = client.open(name)
        assert np.array_equal(volume.read(BOXES[0]), voxels_of_scale(0))
        reads, asked = store.state.reads.total(), middle.tap.count()
        assert (reads, middle.tap.count("/cutout/")) >= (1, 1)
        for _ in range(3):
            assert np.array_equal(client.open(name).read(BOXES[0]), voxels_of_scale(0))
        assert (store.state.reads.total(), middle.tap.count()) == (reads, asked)
        # Another server's first read is the gateway's second: it asks no further.
        assert np.array_equal(neighbour.open(name).read(BOXES[0]), voxels_of_scale(0))
        assert middle.tap.count() > asked
        assert store.state.reads.total() == reads


def test_a_cache_before_a_gateway_has_what_is_written_through_it_at_once_and_what_others_wrote_in_its_time():
    registry, _ = far_store()
    box = Box.of(x=(-20, 3), y=(45, 66), z=(-4, 9))
    ones = np.ones((1, *box.shape.zyx), np.uint64)
    with chained(registry, cache={"memory_bytes": 1 << 24, "ttl_s": 1}) as (client, *_):
        volume = client.open(NAME)
        assert not np.array_equal(volume.read(box), ones)
        volume.capability(Writable).write(box, ones)
        assert np.array_equal(client.open(NAME).read(box), ones)
        registry.open("mem/lab/seg").capability(Writable).write(box, 2 * ones)
        until = time.monotonic() + PATIENCE_S
        while not np.array_equal(client.open(NAME).read(box), 2 * ones):
            assert time.monotonic() < until, "the cache believes for ever"
            time.sleep(0.05)
