"""A small stored chunk that becomes large costs a reader little memory: measured in a process of its own."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from numcodecs import Blosc

from support import bombs
from support.bombs import (
    BLOSC,
    CELL,
    CHUNK,
    STATED,
    codecs3,
    shard_of,
    sharding,
    write,
    write_sharded,
    write_zarr2,
    write_zarr3,
)
from support.stores import open_at
from voxgate.model.errors import ChunkCorrupt, StoreUnavailable, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import EncodedChunks, Writable

ZARR2 = ("blosc", "blosc lz4", "zlib", "gzip", "bz2", "zstd", "raw")
ZARR3 = ("gzip", "zstd", "zstd without a size", "blosc")
N5 = ("gzip", "xz", "bz2", "zstd", "blosc", "raw")
CASES = [
    *(f"zarr2, {name}" for name in ZARR2),
    *(f"zarr3, {name}" for name in ZARR3),
    *(f"shard, {name}" for name in ZARR3),
    "shard in a shard, blosc",
    "transposed shard, blosc",
    "blosc and a checksum, blosc",
    "shard that is mostly a hole, raw",
    *(f"n5, {name}" for name in N5),
    "n5 of mode 1, blosc",
    "sharded precomputed, gzip",
    "sharded precomputed, raw",
    "index of sharded precomputed, gzip",
    "index of sharded precomputed, raw",
    "precomputed, jpeg",
    "precomputed, png",
]
ZEROS = np.zeros(CHUNK.zyx, np.uint8)


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """What reading each case costs, by its name."""
    root = tmp_path_factory.mktemp("bombs")
    encoded = {name: make() for name, make in bombs.ENCODED.items()}
    for case in CASES:
        write(root / case, case, encoded)
    return dict(zip(CASES, bombs.costs_of([str(root / case) for case in CASES]), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_a_chunk_that_becomes_large_is_refused_in_little_memory(costs, case):
    cost = costs[case]
    assert (cost["error"], cost["grown"] < bombs.ALLOWED_BYTES) == ("ChunkCorrupt", True), cost
    assert str(CELL) in cost["message"]


def blosc(count: int) -> bytes:
    return Blosc("lz4", 5, Blosc.NOSHUFFLE).encode(np.zeros(count, np.uint8))


def opened(folder: Path, **stated):
    return open_at(folder, **{**STATED, **stated})


def test_the_largest_size_that_is_believed_is_stated_and_one_more_is_refused(tmp_path):
    """At the limit tensorstore is asked, whose refusal is another one."""
    limit = 2 * CELL.voxel_count + 65536
    for count, words in ((limit, "cannot be decoded"), (limit + 1, f"decodes to {limit + 1} bytes")):
        write_zarr2(tmp_path / str(count), blosc(count), BLOSC)
        with pytest.raises(ChunkCorrupt, match=words):
            opened(tmp_path / str(count)).read(CELL)


def test_an_index_that_states_too_much_of_a_shard_is_refused_to_those_who_pass_chunks_on(tmp_path):
    write_zarr3(tmp_path, shard_of(bytes(200_000)), sharding([{"name": "bytes"}]))
    with pytest.raises(ChunkCorrupt, match="larger"):
        opened(tmp_path).capability(EncodedChunks).read_encoded([CELL])


def test_an_index_that_leads_out_of_its_shard_is_corrupt(tmp_path):
    for name, place in {"far": (2**64 - 2, 4), "long": (0, CELL.voxel_count + 1)}.items():
        data = shard_of(ZEROS.tobytes(), offset=place[0], length=place[1] if name == "far" else 15360 + 17)
        write_zarr3(tmp_path / name, data, sharding([{"name": "bytes"}]))
        with pytest.raises(ChunkCorrupt, match="ends before"):
            opened(tmp_path / name).read(CELL)


def test_a_write_that_would_merge_into_a_bomb_is_refused_and_one_over_it_is_not(tmp_path):
    write_zarr2(tmp_path, blosc(2**20), BLOSC)
    volume = open_at(tmp_path, writable=True, **STATED)
    writer = volume.capability(Writable)
    part = Box.at(CELL.start + Vec3(1, 2, 3), Vec3(5, 6, 7))
    with pytest.raises(ChunkCorrupt, match=r"decodes to 1048576 bytes"):
        writer.write(part, np.ones((1, *part.shape.zyx), np.uint8))
    voxels = (np.arange(CELL.voxel_count) % 251).astype(np.uint8).reshape(1, *CHUNK.zyx)
    writer.write(CELL, voxels)
    np.testing.assert_array_equal(volume.read(CELL), voxels)


def test_a_bomb_harms_no_read_beside_it(tmp_path):
    write_zarr2(tmp_path, blosc(CELL.voxel_count), BLOSC)
    metadata = json.loads((tmp_path / ".zarray").read_text())
    (tmp_path / ".zarray").write_text(json.dumps(metadata | {"shape": [16, 24, 80]}))
    (tmp_path / "0.0.1").write_bytes(blosc(2**20))
    volume = opened(tmp_path)
    assert not volume.read(CELL).any()
    with pytest.raises(ChunkCorrupt) as raised:
        volume.read(Box.at(CELL.start + Vec3(39, 0, 0), Vec3(2, 3, 4)))
    assert str(Box.at(CELL.start + Vec3(40, 0, 0), CHUNK)) in str(raised.value)


def test_shards_whose_chunks_are_transposed_or_in_shards_again_are_read_as_before(tmp_path):
    voxels = (np.arange(CELL.voxel_count) % 251).astype(np.uint8).reshape(CHUNK.zyx)
    data = Blosc("zstd", 5, Blosc.NOSHUFFLE)
    order = [2, 0, 1]
    turned = data.encode(np.ascontiguousarray(voxels.transpose(order)))
    write_zarr3(tmp_path / "turned", shard_of(turned), sharding(codecs3("blosc"), order))
    write_zarr3(tmp_path / "twice", shard_of(shard_of(data.encode(voxels))), sharding(sharding(codecs3("blosc"))))
    for name in ("turned", "twice"):
        np.testing.assert_array_equal(opened(tmp_path / name).read(CELL)[0], voxels)


def test_blosc_that_is_encoded_once_more_is_not_opened(tmp_path):
    write_zarr3(tmp_path, gzip.compress(blosc(2**20)), [*codecs3("blosc"), codecs3("gzip")[1]])
    with pytest.raises(UnsupportedFormat, match="blosc"):
        opened(tmp_path)


@pytest.mark.parametrize("head", [b"", b"\2", struct.pack("<BBBB", 2, 1, 0, 1)])
def test_a_chunk_too_short_for_its_header_is_corrupt(tmp_path, head):
    write_zarr2(tmp_path, head, BLOSC)
    with pytest.raises(ChunkCorrupt, match="cannot be decoded"):
        opened(tmp_path).read(CELL)


def test_a_folder_where_a_chunk_should_be_is_no_chunk(tmp_path):
    write_zarr2(tmp_path, b"", BLOSC)
    (tmp_path / "0.0.0").unlink()
    (tmp_path / "0.0.0").mkdir()
    with pytest.raises(StoreUnavailable):
        opened(tmp_path).read(CELL)


def test_chunks_of_shards_that_are_passed_on_are_bounded_too(tmp_path):
    """Here to the voxels' own size, however small the file."""
    data = gzip.compress(bytes(2 * CELL.voxel_count + 65537))
    write_sharded(tmp_path, data, struct.pack("<QQQ", 0, 0, len(data)), gzipped="data")
    volume = open_at(tmp_path)
    with pytest.raises(ChunkCorrupt) as raised:
        volume.capability(EncodedChunks).read_encoded([CELL])
    assert str(CELL) in str(raised.value)


def test_a_shard_that_is_shorter_than_its_index_states_is_corrupt(tmp_path):
    write_sharded(tmp_path, b"", struct.pack("<QQQ", 0, 100, 2**15), gzipped="none")
    with pytest.raises(ChunkCorrupt):
        open_at(tmp_path).capability(EncodedChunks).read_encoded([CELL])
    write_sharded(tmp_path, b"", struct.pack("<QQQ", 0, 2**64 - 1, 2**14), gzipped="none")
    with pytest.raises(ChunkCorrupt):
        open_at(tmp_path).read(CELL)
