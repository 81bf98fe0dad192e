import json
import os
import shutil
import threading

import numpy as np
import pytest
import zarr

from support.stores import BOX, labels, remote_at, voxels, write_precomputed
from voxgate.model.errors import (
    ConfigInvalid,
    MetadataInvalid,
    StoreUnavailable,
    UnknownVolume,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.files import FilesRemote


def entries(remote, *parent):
    return [(entry.segment, entry.is_volume) for entry in remote.list(parent)]


@pytest.fixture
def lab(tmp_path):
    """A folder with volumes of three formats at several depths, and things that are no volumes."""
    write_precomputed(tmp_path / "em", voxels("uint8"))
    write_precomputed(tmp_path / "deep" / "er" / "seg", labels())
    (tmp_path / "em" / "mesh").mkdir()
    (tmp_path / "em" / "mesh" / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    zarr.create_array(tmp_path / "deep" / "two.zarr", shape=(3, 4, 5), dtype="u2", chunks=(2, 2, 2), zarr_format=2)
    zarr.create_array(tmp_path / "deep" / "three", shape=(3, 4, 5), dtype="u2", chunks=(2, 2, 2), zarr_format=3)
    zarr.open_group(tmp_path / "group3", mode="w", zarr_format=3).create_array("a b", shape=(3, 4, 5), dtype="u1")
    zarr.open_group(tmp_path / "group2", mode="w", zarr_format=2)
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def test_groups_and_volumes_are_listed_level_by_level_and_volumes_have_nothing_inside(lab):
    remote = remote_at(lab)
    assert entries(remote) == [("deep", False), ("em", True), ("group2", False), ("group3", False), ("meshes", False)]
    assert entries(remote, "deep") == [("er", False), ("three", True), ("two.zarr", True)]
    assert entries(remote, "deep", "er") == [("seg", True)]
    assert entries(remote, "group3") == [("a b", True)]
    assert entries(remote, "em") == []
    assert isinstance(remote.list(())[0], ListEntry)
    for path in (("nothing",), ("notes.txt",), ("deep", "nothing")):
        with pytest.raises(UnknownVolume):
            remote.list(path)


def test_links_that_lead_round_in_circles_are_walked_once(lab):
    (lab / "group2" / "over").symlink_to("../deep")
    (lab / "deep" / "back").symlink_to("../group2")
    remote = remote_at(lab)
    assert ("over", False) in entries(remote, "group2")
    assert "back" not in [name for name, _ in entries(remote, "group2", "over")]
    assert remote.open(("group2", "over", "back", "over", "er", "seg"), OpenOptions()).info.scales

    def walk(parent):
        yield parent
        for entry in remote.list(parent):
            if not entry.is_volume:
                yield from walk((*parent, entry.segment))

    assert max(map(len, walk(()))) == 3


def test_every_listed_volume_opens_and_no_group_does(lab):
    remote = remote_at(lab)

    def walk(parent):
        for entry in remote.list(parent):
            path = (*parent, entry.segment)
            if entry.is_volume:
                assert remote.open(path, OpenOptions()).info.scales
            else:
                with pytest.raises(UnknownVolume):
                    remote.open(path, OpenOptions())
                walk(path)

    walk(())


def test_a_root_that_is_a_volume_is_opened_by_the_empty_path(lab):
    remote = remote_at(lab / "em")
    assert np.array_equal(remote.open((), OpenOptions()).read(BOX), voxels("uint8"))
    assert remote.list(()) == []


def test_two_formats_in_one_folder_are_refused_naming_both(lab):
    document = (lab / "deep" / "three" / "zarr.json").read_text()
    (lab / "deep" / "two.zarr" / "zarr.json").write_text(document)
    (lab / "em" / ".zarray").write_text("{}")
    remote = remote_at(lab)
    with pytest.raises(UnsupportedFormat, match="zarr v3 and zarr v2"):
        remote.open(("deep", "two.zarr"), OpenOptions())
    with pytest.raises(UnsupportedFormat, match="precomputed and zarr v2"):
        remote.open(("em",), OpenOptions())
    assert ("em", True) in entries(remote)


def test_a_half_written_volume_is_listed_and_its_open_says_what_is_wrong(lab):
    (lab / "deep" / "three" / "zarr.json").write_text('{"zarr_format": 3, "shape": [3')
    (lab / "em" / "info").write_text('{"scales": [')
    remote = remote_at(lab)
    assert ("em", True) in entries(remote)
    assert ("three", True) in entries(remote, "deep")
    with pytest.raises(MetadataInvalid, match="info"):
        remote.open(("em",), OpenOptions())
    with pytest.raises(MetadataInvalid, match=r"zarr\.json"):
        remote.open(("deep", "three"), OpenOptions())


def test_a_volume_that_is_replaced_deleted_or_mended_is_seen_at_the_next_open(lab):
    remote = remote_at(lab)
    assert remote.open(("em",), OpenOptions()).info.dtype == np.uint8
    shutil.rmtree(lab / "em")
    with pytest.raises(UnknownVolume):
        remote.open(("em",), OpenOptions())
    write_precomputed(lab / "em", labels())
    assert np.array_equal(remote.open(("em",), OpenOptions()).read(BOX), labels())
    whole = (lab / "em" / "info").read_text()
    (lab / "em" / "info").write_text(whole[:40])
    with pytest.raises(MetadataInvalid):
        remote.open(("em",), OpenOptions())
    (lab / "em" / "info").write_text(whole)
    assert remote.open(("em",), OpenOptions()).info.dtype == np.uint64


def test_a_level_that_changes_is_seen_at_the_next_open(lab):
    array = zarr.open_array(lab / "deep" / "three", mode="r+")
    remote = remote_at(lab)
    assert remote.open(("deep", "three"), OpenOptions()).info.scales[0].bounds.stop.x == 5
    array.resize((3, 4, 9))
    assert remote.open(("deep", "three"), OpenOptions()).info.scales[0].bounds.stop.x == 9


def test_a_link_that_is_turned_to_another_volume_is_followed_at_the_next_open(lab):
    (lab / "current").symlink_to("em")
    remote = remote_at(lab)
    assert remote.open(("current",), OpenOptions()).info.dtype == np.uint8
    (lab / "current").unlink()
    (lab / "current").symlink_to("deep/er/seg")
    assert remote.open(("current",), OpenOptions()).info.dtype == np.uint64


def test_opening_again_parses_nothing_while_the_metadata_stays(lab, monkeypatch):
    remote = remote_at(lab)
    first = remote.open(("em",), OpenOptions())
    opened = []
    monkeypatch.setattr("voxgate_remotes.precomputed.open_store", lambda *_: opened.append(1))
    again = remote.open(("em",), OpenOptions())
    assert again.info is first.info or again.info == first.info
    assert not opened


def test_many_threads_open_and_read_at_once(lab):
    remote = remote_at(lab)
    failures = []

    def work(number):
        for _ in range(10):
            array = remote.open(("em",) if number % 2 else ("deep", "er", "seg"), OpenOptions()).read(BOX)
            if not np.array_equal(array, voxels("uint8") if number % 2 else labels()):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures


def test_a_root_that_is_not_mounted_is_unavailable_and_comes_back(tmp_path):
    remote = remote_at(tmp_path / "mount")
    with pytest.raises(StoreUnavailable) as caught:
        remote.open(("em",), OpenOptions())
    assert str(tmp_path) not in str(caught.value)
    write_precomputed(tmp_path / "mount" / "em", voxels("uint8"))
    assert remote.open(("em",), OpenOptions()).info.dtype == np.uint8


@pytest.mark.parametrize("uri", ["file://host/data", "file:relative", "http://x/y", "file://"])
def test_only_local_absolute_folders_are_taken(uri):
    with pytest.raises(ConfigInvalid):
        FilesRemote(RemoteConfig(uri=uri))


def test_names_with_odd_characters_are_folders_of_these_names(tmp_path):
    for name in ("a b", "100%", "größe", "x@y", "#1"):
        write_precomputed(tmp_path / name, voxels("uint8"))
    remote = remote_at(tmp_path)
    assert sorted(entry.segment for entry in remote.list(())) == sorted(os.listdir(tmp_path))
    for name in os.listdir(tmp_path):
        assert np.array_equal(remote.open((name,), OpenOptions()).read(BOX), voxels("uint8"))


def test_no_failure_tells_a_path_of_the_server(lab):
    (lab / "em" / "info").write_text(
        json.dumps({"type": "image", "scales": [{"key": "x", "resolution": 1, "encoding": "raw"}]})
    )
    (lab / "deep" / "three" / "zarr.json").write_text('{"node_type": "array", "data_type": "uint8", "shape": [1,2,3]}')
    for path in (("em",), ("deep", "three"), ("nothing",)):
        with pytest.raises(VoxgateError) as caught:
            remote_at(lab).open(path, OpenOptions())
        assert str(lab) not in str(caught.value)


def test_a_uri_under_a_root_that_is_a_link_resolves_by_either_of_its_names(lab):
    (lab.parent / "mount").symlink_to(lab)
    remote = remote_at(lab.parent / "mount")
    for root in (lab, lab.parent / "mount"):
        assert remote.resolve(f"file://{root}/deep/er/seg") == ResolvedUri(len(f"file://{root}"), ("deep", "er", "seg"))
    assert remote.resolve(f"file://{lab.parent}/elsewhere") is None
    assert remote.resolve(f"file://{lab}/../elsewhere") is None
    assert remote.resolve(f"file://{lab}-twin") is None


def test_a_root_that_goes_away_while_its_volume_is_open_is_unavailable_and_not_background(lab):
    remote = remote_at(lab)
    em, seg = (remote.open(path, OpenOptions()) for path in (("em",), ("deep", "er", "seg")))
    assert em.read(BOX).any()
    shutil.rmtree(lab / "em")
    with pytest.raises(UnknownVolume, match="deleted"):
        em.read(BOX)
    lab.rename(lab.with_name("unmounted"))
    for volume in (em, seg):
        with pytest.raises(StoreUnavailable, match="the remote's folder is not there"):
            volume.read(BOX)
    lab.mkdir()  # the bare mount point
    with pytest.raises(UnknownVolume):
        seg.read(BOX)
