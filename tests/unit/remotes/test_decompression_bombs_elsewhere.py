"""What a store behind a network says of sizes costs a reader little memory: measured in a process of its own."""

import json
import struct

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
    write_precomputed,
    write_sharded,
    write_zarr2,
    write_zarr3,
)
from support.emulators import BUCKET, s3_emulator
from support.static_http import static_http
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import ChunkPresence, OpenOptions, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote

ANYWHERE = (
    *("zarr2, blosc", "zarr2, blosc lz4", "zarr2, gzip", "zarr2, zstd"),
    *("zarr3, blosc", "zarr3, gzip", "shard, blosc", "shard, zstd", "transposed shard, blosc"),
    *("blosc and a checksum, blosc", "n5, blosc", "n5, xz", "n5 of mode 1, blosc"),
    *("sharded precomputed, gzip", "sharded precomputed, raw"),
    *("index of sharded precomputed, gzip", "index of sharded precomputed, raw"),
)
ON_THE_WEB = ("zarr2, raw", "n5, raw", "precomputed, jpeg", "precomputed, png", "precomputed, raw")
"""Whose objects are too large as they are stored: only web servers are told how much of one is wanted."""
CASES = [*(f"http: {case}" for case in (*ANYWHERE, *ON_THE_WEB)), *(f"s3: {case}" for case in ANYWHERE)]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_emulator(tmp_path_factory.mktemp("s3") / "log") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def costs(tmp_path_factory, s3):
    """What reading each case costs, by its name."""
    root = tmp_path_factory.mktemp("far")
    encoded = {name: make() for name, make in bombs.ENCODED.items()}
    places = {}
    with static_http(root) as files:
        for number, case in enumerate((*ANYWHERE, *ON_THE_WEB)):
            form = next((each for each in ("n5", "precomputed") if each in case), "zarr")
            name = f"{form}{number}"
            write(root / name, case, encoded)
            places[f"http: {case}"] = f"{files.url}/{name}"
            if case in ANYWHERE:
                s3.upload(root / name, name)
                places[f"s3: {case}"] = f"s3://{BUCKET}/{name}#{s3.url}"
        return dict(zip(places, bombs.costs_of(list(places.values())), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_a_chunk_that_becomes_large_is_refused_in_little_memory(costs, case):
    cost = costs[case]
    assert (cost["error"], cost["grown"] < bombs.ALLOWED_BYTES) == ("ChunkCorrupt", True), cost
    assert str(CELL) in cost["message"]


def blosc(voxels) -> bytes:
    return Blosc("lz4", 5, Blosc.NOSHUFFLE).encode(voxels)


def opened(uri, name, *, writable=False, cache_bytes=0, endpoint=None):
    options = {"cache_bytes": cache_bytes} | ({"endpoint": endpoint, "conditional_writes": True} if endpoint else {})
    config = RemoteConfig(uri=uri, options=options, volumes={name: STATED}, writable=writable)
    return ObjectsRemote(config).open((name,), OpenOptions())


def known():
    return (np.arange(CELL.voxel_count) % 251).astype(np.uint8).reshape(1, *CHUNK.zyx)


def test_one_request_reads_a_chunk_that_is_looked_at(tmp_path):
    write_zarr2(tmp_path / "a", blosc(known()), BLOSC)
    with static_http(tmp_path) as files:
        volume = opened(files.url, "a")
        before = len(files.asked)
        np.testing.assert_array_equal(volume.read(CELL), known())
        assert [path for _, path, _, _ in files.asked[before:]] == ["/a/0.0.0"]


def test_a_chunk_in_a_shard_that_is_looked_at_takes_no_request_more(tmp_path):
    """One for the shard's index, one for the chunk, as without a look: kept chunks are tensorstore's own."""
    write_zarr3(tmp_path / "a", shard_of(blosc(known())), sharding(codecs3("blosc")))
    counts = []
    with static_http(tmp_path) as files:
        for cache_bytes in (0, 1):
            volume = opened(files.url, "a", cache_bytes=cache_bytes)
            before = len(files.asked)
            np.testing.assert_array_equal(volume.read(CELL), known())
            counts.append(len(files.asked) - before)
    assert counts[0] <= counts[1]


def test_absent_chunks_read_as_the_fill_value_and_are_said_to_be_absent(tmp_path):
    write_zarr2(tmp_path / "a", blosc(known()), BLOSC)
    metadata = json.loads((tmp_path / "a/.zarray").read_text())
    (tmp_path / "a/.zarray").write_text(json.dumps(metadata | {"shape": [16, 24, 80], "fill_value": 7}))
    beside = Box.at(CELL.start + Vec3(40, 0, 0), CHUNK)
    with static_http(tmp_path) as files:
        volume = opened(files.url, "a")
        both = volume.read(Box.at(CELL.start + Vec3(30, 2, 1), Vec3(20, 5, 9)))
        np.testing.assert_array_equal(both[..., :10], known()[:, 1:10, 2:7, 30:])
        assert (both[..., 10:] == 7).all()
        presence = volume.capability(ChunkPresence)
        assert (presence.is_absent(beside), presence.is_absent(CELL)) == (True, False)


def test_whether_a_bomb_is_there_is_said_without_it(tmp_path):
    write_zarr2(tmp_path / "a", blosc(np.zeros(2**20, np.uint8)), BLOSC)
    with static_http(tmp_path) as files:
        before = len(files.asked)
        assert not opened(files.url, "a").capability(ChunkPresence).is_absent(CELL)
        assert [span for _, path, span, _ in files.asked[before:] if path == "/a/0.0.0"] == ["bytes=0-0"]


def test_a_write_that_would_merge_into_a_bomb_is_refused_and_one_over_it_is_not(tmp_path, s3):
    write_zarr2(tmp_path, blosc(np.zeros(2**20, np.uint8)), BLOSC)
    s3.upload(tmp_path, "merged")
    volume = opened(f"s3://{BUCKET}", "merged", writable=True, endpoint=s3.url)
    writer = volume.capability(Writable)
    part = Box.at(CELL.start + Vec3(1, 2, 3), Vec3(5, 6, 7))
    with pytest.raises(ChunkCorrupt, match=r"decodes to 1048576 bytes"):
        writer.write(part, np.ones((1, *part.shape.zyx), np.uint8))
    writer.write(CELL, known())
    np.testing.assert_array_equal(volume.read(CELL), known())


def test_a_server_that_knows_no_ranges_is_read_as_before(tmp_path):
    write_zarr2(tmp_path / "a", blosc(known()), BLOSC)
    write_zarr2(tmp_path / "b", known().tobytes(), None)
    with static_http(tmp_path) as files:
        files.has_ranges = False
        for name in "ab":
            np.testing.assert_array_equal(opened(files.url, name).read(CELL), known())


@pytest.mark.parametrize("place", [(0, 2**63), (2**64 - 2**15, 2**14), (100, 2**15)])
def test_a_shard_that_leads_out_of_itself_is_corrupt(tmp_path, place):
    write_sharded(tmp_path / "a", b"", struct.pack("<QQQ", 0, *place), gzipped="none")
    with static_http(tmp_path) as files, pytest.raises(ChunkCorrupt) as raised:
        ObjectsRemote(RemoteConfig(uri=files.url)).open(("a",), OpenOptions()).read(CELL)
    assert str(CELL) in str(raised.value)


def test_an_empty_object_is_a_corrupt_chunk(tmp_path):
    write_precomputed(tmp_path / "a", b"", "raw")
    with static_http(tmp_path) as files, pytest.raises(ChunkCorrupt) as raised:
        ObjectsRemote(RemoteConfig(uri=files.url)).open(("a",), OpenOptions()).read(CELL)
    assert str(CELL) in str(raised.value)
