"""mesh-all: what reaches the server, what is printed, and how it ends."""

import pytest

from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import JobState, MeshJobMode, MeshJobSpec

SEG = "lab/deep/seg"


def test_a_meshing_prints_its_job_and_a_watched_one_what_it_made(voxgate, client):
    assert voxgate("mesh-all", SEG).out == "jobs/7\n"
    answer = voxgate("mesh-all", SEG, "--watch")
    assert (answer.out, answer.err) == (f"lab/meshes: {2**54} segments, {2**60} faces, 3.0 MiB\n", "")
    assert client.meshings == [(MeshJobSpec(SEG), None)] * 2


def test_what_is_asked_of_a_meshing_reaches_the_server(voxgate, client):
    said = (
        *("--scale", "half", "--box", "4:6,-6:,101:102", "--chunk", "64,32,16", "--levels", "3"),
        *("--max-error-nm", "0", "--bits", "10", "--sharded", "--min-voxels", str(2**63), "--no-properties"),
        *("--mode", "overwrite", "--request-id", "nightly"),
    )
    assert voxgate("mesh-all", SEG, "lab/meshes", *said).code == 0
    ((spec, request_id),) = client.meshings
    stop = client.arrays[SEG].scale("half").bounds.stop
    assert request_id == "nightly"
    assert spec == MeshJobSpec(
        SEG,
        destination="lab/meshes",
        scale=1,
        box=Box(Vec3(4, -6, 101), Vec3(6, stop.y, 102)),
        chunk_shape=Vec3(64, 32, 16),
        level_count=3,
        max_error_nm=0.0,
        vertex_quantization_bits=10,
        sharded=True,
        minimum_voxel_count=2**63,
        segment_properties=False,
        mode=MeshJobMode.OVERWRITE,
    )


def test_a_version_is_named_as_everywhere(voxgate, client):
    assert voxgate("mesh-all", f"{SEG}@3fa:master").code == 0
    assert client.meshings == [(MeshJobSpec(SEG, "3fa:master"), None)]
    assert client.opened == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("--box", "1:2"),
        ("--chunk", "64"),
        ("--levels", "-1"),
        ("--mode", "replace"),
        ("--min-voxels", "some"),
        ("a", "b"),
    ],
)
def test_a_wrong_option_starts_nothing(voxgate, client, wrong):
    assert voxgate("mesh-all", SEG, *wrong).code == 2
    assert client.meshings == []


def test_a_job_of_meshing_is_shown_by_kind_with_what_was_asked_and_made(voxgate, client):
    voxgate("mesh-all", SEG, "lab/meshes", "--chunk", "64,32,16")
    shown = voxgate("jobs", "show", "7").out
    assert f"{2**54} segments, {2**60} faces, 3.0 MiB, checksum abc" in shown
    assert "verified" not in shown
    job = voxgate("jobs", "show", "7", "--json").document["job"]
    assert (job["kind"], job["source"], job["destination"]) == ("mesh", SEG, "lab/meshes")
    assert job["result"] == {
        "destination": "lab/meshes",
        "segment_count": 2**54,
        "face_count": 2**60,
        "stored_bytes": 3 << 20,
        "checksum": "abc",
    }
    assert job["spec"] == {
        "scale": 0,
        "chunk_shape": {"x": 64, "y": 32, "z": 16},
        "level_count": 0,
        "vertex_quantization_bits": 16,
        "sharded": False,
        "minimum_voxel_count": 0,
        "segment_properties": True,
        "mode": "fail-if-exists",
    }


def test_interrupting_the_watch_exits_with_130_and_says_that_the_job_goes_on(voxgate, client):
    client.interrupt = KeyboardInterrupt()
    answer = voxgate("mesh-all", SEG, "-w")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.startswith("interrupted: jobs/7 goes on")


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_request_that_failed_is_taken_up_when_it_is_repeated(voxgate, client, state):
    client.starts_in = state
    assert voxgate("mesh-all", SEG, "--request-id", "nightly", "--watch").code == 0
    assert client.handle.resumed == 1


def test_a_meshing_that_fails_says_why_and_what_to_do(voxgate, client):
    client.ends_in = JobState.FAILED
    answer = voxgate("mesh-all", SEG, "--watch")
    assert (answer.code, answer.out) == (1, "")
    assert "voxgate jobs resume jobs/7" in answer.err
