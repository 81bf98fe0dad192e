"""What a transfer is asked for beside two names, between stores in memory."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from support.transfer_bench import TOTAL_BYTES, Bench
from support.transfers import BOXES, source_spec, voxels_of_scale
from voxgate.model.errors import (
    AlreadyExists,
    DataTypeMismatch,
    FailedPrecondition,
    InvalidArgument,
    MissingCapability,
    OutOfBounds,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import Job, JobState, TransferMode, Verification
from voxgate.model.volumes import Channel, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_jobs.store import JobQuery
from voxgate_jobs.work import Patience
from voxgate_transfer.transfers import open_transfer

INNER = Box.of(x=(-11, 30), y=(43, 80), z=(-2, 9))
SMALL = Vec3(8, 4, 5)


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.engine.close(grace_s=5.0)


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.destination.writes.clear()
    shared.destination.corrupt = None
    return shared


def done(bench: Bench, destination: str, **spec) -> Job:
    job = bench.end_of(bench.start(destination, **spec))
    assert job.state is JobState.SUCCEEDED, job.error
    return job


def volume_of(bench: Bench, name: str):
    return bench.registry.open(name, OpenOptions())


def part(index: int, box: Box) -> np.ndarray:
    return voxels_of_scale(index)[:, *box.slices_zyx(BOXES[index].start)]


def test_a_box_arrives_where_it_was_and_nothing_else_does(bench: Bench):
    result = done(bench, "b/box", box=INNER, scales=(0,)).result
    info = volume_of(bench, "b/box").info
    assert [scale.bounds for scale in info.scales] == [INNER]
    np.testing.assert_array_equal(volume_of(bench, "b/box").read(INNER), part(0, INNER))
    assert result is not None
    assert (result.copied_bytes, result.verified_bytes) == (8 * INNER.voxel_count,) * 2


def test_boxes_that_meet_make_the_whole_voxel_for_voxel(bench: Bench):
    whole = source_spec(SMALL)
    for low, high in ((-7, 3), (3, 14)):
        box = Box.of(x=(-24, 47), y=(40, 83), z=(low, high))
        done(bench, "b/halves", box=box, mode=TransferMode.OVERWRITE, destination_spec=whole)
    done(bench, "b/whole", destination_spec=whole)
    for index, box in enumerate(BOXES):
        halves, at_once = (volume_of(bench, name).read(box, scale=index) for name in ("b/halves", "b/whole"))
        np.testing.assert_array_equal(halves, voxels_of_scale(index))
        np.testing.assert_array_equal(halves, at_once)


def test_a_transfer_moves_scales_renames_sizes_and_says_all_of_it_in_its_record(bench: Bench):
    start = Vec3(-400, 8, 1000)
    job = done(bench, "b/moved", box=Box.of((-8, 32), (44, 80), (-2, 9)), destination_start=start,
               voxel_size_nm=VoxelSize(4.4, 5.0, 33.0))  # fmt: skip
    copy = volume_of(bench, "b/moved")
    assert copy.info.scales[0].bounds == Box.at(start, Vec3(40, 36, 11))
    assert copy.info.scales[2].bounds == Box.of(x=(-100, -90), y=(2, 11), z=(1000, 1011))
    assert copy.info.scales[2].voxel_size_nm == VoxelSize(17.6, 20.0, 33.0)
    np.testing.assert_array_equal(
        copy.read(copy.info.scales[2].bounds, scale=2), part(2, Box.of(x=(-2, 8), y=(11, 20), z=(-2, 9)))
    )
    parameters = json.loads(job.provenance["parameters"])
    assert parameters["destination_start"] == [-400, 8, 1000]
    assert job.provenance["software"].startswith("voxgate ")
    assert (job.provenance["source"], job.provenance["destination"]) == ("a/seg", "b/moved")


def test_manifests_say_where_every_block_is_in_the_destination(bench: Bench):
    start = Vec3(-400, 8, 1000)
    job = done(bench, "b/listed", scales=(1,), destination_start=start, destination_spec=None)
    blocks = list(bench.store.ledger.manifest(job.name))
    assert job.progress.total_block_count == len(blocks) > 0
    copy = volume_of(bench, "b/listed")
    work = open_transfer(bench.registry, job.spec, Patience(), task_bytes=20_000)
    for block in blocks:
        scale, box = work.box_of(block.block_index)
        assert hashlib.sha256(copy.read(box, scale=scale).tobytes()).digest() == block.checksum


def test_ids_beyond_a_float_are_refused_by_value_and_place_and_the_failure_is_in_the_job(bench: Bench):
    job = bench.end_of(bench.start("b/floats", dtype=np.dtype("<f8"), scales=(0,)))
    assert job.error is not None
    assert (job.state, job.error.reason) == (JobState.FAILED, "DATA_TYPE_MISMATCH")
    assert "which float64 cannot hold" in job.error.message


def image(bench: Bench, name: str, dtype: str, voxels: np.ndarray, box: Box) -> None:
    channels = tuple(Channel(str(i)) for i in range(voxels.shape[0]))
    spec = VolumeSpec(np.dtype(dtype), VolumeKind.IMAGE, (ScaleSpec(box, VoxelSize(8, 8, 30), SMALL),), channels)
    bench.registry.create(name, spec).capability(Writable).write(box, voxels)


BOX = Box.of(x=(-3, 22), y=(7, 20), z=(-5, 9))


def test_channels_and_number_types_change_when_they_are_asked_to(bench: Bench):
    voxels = np.random.default_rng(7).integers(-120, 120, (3, *BOX.shape.zyx)).astype("<i2")
    image(bench, "a/channels", "<i2", voxels, BOX)
    done(bench, "b/channels", source="a/channels", channels=(2, 0), dtype=np.dtype("<f4"))
    copy = volume_of(bench, "b/channels")
    assert copy.info.channels == (Channel("2"), Channel("0"))
    np.testing.assert_array_equal(copy.read(BOX), voxels[[2, 0]].astype("<f4"))


def test_a_type_in_the_destinations_spec_alone_converts_nothing(bench: Bench):
    wanted = replace(source_spec(), dtype=np.dtype("<u4"))
    with pytest.raises(DataTypeMismatch):
        bench.start("b/cast", destination_spec=wanted)


@pytest.mark.parametrize("mode", [TransferMode.OVERWRITE, TransferMode.UPDATE])
def test_a_destination_that_does_not_exist_is_created_in_every_mode(bench: Bench, mode: TransferMode):
    done(bench, f"b/new-{mode.value}", mode=mode)
    assert bench.arrived(f"b/new-{mode.value}")


def test_overwriting_writes_the_box_and_leaves_what_is_around_it(bench: Bench):
    bench.registry.create("b/around", source_spec(SMALL, fill_value=9))
    done(bench, "b/around", box=INNER, mode=TransferMode.OVERWRITE)
    found = volume_of(bench, "b/around").read(BOXES[0])
    expected = np.full_like(found, 9)
    expected[:, *INNER.slices_zyx(BOXES[0].start)] = part(0, INNER)
    np.testing.assert_array_equal(found, expected)


def test_updating_writes_only_the_blocks_that_differ(bench: Bench):
    done(bench, "b/updated", destination_spec=source_spec(SMALL))
    bench.destination.writes.clear()
    same = done(bench, "b/updated", mode=TransferMode.UPDATE)
    assert not bench.destination.writes
    assert same.result is not None
    assert same.result.skipped_block_count == same.progress.total_block_count
    assert same.result.verified_bytes == TOTAL_BYTES
    changed = Box.of(x=(5, 6), y=(50, 51), z=(3, 4))
    volume_of(bench, "b/updated").capability(Writable).write(changed, np.full((1, 1, 1, 1), 2**64 - 3, "<u8"))
    bench.destination.writes.clear()
    job = done(bench, "b/updated", mode=TransferMode.UPDATE)
    assert job.result is not None
    assert [scale for scale, box in bench.destination.writes if box.contains(changed)] == [0]
    assert len(bench.destination.writes) == 1
    assert job.result.skipped_block_count == job.progress.total_block_count - 1
    assert job.result.checksum == same.result.checksum
    assert bench.arrived("b/updated")


@pytest.mark.parametrize(
    ("verification", "verified"), [(Verification.FULL, 1.0), (Verification.SAMPLE, 1 / 16), (Verification.NONE, 0.0)]
)
def test_what_was_verified_is_what_was_read_back(bench: Bench, verification: Verification, verified: float):
    name = f"b/verified-{verification.value}"
    job = done(bench, name, verification=verification, destination_spec=source_spec(SMALL))
    assert job.result is not None
    share = job.result.verified_bytes / TOTAL_BYTES
    assert (share == verified) if verified in (0.0, 1.0) else (verified / 4 < share < verified * 4)
    assert bench.arrived(name)


def hollow(bench: Bench, name: str, value: int = 0) -> None:
    """A source that is one value but for a corner."""
    voxels = np.full((1, *BOX.shape.zyx), value, "<u8")
    voxels[0, -1, -1, -1] = 2**63 + 5
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, None, SMALL),))
    bench.registry.create(name, spec).capability(Writable).write(BOX, voxels)


@pytest.mark.parametrize("verification", Verification)
def test_blocks_of_nothing_but_the_fill_value_are_left_out_when_asked(bench: Bench, verification: Verification):
    source, name = f"a/hollow-{verification.value}", f"b/hollow-{verification.value}"
    hollow(bench, source)
    chunked = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, None, Vec3(25, 13, 5)),))
    job = done(bench, name, source=source, skip_empty=True, verification=verification, destination_spec=chunked)
    assert job.result is not None
    assert job.result.skipped_block_count == job.progress.total_block_count - len(bench.destination.writes) > 0
    np.testing.assert_array_equal(volume_of(bench, name).read(BOX), volume_of(bench, source).read(BOX))


def test_an_empty_block_is_written_over_what_a_destination_holds(bench: Bench):
    hollow(bench, "a/empty")
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, None, SMALL),))
    bench.registry.create("b/full", spec).capability(Writable).write(BOX, np.full((1, *BOX.shape.zyx), 5, "<u8"))
    done(bench, "b/full", source="a/empty", skip_empty=True, mode=TransferMode.OVERWRITE)
    np.testing.assert_array_equal(volume_of(bench, "b/full").read(BOX), volume_of(bench, "a/empty").read(BOX))


def test_zeros_are_not_empty_where_the_destination_fills_with_something_else(bench: Bench):
    hollow(bench, "a/zeros")
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOX, None, SMALL),), fill_value=7)
    job = done(bench, "b/sevens", source="a/zeros", skip_empty=True, destination_spec=spec)
    assert job.result is not None
    assert job.result.skipped_block_count == 0
    np.testing.assert_array_equal(volume_of(bench, "b/sevens").read(BOX), volume_of(bench, "a/zeros").read(BOX))


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"mode": TransferMode.FAIL_IF_EXISTS}, AlreadyExists),
        ({"dtype": np.dtype("<u4")}, DataTypeMismatch),
        ({"destination_start": Vec3(-24, 40, 0)}, OutOfBounds),
        ({"voxel_size_nm": VoxelSize(5.0, 4.0, 40.0)}, FailedPrecondition),
        ({"destination_spec": source_spec(Vec3(9, 9, 9))}, AlreadyExists),
        ({"note": "why"}, MissingCapability),
        ({"destination_start": Vec3(-23, 40, -7)}, InvalidArgument),
    ],
)
def test_a_wish_that_the_destination_does_not_fit_is_refused_before_a_voxel_is_written(bench: Bench, wish, error):
    if not any(entry.name == "b/there" for entry in bench.registry.list("b")):
        bench.registry.create("b/there", source_spec(SMALL))
    jobs = len(bench.store.list(JobQuery("ada", page_size=1000)).jobs)
    with pytest.raises(error) as refused:
        bench.start("b/there", **{"mode": TransferMode.OVERWRITE, **wish})
    assert refused.value.remedy
    assert not bench.destination.writes
    assert len(bench.store.list(JobQuery("ada", page_size=1000)).jobs) == jobs


def test_a_version_of_a_destination_that_does_not_exist_is_refused(bench: Bench):
    with pytest.raises(InvalidArgument):
        bench.start("b/none", destination_version="3fa", mode=TransferMode.UPDATE)
