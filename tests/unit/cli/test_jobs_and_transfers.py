"""transfer, pyramid, jobs, cancel: what reaches the server, what is printed, and how they end."""

import hashlib

import pytest

from support.fake_client import BLOCKS
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import JobState, TransferMode, Verification

TRANSFER = ("transfer", "lab/em", "lab/copy")
ENUMS = {"mode": TransferMode.FAIL_IF_EXISTS, "verify": Verification.FULL}


def test_a_transfer_prints_its_job_and_a_watched_one_its_result(voxgate, client):
    assert voxgate(*TRANSFER).out == "jobs/7\n"
    answer = voxgate(*TRANSFER, "--watch")
    assert (answer.out, answer.err) == ("lab/copy: 3.0 MiB read back and compared\n", "")
    document = voxgate(*TRANSFER, "--watch", "--json").document
    assert document["job"]["state"] == "succeeded"
    assert client.transfers == [("lab/em", "lab/copy", ENUMS)] * 3


def test_what_is_asked_of_a_transfer_reaches_the_server(voxgate, client):
    said = (
        *("--scale", "half", "--box", "4:6,-6:,101:102", "--to", "-7,0,12", "--dtype", "uint32"),
        *("--voxel-size", "8,8,30.5", "--mode", "update", "--verify", "sample", "--skip-empty", "--pyramid"),
        *("--format", "precomputed", "--note", "a note", "--request-id", "nightly"),
    )
    assert voxgate("transfer", "lab/deep/seg", "lab/copy", *said).code == 0
    ((source, destination, options),) = client.transfers
    assert (source, destination) == ("lab/deep/seg", "lab/copy")
    stop = client.arrays["lab/deep/seg"].scale("half").bounds.stop
    assert options == {
        "scales": (1,),
        "box": Box(Vec3(4, -6, 101), Vec3(6, stop.y, 102)),
        "to": Vec3(-7, 0, 12),
        "dtype": "uint32",
        "voxel_size_nm": VoxelSize(8.0, 8.0, 30.5),
        "mode": TransferMode.UPDATE,
        "verify": Verification.SAMPLE,
        "skip_empty": True,
        "pyramid": True,
        "format": "precomputed",
        "note": "a note",
        "request_id": "nightly",
    }


def test_channels_are_named_or_numbered_and_wrong_ones_are_refused(voxgate, client):
    names = [channel.name for channel in client.arrays["lab/dyes"].channels]
    assert voxgate("transfer", "lab/dyes", "lab/copy", "--channels", f"1,{names[0]}").code == 0
    assert client.transfers[0][2]["channels"] == (1, 0)
    assert voxgate("transfer", "lab/dyes", "lab/copy", "--channels", "nobody").code == 2
    assert len(client.transfers) == 1


@pytest.mark.parametrize(
    "wrong", [("--box", "1:2"), ("--to", "1,2"), ("--voxel-size", "8,8"), ("--mode", "replace"), ("--verify", "most")]
)
def test_a_wrong_option_starts_nothing(voxgate, client, wrong):
    assert voxgate(*TRANSFER, *wrong).code == 2
    assert client.transfers == []


def test_a_pyramid_is_asked_for_by_factors_and_method(voxgate, client):
    assert voxgate("pyramid", "lab/em").out == "jobs/7\n"
    assert (
        voxgate("pyramid", "lab/em", "--factor", "2,2,1", "--factor", "2,2,2", "--method", "mode", "--watch").code == 0
    )
    (_, plain), (name, options) = client.pyramids
    assert (name, options["factors"], options["method"].value) == ("lab/em", [Vec3(2, 2, 1), Vec3(2, 2, 2)], "mode")
    assert plain["method"].value == "auto"
    assert "factors" not in plain


@pytest.mark.parametrize(
    ("state", "word"), [(JobState.FAILED, "the disk went away"), (JobState.CANCELLED, "cancelled")]
)
def test_a_transfer_that_does_not_succeed_says_why_and_what_to_do(voxgate, client, state, word):
    client.ends_in = state
    answer = voxgate(*TRANSFER, "--watch")
    assert (answer.code, answer.out) == (1, "")
    assert word in answer.err
    assert "voxgate jobs resume jobs/7" in answer.err


@pytest.mark.parametrize("command", [(*TRANSFER, "--watch"), ("jobs", "watch", "7"), ("pyramid", "lab/em", "-w")])
def test_interrupting_a_watch_exits_with_130_and_says_that_the_job_goes_on(voxgate, client, command):
    client.interrupt = KeyboardInterrupt()
    answer = voxgate(*command)
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.startswith("interrupted: jobs/7 goes on")
    assert "voxgate jobs watch jobs/7" in answer.err
    answer = voxgate(*command, "--json")
    assert (answer.code, answer.err, answer.error["reason"]) == (130, "", "CANCELLED")


def test_a_request_that_is_done_is_not_done_again(voxgate, client):
    client.starts_in = JobState.SUCCEEDED
    document = voxgate(*TRANSFER, "--request-id", "nightly", "--watch", "--json").document
    assert document["job"]["state"] == "succeeded"
    assert client.handle.resumed == 0


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_request_that_failed_is_taken_up_when_it_is_repeated(voxgate, client, state):
    client.starts_in = state
    assert voxgate(*TRANSFER, "--request-id", "nightly", "--watch").code == 0
    assert client.handle.resumed == 1


def test_jobs_are_listed_alone_and_by_state(voxgate):
    row = "jobs/7  succeeded  1.0 MiB of 3.0 MiB  lab/em  lab/copy\n"
    assert voxgate("jobs").out == voxgate("jobs", "ls").out == voxgate("jobs", "ls", "--state", "succeeded").out == row
    assert voxgate("jobs", "--state", "running").out == ""
    assert [job["name"] for job in voxgate("jobs", "--json").document["jobs"]] == ["jobs/7"]
    assert voxgate("jobs", "ls", "--state", "asleep").code == 2
    assert voxgate("jobs", "--json", "ls").error["reason"] == "USAGE"


@pytest.mark.parametrize("name", ["7", "jobs/7"])
def test_a_job_is_shown_followed_cancelled_and_resumed(voxgate, client, name):
    assert "checksum abc" in voxgate("jobs", "show", name).out
    assert voxgate("jobs", "watch", name, "--json").document["job"]["result"]["verified_bytes"] == 3 << 20
    assert voxgate("cancel", name).out == voxgate("jobs", "cancel", name).out == "jobs/7: cancelling\n"
    client.ends_in = JobState.FAILED
    assert voxgate("jobs", "resume", name).out == "jobs/7: pending\n"
    assert voxgate("jobs", "resume", name, "--watch").out == "lab/copy: 3.0 MiB read back and compared\n"
    assert voxgate("jobs", "show", name).code == 0
    assert voxgate("jobs", "watch", name).code == 1


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "resume", "failures", "manifest"])
def test_a_job_that_there_is_not_exits_with_3(voxgate, command):
    assert voxgate("jobs", command, "8").code == 3
    assert voxgate("jobs", command, "8", "--json").error["reason"] == "UNKNOWN_JOB"


def test_failures_and_the_manifest_are_listed(voxgate):
    said = voxgate("jobs", "failures", "7")
    assert said.out == "5  2  x[0:8] y[4:8] z[-2:1]  5  STORE_UNAVAILABLE  the disk went away\n"
    (failure,) = voxgate("jobs", "failures", "7", "--json").document["failures"]
    assert (failure["block"], failure["box"]["start"], failure["error"]["reason"]) == (
        5,
        {"x": 0, "y": 4, "z": -2},
        "STORE_UNAVAILABLE",
    )
    first, second = voxgate("jobs", "manifest", "7").out.splitlines()
    assert first.split() == ["0", "0", "x[-24:8]", "y[40:83]", "z[-7:14]", bytes(range(32)).hex()]
    document = voxgate("jobs", "manifest", "7", "--json").document
    assert document["checksum"] == hashlib.sha256(bytes(range(32)) + bytes(32)).hexdigest()
    assert [block["block"] for block in document["blocks"]] == [block.block_index for block in BLOCKS]
    assert second.startswith("4294967297  1  x[8:47]")
