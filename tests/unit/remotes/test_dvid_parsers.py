"""The parsers of what DVID answers in bytes: exact, bounded, and never past what is there."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3, VoxelSize, covered_once
from voxgate.model.mesh_files import encode_meshes
from voxgate.model.meshes import Mesh
from voxgate_remotes.dvid import voxels as voxels_module
from voxgate_remotes.dvid.levels import halved
from voxgate_remotes.dvid.runs import clipped, parsed_runs
from voxgate_remotes.dvid.stored import parsed_mesh, parsed_swc
from voxgate_remotes.dvid.voxels import pieces
from voxgate_remotes.dvid.writes import _ids_in, _parts

INTS = st.integers(-(2**31), 2**31 - 1)
ROWS = st.lists(st.tuples(INTS, INTS, INTS, st.integers(1, 2**31 - 1)), max_size=20)


def encoded(rows: list[tuple[int, ...]]) -> bytes:
    return struct.pack("<BBBBII", 0, 3, 0, 0, 0, len(rows)) + b"".join(struct.pack("<4i", *row) for row in rows)


@given(rows=ROWS)
def test_runs_come_back_as_they_were_written(rows: list[tuple[int, ...]]):
    assert [tuple(row) for row in parsed_runs(encoded(rows)).tolist()] == rows


@given(rows=ROWS, cut=st.integers(1, 400), more=st.binary(min_size=1, max_size=40))
def test_runs_that_end_early_or_go_on_are_corrupt(rows: list[tuple[int, ...]], cut: int, more: bytes):
    whole = encoded(rows)
    for bad in (whole[: -min(cut, len(whole) - 1)], whole + more):
        with pytest.raises(ChunkCorrupt):
            parsed_runs(bad)


@given(body=st.binary(min_size=1, max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_runs_or_corrupt(body: bytes):
    try:
        found = parsed_runs(body)
    except ChunkCorrupt:
        return
    assert len(body) == 12 + 16 * len(found)


def test_nothing_at_all_is_no_run():
    assert parsed_runs(b"").shape == (0, 4)


@pytest.mark.parametrize("length", [0, -5])
def test_a_run_without_voxels_is_corrupt(length: int):
    with pytest.raises(ChunkCorrupt):
        parsed_runs(encoded([(1, 2, 3, length)]))


def test_runs_along_another_axis_are_corrupt():
    for header in (b"\0\2\0\0", b"\0\3\1\0"):
        with pytest.raises(ChunkCorrupt):
            parsed_runs(header + bytes(8))


SMALL = st.integers(-6, 6)


@given(
    rows=st.lists(st.tuples(SMALL, SMALL, SMALL, st.integers(1, 9)), max_size=8),
    start=st.tuples(SMALL, SMALL, SMALL),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
)
def test_clipping_keeps_exactly_the_voxels_inside(rows, start, shape):
    box = Box.at(Vec3(*start), Vec3(*shape))
    runs = np.array(rows, np.int64).reshape(-1, 4)
    expected = [(x + i, y, z) for x, y, z, n in rows for i in range(n) if box.contains_point(Vec3(x + i, y, z))]
    found = [(x + i, y, z) for x, y, z, n in clipped(runs, box).tolist() for i in range(n)]
    assert sorted(found) == sorted(expected)


def test_a_mesh_comes_back_as_it_was_written():
    mesh = Mesh(
        7,
        np.array([[0.5, 1, 2], [3, 4.25, 5], [6, 7, 8], [-9, 1e6, 2]], np.float32),
        np.array([[0, 1, 2], [3, 2, 1]], np.uint32),
    )
    vertices, faces = parsed_mesh(encode_meshes([mesh], "precomputed"))
    np.testing.assert_array_equal(vertices, mesh.vertices)
    np.testing.assert_array_equal(faces, mesh.faces)


BAD_MESHES = [
    b"",
    b"\1\0\0",
    struct.pack("<I", 2) + bytes(12),
    struct.pack("<I", 1) + bytes(12) + bytes(4),
    struct.pack("<I", 2**32 - 1) + bytes(100),
    struct.pack("<I3f3I", 1, 0, 0, 0, 0, 0, 1),
    struct.pack("<I3f", 1, 0, float("nan"), 0),
]


@pytest.mark.parametrize("body", BAD_MESHES)
def test_what_is_no_mesh_is_corrupt(body: bytes):
    with pytest.raises(ChunkCorrupt):
        parsed_mesh(body)


SWC = b"# made by hand\n\n 5 1 10 20 30 2.5 -1\n2 0 11 20 30.5 1 5\n7 0 12 21 31 0.5 2 \n9 0 9 19 29 1 5\n"


def test_a_skeleton_is_in_nanometres_and_its_edges_lead_to_parents():
    vertices, edges, radii = parsed_swc(SWC, VoxelSize(8, 8, 8))
    np.testing.assert_array_equal(vertices, np.array([[80, 160, 240], [88, 160, 244], [96, 168, 248], [72, 152, 232]]))
    assert edges.tolist() == [[1, 0], [2, 1], [3, 0]]
    assert radii.tolist() == [20, 8, 4, 8]
    assert (vertices.dtype, edges.dtype, radii.dtype) == (np.float32, np.uint32, np.float32)


def test_radii_in_voxels_that_are_no_cubes_are_no_lengths():
    vertices, _, radii = parsed_swc(SWC, VoxelSize(4, 5, 40))
    assert vertices[0].tolist() == [40, 100, 1200]
    assert radii is None


def test_a_skeleton_may_be_empty():
    vertices, edges, _ = parsed_swc(b"# nothing\n", VoxelSize(8, 8, 8))
    assert (vertices.shape, edges.shape) == ((0, 3), (0, 2))


BAD_SWC = [
    b"1 0 1 2 3 1\n",
    b"1 0 1 2 3 1 9\n",
    b"1 0 1 2 x 1 -1\n",
    b"1 0 1 2 3 1 -1\n1 0 1 2 3 1 -1\n",
    b"1 0 1 2 inf 1 -1\n",
    b"1.5 0 1 2 3 1 -1\n",
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", BAD_SWC)
def test_what_is_no_skeleton_is_corrupt(body: bytes):
    with pytest.raises(ChunkCorrupt):
        parsed_swc(body, VoxelSize(8, 8, 8))


BOXES = st.tuples(*[st.tuples(st.integers(-100, 100), st.integers(1, 90))] * 3)


@given(ends=BOXES, itemsize=st.sampled_from([1, 8]))
def test_pieces_cover_a_box_once_and_end_at_blocks(ends, itemsize: int):
    box, block = Box.of(*((a, a + n) for a, n in ends)), Vec3(16, 8, 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxels_module, "REQUEST_BYTES", 16 * 8 * 32 * 8)
        cut = pieces(box, block, itemsize)
    assert covered_once(box, cut)
    assert len(cut) == 1 or max(piece.voxel_count for piece in cut) * itemsize <= 16 * 8 * 32 * 8
    for piece in cut if len(cut) > 1 else ():
        for axis in range(3):
            low, high = tuple(piece.start)[axis], tuple(piece.stop)[axis]
            assert low == tuple(box.start)[axis] or low % tuple(block)[axis] == 0
            assert high == tuple(box.stop)[axis] or high % tuple(block)[axis] == 0


@given(ends=BOXES)
def test_parts_of_a_write_cover_it_once_and_cut_few_blocks(ends):
    box, block = Box.of(*((a, a + n) for a, n in ends)), Vec3(16, 8, 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voxgate_remotes.dvid.writes._SMALL_BYTES", 0)
        parts = list(_parts(box, block, 1))
    assert covered_once(box, parts)
    whole = [
        part
        for part in parts
        if all(a % n == 0 and b % n == 0 for a, b, n in zip(part.start, part.stop, block, strict=True))
    ]
    inner = Box(
        Vec3(*(-(-a // n) * n for a, n in zip(box.start, block, strict=True))),
        Vec3(*(b // n * n for b, n in zip(box.stop, block, strict=True))),
    )
    assert sum(part.voxel_count for part in whole) >= inner.voxel_count


@given(ends=BOXES, level=st.integers(0, 4))
def test_a_level_below_covers_the_voxels_above(ends, level: int):
    box = Box.of(*((a, a + n) for a, n in ends))
    low = halved(box, level)
    for below, above in ((low.start, box.start), (low.stop - Vec3(1, 1, 1), box.stop - Vec3(1, 1, 1))):
        assert tuple(below) == tuple(value // 2**level for value in above)


@given(st.lists(st.sampled_from([0, 1, 5, 2**53 + 1, 2**64 - 1]), min_size=1, max_size=60))
def test_the_ids_of_voxels_are_each_named_once(numbers: list[int]):
    array = np.array(numbers, "<u8").reshape(1, 1, -1)
    assert _ids_in(array) == sorted(set(numbers) - {0})
