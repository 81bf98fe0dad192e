"""What a BossDB channel is said to be, and how soon it is noticed that it is something else."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.boss_remotes import PATH, bare_remote
from support.bossdb import BossServer, bossdb_server
from support.references import image, segmentation
from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import (
    Cancelled,
    InvalidArgument,
    MetadataInvalid,
    OutOfBounds,
    StoreAccessDenied,
    StoreUnavailable,
    UnknownVersion,
    UnknownVolume,
    UnsupportedFormat,
    VersionMoved,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, OpenOptions, VolumeKind, Writable
from voxgate_remotes.bossdb.documents import ChannelDocument, ExperimentDocument, FrameDocument, LevelsDocument
from voxgate_remotes.bossdb.levels import levels_of

VOXELS = image((1, 6, 8, 11), "<u1")
WHOLE = Box.of(x=(0, 11), y=(0, 8), z=(0, 6))


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, VOXELS[0])
        yield running


def documents(server: BossServer) -> int:
    return server.requests.count("GET", "/collection/")


def test_opening_again_asks_the_store_nothing(server):
    remote = bare_remote(server, options={"believed_s": 3600})
    first = remote.open(PATH, OpenOptions())
    before = len(server.requests)
    assert all(remote.open(PATH, OpenOptions()).info is first.info for _ in range(50))
    assert len(server.requests) == before == 3


def test_what_did_not_change_stays_the_same_object(server):
    remote = bare_remote(server, options={"believed_s": 0})
    first = remote.open(PATH, OpenOptions())
    assert remote.open(PATH, OpenOptions()).info is first.info
    assert documents(server) == 4


def test_of_many_that_open_at_once_one_asks(server):
    remote = bare_remote(server, options={"believed_s": 3600})
    answering = threading.Event()
    server.hold_next(answering, containing="/channel/")
    with ThreadPoolExecutor(8) as pool:
        opening = [pool.submit(remote.open, PATH, OpenOptions()) for _ in range(8)]
        answering.set()
        assert len({id(each.result().info) for each in opening}) == 1
    assert documents(server) == 2


def test_who_leaves_while_another_asks_waits_no_longer(server):
    remote = bare_remote(server)
    answering, asked, context = threading.Event(), threading.Event(), CallContext()
    server.on_request(lambda _: asked.set())
    server.hold_next(answering, containing="/channel/")
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(remote.open, PATH, OpenOptions())
        assert asked.wait(60)
        context.stop.set()
        with pytest.raises(Cancelled):
            remote.open(PATH, OpenOptions(context=context))
        answering.set()
        opening.result()


def test_a_channel_deleted_under_a_reader_is_noticed(server):
    remote = bare_remote(server, options={"believed_s": 3600})
    volume = remote.open(PATH, OpenOptions())
    server.store.channel(*PATH).deleted = True
    with pytest.raises(UnknownVolume, match="marked for deletion"):
        volume.read(WHOLE)
    with pytest.raises(UnknownVolume):
        remote.open(PATH, OpenOptions())


def test_a_channel_made_again_with_another_type_is_noticed_by_readers_and_writers(server):
    remote = bare_remote(server, options={"believed_s": 3600})
    volume = remote.open(PATH, OpenOptions())
    server.store.add_channel(*PATH, VOXELS[0].astype("<u2"))
    with pytest.raises(VersionMoved):
        volume.read(WHOLE)
    with pytest.raises(VersionMoved):
        volume.write(WHOLE, VOXELS | 1)
    again = remote.open(PATH, OpenOptions())
    np.testing.assert_array_equal(again.read(WHOLE), VOXELS.astype("<u2"))


def test_an_answer_of_the_wrong_length_from_an_unchanged_channel_is_corrupt(server):
    volume = bare_remote(server).open(PATH, OpenOptions())
    server.shorten_next(30)
    with pytest.raises(Exception, match="not what was asked for") as caught:
        volume.read(WHOLE)
    assert caught.value.reason == "CHUNK_CORRUPT"


def test_a_channel_made_again_with_the_same_type_is_noticed_when_it_is_opened(server):
    remote = bare_remote(server, options={"believed_s": 0})
    assert remote.open(PATH, OpenOptions()).info.kind is VolumeKind.IMAGE
    server.store.add_channel(*PATH, VOXELS[0], type="annotation")
    assert remote.open(PATH, OpenOptions()).info.kind is VolumeKind.SEGMENTATION


def test_a_failing_look_is_not_remembered(server):
    remote = bare_remote(server)
    server.fail_next(500, times=1)
    with pytest.raises(StoreUnavailable):
        remote.open(PATH, OpenOptions())
    assert remote.open(PATH, OpenOptions()).info.scales[0].bounds == WHOLE


@pytest.mark.parametrize("path", [(), ("lab",), ("lab", "mouse"), ("lab", "mouse", "em", "0"), ("lab", "mouse", "no"),
                                  ("lab", "mouse", "a/b"), ("..", "mouse", "em"), ("lab", "", "em")])  # fmt: skip
def test_what_is_no_channel_is_unknown(server, path):
    with pytest.raises(UnknownVolume):
        bare_remote(server).open(path, OpenOptions())


def test_a_version_or_a_time_that_is_not_there_is_refused(server):
    server.store.add_channel("lab", "film", "em", image((3, 2, 2, 2), "<u1"), num_time_samples=3)
    remote = bare_remote(server)
    with pytest.raises(UnknownVersion):
        remote.open(PATH, OpenOptions(version="3"))
    with pytest.raises(OutOfBounds):
        remote.open(("lab", "film", "em"), OpenOptions(time_index=3))
    with pytest.raises(InvalidArgument, match="time_index of 0 to 2"):
        remote.open(("lab", "film", "em"), OpenOptions()).read(Box.of(x=(0, 1), y=(0, 1), z=(0, 1)))


@pytest.mark.parametrize("datatype", ["float32", "int8", "bool"])
def test_a_type_that_is_not_supported_is_named_and_not_cast(server, datatype):
    server.store.channel(*PATH).datatype = datatype
    with pytest.raises(UnsupportedFormat, match=datatype):
        bare_remote(server).open(PATH, OpenOptions())


@pytest.mark.parametrize(("size", "unit"), [((0, 1, 1), "nanometers"), ((1, 1, 1), "parsec")])
def test_metadata_that_cannot_be_is_named(server, size, unit):
    server.store.add_frame("CF_lab_mouse", (0, 0, 0), (11, 8, 6), size, unit)
    server.store.experiment("lab", "mouse").coord_frame = server.store.frames["CF_lab_mouse"]
    with pytest.raises(MetadataInvalid, match="voxel"):
        bare_remote(server).open(PATH, OpenOptions())


def test_a_page_where_a_document_should_be_is_no_boss(server):
    server.redirect_next(f"http://{server.address}/elsewhere", times=9)
    with pytest.raises((StoreUnavailable, UnknownVolume)):
        bare_remote(server).open(PATH, OpenOptions())


def test_who_may_not_read_is_told_what_the_store_says(server):
    server.store.add_channel("lab", "secret", "em", VOXELS[0], public=False)
    with pytest.raises(StoreAccessDenied, match="missing permission read"):
        bare_remote(server, credentials={"token": "public"}).open(("lab", "secret", "em"), OpenOptions())
    with pytest.raises(StoreAccessDenied):
        bare_remote(server, credentials={"token": "nobodys0token"}).open(PATH, OpenOptions())


def test_a_channel_read_from_a_cloud_volume_can_be_read(server):
    server.store.add_channel("lab", "cloud", "em", VOXELS[0], storage_type="cloudvol")
    volume = bare_remote(server).open(("lab", "cloud", "em"), OpenOptions())
    np.testing.assert_array_equal(volume.read(WHOLE), VOXELS)
    assert volume.capability(Writable) is None


def test_levels_are_offered_only_when_the_store_says_that_they_fit(server):
    server.store.add_channel("lab", "deep", "seg", segmentation((1, 4, 8, 8))[0], num_hierarchy_levels=3)
    remote = bare_remote(server, options={"believed_s": 0})
    channel = server.store.channel("lab", "deep", "seg")
    for status, count in [("NOT_DOWNSAMPLED", 1), ("QUEUED", 1), ("IN_PROGRESS", 1), ("FAILED", 1), ("DOWNSAMPLED", 3)]:
        channel.downsample_status = status
        assert len(remote.open(("lab", "deep", "seg"), OpenOptions()).info.scales) == count


def test_of_a_time_series_no_coarser_level_is_offered(server):
    """The store computes those of time 0 alone."""
    server.store.add_channel("lab", "film", "em", image((3, 2, 8, 8), "<u1"), num_time_samples=3,
                             levels=[image((3, 2, 4, 4), "<u1")])  # fmt: skip
    assert len(bare_remote(server).open(("lab", "film", "em"), OpenOptions()).info.scales) == 1


def test_what_the_store_computes_is_read_at_the_coordinates_it_computes_it_for(server):
    """Ids of blocks of 4 x 4 stay where they are when they are halved."""
    corners = segmentation((1, 3, 6, 9), seed=2) | np.uint64(1)
    voxels = corners.repeat(4, axis=2).repeat(4, axis=3)
    server.store.add_channel("lab", "deep", "seg", voxels[0], num_hierarchy_levels=3)
    remote = bare_remote(server, options={"believed_s": 0})
    remote.open(("lab", "deep", "seg"), OpenOptions()).start_downsampling()
    path = ("lab", "deep", "seg")
    while (state := remote.open(path, OpenOptions()).downsampling()) is not DownsamplingState.DONE:
        assert state in (DownsamplingState.QUEUED, DownsamplingState.RUNNING)
    volume = remote.open(path, OpenOptions())
    np.testing.assert_array_equal(volume.read(volume.info.scales[2].bounds, scale=2), corners)


# -- levels, worked out and told

LENGTHS = st.integers(1, 5000)


def frame(start: tuple[int, int, int], stop: tuple[int, int, int], size: tuple[float, float, float]) -> FrameDocument:
    told = {f"{axis}_{what}": value for what, numbers in (("start", start), ("stop", stop), ("voxel_size", size))
            for axis, value in zip("xyz", numbers, strict=True)}  # fmt: skip
    return FrameDocument.model_validate({**told, "voxel_unit": "nanometers"})


@given(stop=st.tuples(LENGTHS, LENGTHS, LENGTHS), z=st.integers(0, 100), method=st.sampled_from(["isotropic", "no"]))
def test_levels_worked_out_are_those_that_the_store_would_tell(stop, z, method):
    channel = ChannelDocument(type="image", datatype="uint8", downsample_status="DOWNSAMPLED")
    experiment = ExperimentDocument(coord_frame="f", num_hierarchy_levels=6, hierarchy_method=method)
    native = frame((0, 0, min(z, stop[2] - 1)), stop, (4, 4, 30))
    sizes, extents = {0: (4.0, 4.0, 30.0)}, {0: stop}
    steps = (2, 2, 2 if method == "isotropic" else 1)
    for level in range(1, 6):
        sizes[level] = tuple(a * b for a, b in zip(sizes[level - 1], steps, strict=True))
        extents[level] = tuple(-(-a // b) for a, b in zip(extents[level - 1], steps, strict=True))
    told = LevelsDocument(voxel_size=sizes, extent=extents)
    assert levels_of(channel, experiment, native, told) == levels_of(channel, experiment, native, None)


@given(start=st.tuples(*[st.integers(-50, 5000)] * 3), shape=st.tuples(LENGTHS, LENGTHS, LENGTHS))
def test_every_voxel_of_every_level_can_be_asked_for_and_has_its_native_voxels(start, shape):
    """Inside of the native frame, at or above 0, and the native voxels below it are the frame's."""
    channel = ChannelDocument(type="image", datatype="uint8", downsample_status="DOWNSAMPLED")
    experiment = ExperimentDocument(coord_frame="f", num_hierarchy_levels=5, hierarchy_method="isotropic")
    stop = tuple(a + b for a, b in zip(start, shape, strict=True))
    if min(stop) <= 0:
        with pytest.raises(UnsupportedFormat):
            levels_of(channel, experiment, frame(start, stop, (4, 4, 4)), None)
        return
    native = Box(Vec3(*(max(0, a) for a in start)), Vec3(*stop))
    levels = levels_of(channel, experiment, frame(start, stop, (4, 4, 4)), None)
    assert levels[0].bounds == native
    assert len(levels) == (5 if max(native.start) == 0 else 1)
    for level in levels:
        factor = 2**level.resolution
        assert native.contains(level.bounds)
        assert all(b * factor >= n > (b - 1) * factor for b, n in zip(level.bounds.stop, native.stop, strict=True))
