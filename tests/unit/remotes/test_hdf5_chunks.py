"""Stored HDF5 chunks: damaged, too short, too long, absent; and how a read is cut so that its caller can leave."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.hdf5_volumes import opened
from support.references import image
from voxgate.model.errors import Cancelled, ChunkCorrupt, MetadataInvalid, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, ChunkPresence, OpenOptions
from voxgate_remotes.hdf5 import chunks as reading
from voxgate_remotes.hdf5.examining import examined
from voxgate_remotes.hdf5.filters import Undecodable, fletcher32, lzf_size

SHAPE = (8, 8, 8)
GOOD = Box.of((4, 8), (4, 8), (4, 8))
BAD = Box.of((0, 3), (1, 4), (0, 2))


def damaged(file: Path, data: bytes, skipped: int = 0, **options: object):
    """A volume of 4 x 4 x 4 uint16 chunks, the first of which holds `data` as it is stored."""
    with h5py.File(file, "w") as root:
        made = root.create_dataset("em", data=image(SHAPE, "<u2"), chunks=(4, 4, 4), **options)
        made.id.write_direct_chunk((0, 0, 0), data, skipped)
    return opened(file, ("em",))


def is_refused(volume):
    np.testing.assert_array_equal(volume.read(GOOD)[0], image(SHAPE, "<u2")[4:, 4:, 4:])
    with pytest.raises(ChunkCorrupt) as caught:
        volume.read(BAD)
    with pytest.raises(ChunkCorrupt):
        volume.read(volume.info.scales[0].bounds)
    assert "(0, 0, 0)" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"\1" * 50, {}),
        (b"\1" * 129, {}),
        (b"\1" * 400_000, {}),
        (zlib.compress(b"\1" * 50), {"compression": "gzip"}),
        (zlib.compress(b"\1" * 127), {"compression": "gzip", "shuffle": True}),
        (zlib.compress(b"\1" * 129), {"compression": "gzip"}),
        (zlib.compress(image((128,)).tobytes())[:-5], {"compression": "gzip"}),
        (zlib.compress(image((128,)).tobytes())[:60], {"compression": "gzip"}),
        (b"no zlib stream", {"compression": "gzip"}),
        (image((128,)).tobytes() + b"\0\0\0\0", {"fletcher32": True}),
        (b"\1\2", {"fletcher32": True}),
        (b"\x03abcd", {"compression": "lzf"}),
        (b"\x1f" + bytes(32) + b"\xe0\x80\x00", {"compression": "lzf"}),
        (struct.pack("<I", 64) + bytes(60), {"compression": "szip"}),
        (b"\1", {"compression": "szip"}),
    ],
)
def test_a_chunk_that_decodes_to_another_size_is_corrupt_and_no_other_is(tmp_path, data, options):
    is_refused(damaged(tmp_path / "a.h5", data, **options))


def test_a_chunk_that_unpacks_to_far_more_than_it_declares_costs_no_memory(tmp_path):
    volume = damaged(tmp_path / "a.h5", zlib.compress(bytes(200_000_000)), compression="gzip")
    is_refused(volume)
    small = damaged(tmp_path / "b.h5", zlib.compress(bytes(20_000_000)), compression="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(ChunkCorrupt):
            small.read(BAD)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_chunk_that_its_writer_left_unpacked_is_read(tmp_path):
    voxels = image((4, 4, 4), "<u2", seed=5)
    shuffled = np.frombuffer(voxels.tobytes(), np.uint8).reshape(-1, 2).T.tobytes()
    volume = damaged(tmp_path / "a.h5", shuffled, 0b10, compression="gzip", shuffle=True)
    np.testing.assert_array_equal(volume.read(Box.of((0, 4), (0, 4), (0, 4)))[0], voxels)
    volume = damaged(tmp_path / "a.h5", voxels.tobytes(), 0b11, compression="gzip", shuffle=True)
    np.testing.assert_array_equal(volume.read(Box.of((0, 4), (0, 4), (0, 4)))[0], voxels)


def test_unknown_filters_are_named(tmp_path):
    for number, name in ((32001, "blosc"), (32015, "zstd"), (6, "scaleoffset")):
        with h5py.File(tmp_path / "a.h5", "w") as root:
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_chunk((4, 4, 4))
            creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (0, 0, 0, 0, 1, 1, 0) if number > 6 else (2, 0))
            h5py.h5d.create(root.id, b"em", h5py.h5t.STD_U16LE, h5py.h5s.create_simple(SHAPE), creation)
        with pytest.raises(UnsupportedFormat, match=rf"{number} \({name}\)") as caught:
            opened(tmp_path / "a.h5", ("em",))
        assert caught.value.details == {"filter": str(number)}


def test_a_filter_that_this_library_lacks_is_named(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("em", data=image(SHAPE, "<u2"), chunks=(4, 4, 4), compression="szip")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: False)
    with pytest.raises(UnsupportedFormat, match="filter 4"):
        examined({"ask": "index", "file": str(tmp_path / "a.h5"), "inner": ["em"]})


def test_chunks_of_more_than_can_be_decoded_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("em", (2000, 2000, 2000), "u1", chunks=(1100, 1000, 1000))
    with pytest.raises(UnsupportedFormat, match="1100000000 bytes"):
        opened(tmp_path / "a.h5", ("em",))


def test_voxels_whose_value_nobody_wrote_or_defined_are_zero(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        for name, chunk in ((b"chunked", (4, 4, 4)), (b"whole", None)):
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            if chunk:
                creation.set_chunk(chunk)
            creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            creation.set_fill_value(np.array(9, "u2"))
            h5py.h5d.create(root.id, name, h5py.h5t.STD_U16LE, h5py.h5s.create_simple(SHAPE), creation)
    for name in ("chunked", "whole"):
        volume = opened(tmp_path / "a.h5", (name,))
        out = np.full((1, 2, 3, 4), 77, "<u2")
        volume.read(Box.of((1, 5), (2, 5), (3, 5)), out=out)
        np.testing.assert_array_equal(out, volume.info.fill_value)
        assert volume.info.fill_value == 9
        assert volume.capability(ChunkPresence).is_absent(GOOD)


def test_voxels_in_one_piece_that_are_cut_off_are_corrupt(tmp_path):
    file = tmp_path / "a.h5"
    voxels = image((40, 50, 60))
    with h5py.File(file, "w") as root:
        root["em"] = voxels
        place = root["em"].id.get_offset()
        root["last"] = np.zeros(10)
    volume = opened(file, ("em",))
    with file.open("r+b") as stream:
        stream.truncate(place + 1000)
    with pytest.raises((ChunkCorrupt, MetadataInvalid)):
        volume.read(volume.info.scales[0].bounds)


def test_a_read_that_is_cut_into_many_blocks_is_whole(tmp_path, monkeypatch):
    voxels = image((3, 11, 17, 29), "<u2")
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["czyx"], root["xyzc"] = voxels, voxels.transpose(3, 2, 1, 0)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 300)
    for axes in ("czyx", "xyzc"):
        volume = opened(tmp_path / "a.h5", (axes,), axes=axes)
        box = Box.of((2, 27), (3, 16), (1, 11))
        np.testing.assert_array_equal(volume.read(box), voxels[:, 1:11, 3:16, 2:27])
        np.testing.assert_array_equal(volume.read(box, channels=[2, 0]), voxels[[2, 0], 1:11, 3:16, 2:27])
        np.testing.assert_array_equal(volume.read(box, channels=[1, 2]), voxels[1:, 1:11, 3:16, 2:27])


class LeavesAfter(CallContext):
    """A caller who goes away when it was asked for the third time."""

    def __init__(self, times: int):
        object.__setattr__(self, "asked", times)

    def check(self):
        object.__setattr__(self, "asked", self.asked - 1)
        if self.asked < 0:
            raise Cancelled("the caller went away")


@pytest.mark.parametrize("options", [{}, {"chunks": (4, 4, 4)}, {"chunks": (4, 4, 4), "compression": "gzip"}])
def test_a_caller_who_leaves_during_a_read_is_noticed_between_blocks(tmp_path, monkeypatch, options):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("em", data=image((16, 16, 16)), **options)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 256)
    whole = Box.at(Vec3(0, 0, 0), Vec3(16, 16, 16))
    with pytest.raises(Cancelled):
        opened(tmp_path / "a.h5", ("em",), OpenOptions(context=LeavesAfter(3))).read(whole)
    patient = opened(tmp_path / "a.h5", ("em",), OpenOptions(context=LeavesAfter(1000))).read(whole)
    np.testing.assert_array_equal(patient[0], image((16, 16, 16)))


def test_a_large_read_is_decoded_in_threads_and_whole(tmp_path):
    voxels = image((64, 96, 250), "<u2") >> 7
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("em", data=voxels, chunks=(16, 32, 64), compression="gzip", shuffle=True)
    volume = opened(tmp_path / "a.h5", ("em",))
    np.testing.assert_array_equal(volume.read(Box.of((3, 250), (1, 95), (5, 64)))[0], voxels[5:, 1:95, 3:])


def stored_by_h5py(file: Path, data: np.ndarray, **options: object) -> bytes:
    with h5py.File(file, "w", driver="core", backing_store=False) as root:
        made = root.create_dataset("a", data=data, chunks=data.shape, **options)
        return made.id.read_direct_chunk((0,))[1]


@settings(max_examples=60, deadline=None, database=None)
@given(data=st.one_of(st.binary(min_size=1, max_size=900), st.builds(bytes, st.integers(1, 900))))
def test_checksums_are_those_that_h5py_writes(data):
    stored = stored_by_h5py(Path("checksum.h5"), np.frombuffer(data, np.uint8), fletcher32=True)
    assert struct.pack("<HH", *fletcher32(data)) == stored[-4:]


@settings(max_examples=60, deadline=None, database=None)
@given(parts=st.lists(st.tuples(st.binary(min_size=1, max_size=5), st.integers(1, 80)), min_size=1, max_size=9))
def test_lzf_streams_of_h5py_are_measured(parts):
    data = b"".join(word * count for word, count in parts)
    stored = stored_by_h5py(Path("lzf.h5"), np.frombuffer(data, np.uint8), compression="lzf")
    if len(stored) < len(data):  # else it was left as it was
        assert lzf_size(bytes(stored)) == len(data)
        with pytest.raises(Undecodable):
            lzf_size(bytes(stored)[:-1])
