"""Meshes that a job stores in a bucket: the same bytes as in a folder, and announced beside the volume there."""

import json
from dataclasses import replace

import pytest
import tensorstore as ts

from support.bulk_meshes import APART, BIG, LARGE, OTHER, SMALL, opened, run, segmentation, stored
from support.emulators import gcs_emulator, s3_emulator
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import MeshJobMode, MeshJobSpec
from voxgate.model.skeletons import StoredMeshes
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry


@pytest.fixture(params=["s3", "gs"])
def emulator(request, tmp_path):
    start = s3_emulator if request.param == "s3" else gcs_emulator
    with start(tmp_path / "log") as one:
        yield one


def test_a_bucket_gets_what_a_folder_gets(emulator, tmp_path):
    remotes = {
        "lab": RemoteConfig(uri=(tmp_path / "lab").as_uri(), writable=True),
        "far": emulator.config("lab", writable=True),
    }
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    for name in ("lab/seg", "far/seg"):
        stored(registry, name, segmentation())
    spec = MeshJobSpec("lab/seg", chunk_shape=Vec3(44, 31, 20), max_error_nm=0, sharded=True)
    near = run(opened(registry, spec))
    far = run(opened(registry, replace(spec, destination="far/seg")))
    assert replace(far, destination="lab/seg") == near
    there = ts.KvStore.open(emulator.kvstore("lab/seg")).result()
    files = [path for path in (tmp_path / "lab/seg/mesh").iterdir() if path.name != "info"]
    assert {f"mesh/{path.name}".encode() for path in files} == {
        key for key in there.list().result() if key.startswith(b"mesh") and key != b"mesh/info"
    }
    for path in files:
        assert there.read(f"mesh/{path.name}").result().value == path.read_bytes()
    assert json.loads(there.read("info").result().value)["mesh"] == "mesh"
    kept = registry.open("far/seg").capability(StoredMeshes)
    assert all(kept.stored_mesh(segment_id) for segment_id in (SMALL, APART, OTHER, BIG, LARGE))

    again = replace(spec, destination="far/seg", mode=MeshJobMode.OVERWRITE, minimum_voxel_count=1000)
    run(opened(registry, again))
    kept = registry.open("far/seg").capability(StoredMeshes)
    assert [each for each in (SMALL, APART, OTHER, BIG, LARGE) if kept.stored_mesh(each)] == [OTHER, LARGE]
    assert not [key for key in there.list().result() if key.startswith(b"mesh/") or b"partial" in key]
