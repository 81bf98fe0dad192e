"""Creating volumes in DVID: what they become, what they remember, and what cannot be."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from support.dvid_volumes import SERVERS, Repository, repository
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    MalformedName,
    UnknownScale,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import (
    RAW,
    ArrayCodec,
    Channel,
    Encoding,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.dvid.instances import Instance
from voxgate_remotes.dvid.levels import halved

BLOCK = Vec3(16, 16, 16)
BOUNDS = Box.of(x=(5, 38), y=(16, 31), z=(33, 60))
SIZE = VoxelSize(4, 4.5, 40)
IMAGE = VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (ScaleSpec(BOUNDS, SIZE, BLOCK),))
LABELS = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, SIZE, BLOCK),))


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Repository]:
    with repository(request.param) as found:
        yield found


@pytest.fixture
def name() -> str:
    return f"c{np.random.default_rng().integers(1 << 60)}"


def pyramid(spec: VolumeSpec, levels: int) -> VolumeSpec:
    fine = spec.scales[0]
    size = fine.voxel_size_nm or SIZE
    scales = tuple(
        ScaleSpec(halved(fine.bounds, n), VoxelSize(*(one * 2**n for one in size)), fine.chunk_shape)
        for n in range(levels)
    )
    return replace(spec, scales=scales)


READ_IN_ANOTHER_PROCESS = """
import json, sys
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid import DvidRemote
volume = DvidRemote(RemoteConfig(uri=sys.argv[1])).open((sys.argv[2],), OpenOptions())
bounds = volume.info.scales[0].bounds
voxels = volume.read(bounds)
print(json.dumps([list(bounds.start), list(bounds.stop), [int(one) for one in voxels.ravel()]]))
"""


@pytest.mark.parametrize("spec", [IMAGE, LABELS], ids=["image", "labels"])
def test_another_process_finds_the_bounds_and_voxels_of_a_new_volume(store: Repository, name: str, spec: VolumeSpec):
    volume = store.remote().create((name,), spec)
    voxels = np.random.default_rng(0).integers(0, 9, (1, *BOUNDS.shape.zyx)).astype(spec.dtype)
    volume.capability(Writable).write(BOUNDS, voxels)
    uri = f"dvid://{store.url}/{store.root}"
    ran = subprocess.run(
        [sys.executable, "-c", READ_IN_ANOTHER_PROCESS, uri, name], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    start, stop, found = json.loads(ran.stdout)
    assert (start, stop) == (list(BOUNDS.start), list(BOUNDS.stop))
    assert found == voxels.ravel().tolist()


def test_other_programs_see_the_extents_of_a_new_volume(store: Repository, name: str):
    store.remote().create((name,), LABELS)
    extents = store.call("GET", f"{name}/info").json()["Extents"]
    assert extents == {"MinPoint": [5, 16, 33], "MaxPoint": [37, 30, 59]}


def test_an_equal_spec_is_answered_and_another_refused(store: Repository, name: str):
    remote = store.remote()
    first = remote.create((name,), LABELS)
    first.write(BOUNDS, np.full((1, *BOUNDS.shape.zyx), 7, "<u8"))
    again = remote.create((name,), LABELS)
    assert again.info == first.info
    assert (again.read(BOUNDS) == 7).all()
    scale = LABELS.scales[0]
    others = [
        IMAGE,
        replace(LABELS, scales=(replace(scale, bounds=Box(BOUNDS.start, BOUNDS.stop + Vec3(1, 0, 0))),)),
        replace(LABELS, scales=(replace(scale, voxel_size_nm=VoxelSize(4, 4, 40)),)),
        replace(LABELS, scales=(replace(scale, chunk_shape=Vec3(32, 16, 16)),)),
        pyramid(LABELS, 2),
    ]
    for other in others:
        with pytest.raises(AlreadyExists):
            remote.create((name,), other)


def test_a_volume_that_another_program_extended_is_still_the_one_created(store: Repository, name: str):
    remote = store.remote()
    remote.create((name,), LABELS)
    store.put_labels(name, Vec3(64, 16, 32), np.full((16, 16, 16), 3, "<u8"))
    grown = remote.create((name,), LABELS).info.scales[0].bounds
    assert grown == Box.of(x=(5, 80), y=(16, 32), z=(32, 60))


def test_labels_of_several_scales_are_one_instance_that_dvid_fills(store: Repository, name: str):
    volume = store.remote().create((name,), pyramid(LABELS, 3))
    assert [scale.bounds for scale in volume.info.scales] == [halved(BOUNDS, n) for n in range(3)]
    assert [scale.writable for scale in volume.info.scales] == [True, False, False]
    volume.write(BOUNDS, np.full((1, *BOUNDS.shape.zyx), 2**63 + 3, "<u8"))
    for number, scale in enumerate(volume.info.scales):
        assert (volume.read(scale.bounds, scale=number) == 2**63 + 3).all()


def test_images_of_several_scales_are_siblings_with_bounds_of_their_own(store: Repository, name: str):
    fine, coarse = IMAGE.scales[0], ScaleSpec(Box.of(x=(2, 19), y=(8, 16), z=(33, 60)), VoxelSize(8, 9, 40), BLOCK)
    spec = replace(IMAGE, scales=(fine, coarse))
    remote = store.remote()
    volume = remote.create((name,), spec)
    assert [scale.bounds for scale in volume.info.scales] == [fine.bounds, coarse.bounds]
    assert [scale.voxel_size_nm for scale in volume.info.scales] == [SIZE, coarse.voxel_size_nm]
    voxels = np.arange(coarse.bounds.voxel_count, dtype="<u2").reshape(1, *coarse.bounds.shape.zyx)
    volume.write(coarse.bounds, voxels, scale=1)
    np.testing.assert_array_equal(volume.read(coarse.bounds, scale=1), voxels)
    assert not volume.read(fine.bounds).any()
    listed = {one.segment: one.is_volume for one in remote.list(())}
    assert listed[name]
    assert listed[f"{name}_1"]
    assert remote.create((name,), spec).info == volume.info


def test_an_unknown_voxel_size_stays_unknown(store: Repository, name: str):
    spec = replace(IMAGE, scales=(replace(IMAGE.scales[0], voxel_size_nm=None),))
    assert store.remote().create((name,), spec).info.scales[0].voxel_size_nm is None


@pytest.mark.parametrize(
    ("dtype", "typename"),
    [("<u1", "uint8blk"), ("<u4", "uint32blk"), ("<u8", "uint64blk"), ("<f4", "float32blk")],
)
def test_images_become_the_instance_of_their_dtype(store: Repository, name: str, dtype: str, typename: str):
    volume = store.remote().create((name,), replace(IMAGE, dtype=np.dtype(dtype)))
    assert volume.info.dtype == np.dtype(dtype)
    assert store.call("GET", f"{name}/info").json()["Base"]["TypeName"] == typename


SCALE = IMAGE.scales[0]
BELOW_ZERO = ScaleSpec(Box.of(x=(-5, 38), y=(16, 31), z=(33, 60)), SIZE, BLOCK)
IMPOSSIBLE = {
    "labels of 32 bits": replace(LABELS, dtype=np.dtype("<u4")),
    "signed voxels": replace(IMAGE, dtype=np.dtype("<i2")),
    "doubles": replace(IMAGE, dtype=np.dtype("<f8")),
    "channels": replace(IMAGE, channels=(Channel("a"),)),
    "a fill value": replace(IMAGE, fill_value=7),
    "a format": replace(IMAGE, format="zarr3"),
    "shards": replace(IMAGE, scales=(replace(SCALE, shard_shape=Vec3(32, 32, 32)),)),
    "an encoding": replace(IMAGE, scales=(replace(SCALE, encoding=Encoding(ArrayCodec.PNG)),)),
    "blocks of labels": replace(LABELS, scales=(replace(SCALE, chunk_shape=Vec3(24, 16, 16)),)),
    "scales of labels": replace(LABELS, scales=(SCALE, replace(SCALE, voxel_size_nm=VoxelSize(8, 9, 80)))),
    "coarser labels below 0": pyramid(replace(LABELS, scales=(BELOW_ZERO,)), 2),
    "coarser labels in bricks": pyramid(replace(LABELS, scales=(replace(SCALE, chunk_shape=Vec3(32, 16, 16)),)), 2),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_dvid_cannot_hold_exactly_is_refused(store: Repository, name: str, what: str):
    with pytest.raises(UnsupportedFormat) as caught:
        store.remote().create((name,), IMPOSSIBLE[what])
    assert caught.value.remedy
    assert name not in [one.segment for one in store.remote().list(())]


def test_what_makes_no_sense_is_refused(store: Repository, name: str):
    remote = store.remote()
    empty = Box(BOUNDS.start, BOUNDS.start)
    far = Box(BOUNDS.start, Vec3(2**31, 31, 60))
    for bad in (
        replace(IMAGE, scales=()),
        *(replace(IMAGE, scales=(replace(SCALE, bounds=bounds),)) for bounds in (empty, far)),
        replace(IMAGE, scales=(replace(SCALE, chunk_shape=Vec3(0, 1, 1)),)),
    ):
        with pytest.raises(InvalidArgument):
            remote.create((name,), bad)
    for word in ("log", "a b", "a:b", "x@y", "-a"):
        with pytest.raises(MalformedName):
            remote.create((word,), IMAGE)
    with pytest.raises(MalformedName):
        remote.create((name, "deeper"), IMAGE)
    with pytest.raises(AlreadyExists):
        remote.create((), IMAGE)


def test_an_empty_instance_has_no_scales_until_somebody_says_where_its_voxels_are(store: Repository):
    made = store.make("uint8blk", BLOCK)
    volume = store.remote().open((made,), OpenOptions())
    assert volume.info.scales == ()
    assert volume.capability(Writable) is None
    with pytest.raises(UnknownScale):
        volume.read(BOUNDS)
    stated = store.remote(empty_bounds="5,16,33,38,31,60").open((made,), OpenOptions())
    assert stated.info.scales[0].bounds == BOUNDS
    stated.write(BOUNDS, np.full((1, *BOUNDS.shape.zyx), 9, "<u1"))
    grown = store.remote().open((made,), OpenOptions()).info.scales[0].bounds
    assert grown == Box.of(x=(0, 48), y=(16, 32), z=(32, 64))  # DVID's own extents are whole blocks


def test_labels_with_levels_are_not_written_below_voxel_0(store: Repository):
    made = store.make("labelmap", BLOCK, MaxDownresLevel="1", Tags="voxgate-bounds=-20_0_0_16_16_16")
    volume = store.remote().open((made,), OpenOptions())
    box = Box.of(x=(-3, 4), y=(1, 2), z=(3, 5))
    with pytest.raises(UnsupportedFormat):
        volume.write(box, np.ones((1, 2, 1, 7), "<u8"))
    assert not volume.read(box).any()
    volume.write(Box.of(x=(1, 4), y=(1, 2), z=(3, 5)), np.ones((1, 2, 1, 3), "<u8"))


def test_voxels_beyond_the_tagged_bounds_widen_them():
    def bounds_of(extent: Box) -> Box | None:
        return Instance("a", "uint8blk", BLOCK, None, extent, BOUNDS).bounds

    assert bounds_of(Box.of(x=(0, 48), y=(16, 32), z=(32, 64))) == BOUNDS
    assert bounds_of(Box.of(x=(0, 64), y=(16, 32), z=(32, 64))) == Box.of(x=(0, 64), y=(16, 32), z=(32, 64))
    assert bounds_of(Box.of(x=(-16, 0), y=(16, 32), z=(32, 48))) == Box.of(x=(-16, 38), y=(16, 32), z=(32, 60))


def test_raw_is_the_one_encoding_that_may_be_stated(store: Repository, name: str):
    spec = replace(IMAGE, scales=(replace(SCALE, encoding=RAW, shard_shape=BLOCK),))
    assert store.remote().create((name,), spec).info.scales[0].bounds == BOUNDS
