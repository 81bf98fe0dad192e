"""Caches of real servers: filled by the command line, seen on the page of metrics, one at each server of a chain."""

import contextlib
import json
import re
import urllib.request

import numpy as np
import pytest

from support.cached_volumes import Watched
from support.known_volumes import PATH
from support.memory_volumes import two_scales
from support.servers import volume_server
from voxgate.cli.main import main
from voxgate.client.connection import connect
from voxgate.model.errors import PermissionDenied
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate.model.volumes import Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

CACHE = {"memory_bytes": 1 << 24, "ttl_s": 10**9}
BOX = Box.of(x=(-7, 13), y=(8, 22), z=(1001, 1010))


class Opaque(Watched):
    """A store that is read as voxels alone, as one on another server is."""

    def open(self, path, options):
        volume = super().open(path, options)
        inner = volume.capability
        volume.capability = lambda kind: inner(kind) if kind is Writable else None
        return volume


def next_to(address, path="", **stated):
    """A registry whose one remote, `next`, is another server."""
    config = RemoteConfig.model_validate({"uri": f"voxgate://{address}{path}", **stated})
    return Registry.from_config(RemotesConfig(remotes={"next": config}))


@pytest.fixture
def far():
    remote, known = two_scales()
    store = Opaque(remote)
    store.truth = known.scales
    with volume_server(Registry({"data": store})) as server:
        store.address = server.address
        yield store


def numbers(server):
    """What the page of metrics says of the cache."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=60).read().decode()
    found = re.findall(r'^voxgate_cache_(\w+)\{remote="next"\} (\d+)$', page, re.MULTILINE)
    return {name: int(value) for name, value in found}


def command(capsys, *arguments):
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_cache_that_was_warmed_keeps_readers_off_the_store(far, capsys):
    with volume_server(next_to(far.address, "/data", cache=CACHE), metrics_port=0) as near:
        code, document = command(capsys, "cache", "warm", f"next/{PATH}", "--server", near.address)
        assert code == 0
        assert [scale["scale"] for scale in document["scales"]] == [1, 0]
        assert document["size_bytes"] == sum(scale.voxels.nbytes for scale in far.truth)
        far.taken()
        with connect(near.address) as client:
            volume = client.volume(f"next/{PATH}")
            assert np.array_equal(volume.read(BOX), far.truth[0].cut(BOX)[0])
            assert np.array_equal(volume.scale(1).read(volume.scale(1).bounds), far.truth[1].voxels[0])
        assert far.taken() == []
        shown = numbers(near)
        assert shown["misses_total"] > 0
        assert shown["memory_hits_total"] > 0
        assert shown["memory_bytes"] > 0


def test_warming_takes_whole_chunks_of_one_box(far, capsys):
    with volume_server(next_to(far.address, "/data", cache=CACHE)) as near:
        box = "-5:-3,9:10,1005:1006"
        code, document = command(capsys, "cache", "warm", f"next/{PATH}", "--server", near.address, "--box", box)
        level = far.truth[0]
        whole = aligned_outward(Box.of(x=(-5, -3), y=(9, 10), z=(1005, 1006)), Vec3(8, 6, 4), level.start)
        start = dict(zip("xyz", whole.start, strict=True))
        assert (code, document["scales"][0]["box"]["start"]) == (0, start)
        far.taken()
        with connect(near.address) as client:
            client.volume(f"next/{PATH}").read(whole)
        assert far.taken() == []


def test_warming_says_what_is_wrong_with_a_box_or_a_name(far, capsys):
    with volume_server(next_to(far.address, "/data", cache=CACHE)) as near:
        for arguments in (
            (f"next/{PATH}", "--box", "0:1,0:1,0:1"),
            ("next/nothing",),
            (f"next/{PATH}", "--scale", "7"),
        ):
            code, document = command(capsys, "cache", "warm", *arguments, "--server", near.address)
            assert code != 0
            assert document["error"]["reason"] in ("OUT_OF_BOUNDS", "UNKNOWN_VOLUME", "UNKNOWN_SCALE")
    assert far.taken() == []


def test_every_server_of_a_chain_has_a_cache_of_its_own(far):
    with contextlib.ExitStack() as stack:
        middle = stack.enter_context(volume_server(next_to(far.address, "/data", cache=CACHE), metrics_port=0))
        near = stack.enter_context(volume_server(next_to(middle.address, "/next", cache=CACHE), metrics_port=0))
        other = stack.enter_context(volume_server(next_to(middle.address, "/next")))
        for server in (near, near, other):
            client = stack.enter_context(connect(server.address))
            assert np.array_equal(client.volume(f"next/{PATH}").read(BOX), far.truth[0].cut(BOX)[0])
            if server is near:
                asked_of_middle = numbers(middle)
        assert len(far.taken()) == 1
        assert asked_of_middle.get("memory_hits_total", 0) == 0  # the second reader got no further than `near`
        assert numbers(near)["memory_hits_total"] > 0
        assert numbers(middle)["memory_hits_total"] > 0  # what `other` reads comes from `middle`


def test_a_write_through_a_chain_of_caches_is_read_by_who_wrote_it(far):
    with contextlib.ExitStack() as stack:
        writable = {"cache": CACHE, "writable": True}
        middle = stack.enter_context(volume_server(next_to(far.address, "/data", **writable)))
        near = stack.enter_context(volume_server(next_to(middle.address, "/next", **writable)))
        volume = stack.enter_context(connect(near.address)).volume(f"next/{PATH}")
        before = volume.read(BOX)
        cell = Box.of(x=(-5, 3), y=(13, 19), z=(1004, 1008))
        volume.write(cell, np.full(cell.shape.zyx, 2**63 + 9, "<u8"))
        after = volume.read(BOX)
        before[cell.slices_zyx(BOX.start)] = 2**63 + 9
        assert np.array_equal(after, before)


def test_a_loop_of_caches_is_refused_as_any(far):
    """And the cache keeps nothing of it."""
    later = {}

    class Later(Watched):
        def open(self, path, options):
            return later["registry"].open("/".join(("next", *path)), options)

    with volume_server(Registry({"data": Later(far.inner)})) as first:
        later["registry"] = next_to(first.address, "/data", cache=CACHE)
        with volume_server(later["registry"]) as second, connect(second.address) as client:
            with pytest.raises(PermissionDenied):
                client.volume(f"next/{PATH}").read(BOX)
