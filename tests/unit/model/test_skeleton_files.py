"""Skeletons as files."""

import numpy as np
import pytest

from voxgate.model.errors import InvalidArgument
from voxgate.model.skeleton_files import SKELETON_FORMATS, encode_skeleton, skeleton_file_type
from voxgate.model.skeletons import Skeleton

VERTICES = np.array([[4, 8, 40], [8, 8, 40], [12, 9.5, 40], [8, 20, 80], [1e7, 3, 3]], np.float32)
EDGES = np.array([[1, 0], [1, 2], [3, 1]], np.uint32)


def saved(tmp_path, skeleton, name="body.swc"):
    skeleton.save(tmp_path / name)
    rows = [line.split() for line in (tmp_path / name).read_text().splitlines() if not line.startswith("#")]
    return [(int(n), int(kind), *map(float, rest[:-1]), int(rest[-1])) for n, kind, *rest in rows]


def test_every_part_is_a_tree_whose_nodes_follow_their_parents(tmp_path):
    rows = saved(tmp_path, Skeleton(2**63 + 1, VERTICES, EDGES, np.arange(5, dtype=np.float32)))
    places = {row[0]: row[2:5] for row in rows}
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert sorted(places.values()) == sorted(map(tuple, VERTICES.astype(float).tolist()))
    lines = {frozenset((places[row[0]], places[row[6]])) for row in rows if row[6] != -1}
    assert lines == {frozenset(tuple(map(float, VERTICES[end])) for end in edge) for edge in EDGES}
    assert [row[6] for row in rows].count(-1) == 2
    assert all(row[6] < row[0] for row in rows)
    assert {row[2:5]: row[5] for row in rows} == {tuple(map(float, v)): float(i) for i, v in enumerate(VERTICES)}


def test_unknown_radii_are_zero(tmp_path):
    assert {row[5] for row in saved(tmp_path, Skeleton(5, VERTICES, EDGES))} == {0.0}


def test_a_ring_and_another_ending_are_refused(tmp_path):
    ring = Skeleton(5, VERTICES, np.array([[0, 1], [1, 2], [2, 0]], np.uint32))
    with pytest.raises(InvalidArgument, match="ring"):
        ring.save(tmp_path / "ring.swc")
    with pytest.raises(InvalidArgument, match="ending"):
        Skeleton(5, VERTICES, EDGES).save(tmp_path / "body.obj")
    assert list(tmp_path.iterdir()) == []


def test_precomputed_bytes_are_counts_places_edges_and_radii():
    radii = np.arange(5, dtype=np.float32)
    data = encode_skeleton(Skeleton(5, VERTICES, EDGES, radii), "precomputed")
    assert np.frombuffer(data, "<u4", 2).tolist() == [5, 3]
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", 15, 8).reshape(5, 3), VERTICES)
    np.testing.assert_array_equal(np.frombuffer(data, "<u4", 6, 68).reshape(3, 2), EDGES)
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", -1, 92), radii)
    assert encode_skeleton(Skeleton(5, VERTICES, EDGES), "precomputed") == data[:92]


def test_a_format_that_is_none_is_refused():
    with pytest.raises(InvalidArgument, match="no format of skeletons"):
        encode_skeleton(Skeleton(5, VERTICES, EDGES), "obj")
    assert [skeleton_file_type(fmt).extension for fmt in SKELETON_FORMATS] == ["swc", ""]
