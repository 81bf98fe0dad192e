"""Meshes that are made once, over real sockets: of voxels that never change, and of no others."""

import contextlib
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest

from support.mesh_volumes import CountingVolume, blobs, segmentation
from support.servers import OneVolume, settings
from support.zarr_files import bare
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model.errors import StoreUnavailable
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc
from voxgate_mesh.service import registrations
from voxgate_remotes.config import RemoteConfig, VolumeOverrides, parse_remotes
from voxgate_remotes.policy import GovernedRemote
from voxgate_remotes.registry import Registry
from voxgate_serving.server import start_server
from voxgate_serving.workers import WorkerPool

HUGE, BIG, SMALL = 2**63 + 9, 2**53 + 1, 3


@contextlib.contextmanager
def serving(registry, **overrides):
    chosen = settings(**overrides)
    server = start_server(registrations(registry, chosen, workers=WorkerPool(0)), chosen)
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield mesh_pb2_grpc.MeshServiceStub(channel)
    finally:
        server.stop(1.0)


def counting(*, immutable, **options):
    volume = CountingVolume(segmentation(blobs(7, shape=(19, 31, 42))), **options)
    volume.info = replace(volume.info, immutable=immutable)
    return volume


def stated(volume, **said):
    """The volume in a read-only remote whose operator states something."""
    return Registry({"lab": GovernedRemote(OneVolume(volume), RemoteConfig(uri="lab://", **said))})


def meshes(stub, *ids, name="lab/seg", **wishes):
    """Vertices and faces by id."""
    found = {}
    for mesh in GrpcMeshSource(stub, name).meshes(MeshRequest(ids or (HUGE,), **wishes)):
        assert isinstance(mesh, Mesh), mesh
        found[mesh.segment_id] = (mesh.vertices.tolist(), mesh.faces.tolist(), mesh.statistics)
    return found


def test_a_mesh_of_voxels_that_never_change_is_made_once_and_served_again_as_it_was():
    volume = counting(immutable=True)
    with serving(Registry({"lab": OneVolume(volume)})) as stub:
        first = meshes(stub, HUGE, BIG)
        reads = len(volume.boxes)
        assert meshes(stub, BIG, HUGE) == first
        asked = pb.MeshSpec(volume="lab/seg", segment_ids=[HUGE])
        file = list(stub.ExportMesh(pb.ExportMeshRequest(spec=asked, format=pb.MESH_FORMAT_PLY)))
        assert sum(len(each.data) for each in file) > 1000
        assert len(volume.boxes) == reads > 0
        assert meshes(stub, HUGE, normals=True) != {}
        assert len(volume.boxes) > reads


def test_who_asks_while_a_mesh_is_made_waits_for_it():
    volume = counting(immutable=True, blocked=True)
    with serving(Registry({"lab": OneVolume(volume)})) as stub:
        asked = pb.GetMeshesRequest(spec=pb.MeshSpec(volume="lab/seg", segment_ids=[HUGE]))
        first = stub.GetMeshes(asked, timeout=60)
        assert next(first).HasField("progress")
        assert volume.started.wait(30)
        others = [stub.GetMeshes(asked, timeout=60) for _ in range(3)]
        for other in others:
            assert next(other).HasField("progress")  # it is under way, and not the first
        volume.go.set()
        ends = [[end for message in call for end in message.ends] for call in (first, *others)]
        assert all(end == ends[0] for end in ends)
        assert ends[0][0].vertex_count > 100
        assert len(volume.boxes) == len(set(volume.boxes)) > 0


def test_after_a_cancel_of_the_one_who_computes_another_takes_over():
    volume = counting(immutable=True, blocked=True)
    with serving(Registry({"lab": OneVolume(volume)})) as stub:
        asked = pb.GetMeshesRequest(spec=pb.MeshSpec(volume="lab/seg", segment_ids=[HUGE]))
        first = stub.GetMeshes(asked, timeout=60)
        assert next(first).HasField("progress")
        assert volume.started.wait(30)
        second = stub.GetMeshes(asked, timeout=60)
        assert next(second).HasField("progress")
        first.cancel()
        volume.go.set()
        assert [end.vertex_count > 100 for message in second for end in message.ends] == [True]


def test_a_failure_of_the_store_is_not_remembered():
    volume = counting(immutable=True, error=StoreUnavailable("gone", "try again"))
    with serving(Registry({"lab": OneVolume(volume)})) as stub:
        with pytest.raises(StoreUnavailable):
            meshes(stub)
        volume._error = None
        assert len(meshes(stub)[HUGE][0]) > 100


@pytest.mark.parametrize("overrides", [{}, {"mesh_cache_bytes": 0}])
def test_a_write_between_two_calls_is_seen_where_voxels_can_change(overrides):
    volume = segmentation(blobs(7, shape=(19, 31, 42)))
    with serving(Registry({"lab": OneVolume(volume)}), **overrides) as stub:
        first = meshes(stub)
        bounds = volume.info.scales[0].bounds
        voxels = volume.read(bounds)
        voxels[:, :9] = HUGE
        volume.write(bounds, voxels)
        assert meshes(stub) != first


def test_without_a_cache_also_what_never_changes_is_made_anew():
    volume = counting(immutable=True)
    with serving(Registry({"lab": OneVolume(volume)}), mesh_cache_bytes=0) as stub:
        assert meshes(stub) == meshes(stub)
        assert len(volume.boxes) == 2 * len(set(volume.boxes))


@pytest.mark.parametrize(
    ("said", "is_kept"),
    [
        ({}, False),
        ({"immutable": True}, True),
        ({"volumes": {"seg": VolumeOverrides(immutable=True)}}, True),
        ({"volumes": {"other": VolumeOverrides(immutable=True)}}, False),
    ],
)
def test_what_the_operator_states_to_be_immutable_is_made_once(said, is_kept):
    volume = counting(immutable=False)
    with serving(stated(volume, **said)) as stub:
        first = meshes(stub, HUGE, SMALL)
        reads = len(volume.boxes)
        assert meshes(stub, SMALL, HUGE) == first
        assert len(volume.boxes) == (reads if is_kept else 2 * reads)


def test_a_folder_of_files_is_believed_to_last_only_where_its_operator_says_so(tmp_path: Path):
    labels = np.zeros((5, 7, 9), np.uint64)
    labels[1:4, 2:5, 3:8] = HUGE
    table = {}
    for name, said in (("changing", {}), ("lasting", {"immutable": True})):
        bare(tmp_path / name / "seg.zarr", labels, chunks=(2, 3, 4))
        facts = {"kind": "segmentation", "axes": "zyx", "voxel_size_nm": [4, 4, 40]}
        table[name] = {"uri": str(tmp_path / name), **said, "volumes": {"seg.zarr": facts}}
    registry = Registry.from_config(parse_remotes(table, tmp_path))
    with serving(registry) as stub:
        first = {name: meshes(stub, name=f"{name}/seg.zarr") for name in table}
        assert first["changing"] == first["lasting"]
        for name in table:
            files = sorted(each for each in (tmp_path / name / "seg.zarr").rglob("*") if each.is_file())
            next(each for each in files if each.name != "zarr.json").unlink()
        assert meshes(stub, name="lasting/seg.zarr") == first["lasting"]
        assert meshes(stub, name="changing/seg.zarr") != first["changing"]
