"""mesh, transfer, jobs, cancel, login: what they leave behind and how they end."""

import json
import os
import stat

import pytest
import trimesh

from voxgate.cli.main import main
from voxgate.model.errors import ServerUnreachable
from voxgate.model.jobs import JobState
from voxgate.model.volumes import VolumeKind

BIG, HUGE = (1 << 53) + 1, (1 << 63) + 5


@pytest.mark.parametrize("ending", ["obj", "ply", "stl", "glb"])
def test_a_mesh_is_saved_by_the_ending_of_its_file(voxgate, ending):
    answer = voxgate("mesh", "lab/deep/seg", str(HUGE), "-o", f"body.{ending}")
    assert answer.code == 0
    assert answer.out.startswith(f"body.{ending}: 1 segment, 3 vertices, 1 faces, ")
    assert len(trimesh.load(f"body.{ending}", force="mesh").faces) == 1


def test_several_segments_go_into_one_file_in_the_order_asked_for(voxgate):
    document = voxgate(
        "mesh", "lab/deep/seg", str(HUGE), str(BIG), "-o", "two.obj", "--scale", "half", "--json"
    ).document
    assert [mesh["segment_id"] for mesh in document["meshes"]] == [str(HUGE), str(BIG)]
    assert {mesh["scale"] for mesh in document["meshes"]} == {1}
    with open("two.obj") as file:
        assert [line.strip() for line in file if line.startswith("o ")] == [f"o {HUGE}", f"o {BIG}"]


@pytest.mark.parametrize(("segment", "code"), [("3", 3), ("0", 1), ("1.5", 1), ("18446744073709551616", 1)])
def test_a_segment_that_cannot_be_meshed_leaves_no_file(voxgate, segment, code):
    assert voxgate("mesh", "lab/deep/seg", str(BIG), segment, "-o", "body.obj").code == code
    assert os.listdir() == []


def test_an_existing_mesh_is_kept_and_other_endings_are_refused(voxgate, tmp_path, client):
    (tmp_path / "body.obj").write_text("precious")
    assert voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.obj").code == 1
    assert voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.fbx").code == 2
    assert (tmp_path / "body.obj").read_text() == "precious"
    assert client.opened == []


def test_a_transfer_prints_its_job_and_a_watched_one_its_result(voxgate, client):
    assert voxgate("transfer", "lab/em", "lab/copy").out == "jobs/7\n"
    answer = voxgate("transfer", "lab/em", "lab/copy", "--watch")
    assert (answer.out, answer.err) == ("lab/copy: 3.0 MiB written, read back and compared\n", "")
    document = voxgate("transfer", "lab/em", "lab/copy", "--watch", "--json").document
    assert document["job"]["state"] == "succeeded"
    assert client.transfers == [("lab/em", "lab/copy", None)] * 3


def test_a_format_makes_a_volume_like_the_source(voxgate, client):
    assert voxgate("transfer", "lab/deep/seg", "lab/copy", "--format", "zarr3").code == 0
    ((_, _, spec),) = client.transfers
    source = client.arrays["lab/deep/seg"].info
    assert (spec.format, spec.dtype, spec.kind) == ("zarr3", source.dtype, VolumeKind.SEGMENTATION)
    assert [(s.bounds, s.voxel_size_nm) for s in spec.scales] == [(s.bounds, s.voxel_size_nm) for s in source.scales]


def test_a_transfer_that_fails_says_why(voxgate, client):
    client.ends_in = JobState.FAILED
    answer = voxgate("transfer", "lab/em", "lab/copy", "--watch")
    assert (answer.code, answer.out) == (1, "")
    assert "the disk went away" in answer.err


def test_interrupting_a_watch_says_that_the_job_goes_on(voxgate, client):
    client.interrupt = KeyboardInterrupt()
    answer = voxgate("transfer", "lab/em", "lab/copy", "--watch")
    assert (answer.code, answer.out) == (130, "")
    assert "voxgate jobs jobs/7 --watch" in answer.err


def test_jobs_are_listed_shown_followed_and_cancelled(voxgate):
    assert voxgate("jobs").out == "jobs/7  succeeded  1.0 MiB of 3.0 MiB  lab/em  lab/copy\n"
    assert "checksum abc" in voxgate("jobs", "jobs/7").out
    assert voxgate("jobs", "jobs/7", "--watch", "--json").document["job"]["result"]["verified_bytes"] == 3 << 20
    assert [job["name"] for job in voxgate("jobs", "--json").document["jobs"]] == ["jobs/7"]
    assert voxgate("cancel", "jobs/7").out == "jobs/7: cancelling\n"
    assert voxgate("jobs", "jobs/8").code == voxgate("cancel", "jobs/8").code == 3
    assert voxgate("jobs", "--watch").code == 2


def test_a_login_remembers_server_and_token_and_shows_neither_again(voxgate, client, tmp_path, monkeypatch):
    read, write = os.pipe()
    os.write(write, b"s3cret\n")
    os.close(write)
    with os.fdopen(read) as piped:
        monkeypatch.setattr("sys.stdin", piped)
        answer = voxgate("login", "brains.example:7", "--token")
    assert answer.out == "brains.example:7: voxgate 9.9, reads only; remembered\n"
    assert client.connected_to == ("brains.example:7", "s3cret")
    profile = tmp_path / "config/voxgate/profile.json"
    assert json.loads(profile.read_text()) == {"address": "brains.example:7", "token": "s3cret"}
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600


def test_a_login_that_reaches_nobody_remembers_nothing(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def unreachable(address=None, *, token=None):
        raise ServerUnreachable(f"nothing answers at {address}", "start one")

    assert main(["login", "localhost:1"], connect=unreachable) == 4
    assert capfd.readouterr().err == "error: nothing answers at localhost:1\n  start one\n"
    assert os.listdir(tmp_path) == []
