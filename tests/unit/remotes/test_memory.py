import numpy as np
import pytest

from voxgate.model.errors import (
    AlreadyExists,
    ConfigInvalid,
    InvalidArgument,
    OutOfBounds,
    ReadOnly,
    UnknownVersion,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import (
    ArrayCodec,
    Channel,
    ChunkPresence,
    Encoding,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.checks import path_under
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote, MemoryVolume

BOX = Box.of(x=(-5, 8), y=(100, 107), z=(2, 5))
SPEC = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, chunk_shape=Vec3(4, 3, 2)),))


def remote(*, writable: bool = True) -> MemoryRemote:
    return MemoryRemote(RemoteConfig(uri="memory://scratch", writable=writable))


def spec(**changes: object) -> VolumeSpec:
    facts = {"dtype": np.dtype("<u8"), "kind": VolumeKind.SEGMENTATION, "scales": SPEC.scales}
    return VolumeSpec(**(facts | changes))


def test_a_created_volume_is_empty_and_says_what_was_asked_for():
    volume = remote().create(("a", "b"), spec(fill_value=7, channels=(Channel("one"), Channel("two"))))
    assert volume.info.axes == "czyx"
    assert volume.info.channels == (Channel("one"), Channel("two"))
    assert volume.info.scales[0].bounds == BOX
    assert volume.info.scales[0].grid_origin == BOX.start
    assert volume.capability(ChunkPresence).is_absent(BOX)
    np.testing.assert_array_equal(volume.read(BOX), np.full((2, 3, 7, 13), 7, "<u8"))


def test_only_chunks_that_were_written_are_present():
    volume = remote().create(("a",), SPEC)
    one = Box.at(BOX.start + Vec3(4, 0, 2), Vec3(1, 1, 1))
    volume.write(one, np.zeros((1, 1, 1, 1), "<u8"))
    assert not volume.is_absent(Box.at(BOX.start + Vec3(4, 0, 2), Vec3(4, 3, 1)))
    assert not volume.is_absent(BOX)
    for beside in (Vec3(0, 0, 2), Vec3(8, 0, 2), Vec3(4, 3, 2), Vec3(4, 0, 1)):
        assert volume.is_absent(Box.at(BOX.start + beside, Vec3(1, 1, 1)))


def test_creating_again_with_an_equal_spec_answers_the_same_voxels():
    store = remote()
    store.create(("a",), SPEC).write(BOX, np.full((1, 3, 7, 13), 2**63 + 1, "<u8"))
    again = store.create(("a",), spec(dtype=np.dtype("uint64")))
    assert (again.read(BOX) == 2**63 + 1).all()


@pytest.mark.parametrize("path", [("a",), ("a", "b", "c"), ()])
def test_a_name_that_is_taken_or_lies_in_a_volume_is_refused(path):
    store = remote()
    store.create(("a", "b"), SPEC)
    with pytest.raises(AlreadyExists):
        store.create(path, SPEC)
    with pytest.raises(AlreadyExists):
        store.create(("a", "b"), spec(fill_value=1))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"format": "zarr3"}, UnsupportedFormat),
        ({"dtype": np.dtype("<c8")}, UnsupportedFormat),
        ({"scales": ()}, InvalidArgument),
        ({"scales": (ScaleSpec(Box(BOX.stop, BOX.start)),)}, InvalidArgument),
        ({"scales": (ScaleSpec(BOX, chunk_shape=Vec3(4, 0, 2)),)}, InvalidArgument),
        ({"scales": (ScaleSpec(BOX, chunk_shape=Vec3(4, 3, 2), shard_shape=Vec3(8, 4, 2)),)}, InvalidArgument),
        ({"scales": (ScaleSpec(BOX, encoding=Encoding(ArrayCodec.JPEG)),)}, UnsupportedFormat),
        ({"fill_value": -1}, InvalidArgument),
        ({"fill_value": 2**64}, InvalidArgument),
        ({"fill_value": 0.5}, InvalidArgument),
        ({"fill_value": float("nan")}, InvalidArgument),
    ],
)
def test_a_spec_that_memory_cannot_hold_exactly_is_refused_and_leaves_nothing(changes, error):
    store = remote()
    with pytest.raises(error):
        store.create(("a",), spec(**changes))
    assert store.list(()) == []


def test_shards_are_the_write_granule():
    sharded = ScaleSpec(BOX, chunk_shape=Vec3(4, 3, 2), shard_shape=Vec3(8, 3, 6))
    scale = remote().create(("a",), spec(scales=(sharded,))).info.scales[0]
    assert (scale.stored_chunk_shape, scale.write_granule_shape) == (Vec3(4, 3, 2), Vec3(8, 3, 6))


def test_the_listing_shows_one_level_and_tells_groups_from_volumes():
    store = remote()
    for path in (("em",), ("seg", "proofread", "v2"), ("seg", "raw")):
        store.create(path, SPEC)
    assert store.list(()) == [ListEntry("em", True), ListEntry("seg", False)]
    assert store.list(("seg",)) == [ListEntry("proofread", False), ListEntry("raw", True)]
    for nowhere in (("se",), ("seg", "nothing"), ("em", "x")):
        with pytest.raises(UnknownVolume):
            store.list(nowhere)


def test_what_memory_does_not_have_is_refused():
    store = remote()
    store.create(("a",), SPEC)
    with pytest.raises(UnknownVolume):
        store.open(("b",), OpenOptions())
    with pytest.raises(UnknownVersion):
        store.open(("a",), OpenOptions(version="v1"))
    with pytest.raises(OutOfBounds):
        store.open(("a",), OpenOptions(time_index=1))
    assert store.open(("a",), OpenOptions(time_index=0)).info.scales[0].bounds == BOX


def test_a_remote_that_is_not_writable_creates_nothing():
    with pytest.raises(ReadOnly, match="writable = true"):
        remote(writable=False).create(("a",), SPEC)


def test_a_read_only_handle_takes_no_writes_and_sees_those_of_others():
    volume = MemoryVolume.create(SPEC)
    reader = volume.read_only()
    volume.write(BOX, np.full((1, 3, 7, 13), 9, "<u8"))
    assert (reader.read(BOX) == 9).all()
    assert reader.capability(Writable) is None
    with pytest.raises(ReadOnly):
        reader.write(BOX, np.zeros((1, 3, 7, 13), "<u8"))
    assert (reader.read(BOX) == 9).all()


def test_from_array_copies_and_takes_channels_and_big_endian_voxels():
    voxels = np.arange(2 * 3 * 4 * 5, dtype=">u2").reshape(2, 3, 4, 5)
    volume = MemoryVolume.from_array(voxels, voxel_offset=Vec3(-1, 2, 3), voxel_size_nm=VoxelSize(4, 5, 6))
    expected = voxels.copy()
    voxels[...] = 0
    assert volume.info.dtype == np.dtype("<u2")
    assert volume.info.channel_count == 2
    assert volume.info.scales[0].bounds == Box.of(x=(-1, 4), y=(2, 6), z=(3, 6))
    np.testing.assert_array_equal(volume.read(volume.info.scales[0].bounds), expected)


def test_an_array_that_is_no_volume_is_refused():
    for shape in ((3, 4), (1, 1, 2, 3, 4), (0, 3, 4)):
        with pytest.raises(InvalidArgument):
            MemoryVolume.from_array(np.zeros(shape, "<u1"))


@pytest.mark.parametrize("wrong", [{"options": {"size": 5}}, {"format": "zarr3"}])
def test_an_option_or_format_is_refused(wrong):
    with pytest.raises(ConfigInvalid):
        MemoryRemote(RemoteConfig(uri="memory://", **wrong))


@pytest.mark.parametrize(
    ("prefix", "uri", "expected"),
    [
        ("memory://", "memory://a/b", ResolvedUri(9, ("a", "b"))),
        ("memory://", "memory://", ResolvedUri(9, ())),
        ("memory://scratch", "memory://scratch/a%20b/c/", ResolvedUri(16, ("a b", "c"))),
        ("memory://scratch/", "memory://scratch", ResolvedUri(16, ())),
        ("file:///", "file:///data/em", ResolvedUri(7, ("data", "em"))),
        ("file:///data", "file:///data/em", ResolvedUri(12, ("em",))),
        ("file:///data", "file:///database/em", None),
        ("file:///data", "file:///data/../etc", None),
        ("file:///data", "file:///data/%2e%2e/etc", None),
        ("file:///data", "file:///data/a%2Fb", None),
        ("file:///data", "file:///data//em", None),
        ("file:///data", "file:///data/em?x=1", None),
        ("file:///data", "gs://data/em", None),
    ],
)
def test_a_uri_is_matched_by_whole_segments_of_its_prefix(prefix, uri, expected):
    assert path_under(prefix, uri) == expected
    if expected and prefix.startswith("memory"):
        assert MemoryRemote(RemoteConfig(uri=prefix)).resolve(uri) == expected
