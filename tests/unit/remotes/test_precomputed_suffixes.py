import gzip
import shutil

import numpy as np
import pytest
from cloudfiles.compression import compress as cloudfiles_compress
from cloudfiles.compression import decompress

from support.decoders import decode
from support.precomputed_files import PART, cloud_volume, cut, write_with_cloud_volume
from support.stores import BOX, labels, open_at, voxels, write_precomputed
from voxgate.model.errors import (
    ChunkCorrupt,
    ReadOnly,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import ByteCodec, ChunkPresence, EncodedChunks, Writable

COMPRESSIONS = ["br", "zstd", "xz", "bzip2"]
CELL = Box.of(x=(6, 22), y=(31, 39), z=(12, 17))
NAME = "6-22_31-39_12-17"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Volumes of `labels()` that cloud-volume wrote, each once: a copy, its chunks all under one suffix."""
    made = {}

    def copy(folder, compress, encoding="raw"):
        if (compress, encoding) not in made:
            made[compress, encoding] = tmp_path_factory.mktemp("stored") / "em"
            write_with_cloud_volume(made[compress, encoding], labels(), compress=compress, encoding=encoding)
        shutil.copytree(made[compress, encoding], folder, dirs_exist_ok=True)
        endings = {path.suffix for path in (folder / "4_4_40").iterdir()}
        assert len(endings) == 1
        assert endings < {".gz", ".br", ".zstd", ".xz", ".bz2"}

    return copy


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
def test_chunks_that_cloud_volume_compressed_by_name_are_read(tmp_path, encoding):
    array = labels()
    write_with_cloud_volume(tmp_path, array, encoding=encoding, compress="gzip")
    names = [path.name for path in (tmp_path / "4_4_40").iterdir()]
    assert names
    assert all(name.endswith(".gz") for name in names)
    volume = open_at(tmp_path, writable=True)
    assert np.array_equal(volume.read(BOX), array)
    assert np.array_equal(volume.read(PART), cut(array, PART))
    assert volume.info.scales[0].stored_encodings[0].bytes is ByteCodec.GZIP
    assert volume.capability(Writable) is None
    assert not volume.capability(ChunkPresence).is_absent(PART)


def test_png_chunks_that_were_compressed_by_name_are_read(tmp_path):
    array = voxels("uint8")
    write_precomputed(tmp_path, array, encoding="png")
    for chunk in list((tmp_path / "at/4_4_40").iterdir()):
        (chunk.parent / f"{chunk.name}.gz").write_bytes(gzip.compress(chunk.read_bytes()))
        chunk.unlink()
    assert np.array_equal(open_at(tmp_path).read(PART), cut(array, PART))


def test_cloud_volumes_default_writes_of_several_channels_are_read(tmp_path):
    array = voxels("uint16", 2)
    write_with_cloud_volume(tmp_path, array)
    volume = open_at(tmp_path)
    assert np.array_equal(volume.read(PART, channels=[1]), cut(array, PART)[1:])
    assert np.array_equal(volume.read(PART), cut(array, PART))


def test_compressed_plain_and_absent_chunks_may_be_mixed(tmp_path):
    array = labels()
    write_with_cloud_volume(tmp_path, array)
    chunks = tmp_path / "4_4_40"
    plain, absent = sorted(path.name.removesuffix(".gz") for path in chunks.iterdir())[:2]
    (chunks / plain).write_bytes(gzip.decompress((chunks / f"{plain}.gz").read_bytes()))
    (chunks / f"{plain}.gz").unlink()
    (chunks / f"{absent}.gz").unlink()
    read = open_at(tmp_path).read(BOX)
    assert np.array_equal(read, np.asarray(cloud_volume(tmp_path)[:, :, :]).transpose(3, 2, 1, 0))
    assert (read != array).sum() == 16 * 8 * 3  # the absent chunk, clipped to the volume in z


def test_a_chunk_that_is_there_with_and_without_suffix_is_an_error_because_readers_disagree(tmp_path):
    write_with_cloud_volume(tmp_path, labels())
    chunk = tmp_path / "4_4_40" / "6-22_31-39_12-17"
    chunk.write_bytes(bytes(16 * 8 * 5 * 8))
    with pytest.raises(ChunkCorrupt, match=r"twice.*remove"):
        open_at(tmp_path).read(BOX)


def test_a_compressed_chunk_that_appears_after_the_open_is_seen_and_not_written_over(tmp_path):
    array = labels()
    write_precomputed(tmp_path, array)
    volume = open_at(tmp_path, writable=True)
    chunk = tmp_path / "at/4_4_40" / "-10-6_23-31_7-12"
    box = Box.of(x=(-10, 6), y=(23, 31), z=(7, 12))
    chunk.unlink()
    (chunk.parent / f"{chunk.name}.gz").write_bytes(gzip.compress(np.full(16 * 8 * 5, 2**63 + 1, "<u8").tobytes()))
    assert (volume.read(box) == 2**63 + 1).all()
    with pytest.raises(ReadOnly, match="gz"):
        volume.capability(Writable).write(box, cut(array, box))


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
def test_chunks_under_every_suffix_are_read_as_cloud_volume_reads_them(stored, tmp_path, compress, encoding):
    array = labels()
    stored(tmp_path, compress, encoding)
    volume = open_at(tmp_path, writable=True)
    theirs = np.asarray(cloud_volume(tmp_path)[:, :, :]).transpose(3, 2, 1, 0)
    assert np.array_equal(theirs, array)
    assert np.array_equal(volume.read(BOX), array)
    assert np.array_equal(volume.read(PART), cut(array, PART))
    assert volume.capability(Writable) is None
    assert not volume.capability(ChunkPresence).is_absent(PART)
    passed = {"zstd": ByteCodec.ZSTD}.get(compress, ByteCodec.NONE)
    assert volume.info.scales[0].stored_encodings[0].bytes is passed
    chunks = volume.capability(EncodedChunks)
    (chunk,) = chunks.read_encoded([CELL])
    assert chunk.encoding.bytes is passed
    assert chunks.encodings_of(0)[0] == chunk.encoding
    assert np.array_equal(decode(chunk, volume.info), cut(array, CELL))


def test_metadata_has_no_suffix_whatever_compresses_the_chunks(stored, tmp_path):
    stored(tmp_path, "br")
    assert (tmp_path / "info").is_file()
    assert not list(tmp_path.glob("info.*"))


def test_channels_of_a_brotli_chunk_can_be_chosen(tmp_path):
    array = voxels("uint16", 2)
    write_with_cloud_volume(tmp_path, array, compress="br")
    assert np.array_equal(open_at(tmp_path).read(PART, channels=[1, 0]), cut(array, PART)[::-1])


@pytest.mark.parametrize("second", ["", ".gz", ".zstd", ".xz", ".bz2"])
def test_a_chunk_with_two_names_is_an_error_whichever_they_are(stored, tmp_path, second):
    stored(tmp_path, "br")
    chunk = tmp_path / "4_4_40" / NAME
    chunk.with_name(f"{NAME}{second}").write_bytes(bytes(16 * 8 * 5 * 8))
    volume = open_at(tmp_path)
    with pytest.raises(ChunkCorrupt, match=r"twice.*\.br"):
        volume.read(BOX)
    with pytest.raises(ChunkCorrupt, match=r"twice.*\.br"):
        volume.capability(EncodedChunks).read_encoded([CELL])


def test_the_suffixes_of_one_scale_may_differ(stored, tmp_path):
    array = labels()
    stored(tmp_path, "br")
    for compress, low in (("zstd", -10), (False, 6)):  # aligned in x, over all of y and z
        for path in (tmp_path / "4_4_40").glob(f"{low}-*.br"):
            path.unlink()
        volume = cloud_volume(tmp_path, compress=compress)
        volume[low : low + 16, :, :] = array[:, :, :, low + 10 : low + 26].transpose(3, 2, 1, 0)
    assert {path.suffix for path in (tmp_path / "4_4_40").iterdir()} == {"", ".br", ".zstd"}
    assert np.array_equal(open_at(tmp_path).read(BOX), array)


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("damage", ["truncated", "not compressed", "shorter inside", "bomb", "one more", "tail", ""])
def test_whatever_is_wrong_with_a_compressed_chunk_is_told_with_its_box(stored, tmp_path, compress, damage):
    stored(tmp_path, compress)
    chunk = next((tmp_path / "4_4_40").glob(f"{NAME}.*"))
    whole = chunk.read_bytes()
    voxels = decompress(whole, compress)
    chunk.write_bytes(
        {
            "truncated": whole[: len(whole) - 3],
            "not compressed": voxels,
            "shorter inside": cloudfiles_compress(voxels[:-8], compress),
            "bomb": cloudfiles_compress(bytes(2**24), compress),
            "one more": cloudfiles_compress(voxels + b"\0", compress),
            "tail": whole + b"tail",
            "": b"",
        }[damage]
    )
    with pytest.raises(ChunkCorrupt) as caught:
        open_at(tmp_path).read(BOX)
    assert str(CELL) in caught.value.message
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "no gzip", "shorter inside", "bomb"])
def test_a_corrupt_compressed_chunk_is_an_error_that_names_its_box(tmp_path, damage):
    write_with_cloud_volume(tmp_path, labels())
    chunk = tmp_path / "4_4_40" / "6-22_31-39_12-17.gz"
    whole = chunk.read_bytes()
    chunk.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "no gzip": b"voxels",
            "shorter inside": gzip.compress(gzip.decompress(whole)[:-8]),
            "bomb": gzip.compress(bytes(2**24)),
        }[damage]
    )
    volume = open_at(tmp_path)
    with pytest.raises(ChunkCorrupt) as caught:
        volume.read(BOX)
    assert "x[6:22] y[31:39] z[12:17]" in caught.value.message
    assert str(tmp_path) not in str(caught.value)
    assert volume.read(Box.of(x=(-10, 6), y=(23, 31), z=(7, 12))).any()
