"""Plans of bulk meshings: chunks that cover everything once, refusals, numbers of blocks; and their partial files."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.bulk_chunks import MemoryFiles
from support.mesh_volumes import segmentation
from voxgate.model.errors import (
    ChunkCorrupt,
    ChunkMissing,
    ConfigInvalid,
    InvalidArgument,
    MissingCapability,
    OutOfBounds,
    UnknownScale,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize, covered_once
from voxgate.model.jobs import MeshJobMode, MeshJobSpec
from voxgate.model.volumes import VolumeKind
from voxgate_mesh.bulk.partials import Piece, read_table, write_pieces
from voxgate_mesh.bulk.plan import LevelBlock, PartitionBlock, partition_count_for
from voxgate_mesh.bulk.planning import chunk_shape_for, planned
from voxgate_mesh.bulk.spreading import hashed
from voxgate_remotes.precomputed_kept.murmur import murmurhash3_low64

SPEC = MeshJobSpec("lab/seg", chunk_shape=Vec3(16, 20, 17))


def info(shape=(40, 50, 60), **stated):
    return segmentation(np.zeros(shape, np.uint64), **stated).info


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 90)] * 3),
    chunk=st.builds(Vec3, *[st.integers(16, 40)] * 3),
    start=st.builds(Vec3, *[st.integers(-(10**6), 10**6)] * 3),
)
def test_chunks_own_each_voxel_of_the_region_once_and_levels_end_in_one_chunk(shape, chunk, start):
    plan = planned(replace(SPEC, chunk_shape=chunk), info(shape, offset=start))
    ones = Vec3(1, 1, 1)
    boxes = [plan.voxel_box(block.position) for block in plan.chunks() if block.level == 0]
    owned = [Box(box.start + ones, box.stop).intersection(plan.region) for box in boxes]
    assert covered_once(plan.region, [box for box in owned if not box.is_empty])
    assert plan.grid_shape(plan.level_count - 1) == ones
    for level in range(1, plan.level_count):
        above = [block for block in plan.chunks() if block.level == level]
        below = Counter(child for block in above for child in plan.children(block))
        assert below == Counter(block for block in plan.chunks() if block.level == level - 1)


def test_blocks_are_numbered_level_by_level_then_partition_by_partition():
    plan = planned(SPEC, info())
    assert plan.grid_shape(0) == Vec3(4, 3, 3)
    assert plan.level_count == 3
    assert plan.stage_starts == (36, 36 + 8, 36 + 8 + 1)
    assert plan.partition_count == 4
    assert plan.block_count == 36 + 8 + 1 + 4
    assert plan.block(0) == LevelBlock(0, Vec3(0, 0, 0))
    assert plan.block(1 + 4 * 2 + 12) == LevelBlock(0, Vec3(1, 2, 1))
    assert plan.block(37) == LevelBlock(1, Vec3(1, 0, 0))
    assert plan.block(48) == PartitionBlock(3)


def test_equal_plans_have_equal_digests_and_others_others():
    one = planned(SPEC, info()).digest
    assert planned(replace(SPEC), info()).digest == one
    others = [
        replace(SPEC, max_error_nm=3.0),
        replace(SPEC, version="5"),
        replace(SPEC, sharded=True),
        replace(SPEC, mode=MeshJobMode.OVERWRITE),
        replace(SPEC, vertex_quantization_bits=10),
        replace(SPEC, chunk_shape=Vec3(16, 20, 18)),
    ]
    assert len({one, *(planned(spec, info()).digest for spec in others)}) == 1 + len(others)


def test_a_chosen_chunk_has_near_equal_sides_in_nanometres_and_leaves_no_sliver():
    box = Box.at(Vec3(5, 6, 7), Vec3(10_000, 10_000, 3_000))
    shape = chunk_shape_for(box, VoxelSize(4.0, 4.0, 40.0), Vec3(64, 64, 64))
    assert 2**23 < shape.product < 2**25
    assert 0.5 < shape.x * 4 / (shape.z * 40) < 2
    for extent, side in zip(box.shape, shape, strict=True):
        assert (extent % side or side) > side / 2
    assert chunk_shape_for(Box.at(Vec3(0, 0, 0), Vec3(9, 9, 2000)), VoxelSize(4, 4, 40), Vec3(64, 64, 64)).z <= 1024


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"chunk_shape": Vec3(15, 16, 16)}, InvalidArgument),
        ({"chunk_shape": Vec3(16, 1025, 16)}, InvalidArgument),
        ({"vertex_quantization_bits": 12}, InvalidArgument),
        ({"level_count": -1}, InvalidArgument),
        ({"level_count": 33}, InvalidArgument),
        ({"max_error_nm": float("nan")}, InvalidArgument),
        ({"max_error_nm": float("inf")}, InvalidArgument),
        ({"max_error_nm": -1.0}, InvalidArgument),
        ({"minimum_voxel_count": 2**64}, InvalidArgument),
        ({"scale": 3}, UnknownScale),
        ({"box": Box.of(x=(0, 0), y=(15, 20), z=(110, 120))}, InvalidArgument),
        ({"box": Box.of(x=(-8, 5), y=(15, 20), z=(110, 120))}, OutOfBounds),
    ],
)
def test_what_cannot_be_planned_is_refused(asked, error):
    with pytest.raises(error) as refused:
        planned(replace(SPEC, **asked), info())
    assert refused.value.remedy


def test_images_and_volumes_of_unknown_voxel_size_are_refused():
    with pytest.raises(MissingCapability):
        planned(SPEC, info(kind=VolumeKind.IMAGE))
    with pytest.raises(ConfigInvalid):
        planned(SPEC, info(size=None))


def test_a_level_zero_that_is_not_simplified_leaves_the_levels_above_their_errors():
    plan = planned(replace(SPEC, max_error_nm=0), info())
    assert [plan.error_nm(level) for level in range(3)] == [0.0, 4.0, 8.0]
    plan = planned(replace(SPEC, max_error_nm=7.0), info())
    assert [plan.error_nm(level) for level in range(3)] == [7.0, 14.0, 28.0]


def test_partitions_are_a_power_of_two_of_up_to_256():
    assert [partition_count_for(n) for n in (1, 16, 17, 33, 48, 49, 4096, 10**7)] == [1, 1, 2, 4, 4, 4, 256, 256]


def test_segments_are_spread_as_sharded_files_spread_them():
    ids = np.random.default_rng(3).integers(0, 2**64, 500, dtype=np.uint64)
    ids[:3] = 0, 1, 2**64 - 1
    assert hashed(ids).tolist() == [murmurhash3_low64(int(each)) for each in ids]
    plan = planned(SPEC, info())
    shards = [murmurhash3_low64(int(each)) >> plan.minishard_bits & 3 for each in ids]
    assert plan.partitions_of(ids).tolist() == shards


def pieces(count):
    return [Piece(2**63 + 7 * i, i, i / 3, -i / 7, 2 * i, b"d" * (i % 5), bool(i % 2)) for i in range(count)]


def test_each_piece_is_found_in_the_table_of_its_partition():
    plan, files, all_pieces = planned(SPEC, info()), MemoryFiles(), pieces(50)
    write_pieces(files, "p", list(reversed(all_pieces)), plan)
    found = {}
    for partition in range(plan.partition_count):
        rows = read_table(files, "p", partition)
        assert rows["segment_id"].tolist() == sorted(rows["segment_id"].tolist())
        assert set(plan.partitions_of(rows["segment_id"].copy()).tolist()) <= {partition}
        for row in rows:
            data = files.read("p", int(row["offset"]), int(row["offset"] + row["length"]))
            found[int(row["segment_id"])] = (*row.tolist()[1:5], data, bool(row["rises"]))
    wanted = {
        p.segment_id: (p.voxel_count, p.area_nm2, p.volume_nm3, p.face_count, p.draco, p.rises) for p in all_pieces
    }
    assert found == wanted


def test_an_empty_chunk_has_an_empty_table_and_a_missing_or_cut_one_is_an_error():
    plan, files = planned(SPEC, info()), MemoryFiles()
    write_pieces(files, "empty", [], plan)
    assert [len(read_table(files, "empty", partition)) for partition in range(4)] == [0] * 4
    with pytest.raises(ChunkMissing):
        read_table(files, "other", 0)
    write_pieces(files, "cut", pieces(50), plan)
    files.kept["cut"] = files.kept["cut"][:200]
    with pytest.raises(ChunkCorrupt):
        read_table(files, "cut", 3)
