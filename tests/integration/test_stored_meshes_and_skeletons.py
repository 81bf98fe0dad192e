"""What a store keeps beside its voxels comes through the same calls as what is made from them."""

import contextlib

import numpy as np
import pytest

from support.mesh_volumes import CountingVolume, segmentation
from support.servers import OneVolume, settings
from voxgate.client.calls import BoundCalls
from voxgate.client.channels import Server, Stubs
from voxgate.client.kept import RemoteKept, mesh_source
from voxgate.model.errors import ChunkCorrupt, InvalidArgument, InvalidSegmentId, MissingCapability, SegmentNotFound
from voxgate.model.geometry import Box, Vec3
from voxgate.model.meshes import Mesh, MeshFailure, MeshRequest
from voxgate.model.skeletons import Skeleton, StoredMeshes, StoredSkeletons
from voxgate.model.volumes import OpenOptions, VolumeFacts
from voxgate_mesh.service import registrations
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_serving.workers import WorkerPool

KEPT, IN_VOXELS, BROKEN, ABSENT = 2**63 + 7, 2**53 + 1, 13, 2**64 - 2
RANDOM = np.random.default_rng(3)


def surface(count=11):
    vertices = RANDOM.normal(size=(count, 3)).astype(np.float32)
    return Mesh(KEPT, vertices, RANDOM.integers(0, count, (2 * count, 3), np.uint32), "stored")


def line(count, *, radii):
    vertices = RANDOM.normal(size=(count, 3)).astype(np.float32)
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], 1).astype(np.uint32)
    return Skeleton(KEPT, vertices, edges, RANDOM.random(count, np.float32) if radii else None)


class Keeper(CountingVolume):
    """A segmentation whose store keeps one mesh and one skeleton, and one that is broken."""

    mesh = surface()
    skeleton = line(5, radii=True)

    def stored_mesh(self, segment_id):
        if segment_id == BROKEN:
            raise ChunkCorrupt("the stored mesh is cut short", "make it anew")
        return self.mesh if segment_id == KEPT else None

    def stored_skeleton(self, segment_id):
        if segment_id == BROKEN:
            raise ChunkCorrupt("the stored skeleton is cut short", "make it anew")
        return self.skeleton if segment_id == KEPT else None

    def capability(self, kind):
        return self if kind in (StoredMeshes, StoredSkeletons) else super().capability(kind)


def labels():
    voxels = np.zeros((9, 12, 17), np.uint64)
    voxels[2:6, 3:9, 4:15] = IN_VOXELS
    return voxels


@contextlib.contextmanager
def served(volume):
    chosen = settings()
    services = registrations(Registry({"lab": OneVolume(volume)}), chosen, workers=WorkerPool(0))
    server = start_server(services, chosen)
    stubs = Stubs(Server(server.address))
    try:
        facts = VolumeFacts(Registry({"lab": OneVolume(volume)}).open("lab/x").info)
        yield BoundCalls(stubs, facts, OpenOptions())
    finally:
        stubs.close()
        server.stop(1.0)


@pytest.fixture(scope="module")
def keeper():
    volume = Keeper(segmentation(labels()))
    with served(volume) as calls:
        yield volume, calls


def meshes_of(calls, *ids, **wishes):
    return {each.segment_id: each for each in mesh_source(calls).meshes(MeshRequest(ids, **wishes))}


def test_a_stored_mesh_comes_without_a_voxel_being_read(keeper):
    volume, calls = keeper
    before = len(volume.boxes)
    for source in ("auto", "stored"):
        got = meshes_of(calls, KEPT, source=source)[KEPT]
        np.testing.assert_array_equal(got.vertices, volume.mesh.vertices)
        np.testing.assert_array_equal(got.faces, volume.mesh.faces)
        assert (got.origin, got.mesher) == ("stored", "")
    assert len(volume.boxes) == before


def test_what_is_not_stored_is_made_from_voxels_and_says_so(keeper):
    _, calls = keeper
    got = meshes_of(calls, IN_VOXELS, KEPT, ABSENT, BROKEN)
    assert (got[KEPT].origin, got[IN_VOXELS].origin) == ("stored", "computed")
    assert got[IN_VOXELS].mesher
    assert isinstance(got[ABSENT].error, SegmentNotFound)
    assert isinstance(got[BROKEN].error, ChunkCorrupt)


@pytest.mark.parametrize(
    "wish", [{"bounds": Box.at(Vec3(0, 0, 0), Vec3(5, 6, 7))}, {"closed": False}, {"mesher": "zmesh"}]
)
def test_what_a_stored_mesh_has_not_to_choose_is_made_from_voxels(keeper, wish):
    _, calls = keeper
    if "bounds" in wish:
        wish = {"bounds": calls.facts.info.scales[0].bounds}
    assert meshes_of(calls, IN_VOXELS, **wish)[IN_VOXELS].origin == "computed"
    assert isinstance(meshes_of(calls, KEPT, **wish)[KEPT], MeshFailure)  # no voxel has that id
    with pytest.raises(InvalidArgument, match="no scale, bounds, border or mesher"):
        meshes_of(calls, KEPT, source="stored", **wish)


def test_only_stored_or_only_computed_is_kept_to(keeper):
    _, calls = keeper
    assert isinstance(meshes_of(calls, IN_VOXELS, source="stored")[IN_VOXELS].error, SegmentNotFound)
    assert isinstance(meshes_of(calls, KEPT, source="computed")[KEPT].error, SegmentNotFound)


def test_a_store_that_keeps_nothing_says_so():
    with served(segmentation(labels())) as calls:
        with pytest.raises(MissingCapability, match="keeps no meshes"):
            meshes_of(calls, IN_VOXELS, source="stored")
        with pytest.raises(MissingCapability, match="keeps no skeletons"):
            RemoteKept(calls).stored_skeleton(IN_VOXELS)
        assert meshes_of(calls, IN_VOXELS)[IN_VOXELS].origin == "computed"


@pytest.mark.parametrize("radii", [True, False])
@pytest.mark.parametrize("count", [1, 5, 300_001])
def test_a_stored_skeleton_comes_whole_however_long(keeper, radii, count):
    volume, calls = keeper
    volume.skeleton = line(count, radii=radii)
    got = RemoteKept(calls).stored_skeleton(KEPT)
    np.testing.assert_array_equal(got.vertices, volume.skeleton.vertices)
    np.testing.assert_array_equal(got.edges, volume.skeleton.edges)
    assert (got.radii is not None) == radii
    if radii:
        np.testing.assert_array_equal(got.radii, volume.skeleton.radii)


def test_the_client_answers_for_the_store_as_an_adapter_would(keeper):
    volume, calls = keeper
    kept = RemoteKept(calls)
    np.testing.assert_array_equal(kept.stored_mesh(KEPT).vertices, volume.mesh.vertices)
    assert kept.stored_mesh(ABSENT) is None
    assert kept.stored_skeleton(ABSENT) is None
    for ask in (kept.stored_mesh, kept.stored_skeleton):
        with pytest.raises(ChunkCorrupt, match="cut short"):
            ask(BROKEN)
        with pytest.raises(InvalidSegmentId):
            ask(0)
