"""Jobs as a client holds them: started by keywords, watched with a bar, cancelled, taken up, looked into."""

import io
import sys
import uuid

import numpy as np
import pytest

import voxgate
from support.slow_jobs import slow_suite
from voxgate.model.errors import (
    AlreadyExists,
    Cancelled,
    InvalidArgument,
    RequestIdReused,
    UnknownJob,
    UnknownVolume,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import JobState
from voxgate.model.volumes import VolumeKind

PIECE = Box.of(x=(-5, 60), y=(13, 71), z=(901, 922))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Connected to a suite that serves made volumes and takes others, into a folder and into memory."""
    with slow_suite(tmp_path_factory.mktemp("scratch"), http=False) as suite:
        with voxgate.connect(f"127.0.0.1:{suite.server.port}") as connected:
            yield connected


@pytest.fixture
def name():
    return f"scratch/{uuid.uuid4().hex}"


def test_a_part_arrives_where_it_was_wanted_as_what_it_was_wanted(client, name):
    seg = client.volume("made/seg")
    job = client.transfer(
        "made/seg", name, box=PIECE, scales=[0], to=(7, -3, 0), voxel_size_nm=(8, 8, 30.5), format="zarr2"
    )
    result = job.result(60)
    copy = client.volume(name)
    assert copy.bounds == Box.at(Vec3(7, -3, 0), PIECE.shape)
    assert (copy.voxel_size_nm, len(copy.scales)) == (VoxelSize(8.0, 8.0, 30.5), 1)
    assert copy.info.format.startswith("zarr v2")
    np.testing.assert_array_equal(copy[...], seg.read(PIECE))
    assert result.verified_bytes == copy.nbytes


def test_the_manifest_is_that_of_the_result_and_a_table(client, name):
    job = client.transfer("made/seg", name, scales=[0])
    result = job.result(60)
    manifest = job.manifest()
    assert manifest.checksum == result.checksum
    assert sum(block.box.voxel_count for block in manifest) == client.volume(name).size
    frame = manifest.to_pandas()
    assert list(frame.columns) == ["scale", "x_start", "y_start", "z_start", "x_stop", "y_stop", "z_stop", "checksum"]
    first = next(iter(manifest))
    assert (frame["x_start"].iloc[0], frame["z_stop"].iloc[0]) == (first.box.start.x, first.box.stop.z)
    assert frame["checksum"].iloc[0] == first.checksum.hex()
    assert list(job.failures()) == []


def test_progress_without_a_terminal_is_lines_with_the_phase_and_the_total(client, name, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    client.transfer("slow/seg", name, scales=[0]).result(120, progress=True)
    lines = said.getvalue().splitlines()
    assert any(" of 83.3 MiB (" in line for line in lines)
    assert " (100 %)" in lines[-1]


def test_a_cancelled_job_is_taken_up_where_it_stopped_and_the_copy_is_whole(client, name):
    job = client.transfer("slow/seg", name, scales=[0])
    for record in job.watch(60):
        if record.progress.done_block_count > 0:
            job.cancel()
            break
    with pytest.raises(Cancelled, match="was cancelled") as cancelled:
        job.result(60)
    assert "resume()" in cancelled.value.remedy
    assert job.name in [each.name for each in client.jobs(state="cancelled")]
    job.resume()
    job.result(120)
    assert job.job.run_count == 2
    np.testing.assert_array_equal(client.volume(name)[...], client.volume("slow/seg")[...])


def test_the_same_words_name_the_same_job_and_nothing_else(client, name):
    words = f"nightly {name}"
    first = client.transfer("made/em", name, request_id=words)
    first.result(60)
    again = client.transfer("made/em", name, request_id=words)
    assert (again.name, again.job.state) == (first.name, JobState.SUCCEEDED)
    with pytest.raises(RequestIdReused):
        client.transfer("made/em", name, request_id=words, mode="overwrite")
    with pytest.raises(AlreadyExists):
        client.transfer("made/em", name)
    assert client.transfer("made/em", name, mode="update").result(60).skipped_block_count > 0


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "replace"}, {"verify": "most"}, {"to": (1, 2)}, {"to": (1, 2, 0.5)}, {"voxel_size_nm": (8, 8)}],
)
def test_an_option_that_there_is_not_is_refused_before_anything_is_asked(client, wrong):
    with pytest.raises(InvalidArgument):
        client.transfer("made/em", "scratch/never", **wrong)
    with pytest.raises(UnknownVolume):
        client.volume("scratch/never")


def test_a_state_or_a_job_that_there_is_not_is_refused(client):
    with pytest.raises(InvalidArgument, match="asleep"):
        client.jobs(state="asleep")
    with pytest.raises(UnknownJob):
        client.job("jobs/none")


def test_a_job_that_succeeded_is_not_taken_up(client, name):
    job = client.transfer("made/em", name, scales=[0])
    job.result(60)
    with pytest.raises(VoxgateError):
        job.resume()


def test_a_volume_is_created_like_another_filled_by_brackets_given_levels_and_deleted(client, name):
    em = client.volume("made/em").scale(1)
    mine = client.create(name, like=em)
    assert (mine.bounds, mine.dtype, mine.voxel_size_nm) == (em.bounds, em.dtype, em.voxel_size_nm)
    mine[...] = em[...]
    mine[1:3, ::-1, 5] = np.arange(mine.shape[1], dtype=mine.dtype)
    expected = em[...]
    expected[1:3, ::-1, 5] = np.arange(mine.shape[1], dtype=mine.dtype)
    np.testing.assert_array_equal(mine[...], expected)
    client.pyramid(name, factors=[(2, 2, 1)], method="mean").result(60)
    levels = client.volume(name).scales
    assert [scale.voxel_size_nm.x / levels[0].voxel_size_nm.x for scale in levels] == [1, 2]
    mine.delete()
    with pytest.raises(UnknownVolume):
        mine.delete()


@pytest.mark.parametrize("remote", ["scratch", "held"])
def test_a_volume_is_created_by_shape_and_type_with_x_y_z_in_nanometres(client, name, remote):
    where = name.replace("scratch", remote)
    mine = client.create(
        where, shape=(3, 40, 50), dtype=np.uint64, voxel_size_nm=(4, 5, 40), offset=(-7, 0, 900), chunk=(16, 8, 2)
    )
    assert (mine.shape, mine.kind) == ((3, 40, 50), VolumeKind.SEGMENTATION)
    assert mine.bounds.start == Vec3(-7, 0, 900)
    assert mine.voxel_size_nm == VoxelSize(4.0, 5.0, 40.0)
    assert mine.scales[0].stored_chunk_shape == Vec3(16, 8, 2)
    mine[1, 3:, -4:] = (1 << 63) + 5
    assert np.unique(mine[...]).tolist() == [0, (1 << 63) + 5]
    assert int((mine[...] > 0).sum()) == 37 * 4


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"shape": (3, 4, 5)},
        {"shape": (3, 4), "dtype": "uint8"},
        {"shape": (3, 4, 5), "dtype": "float16"},
        {"shape": (3, 4, 5), "dtype": "uint8", "voxel_size_nm": (4, 0, 4)},
        {"shape": (3, 4, 5), "dtype": "uint8", "chunk": (4, 4)},
        {"shape": (3, 4, 5), "dtype": "uint8", "kind": "picture"},
    ],
)
def test_a_new_volume_that_is_not_described_is_refused(client, wrong):
    with pytest.raises(InvalidArgument):
        client.create("scratch/never", **wrong)
