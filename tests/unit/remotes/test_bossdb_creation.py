"""Making channels in a BossDB."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from support.boss_remotes import PATH, bare_remote, boss_remote
from support.bossdb import BossServer, bossdb_server
from support.references import image
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    StoreAccessDenied,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import RAW, Channel, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.bossdb import BossRemote

VOXELS = image((1, 3, 4, 5), "<u1")
BOUNDS = Box.of(x=(10, 1500), y=(20, 1300), z=(30, 45))
SPEC = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, VoxelSize(4, 4, 33.5)),))
NEW = ("new-lab", "Dataset_2", "seg")


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, VOXELS[0])
        yield running


@pytest.fixture
def remote(server: BossServer) -> BossRemote:
    return bare_remote(server, options={"believed_s": 3600})


def test_a_channel_is_made_with_all_that_is_around_it(server, remote):
    volume = remote.create(NEW, SPEC)
    scale = volume.info.scales[0]
    assert (scale.bounds, scale.voxel_size_nm, scale.writable) == (BOUNDS, VoxelSize(4, 4, 33.5), True)
    assert (volume.info.dtype, volume.info.kind) == (SPEC.dtype, SPEC.kind)
    experiment = server.store.experiment("new-lab", "Dataset_2")
    assert (experiment.num_hierarchy_levels, experiment.hierarchy_method) == (3, "anisotropic")
    assert experiment.coord_frame.name == "CF_new-lab_Dataset_2"
    box = Box.of(x=(500, 530), y=(500, 520), z=(30, 40))
    voxels = np.full((1, 10, 20, 30), 2**64 - 1, "<u8")
    volume.write(box, voxels)
    np.testing.assert_array_equal(remote.open(NEW, OpenOptions()).read(box), voxels)


def test_voxels_that_are_cubes_get_an_isotropic_hierarchy(server, remote):
    remote.create(NEW, replace(SPEC, scales=(ScaleSpec(BOUNDS, VoxelSize(8, 8, 8)),)))
    assert server.store.experiment("new-lab", "Dataset_2").hierarchy_method == "isotropic"


def test_an_equal_spec_is_answered_by_what_is_there(server, remote):
    remote.create(NEW, SPEC)
    server.requests.clear()
    assert remote.create(NEW, SPEC).info.scales[0].bounds == BOUNDS
    assert server.requests.count("POST") == 0


def test_a_second_channel_goes_into_the_same_experiment(server, remote):
    remote.create(NEW, SPEC)
    em = (*NEW[:2], "em")
    remote.create(em, replace(SPEC, dtype=np.dtype("<u2"), kind=VolumeKind.IMAGE))
    assert [entry.segment for entry in remote.list(NEW[:2])] == ["em", "seg"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": np.dtype("<u4")}, "datatype: uint64, not uint32"),
        ({"kind": VolumeKind.IMAGE}, "type: annotation, not image"),
        ({"scales": (ScaleSpec(BOUNDS, VoxelSize(4, 4, 33)),)}, "voxels in nanometres"),
        ({"scales": (ScaleSpec(BOUNDS.shifted(Vec3(1, 0, 0)), VoxelSize(4, 4, 33.5)),)}, "bounds"),
    ],
)
def test_what_is_there_and_differs_is_named(remote, change, words):
    remote.create(NEW, SPEC)
    with pytest.raises(AlreadyExists, match=words.replace("[", r"\[")):
        remote.create(NEW, replace(SPEC, **change))


def test_a_frame_in_another_unit_is_the_same_frame(server, remote):
    server.store.add_channel(*NEW[:2], "em", VOXELS[0], start=tuple(BOUNDS.start), stop=tuple(BOUNDS.stop),
                             voxel_size=(0.004, 0.004, 0.0335), voxel_unit="micrometers")  # fmt: skip
    assert remote.create(NEW, SPEC).info.scales[0].bounds == BOUNDS


def test_an_experiment_with_time_is_another_one(server, remote):
    server.store.add_channel(*NEW[:2], "em", start=tuple(BOUNDS.start), stop=tuple(BOUNDS.stop), num_time_samples=2)
    with pytest.raises(AlreadyExists, match="time points: 2"):
        remote.create(NEW, SPEC)


def test_a_deleted_name_is_not_given_away_again(remote):
    remote.create(NEW, SPEC)
    remote.delete(NEW)
    with pytest.raises(AlreadyExists, match="deleted"):
        remote.create(NEW, SPEC)


SCALE = SPEC.scales[0]
REFUSED = {
    "several scales": ({"scales": (SCALE, SCALE)}, UnsupportedFormat, "computes its coarser levels"),
    "floats": ({"dtype": np.dtype("<f4")}, UnsupportedFormat, "float32"),
    "signed": ({"dtype": np.dtype("<i8")}, UnsupportedFormat, "int64"),
    "no kind": ({"kind": VolumeKind.UNKNOWN}, InvalidArgument, "state the kind"),
    "no voxel size": ({"scales": (replace(SCALE, voxel_size_nm=None),)}, InvalidArgument, "voxel_size_nm"),
    "below zero": (
        {"scales": (replace(SCALE, bounds=BOUNDS.shifted(Vec3(-11, 0, 0))),)},
        UnsupportedFormat,
        "no voxels",
    ),
    "far away": (
        {"scales": (replace(SCALE, bounds=BOUNDS.shifted(Vec3(2**31, 0, 0))),)},
        UnsupportedFormat,
        "no voxels",
    ),
    "channels": ({"channels": (Channel("a"),)}, UnsupportedFormat, "channel axis"),
    "fill value": ({"fill_value": 7}, UnsupportedFormat, "0"),
    "format": ({"format": "zarr3"}, UnsupportedFormat, "zarr3"),
    "chunks": ({"scales": (replace(SCALE, chunk_shape=Vec3(64, 64, 64)),)}, UnsupportedFormat, "512 x 512 x 16"),
    "encoding": ({"scales": (replace(SCALE, encoding=RAW),)}, UnsupportedFormat, "encoding"),
}


@pytest.mark.parametrize(("change", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_bossdb_cannot_hold_is_refused_before_anything_is_made(server, remote, change, error, words):
    before = len(server.requests)
    with pytest.raises(error, match=words):
        remote.create(NEW, replace(SPEC, **change))
    assert len(server.requests) == before


@pytest.mark.parametrize("path", [("a", "b"), ("a", "b", "c", "d"), ("a", "b c", "d"), ("a", "b", "x" * 256)])
def test_a_name_that_bossdb_cannot_have_is_refused(remote, path):
    with pytest.raises(InvalidArgument):
        remote.create(path, SPEC)


def test_who_may_not_make_channels_is_told_what_the_store_says(server):
    with pytest.raises(StoreAccessDenied, match="resource-manager"):
        boss_remote(server, credentials={"token": "public"}).create(NEW, SPEC)


def test_a_lost_answer_makes_nothing_twice(server, remote):
    server.cut_next(1, times=4, method="POST", containing="")
    assert remote.create(NEW, SPEC).info.scales[0].bounds == BOUNDS
