"""Shards, manifests and levels of bulk meshes, byte by byte: as our readers and cloud-volume read them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cloudvolume.datasource.precomputed.mesh.multilod import MultiLevelPrecomputedMeshManifest
from cloudvolume.datasource.precomputed.sharding import ShardingSpecification
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import MeshJobSpec
from voxgate_mesh.bulk.gathering import Pieces, in_order, octree
from voxgate_mesh.bulk.manifests import manifest, manifest_size, mesh_info
from voxgate_mesh.bulk.partials import ROW
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan
from voxgate_mesh.bulk.properties import ROW as PROPERTIES_ROW
from voxgate_mesh.bulk.properties import properties_parts
from voxgate_mesh.bulk.shards import shard_layout, shard_name
from voxgate_remotes.metadata import json_object
from voxgate_remotes.precomputed_kept.multires import parsed_manifest
from voxgate_remotes.precomputed_kept.properties import parsed_table
from voxgate_remotes.precomputed_kept.shards import Shards, parsed_sharding

REGION = Box.of(x=(10_000_019, 10_000_106), y=(-70, -9), z=(3, 41))
PLAN = MeshPlan(
    MeshJobSpec("lab/seg", sharded=True), REGION, VoxelSize(4.1, 6.5, 40), Vec3(24, 20, 16), 3, 2.0, 2.0, 32
)


@dataclass(frozen=True)
class InMemory:
    """A shard file, as the reader of shards asks for it."""

    data: bytes

    def part(self, name, start, stop):
        assert stop <= len(self.data)
        return self.data[start:stop]


@given(
    st.sets(st.integers(1, 2**64 - 1), max_size=40).flatmap(
        lambda ids: st.tuples(st.just(sorted(ids)), st.lists(st.integers(0, 99), min_size=len(ids), max_size=len(ids)))
    )
)
def test_every_value_of_a_shard_is_found_right_after_its_fragments(drawn):
    ids, sizes = np.array(drawn[0], np.uint64), np.array(drawn[1], np.int64)
    values = [f"manifest of {each}".encode() for each in ids.tolist()]
    layout = shard_layout(PLAN, ids, sizes, np.array([len(value) for value in values], np.int64))
    body = b"".join(bytes([65 + at % 20]) * sizes[at] + values[at] for at in layout.order.tolist())
    sharding = parsed_sharding(mesh_info(PLAN, "")["sharding"])
    shards = Shards(InMemory(layout.head + body + layout.tail), sharding)
    for at, segment_id in enumerate(ids.tolist()):
        stored = shards.find(segment_id)
        assert shards.read(stored) == values[at]
        before = shards._files.part("", stored.start - int(sizes[at]), stored.start)
        assert before == bytes([65 + at % 20]) * sizes[at]
    absent = next(number for number in range(1, 99) if number not in drawn[0])
    assert shards.find(absent) is None


@given(st.lists(st.integers(1, 2**64 - 1), min_size=1, max_size=30))
def test_partitions_are_the_shards_that_readers_look_into(ids):
    spec = ShardingSpecification.from_dict(mesh_info(PLAN, "")["sharding"])
    ours = parsed_sharding(mesh_info(PLAN, "")["sharding"])
    for segment_id, partition in zip(ids, PLAN.partitions_of(np.array(ids, np.uint64)).tolist(), strict=True):
        name = shard_name(PLAN, partition)
        assert ours.place(segment_id)[0] == name
        assert f"{spec.compute_shard_location(np.uint64(segment_id)).shard_number}.shard" == name


def test_names_of_shards_have_as_many_digits_as_the_last():
    named = {count: shard_name(replace(PLAN, partition_count=count), count - 1) for count in (1, 2, 16, 32, 256)}
    assert named == {1: "0.shard", 2: "1.shard", 16: "f.shard", 32: "1f.shard", 256: "ff.shard"}


def test_a_manifest_says_what_both_readers_understand():
    levels = [[(Vec3(0, 0, 0), 7), (Vec3(1, 0, 0), 0), (Vec3(2, 3, 1), 9)], [(Vec3(0, 0, 0), 5), (Vec3(1, 1, 0), 1)]]
    data = manifest(PLAN, levels)
    assert len(data) == manifest_size([3, 2])
    ours, theirs = parsed_manifest(data), MultiLevelPrecomputedMeshManifest.from_binary(data, segment_id=7)
    assert ours.positions.tolist() == [[0, 0, 0], [1, 0, 0], [2, 3, 1]]
    assert (ours.sizes, ours.total) == ((7, 0, 9), 22)
    assert [each.tolist() for each in theirs.fragment_positions] == [ours.positions.tolist(), [[0, 0, 0], [1, 1, 0]]]
    assert theirs.lod_scales.tolist() == [1, 2]
    np.testing.assert_allclose(ours.chunk_shape, [24 * 4.1, 20 * 6.5, 16 * 40], rtol=1e-7)


def test_places_far_from_the_origin_are_as_exact_as_two_floats_together():
    found = parsed_manifest(manifest(PLAN, [[(Vec3(0, 0, 0), 1)]])).origin
    np.testing.assert_allclose(found, PLAN.base_nm, rtol=0, atol=1e-6)
    assert abs(np.float64(np.float32(PLAN.base_nm[0])) - PLAN.base_nm[0]) > 0.1


def pieces_of(*chunks):
    """Pieces of one segment: (level, (x, y, z), whether it rises)."""
    rows, blocks = np.zeros(len(chunks), ROW), []
    numbers = {PLAN.block(index): index for index in range(PLAN.level_starts[-1])}
    for row, (level, position, rises) in zip(rows, chunks, strict=True):
        row["segment_id"], row["length"], row["rises"] = 7, 10, rises
        blocks.append(numbers[LevelBlock(level, Vec3(*position))])
    levels = np.array([level for level, _, _ in chunks], np.uint8)
    return Pieces(rows, np.array(blocks), levels, np.array([0, len(chunks)]))


def shape(tree):
    return [[(tuple(node.position), node.own, node.lifted) for node in nodes] for nodes in tree]


def test_levels_end_where_one_chunk_has_everything():
    pieces = pieces_of((0, (0, 0, 0), True), (0, (1, 0, 0), True), (1, (0, 0, 0), False))
    assert shape(octree(PLAN, pieces, 0)) == [[((0, 0, 0), 0, []), ((1, 0, 0), 1, [])], [((0, 0, 0), 2, [])]]
    assert shape(octree(PLAN, pieces_of((0, (2, 1, 1), False)), 0)) == [[((2, 1, 1), 0, [])]]


def test_parts_that_do_not_rise_are_lifted_to_every_level_above_them():
    pieces = pieces_of(
        (0, (0, 0, 0), True),
        (0, (3, 3, 1), False),
        (1, (0, 0, 0), True),
        (2, (0, 0, 0), False),
    )
    assert shape(octree(PLAN, pieces, 0)) == [
        [((0, 0, 0), 0, []), ((3, 3, 1), 1, [])],
        [((0, 0, 0), 2, []), ((1, 1, 0), -1, [1])],
        [((0, 0, 0), 3, [1])],
    ]


def test_parts_that_are_all_complete_have_one_level():
    pieces = pieces_of((0, (0, 0, 0), False), (0, (3, 3, 1), False))
    assert shape(octree(PLAN, pieces, 0)) == [[((0, 0, 0), 0, []), ((3, 3, 1), 1, [])]]


def test_a_fragment_has_a_place_above_it_though_nothing_is_drawn_there():
    pieces = pieces_of((0, (0, 0, 0), True), (0, (2, 0, 0), True), (1, (0, 0, 0), False))
    assert shape(octree(PLAN, pieces, 0))[1] == [((0, 0, 0), 2, []), ((1, 0, 0), -1, [])]


@pytest.mark.parametrize(("most", "kind"), [(2**32 - 1, "uint32"), (2**32, "float32")])
def test_properties_are_read_back_whatever_their_size(most, kind):
    one, none, two = np.zeros(2, PROPERTIES_ROW), np.zeros(0, PROPERTIES_ROW), np.zeros(1, PROPERTIES_ROW)
    one[0] = (2**64 - 1, most, 1e30, 2.5, 4)
    one[1] = (2**53 + 1, 1, 0.125, 1e-3, 4)
    two[0] = (3, 2, 7, 1 / 3, 4)
    info = json_object("info", b"".join(properties_parts(lambda: [none, one, none, two], most)))
    assert info["inline"]["properties"][0]["data_type"] == kind
    table = parsed_table(info)
    assert table.segment_ids.tolist() == [2**64 - 1, 2**53 + 1, 3]
    columns = {column.name: column.values.tolist() for column in table.columns}
    assert columns["voxel_count"] == [most, 1, 2]
    np.testing.assert_allclose(columns["volume_nm3"], [1e30, 0.125, 7], rtol=1e-7)
    np.testing.assert_allclose(columns["surface_nm2"], [2.5, 1e-3, 1 / 3], rtol=1e-7)


def test_properties_of_no_segment_are_an_empty_table():
    assert len(parsed_table(json_object("info", b"".join(properties_parts(list, 0)))).segment_ids) == 0


def test_work_ahead_keeps_its_order_and_ends_with_the_first_error():
    assert list(in_order(lambda number: number * 2, range(100))) == list(range(0, 200, 2))
    begun = []

    def failing(number):
        begun.append(number)
        if number == 5:
            raise ValueError("five")
        return number

    with pytest.raises(ValueError, match="five"):
        list(in_order(failing, range(10**6)))
    assert max(begun) < 50
