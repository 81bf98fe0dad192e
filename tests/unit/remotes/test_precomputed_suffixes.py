import gzip

import numpy as np
import pytest

from support.precomputed_files import PART, cloud_volume, cut, write_with_cloud_volume
from support.stores import BOX, labels, open_at, voxels, write_precomputed
from voxgate.model.errors import (
    ChunkCorrupt,
    ReadOnly,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box
from voxgate.model.volumes import ByteCodec, ChunkPresence, Writable


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


def test_chunks_under_a_suffix_that_cannot_be_read_are_an_error_and_never_background(tmp_path):
    write_precomputed(tmp_path, labels())
    volume = open_at(tmp_path)
    chunk = tmp_path / "at/4_4_40" / "-10-6_23-31_7-12"
    chunk.rename(f"{chunk}.br")
    with pytest.raises(UnsupportedFormat, match=r"\.br"):
        volume.read(Box.of(x=(-10, 6), y=(23, 31), z=(7, 12)))


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
