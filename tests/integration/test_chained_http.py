"""Another voxgate's precomputed and Zarr dialects as stores: the same voxels and meshes, and an end to loops."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from support.hops import hop, registry_of
from support.servers import volume_server
from support.transfers import BOXES, SIZES, fill_source, voxels_of_scale
from voxgate.client.connection import connect
from voxgate.model.errors import PermissionDenied
from voxgate.model.geometry import Box, Vec3
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

DIALECTS = {"ng": "lab/seg/-", "zarr": "lab/seg/-"}


@pytest.fixture(scope="module")
def far():
    registry = registry_of(mem={"uri": "memory://", "writable": True})
    fill_source(registry, "mem/lab/seg")
    with hop(registry) as running:
        yield running


@pytest.mark.parametrize("dialect", DIALECTS)
def test_voxels_of_every_level_are_the_same_behind_a_gateway(far, dialect):
    with (
        volume_server(registry_of(web={"uri": f"{far.url}/{dialect}/mem"})) as near,
        connect(near.address) as client,
    ):
        volume = client.open(f"web/{DIALECTS[dialect]}")
        assert [scale.bounds for scale in volume.info.scales] == list(BOXES)
        assert [scale.voxel_size_nm for scale in volume.info.scales] == list(SIZES)
        for scale, bounds in enumerate(BOXES):
            inner = Box(bounds.start + Vec3(1, 2, 3), bounds.stop - Vec3(3, 2, 1))
            expected = voxels_of_scale(scale)[(slice(None), *inner.slices_zyx(bounds.start))]
            assert np.array_equal(volume.read(inner, scale=scale), expected)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_loop_of_web_addresses_ends_after_one_round(dialect):
    registries = [Registry({}) for _ in range(3)]
    with contextlib.ExitStack() as stack:
        hops = [stack.enter_context(hop(each)) for each in registries]
        # "web" of each is the volume "web" of the next.
        for registry, other in zip(registries, hops[1:] + hops[:1], strict=True):
            registry.adopt(parse_remotes({"web": {"uri": f"{other.url}/{dialect}/web/-"}}, Path.cwd()))
        client = stack.enter_context(connect(hops[0].server.address))
        with pytest.raises(PermissionDenied, match="came back to a server"):
            client.open("web")
        assert sum(each.tap.count() for each in hops) <= 12
        assert all(each.headers["voxgate-via"] for hop_ in hops for each in hop_.tap.seen)
