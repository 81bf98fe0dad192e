"""Surfaces of whole volumes: where they lie, that they are closed, and that blocks leave no trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mesh_volumes import OFFSET, SIZE, CountingVolume, as_trimesh, blobs, meshed, segmentation, triangles
from voxgate.model.errors import SegmentNotFound
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshFailure

HUGE = 2**63 + 5
MESHERS = ["zmesh", "skimage"]
BLOCKS = st.builds(Vec3, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


def cube_at_5_nm():
    labels = np.zeros((103, 110, 121), np.uint64)
    labels[50:100, 50:100, 50:100] = HUGE
    return segmentation(labels, offset=Vec3(0, 0, 0), size=VoxelSize(5.0, 5.0, 5.0), chunk=Vec3(64, 64, 64))


@pytest.mark.parametrize("mesher", MESHERS)
@pytest.mark.parametrize("block", [None, Vec3(50, 64, 33)])
def test_a_box_from_50_to_100_at_5_nm_meshes_to_250_to_500(mesher, block):
    mesh = meshed(cube_at_5_nm(), [HUGE], mesher=mesher, block=block)[HUGE]
    assert mesh.bounds_nm.tolist() == [[250.0] * 3, [500.0] * 3]
    assert mesh.mesher == mesher
    solid = as_trimesh(mesh)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(50**3 * 125, rel=0.001)


@pytest.mark.parametrize("mesher", MESHERS)
def test_an_l_of_unequal_arms_keeps_x_y_and_z_at_an_offset_and_unequal_voxels(mesher):
    labels = np.zeros((6, 11, 17), np.uint32)
    labels[1:3, 2:9, 4:6] = 9
    labels[1:3, 2:4, 4:15] = 9
    mesh = meshed(segmentation(labels), [9], mesher=mesher)[9]
    expected = [[(-7 + 4) * 4, (12 + 2) * 6, 101 * 40], [(-7 + 15) * 4, (12 + 9) * 6, 103 * 40]]
    assert mesh.bounds_nm.tolist() == expected
    # Far in x the arm is short in y, far in y it is short in x.
    far_x = mesh.vertices[mesh.vertices[:, 0] > (-7 + 8) * 4]
    assert far_x[:, 1].max() == (12 + 4) * 6
    assert as_trimesh(mesh).volume > 0


@settings(max_examples=60, deadline=None)
@given(
    labels=st.integers(0, 2**32).map(
        lambda seed: np.random.default_rng(seed).choice(np.array([0, 0, 4, HUGE], np.uint64), (6, 7, 9))
    ),
    block=BLOCKS,
    closed=st.booleans(),
    mesher=st.sampled_from(MESHERS),
)
def test_however_a_volume_is_cut_into_blocks_its_surfaces_are_those_of_the_whole(labels, block, closed, mesher):
    volume = segmentation(labels)
    split = meshed(volume, [HUGE, 4], block=block, closed=closed, mesher=mesher)
    whole = meshed(volume, [HUGE, 4], block=Vec3(99, 99, 99), closed=closed, mesher=mesher)
    for segment_id in (HUGE, 4):
        one, other = split[segment_id], whole[segment_id]
        if isinstance(other, MeshFailure):
            assert isinstance(one, MeshFailure)
            continue
        assert triangles(one) == triangles(other)
        assert len(one.vertices) == len(other.vertices)
        assert len(np.unique(one.vertices, axis=0)) == len(one.vertices)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), block=BLOCKS, mesher=st.sampled_from(MESHERS))
def test_every_body_is_watertight_whatever_it_touches(seed, block, mesher):
    labels = blobs(seed, shape=(9, 12, 15))
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        return
    for mesh in meshed(segmentation(labels), ids, block=block, mesher=mesher).values():
        solid = as_trimesh(mesh)
        assert solid.is_watertight
        assert solid.is_winding_consistent
        assert solid.volume > 0


@pytest.mark.parametrize("seed", [3, 4])
def test_zmesh_and_skimage_agree_on_bounds_and_volume(seed):
    labels = blobs(seed)
    ids = [int(i) for i in np.unique(labels) if i]
    volume = segmentation(labels)
    ours, theirs = (meshed(volume, ids, mesher=mesher) for mesher in MESHERS)
    for segment_id in ids:
        assert ours[segment_id].bounds_nm.tolist() == theirs[segment_id].bounds_nm.tolist()
        assert as_trimesh(ours[segment_id]).volume == pytest.approx(as_trimesh(theirs[segment_id]).volume, rel=0.02)


@pytest.mark.parametrize("axis", range(3))
def test_open_boxes_that_overlap_by_one_voxel_join_to_the_whole(axis):
    labels = blobs(8)
    ids = [int(i) for i in np.unique(labels) if i]
    volume = segmentation(labels)
    whole = volume.info.scales[0].bounds
    cut = list(whole.start)[axis] + list(whole.shape)[axis] // 2
    low, high = list(whole.stop), list(whole.start)
    low[axis], high[axis] = cut + 1, cut
    boxes = [Box(whole.start, Vec3(*low)), Box(Vec3(*high), whole.stop)]
    parts = [meshed(volume, ids, bounds=box, closed=False) for box in boxes]
    for segment_id, mesh in meshed(volume, ids, closed=False).items():
        joined = sum(
            (triangles(p[segment_id]) for p in parts if isinstance(p[segment_id], Mesh)), start=type(triangles(mesh))()
        )
        assert joined == triangles(mesh)


def test_a_volume_of_one_label_meshes_to_its_own_box():
    volume = segmentation(np.full((5, 8, 11), HUGE, np.uint64))
    for block in (None, Vec3(3, 4, 2)):
        mesh = meshed(volume, [HUGE], block=block)[HUGE]
        assert mesh.bounds_nm.tolist() == [[-28, 72, 4000], [16, 120, 4200]]
        assert as_trimesh(mesh).is_watertight


def test_a_body_that_fills_an_open_box_has_no_surface_and_is_found():
    mesh = meshed(segmentation(np.full((4, 5, 6), 2, np.uint8)), [2], closed=False)[2]
    assert isinstance(mesh, Mesh)
    assert mesh.vertices.shape == (0, 3)
    assert mesh.faces.shape == (0, 3)


@pytest.mark.parametrize("shape", [(1, 6, 9), (6, 1, 9), (6, 9, 1), (1, 1, 1)])
def test_a_region_one_voxel_thick_closes_to_a_slab(shape):
    mesh = meshed(segmentation(np.full(shape, 7, np.uint16)), [7])[7]
    extent = (mesh.bounds_nm[1] - mesh.bounds_nm[0]) / np.array(tuple(SIZE))
    assert extent.tolist() == list(reversed(shape))
    assert as_trimesh(mesh).is_watertight


def test_bounds_cut_a_body_and_close_it_at_the_cut():
    labels = np.full((8, 9, 10), 3, np.uint8)
    box = Box.of(x=(-5, -1), y=(14, 19), z=(102, 105))
    mesh = meshed(segmentation(labels), [3], bounds=box)[3]
    assert mesh.bounds_nm.tolist() == [[-20, 84, 4080], [-4, 114, 4200]]


def test_ids_beyond_2_to_the_53_and_63_are_told_from_their_neighbours():
    near = [2**53, 2**53 + 1, 2**63, 2**63 + 1, 2**64 - 1]
    labels = np.zeros((3, 4, 22), np.uint64)
    for place, segment_id in enumerate(near):
        labels[1, 1:3, 4 * place + 1 : 4 * place + 3] = segment_id
    found = meshed(segmentation(labels), near)
    for place, segment_id in enumerate(near):
        assert found[segment_id].bounds_nm[:, 0].tolist() == [(-7 + 4 * place + 1) * 4, (-7 + 4 * place + 3) * 4]


def test_an_absent_id_fails_by_itself_and_the_others_succeed():
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1, 1] = 200
    # 456 & 0xff is 200: an id the voxels cannot hold is absent, not folded.
    found = meshed(segmentation(labels), [9, 200, 456, 2**64 - 1])
    assert isinstance(found[200], Mesh)
    for absent in (9, 456, 2**64 - 1):
        assert isinstance(found[absent].error, SegmentNotFound)
        assert str(absent) in str(found[absent].error)


def test_coarse_scales_are_meshed_in_their_own_voxels():
    from dataclasses import replace

    from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
    from voxgate_remotes.memory import MemoryVolume

    fine = ScaleSpec(Box.at(OFFSET, Vec3(12, 10, 6)), SIZE)
    coarse = replace(fine, bounds=Box.of(x=(-4, 2), y=(6, 11), z=(100, 106)), voxel_size_nm=VoxelSize(8.0, 12.0, 40.0))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (fine, coarse))
    volume = MemoryVolume.create(spec)
    volume.write(Box.of(x=(-3, 0), y=(7, 9), z=(101, 102)), np.full((1, 1, 2, 3), HUGE, np.uint64), scale=1)
    mesh = meshed(volume, [HUGE], scale=1)[HUGE]
    assert mesh.scale == 1
    assert mesh.bounds_nm.tolist() == [[-24, 84, 4040], [0, 108, 4080]]


def test_every_voxel_is_read_exactly_once():
    labels = blobs(11)
    volume = CountingVolume(segmentation(labels))
    meshed(volume, [3], block=Vec3(6, 10, 4))
    reads = np.zeros(labels.shape, int)
    for box in volume.boxes:
        reads[box.slices_zyx(OFFSET)] += 1
    assert (reads == 1).all()
