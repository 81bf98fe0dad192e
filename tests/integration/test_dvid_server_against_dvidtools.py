"""The published DVID client reads from our server what is in it."""

import struct

import numpy as np
import pytest

from support.dvid import Store, dvid_server
from support.dvid.label_scenarios import labels
from support.peers import run_peer

BODY = 2**53 + 1
NODE_TEXT = "# written by hand\n1 0 35 62 10 4 -1\n2 0 36 63 12 3 1\n"
VERTICES = [[0.0, 8.0, 40.0], [16.0, 8.0, 40.0], [0.0, 24.0, 40.0], [0.0, 8.0, 120.0]]
FACES = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]


def ngmesh():
    packed = struct.pack("<I", len(VERTICES)) + np.array(VERTICES, "<f4").tobytes()
    return packed + np.array(FACES, "<u4").tobytes()


def seeded():
    """A committed root with the labels, and an open child in which a body was merged and things were stored."""
    store = Store()
    root = store.add_repo("proofreading")
    store.add_repo("another")
    store.add_instance(root, "seg", "labelmap", BlockSize="32,32,32", MaxDownresLevel="2")
    for name in ("seg_meshes", "seg_skeletons"):
        store.add_instance(root, name, "keyvalue")
    store.write(root, "seg", (32, 32, 0), labels())
    store.commit(root, "the segmentation")
    child = store.new_version(root)
    store.put_value(child, "seg_meshes", f"{BODY}.ngmesh", ngmesh())
    store.put_value(child, "seg_skeletons", f"{BODY}_swc", NODE_TEXT.encode())
    store.merge_bodies(child, "seg", BODY, [7])
    return store, root, child


@pytest.fixture(scope="module")
def versions():
    return seeded()


@pytest.fixture(scope="module")
def told(versions):
    store, _, child = versions
    with dvid_server(store) as server:
        return run_peer("dvidtools", "dvidtools_reads.py", server.url, child, "seg", str(BODY))


def voxels_of(*ids, scale=1):
    """x, y, z of the voxels of these supervoxels."""
    z, y, x = np.nonzero(np.isin(labels(), np.array(ids, np.uint64)))
    return {(int(a) // scale, int(b) // scale, int(c) // scale) for a, b, c in zip(x + 32, y + 32, z, strict=True)}


def test_repositories_and_versions_are_found(told, versions):
    _, root, child = versions
    assert told["projects"] == ["another", "proofreading"]
    assert told["master"] == child
    assert told["history"] == [child, root]


def test_the_last_voxel_is_told_and_not_the_one_after(told):
    assert told["info"] == [63, 95, 31]


def test_points_and_sizes_are_those_of_merged_bodies(told):
    count = len(voxels_of(7, BODY))
    assert told["ids"] == [BODY, 0]
    assert told["sizes"] == [count, 0]
    assert told["exist"] == [True, False]
    assert told["size"]["voxels"] == count


def test_a_body_is_the_voxels_of_its_supervoxels(told):
    assert {tuple(row) for row in told["voxels"]} == voxels_of(7, BODY)
    assert {tuple(row) for row in told["halved"]} == voxels_of(7, BODY, scale=2)
    assert {tuple(row) for row in told["coarse"]} == {(1, 1, 0), (1, 2, 0)}


def test_stored_meshes_and_skeletons_are_found(told):
    assert told["has"] == told["has_skeleton"] == [True, False]
    assert told["vertices"] == VERTICES
    assert told["faces"] == FACES
    assert told["skeleton"] == [[35, 62, 10], [36, 63, 12]]
