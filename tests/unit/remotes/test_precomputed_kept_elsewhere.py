"""What a precomputed volume keeps where it is not on this machine: read through tensorstore, never whole shards."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest

from support.kept_files import (
    ABSENT,
    BIG,
    SMALL,
    TRANSFORM,
    kept_volume,
    legacy_by_cloud_volume,
    line,
    multires,
    surface,
    triangle_set,
    triangles_of,
    write_multires,
    write_skeletons,
)
from support.peer_files import SHARDING
from voxgate.model.errors import ChunkCorrupt, PathRefused, StoreAccessDenied, StoreUnavailable
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.metadata import json_object
from voxgate_remotes.precomputed import open_store
from voxgate_remotes.tensorstores import Tuning


class FarFolder:
    """A folder that has no path: documents one way, everything else through tensorstore."""

    path = None

    def __init__(self, root: Path) -> None:
        self.root = root
        self.denied, self.spec = (), {"driver": "file", "path": f"{root}/"}

    def json(self, name):
        file = self.root / name
        if str(file).endswith(self.denied):
            raise StoreAccessDenied("the store does not let us in")
        return json_object(name, file.read_bytes()) if file.is_file() else None

    def read(self, name, limit):
        raise AssertionError(f"{name} was asked for as a document")

    def within(self, relative):
        if ".." in relative.split("/"):
            raise PathRefused("metadata refers to a path outside of its volume")
        inner = FarFolder(self.root / relative)
        inner.denied = self.denied
        inner.spec = {**self.spec, "path": f"{self.spec['path']}{relative}/"}
        return inner

    def kvstore(self):
        return self.spec


@pytest.fixture
def far(tmp_path):
    kept_volume(tmp_path, mesh="mesh", skeletons="skeletons", segment_properties="props")
    (tmp_path / "skeletons").mkdir()
    return FarFolder(tmp_path)


def volume_of(folder):
    opened = open_store(folder, Tuning())
    return opened.bind(opened.info, OpenOptions())


def test_legacy_meshes_come_whatever_their_first_byte_is(far):
    # 60 vertices begin with "<", as a page in HTML would.
    vertices = np.arange(180, dtype=np.float32).reshape(60, 3)
    faces = np.array([[0, 1, 59]], np.uint32)
    legacy_by_cloud_volume(far.root, SMALL, [surface(1), (vertices, faces)])
    mesh = volume_of(far).capability(StoredMeshes).stored_mesh(SMALL)
    np.testing.assert_array_equal(mesh.vertices[36:], vertices)
    assert volume_of(far).capability(StoredMeshes).stored_mesh(ABSENT) is None


@pytest.mark.parametrize("sharding", [None, SHARDING], ids=["files", "shards"])
def test_multiresolution_meshes_skeletons_and_properties_come(far, sharding):
    write_multires(far.root, {BIG: multires(0)[:2], SMALL: multires(3)[:2]}, sharding)
    write_skeletons(far.root, [line(BIG, 1), line(60, 2, 60)], TRANSFORM, sharding)
    (far.root / "props").mkdir()
    (far.root / "props/info").write_text(json.dumps({"@type": "neuroglancer_segment_properties"}))
    volume = volume_of(far)
    meshes, skeletons = volume.capability(StoredMeshes), volume.capability(StoredSkeletons)
    assert triangles_of(meshes.stored_mesh(BIG)) == triangle_set(multires(0)[2])
    assert [len(skeletons.stored_skeleton(each).vertices) for each in (BIG, 60)] == [7, 60]
    assert (meshes.stored_mesh(ABSENT), skeletons.stored_skeleton(ABSENT)) == (None, None)
    assert len(volume.capability(SegmentProperties).properties()) == 0


def test_what_is_cut_short_or_leads_elsewhere_is_refused(far):
    fragments, manifest, _ = multires(0)
    write_multires(far.root, {BIG: (fragments[: len(fragments) // 2], manifest)})
    with pytest.raises(ChunkCorrupt, match="shorter"):
        volume_of(far).capability(StoredMeshes).stored_mesh(BIG)
    (far.root / "mesh/info").unlink()
    (far.root / f"mesh/{BIG}:0").write_text('{"fragments": ["../info"]}')
    with pytest.raises(PathRefused):
        volume_of(far).capability(StoredMeshes).stored_mesh(BIG)


def test_a_bucket_that_may_not_be_listed_has_legacy_meshes_where_info_is_refused(far):
    legacy_by_cloud_volume(far.root, SMALL, [surface(1)])
    far.denied = ("mesh/info",)
    assert len(volume_of(far).capability(StoredMeshes).stored_mesh(SMALL).faces) == 50


def test_a_store_that_fails_is_no_segment_without_a_mesh(far):
    volume = volume_of(far)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    retries = {"max_retries": 1, "initial_delay": "1ms"}
    far.spec = {"driver": "http", "base_url": base_url, "path": "/", "http_request_retries": retries}
    with pytest.raises(StoreUnavailable) as unavailable:
        volume.capability(StoredMeshes).stored_mesh(BIG)
    assert base_url not in str(unavailable.value)
