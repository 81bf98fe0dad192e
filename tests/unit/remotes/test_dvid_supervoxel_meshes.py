"""Meshes of supervoxels in DVID: alone, and put together to bodies; on a real server, too, where one is named."""

import struct
from collections.abc import Iterator

import numpy as np
import pytest

from support.dvid_volumes import SERVERS, Repository, repository
from support.mesh_services import serving_meshes
from support.mesh_volumes import meshed
from support.mesh_volumes import segmentation as in_memory
from voxgate.client.connection import connect
from voxgate.model.errors import ChunkCorrupt, InvalidSegmentId, SegmentNotFound
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import LabelView, OpenOptions
from voxgate_remotes.registry import Registry

BLOCK = Vec3(16, 16, 16)
SIZE = VoxelSize(8.0, 10.0, 40.0)
BODY, PART, OTHER, ABSENT = 2**53 + 1, 2**63 + 9, 7, 12345
SUPERVOXELS = OpenOptions(label_view=LabelView.SUPERVOXELS)


def labels():
    voxels = np.zeros((16, 32, 32), np.uint64)
    voxels[2:9, 3:20, 4:14] = BODY
    voxels[2:9, 3:20, 14:25] = PART
    voxels[11:14, 5:9, 5:27] = OTHER
    return voxels


def ngmesh(mesh):
    return struct.pack("<I", len(mesh.vertices)) + mesh.vertices.tobytes() + mesh.faces.tobytes()


@pytest.fixture(scope="module")
def surfaces():
    volume = in_memory(labels(), offset=Vec3(32, 16, 16), size=SIZE)
    return meshed(volume, [BODY, PART, OTHER])


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Repository]:
    with repository(request.param) as found:
        yield found


def kept(store: Repository, files: dict[int, bytes], extension: str = "ngmesh") -> str:
    """A labelmap in which PART was merged into BODY, and files of its supervoxels."""
    units = {"VoxelSize": ",".join(map(str, SIZE)), "VoxelUnits": "nanometers,nanometers,nanometers"}
    name = store.make("labelmap", BLOCK, **units)
    store.put_labels(name, Vec3(32, 16, 16), labels())
    store.call("POST", f"{name}/merge", json=[BODY, PART])
    store.make("tarsupervoxels", BLOCK, f"{name}_sv_meshes", Extension=extension, Versioned="false")
    store.call("POST", f"{name}_sv_meshes/sync", json={"sync": name})
    for supervoxel, data in files.items():
        store.call("POST", f"{name}_sv_meshes/supervoxel/{supervoxel}", data=data)
    return name


def meshes_of(store: Repository, name: str, options: OpenOptions | None = None) -> StoredMeshes:
    found = store.remote().open((name,), options or OpenOptions()).capability(StoredMeshes)
    assert found is not None
    return found


def corners(mesh):
    return sorted(mesh.vertices[mesh.faces].reshape(-1, 9).tolist())


def test_a_body_is_all_of_its_supervoxels_and_a_supervoxel_is_itself(store, surfaces):
    name = kept(store, {each: ngmesh(mesh) for each, mesh in surfaces.items()})
    bodies, parts = meshes_of(store, name), meshes_of(store, name, SUPERVOXELS)
    for each in (BODY, PART):
        assert corners(parts.stored_mesh(each)) == corners(surfaces[each])
    body = bodies.stored_mesh(BODY)
    assert corners(body) == sorted(corners(surfaces[BODY]) + corners(surfaces[PART]))
    assert (body.segment_id, body.origin) == (BODY, "stored")
    assert corners(bodies.stored_mesh(OTHER)) == corners(surfaces[OTHER])
    for one in (bodies, parts):
        assert one.stored_mesh(ABSENT) is None
        with pytest.raises(InvalidSegmentId):
            one.stored_mesh(0)


def test_a_body_of_which_a_part_is_missing_is_not_stored_and_an_empty_part_has_no_surface(store, surfaces):
    name = kept(store, {BODY: ngmesh(surfaces[BODY]), OTHER: b""})
    assert meshes_of(store, name).stored_mesh(BODY) is None
    assert len(meshes_of(store, name).stored_mesh(OTHER).faces) == 0
    parts = meshes_of(store, name, SUPERVOXELS)
    assert corners(parts.stored_mesh(BODY)) == corners(surfaces[BODY])
    assert parts.stored_mesh(PART) is None


def test_meshes_of_whole_bodies_come_first(store, surfaces):
    name = kept(store, {each: ngmesh(mesh) for each, mesh in surfaces.items()})
    store.make("keyvalue", BLOCK, f"{name}_meshes")
    store.call("POST", f"{name}_meshes/key/{BODY}.ngmesh", data=ngmesh(surfaces[OTHER]))
    assert corners(meshes_of(store, name).stored_mesh(BODY)) == corners(surfaces[OTHER])
    assert corners(meshes_of(store, name).stored_mesh(OTHER)) == corners(surfaces[OTHER])
    assert corners(meshes_of(store, name, SUPERVOXELS).stored_mesh(BODY)) == corners(surfaces[BODY])


def test_what_is_broken_is_said_so_and_files_of_unknown_unit_are_not_taken(store, surfaces):
    broken = kept(store, {OTHER: ngmesh(surfaces[OTHER])[:-1]})
    for options in (None, SUPERVOXELS):
        with pytest.raises(ChunkCorrupt) as caught:
            meshes_of(store, broken, options).stored_mesh(OTHER)
        assert caught.value.remedy
    for ending in ("drc", "obj"):
        name = kept(store, {OTHER: ngmesh(surfaces[OTHER])}, ending)
        for options in (None, SUPERVOXELS):
            assert meshes_of(store, name, options).stored_mesh(OTHER) is None


def test_the_mesh_service_answers_them_and_computes_what_is_not_whole(store, surfaces):
    name = kept(store, {each: ngmesh(surfaces[each]) for each in (BODY, OTHER)})
    with serving_meshes(Registry({"dvid": store.remote()})) as server, connect(server.address) as client:
        seg = client.volume(f"dvid/{name}")
        other = seg.mesh(OTHER)
        assert (other.origin, corners(other)) == ("stored", corners(surfaces[OTHER]))
        body = seg.mesh(BODY)
        assert (body.origin, body.statistics.watertight) == ("computed", True)
        assert body.statistics.voxel_count == 7 * 17 * 21
        with pytest.raises(SegmentNotFound):
            seg.mesh(BODY, source="stored")
