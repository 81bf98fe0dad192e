"""A worker process that dies while it meshes a block: tried once more, then told."""

import functools
import os
import signal

import pytest

from support.mesh_volumes import blobs, meshed, segmentation
from voxgate.model.errors import InternalError
from voxgate.model.geometry import Vec3
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate_mesh import meshing
from voxgate_mesh.collecting import VolumeMeshes
from voxgate_mesh.meshers import zmesh_surfaces
from voxgate_mesh.meshing import MeshingSettings
from voxgate_serving.workers import WorkerPool

HUGE = 2**63 + 9
SETTINGS = MeshingSettings(block_shape=Vec3(9, 8, 7))


def dying_once(path, labels):
    """Mesh as zmesh does, but the first time die as hard as can be."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return zmesh_surfaces(labels)


def dying(labels):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def workers():
    made = WorkerPool(1)
    yield made
    made.close()


def answers(workers, monkeypatch, mesher):
    monkeypatch.setattr(meshing, "find_mesher", lambda name: ("zmesh", mesher))
    source = VolumeMeshes(segmentation(blobs(21)), workers, settings=SETTINGS)
    return list(source.meshes(MeshRequest((HUGE,), mesher="zmesh")))


def test_a_worker_that_is_killed_costs_a_second_try_and_no_triangle(workers, monkeypatch, tmp_path):
    (mesh,) = answers(workers, monkeypatch, functools.partial(dying_once, str(tmp_path / "died")))
    assert (tmp_path / "died").exists()
    expected = meshed(segmentation(blobs(21)), [HUGE], block=SETTINGS.block_shape, mesher="zmesh")[HUGE]
    assert isinstance(mesh, Mesh)
    assert mesh.vertices.tobytes() == expected.vertices.tobytes()
    assert mesh.faces.tobytes() == expected.faces.tobytes()


def test_a_block_that_kills_its_worker_twice_is_a_typed_error_and_the_workers_go_on(workers, monkeypatch):
    with pytest.raises(InternalError, match="died twice"):
        answers(workers, monkeypatch, dying)
    (mesh,) = answers(workers, monkeypatch, zmesh_surfaces)
    assert isinstance(mesh, Mesh)
