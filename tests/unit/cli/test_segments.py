"""bounds, runs, supervoxels, bodies, reserve-ids and segments --ids-only: what is printed and written."""

import numpy as np
import pytest

from support.native_segments import SUPERSEDED, NativeSegments
from support.segment_service import ABSENT, BOUNDS, HUGE, SEARCHED, START, VOXELS, by_numpy, places
from voxgate.client.array import VolumeArray
from voxgate.client.segments import voxels_from_runs

IDS = [str(segment_id) for segment_id, _ in by_numpy(BOUNDS)]


@pytest.fixture(autouse=True)
def known(client):
    volume = NativeSegments(VOXELS, START, SEARCHED.info)
    client.arrays["lab/known"] = VolumeArray(volume)
    return volume


def test_ids_alone_are_printed_one_a_line(voxgate):
    assert voxgate("segments", "lab/known", "--ids-only").out.split() == IDS
    document = voxgate("segments", "lab/known", "--ids-only", "--box", ":,:,101:103", "--json").document
    assert set(document["segment_ids"]) <= set(IDS)
    assert all(isinstance(each, str) for each in document["segment_ids"])
    assert voxgate("segments", "lab/known", "--ids-only", "--top", "3").code == 2


def test_bounds_have_every_digit_and_say_whether_they_are_exact(voxgate):
    tight = np.array(places(HUGE))
    low, high = tight.min(axis=0) - 1, tight.max(axis=0) + 2
    box = ",".join(f"{a}:{b}" for a, b in zip(low, high, strict=True))
    assert voxgate("bounds", "lab/known", str(HUGE)).out == f"{HUGE}  {box}  no  -\n"
    (found,) = voxgate("bounds", "lab/known", str(HUGE), "--json").document["segments"]
    assert (found["segment_id"], found["is_exact"], found["voxel_count"]) == (str(HUGE), False, None)
    assert [found["box"]["start"][axis] for axis in "xyz"] == low.tolist()


@pytest.mark.parametrize(("segment_id", "code"), [(ABSENT, 3), (SUPERSEDED, 1), (0, 1), ("1.5", 1)])
def test_a_segment_without_bounds_ends_the_command(voxgate, segment_id, code):
    answer = voxgate("bounds", "lab/known", str(HUGE), str(segment_id))
    assert (answer.code, answer.out) == (code, "")


def test_runs_are_written_whole_or_not_at_all(voxgate, tmp_path):
    answer = voxgate("runs", "lab/known", str(HUGE), "-o", "voxels.npy", "--json")
    runs = np.load(tmp_path / "voxels.npy")
    assert (runs.dtype, runs.shape) == (np.int64, (answer.document["run_count"], 4))
    assert sorted(map(tuple, voxels_from_runs(runs).tolist())) == places(HUGE)
    assert answer.document["voxel_count"] == len(places(HUGE))
    assert answer.document["segment_id"] == str(HUGE)
    assert voxgate("runs", "lab/known", str(HUGE), "-o", "voxels.npy").code == 1  # it exists
    assert voxgate("runs", "lab/known", str(ABSENT), "-o", "other.npy").code == 3
    assert voxgate("runs", "lab/known", str(HUGE), "-o", "voxels.txt").code == 2
    assert [path.name for path in tmp_path.glob("*.*")] == ["voxels.npy"]


def test_supervoxels_and_bodies_are_printed_in_pairs(voxgate):
    last = 2**64 - 5
    assert voxgate("supervoxels", "lab/known", str(HUGE)).out == f"{HUGE}  {HUGE}\n{HUGE}  {last}\n"
    document = voxgate("supervoxels", "lab/known", str(HUGE), "--json").document
    assert document["bodies"] == [{"segment_id": str(HUGE), "supervoxel_ids": [str(HUGE), str(last)]}]
    assert voxgate("bodies", "lab/known", str(HUGE), "404").out == f"{HUGE}  {HUGE + 1}\n404                  0\n"
    document = voxgate("bodies", "lab/known", "404", "--json").document
    assert document["supervoxels"] == [{"supervoxel_id": "404", "segment_id": "0"}]


def test_reserved_ids_are_told_as_first_and_last(voxgate, known):
    first = known.next_id
    assert voxgate("reserve-ids", "lab/known", "3").out == f"{first}  {first + 2}\n"
    document = voxgate("reserve-ids", "lab/known", "1", "--json").document
    assert (document["first_segment_id"], document["last_segment_id"]) == (str(first + 3), str(first + 3))
    assert voxgate("reserve-ids", "lab/known", "0").code == 2


@pytest.mark.parametrize("command", ["supervoxels", "bodies", "reserve-ids", "bounds"])
def test_a_store_that_does_not_know_says_so(voxgate, command):
    answer = voxgate(command, "lab/deep/seg", "7", "--json")
    assert (answer.code, answer.error["reason"]) == (1, "MISSING_CAPABILITY")
