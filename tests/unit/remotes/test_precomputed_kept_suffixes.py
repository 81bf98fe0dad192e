"""Meshes and skeletons that cloud-files compressed, in a folder of this machine and behind a web server."""

import numpy as np
import pytest
from cloudfiles import CloudFiles
from cloudfiles.compression import compress as compressed

from support.kept_files import (
    BIG,
    SMALL,
    TRANSFORM,
    kept_volume,
    legacy_by_cloud_volume,
    line,
    surface,
    write_skeletons,
)
from support.static_http import static_http
from support.stores import open_at
from voxgate.model.errors import ChunkCorrupt
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote

ENDINGS = {"gzip": ".gz", "br": ".br", "zstd": ".zstd", "xz": ".xz", "bzip2": ".bz2"}
ABSENT = 77


@pytest.fixture
def kept(tmp_path):
    kept_volume(tmp_path, mesh="mesh", skeletons="skeletons")
    legacy_by_cloud_volume(tmp_path, BIG, [surface(1), surface(2, size=4)])
    write_skeletons(tmp_path, [line(SMALL, 2)], TRANSFORM, None)
    return tmp_path


def compress_all(folder, compress):
    """Let cloud-files store everything anew but `info`."""
    for inner in ("mesh", "skeletons"):
        files = CloudFiles((folder / inner).as_uri(), progress=False)
        for name in [name for name in files.list() if name != "info"]:
            data = files.get(name)
            files.delete(name)
            files.put(name, data, compress=compress)
            assert (folder / inner / f"{name}{ENDINGS[compress]}").is_file()


def is_whole(volume):
    meshes, skeletons = volume.capability(StoredMeshes), volume.capability(StoredSkeletons)
    first, second = surface(1), surface(2, size=4)
    mesh = meshes.stored_mesh(BIG)
    np.testing.assert_array_equal(mesh.vertices, np.concatenate([first[0], second[0]]).astype(np.float32))
    np.testing.assert_array_equal(mesh.faces, np.concatenate([first[1], second[1] + 36]))
    assert len(skeletons.stored_skeleton(SMALL).vertices) == 7
    assert (meshes.stored_mesh(ABSENT), skeletons.stored_skeleton(ABSENT)) == (None, None)
    return True


@pytest.mark.parametrize("compress", ENDINGS)
def test_what_is_kept_is_read_under_every_suffix_here_and_elsewhere(kept, compress):
    compress_all(kept, compress)
    assert is_whole(open_at(kept))
    with static_http(kept) as files:
        assert is_whole(ObjectsRemote(RemoteConfig(uri=files.url)).open((), OpenOptions()))
        if compress in ("gzip", "br", "zstd"):
            files.codings = {ENDINGS[compress]: compress}
            assert is_whole(ObjectsRemote(RemoteConfig(uri=files.url)).open((), OpenOptions()))


@pytest.mark.parametrize("compress", ENDINGS)
def test_a_skeleton_that_is_damaged_or_there_twice_is_corrupt(kept, compress):
    plain = kept / "skeletons" / str(SMALL)
    files = CloudFiles((kept / "skeletons").as_uri(), progress=False)
    data, packed = files.get(plain.name), plain.with_name(f"{SMALL}{ENDINGS[compress]}")
    files.delete(plain.name)
    plain.write_bytes(data)
    packed.write_bytes(compressed(data, compress))
    with pytest.raises(ChunkCorrupt, match="twice"):
        open_at(kept).capability(StoredSkeletons).stored_skeleton(SMALL)
    plain.unlink()
    for damaged in (packed.read_bytes()[:-3], compressed(data + b"\0", compress), data):
        packed.write_bytes(damaged)
        with pytest.raises(ChunkCorrupt):
            open_at(kept).capability(StoredSkeletons).stored_skeleton(SMALL)
