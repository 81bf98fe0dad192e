"""Key-values of DVID, and the meshes and skeletons kept in them; on a real server, too, where one is named."""

import struct
from collections.abc import Iterator

import numpy as np
import pytest

from support.dvid_volumes import SERVERS, Repository, repository
from voxgate.model.errors import ChunkCorrupt, InvalidArgument, InvalidSegmentId, UnknownKey, UnknownVolume
from voxgate.model.geometry import Vec3
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import LabelView, OpenOptions

BLOCK = Vec3(16, 16, 16)
SIZE = {"VoxelSize": "8.0,8.0,8.0", "VoxelUnits": "nanometers,nanometers,nanometers"}
BOUNDS = {"Tags": "voxgate-bounds=0_0_0_16_16_16"}
BIG = 2**63 + 9


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Repository]:
    with repository(request.param) as found:
        yield found


@pytest.fixture
def values(store: Repository) -> KeyValues:
    return store.remote().capability(HasKeyValues).key_values((store.make("keyvalue", BLOCK),), "")


def test_values_of_any_bytes_come_back(values: KeyValues):
    assert values.keys() == []
    for key, value in {"b": bytes(range(256)), "a": b"{}", "empty": b"", "big": b"x" * 100_000}.items():
        values.set(key, value)
        assert values.get(key) == value
    assert values.keys() == ["a", "b", "big", "empty"]
    values.set("a", b"again")
    assert values.get("a") == b"again"


@pytest.mark.parametrize("key", ["sp ace", "q?x=1&y", "50%", "%2F", "hash#", "ü", "7.ngmesh", "a+b", "semi;colon", ":"])
def test_keys_of_any_printable_characters_come_back(values: KeyValues, key: str):
    values.set(key, b"1")
    assert values.keys() == [key]
    assert values.get(key) == b"1"
    values.delete(key)
    assert values.keys() == []


def test_a_key_that_is_not_there_is_unknown(values: KeyValues):
    values.set("there", b"1")
    for ask in (values.get, values.delete):
        with pytest.raises(UnknownKey):
            ask("not there")
    values.delete("there")
    with pytest.raises(UnknownKey):
        values.delete("there")


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a\nb", "a\0b", "k" * 1025])
def test_a_key_that_dvid_would_change_is_refused(values: KeyValues, key: str):
    for ask in (values.get, values.delete, lambda one: values.set(one, b"1")):
        with pytest.raises(InvalidArgument):
            ask(key)


def test_only_instances_of_key_values_have_them(store: Repository):
    keep = store.remote().capability(HasKeyValues)
    image = store.make("uint8blk", BLOCK)
    for path in ((image,), ("nothing",), ()):
        with pytest.raises(UnknownVolume):
            keep.key_values(path, "")


@pytest.fixture
def segmentation(store: Repository) -> str:
    name = store.make("labelmap", BLOCK, **SIZE, **BOUNDS)
    for kind in ("meshes", "skeletons"):
        store.make("keyvalue", BLOCK, f"{name}_{kind}")
    return name


def test_a_stored_mesh_is_answered_in_nanometres(store: Repository, segmentation: str):
    vertices = np.array([[1, 2, 3], [40, 50, 60], [7, 8, 9]], "<f4")
    body = struct.pack("<I", 3) + vertices.tobytes() + struct.pack("<3I", 2, 0, 1)
    store.call("POST", f"{segmentation}_meshes/key/{BIG}.ngmesh", data=body)
    volume = store.remote().open((segmentation,), OpenOptions())
    mesh = volume.capability(StoredMeshes).stored_mesh(BIG)
    np.testing.assert_array_equal(mesh.vertices, vertices)
    assert mesh.faces.tolist() == [[2, 0, 1]]
    assert (mesh.segment_id, mesh.origin, mesh.resolved_version) == (BIG, "stored", volume.info.resolved_version)
    assert volume.capability(StoredMeshes).stored_mesh(BIG + 1) is None
    with pytest.raises(InvalidSegmentId):
        volume.capability(StoredMeshes).stored_mesh(0)
    store.call("POST", f"{segmentation}_meshes/key/5.ngmesh", data=body[:-1])
    with pytest.raises(ChunkCorrupt):
        volume.capability(StoredMeshes).stored_mesh(5)


def test_a_stored_skeleton_is_answered_in_nanometres(store: Repository, segmentation: str):
    store.call("POST", f"{segmentation}_skeletons/key/{BIG}_swc", data=b"1 0 1 2 3 0.5 -1\n2 0 2 2 3 1 1\n")
    skeleton = store.remote().open((segmentation,), OpenOptions()).capability(StoredSkeletons).stored_skeleton(BIG)
    assert skeleton.vertices.tolist() == [[8, 16, 24], [16, 16, 24]]
    assert skeleton.edges.tolist() == [[1, 0]]
    assert skeleton.radii.tolist() == [4, 8]
    stored = store.remote().open((segmentation,), OpenOptions()).capability(StoredSkeletons)
    assert stored.stored_skeleton(7) is None


def test_what_is_kept_is_of_bodies_and_needs_its_instances(store: Repository, segmentation: str):
    remote = store.remote()
    supervoxels = remote.open((segmentation,), OpenOptions(label_view=LabelView.SUPERVOXELS))
    bare = remote.open((store.make("labelmap", BLOCK, **SIZE, **BOUNDS),), OpenOptions())
    unknown = store.make("labelmap", BLOCK, VoxelSize="1.0,1.0,1.0", VoxelUnits="voxels,voxels,voxels", **BOUNDS)
    store.make("keyvalue", BLOCK, f"{unknown}_skeletons")
    for volume in (supervoxels, bare, remote.open((unknown,), OpenOptions())):
        assert volume.capability(StoredMeshes) is None
        assert volume.capability(StoredSkeletons) is None
