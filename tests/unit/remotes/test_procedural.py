import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.procedural_reference import world
from voxgate.model.errors import (
    Cancelled,
    ConfigInvalid,
    DeadlineExceeded,
    OutOfBounds,
    ReadOnly,
    StoreUnavailable,
    UnknownVersion,
    UnknownVolume,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.remotes import ListEntry, ResolvedUri
from voxgate.model.volumes import (
    SUPPORTED_DTYPES,
    CallContext,
    OpenOptions,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
    Writable,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.patterns import splitmix64
from voxgate_remotes.procedural import ProceduralRemote, ProceduralVolume


def remote(uri: str = "procedural://", **options: str | float | bool) -> ProceduralRemote:
    return ProceduralRemote(RemoteConfig(uri=uri, options=options))


def volume(name: str, context: CallContext | None = None, **options: str | float) -> ProceduralVolume:
    return remote(**options).open((name,), OpenOptions(context=context or CallContext()))


def test_splitmix64_gives_the_published_sequence_for_seed_1234567():
    state, golden = 1234567, 0x9E3779B97F4A7C15
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [splitmix64((state + i * golden) % 2**64) for i in range(4)] == published


@pytest.mark.parametrize("corner", [Vec3(999_000, 998_990, 999_983), Vec3(25, 30, 5), Vec3(-7, -41, -13)])
@pytest.mark.parametrize("scale", [0, 1, 2, 3])
@pytest.mark.parametrize(("name", "pattern"), [("em", "smooth"), ("em", "noise"), ("seg", "cells")])
def test_voxels_equal_the_scalar_formula_at_every_scale(name, pattern, scale, corner):
    options = {"seed": 11, "size": 1_000_100, "offset": -100}
    if name == "em":
        options["pattern"] = pattern
    subject = volume(name, **options)
    factor = (Vec3(1, 1, 1), Vec3(2, 2, 1), Vec3(4, 4, 1), Vec3(8, 8, 2))[scale]
    start = Vec3(*(a // f for a, f in zip(corner, factor, strict=True)))
    box = Box.at(start, Vec3(13, 7, 5))
    np.testing.assert_array_equal(
        subject.read(box, scale=scale)[0], world(11, box, factor, subject.info.dtype, pattern=pattern)
    )


@pytest.mark.parametrize("dtype", SUPPORTED_DTYPES, ids=str)
@pytest.mark.parametrize("pattern", ["smooth", "noise"])
def test_an_image_of_every_dtype_equals_the_scalar_formula(pattern, dtype):
    subject = volume(f"em-{dtype.name}", pattern=pattern, seed=2**64 - 1)
    box = Box.at(Vec3(999_900, 31, 70_000), Vec3(6, 5, 3))
    assert subject.info.dtype == dtype
    np.testing.assert_array_equal(subject.read(box)[0], world(2**64 - 1, box, Vec3(1, 1, 1), dtype, pattern=pattern))


def test_segment_ids_use_all_64_bits_and_background_runs_between_cells():
    voxels = volume("seg").read(Box.at(Vec3(0, 0, 0), Vec3(200, 150, 40)))
    ids = np.unique(voxels)
    assert ids[0] == 0
    assert ids[-1] > 2**63
    assert (ids % 2 == 1).any()
    assert len(ids) > 40


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_box_read_in_two_parts_equals_the_whole(data):
    subject = volume("seg", seed=5)
    start = Vec3(*(data.draw(st.integers(0, 999_000)) for _ in range(3)))
    shape = Vec3(*(data.draw(st.integers(2, 70)) for _ in range(3)))
    cut = data.draw(st.integers(1, shape.x - 1))
    left, right = Vec3(cut, shape.y, shape.z), Vec3(shape.x - cut, shape.y, shape.z)
    parts = [subject.read(Box.at(start, left)), subject.read(Box.at(start + Vec3(cut, 0, 0), right))]
    np.testing.assert_array_equal(subject.read(Box.at(start, shape)), np.concatenate(parts, axis=3))


def test_a_box_larger_than_the_blocks_it_is_computed_in_equals_its_parts():
    subject = volume("em", seed=5)
    box = Box.at(Vec3(123, 45, 67), Vec3(300, 270, 20))
    whole = subject.read(box)
    inner = Box.at(Vec3(370, 290, 80), Vec3(40, 20, 6))
    np.testing.assert_array_equal(subject.read(inner)[0], whole[0][inner.slices_zyx(box.start)])


def test_another_seed_and_another_channel_are_other_worlds():
    box = Box.at(Vec3(3, 4, 5), Vec3(40, 30, 20))
    one = volume("em", seed=1, channels=2)
    other = volume("em", seed=7, channels=2)
    assert one.info.axes == "czyx"
    assert one.read(box).shape == (2, 20, 30, 40)
    assert not np.array_equal(one.read(box)[0], one.read(box)[1])
    assert not np.array_equal(one.read(box), other.read(box))


def test_a_volume_states_its_scales_offsets_and_voxel_sizes():
    info = volume("em", size="1001,17,9", offset="-5,3,2", chunk="32,16,8", voxel_size="4,5,33.5").info
    assert [scale.bounds for scale in info.scales] == [
        Box.of(x=(-5, 996), y=(3, 20), z=(2, 11)),
        Box.of(x=(-2, 498), y=(2, 10), z=(2, 11)),
        Box.of(x=(-1, 249), y=(1, 5), z=(2, 11)),
        Box.of(x=(0, 125), y=(1, 3), z=(1, 6)),
    ]
    assert info.scales[3].voxel_size_nm == VoxelSize(32, 40, 67)
    assert info.scales[0].stored_chunk_shape == Vec3(32, 16, 8)
    assert info.kind is VolumeKind.IMAGE
    assert volume("seg").info.kind is VolumeKind.SEGMENTATION
    assert info.immutable


def test_a_world_that_strides_jump_over_has_fewer_scales():
    assert len(volume("seg", size=1, offset=4).info.scales) == 3


def test_a_million_voxels_a_side_by_default_and_none_beyond():
    subject = volume("em")
    assert subject.info.scales[0].bounds.stop == Vec3(1_000_000, 1_000_000, 1_000_000)
    with pytest.raises(OutOfBounds):
        subject.read(Box.at(Vec3(999_999, 0, 0), Vec3(2, 1, 1)))


def test_options_in_the_uri_mean_the_same_and_twice_is_refused():
    box = Box.at(Vec3(3, 4, 5), Vec3(9, 8, 7))
    by_uri = remote("procedural://?seed=9&size=50").open(("em",), OpenOptions())
    np.testing.assert_array_equal(by_uri.read(box), volume("em", seed=9, size=50).read(box))
    assert by_uri.info.scales == volume("em", seed=9, size=50).info.scales
    for uri, options in (("procedural://?seed=9&seed=9", {}), ("procedural://?seed=9", {"seed": 9})):
        with pytest.raises(ConfigInvalid, match="seed"):
            remote(uri, **options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sead", 1),
        ("seed", -1),
        ("seed", True),
        ("size", 0),
        ("size", "5,6"),
        ("size", "5,6,x"),
        ("voxel_size", 0),
        ("pattern", "rough"),
        ("failure_rate", 1.5),
        ("failure_rate", "nan"),
        ("latency_ms", -1),
        ("channels", 65),
    ],
)
def test_a_bad_option_is_refused_by_name(key, value):
    with pytest.raises(ConfigInvalid, match=key):
        remote(**{key: value})


def test_a_format_is_refused():
    with pytest.raises(ConfigInvalid, match="zarr3"):
        ProceduralRemote(RemoteConfig(uri="procedural://", format="zarr3"))


@pytest.mark.parametrize("path", [(), ("EM",), ("em", "x"), ("em-",), ("em-complex64",), ("seg-int64",), ("nn-uint8",)])
def test_an_unknown_volume_is_refused(path):
    with pytest.raises(UnknownVolume):
        remote().open(path, OpenOptions())


def test_versions_times_and_creation_are_refused():
    with pytest.raises(UnknownVersion):
        remote().open(("em",), OpenOptions(version="v1"))
    with pytest.raises(OutOfBounds):
        remote().open(("em",), OpenOptions(time_index=1))
    spec = VolumeSpec(np.dtype("<u1"), VolumeKind.IMAGE, (ScaleSpec(Box.at(Vec3(0, 0, 0), Vec3(1, 2, 3))),))
    with pytest.raises(ReadOnly):
        remote().create(("new",), spec)
    assert volume("em").capability(Writable) is None


def test_the_listing_shows_em_and_seg():
    assert remote().list(()) == [ListEntry("em", True), ListEntry("seg", True)]
    with pytest.raises(UnknownVolume):
        remote().list(("em",))


def test_a_uri_below_the_remote_resolves():
    assert remote("procedural://?seed=1").resolve("procedural://em") == ResolvedUri(13, ("em",))
    assert remote("procedural://world/").resolve("procedural://world/a%2Db") == ResolvedUri(18, ("a-b",))
    assert remote("procedural://world").resolve("procedural://world") == ResolvedUri(18, ())
    for uri in ("memory://em", "procedural://worldly/em", "procedural://world/../em", "procedural://world/em?seed=2"):
        assert remote("procedural://world").resolve(uri) is None


def failures(subject: ProceduralVolume, count: int) -> list[bool]:
    outcomes = []
    for _ in range(count):
        try:
            subject.read(Box.at(Vec3(0, 0, 0), Vec3(1, 1, 1)))
            outcomes.append(False)
        except StoreUnavailable:
            outcomes.append(True)
    return outcomes


def test_reads_fail_at_the_stated_rate_in_the_order_the_seed_says():
    outcomes = failures(volume("em", failure_rate=0.3, seed=4), 1000)
    assert 240 < sum(outcomes) < 360
    assert outcomes == failures(volume("em", failure_rate=0.3, seed=4), 1000)
    assert outcomes != failures(volume("em", failure_rate=0.3, seed=5), 1000)
    assert all(failures(volume("em", failure_rate=1), 20))


def test_handles_of_one_remote_share_the_order_of_failures_so_reopening_can_help():
    shared = remote(failure_rate=0.5, seed=1)
    reopened = [failures(shared.open(("em",), OpenOptions()), 1)[0] for _ in range(50)]
    assert reopened == failures(volume("em", failure_rate=0.5, seed=1), 50)


def test_a_slow_store_stops_waiting_when_its_caller_leaves():
    context = CallContext()
    subject = volume("em", context, latency_ms=3_600_000)
    threading.Timer(0.05, context.stop.set).start()
    with pytest.raises(Cancelled):
        subject.read(Box.at(Vec3(0, 0, 0), Vec3(1, 1, 1)))


def test_a_slow_store_stops_waiting_at_the_deadline():
    subject = volume("em", CallContext(deadline=time.monotonic() + 0.05), latency_ms=3_600_000)
    with pytest.raises(DeadlineExceeded):
        subject.read(Box.at(Vec3(0, 0, 0), Vec3(1, 1, 1)))


@pytest.mark.parametrize("name", ["em", "seg-uint8"])
def test_memory_beyond_the_answer_does_not_grow_with_the_box(name):
    subject = volume(name, pattern="noise")
    extra = []
    for side in (256, 768):
        tracemalloc.start()
        answer = subject.read(Box.at(Vec3(999_000, 0, 999_000), Vec3(side, side, 32)))
        extra.append(tracemalloc.get_traced_memory()[1] - answer.nbytes)
        tracemalloc.stop()
    assert extra[1] < 1.25 * extra[0]
