"""Stored chunks where stores are damaged, hostile or changing; that they are right is the conformance suite's."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import zstandard

from support import passing_volumes, zarr_volumes
from support.decoders import decompressed
from support.stores import BOX, OFFSET, SHARDING, labels, open_at, voxels, write_precomputed
from voxgate.model.errors import (
    Cancelled,
    ChunkCorrupt,
    ChunkMissing,
    InvalidArgument,
    MissingCapability,
    StoreUnavailable,
)
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.volumes import (
    RAW,
    ArrayCodec,
    ByteCodec,
    CallContext,
    ChunkPresence,
    EncodedChunks,
    Encoding,
    OpenOptions,
    Scale,
    VolumeKind,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.encoded import size_limit
from voxgate_remotes.file_access import read_whole
from voxgate_remotes.files import FilesRemote
from voxgate_remotes.grid import cell_index
from voxgate_remotes.memory import MemoryVolume
from voxgate_remotes.policy import CompleteVolume, DescribedVolume

CELL = Box.of(x=(6, 22), y=(31, 39), z=(12, 17))
NAME = "6-22_31-39_12-17"
RAW_BYTES = CELL.voxel_count * 8


def cells_of(volume):
    level = volume.info.scales[0]
    return list(grid_cells(level.bounds, level.stored_chunk_shape, level.grid_origin))


@pytest.fixture
def chunk(tmp_path) -> Path:
    """The file of CELL in a raw volume of labels."""
    write_precomputed(tmp_path, labels())
    return tmp_path / "at/4_4_40" / NAME


def read_cell(folder, cell=CELL):
    (found,) = open_at(folder).capability(EncodedChunks).read_encoded([cell])
    return found


def test_a_chunk_is_the_very_bytes_of_its_file(tmp_path, chunk):
    found = read_cell(tmp_path)
    assert bytes(found.data) == chunk.read_bytes()
    assert found.encoding == RAW
    assert found.data_box == CELL


def test_a_chunk_with_a_suffix_is_passed_on_compressed(tmp_path, chunk):
    volume = open_at(tmp_path)
    compressed = gzip.compress(chunk.read_bytes())
    chunk.with_name(f"{NAME}.gz").write_bytes(compressed)
    chunk.unlink()
    chunks = volume.capability(EncodedChunks)
    (found,) = chunks.read_encoded([CELL])
    assert bytes(found.data) == compressed
    assert found.encoding == Encoding(bytes=ByteCodec.GZIP)
    assert found.encoding in chunks.encodings_of(0)


def test_a_chunk_that_is_there_twice_is_an_error(tmp_path, chunk):
    chunk.with_name(f"{NAME}.gz").write_bytes(gzip.compress(chunk.read_bytes()))
    with pytest.raises(ChunkCorrupt, match=r"x\[6:22\].*twice"):
        read_cell(tmp_path)


def test_a_chunk_that_appears_under_another_suffix_is_handed_out_under_that(tmp_path, chunk):
    volume = open_at(tmp_path)
    voxels = chunk.read_bytes()
    chunk.with_name(f"{chunk.name}.zstd").write_bytes(zstandard.compress(voxels))
    chunk.unlink()
    (found,) = volume.capability(EncodedChunks).read_encoded([CELL])
    assert found.encoding.bytes is ByteCodec.ZSTD
    assert found.encoding in volume.capability(EncodedChunks).encodings_of(0)
    assert decompressed(found.data, ByteCodec.ZSTD) == voxels


def test_shards_hand_out_chunks_without_the_shards_own_compression(tmp_path):
    write_precomputed(tmp_path, labels(), encoding="compressed_segmentation", sharding=SHARDING)
    chunks = open_at(tmp_path).capability(EncodedChunks)
    encoding = Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.NONE, Vec3(8, 4, 2))
    assert chunks.encodings_of(0) == (encoding,)
    (found,) = chunks.read_encoded([CELL])
    assert found.encoding == encoding


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_larger_than_any_encoding_makes_it_is_never_read(tmp_path, chunk, suffix):
    chunk.unlink()
    with chunk.with_name(NAME + suffix).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ChunkCorrupt, match=r"x\[6:22\] y\[31:39\] z\[12:17\].*larger"):
        read_cell(tmp_path)


def test_the_largest_file_that_may_be_is_read(tmp_path, chunk):
    chunk.write_bytes(bytes(size_limit(RAW_BYTES)))
    assert len(read_cell(tmp_path).data) == size_limit(RAW_BYTES)
    chunk.write_bytes(bytes(size_limit(RAW_BYTES) + 1))
    with pytest.raises(ChunkCorrupt):
        read_cell(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_what_is_no_file_is_a_failure_of_the_store_that_shows_no_path(tmp_path, chunk, kind):
    chunk.unlink()
    {"folder": chunk.mkdir, "pipe": lambda: os.mkfifo(chunk), "loop": lambda: chunk.symlink_to(chunk)}[kind]()
    volume = open_at(tmp_path)
    for read in (lambda: volume.read(BOX), lambda: volume.capability(EncodedChunks).read_encoded([CELL])):
        with pytest.raises((StoreUnavailable, ChunkCorrupt)) as caught:
            read()
        assert "x[6:22] y[31:39] z[12:17]" in caught.value.message
        assert str(tmp_path) not in str(caught.value)


def test_a_scale_without_a_folder_has_no_chunks(tmp_path, chunk):
    for file in list(chunk.parent.iterdir()):
        file.unlink()
    chunk.parent.rmdir()
    volume = open_at(tmp_path)
    assert read_cell(tmp_path) is None
    assert not volume.read(BOX).any()
    assert volume.capability(ChunkPresence).is_absent(BOX)


def test_a_folder_that_is_a_file_is_a_failure_of_the_store(tmp_path, chunk):
    volume = open_at(tmp_path)
    for file in list(chunk.parent.iterdir()):
        file.unlink()
    chunk.parent.rmdir()
    chunk.parent.write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        volume.read(BOX)
    with pytest.raises(StoreUnavailable):
        volume.capability(EncodedChunks).read_encoded([CELL])


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end_or_refused(tmp_path, monkeypatch):
    path = tmp_path / "chunk"
    path.write_bytes(bytes(range(100)))
    file = os.open(path, os.O_RDONLY)
    real = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result([*real(fd)[:6], 40, *real(fd)[7:10]]))
    try:
        assert read_whole(file, 100, CELL) == bytes(range(100))
        os.lseek(file, 0, os.SEEK_SET)
        with pytest.raises(ChunkCorrupt, match="grows"):
            read_whole(file, 99, CELL)
    finally:
        os.close(file)


def test_a_damaged_shard_is_an_error_that_names_the_chunk(tmp_path):
    write_precomputed(tmp_path, labels(), sharding=SHARDING)
    volume = open_at(tmp_path)
    for shard in (tmp_path / "at/4_4_40").iterdir():
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(ChunkCorrupt, match=r"x\[-10:6\] y\[23:31\] z\[7:12\]") as caught:
        volume.capability(EncodedChunks).read_encoded(cells_of(volume))
    assert str(tmp_path) not in str(caught.value)


def test_no_file_stays_open(tmp_path, chunk):
    write_precomputed(tmp_path / "png", voxels("uint8"), encoding="png")
    chunk.write_bytes(b"short")
    volume = open_at(tmp_path)
    for _ in range(3):
        with pytest.raises(ChunkCorrupt):
            volume.read(BOX)
        assert len(volume.capability(EncodedChunks).read_encoded(cells_of(volume))) == len(cells_of(volume))
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    assert [link for link in links if link.exists() and link.readlink().is_relative_to(tmp_path)] == []


def test_a_caller_who_goes_away_is_not_read_for_any_longer(tmp_path, chunk):
    context = CallContext()
    chunks = open_at(tmp_path, OpenOptions(context=context)).capability(EncodedChunks)

    class LeavesAfterTwo(list):
        def __iter__(self):
            for count, cell in enumerate(super().__iter__()):
                if count == 2 and self.reading:
                    context.stop.set()
                yield cell

    cells = LeavesAfterTwo(cells_of(open_at(tmp_path)))
    cells.reading = False
    assert len(chunks.read_encoded(cells)) == len(cells)
    cells.reading = True
    with pytest.raises(Cancelled):
        chunks.read_encoded(cells)


@pytest.mark.parametrize(
    ("cell", "index"),
    [
        (Box.of(x=(-7, -3), y=(3, 5), z=(0, 6)), Vec3(-1, 0, 0)),
        (Box.of(x=(-3, 5), y=(5, 13), z=(0, 6)), Vec3(0, 1, 0)),
        (Box.of(x=(5, 6), y=(13, 14), z=(6, 7)), Vec3(1, 2, 1)),
    ],
)
def test_cells_are_counted_from_the_grids_origin_and_clipped_on_both_sides(cell, index):
    bounds = Box.of(x=(-7, 6), y=(3, 14), z=(0, 7))
    level = Scale("0", bounds, Vec3(8, 8, 6), Vec3(8, 8, 6), Vec3(-3, -3, 0))
    assert cell_index(level, cell) == index
    with pytest.raises(InvalidArgument):
        cell_index(level, Box(cell.start, cell.stop + Vec3(1, 0, 0)))


def test_memory_hands_out_what_it_holds_and_later_writes_do_not_change_it():
    array = np.arange(5 * 6 * 7, dtype="<u4").reshape(5, 6, 7)
    volume = MemoryVolume.from_array(array, chunk_shape=Vec3(4, 4, 4), kind=VolumeKind.IMAGE)
    cell = Box.of(x=(4, 7), y=(4, 6), z=(4, 5))
    (found,) = volume.read_encoded([cell])
    assert found.data_box == Box.of(x=(4, 8), y=(4, 8), z=(4, 8))
    assert memoryview(found.data).readonly
    before = bytes(found.data)
    volume.write(cell, np.zeros((1, 1, 2, 3), "<u4"))
    assert bytes(found.data) == before
    assert np.frombuffer(found.data, "<u4").reshape(4, 4, 4)[0, :2, :3].tolist() == array[4, 4:, 4:].tolist()


def test_an_absent_chunk_of_a_complete_volume_is_missing_and_not_none(tmp_path, chunk):
    chunk.unlink()
    remote = FilesRemote(RemoteConfig(uri=tmp_path.as_uri()))
    plain = remote.open((), OpenOptions())
    complete = CompleteVolume(plain, plain.info)
    chunks = complete.capability(EncodedChunks)
    assert plain.capability(EncodedChunks).read_encoded([CELL]) == [None]
    with pytest.raises(ChunkMissing, match=r"x\[6:22\] y\[31:39\] z\[12:17\]"):
        chunks.read_encoded([CELL])
    there = Box.at(OFFSET, Vec3(16, 8, 5))
    assert chunks.read_encoded([there]) == plain.capability(EncodedChunks).read_encoded([there])
    assert chunks.encodings_of(0) == plain.capability(EncodedChunks).encodings_of(0)


def test_wrappers_promise_no_more_than_what_they_wrap():
    class WithoutChunks(MemoryVolume):
        def capability(self, kind):
            return None if kind is EncodedChunks else super().capability(kind)

    whole = MemoryVolume.from_array(np.ones((3, 4, 5), "<u1"))
    lacking = WithoutChunks(whole.info, whole._store, CallContext())
    complete = CompleteVolume(lacking, lacking.info)
    assert DescribedVolume(whole, whole.info).capability(EncodedChunks) is whole
    assert DescribedVolume(lacking, lacking.info).capability(EncodedChunks) is None
    assert complete.capability(EncodedChunks) is None
    assert complete.encodings_of(0) == ()
    with pytest.raises(MissingCapability):
        complete.read_encoded([whole.info.scales[0].bounds])


def zarr_volume(folder, writer, **options):
    known = writer(folder / "a")
    config = RemoteConfig(uri=folder.as_uri(), volumes={"a": known.stated})
    return FilesRemote(config).open(("a",), OpenOptions(**options))


def test_a_shard_of_zarr_with_a_damaged_index_is_an_error_that_names_the_chunk(tmp_path):
    volume = zarr_volume(tmp_path, zarr_volumes.v3_sharded)
    shard = tmp_path / "a" / "c" / "0" / "0" / "0"
    data = shard.read_bytes()
    shard.write_bytes(data[:-20] + bytes(16) + data[-4:])
    first = cells_of(volume)[0]
    with pytest.raises(ChunkCorrupt) as caught:
        volume.capability(EncodedChunks).read_encoded(cells_of(volume))
    assert str(first) in caught.value.message
    assert str(tmp_path) not in str(caught.value)


def test_a_zarr_chunk_larger_than_any_codec_makes_it_is_never_read(tmp_path):
    volume = zarr_volume(tmp_path, zarr_volumes.v3_gzip)
    first = cells_of(volume)[0]
    with (tmp_path / "a" / "c" / "0" / "0" / "0").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ChunkCorrupt, match="larger") as caught:
        volume.capability(EncodedChunks).read_encoded([first])
    assert str(first) in caught.value.message


def test_a_zarr_chunk_that_vanishes_is_absent(tmp_path):
    volume = zarr_volume(tmp_path, zarr_volumes.v3_gzip)
    cells = cells_of(volume)
    (tmp_path / "a" / "c" / "0" / "0" / "0").unlink()
    found = volume.capability(EncodedChunks).read_encoded(cells[:2])
    assert found[0] is None
    assert found[1].data_box.contains(cells[1])


def test_the_time_of_stored_chunks_must_be_chosen(tmp_path):
    volume = zarr_volume(tmp_path, passing_volumes.v3_time_in_chunks_of_one)
    with pytest.raises(InvalidArgument, match="time"):
        volume.capability(EncodedChunks).read_encoded(cells_of(volume)[:1])
