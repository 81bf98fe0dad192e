"""A mesh through the Mesh service is the same, bit for bit, whichever store the labels lie in."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from support.mesh_services import serving_meshes
from support.mesh_stores import BOX, IDS, INDEXED, LABELS, SIZE, START, STORES
from support.mesh_volumes import as_trimesh, meshed, segmentation
from support.procedural_volumes import cells
from voxgate.client.connection import connect
from voxgate.model.geometry import Box
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.registry import Registry

PART = Box.of(x=(20, 51), y=(21, 47), z=(9, 26))
"""Not on any chunk's border; touches the volume's own in y alone."""


def canonical(mesh):
    """Vertices, and triangles by their corners: float32 bits, whatever order the blocks of a store gave them."""
    points, place, count = np.unique(mesh.vertices, axis=0, return_inverse=True, return_counts=True)
    faces = place.reshape(-1)[mesh.faces]
    turns = (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3
    turned = np.take_along_axis(faces, turns, axis=1)
    return points.tobytes(), count.tobytes(), turned[np.lexsort(turned.T[::-1])].tobytes()


@pytest.fixture(scope="module")
def expected():
    """By id: of the whole, and of PART, out of an array in one block."""
    volume = segmentation(LABELS, offset=START, size=SIZE)
    found = {}
    for bounds in (None, PART):
        meshes = meshed(volume, IDS, bounds=bounds, block=BOX.shape)
        found[bounds] = {each: (canonical(mesh), mesh.statistics) for each, mesh in meshes.items()}
    return found


@pytest.fixture(scope="module", params=STORES, ids=lambda make: make.__name__)
def held(request, tmp_path_factory):
    """The volume as the SDK opens it on a server, what ids are called there, and how segments can be found."""
    root = tmp_path_factory.mktemp("data")
    with contextlib.ExitStack() as stack:
        there = request.param(root, stack)
        server = stack.enter_context(serving_meshes(there.registry))
        client = stack.enter_context(connect(server.address))
        searches = ("everywhere", "index") if request.param in INDEXED else ("everywhere",)
        yield client.volume(there.name), there.names_of, searches


def assert_same(held, expected, bounds, search):
    seg, names_of, _ = held
    found = seg.meshes([names_of[each] for each in IDS], source="computed", bounds=bounds, search=search)
    meshes = {mesh.segment_id: mesh for mesh in found}
    for each in IDS:
        mesh = meshes[names_of[each]]
        assert (mesh.origin, mesh.search) == ("computed", search)
        surface, told = expected[bounds][each]
        assert canonical(mesh) == surface
        # An area is a sum, and its last bits depend on the order of the blocks.
        assert mesh.statistics.surface_nm2 == pytest.approx(told.surface_nm2, rel=1e-12)
        assert replace(mesh.statistics, surface_nm2=0) == replace(told, surface_nm2=0)


def test_whole_bodies_are_the_same_from_every_store(held, expected):
    seg, _, searches = held
    assert (seg.bounds, seg.voxel_size_nm) == (BOX, SIZE)
    for search in searches:
        assert_same(held, expected, None, search)


def test_a_box_that_fits_no_chunk_is_the_same_from_every_store(held, expected):
    for search in held[2]:
        assert_same(held, expected, PART, search)


def test_computed_volumes_mesh_as_their_voxels_in_memory_do():
    remote, _ = cells()
    registry = Registry({"data": remote})
    volume = registry.open("data/seg", OpenOptions())
    level = volume.info.scales[0]
    voxels = volume.read(level.bounds)[0]
    ids = [int(each) for each in np.unique(voxels) if each][:7]
    expected = meshed(segmentation(voxels, offset=level.bounds.start, size=level.voxel_size_nm), ids)
    with serving_meshes(registry) as server, connect(server.address) as client:
        for mesh in client.volume("data/seg").meshes(ids):
            assert canonical(mesh) == canonical(expected[mesh.segment_id])
            assert as_trimesh(mesh).is_watertight
