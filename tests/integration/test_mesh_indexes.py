"""Segments found by what databases know of them: the same meshes as by looking everywhere."""

import numpy as np
import pytest

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.dvid_volumes import repository
from support.mesh_searches import answers
from support.mesh_volumes import CountingVolume, triangles
from support.references import segmentation
from voxgate.model.errors import SegmentNotFound, SegmentSuperseded
from voxgate.model.geometry import Vec3
from voxgate.model.meshes import Mesh, MeshFailure
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemotesConfig
from voxgate_remotes.registry import Registry

BLOCK = Vec3(16, 16, 16)
ABSENT = 2**53 + 7


def assert_same_as_everywhere(volume, ids, scale=0):
    """By the index, and by looking everywhere; answers how many voxels each of the two read."""
    counting = CountingVolume(volume)
    size = volume.info.scales[scale].voxel_size_nm
    known = answers(counting, [*ids, ABSENT], block=BLOCK, scale=scale)
    few = sum(box.voxel_count for _, box in counting.reads)
    counting.reads.clear()
    seen = answers(counting, [*ids, ABSENT], block=BLOCK, scale=scale, search="everywhere")
    for each in ids:
        assert (known[each].search, seen[each].search) == ("index", "everywhere")
        assert triangles(known[each], size) == triangles(seen[each], size)
        assert known[each].statistics == seen[each].statistics
    assert isinstance(known[ABSENT].error, SegmentNotFound)
    return few, sum(box.voxel_count for _, box in counting.reads)


def small_bodies():
    labels = np.zeros((48, 64, 80), np.uint64)
    labels[3:14, 5:30, 7:14] = 2**63 + 5
    labels[40:44, 50:61, 20:29] = 9
    labels[41, 52, 29:33] = 9
    return labels


@pytest.mark.parametrize("scale", [0, 1])
def test_dvid_says_where_bodies_are_at_every_scale(scale):
    with repository("own") as store:
        name = store.make("labelmap", BLOCK, MaxDownresLevel="1")
        store.put_labels(name, Vec3(32, 48, 16), small_bodies())
        volume = store.remote().open((name,), OpenOptions())
        few, all_of_it = assert_same_as_everywhere(volume, [2**63 + 5, 9], scale)
        assert 0 < few < all_of_it


def test_a_body_that_was_merged_away_says_so_and_the_one_it_went_into_is_whole():
    with repository("own") as store:
        name = store.make("labelmap", BLOCK)
        store.put_labels(name, Vec3(0, 0, 0), small_bodies())
        store.call("POST", f"{name}/merge", json=[9, 2**63 + 5])
        found = answers(store.remote().open((name,), OpenOptions()), [2**63 + 5, 9], block=BLOCK)
    assert isinstance(found[2**63 + 5], MeshFailure)
    assert isinstance(found[2**63 + 5].error, SegmentSuperseded)
    assert isinstance(found[9], Mesh)
    assert found[9].statistics.voxel_count == np.count_nonzero(small_bodies())


def test_bossdb_says_where_segments_are():
    labels = segmentation((1, 9, 31, 47))[0]
    ids = [int(each) for each in np.unique(labels) if each][-3:]
    with bossdb_server() as running:
        running.store.add_channel("lab", "mouse", "seg", labels, voxel_size=(4, 4, 40))
        registry = Registry.from_config(RemotesConfig(remotes={"boss": boss_config(running)}))
        volume = registry.open("boss/lab/mouse/seg", OpenOptions())
        few, all_of_it = assert_same_as_everywhere(volume, ids)
    assert 0 < few <= all_of_it
