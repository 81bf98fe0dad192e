"""Draco files, read back by Google's decoder (DracoPy) and by cloud-volume."""

import sys

import DracoPy
import numpy as np
import pytest
from cloudvolume import Mesh as CloudVolumeMesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from support.mesh_volumes import blobs, meshed, segmentation
from support.surfaces import ball_mesh, box_mesh
from voxgate.model.errors import InvalidArgument, Unimplemented
from voxgate.model.mesh_files import check_mesh_file, encode_meshes
from voxgate.model.mesh_files.draco import POSITION_BITS
from voxgate.model.meshes import Mesh

HUGE = 2**63 + 7
FAR = ball_mesh(HUGE, (8_123_456.0, -20_000.5, 40.0), (450.0, 70.0, 9000.0))


def stated_error(mesh):
    """Half a step along each axis, and the spacing of float32 where the vertices are."""
    sides = np.ptp(mesh.vertices.astype(np.float64), axis=0)
    return sides.max() / (2**POSITION_BITS - 1) / 2 * 1.01 + np.spacing(np.abs(mesh.vertices).max(axis=0))


def is_closed(faces):
    """Whether every directed edge meets its opposite, and none is there twice."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forth, back = edges[:, 0] << 32 | edges[:, 1], edges[:, 1] << 32 | edges[:, 0]
    return len(np.unique(forth)) == len(forth) and np.array_equal(np.sort(forth), np.sort(back))


def turned(faces):
    """Faces as a sorted table, each begun with its least vertex: their directions are kept, their order is not."""
    first = faces.argmin(axis=1)
    rows = np.stack([faces[np.arange(len(faces)), (first + step) % 3] for step in range(3)], axis=1)
    return rows[np.lexsort(rows.T)]


def partners(read, mesh):
    """The vertex of the mesh that each vertex read back is, all within the stated error."""
    points = np.asarray(read, np.float64)
    near = cKDTree(mesh.vertices.astype(np.float64)).query(points)[1]
    assert (np.abs(points - mesh.vertices[near]) <= stated_error(mesh)).all()
    return near


@pytest.mark.parametrize("mesh", [FAR, box_mesh(5, (7.25, -100.0, -3.0), (10.0, 21.0, 33.0))], ids=["ball", "box"])
def test_googles_decoder_finds_every_vertex_within_half_a_step_and_the_same_faces(mesh):
    read = DracoPy.decode(encode_meshes([mesh], "drc"))
    near = partners(read.points, mesh)
    assert sorted(near) == list(range(len(mesh.vertices)))
    assert np.array_equal(turned(near[np.asarray(read.faces)]), turned(mesh.faces.astype(np.int64)))


def test_cloudvolume_reads_the_same():
    read = CloudVolumeMesh.from_draco(encode_meshes([FAR], "drc"))
    near = partners(read.vertices, FAR)
    assert np.array_equal(turned(near[read.faces]), turned(FAR.faces.astype(np.int64)))


def test_normals_come_back_within_a_quarter_of_a_degree():
    read = DracoPy.decode(encode_meshes([FAR], "drc"))
    cosines = (np.asarray(read.normals) * FAR.normals[partners(read.points, FAR)]).sum(axis=1)
    assert cosines.min() > np.cos(np.deg2rad(0.25))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.2, 0.8))
def test_a_closed_surface_stays_closed_whatever_its_sheets_touch(seed, share):
    labels = (np.random.default_rng(seed).random((5, 6, 7)) < share).astype(np.uint64) * HUGE
    labels[2, 3, 4] = HUGE
    mesh = meshed(segmentation(labels), [HUGE])[HUGE]
    assert is_closed(mesh.faces)
    read = DracoPy.decode(encode_meshes([mesh], "drc"))
    assert is_closed(np.asarray(read.faces))
    assert len(read.faces) == len(mesh.faces)
    near = partners(read.points, mesh)
    assert np.array_equal(turned(near[np.asarray(read.faces)]), turned(mesh.faces.astype(np.int64)))


def test_bodies_that_touch_one_another_come_back_whole():
    found = meshed(segmentation(blobs(5)), [3, 2**53 + 1])
    for mesh in found.values():
        read = DracoPy.decode(encode_meshes([mesh], "drc"))
        assert len(read.faces) == len(mesh.faces)
        assert is_closed(np.asarray(read.faces))


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.eye(3), np.zeros((0, 3))),
        (np.ones((3, 3)), [[0, 1, 2]]),
        (np.eye(3), [[0, 1, 1]]),
        (np.full((3, 3), np.inf), [[0, 1, 2]]),
    ],
    ids=["nothing", "no face", "one place", "a line", "infinite"],
)
def test_a_surface_that_draco_cannot_hold_is_refused_by_its_segment(vertices, faces):
    mesh = Mesh(HUGE, np.asarray(vertices, np.float32), np.asarray(faces, np.uint32))
    with pytest.raises(InvalidArgument, match=str(HUGE)):
        encode_meshes([mesh], "drc")


def test_triangles_smaller_than_a_step_are_kept():
    speck = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1e9, 1e9, 1e9], [0, 1e9, 0]], np.float32)
    mesh = Mesh(HUGE, speck, np.array([[0, 1, 2], [0, 3, 4]], np.uint32))
    assert len(DracoPy.decode(encode_meshes([mesh], "drc")).faces) == 2


def test_what_the_encoder_itself_refuses_is_an_error_of_ours(monkeypatch):
    def refuse(*arguments, **options):
        raise DracoPy.EncodingFailedException("Invalid mesh")

    monkeypatch.setattr(DracoPy, "encode", refuse)
    with pytest.raises(InvalidArgument, match=str(HUGE)):
        encode_meshes([FAR], "drc")


def test_without_dracopy_the_extra_is_named_before_anything_is_meshed(monkeypatch):
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    for act in (lambda: check_mesh_file(1, "drc"), lambda: encode_meshes([FAR], "drc")):
        with pytest.raises(Unimplemented, match="DracoPy is not installed") as caught:
            act()
        assert caught.value.remedy == "pip install 'voxgate[draco]'"
    assert encode_meshes([FAR], "glb")
