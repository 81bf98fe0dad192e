"""DVID: published clients read what ours wrote, and ours reads what they wrote. They meet at our test server."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import requests

from support.dvid import dvid_server
from support.peers import run_peer
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.segments import SegmentExtents, SegmentLookup, SegmentRuns
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.versions import Versioned
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

INTERN, DVIDTOOLS = "intern 1.4.2", "dvidtools 0.6.0"
BODY, OTHER = 2**53 + 1, 2**63 + 7
BOUNDS = Box.of(x=(32, 96), y=(32, 128), z=(0, 64))
BOX = Box.of(x=(35, 90), y=(33, 101), z=(2, 47))
IMAGE_BOX = Box.of(x=(-7, 61), y=(20, 93), z=(3, 50))
WRITE_BOX = Box.of(x=(0, 64), y=(32, 96), z=(32, 64))
RANDOM = np.random.default_rng(5)
VERTICES = np.array([[0, 8, 40], [16, 8, 40], [0, 24, 40], [0, 8, 120]], "<f4")
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], "<u4")
MESH = struct.pack("<I", len(VERTICES)) + VERTICES.tobytes() + FACES.tobytes()
SWC = b"# by hand\n1 0 35 62 10 4 -1\n2 0 36 63 12 3 1\n"


def labels():
    voxels = np.zeros(BOX.shape.zyx, np.uint64)
    voxels[3:20, 5:40, 4:30] = BODY
    voxels[22:, 41:, :20] = OTHER
    return voxels


def registry_of(server, root):
    config = RemoteConfig(uri=f"dvid://http://{server.address}/{root}", writable=True)
    return Registry.from_config(RemotesConfig(remotes={"dvid": config}))


def spans(box):
    return {axis: [a, b] for axis, a, b in zip("xyz", box.start, box.stop, strict=True)}


@pytest.fixture(scope="module")
def proofread():
    """What ours made on a server: labels, a mesh and a skeleton, committed, gone on with; and what dvidtools read."""
    with dvid_server() as server:
        root = server.store.add_repo("cells")
        for name in ("seg_meshes", "seg_skeletons"):
            server.store.add_instance(root, name, "keyvalue")
        registry = registry_of(server, root)
        level = ScaleSpec(BOUNDS, VoxelSize(8, 8, 8))
        coarse = Box.of(x=(16, 48), y=(16, 64), z=(0, 32))
        spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level, ScaleSpec(coarse, VoxelSize(16, 16, 16))))
        made = registry.create("dvid/seg", spec)
        made.capability(Writable).write(BOX, labels()[np.newaxis])
        registry.key_values("dvid/seg_meshes").set(f"{BODY}.ngmesh", MESH)
        registry.key_values("dvid/seg_skeletons").set(f"{BODY}_swc", SWC)
        made.capability(Versioned).commit("as it was written")
        child = made.capability(Versioned).new_version("to go on with").version
        told = run_peer("dvidtools", "dvidtools_reads.py", server.url, child, "seg", str(BODY))
        yield registry, (root, child), told


def places(ids):
    z, y, x = np.nonzero(np.isin(labels(), np.array(ids, np.uint64)))
    return {tuple(row) for row in (np.stack([x, y, z], 1) + np.array(tuple(BOX.start))).tolist()}


def test_dvidtools_finds_the_voxels_that_ours_wrote(proofread, proved):
    _, _, told = proofread
    assert {tuple(row) for row in told["voxels"]} == places([BODY])
    assert told["size"]["voxels"] == len(told["voxels"]) == len(places([BODY]))
    for feature in ("write", "create"):
        proved("DVID", feature, DVIDTOOLS, len(told["voxels"]))


def test_ours_answers_about_segments_as_dvidtools_does(proofread, proved):
    registry, _, told = proofread
    volume = registry.open("dvid/seg")
    runs = np.concatenate(list(volume.capability(SegmentRuns).segment_runs(BODY)))
    ours = {(x + step, y, z) for x, y, z, length in runs.tolist() for step in range(length)}
    assert ours == {tuple(row) for row in told["voxels"]}
    proved("DVID", "segment voxels", DVIDTOOLS, len(ours))
    points = [Vec3(37, 34, 3), Vec3(40, 40, 10)]
    assert volume.capability(SegmentLookup).segments_at(points)[0] == told["ids"][0]
    assert volume.capability(SegmentLookup).segments_at(points)[1] == BODY
    proved("DVID", "segments at points", DVIDTOOLS, 1)
    extent = volume.capability(SegmentExtents).segment_extent(BODY)
    assert all(extent.box.contains_point(Vec3(*place)) for place in ours)
    proved("DVID", "segment bounds", DVIDTOOLS, 1)


def test_dvidtools_sees_the_versions_that_ours_made(proofread, proved):
    registry, (root, child), told = proofread
    assert told["master"] == child
    assert told["history"] == [child, root]
    versions = registry.open("dvid/seg").capability(Versioned).versions()
    assert [each.version for each in versions] == [root, child]
    assert [each.is_committed for each in versions] == [True, False]
    old = registry.open("dvid/seg", OpenOptions(version=root[:9]))
    assert (old.info.resolved_version, old.info.immutable) == (root, True)
    proved("DVID", "versions", DVIDTOOLS, len(versions))
    assert "cells" in told["projects"]
    proved("DVID", "list", DVIDTOOLS, 1)


def test_meshes_skeletons_and_values_are_what_dvidtools_reads(proofread, proved):
    registry, _, told = proofread
    volume = registry.open("dvid/seg")
    mesh = volume.capability(StoredMeshes).stored_mesh(BODY)
    np.testing.assert_array_equal(mesh.vertices, np.array(told["vertices"], np.float32))
    np.testing.assert_array_equal(mesh.faces, told["faces"])
    proved("DVID", "stored meshes", DVIDTOOLS, len(mesh.vertices))
    skeleton = volume.capability(StoredSkeletons).stored_skeleton(BODY)
    assert skeleton.edges.tolist() in ([[1, 0]], [[0, 1]])
    middles = (skeleton.vertices / 8 - np.array(told["skeleton"])).round(3)
    assert np.ptp(middles, axis=0).max() == 0  # the same places, but for where in its voxel a node is
    assert set(middles.ravel().tolist()) <= {0.0, 0.5}
    proved("DVID", "stored skeletons", DVIDTOOLS, len(skeleton.vertices))
    assert told["has"] == told["has_skeleton"] == [True, False]
    proved("DVID", "metadata", DVIDTOOLS, 2)


@pytest.mark.parametrize("kind", ["uint8blk", "labelblk"])
def test_images_and_labels_meet_intern_both_ways(tmp_path, proved, kind):
    dtype = {"uint8blk": np.dtype("<u1"), "labelblk": np.dtype("<u8")}[kind]
    aligned = Box.of(x=(-32, 64), y=(0, 96), z=(0, 64))
    with dvid_server() as server:
        root = server.store.add_repo("cells")
        for name, typename in (("source", kind), ("target", "uint8blk")):
            server.store.add_instance(root, name, typename, BlockSize="32,32,32")
        registry = registry_of(server, root)
        whole = RANDOM.integers(0, 2**8 if dtype.itemsize == 1 else 2**63, aligned.shape.zyx).astype(dtype)
        spec = VolumeSpec(np.dtype("<u1"), VolumeKind.IMAGE, (ScaleSpec(aligned, VoxelSize(8, 8, 8)),))
        if kind == "uint8blk":
            writer = registry.create("dvid/em", spec).capability(Writable)
            writer.write(aligned, np.full((1, *aligned.shape.zyx), 9, dtype))
            writer.write(IMAGE_BOX, whole[np.newaxis][:, *IMAGE_BOX.slices_zyx(aligned.start)])
        else:
            # intern reads labelblk, ours creates labelmap: seeded past ours.
            url = f"http://{server.address}/api/node/{root}/source/raw/0_1_2/96_96_64/-32_0_0"
            assert requests.post(url, data=whole.tobytes(), timeout=60).ok
        (tmp_path / "box.json").write_text(json.dumps({"read": spans(IMAGE_BOX), "write": spans(WRITE_BOX)}))
        np.save(tmp_path / "write.npy", RANDOM.integers(0, 256, WRITE_BOX.shape.zyx).astype(np.uint8))
        read = "em" if kind == "uint8blk" else "source"
        run_peer("intern", "intern_dvid.py", server.address, root, read, kind, "target", tmp_path)
        theirs = np.load(tmp_path / "read.npy")
        np.testing.assert_array_equal(theirs, whole[IMAGE_BOX.slices_zyx(aligned.start)])
        np.testing.assert_array_equal(registry.open(f"dvid/{read}").read(IMAGE_BOX)[0], theirs)
        written = registry.open("dvid/target")
        assert written.info.scales[0].bounds == WRITE_BOX
        np.testing.assert_array_equal(written.read(WRITE_BOX)[0], np.load(tmp_path / "write.npy"))
    proved("DVID", "read", INTERN, WRITE_BOX.voxel_count + theirs.size)
    if kind == "uint8blk":
        proved("DVID", "write", INTERN, theirs.size)
        proved("DVID", "create", INTERN, theirs.size)


def test_a_coarser_level_is_what_dvidtools_reads(proofread, proved):
    registry, _, told = proofread
    volume = registry.open("dvid/seg")
    level = volume.info.scales[1]
    z, y, x = np.nonzero(volume.read(level.bounds, scale=1)[0] == BODY)
    ours = {tuple(row) for row in (np.stack([x, y, z], 1) + np.array(tuple(level.bounds.start))).tolist()}
    assert ours == {tuple(row) for row in told["halved"]}
    assert len(ours) > 1000
    proved("DVID", "scales", DVIDTOOLS, len(ours))
