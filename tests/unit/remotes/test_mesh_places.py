"""Places that take meshes: files that are there whole or not at all, and who is told of them when."""

import json
import os

import numpy as np
import pytest
import tensorstore as ts

from voxgate.model.errors import (
    MissingCapability,
    PathRefused,
    ReadOnly,
    StoreRefused,
    StoreUnavailable,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.volumes import CallContext, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.mesh_files import LocalProductFiles, beside_volume
from voxgate_remotes.mesh_places import chosen_folder
from voxgate_remotes.objects import meshes
from voxgate_remotes.objects.listing import Level
from voxgate_remotes.objects.patience import Patience
from voxgate_remotes.objects.sources import BucketSource
from voxgate_remotes.registry import Registry

MULTIRES = {"@type": "neuroglancer_multilod_draco"}
VOLUME = {"@type": "neuroglancer_multiscale_volume", "scales": [], "type": "segmentation"}


def in_bucket():
    source = BucketSource({"driver": "memory"}, "lab/", Patience(60.0, "the bucket"), ts.Context())
    return meshes.BucketProductFiles(source, "seg/", CallContext())


@pytest.fixture(params=["folder", "bucket"])
def files(request, tmp_path):
    if request.param == "bucket":
        return in_bucket()
    return LocalProductFiles(tmp_path / "seg", PathGuard(tmp_path))


def place(files):
    """The place beside a volume."""
    if isinstance(files, LocalProductFiles):
        return beside_volume(files)
    return meshes.beside_volume(files, lambda: None)


def registry_of(folder, **options):
    remote = RemoteConfig(uri=folder.as_uri(), **{"writable": True, **options})
    return Registry.from_config(
        RemotesConfig(remotes={"lab": remote, "ram": RemoteConfig(uri="memory:", writable=True)})
    )


def create(registry, name, form):
    scale = ScaleSpec(Box.of(x=(0, 5), y=(0, 4), z=(0, 3)), VoxelSize(4, 5, 6))
    registry.create(name, VolumeSpec(np.dtype(np.uint64), VolumeKind.SEGMENTATION, (scale,), format=form))


def test_files_are_read_whole_and_in_part(files):
    assert files.write("mesh/9", [b"abc", b"", b"defg"]) == 7
    assert files.read("mesh/9") == b"abcdefg"
    assert files.read("mesh/9", 2, 5) == b"cde"
    assert files.read("mesh/9", 4) == b"efg"
    assert files.read("mesh/9", 3, 3) == b""
    assert files.size("mesh/9") == 7
    assert (files.read("mesh/8"), files.read("mesh/8", 1, 1), files.size("mesh/9/x")) == (None, None, None)
    with pytest.raises(StoreUnavailable, match="shorter"):
        files.read("mesh/9", 5, 8)


def test_a_file_that_is_not_finished_leaves_the_one_before_it(files):
    def broken():
        yield b"new"
        raise StoreUnavailable("the source is gone", "")

    files.write("mesh/9", [b"old"])
    with pytest.raises(StoreUnavailable):
        files.write("mesh/9", broken())
    with pytest.raises(StoreUnavailable):
        files.write("mesh/10", broken())
    assert files.read("mesh/9") == b"old"
    assert list(files.names("mesh")) == ["9"]
    files.write("mesh/9", [b"newer"])
    assert files.read("mesh/9") == b"newer"


def test_files_and_folders_are_removed_and_names_are_those_right_there(files):
    for name in ("mesh/1", "mesh/1.index", "mesh/10", "mesh/part/0/1", "mesh/part/2", "mesh_2/5"):
        files.write(name, [b"."])
    assert sorted(files.names("mesh")) == ["1", "1.index", "10"]
    files.remove("mesh/1")
    files.remove("mesh/part")
    files.remove("mesh/absent")
    assert sorted(files.names("mesh")) == ["1.index", "10"]
    assert files.read("mesh/part/0/1") is None
    assert list(files.names("mesh_2")) == ["5"]
    assert list(files.names("nowhere")) == []


def test_meshes_take_turns_in_two_folders_and_the_old_ones_go_last(files):
    files.write("info", [json.dumps({**VOLUME, "skeletons": "lines"}).encode()])
    first = place(files)
    assert (first.folder, first.announced()) == ("mesh", None)
    files.write("mesh/voxgate-partial-1/0/0_0_0", [b"."])
    files.write("mesh/7", [b"."])
    first.announce(MULTIRES, properties=True)
    info = json.loads(files.read("info"))
    assert (info["mesh"], info["segment_properties"], info["skeletons"]) == ("mesh", "segment_properties", "lines")
    assert files.read("mesh/voxgate-partial-1/0/0_0_0") is None
    second = place(files)
    assert (second.folder, second.announced()) == ("mesh_2", MULTIRES)
    second.announce({**MULTIRES, "more": 1}, properties=False)
    assert (files.read("mesh/7"), place(files).folder, place(files).announced()["more"]) == (None, "mesh", 1)


def test_meshes_that_others_keep_elsewhere_are_left_where_they_are(files):
    files.write("info", [json.dumps({**VOLUME, "mesh": "mesh_mip_0"}).encode()])
    files.write("mesh_mip_0/7:0", [b"{}"])
    files.write("mesh_2/notes", [b"."])
    assert place(files).announced() == {"@type": "neuroglancer_legacy_mesh"}
    place(files).announce(MULTIRES, properties=False)
    assert json.loads(files.read("info"))["mesh"] == "mesh"
    assert (files.read("mesh_mip_0/7:0"), files.read("mesh_2/notes")) == (b"{}", b".")


@pytest.mark.parametrize(
    ("named", "busy", "expected"),
    [
        (None, (), "mesh"),
        ("", (), "mesh"),
        ("mesh", (), "mesh_2"),
        ("mesh_2", (), "mesh"),
        ("others", (), "mesh"),
        ("mesh", ("mesh",), "mesh"),
        ("mesh", ("mesh", "mesh_2"), "mesh_2"),
        (None, ("mesh_2",), "mesh_2"),
        ("others", ("mesh_2",), "mesh_2"),
    ],
)
def test_a_job_that_goes_on_finds_the_folder_that_it_began(named, busy, expected):
    assert chosen_folder(named, busy) == expected


def test_a_bucket_takes_no_file_that_is_too_large_to_be_held(monkeypatch):
    monkeypatch.setattr(meshes, "MOST_BYTES", 1 << 20)
    files = in_bucket()
    with pytest.raises(StoreRefused, match="more than 1 MiB"):
        files.write("mesh/0.shard", (bytes(300_000) for _ in range(5)))
    assert files.read("mesh/0.shard") is None


def test_a_prefix_with_something_else_takes_no_meshes():
    with pytest.raises(UnsupportedFormat):
        meshes.by_themselves(in_bucket(), Level(("em",), False))
    with pytest.raises(UnsupportedFormat):
        meshes.by_themselves(in_bucket(), Level((), True))
    assert meshes.by_themselves(in_bucket(), Level((), False)).folder == ""
    assert meshes.by_themselves(in_bucket(), Level(("voxgate-partial-7",), True)).announced() is None


def test_a_registry_finds_places_by_name(tmp_path):
    registry = registry_of(tmp_path)
    create(registry, "lab/seg", "precomputed")
    assert registry.mesh_store("lab/seg").folder == "mesh"
    assert registry.mesh_store("lab/a/b").folder == ""
    assert not (tmp_path / "a").exists()
    store = registry.mesh_store("lab/a/b")
    store.files.write("7", [b"."])
    with pytest.raises(UnsupportedFormat, match="neither"):
        registry.mesh_store("lab/a/b")
    store.announce(MULTIRES, properties=False)
    assert registry.mesh_store("lab/a/b").announced() == MULTIRES


@pytest.mark.parametrize("form", ["zarr3", "zarr2"])
def test_a_volume_of_zarr_is_refused_and_what_to_do_is_said(tmp_path, form):
    registry = registry_of(tmp_path)
    create(registry, "lab/seg", form)
    with pytest.raises(UnsupportedFormat, match="no place for meshes") as refused:
        registry.mesh_store("lab/seg")
    assert "destination" in refused.value.remedy
    with pytest.raises(UnsupportedFormat, match="inside of a volume"):
        registry.mesh_store("lab/seg/mesh")


def test_remotes_that_take_no_writes_and_stores_that_keep_no_meshes_refuse(tmp_path):
    create(registry_of(tmp_path), "lab/seg", "precomputed")
    with pytest.raises(ReadOnly):
        registry_of(tmp_path, writable=False).mesh_store("lab/seg")
    with pytest.raises(MissingCapability, match="takes no meshes"):
        registry_of(tmp_path).mesh_store("ram/seg")


def test_no_name_leads_out_of_the_remote(tmp_path):
    (tmp_path / "lab").mkdir()
    os.symlink(tmp_path, tmp_path / "lab/out")
    files = LocalProductFiles(tmp_path / "lab", PathGuard(tmp_path / "lab"))
    for name in ("../x", "/etc/x", "mesh/../../x", "out/x"):
        with pytest.raises(PathRefused):
            files.write(name, [b"."])
        with pytest.raises(PathRefused):
            files.read(name)
    files.remove("out")
    assert not (tmp_path / "lab/out").exists()
    assert tmp_path.exists()


def test_what_was_written_is_durable_before_it_is_answered_unless_the_operator_says_otherwise(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    LocalProductFiles(tmp_path, PathGuard(tmp_path), fsync=False).write("a/b", [b"."])
    assert synced == []
    LocalProductFiles(tmp_path, PathGuard(tmp_path)).write("mesh/part/7", [b"."])
    folders = [str(tmp_path), str(tmp_path / "mesh")]
    assert synced[:2] == folders
    assert "/.writing-" in synced[2]
    assert synced[3] == str(tmp_path / "mesh/part")


def test_errors_of_the_disk_name_no_folder(tmp_path):
    (tmp_path / "mesh").write_bytes(b"")
    files = LocalProductFiles(tmp_path, PathGuard(tmp_path))
    with pytest.raises(StoreUnavailable) as failed:
        files.write("mesh/7", [b"."])
    assert str(tmp_path) not in str(failed.value)
    assert "`7`" in str(failed.value)
