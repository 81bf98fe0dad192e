"""Scale, simplification, normals and refusals over real servers, asked through the SDK."""

import contextlib
import itertools
import math
import multiprocessing
import re
import time
from dataclasses import replace
from functools import partial

import grpc
import numpy as np
import pytest

from support.chains import chained_registry
from support.mesh_services import ABSENT, BALL, DOT, ROD, bodies, client_of, pyramid, serving_meshes
from support.mesh_volumes import CountingVolume, as_trimesh, meshed, segmentation
from support.servers import OneVolume, settings
from voxgate.client.connection import connect
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model import errors
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.mesh_facts import Simplification
from voxgate.model.meshes import Mesh, MeshFailure, MeshRequest, MeshSource
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import Channel, ScaleSpec, VolumeKind, VolumeSpec
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate_mesh import finishing
from voxgate_mesh.measuring import measure
from voxgate_mesh.service import MESH, meshing_settings
from voxgate_mesh.servicer import MeshServicer
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.handlers import add_servicer
from voxgate_serving.server import ServiceRegistration, start_server
from voxgate_serving.workers import WorkerPool

VOLUME_NM3 = 4 / 3 * math.pi * 300**3


class Keeping(CountingVolume):
    """A volume whose store keeps a mesh of the rod."""

    def __init__(self, volume, mesh):
        super().__init__(volume)
        self.mesh = mesh

    def stored_mesh(self, segment_id):
        return self.mesh if segment_id == ROD else None

    def capability(self, kind):
        return self if kind is StoredMeshes else super().capability(kind)


@pytest.fixture(scope="module")
def labels():
    return bodies()


@pytest.fixture(scope="module")
def seg(labels):
    with client_of(pyramid(labels), max_segment_count=5) as client:
        yield client.volume("lab/seg")


def answers(seg, *ids, **request):
    found = list(seg.volume.capability(MeshSource).meshes(MeshRequest(ids, **request)))
    assert sorted(each.segment_id for each in found) == sorted(ids)
    return {each.segment_id: each for each in found}


def assert_closed_ball(mesh, rel=0.05):
    assert mesh.statistics.watertight
    assert as_trimesh(mesh).is_watertight
    assert mesh.statistics.volume_nm3 == pytest.approx(VOLUME_NM3, rel=rel)
    assert mesh.statistics == measure(mesh.vertices, mesh.faces, mesh.statistics.voxel_count, mesh.statistics.error_nm)


def test_an_error_chooses_the_scale_and_how_far_to_simplify(seg, labels):
    for error, scale in ((20, 0), (59, 0), (60, 1), (119, 1), (120, 2)):
        mesh = seg.mesh(BALL, max_error_nm=error)
        assert (mesh.scale, mesh.origin) == (scale, "computed")
        assert 0 < mesh.statistics.error_nm <= error
        assert_closed_ball(mesh, rel=0.05 + 1.5 * error / 300)
        assert len(mesh.faces) < len(seg.mesh(BALL, scale=scale).faces)
    assert seg.mesh(BALL, max_error_nm=59).statistics.voxel_count == np.count_nonzero(labels == np.uint64(BALL))


def test_a_number_of_triangles_chooses_the_coarsest_scale_that_has_more_than_twice_as_many(seg):
    counts = [len(seg.mesh(BALL, scale=scale).faces) for scale in range(3)]
    assert counts[0] > counts[1] > counts[2]
    for scale in range(3):
        at_most = (counts[scale] - 1) // 2
        mesh = seg.mesh(BALL, target_face_count=at_most)
        assert mesh.scale == scale
        assert len(mesh.faces) <= at_most
        assert_closed_ball(mesh, rel=0.1)
        if scale:
            assert seg.mesh(BALL, target_face_count=at_most + 1).scale == scale - 1
    assert seg.mesh(BALL, target_face_count=100, max_error_nm=100).scale == 1
    assert seg.mesh(BALL, target_face_count=10**6).scale == 0


def test_segments_of_one_request_are_answered_from_scales_of_their_own(seg):
    ball, rod, dot = seg.meshes([BALL, ROD, DOT], target_face_count=300)
    assert ball.scale > rod.scale >= dot.scale == 0
    assert len(dot.faces) == 8
    assert dot.statistics.voxel_count == 1
    with pytest.raises(errors.SegmentNotFound):
        seg.meshes([BALL, ABSENT], target_face_count=300)


def test_a_named_scale_is_meshed_and_so_is_that_of_an_array_of_a_scale(seg):
    box = Box.of(x=(0, 60), y=(30, 110), z=(103, 122))
    assert seg.mesh(BALL, max_error_nm=500, scale=0).scale == 0
    assert seg.mesh(BALL, max_error_nm=500, scale="1").scale == 1
    assert seg.scale(1).mesh(BALL, max_error_nm=500).scale == 1
    assert seg.mesh(BALL, max_error_nm=500, bounds=box).scale == 0
    wish = Simplification(500.0)
    with pytest.raises(errors.InvalidArgument, match="no scale is named"):
        answers(seg, BALL, simplification=wish, bounds=box)


@pytest.mark.parametrize("mode", ["quality", "fast"])
def test_normals_point_outside_with_and_without_simplification(seg, mode):
    for wishes in ({}, {"target_face_count": 500, "simplification": mode}):
        mesh = seg.mesh(BALL, normals=True, **wishes)
        assert mesh.normals.shape == mesh.vertices.shape
        away = mesh.vertices - mesh.vertices.mean(axis=0)
        assert np.median((mesh.normals * away).sum(axis=1) / np.linalg.norm(away, axis=1)) > 0.8
        assert np.abs(np.linalg.norm(mesh.normals, axis=1) - 1).max() < 1e-5
    assert seg.mesh(BALL).normals is None


def test_the_provenance_is_the_request_as_it_was_understood(seg):
    parameters = seg.mesh(BALL, max_error_nm=60).provenance.parameters
    assert parameters["mesher"] == "cubes"
    assert parameters["max_error_nm"] == 60
    assert parameters["simplification"] == "MESH_SIMPLIFICATION_QUALITY"
    assert parameters["border"] == "MESH_BORDER_CLOSED"
    assert "scale_index" not in parameters
    spec = pb.MeshSpec(volume="lab/seg", segment_ids=[BALL], scale_key="2", search=pb.MESH_SEARCH_EVERYWHERE)
    stub = seg.volume.capability(MeshSource).stub
    (first, *_) = stub.GetMeshes(pb.GetMeshesRequest(spec=spec))
    assert first.provenance.parameters.scale_index == 2
    assert first.provenance.parameters.search == pb.MESH_SEARCH_EVERYWHERE
    assert not first.provenance.parameters.segment_ids
    assert first.provenance.volume == "lab/seg"


def test_background_is_a_status_in_its_item_and_the_others_are_answered(seg):
    found = answers(seg, BALL, 0, ABSENT)
    assert isinstance(found[0].error, errors.InvalidSegmentId)
    assert isinstance(found[ABSENT].error, errors.SegmentNotFound)
    assert isinstance(found[BALL], Mesh)
    assert isinstance(answers(seg, 0)[0].error, errors.InvalidSegmentId)
    for source in ("auto", "computed"):
        assert isinstance(answers(seg, 0, ROD, source=source, normals=True)[ROD], Mesh)
    with pytest.raises(errors.InvalidSegmentId):
        list(seg.volume.capability(MeshSource).meshes(MeshRequest((0, 0, ROD))))


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"max_error_nm": 0.0}, errors.InvalidArgument),
        ({"max_error_nm": float("nan")}, errors.InvalidArgument),
        ({"target_face_count": 3}, errors.InvalidArgument),
        ({"simplification": "best"}, errors.InvalidArgument),
        ({"search": "everything"}, errors.InvalidArgument),
        ({"source": "guessed"}, errors.InvalidArgument),
        ({"source": "stored", "max_error_nm": 5.0}, errors.InvalidArgument),
        ({"search": "index"}, errors.MissingCapability),
    ],
)
def test_wishes_that_mean_nothing_are_refused(seg, wishes, error):
    with pytest.raises(error) as caught:
        seg.mesh(BALL, **wishes)
    assert caught.value.remedy


def test_a_number_that_means_nothing_is_refused_by_the_server_too(seg):
    stub = seg.volume.capability(MeshSource).stub
    for fields in ({"max_error_nm": -1.0}, {"target_face_count": 0}, {"segment_ids": range(1, 7)}):
        spec = pb.MeshSpec(**{"volume": "lab/seg", "segment_ids": [BALL], **fields})
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.GetMeshes(pb.GetMeshesRequest(spec=spec)))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert from_rpc_error(caught.value).remedy


def endless(*_surface):
    """Takes the place of the work on a surface, in another process."""
    time.sleep(120)


def test_a_client_that_leaves_ends_the_process_that_simplifies_for_it(seg, monkeypatch):
    monkeypatch.setattr(finishing, "MANY_FACES", 1000)
    monkeypatch.setattr(finishing, "finish_surface", endless)
    before = {each.pid for each in multiprocessing.active_children()}

    def working():
        return [each for each in multiprocessing.active_children() if each.pid not in before and each.is_alive()]

    def leave(phase, done, total):
        if phase == "simplifying" and working():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        seg.mesh(BALL, max_error_nm=41.5, progress=leave)
    until = time.monotonic() + 60
    while working() and time.monotonic() < until:
        time.sleep(0.05)
    assert not working()


@contextlib.contextmanager
def narrow_server(volume, max_file_bytes):
    """A Mesh service that holds very few bytes."""
    meshing = meshing_settings(settings())
    meshing = replace(meshing, limits=replace(meshing.limits, max_file_bytes=max_file_bytes))
    servicer = MeshServicer(Registry({"lab": OneVolume(volume)}), WorkerPool(0), meshing, ByteBudget(1 << 24))
    add = partial(add_servicer, servicer=servicer, service=pb.DESCRIPTOR.services_by_name["MeshService"])
    server = start_server([ServiceRegistration(MESH, add)], settings())
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield mesh_pb2_grpc.MeshServiceStub(channel)
    finally:
        server.stop(1.0)


def test_a_surface_of_too_many_bytes_is_its_own_failure_and_says_what_would_fit(seg, labels):
    with narrow_server(pyramid(labels), 300_000) as stub:
        source = GrpcMeshSource(stub, "lab/seg")
        found = {each.segment_id: each for each in source.meshes(MeshRequest((BALL, DOT), 0, normals=True))}
        error = found[BALL].error
        assert isinstance(error, errors.LimitExceeded)
        assert isinstance(found[DOT], Mesh)
        whole = seg.mesh(BALL)
        size = whole.vertices.nbytes + whole.faces.nbytes
        assert f"{size:,} bytes at scale 0" in str(error)
        assert "at most 300,000 bytes" in str(error)
        fits = int(re.search(r"mesh a coarser scale: (\d) \('\1'\)", str(error))[1])
        (mesh,) = source.meshes(MeshRequest((BALL,), fits, normals=True))
        assert isinstance(mesh, Mesh)


def test_a_file_of_too_many_bytes_is_refused_with_the_scale_that_would_fit(labels):
    with narrow_server(pyramid(labels), 300_000) as stub:
        spec = pb.MeshSpec(volume="lab/seg", segment_ids=[BALL])
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ExportMesh(pb.ExportMeshRequest(spec=spec, format=pb.MESH_FORMAT_PLY)))
        refused = from_rpc_error(caught.value)
        assert isinstance(refused, errors.LimitExceeded)
        assert refused.details["limit"] == "300000"
        spec.scale_index = int(refused.details["scale"])
        assert list(stub.ExportMesh(pb.ExportMeshRequest(spec=spec, format=pb.MESH_FORMAT_PLY)))


def test_a_stored_mesh_is_measured_gets_normals_and_is_not_simplified(labels):
    made = meshed(segmentation(labels, size=VoxelSize(9.0, 9.0, 9.0)), [ROD])[ROD]
    with client_of(Keeping(segmentation(labels), made)) as client:
        seg = client.volume("lab/seg")
        for source, normals in itertools.product(("auto", "stored"), (False, True)):
            mesh = seg.mesh(ROD, source=source, normals=normals)
            assert mesh.origin == "stored"
            assert mesh.vertices.tobytes() == made.vertices.tobytes()
            assert mesh.statistics == measure(made.vertices, made.faces)
            assert (mesh.statistics.voxel_count, mesh.search) == (None, "")
            assert (mesh.normals is not None) is normals
        with pytest.raises(errors.InvalidArgument, match="not simplified"):
            seg.mesh(ROD, source="stored", target_face_count=50)
        mesh = seg.mesh(ROD, target_face_count=50)
        assert (mesh.origin, mesh.mesher) == ("computed", "cubes")
        both = answers(seg, ROD, BALL, 0, normals=True)
        assert (both[ROD].origin, both[BALL].origin) == ("stored", "computed")
        assert both[BALL].normals is not None
        assert isinstance(both[0], MeshFailure)


def test_a_chain_of_servers_answers_as_the_last_one_does(labels):
    made = meshed(segmentation(labels, size=VoxelSize(9.0, 9.0, 9.0)), [ROD])[ROD]
    volume = Keeping(pyramid(labels), made)
    with serving_meshes(Registry({"lab": OneVolume(volume)})) as far, connect(far.address) as there:
        with serving_meshes(chained_registry(far.address)) as near, connect(near.address) as here:
            for wishes in (
                {"max_error_nm": 60.0, "normals": True},
                {"target_face_count": 400, "simplification": "fast"},
                {"scale": 1, "closed": False, "normals": True},
                {"search": "everywhere"},
            ):
                one = there.volume("lab/seg").mesh(BALL, **wishes)
                other = here.volume("next/lab/seg").mesh(BALL, **wishes)
                assert one.vertices.tobytes() == other.vertices.tobytes()
                assert one.faces.tobytes() == other.faces.tobytes()
                assert (one.scale, one.statistics, one.mesher) == (other.scale, other.statistics, other.mesher)
                assert (one.normals is None) is (other.normals is None) is ("normals" not in wishes)
            stored = here.volume("next/lab/seg").mesh(ROD, normals=True)
            assert (stored.origin, stored.vertices.tobytes()) == ("stored", made.vertices.tobytes())
            assert stored.normals is not None
            assert here.volume("next/lab/seg").mesh(ROD, max_error_nm=30).origin == "computed"


SIZE = VoxelSize(4.0, 4.0, 40.0)


def flat(dtype, kind=VolumeKind.UNKNOWN, size=SIZE, channels=()):
    box = Box.of(x=(-3, 4), y=(5, 11), z=(7, 12))
    spec = VolumeSpec(np.dtype(dtype), kind, (ScaleSpec(box, size),), channels=channels)
    volume = MemoryVolume.create(spec)
    volume.write(box, np.ones((max(1, len(channels)), *box.shape.zyx), dtype))
    return volume


@pytest.mark.parametrize(
    ("volume", "error", "match"),
    [
        (flat("<f4"), errors.MissingCapability, "float32"),
        (flat("<i8"), errors.MissingCapability, "int64"),
        (flat("<u2", VolumeKind.IMAGE), errors.MissingCapability, "image"),
        (flat("<u8", channels=(Channel("a"), Channel("b"))), errors.MissingCapability, "2 channels"),
        (flat("<u8", size=None), errors.ConfigInvalid, "unknown"),
    ],
)
def test_what_cannot_be_meshed_says_why(volume, error, match):
    with client_of(volume) as client:
        source = GrpcMeshSource(client.stubs.mesh, "lab/seg")
        for wishes in ({}, {"max_error_nm": 50.0}, {"target_face_count": 50, "normals": True}):
            with pytest.raises(error, match=match) as caught:
                list(source.meshes(request_of(wishes)))
            assert caught.value.remedy


def request_of(wishes):
    error, faces = wishes.get("max_error_nm"), wishes.get("target_face_count")
    wish = Simplification(error, faces) if wishes else None
    return MeshRequest((1,), simplification=wish, normals="normals" in wishes)
