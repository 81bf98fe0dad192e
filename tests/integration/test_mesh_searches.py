"""How segments are found, over real servers: told in each end, and never by a scan that another server makes."""

import contextlib
from collections import Counter

import grpc
import numpy as np
import pytest

from support.mesh_searches import connected, indexed, scaled
from support.mesh_volumes import CountingVolume, as_trimesh, blobs, meshed, segmentation, triangles
from support.servers import OneVolume, settings, volume_server
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model.errors import LimitExceeded, MissingCapability, SegmentNotFound
from voxgate.model.meshes import MeshRequest
from voxgate.v1 import mesh_pb2_grpc
from voxgate_mesh.service import registrations
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_serving.workers import WorkerPool

HUGE = 2**63 + 9
ABSENT = 2**64 - 2


@pytest.fixture(scope="module")
def labels():
    labels = blobs(41, shape=(21, 34, 45))
    for each in (3, HUGE):
        labels = connected(labels, each)
    return labels


@contextlib.contextmanager
def mesh_source(registry, name, **overrides):
    chosen = settings(**overrides)
    server = start_server(registrations(registry, chosen, workers=WorkerPool(0)), chosen)
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield GrpcMeshSource(mesh_pb2_grpc.MeshServiceStub(channel), name)
    finally:
        server.stop(1.0)


def found(source, ids, **request):
    return {answer.segment_id: answer for answer in source.meshes(MeshRequest(tuple(ids), **request))}


def test_each_end_says_how_its_segment_was_found_and_what_it_measures(labels):
    expected = meshed(segmentation(labels), [3, HUGE])
    with mesh_source(Registry({"lab": OneVolume(scaled(labels))}), "lab/seg") as source:
        for search, told in (("auto", "everywhere"), ("everywhere", "everywhere"), ("pyramid", "pyramid")):
            answers = found(source, [3, ABSENT, HUGE], search=search)
            assert isinstance(answers[ABSENT].error, SegmentNotFound)
            for segment_id in (3, HUGE):
                mesh = answers[segment_id]
                assert mesh.search == told
                assert triangles(mesh) == triangles(expected[segment_id])
                assert mesh.statistics.voxel_count == np.count_nonzero(labels == np.uint64(segment_id))
                assert mesh.statistics.watertight
                assert as_trimesh(mesh).is_watertight
        with pytest.raises(MissingCapability):
            found(source, [3], search="index")


def test_a_volume_beyond_the_budget_is_refused_with_the_scale_that_is_within_it(labels):
    volume = scaled(labels)
    with mesh_source(Registry({"lab": OneVolume(volume)}), "lab/seg", max_scan_voxel_count=labels.size - 1) as source:
        for search in ("everywhere", "auto"):
            with pytest.raises(LimitExceeded) as caught:
                found(source, [HUGE], search=search)
            assert caught.value.details["scale_key"] == "1"
        small = found(source, [HUGE], scale=1)[HUGE]
        assert (small.scale, small.search) == (1, "everywhere")


@contextlib.contextmanager
def far_volume(volume):
    """A registry whose remote "next" is all of a server with the volume."""
    with volume_server(Registry({"lab": OneVolume(volume)})) as far:
        near = RemotesConfig(remotes={"next": RemoteConfig(uri=f"voxgate://{far.address}")})
        yield Registry.from_config(near)


def test_a_far_stores_own_index_is_used_and_a_far_scan_is_not(labels):
    known, _ = indexed(labels)
    with far_volume(known) as registry, mesh_source(registry, "next/lab/seg") as source:
        mesh = found(source, [HUGE, 3])[HUGE]
        assert mesh.search == "index"
        assert known.asked == Counter({HUGE: 1, 3: 1})
    assert triangles(mesh) == triangles(meshed(segmentation(labels), [HUGE])[HUGE])
    plain = CountingVolume(segmentation(labels))
    with far_volume(plain) as registry, mesh_source(registry, "next/lab/seg") as source:
        assert found(source, [HUGE])[HUGE].search == "everywhere"
        with pytest.raises(MissingCapability):
            found(source, [HUGE], search="index")
    read = Counter(box.start for box in plain.boxes)
    assert set(read.values()) == {1}
