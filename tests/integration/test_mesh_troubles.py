"""Meshes over a real server when workers die and callers leave; extreme bodies; what a server says of its meshing."""

import contextlib
import functools
import os
import signal
import threading
import time
from dataclasses import replace

import grpc
import numpy as np
import pytest

from support.mesh_searches import scaled
from support.mesh_services import client_of, serving_meshes
from support.mesh_volumes import OFFSET, SIZE, CountingVolume, as_trimesh, blobs, meshed, segmentation
from support.servers import SAMPLES, OneVolume, settings
from voxgate.client.connection import connect
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model.errors import InternalError
from voxgate.model.geometry import Vec3
from voxgate.model.mesh_facts import Simplification
from voxgate.model.meshes import Mesh, MeshRequest, MeshSource
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh import finishing, meshing
from voxgate_mesh.meshers import zmesh_surfaces
from voxgate_mesh.service import MESH, meshing_settings
from voxgate_mesh.servicer import MeshServicer
from voxgate_mesh.threads import ThreadWorkers
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.handlers import add_servicer
from voxgate_serving.server import ServiceRegistration, start_server
from voxgate_serving.workers import WorkerPool

HUGE = 2**63 + 9
LOW, VOXEL = np.array(tuple(OFFSET)), np.array(tuple(SIZE))


def dying(labels):
    os.kill(os.getpid(), signal.SIGKILL)


def dying_once(path, labels):
    """Mesh as zmesh does, but the first time die as hard as can be."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return zmesh_surfaces(labels)


def test_a_worker_that_dies_is_replaced_and_one_that_dies_twice_is_a_typed_error(monkeypatch, tmp_path):
    labels = blobs(21)
    expected = meshed(segmentation(labels), [HUGE], mesher="zmesh")[HUGE]
    meshers = iter([functools.partial(dying_once, str(tmp_path / "died")), dying, zmesh_surfaces])
    monkeypatch.setattr(meshing, "find_mesher", lambda name: ("zmesh", next(meshers)))
    with client_of(segmentation(labels), worker_processes=1) as client:
        seg = client.volume("lab/seg")
        mesh = seg.mesh(HUGE, mesher="zmesh")
        assert (tmp_path / "died").exists()
        assert mesh.faces.tobytes() == expected.faces.tobytes()
        with pytest.raises(InternalError, match="died twice") as caught:
            seg.mesh(HUGE, mesher="zmesh")
        assert caught.value.remedy
        assert seg.mesh(HUGE, mesher="zmesh").faces.tobytes() == expected.faces.tobytes()


class Slow(CountingVolume):
    """Every read of a scale waits a fifth of a second; remembers when each began."""

    def __init__(self, volume, scale):
        super().__init__(volume)
        self.times = []
        self._slow = scale

    def read(self, box, *, scale=0, channels=None, out=None):
        if scale == self._slow:
            self.times.append(time.monotonic())
            time.sleep(0.2)
        return super().read(box, scale=scale, channels=channels, out=out)


@contextlib.contextmanager
def slow_source(slow):
    """Asks a Mesh service that reads one small block at a time."""
    meshing_of = replace(meshing_settings(settings()), block_shape=Vec3(8, 5, 4), ahead=ReadAhead(1, 1, 0.5))
    servicer = MeshServicer(Registry({"lab": OneVolume(slow)}), WorkerPool(0), meshing_of, ByteBudget(1 << 20))
    add = functools.partial(add_servicer, servicer=servicer, service=pb.DESCRIPTOR.services_by_name["MeshService"])
    server = start_server([ServiceRegistration(MESH, add)], settings())
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield GrpcMeshSource(mesh_pb2_grpc.MeshServiceStub(channel), "lab/seg")
    finally:
        server.stop(1.0)


@pytest.mark.parametrize("scale", [0, 1])
def test_a_client_that_leaves_a_search_through_the_pyramid_stops_its_reads(scale):
    labels = np.zeros((30, 25, 800), np.uint64)
    labels[1:-1, 1:-1, 1:-1] = HUGE
    slow = Slow(scaled(labels), scale)

    def leave(phase, done, total):
        assert phase == "locating"
        if slow.times:
            raise InterruptedError

    with slow_source(slow) as source:
        with pytest.raises(InterruptedError):
            list(source.meshes(MeshRequest((HUGE,), search="pyramid"), progress=leave))
        left, before = time.monotonic(), len(slow.times)
        time.sleep(3.0)
        assert max(slow.times) <= left + 1.0
        assert len(slow.times) <= before + 6


def test_a_client_that_leaves_while_its_segments_are_simplified_starts_no_more_of_them(monkeypatch):
    labels = np.zeros((9, 12, 400), np.uint16)
    ids = tuple(range(1, 101))
    for each in ids:
        labels[2:7, 3:9, 4 * each - 4 : 4 * each - 1] = each
    begun, go, known = [], threading.Event(), finishing.finish_surface

    def held(*surface):
        begun.append(threading.current_thread().name)
        assert go.wait(60)
        return known(*surface)

    def leave(phase, done, total):
        if phase == "simplifying" and begun:
            raise InterruptedError

    monkeypatch.setattr(finishing, "finish_surface", held)
    with client_of(segmentation(labels)) as client:
        source = client.volume("lab/seg").volume.capability(MeshSource)
        with pytest.raises(InterruptedError):
            list(source.meshes(MeshRequest(ids, 0, simplification=Simplification(9.0)), progress=leave))
        time.sleep(2.0)  # the server looks for its caller each half second
        before = len(begun)
        go.set()
        for thread in threading.enumerate():
            if thread.name.startswith("mesh_"):
                thread.join(30)
    assert 0 < before == len(begun) <= ThreadWorkers().parallelism


def extremes():
    """Labels (z, y, x): one touches every border but nothing of the inside, one voxels in corners and alone."""
    labels = np.full((11, 14, 17), HUGE, np.uint64)
    labels[1:-1, 1:-1, 1:-1] = 0
    labels[5, 6, 7] = 2**53 + 1
    labels[0, 0, 0], labels[-1, -1, -1] = 7, 8
    return labels


def edges_have_two_faces(mesh):
    """Exactly two, that go along the edge in opposite directions."""
    directed = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).astype(np.int64)
    there = np.unique(directed[:, 0] << 32 | directed[:, 1])
    back = np.unique(directed[:, 1] << 32 | directed[:, 0])
    return len(there) == len(directed) > 0 and np.array_equal(there, back)


def test_one_voxel_is_an_octahedron_in_a_corner_too_and_a_shell_touches_every_border():
    labels = extremes()
    low, high = LOW, LOW + labels.shape[::-1]
    with client_of(segmentation(labels)) as client:
        seg = client.volume("lab/seg")
        for each, place in ((2**53 + 1, (7, 6, 5)), (7, (0, 0, 0)), (8, (16, 13, 10))):
            mesh = seg.mesh(each)
            start = low + place
            assert (len(mesh.vertices), len(mesh.faces)) == (6, 8)
            assert mesh.bounds_nm.tolist() == [(start * VOXEL).tolist(), ((start + 1) * VOXEL).tolist()]
            assert mesh.statistics.voxel_count == 1
            # An octahedron has a sixth of the box around it.
            assert mesh.statistics.volume_nm3 == pytest.approx(4 * 6 * 40 / 6)
        shell = seg.mesh(HUGE)
    assert shell.bounds_nm.tolist() == [(low * VOXEL).tolist(), (high * VOXEL).tolist()]
    assert edges_have_two_faces(shell)
    assert len(as_trimesh(shell).split(only_watertight=False)) == 2  # outside and inside
    inside = meshed(segmentation((labels == 0).astype(np.uint64)), [1])[1]
    assert shell.statistics.volume_nm3 < np.prod(labels.shape) * 4 * 6 * 40 - inside.statistics.volume_nm3


@pytest.mark.parametrize("shape", [(11, 14, 17), (1, 1, 1), (1, 5, 3)])
def test_a_body_that_fills_its_volume_is_closed_at_its_borders(shape):
    with client_of(segmentation(np.full(shape, HUGE, np.uint64))) as client:
        mesh = client.volume("lab/seg").mesh(HUGE)
    low = LOW
    assert mesh.bounds_nm.tolist() == [(low * VOXEL).tolist(), ((low + shape[::-1]) * VOXEL).tolist()]
    assert edges_have_two_faces(mesh)
    assert mesh.statistics.voxel_count == np.prod(shape)


@pytest.fixture(scope="module")
def fib25():
    registry = Registry.from_config(RemotesConfig(remotes={"s": RemoteConfig(uri=(SAMPLES / "fib25").as_uri())}))
    with serving_meshes(registry) as server, connect(server.address) as client:
        yield client.volume("s/seg")


@pytest.mark.parametrize("wishes", [{}, {"max_error_nm": 15.0, "scale": 0}, {"target_face_count": 200, "scale": 0}])
def test_every_edge_of_every_real_segment_has_two_faces_simplified_in_quality_too(fib25, wishes):
    ids = [int(each) for each in np.unique(fib25[...]) if each]
    meshes = fib25.meshes(ids, source="computed", **wishes)
    assert [mesh.segment_id for mesh in meshes] == ids
    assert all(isinstance(mesh, Mesh) and edges_have_two_faces(mesh) for mesh in meshes)
    assert all(mesh.statistics.watertight for mesh in meshes)


def test_a_server_says_which_meshers_it_has_and_what_meshing_requires():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving_meshes(Registry({"lab": OneVolume(segmentation(blobs(3)))})))
        client = stack.enter_context(connect(server.address))
        info = client.server_info()
        for mesher in info.plugins["voxgate.v1.MeshService"]:
            assert client.volume("lab/seg").mesh(HUGE, mesher=mesher).mesher == mesher
    assert info.plugins["voxgate.v1.MeshService"] == ["cubes", "skimage", "zmesh"]
    required = " ".join(info.requirements["voxgate.v1.MeshService"])
    assert "unsigned integers" in required
    assert "voxel size" in required
