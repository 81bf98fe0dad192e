"""mesh and login: what they leave behind and how they end."""

import json
import os
import stat
import sys

import DracoPy
import pytest
import trimesh

from support.surfaces import box_mesh, known
from voxgate.cli.main import main
from voxgate.client.tls import Tls
from voxgate.model.errors import ServerUnreachable
from voxgate.model.mesh_facts import Simplification

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


@pytest.fixture
def asked(client, monkeypatch):
    """The requests that reach the volume; each is answered with a mesh of which everything is known."""
    volume = client.arrays["lab/deep/seg"].volume
    requests = []

    def meshes(request, *, progress=None):
        requests.append(request)
        yield from (known(box_mesh(each, (0, 0, 0), (4, 8, 40))) for each in request.segment_ids)

    monkeypatch.setattr(volume, "meshes", meshes)
    return requests


def test_what_is_asked_of_surfaces_reaches_the_server(voxgate, asked):
    said = ("--max-error-nm", "12.5", "--faces", "200", "--simplification", "fast", "--normals", "--search", "pyramid")
    assert voxgate("mesh", "lab/deep/seg", str(HUGE), "-o", "body.glb", *said).code == 0
    assert voxgate("mesh", "lab/deep/seg", str(HUGE), "-o", "body.ply", "--scale", "0", "--faces", "9").code == 0
    assert voxgate("mesh", "lab/deep/seg", str(HUGE), "-o", "body.stl").code == 0
    free, bound, plain = asked
    assert free.simplification == Simplification(12.5, 200, "fast")
    assert (free.scale, free.normals, free.search) == (None, True, "pyramid")
    assert bound.simplification == Simplification(None, 9, "quality")
    assert (bound.scale, bound.normals, bound.search) == (0, False, "auto")
    assert (plain.scale, plain.simplification) == (0, None)


def test_json_has_statistics_of_each_mesh_and_how_they_came_to_be(voxgate, asked):
    document = voxgate("mesh", "lab/deep/seg", str(HUGE), str(BIG), "-o", "two.glb", "--json").document
    assert document["provenance"]["volume"] == "fib25/seg"
    assert [mesh["segment_id"] for mesh in document["meshes"]] == [str(HUGE), str(BIG)]
    for mesh in document["meshes"]:
        assert mesh["statistics"]["watertight"] is True
        assert mesh["statistics"]["voxel_count"] == 2**53 + 1
        assert (mesh["face_count"], mesh["search"], "provenance" in mesh) == (12, "pyramid", False)
        assert mesh["bounds_nm"] == {"start": [0, 0, 0], "stop": [4, 8, 40]}


def test_how_to_simplify_without_how_far_is_a_wrong_command_line(voxgate, asked):
    said = voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.obj", "--simplification", "fast")
    assert said.code == 2
    assert "--max-error-nm" in said.err
    assert asked == []


def test_one_segment_becomes_a_draco_file(voxgate, asked):
    assert ", 8 vertices, 12 faces, " in voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.drc").out
    with open("body.drc", "rb") as file:
        assert len(DracoPy.decode(file.read()).faces) == 12


def test_a_draco_file_of_two_segments_or_without_dracopy_is_refused_before_anything_is_meshed(
    voxgate, asked, client, monkeypatch
):
    assert voxgate("mesh", "lab/deep/seg", str(BIG), str(HUGE), "-o", "body.drc").code == 1
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    said = voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.drc")
    assert said.code == 1
    assert "pip install 'voxgate[draco]'" in said.err
    assert (client.opened, os.listdir()) == ([], [])


def test_an_existing_mesh_is_kept_and_other_endings_are_refused(voxgate, tmp_path, client):
    (tmp_path / "body.obj").write_text("precious")
    assert voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.obj").code == 1
    assert voxgate("mesh", "lab/deep/seg", str(BIG), "-o", "body.fbx").code == 2
    assert (tmp_path / "body.obj").read_text() == "precious"
    assert client.opened == []


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


def test_a_login_remembers_how_to_speak_tls_with_the_server(voxgate, client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    profile = tmp_path / "config/voxgate/profile.json"

    def remembered(*options):
        assert voxgate("login", "brains.example:7", *options).code == 0
        told = json.loads(profile.read_text())
        assert client.tls == (Tls(**told["tls"]) if "tls" in told else None)
        return told.get("tls")

    files = ("--cert-file", "/keys/ada.pem", "--key-file", "ada-key.pem")
    whole = {"cert_file": "/keys/ada.pem", "key_file": str(tmp_path / "ada-key.pem")}
    assert remembered("--tls") == {}
    assert remembered("--ca-file", "ca.pem", *files) == {"ca_file": str(tmp_path / "ca.pem"), **whole}
    # What was remembered of this server stays, until the environment says otherwise.
    assert remembered() == {"ca_file": str(tmp_path / "ca.pem"), **whole}
    monkeypatch.setenv("VOXGATE_TLS", "0")
    assert remembered() is None


def test_a_login_that_reaches_nobody_remembers_nothing(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def unreachable(address=None, *, token=None, tls=None):
        raise ServerUnreachable(f"nothing answers at {address}", "start one")

    assert main(["login", "localhost:1"], connect=unreachable) == 4
    assert capfd.readouterr().err == "error: nothing answers at localhost:1\n  start one\n"
    assert os.listdir(tmp_path) == []
