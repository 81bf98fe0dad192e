"""Chunks of a bulk meshing: exact where nothing is simplified, closed at every level, near where it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.bulk_chunks import chunked, octants, open_edges, turned
from support.mesh_volumes import OFFSET, SIZE, blobs
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate_mesh.arrays import mesh_labels
from voxgate_mesh.bulk.lattice import quantized
from voxgate_mesh.simplifying.distances import farthest, target_of

HUGE = 2**63 + 5
ODD = Vec3(17, 16, 19)
IDS = (1, 2**53 + 1, 2**63 + 9, 2**64 - 1)
CUBIC = VoxelSize(10.0, 10.0, 10.0)


def speckled(seed, shape, ids=IDS):
    """Voxels at random: everything that can touch does."""
    rng = np.random.default_rng(seed)
    return np.array([0, *ids], np.uint64)[rng.integers(0, len(ids) + 1, shape)]


def half_voxels(vertices, faces, size):
    """Triangles on the half-voxel lattice, and its least corner."""
    keys = np.rint(vertices * 2 / np.array(tuple(size))).astype(int)
    return turned(keys[faces]), keys.min(axis=0).tolist()


def check_is_whole(labels, chunk, offset=OFFSET, size=SIZE):
    chunks = chunked(labels, chunk_shape=chunk, max_error_nm=0, offset=offset, size=size)
    pieces, whole = chunks.pieces(0), mesh_labels(labels, size, offset=offset)
    assert sorted(pieces) == sorted(whole)
    for segment_id, mesh in whole.items():
        rows = [piece.row for piece in pieces[segment_id]]
        mine, my_corner = half_voxels(*chunks.surface(0, pieces[segment_id]), size)
        theirs, their_corner = half_voxels(mesh.vertices.astype(np.float64), mesh.faces, size)
        assert my_corner == their_corner
        assert np.array_equal(mine, theirs)
        assert sum(row["voxel_count"] for row in rows) == np.count_nonzero(labels == np.uint64(segment_id))
        assert sum(row["face_count"] for row in rows) == len(mesh.faces)
        assert sum(row["volume_nm3"] for row in rows) == pytest.approx(mesh.statistics.volume_nm3, rel=1e-9)
        assert sum(row["area_nm2"] for row in rows) == pytest.approx(mesh.statistics.surface_nm2, rel=1e-9)


def check_is_closed(chunks):
    for level in range(chunks.plan.level_count):
        for pieces in chunks.pieces(level).values():
            assert open_edges(pieces) == 0
            if level:
                assert all(octants(piece, chunks.plan.quantization_bits).all() for piece in pieces)


@pytest.mark.parametrize("chunk", [ODD, Vec3(16, 16, 16), Vec3(64, 16, 31)])
def test_the_pieces_of_smooth_bodies_together_are_the_mesh_made_at_once(chunk):
    check_is_whole(blobs(1, (37, 41, 52)), chunk)


def test_the_pieces_of_voxels_at_random_together_are_the_mesh_made_at_once():
    check_is_whole(speckled(2, (21, 35, 30)), ODD, Vec3(10**6 + 1, -(10**5), 7))


def test_a_segment_that_fills_the_volume_is_a_closed_box_of_its_size():
    labels = np.full((40, 33, 50), HUGE, np.uint64)
    check_is_whole(labels, Vec3(16, 16, 16))
    chunks = chunked(labels, chunk_shape=Vec3(16, 16, 16), size=CUBIC)
    check_is_closed(chunks)
    inside = [piece.row for piece in chunks.pieces(0)[HUGE] if not piece.row["face_count"]]
    assert inside
    assert all(row["voxel_count"] == 16**3 and row["length"] == 0 for row in inside)


@pytest.mark.parametrize("place", [(0, 0, 0), (15, 15, 15), (14, 16, 15), (38, 32, 49), (20, 3, 31)])
def test_a_single_voxel_has_a_mesh_wherever_it_is(place):
    labels = np.zeros((39, 33, 50), np.uint64)
    labels[place] = HUGE
    check_is_whole(labels, Vec3(16, 16, 16))
    check_is_closed(chunked(labels, chunk_shape=Vec3(16, 16, 16), size=CUBIC, max_error_nm=80))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(*[st.integers(1, 28)] * 3),
    chunk=st.builds(Vec3, *[st.integers(16, 20)] * 3),
    offset=st.builds(Vec3, *[st.integers(-(10**6), 10**6)] * 3),
)
def test_pieces_of_any_small_volume_are_the_mesh_made_at_once(seed, shape, chunk, offset):
    check_is_whole(speckled(seed, shape, IDS[: 1 + seed % 4]), chunk, offset)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(*[st.integers(18, 36)] * 3),
    error=st.sampled_from([None, 0, 3.0, 25.0, 400.0]),
    bits=st.sampled_from([10, 16]),
)
def test_every_level_is_closed_and_parted_where_viewers_part_it(seed, shape, error, bits):
    labels = blobs(seed, shape) if seed % 2 else speckled(seed, shape, IDS[:2])
    check_is_closed(chunked(labels, chunk_shape=Vec3(16, 17, 16), max_error_nm=error, vertex_quantization_bits=bits))


@pytest.fixture(scope="module")
def spanning():
    """Smooth bodies through three levels of chunks, and their unsimplified surfaces."""
    labels = blobs(5, (60, 66, 70))
    chunks = chunked(labels, chunk_shape=Vec3(18, 18, 18), size=CUBIC)
    return chunks, mesh_labels(labels, CUBIC, offset=OFFSET)


def test_bodies_that_span_many_chunks_are_closed_at_every_level(spanning):
    chunks, _ = spanning
    assert chunks.plan.level_count == 3
    check_is_closed(chunks)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_is_no_further_from_the_surface_than_promised(spanning, level):
    chunks, whole = spanning
    error = chunks.plan.error_nm(level)
    assert error == 10.0 * 2**level  # a voxel
    rounding = np.linalg.norm(chunks.plan.chunk_nm * 2**level) / 65535
    for segment_id, pieces in chunks.pieces(level).items():
        assert all(piece.row["rises"] for piece in chunks.pieces(max(0, level - 1))[segment_id]) or not level
        there, exact = chunks.surface(level, pieces), whole[segment_id]
        low = exact.vertices.min(axis=0).astype(float)
        mine = (there[0] - low, there[1].astype(np.int32))
        theirs = (exact.vertices - low, exact.faces.astype(np.int32))
        assert farthest(*mine, target_of(*theirs), 4.0, error / 4) <= error + rounding
        assert farthest(*theirs, target_of(*mine), 4.0, error / 4) <= error + rounding


def test_coarser_levels_have_far_fewer_triangles(spanning):
    chunks, whole = spanning
    counts = [sum(p.row["face_count"] for ps in chunks.pieces(level).values() for p in ps) for level in range(3)]
    assert counts[0] < sum(len(mesh.faces) for mesh in whole.values()) * 0.5
    assert counts[1] < counts[0] * 0.8
    assert counts[2] < counts[1] * 0.8


def test_what_is_complete_in_a_chunk_does_not_rise_and_what_is_not_does():
    labels = np.zeros((40, 40, 40), np.uint64)
    labels[3:9, 3:9, 3:9] = 7
    labels[3:9, 3:9, 20:39] = HUGE
    labels[12:19, 12:14, 30:31] = 2**53 + 1
    chunks = chunked(labels, chunk_shape=Vec3(16, 16, 16), size=CUBIC)
    assert [piece.row["rises"] for piece in chunks.pieces(0)[7]] == [0]
    assert {bool(piece.row["rises"]) for piece in chunks.pieces(0)[HUGE]} == {True}
    assert sorted(chunks.pieces(1)) == [2**53 + 1, HUGE]
    assert not any(piece.row["rises"] for pieces in chunks.pieces(2).values() for piece in pieces)


def test_equal_work_makes_equal_files():
    labels = blobs(9, (30, 30, 30))
    one, other = (chunked(labels, chunk_shape=ODD) for _ in range(2))
    assert one.files.kept == other.files.kept
    assert [each.checksum for each in one.made] == [each.checksum for each in other.made]
    assert len({each.checksum for each in one.made}) > 1


def test_chunks_read_the_voxels_where_they_meet_twice_and_all_others_once():
    labels = blobs(9, (30, 31, 32))
    chunks = chunked(labels, chunk_shape=Vec3(16, 16, 16))
    along_z, along_y, along_x = 16 + 15, 16 + 16, 16 + 17 + 1
    assert sum(each.byte_count for each in chunks.made) == along_z * along_y * along_x * 8


@given(st.integers(16, 1024), st.integers(0, 7), st.sampled_from([10, 16]), st.data())
@settings(max_examples=200, deadline=None)
def test_places_on_either_side_of_a_middle_plane_are_stored_there(side, level, bits, data):
    span = np.array([side * 256 << level] * 3, np.int64)
    low = span * data.draw(st.integers(0, 5))
    at = data.draw(st.integers(0, int(span[0])))
    stored = quantized((low + at).astype(np.int32)[None], low, span, 2**bits - 1)[0]
    point, middle = 2 ** (bits - 1), span[0] // 2
    assert (stored <= point).all() if at <= middle else (stored >= point).all()
    ends = quantized(np.stack([low, low + span, low + middle]).astype(np.int32), low, span, 2**bits - 1)[:, 0]
    assert ends.tolist() == [0, 2**bits - 1, point]
