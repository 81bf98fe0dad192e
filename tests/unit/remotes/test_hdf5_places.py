"""Where voxels lie in an HDF5 file, of every way to lay them out, and reading them there without the HDF5 library."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.hdf5_volumes import opened
from support.references import image, segmentation
from voxgate.model.errors import ChunkCorrupt, MetadataInvalid, StoreBusy, UnsupportedFormat
from voxgate.model.geometry import Box
from voxgate.model.volumes import ChunkPresence
from voxgate_remotes.hdf5 import index as indexing
from voxgate_remotes.hdf5 import pieces
from voxgate_remotes.hdf5.access import held
from voxgate_remotes.hdf5.datasets import stored_of

SHAPE = (11, 17, 29)
VOXELS = image(SHAPE, "<u2")
BOX = Box.of((3, 28), (2, 15), (1, 10))


def reads_right(file: Path, voxels: np.ndarray = VOXELS, inner: str = "em") -> None:
    with h5py.File(file) as root:
        np.testing.assert_array_equal(root[inner][...], voxels)
    volume = opened(file, (inner,))
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds)[0], voxels)
    np.testing.assert_array_equal(volume.read(BOX)[0], voxels[1:10, 2:15, 3:28])


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("userblock", [0, 2048])
@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (4, 6, 8), "maxshape": (None, None, None)},
        {"chunks": (4, 6, 8), "maxshape": (None, 17, 29)},
        {"chunks": (4, 6, 8), "compression": "gzip"},
        {"chunks": (4, 6, 8)},
        {"chunks": SHAPE, "compression": "gzip"},
        {"chunks": SHAPE},
        {},
    ],
    ids=["two unlimited", "one unlimited", "gzip", "plain", "one chunk of gzip", "one plain chunk", "one piece"],
)
def test_every_index_of_chunks_is_looked_up(tmp_path, libver, userblock, options):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver, userblock_size=userblock) as root:
        root.create_dataset("em", data=VOXELS, **options)
    reads_right(tmp_path / "a.h5")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_chunks_that_have_their_place_from_the_start_are_looked_up(tmp_path, libver):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as root:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((4, 6, 8))
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        made = h5py.h5d.create(root.id, b"em", h5py.h5t.STD_U16LE, h5py.h5s.create_simple(SHAPE), creation)
        h5py.Dataset(made)[...] = VOXELS
    reads_right(tmp_path / "a.h5")


def test_voxels_in_the_description_of_a_dataset_are_read(tmp_path):
    voxels = VOXELS[:10, :15, :28].copy()
    with h5py.File(tmp_path / "a.h5", "w") as root:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(root.id, b"em", h5py.h5t.STD_U16BE, h5py.h5s.create_simple(voxels.shape), creation)
        h5py.Dataset(made)[...] = voxels
    reads_right(tmp_path / "a.h5", voxels)
    assert not opened(tmp_path / "a.h5", ("em",)).capability(ChunkPresence).is_absent(BOX)


def test_a_dataset_that_shrank_and_grew_again_has_its_absent_chunks(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        made = root.create_dataset("em", data=VOXELS, chunks=(4, 6, 8), maxshape=(None, None, None), fillvalue=9)
        made.resize((5, 7, 9))
        made.resize(SHAPE)
        voxels = made[...]
    reads_right(tmp_path / "a.h5", voxels)
    presence = opened(tmp_path / "a.h5", ("em",)).capability(ChunkPresence)
    assert presence.is_absent(Box.of((16, 29), (12, 17), (8, 11)))
    assert not presence.is_absent(Box.of((15, 29), (11, 17), (7, 11)))


def test_places_that_an_older_library_counts_from_the_end_of_the_user_block_are_put_right(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as root:
        root.create_dataset("em", data=VOXELS, chunks=(4, 6, 8), compression="gzip")
    with h5py.File(tmp_path / "a.h5") as root:
        stored = stored_of(root["em"])
        right = np.frombuffer(indexing.index_of(root["em"], stored)[1], indexing._RECORD)
        wrong = right.copy()
        wrong["offset"] -= 1024
        np.testing.assert_array_equal(indexing._checked(root["em"], stored, wrong), right)
        np.testing.assert_array_equal(indexing._checked(root["em"], stored, right.copy()), right)


class Chunks:
    """A dataset with an index that a damaged file may have."""

    def __init__(self, dataset, cells):
        self._dataset, self._cells = dataset, cells
        self.id, self.file = self, dataset.file

    def get_num_chunks(self):
        return len(self._cells)

    def chunk_iter(self, look):
        for cell in self._cells:
            look(h5py.h5d.StoreInfo(cell, 0, 4096, 384))


@pytest.mark.parametrize("cells", [[(0, 0, 3)], [(12, 0, 0)], [(0, 0, 0), (4, 0, 8), (0, 0, 0)], [(0, 18, 0)]])
def test_an_index_with_chunks_that_have_no_place_is_damaged(tmp_path, cells):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        made = root.create_dataset("em", data=VOXELS, chunks=(4, 6, 8))
        with pytest.raises(MetadataInvalid, match="index"):
            indexing.index_of(Chunks(made, cells), stored_of(made))
        assert indexing.index_of(Chunks(made, [(8, 12, 24)]), stored_of(made))[1]


def test_more_chunks_than_are_looked_up_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "MOST_CHUNKS", 35)
    with h5py.File(tmp_path / "a.h5", "w") as root:
        made = root.create_dataset("em", data=VOXELS, chunks=(4, 6, 8))
        with pytest.raises(UnsupportedFormat, match="36 stored chunks"):
            indexing.index_of(made, stored_of(made))


def test_bytes_past_the_end_of_a_file_are_corrupt(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    with held(tmp_path / "a") as file:
        buffer = bytearray(20)
        file.read_into(memoryview(buffer), 80)
        assert buffer == bytes(range(80, 100))
        for offset in (81, 100, 1 << 62, (1 << 64) - 2):
            with pytest.raises(ChunkCorrupt, match="end"):
                file.read_into(memoryview(buffer), offset)


def test_a_file_that_is_being_read_cannot_be_opened_for_writing(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["em"] = VOXELS
    code = f"import h5py; h5py.File({str(tmp_path / 'a.h5')!r}, 'r+')"
    with held(tmp_path / "a.h5"):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode != 0
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
    with h5py.File(tmp_path / "a.h5", "r+"), pytest.raises(StoreBusy), held(tmp_path / "a.h5"):
        pass


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """A dataset in one piece of big ids, after which other bytes stand, and what it holds."""
    path = tmp_path_factory.mktemp("piece") / "a.h5"
    voxels = segmentation((5, 7, 6, 9))
    with h5py.File(path, "w") as root:
        root["em"], root["more"] = voxels, np.ones(1000)
    with h5py.File(path) as root:
        return path, voxels, root["em"].id.get_offset(), stored_of(root["em"])


@settings(max_examples=200, deadline=None, database=None)
@given(data=st.data(), gap=st.sampled_from([0, 8, 60, 1 << 15]), span=st.sampled_from([8, 500, 1 << 24]))
def test_any_box_of_a_piece_is_read_however_it_is_cut(piece, data, gap, span):
    path, voxels, offset, stored = piece
    ends = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in voxels.shape]
    box = tuple(slice(*each) for each in ends)
    into = np.zeros([b - a for a, b in ends][::-1], data.draw(st.sampled_from(["<u8", ">u8"]))).transpose()
    into = into if data.draw(st.booleans()) else np.ascontiguousarray(into)
    with pytest.MonkeyPatch.context() as patch, held(path) as file:
        patch.setattr(pieces, "_GAP_BYTES", gap)
        patch.setattr(pieces, "_SPAN_BYTES", span)
        pieces.Piece(file, offset, stored).read([a for a, _ in ends], into)
    np.testing.assert_array_equal(into, voxels[box])
