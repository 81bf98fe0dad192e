"""Cutouts through gRPC against tensorstore's and cloud-volume's own reading of the same files."""

import functools

import numpy as np
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.servers import SAMPLES, volume_server
from voxgate.client.connection import connect
from voxgate.model.geometry import Box, Vec3
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

VOLUMES = ("fib25/em", "fib25/seg", "aniso/seg")
MOST_VOXELS = 400_000


@pytest.fixture(scope="module")
def client():
    table = {name: {"uri": str(SAMPLES / name)} for name in ("fib25", "aniso")}
    with (
        volume_server(Registry.from_config(parse_remotes(table, SAMPLES))) as server,
        connect(server.address) as client,
    ):
        yield client


@functools.cache
def peers(name, scale):
    path = f"file://{SAMPLES / name}"
    spec = {"driver": "neuroglancer_precomputed", "kvstore": path, "scale_index": scale}
    # Some chunks of aniso/seg are absent on purpose; cloud-volume has to be told that they are background.
    return ts.open(spec, open=True).result(), CloudVolume(path, mip=scale, progress=False, fill_missing=True)


@st.composite
def boxes_of(draw, bounds):
    spans = []
    for low, high in zip(bounds.start, bounds.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        spans.append((start, draw(st.integers(start + 1, min(high, start + 160)))))
    return Box.of(*spans)


@pytest.mark.parametrize("name", VOLUMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_box_at_any_scale_is_what_both_peers_read(client, name, data):
    volume = client.volume(name)
    scale = data.draw(st.integers(0, len(volume.scales) - 1))
    box = data.draw(boxes_of(volume.scales[scale].bounds))
    got = volume.read(box, scale=scale)
    store, cloud = peers(name, scale)
    (x0, y0, z0), (x1, y1, z1) = box.start, box.stop
    by_tensorstore = store[x0:x1, y0:y1, z0:z1, 0].read().result()
    by_cloud_volume = np.asarray(cloud[x0:x1, y0:y1, z0:z1])[..., 0]
    np.testing.assert_array_equal(got, by_tensorstore.transpose(2, 1, 0))
    np.testing.assert_array_equal(got, by_cloud_volume.transpose(2, 1, 0))
    assert got.dtype == by_cloud_volume.dtype


@pytest.mark.parametrize("name", VOLUMES)
def test_every_scale_says_what_both_peers_say_of_it(client, name):
    volume = client.volume(name)
    for index, scale in enumerate(volume.scales):
        store, cloud = peers(name, index)
        assert scale.bounds == Box(Vec3(*store.domain.origin[:3]), Vec3(*store.domain.exclusive_max[:3]))
        assert scale.bounds.start == Vec3(*map(int, cloud.voxel_offset))
        assert tuple(scale.voxel_size_nm) == tuple(cloud.resolution)
        assert volume.dtype == cloud.dtype


def test_reading_in_xyz_is_the_same_voxels_as_a_view(client):
    em = client.volume("fib25/em")
    xyz = em.as_axes("xyz")
    assert xyz.shape == em.shape[::-1]
    np.testing.assert_array_equal(xyz[3:20, 5:9, -7:], em[-7:, 5:9, 3:20].transpose(2, 1, 0))


def test_segments_in_a_box_and_at_points_are_those_of_the_voxels(client):
    seg = client.volume("fib25/seg")
    store, _ = peers("fib25/seg", 0)
    voxels = store.read().result()[..., 0]
    ids, counts = np.unique(voxels[voxels != 0], return_counts=True)
    found = seg.segments()
    assert dict(zip(found.ids, found.voxel_counts, strict=True)) == dict(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )
    top = seg.segments(top=5)
    assert list(top.voxel_counts) == sorted(counts.tolist(), reverse=True)[:5]
    random = np.random.default_rng(5)
    start = np.array(tuple(seg.bounds.start))
    points = start + random.integers(0, voxels.shape, (50, 3))
    assert seg.at(points.tolist()) == [int(voxels[tuple(point - start)]) for point in points]
