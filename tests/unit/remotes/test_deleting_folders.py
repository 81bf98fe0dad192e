"""Deleting volumes of a folder: all of one volume, nothing else, and never zeros for whoever reads."""

import os
import shutil
import threading

import numpy as np
import pytest

from support.deletions import read_during
from support.stores import BOX, labels, write_precomputed
from voxgate.model.errors import (
    PathRefused,
    ReadOnly,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import Deletable
from voxgate.model.volumes import ChunkPresence, EncodedChunks, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes import deletion
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote
from voxgate_remotes.lives import Life

BOUNDS = Box.of(x=(-5, 18), y=(20, 43), z=(7, 24))
ELSEWHERE = Box.of(x=(-5, 1), y=(20, 23), z=(7, 9))
FORMATS = ["precomputed", "zarr2", "zarr3"]


def remote_at(folder, **changes):
    return FilesRemote(RemoteConfig(uri=f"file://{folder}", writable=True, deletable=True, **changes))


def filled(remote, *path, fmt="zarr3"):
    """A volume of two scales of which every voxel is 7."""
    coarse = Box.of(x=(-2, 9), y=(10, 21), z=(7, 24))
    scales = (
        ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), Vec3(8, 4, 4)),
        ScaleSpec(coarse, VoxelSize(8, 8, 40), Vec3(8, 4, 4)),
    )
    volume = remote.create(path, VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, scales, format=fmt))
    for index, scale in enumerate(volume.info.scales):
        sevens = np.full((1, *scale.bounds.shape.zyx), 7, "<u2")
        volume.capability(Writable).write(scale.bounds, sevens, scale=index)
    return volume


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_volume_goes_with_everything_and_its_neighbours_stay(tmp_path, fmt):
    remote = remote_at(tmp_path)
    filled(remote, "lab", "a", fmt=fmt)
    filled(remote, "lab", "b", fmt=fmt)
    remote.delete(("lab", "a"))
    assert os.listdir(tmp_path / "lab") == ["b"]
    assert [entry.segment for entry in remote.list(("lab",))] == ["b"]
    assert remote.open(("lab", "b"), OpenOptions()).read(BOUNDS).min() == 7
    with pytest.raises(UnknownVolume):
        remote.delete(("lab", "a"))
    with pytest.raises(UnknownVolume):
        remote.open(("lab", "a"), OpenOptions())


def test_the_name_is_free_again_and_an_old_handle_stays_dead(tmp_path):
    remote = remote_at(tmp_path)
    old = filled(remote, "a")
    remote.delete(("a",))
    new = filled(remote, "a")
    assert new.read(BOUNDS).min() == 7
    for use in (lambda: old.read(ELSEWHERE), lambda: old.capability(Writable).write(ELSEWHERE, old_voxels())):
        with pytest.raises(UnknownVolume, match="deleted"):
            use()
    assert new.read(BOUNDS).min() == 7


def old_voxels():
    return np.zeros((1, *ELSEWHERE.shape.zyx), "<u2")


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_handle_on_a_deleted_volume_answers_nothing(tmp_path, fmt):
    remote = remote_at(tmp_path)
    volume = filled(remote, "a", fmt=fmt)
    cell = Box.at(BOUNDS.start, Vec3(8, 4, 4))
    remote.delete(("a",))
    for use in (
        lambda: volume.read(ELSEWHERE),
        lambda: volume.read(BOUNDS),
        lambda: volume.capability(ChunkPresence).is_absent(ELSEWHERE),
        lambda: volume.capability(EncodedChunks).read_encoded([cell]),
        lambda: volume.capability(Writable).write(ELSEWHERE, old_voxels()),
    ):
        with pytest.raises(UnknownVolume, match="deleted"):
            use()
    assert not (tmp_path / "a").exists()


def test_a_deletion_by_another_process_is_noticed_by_readers(tmp_path):
    reader = filled(remote_at(tmp_path), "a")
    remote_at(tmp_path).delete(("a",))  # an adapter that shares nothing with the reader's
    with pytest.raises(UnknownVolume):
        reader.read(BOUNDS)
    with pytest.raises(UnknownVolume):
        reader.capability(ChunkPresence).is_absent(ELSEWHERE)


@pytest.mark.parametrize("fmt", FORMATS)
def test_readers_during_a_deletion_see_every_voxel_or_an_error(tmp_path, fmt):
    remote = remote_at(tmp_path)
    filled(remote, "a", fmt=fmt)

    def opened():
        volume = remote.open(("a",), OpenOptions())
        return lambda: int(volume.read(BOUNDS).min())

    outcomes = read_during(lambda: remote.delete(("a",)), opened, 3)
    assert outcomes.count(None) >= 3
    assert set(outcomes) <= {7, None}


def test_a_reader_between_the_metadata_and_the_chunks_gets_an_error(tmp_path, monkeypatch):
    remote = remote_at(tmp_path)
    volume = filled(remote, "a", fmt="precomputed")
    rmtree, seen = shutil.rmtree, []

    def look_first(folder):
        seen.append(sorted(os.listdir(folder)))
        with pytest.raises(UnknownVolume):
            volume.read(BOUNDS)
        rmtree(folder)

    monkeypatch.setattr(deletion.shutil, "rmtree", look_first)
    remote.delete(("a",))
    assert len(seen) == 1
    assert seen[0]
    assert "info" not in seen[0]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_crash_in_between_leaves_no_volume_under_any_name(tmp_path, monkeypatch, fmt):
    remote = remote_at(tmp_path)
    filled(remote, "a", fmt=fmt)
    monkeypatch.setattr(deletion.shutil, "rmtree", lambda folder: (_ for _ in ()).throw(OSError(5, "Input/output")))
    with pytest.raises(StoreUnavailable, match="gone from its name") as caught:
        remote.delete(("a",))
    assert str(tmp_path) not in str(caught.value)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(deletion.PREFIX)
    assert remote.list(()) == []
    for folder, _, _ in os.walk(tmp_path / left):
        inside = os.path.relpath(folder, tmp_path).split(os.sep)
        with pytest.raises(UnknownVolume):
            remote.open(tuple(inside), OpenOptions())
    assert filled(remote, "a", fmt=fmt).read(BOUNDS).min() == 7


def test_a_volume_that_cannot_be_moved_is_left_as_it_was(tmp_path, monkeypatch):
    remote = remote_at(tmp_path)
    volume = filled(remote, "a")
    monkeypatch.setattr(deletion.os, "rename", lambda *_: (_ for _ in ()).throw(OSError(13, "Permission denied")))
    with pytest.raises(StoreUnavailable, match="Permission denied"):
        remote.delete(("a",))
    volume.capability(Writable).write(ELSEWHERE, old_voxels())
    assert volume.read(BOUNDS).max() == 7
    assert volume.read(ELSEWHERE).max() == 0


def test_a_writer_is_waited_for_and_no_other_one_begins():
    life = Life(patience_s=60)
    writing, ended, order = threading.Event(), threading.Event(), []

    def write():
        with life.writing():
            writing.set()
            ended.wait(60)
            order.append("written")

    def delete():
        with life.ending():
            order.append("deleted")

    writer, deleter = threading.Thread(target=write), threading.Thread(target=delete)
    writer.start()
    writing.wait(60)
    deleter.start()
    while True:  # until the deletion has begun to wait
        try:
            with life.writing():
                pass
        except UnknownVolume:
            break
    assert not life.is_over
    ended.set()
    writer.join(60)
    deleter.join(60)
    assert order == ["written", "deleted"]
    assert life.is_over


def test_a_writer_that_goes_on_for_ever_keeps_its_volume():
    life = Life(patience_s=0.01)
    with life.writing(), pytest.raises(StoreRefused, match="written to"), life.ending():
        pass
    assert not life.is_over
    with life.writing():
        pass


def test_nothing_is_deleted_unless_the_operator_allows_it(tmp_path):
    filled(remote_at(tmp_path), "a")
    for allowed in ({"writable": True}, {"deletable": True}, {}):
        remote = FilesRemote(RemoteConfig(uri=f"file://{tmp_path}", **allowed))
        with pytest.raises(ReadOnly, match="deleted"):
            remote.delete(("a",))
    assert (tmp_path / "a" / "zarr.json").exists()


def test_the_root_a_group_and_what_is_no_volume_are_kept(tmp_path):
    remote = remote_at(tmp_path)
    filled(remote, "group", "a")
    (tmp_path / "empty").mkdir()
    whole = remote_at(tmp_path / "group" / "a")
    with pytest.raises(PathRefused):
        whole.delete(())
    for path in (("group",), ("empty",), ("nothing",)):
        with pytest.raises(UnknownVolume):
            remote.delete(path)
    for path in (("..", tmp_path.name, "group", "a"), ("group", ".", "a"), ("/etc",), ("",)):
        with pytest.raises(PathRefused):
            remote.delete(path)
    (tmp_path / "group" / "a" / "info").write_text('{"scales": []}')
    with pytest.raises(UnsupportedFormat):
        remote.delete(("group", "a"))
    assert sorted(os.listdir(tmp_path)) == ["empty", "group"]


def test_a_part_of_a_volume_is_not_deleted_alone(tmp_path):
    remote = remote_at(tmp_path)
    filled(remote, "a")
    assert remote.open(("a", "0"), OpenOptions()).info.axes == "zyx"
    with pytest.raises(StoreRefused, match="part of another volume"):
        remote.delete(("a", "0"))
    with pytest.raises(StoreRefused, match="part of another volume"):
        remote_at(tmp_path / "a").delete(("0",))


def test_a_volume_that_holds_another_one_is_kept(tmp_path):
    remote = remote_at(tmp_path)
    filled(remote, "a")
    inner = tmp_path / "a" / "labels" / ".hidden"
    inner.mkdir(parents=True)
    write_precomputed(inner, labels())
    with pytest.raises(StoreRefused, match=r"labels/\.hidden"):
        remote.delete(("a",))
    assert remote.open(("a",), OpenOptions()).read(BOUNDS).min() == 7
    np.testing.assert_array_equal(remote.open(("a", "labels", ".hidden"), OpenOptions()).read(BOX), labels())


def test_meshes_and_properties_beside_the_voxels_go_with_them(tmp_path):
    remote = remote_at(tmp_path)
    filled(remote, "a", fmt="precomputed")
    (tmp_path / "a" / "mesh").mkdir()
    (tmp_path / "a" / "mesh" / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    remote.delete(("a",))
    assert os.listdir(tmp_path) == []


def test_no_symbolic_link_is_followed(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    filled(remote_at(outside), "precious")
    remote = remote_at(root)
    filled(remote, "a")
    (root / "out").symlink_to(outside / "precious")
    (root / "alias").symlink_to(root / "a")
    (root / "a" / "0" / "there").symlink_to(outside)
    for name in ("out", "alias"):
        with pytest.raises(PathRefused):
            remote.delete((name,))
    remote.delete(("a",))
    assert sorted(os.listdir(root)) == ["alias", "out"]
    assert remote_at(outside).open(("precious",), OpenOptions()).read(BOUNDS).min() == 7


def test_a_root_that_is_a_link_deletes_like_any_other(tmp_path):
    filled(remote_at(tmp_path / "real"), "a")
    (tmp_path / "mount").symlink_to(tmp_path / "real")
    remote_at(tmp_path / "mount").delete(("a",))
    assert os.listdir(tmp_path / "real") == []


def test_the_adapter_says_that_it_deletes_and_volumes_keep_their_other_powers(tmp_path):
    remote = remote_at(tmp_path)
    assert remote.capability(Deletable) is remote
    filled(remote, "a")
    reading = FilesRemote(RemoteConfig(uri=f"file://{tmp_path}")).open(("a",), OpenOptions())
    assert reading.capability(Writable) is None
    with pytest.raises(ReadOnly):
        reading.write(ELSEWHERE, old_voxels())
