import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.geometry import Box, Vec3, VoxelSize, covered_once, merged, slabs
from voxgate.model.volumes import (
    FILL,
    RAW,
    CallContext,
    EncodedChunks,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate.v1 import volume_pb2
from voxgate.wire.checksums import crc32c
from voxgate.wire.encodings import GZIP, ZSTD, decode
from voxgate.wire.volumes import box_to_proto, encoding_to_proto, known_encodings
from voxgate_blocks.plans import plan_blocks
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote
from voxgate_remotes.memory import MemoryRemote
from voxgate_volume.cutouts import Cutout, CutRequest
from voxgate_volume.reads import read_chunk

BOUNDS = Box.of(x=(-5, 42), y=(10, 41), z=(3, 22))


def memory():
    level = ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), chunk_shape=Vec3(8, 4, 5))
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True))
    return remote.create(("v",), VolumeSpec(np.dtype("<u2"), VolumeKind.SEGMENTATION, (level,)))


def boxes(bounds=BOUNDS):
    def axis(low, high):
        return st.tuples(st.integers(low, high - 1), st.integers(1, high - low)).map(
            lambda pair: (pair[0], min(high, pair[0] + pair[1]))
        )

    spans = [axis(a, b) for a, b in zip(bounds.start, bounds.stop, strict=True)]
    return st.tuples(*spans).map(lambda xyz: Box.of(*xyz))


@settings(max_examples=60, deadline=None)
@given(
    box=boxes(),
    written=boxes(),
    budget=st.integers(1, 4000),
    piece=st.integers(2, 900),
    accepted=st.lists(st.sampled_from([RAW, ZSTD, GZIP]), max_size=3).map(tuple),
    passing=st.booleans(),
)
def test_pieces_cover_every_voxel_once_and_absent_chunks_have_none(box, written, budget, piece, accepted, passing):
    volume = memory() if passing else without(memory(), EncodedChunks)
    voxels = np.random.default_rng(1).integers(0, 3, (1, *written.shape.zyx)).astype("<u2")
    volume.capability(Writable).write(written, voxels)
    expected = np.zeros((1, *BOUNDS.shape.zyx), "<u2")
    expected[(slice(None), *written.slices_zyx(BOUNDS.start))] = voxels
    cutout = Cutout(volume, CutRequest(box, piece_bytes=piece, accepted=accepted))
    groups = cutout.pieces(budget_bytes=budget, context=CallContext())
    pieces = [one for group in groups if group is not None for one in group]
    assert covered_once(box, [one.box for one in pieces])
    for one in pieces:
        part = expected[(slice(None), *one.box.slices_zyx(BOUNDS.start))]
        assert one.encoding in cutout.encodings
        assert len(one.data) <= max(piece, 2)
        if one.encoding == FILL:
            assert not part.any()
            continue
        whole = one.data_box or one.box
        got = decode(one.data, one.encoding, (1, *whole.shape.zyx), np.dtype("<u2"))
        np.testing.assert_array_equal(got[(slice(None), *one.box.slices_zyx(whole.start))], part)


def without(volume, lacking):
    class Lacking:
        info = volume.info
        read = volume.read

        def capability(self, kind):
            return None if kind is lacking else volume.capability(kind)

    return Lacking()


@pytest.mark.parametrize("accepted", [(), (RAW,), (GZIP,), (ZSTD, RAW)])
def test_a_single_piece_is_the_whole_box(accepted):
    volume = memory()
    voxels = np.random.default_rng(1).integers(1, 300, (1, *BOUNDS.shape.zyx)).astype("<u2")
    volume.capability(Writable).write(BOUNDS, voxels)
    chunk = Box.of(x=(3, 11), y=(14, 18), z=(8, 13))
    # A whole chunk, a part of one, many, and two clipped ones that are together smaller than one.
    edges = Box.of(x=(33, 42), y=(39, 41), z=(20, 22))
    for box in (chunk, Box.of(x=(5, 9), y=(15, 18), z=(9, 11)), Box.of(x=(-5, 20), y=(10, 41), z=(3, 22)), edges):
        piece = Cutout(volume, CutRequest(box, accepted=accepted, checksums=True)).single()
        whole = piece.data_box or piece.box
        assert piece.box == box
        assert piece.crc == crc32c(piece.data)
        got = decode(piece.data, piece.encoding, (1, *whole.shape.zyx), np.dtype("<u2"))
        part = got[(slice(None), *box.slices_zyx(whole.start))]
        np.testing.assert_array_equal(part, voxels[(slice(None), *box.slices_zyx(BOUNDS.start))])
    empty = Cutout(memory(), CutRequest(chunk, accepted=accepted)).single()
    assert (empty.encoding, len(empty.data)) == (FILL, 0)


@settings(max_examples=60, deadline=None)
@given(box=boxes(), budget=st.integers(1, 3000))
def test_a_plan_puts_each_stored_chunk_into_exactly_one_block(box, budget):
    scale = memory().info.scales[0]
    blocks = list(plan_blocks(scale, box, voxel_bytes=2, block_bytes=budget))
    assert covered_once(box, blocks)
    chunk, origin = scale.stored_chunk_shape, scale.grid_origin
    for block in blocks:
        for start, stop, low, high, grid, base in zip(
            block.start, block.stop, box.start, box.stop, chunk, origin, strict=True
        ):
            assert start == low or (start - base) % grid == 0
            assert stop == high or (stop - base) % grid == 0


@given(box=boxes(), slab=st.integers(2, 5000))
def test_slabs_are_bounded_disjoint_and_whole(box, slab):
    parts = list(slabs(box, voxel_bytes=2, slab_bytes=slab))
    assert covered_once(box, parts)
    assert all(part.voxel_count * 2 <= slab for part in parts)


@given(box=boxes(), slab=st.integers(2, 300))
def test_merging_boxes_keeps_the_voxels(box, slab):
    parts = list(slabs(box, voxel_bytes=2, slab_bytes=slab))
    assert merged(parts) == [box]
    kept = parts[::2]
    assert sum(part.voxel_count for part in merged(kept)) == sum(part.voxel_count for part in kept)
    assert covered_once(box, merged(kept) + merged(parts[1::2]))


def test_coverage_notices_a_gap_an_overlap_and_a_stray():
    whole = Box.of(x=(0, 4), y=(0, 3), z=(0, 2))
    lower, upper = Box.of(x=(0, 4), y=(0, 3), z=(0, 1)), Box.of(x=(0, 4), y=(0, 3), z=(1, 2))
    assert covered_once(whole, [upper, lower])
    assert not covered_once(whole, [upper])
    assert not covered_once(whole, [upper, upper])
    assert not covered_once(whole, [lower, upper, upper])
    assert not covered_once(whole, [lower, Box.of(x=(0, 4), y=(0, 3), z=(2, 3))])
    # As many voxels as the whole, and yet not the whole.
    assert not covered_once(whole, [Box.of(x=(0, 4), y=(0, 2), z=(0, 2)), Box.of(x=(0, 4), y=(1, 2), z=(0, 2))])


def test_a_compressed_chunk_among_plain_ones_can_be_read_alone(tmp_path):
    voxels = np.random.default_rng(4).integers(0, 255, (20, 17, 33), dtype=np.uint8)
    info = {
        "type": "image",
        "data_type": "uint8",
        "num_channels": 1,
        "scales": [
            {
                "key": "a",
                "size": [33, 17, 20],
                "voxel_offset": [5, 0, 0],
                "chunk_sizes": [[16, 16, 16]],
                "encoding": "raw",
                "resolution": [4, 4, 40],
            }
        ],
    }
    (tmp_path / "info").write_text(json.dumps(info))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "5-21_0-16_0-16").write_bytes(voxels[:16, :16, :16].tobytes())
    (tmp_path / "a" / "21-37_0-16_0-16.gz").write_bytes(gzip.compress(voxels[:16, :16, 16:32].tobytes()))
    volume = FilesRemote(RemoteConfig(uri=tmp_path.as_uri())).open((), OpenOptions())
    for x, accepted in ((5, (RAW,)), (21, (RAW, GZIP)), (21, (RAW,)), (5, (GZIP, RAW))):
        box = Box.of(x=(x, x + 16), y=(0, 16), z=(0, 16))
        request = volume_pb2.ReadChunkRequest(
            box=box_to_proto(box), accept_encodings=[encoding_to_proto(one) for one in accepted]
        )
        answer = volume_pb2.ReadChunkResponse.FromString(read_chunk(volume, request, 1 << 20))
        (encoding,) = known_encodings(answer.header.encodings)
        got = decode(answer.chunk.data, encoding, (1, 16, 16, 16), np.dtype("|u1"))
        np.testing.assert_array_equal(got[0], voxels[:16, :16, x - 5 : x + 11])


def test_a_part_of_a_plain_raw_chunk_is_read_without_reading_the_chunk_first():
    inner = memory()
    voxels = np.random.default_rng(1).integers(1, 300, (1, *BOUNDS.shape.zyx)).astype("<u2")
    inner.capability(Writable).write(BOUNDS, voxels)
    asked = []

    class Watched:
        info = inner.info
        read = inner.read

        def capability(self, kind):
            return self if kind is EncodedChunks else inner.capability(kind)

        def encodings_of(self, scale):
            return inner.encodings_of(scale)

        def read_encoded(self, cells, *, scale=0):
            asked.extend(cells)
            return inner.read_encoded(cells, scale=scale)

    whole, part = Box.of(x=(3, 11), y=(14, 18), z=(8, 13)), Box.of(x=(5, 9), y=(15, 18), z=(9, 11))
    for box, cells in ((part, []), (whole, [whole])):
        asked.clear()
        piece = Cutout(Watched(), CutRequest(box)).single()
        assert asked == cells
        got = decode(piece.data, piece.encoding, (1, *box.shape.zyx), np.dtype("<u2"))
        np.testing.assert_array_equal(got, voxels[(slice(None), *box.slices_zyx(BOUNDS.start))])
