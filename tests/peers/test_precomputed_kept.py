"""Meshes and skeletons beside precomputed voxels: what cloud-volume wrote, or reads, is what ours reads."""

import contextlib
import json
import struct
from importlib.metadata import version

import numpy as np
import pytest

from support.kept_files import (
    ABSENT,
    BIG,
    OTHER,
    RAW_SHARDING,
    SMALL,
    TRANSFORM,
    TheirMesh,
    kept_volume,
    legacy_by_cloud_volume,
    line,
    multires,
    surface,
    theirs,
    triangle_set,
    triangles_of,
    write_multires,
    write_skeletons,
)
from support.peer_files import SHARDING
from support.servers import settings
from voxgate.client.connection import connect
from voxgate.model.errors import ChunkCorrupt, MissingCapability, SegmentNotFound
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate_mesh.service import registrations as mesh_services
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_serving.workers import WorkerPool
from voxgate_volume.service import registrations as volume_services

CLOUD_VOLUME = f"cloud-volume {version('cloud-volume')}"


@pytest.fixture
def folder(tmp_path):
    kept_volume(tmp_path / "seg", mesh="mesh", skeletons="skeletons")
    (tmp_path / "seg/skeletons").mkdir()
    return tmp_path / "seg"


def opened(folder):
    return registry_of(folder).open("lab/seg")


def registry_of(folder):
    return Registry.from_config(RemotesConfig(remotes={"lab": RemoteConfig(uri=folder.parent.as_uri())}))


def test_legacy_meshes_that_cloud_volume_put_are_what_it_gets(folder, proved):
    volume = theirs(folder)
    for segment_id, seed in ((BIG, 1), (OTHER, 2)):
        vertices, faces = surface(seed)
        volume.mesh.put(TheirMesh(vertices.astype(np.float32) - 0.25, faces, segid=segment_id))
    legacy_by_cloud_volume(folder, SMALL, [surface(3), surface(4, size=9), surface(5, size=2)])
    kept, count = opened(folder).capability(StoredMeshes), 0
    for segment_id in (BIG, OTHER, SMALL):
        their = theirs(folder).mesh.get(segment_id, remove_duplicate_vertices=False)
        mesh = kept.stored_mesh(segment_id)
        assert len(mesh.vertices) == len(their.vertices)
        assert triangles_of(mesh) == triangles_of(their)
        count += len(mesh.vertices)
    assert kept.stored_mesh(ABSENT) is None
    proved("precomputed", "stored meshes", CLOUD_VOLUME, count)


@pytest.mark.parametrize("sharding", [None, SHARDING, RAW_SHARDING], ids=["files", "gzip shards", "raw shards"])
def test_multiresolution_meshes_are_what_cloud_volume_gets(folder, proved, sharding):
    ids = (SMALL, OTHER, BIG, BIG + 64, 99)
    write_multires(folder, {each: multires(index)[:2] for index, each in enumerate(ids)}, sharding)
    kept, count = opened(folder).capability(StoredMeshes), 0
    for segment_id in ids:
        their = theirs(folder).mesh.get(segment_id)[segment_id]
        mesh = kept.stored_mesh(segment_id)
        # cloud-volume computes in float32, ours rounds once.
        np.testing.assert_allclose(mesh.vertices, their.vertices, rtol=2**-22, atol=0)
        np.testing.assert_array_equal(mesh.faces, their.faces)
        count += len(mesh.vertices)
    assert kept.stored_mesh(ABSENT) is None
    proved("precomputed", "stored meshes", CLOUD_VOLUME, count)


@pytest.mark.parametrize("sharding", [None, SHARDING], ids=["files", "shards"])
def test_skeletons_that_cloud_volume_uploaded_are_what_it_gets(folder, proved, sharding):
    write_skeletons(folder, [line(BIG, 1), line(OTHER, 2, 40), line(SMALL, 3, 2)], TRANSFORM, sharding)
    kept, count = opened(folder).capability(StoredSkeletons), 0
    for segment_id in (BIG, OTHER, SMALL):
        their = theirs(folder).skeleton.get(segment_id)
        skeleton = kept.stored_skeleton(segment_id)
        np.testing.assert_array_equal(skeleton.vertices, their.vertices.astype(np.float32))
        np.testing.assert_array_equal(skeleton.edges, their.edges)
        count += len(skeleton.vertices)
    assert kept.stored_skeleton(ABSENT) is None
    proved("precomputed", "stored skeletons", CLOUD_VOLUME, count)


@contextlib.contextmanager
def served(registry):
    """Client of the Volume, Mesh and Skeleton services in this process."""
    chosen = settings()
    services = [
        *volume_services(registry, chosen, server_id="kept"),
        *mesh_services(registry, chosen, workers=WorkerPool(0)),
    ]
    server = start_server(services, chosen, "kept")
    try:
        with connect(server.address) as client:
            yield client
    finally:
        server.stop(1.0)


def test_what_cloud_volume_kept_comes_over_the_wire(folder):
    write_multires(folder, {BIG: multires(5)[:2]}, SHARDING)
    write_skeletons(folder, [line(BIG, 4)], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], None)
    their_line, expected = theirs(folder).skeleton.get(BIG), multires(5)[2]
    with served(registry_of(folder)) as client:
        seg = client.volume("lab/seg")
        for source in ("stored", "auto"):
            mesh = seg.mesh(BIG, source=source)
            assert (mesh.origin, triangles_of(mesh)) == ("stored", triangle_set(expected))
        skeleton = seg.skeleton(BIG)
        np.testing.assert_array_equal(skeleton.vertices, their_line.vertices)
        np.testing.assert_array_equal(skeleton.edges, their_line.edges)
        np.testing.assert_array_equal(skeleton.radii, their_line.radii)
        with pytest.raises(SegmentNotFound):
            seg.mesh(ABSENT, source="stored")
        with pytest.raises(SegmentNotFound):
            seg.skeleton(ABSENT)


def test_a_broken_mesh_over_the_wire_is_an_error_of_its_own_and_a_volume_without_any_says_so(folder):
    (folder / "mesh").mkdir()
    (folder / f"mesh/{SMALL}:0").write_text(json.dumps({"fragments": ["a"]}))
    (folder / "mesh/a").write_bytes(struct.pack("<I", 2**31))
    kept_volume(folder.parent / "bare")
    with served(registry_of(folder)) as client:
        with pytest.raises(ChunkCorrupt, match="cannot have 2147483648 vertices"):
            client.volume("lab/seg").mesh(SMALL, source="stored")
        with pytest.raises(MissingCapability):
            client.volume("lab/bare").skeleton(SMALL)
