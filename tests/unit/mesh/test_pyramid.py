"""Segments found by a coarse scale, and followed from there."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mesh_searches import TO_COARSE, answers, blocks_read, connected, scaled
from support.mesh_volumes import SIZE, CountingVolume, as_trimesh, segmentation, triangles
from tools.demo_suite import SAMPLES
from voxgate.model.errors import LimitExceeded, MissingCapability, SegmentNotFound
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh
from voxgate.model.volumes import OpenOptions
from voxgate_mesh.checks import MeshLimits
from voxgate_mesh.projecting import image_of, projected
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote

HUGE = 2**63 + 9
BLOCK = Vec3(7, 6, 5)
CUBE = Vec3(5, 5, 5)
"""The diagonal thread goes from corner to corner of these."""
WHOLE = Vec3(99, 99, 99)


def body_with_a_thread(*, diagonal):
    """A block at one end, and a line of single voxels that no coarse voxel shows, across the volume."""
    labels = np.zeros((30, 41, 52), np.uint64)
    labels[2:8, 3:8, 2:8] = HUGE
    z = y = x = 7
    while z < 28:
        step = (1, 1, 1) if diagonal else [(1, 0, 0), (0, 1, 0), (0, 0, 1)][(x + y + z) % 3]
        z, y, x = z + step[0], y + step[1], x + step[2]
        labels[z, y, x] = HUGE
    return labels


def with_blind_scale(labels):
    """The coarse scale shows the block at the end alone."""
    volume = scaled(labels)
    level = volume.info.scales[1]
    voxels = volume._volume.read(level.bounds, scale=1)
    shown = projected(Box(Vec3(-5, 15, 102), Vec3(1, 20, 108)), SIZE, TO_COARSE)
    blind = np.zeros_like(voxels)
    cut = (0, *shown.slices_zyx(level.bounds.start))
    blind[cut] = voxels[cut]
    volume._volume.write(level.bounds, blind, scale=1)
    assert HUGE in blind
    return volume


@pytest.mark.parametrize("diagonal", [False, True])
def test_what_the_coarse_scale_does_not_show_is_followed_from_block_to_block(diagonal):
    labels = body_with_a_thread(diagonal=diagonal)
    volume = with_blind_scale(labels)
    mesh = answers(volume, [HUGE], search="pyramid", block=CUBE)[HUGE]
    whole = answers(segmentation(labels), [HUGE], block=WHOLE)[HUGE]
    assert triangles(mesh) == triangles(whole)
    assert mesh.statistics.voxel_count == np.count_nonzero(labels)
    assert as_trimesh(mesh).is_watertight
    read = blocks_read(volume, CUBE)
    assert set(read.values()) == {1}
    assert len(read) < 0.4 * math.prod(-(-n // 5) for n in labels.shape)


def test_what_is_not_remembered_is_read_again_and_nothing_else():
    labels = body_with_a_thread(diagonal=False)
    volume = with_blind_scale(labels)
    mesh = answers(volume, [HUGE], search="pyramid", block=BLOCK, keep=0)[HUGE]
    assert triangles(mesh) == triangles(answers(segmentation(labels), [HUGE], block=WHOLE)[HUGE])
    read = blocks_read(volume, BLOCK)
    holding = {tuple(place) for place in (np.argwhere(labels) // BLOCK.zyx).tolist()}
    assert {place for place, times in read.items() if times == 2} == holding
    assert set(read.values()) == {1, 2}


def test_a_speck_is_missed_by_the_pyramid_alone_and_one_voxel_is_found_everywhere():
    labels = np.zeros((30, 41, 52), np.uint64)
    labels[2:8, 3:8, 2:8] = HUGE
    labels[28, 39, 50] = HUGE
    labels[27, 2, 3] = 5
    volume = with_blind_scale(labels)
    everywhere = answers(volume, [HUGE, 5], search="everywhere", block=BLOCK)
    found = answers(volume, [HUGE, 5], search="pyramid", block=BLOCK)
    assert everywhere[HUGE].statistics.voxel_count == 6 * 5 * 6 + 1
    assert found[HUGE].statistics.voxel_count == 6 * 5 * 6
    assert found[HUGE].statistics.watertight
    assert everywhere[5].statistics.voxel_count == 1
    assert everywhere[5].statistics.watertight
    assert isinstance(found[5].error, SegmentNotFound)
    assert "scale 1 ('1')" in found[5].error.message
    assert '"everywhere"' in found[5].error.remedy
    assert "bounds" in found[5].error.remedy


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_box_is_found_whole_whatever_the_factors_and_offsets_of_the_scales_are(data):
    """At the coarse scale, one corner of it alone is shown."""
    factors = [data.draw(st.sampled_from([1.0, 1.7, 2.0, 2.5, 3.1, 7.0])) for _ in range(3)]
    coarse = VoxelSize(*(size * factor for size, factor in zip(SIZE, factors, strict=True)))
    offset = Vec3(*(data.draw(st.integers(-50, 50)) for _ in range(3)))
    labels = np.zeros([data.draw(st.integers(9, 15)) for _ in range(3)], np.uint64)
    starts = [data.draw(st.integers(0, n - 1)) for n in labels.shape]
    stops = [data.draw(st.integers(a + 1, n)) for a, n in zip(starts, labels.shape, strict=True)]
    labels[tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))] = HUGE
    volume = scaled(labels, [coarse], offset=offset)
    level = volume.info.scales[1]
    if math.prod(factors) < 2:
        return
    shown = np.zeros((1, *level.bounds.shape.zyx), np.uint64)
    corner = projected(Box.at(offset + Vec3.from_zyx(starts), Vec3(1, 1, 1)), SIZE, coarse)
    shown[(0, *corner.slices_zyx(level.bounds.start))] = HUGE
    volume._volume.write(level.bounds, shown, scale=1)
    block = Vec3(*(data.draw(st.integers(2, 9)) for _ in range(3)))
    mesh = answers(volume, [HUGE], search="pyramid", block=block)[HUGE]
    assert isinstance(mesh, Mesh), mesh
    assert mesh.statistics.voxel_count == np.count_nonzero(labels)
    sizes = np.array(tuple(SIZE))
    low = [o + a for o, a in zip(offset, reversed(starts), strict=True)]
    high = [o + b for o, b in zip(offset, reversed(stops), strict=True)]
    assert mesh.bounds_nm.tolist() == [(low * sizes).tolist(), (high * sizes).tolist()]


def test_where_a_coarse_scale_is_shifted_by_one_of_its_voxels_segments_are_still_found():
    labels = np.zeros((30, 41, 52), np.uint64)
    labels[13:17, 20:24, 30:35] = HUGE
    for shift in (-1, 1):
        volume = scaled(labels)
        level = volume.info.scales[1]
        moved = np.roll(volume._volume.read(level.bounds, scale=1), (0, shift, shift, shift), (0, 1, 2, 3))
        volume._volume.write(level.bounds, moved, scale=1)
        mesh = answers(volume, [HUGE], search="pyramid", block=Vec3(2, 2, 1))[HUGE]
        assert mesh.statistics.voxel_count == np.count_nonzero(labels)


def test_boxes_are_projected_outward_and_exactly():
    box = Box(Vec3(-7, 3, 1), Vec3(-3, 4, 9))
    assert projected(box, VoxelSize(4, 6, 40), VoxelSize(8, 9, 40)) == Box(Vec3(-4, 2, 1), Vec3(-1, 3, 9))
    assert projected(box, VoxelSize(8, 9, 40), VoxelSize(4, 6, 40)) == Box(Vec3(-14, 4, 1), Vec3(-6, 6, 9))
    info = scaled(np.ones((30, 41, 52), np.uint8)).info
    assert image_of(info, info.scales[0].bounds, 0, 1) == info.scales[1].bounds


def test_the_finest_scale_of_few_voxels_is_looked_at_or_else_the_coarsest():
    labels = np.ones((16, 24, 32), np.uint8)
    coarse = [VoxelSize(8.0, 12.0, 80.0), VoxelSize(16.0, 24.0, 160.0), VoxelSize(32.0, 48.0, 320.0)]
    for look, expected in ((1 << 24, 1), (1000, 2), (10, 3)):
        volume = scaled(labels, coarse)
        answers(volume, [1], search="pyramid", limits=MeshLimits(look_voxel_count=look))
        assert {scale for scale, _ in volume.reads} == {0, expected}


def test_a_coarse_scale_is_meshed_by_the_ones_above_it_only():
    labels = np.zeros((16, 24, 32), np.uint64)
    labels[2:14, 3:20, 5:30] = HUGE
    volume = scaled(labels, [VoxelSize(8.0, 12.0, 80.0), VoxelSize(16.0, 24.0, 160.0)])
    mesh = answers(volume, [HUGE], search="pyramid", scale=1)[HUGE]
    assert {scale for scale, _ in volume.reads} == {1, 2}
    assert triangles(mesh) == triangles(answers(volume, [HUGE], search="everywhere", scale=1)[HUGE])
    with pytest.raises(MissingCapability) as caught:
        answers(volume, [HUGE], search="pyramid", scale=2)
    assert caught.value.details == {"capability": "coarser_scale"}
    assert "everywhere" in caught.value.remedy


def test_following_has_a_budget_and_names_the_scale_that_fits():
    labels = body_with_a_thread(diagonal=False)
    volume = with_blind_scale(labels)
    with pytest.raises(LimitExceeded, match="1 \\('1'\\) fits") as caught:
        answers(volume, [HUGE], block=BLOCK, limits=MeshLimits(max_scan_voxel_count=4000))
    assert int(caught.value.details["asked"]) > 4000
    assert caught.value.details["scale"] == "1"
    assert sum(box.voxel_count for scale, box in volume.reads if scale == 0) <= 4000
    bounds = Box(Vec3(-7, 12, 100), Vec3(6, 24, 109))
    assert answers(volume, [HUGE], search="pyramid", bounds=bounds, block=BLOCK)[HUGE].search == "pyramid"
    with pytest.raises(LimitExceeded):
        answers(volume, [HUGE], search="pyramid", limits=MeshLimits(max_scan_voxel_count=50))


def test_too_large_to_look_everywhere_is_looked_for_by_the_pyramid_in_bounds_too():
    labels = body_with_a_thread(diagonal=True)
    volume, limits = scaled(labels), MeshLimits(max_scan_voxel_count=30_000)
    assert answers(volume, [HUGE], block=BLOCK, limits=limits)[HUGE].search == "pyramid"
    bounds = Box(Vec3(-6, 13, 101), Vec3(40, 45, 121))
    for closed in (True, False):
        found = answers(volume, [HUGE], search="pyramid", block=BLOCK, bounds=bounds, closed=closed)[HUGE]
        whole = answers(segmentation(labels), [HUGE], block=WHOLE, bounds=bounds, closed=closed)[HUGE]
        assert triangles(found) == triangles(whole)
        assert found.statistics.watertight is closed


@pytest.fixture(scope="module")
def fib25():
    """Real segments, with the coarser scales that came with them."""
    remote = FilesRemote(RemoteConfig(uri=f"file://{SAMPLES / 'fib25'}"))
    return CountingVolume(remote.open(("seg",), OpenOptions()))


def test_real_segments_are_the_same_by_the_pyramid_from_odd_blocks_and_as_a_whole(fib25):
    level = fib25.info.scales[0]
    labels = fib25.read(level.bounds)[0]
    ids, counts = np.unique(labels, return_counts=True)
    coarse = fib25.read(fib25.info.scales[1].bounds, scale=1)
    # Those that are one piece in this cutout, and seen: of others, the pyramid may miss pieces.
    large = [int(i) for i, n in zip(ids, counts, strict=True) if i and 2000 < n < 40_000 and i in coarse]
    one_piece = (each for each in large if np.array_equal(connected(labels, each), labels))
    chosen = list(itertools.islice(one_piece, 4))
    assert len(chosen) == 4
    whole = answers(fib25, chosen, search="everywhere", block=Vec3(999, 999, 999))
    for search in ("everywhere", "pyramid"):
        found = answers(fib25, chosen, search=search, block=Vec3(37, 41, 29))
        for each in chosen:
            assert triangles(found[each], level.voxel_size_nm) == triangles(whole[each], level.voxel_size_nm)
            assert found[each].statistics.voxel_count == whole[each].statistics.voxel_count
