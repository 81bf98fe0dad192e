"""Compressed chunks of precomputed volumes that are not on this machine: by Content-Encoding, and by suffix."""

import gzip
import shutil

import cloudfiles.paths
import numpy as np
import pytest
from cloudfiles import CloudFiles
from cloudfiles.compression import compress as compressed
from cloudvolume import CloudVolume

from support.emulators import BUCKET, KEYS, s3_emulator
from support.precomputed_files import PART, cut, write_with_cloud_volume
from support.static_http import static_http
from support.stores import BOX, OFFSET, SHAPE, labels
from voxgate.model.errors import ChunkCorrupt, ReadOnly, UnsupportedFormat
from voxgate.model.geometry import Box
from voxgate.model.volumes import ChunkPresence, OpenOptions, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote

CELL = Box.of(x=(6, 22), y=(31, 39), z=(12, 17))
NAME = "4_4_40/6-22_31-39_12-17"
ENDINGS = {"gzip": ".gz", "br": ".br", "zstd": ".zstd", "xz": ".xz", "bzip2": ".bz2"}
ALIAS = "voxgatesuffixes"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_emulator(tmp_path_factory.mktemp("s3") / "log") as emulator:
        cloudfiles.paths.add_alias(ALIAS, f"s3://{emulator.url}/")
        yield emulator
        cloudfiles.paths.ALIASES.pop(ALIAS, None)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a volume of `labels()` that cloud-volume wrote under a suffix; each once, not to be changed."""
    made = {}

    def folder(compress, encoding="raw"):
        if (compress, encoding) not in made:
            made[compress, encoding] = tmp_path_factory.mktemp("written")
            write_with_cloud_volume(made[compress, encoding], labels(), compress=compress, encoding=encoding)
        return made[compress, encoding]

    return folder


def on_s3(s3, prefix, compress):
    """Let cloud-volume write `labels()` into the bucket, compressed by Content-Encoding."""
    info = CloudVolume.create_new_info(
        num_channels=1,
        layer_type="segmentation",
        data_type="uint64",
        encoding="raw",
        resolution=[4, 4, 40],
        voxel_offset=list(OFFSET),
        volume_size=list(SHAPE),
        chunk_size=[16, 8, 5],
    )
    path = f"{ALIAS}://{BUCKET}/{prefix}"
    volume = CloudVolume(path, info=info, progress=False, compress=compress, secrets=KEYS, parallel=1)
    volume.commit_info()
    volume[:, :, :] = labels().transpose(3, 2, 1, 0)


def opened(config):
    return ObjectsRemote(config).open((), OpenOptions())


def over_http(files):
    return opened(RemoteConfig(uri=files.url))


@pytest.mark.parametrize("compress", ["gzip", "br", "zstd"])
def test_what_cloud_volume_uploads_compressed_is_read_exactly(s3, compress):
    on_s3(s3, compress, compress)
    uploaded = CloudFiles(f"{ALIAS}://{BUCKET}/{compress}", secrets=KEYS).head(NAME)
    assert uploaded["Content-Encoding"] == compress
    volume = opened(s3.config(compress))
    assert np.array_equal(volume.read(BOX), labels())
    assert np.array_equal(volume.read(PART, channels=[0]), cut(labels(), PART))
    assert not volume.capability(ChunkPresence).is_absent(CELL)


def test_a_content_encoding_that_nobody_undoes_is_named_and_never_background(s3):
    on_s3(s3, "xz", "xz")
    with pytest.raises(UnsupportedFormat, match="Content-Encoding"):
        opened(s3.config("xz")).read(PART)


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("compress", ENDINGS)
def test_a_folder_with_suffixes_that_is_served_is_read_exactly(written, compress, encoding):
    with static_http(written(compress, encoding)) as files:
        volume = over_http(files)
        assert np.array_equal(volume.read(BOX), labels())
        assert np.array_equal(volume.read(PART), cut(labels(), PART))
        assert not volume.capability(ChunkPresence).is_absent(CELL)


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("compress", ["gzip", "br", "zstd"])
def test_a_server_that_takes_a_suffix_for_its_own_compression_is_read_exactly(written, compress, encoding):
    with static_http(written(compress, encoding)) as files:
        files.codings = {ENDINGS[compress]: compress}
        assert np.array_equal(over_http(files).read(PART), cut(labels(), PART))


def test_a_folder_with_suffixes_in_a_bucket_is_read_and_its_chunks_are_not_merged_over(written, s3):
    s3.upload(written("br"), "copied")
    volume = opened(s3.config("copied", writable=True, options={"conditional_writes": True}))
    assert np.array_equal(volume.read(PART), cut(labels(), PART))
    with pytest.raises(ReadOnly, match=r"\.br"):
        volume.capability(Writable).write(PART, cut(labels(), PART))
    whole = np.full((1, *CELL.shape.zyx), 2**63 + 5, np.uint64)
    volume.capability(Writable).write(CELL, whole)
    assert np.array_equal(volume.read(CELL), whole)
    around = Box.of(x=(6, 22), y=(31, 45), z=(12, 17))
    assert np.array_equal(volume.read(around)[:, :, 8:], cut(labels(), around)[:, :, 8:])


def test_what_is_there_under_no_name_is_background_and_absent(written, tmp_path):
    shutil.copytree(written("zstd"), tmp_path / "em")
    (tmp_path / "em" / f"{NAME}.zstd").unlink()
    with static_http(tmp_path / "em") as files:
        volume = over_http(files)
        expected = labels()
        expected[:, *CELL.slices_zyx(OFFSET)] = 0
        assert np.array_equal(volume.read(BOX), expected)
        assert volume.capability(ChunkPresence).is_absent(CELL)
        assert not volume.capability(ChunkPresence).is_absent(BOX)


@pytest.mark.parametrize("compress", ENDINGS)
@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("damage", ["truncated", "bomb", "twice", "other bytes"])
def test_a_damaged_chunk_with_a_suffix_is_an_error_that_names_its_box(written, tmp_path, compress, encoding, damage):
    shutil.copytree(written(compress, encoding), tmp_path / "em")
    chunk = tmp_path / "em" / f"{NAME}{ENDINGS[compress]}"
    whole = chunk.read_bytes()
    if damage == "twice":
        other = ".br" if compress == "gzip" else ".gz"
        chunk.with_name(f"6-22_31-39_12-17{other}").write_bytes(whole)
    else:
        bad = {"truncated": whole[:-5], "bomb": compressed(bytes(2**22), compress), "other bytes": b"voxels"}
        chunk.write_bytes(bad[damage])
    with static_http(tmp_path / "em") as files, pytest.raises(ChunkCorrupt) as caught:
        over_http(files).read(BOX)
    assert str(CELL) in caught.value.message
    assert files.address not in str(caught.value)


def test_where_a_chunk_has_its_own_name_suffixes_are_not_looked_for(written, tmp_path):
    shutil.copytree(written("gzip"), tmp_path / "em")
    for path in list((tmp_path / "em/4_4_40").iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.write_bytes(b"older, and nobody's")
    with static_http(tmp_path / "em") as files:
        assert np.array_equal(over_http(files).read(BOX), labels())
        assert not any(path.endswith(tuple(ENDINGS.values())) for _, path, _, _ in files.asked)


def test_what_a_bucket_has_under_a_suffix_is_not_read_when_it_is_larger_than_any_encoding(written, tmp_path, s3):
    shutil.copytree(written("br"), tmp_path / "em")
    (tmp_path / "em" / f"{NAME}.br").write_bytes(bytes(2**22))
    s3.upload(tmp_path / "em", "large")
    volume = opened(s3.config("large"))
    with pytest.raises(ChunkCorrupt, match="larger than any encoding") as caught:
        volume.read(CELL)
    assert str(CELL) in caught.value.message
    beside = Box.of(x=(6, 22), y=(39, 45), z=(12, 17))
    assert np.array_equal(volume.read(beside), cut(labels(), beside))
