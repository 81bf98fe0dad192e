"""The command line against a real server: every command as a process, answers compared with the files themselves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import tifffile
import trimesh
from PIL import Image

from support.processes import FREE_PORTS, VOXGATE, announcing
from voxgate import voxels_from_runs

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = json.loads((ROOT / "samples/aniso/EXPECTED.json").read_text())
SEGMENTS = {each["segment_id"]: each for each in EXPECTED["segments"]}
HUGE = "9223372036854775809"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def config(folder):
    (folder / "out").mkdir()
    path = folder / "voxgate.toml"
    path.write_text(
        f'[server]\nworker_processes = 0\n[remotes.aniso]\nuri = "{ROOT}/samples/aniso"\n'
        f'[remotes.fib25]\nuri = "{ROOT}/samples/fib25"\n[remotes.out]\nuri = "{folder}/out"\nwritable = true\n'
        # Each read of a stored chunk takes a second.
        '[remotes.slow]\nuri = "procedural://?latency_ms=1000"\n'
    )
    return path


@pytest.fixture(scope="module")
def environment(folder):
    return {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "COLUMNS": "100"}


@pytest.fixture(scope="module")
def server(config, environment, folder):
    """The address of `voxgate serve` in a process of its own."""
    command = [*VOXGATE, "serve", "--config", str(config), *FREE_PORTS]
    with announcing(command, folder / "serve.log", environment) as (_, started):
        yield started["grpc"]


@pytest.fixture
def voxgate(server, environment, tmp_path):
    """Run one command to its end in an empty folder; answers what it printed, as JSON where it was asked for."""

    def run(*arguments, code=0):
        done = subprocess.run(
            [*VOXGATE, *arguments],
            cwd=tmp_path,
            env={**environment, "VOXGATE_SERVER": server},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        if "--json" in arguments:
            assert done.stderr == ""
            return json.loads(done.stdout)
        return done.stdout if code == 0 else done.stderr

    return run


def stored(name, scale=0):
    """A sample as tensorstore reads it: axes x, y, z in global coordinates."""
    kvstore = {"driver": "file", "path": f"{ROOT}/samples/{name}"}
    spec = {"driver": "neuroglancer_precomputed", "kvstore": kvstore, "scale_index": scale}
    return ts.open(spec, read=True).result()[ts.d["channel"][0]]


def test_volumes_are_listed_and_described(voxgate):
    assert voxgate("ls").splitlines() == ["aniso/", "fib25/", "out/", "slow/"]
    assert voxgate("ls", "fib25").splitlines() == ["fib25/em", "fib25/seg"]
    assert "aniso/seg" in voxgate("ls", "-lr")
    scales = voxgate("info", "aniso/seg", "--json")["scales"]
    sizes = [list(scale["voxel_size_nm"].values()) for scale in scales]
    assert sizes == [scale["voxel_size_nm"] for scale in EXPECTED["scales"]]
    assert [list(scale["bounds"]["start"].values()) for scale in scales] == [s["start"] for s in EXPECTED["scales"]]


def test_segments_and_points_have_the_ids_of_the_sample(voxgate):
    found = voxgate("segments", "aniso/seg", "--json")["segments"]
    assert {each["segment_id"]: each["voxel_count"] for each in found} == {
        segment_id: each["voxel_count"] for segment_id, each in SEGMENTS.items()
    }
    largest = voxgate("segments", "aniso/seg", "--top", "1").split()
    assert largest == ["18446744073709551615", "3591"]
    point = ",".join(map(str, SEGMENTS[HUGE]["start"]))
    assert voxgate("at", "aniso/seg", point, "-24,40,12").splitlines() == [f"-20,44,14  {HUGE}", "-24,40,12  0"]


def test_segments_are_where_the_sample_says(voxgate, tmp_path):
    assert set(voxgate("segments", "aniso/seg", "--ids-only").split()) == set(SEGMENTS)
    found = voxgate("bounds", "aniso/seg", *SEGMENTS, "--json")["segments"]
    for each, (segment_id, expected) in zip(found, SEGMENTS.items(), strict=True):
        assert (each["segment_id"], each["voxel_count"]) == (segment_id, expected["voxel_count"])
        assert [list(each["box"][end].values()) for end in ("start", "stop")] == [expected["start"], expected["stop"]]
        assert each["is_exact"]
    voxgate("runs", "aniso/seg", HUGE, "-o", "voxels.npy")
    voxels = voxels_from_runs(np.load(tmp_path / "voxels.npy"))
    whole = stored("aniso/seg")
    places = np.argwhere(whole.read().result() == np.uint64(HUGE)) + whole.domain.inclusive_min
    assert sorted(map(tuple, voxels.tolist())) == sorted(map(tuple, places.tolist()))


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_files_hold_the_voxels_that_tensorstore_reads(voxgate, tmp_path, scale):
    whole = stored("fib25/em", scale)
    start = np.add(whole.domain.inclusive_min, (3, 1, 2))
    stop = np.subtract(whole.domain.exclusive_max, (2, 5, 1))
    box = ",".join(f"{a}:{b}" for a, b in zip(start, stop, strict=True))
    expected = whole[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))].read().result()
    for output, axes in (("a.npy", ()), ("a.tif", ()), ("b.npy", ("--axes", "xyz"))):
        voxgate("read", "fib25/em", "--box", box, "--scale", str(scale), "-o", output, *axes)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected.T)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), expected.T)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), expected)
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "a.tif", "b.npy"]


def test_a_plane_becomes_a_picture(voxgate, tmp_path):
    whole = stored("fib25/em")
    z = whole.domain.inclusive_min[2] + 40
    voxgate("read", "fib25/em", "--box", f":,:,{z}", "-o", "em.png")
    with Image.open(tmp_path / "em.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), whole[:, :, int(z)].read().result().T)
    voxgate("read", "fib25/seg", "--box", f":,:,{z}", "-o", "seg.png")
    with Image.open(tmp_path / "seg.png") as picture:
        shown = np.asarray(picture).reshape(-1, 3)
    ids = stored("fib25/seg")[:, :, int(z)].read().result().T.ravel()
    assert len(np.unique(shown, axis=0)) == len(np.unique(ids))


@pytest.mark.parametrize("ending", ["obj", "ply", "stl", "glb"])
def test_a_mesh_has_the_bounds_of_its_segment(voxgate, tmp_path, ending):
    (mesh,) = voxgate("mesh", "aniso/seg", HUGE, "-o", f"body.{ending}", "--json")["meshes"]
    assert mesh["bounds_nm"] == {"start": SEGMENTS[HUGE]["start_nm"], "stop": SEGMENTS[HUGE]["stop_nm"]}
    read = trimesh.load(tmp_path / f"body.{ending}", force="mesh")
    assert read.is_watertight
    unit = 1e9 if ending == "glb" else 1
    extent = np.subtract(SEGMENTS[HUGE]["stop_nm"], SEGMENTS[HUGE]["start_nm"])
    np.testing.assert_allclose(read.extents * unit, extent, rtol=1e-5)


def transferred(folder, fmt, scale):
    """What a transfer left on disk, as tensorstore reads it: axes z, y, x."""
    if fmt == "zarr3":
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/out/zarr3/{scale}"}}
        return ts.open(spec, read=True).result().read().result()
    kvstore = {"driver": "file", "path": f"{folder}/out/{fmt}"}
    spec = {"driver": "neuroglancer_precomputed", "kvstore": kvstore, "scale_index": scale}
    return ts.open(spec, read=True).result()[ts.d["channel"][0]].read().result().T


@pytest.mark.parametrize("fmt", ["zarr3", "precomputed"])
def test_a_transfer_leaves_the_same_voxels_at_every_scale(voxgate, folder, fmt):
    job = voxgate("transfer", "aniso/seg", f"out/{fmt}", "--format", fmt, "--watch", "--json")["job"]
    assert (job["state"], job["error"]) == ("succeeded", None)
    for scale in range(3):
        np.testing.assert_array_equal(transferred(folder, fmt, scale), stored("aniso/seg", scale).read().result().T)
    source, copy = voxgate("info", "aniso/seg", "--json"), voxgate("info", f"out/{fmt}", "--json")
    for key in ("bounds", "voxel_size_nm"):
        assert [scale[key] for scale in copy["scales"]] == [scale[key] for scale in source["scales"]]
    assert copy["kind"] == "segmentation"
    assert voxgate("jobs", "show", job["name"], "--json")["job"]["result"] == job["result"]
    assert job["name"] in voxgate("jobs")
    assert voxgate("cancel", job["name"]) == f"{job['name']}: succeeded\n"


def test_an_operators_configuration_is_checked(voxgate, config, tmp_path):
    assert "good" in voxgate("config", "check", str(config))
    assert "aniso" in voxgate("config", "show", str(config))
    (tmp_path / "bad.toml").write_text('[remotes.em]\nuri = "memory://"\nwriteable = true\n')
    error = voxgate("config", "check", "bad.toml", code=1)
    assert "writeable" in error


@pytest.mark.parametrize(
    ("code", "reason", "arguments"),
    [
        (3, "UNKNOWN_REMOTE", ("info", "nowhere/em")),
        (3, "UNKNOWN_VOLUME", ("info", "fib25/nothing")),
        (3, "UNKNOWN_SCALE", ("segments", "aniso/seg", "--scale", "9")),
        (3, "SEGMENT_NOT_FOUND", ("mesh", "aniso/seg", "12345", "-o", "a.obj")),
        (3, "UNKNOWN_JOB", ("jobs", "show", "jobs/nothing")),
        (1, "MALFORMED_NAME", ("info", "fib25/../etc")),
        (1, "OUT_OF_BOUNDS", ("read", "fib25/em", "--box", "0:5,0:5,0:5", "-o", "a.npy")),
        (1, "OUT_OF_BOUNDS", ("at", "aniso/seg", "-999,0,0")),
        (1, "INVALID_SEGMENT_ID", ("mesh", "aniso/seg", "0", "-o", "a.obj")),
        (1, "MISSING_CAPABILITY", ("segments", "fib25/em")),
        (1, "READ_ONLY", ("transfer", "aniso/seg", "fib25/copy")),
        (2, "USAGE", ("read", "fib25/em", "-o", "a.npy")),
        (4, "SERVER_UNREACHABLE", ("ls", "-s", "localhost:1")),
    ],
)
def test_bad_input_has_a_reason_a_remedy_and_an_exit_code(voxgate, tmp_path, code, reason, arguments):
    error = voxgate(*arguments, "--json", code=code)["error"]
    assert error["reason"] == reason
    assert error["message"]
    assert str(ROOT) not in json.dumps(error)
    assert os.listdir(tmp_path) == []


def test_people_get_one_line_and_a_remedy(voxgate):
    error, remedy = voxgate("info", "fib25/nothing", code=3).splitlines()
    assert error.startswith("error: ")
    assert "nothing" in error
    assert remedy.startswith("  ")


def test_a_login_is_remembered_by_later_commands(voxgate, server, environment, folder, tmp_path):
    assert "remembered" in voxgate("login", server)
    try:
        plain = {key: value for key, value in environment.items() if key != "VOXGATE_SERVER"}
        done = subprocess.run([*VOXGATE, "ls"], env=plain, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.splitlines() == ["aniso/", "fib25/", "out/", "slow/"]
    finally:
        (folder / "config/voxgate/profile.json").unlink()


def test_a_terminal_sees_progress_and_a_pipe_does_not(server, environment, tmp_path):
    arguments = ["read", "fib25/em", "--box", ":,:,:", "-o", "whole.npy"]
    parent, child = pty.openpty()
    environment = {**environment, "VOXGATE_SERVER": server, "TERM": "xterm"}
    command = subprocess.Popen(
        [*VOXGATE, *arguments], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=child, text=True
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        seen += part
    assert command.wait(60) == 0
    assert command.stdout.read().startswith("whole.npy: zyx ")
    command.stdout.close()
    os.close(parent)
    assert b"read" in seen
    assert b"MiB" in seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_read_that_is_stopped_leaves_nothing(server, environment, tmp_path, number, code):
    command = subprocess.Popen(
        [*VOXGATE, "read", "slow/em", "--box", "3:500,1:400,7:300", "-o", "big.npy"],
        cwd=tmp_path,
        env={**environment, "VOXGATE_SERVER": server},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not os.listdir(tmp_path):
        assert command.poll() is None, command.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.05)
    assert os.listdir(tmp_path) != ["big.npy"]
    command.send_signal(number)
    assert command.wait(60) == code
    assert "Traceback" not in command.stderr.read()
    command.stderr.close()
    assert os.listdir(tmp_path) == []


def test_interrupting_a_watched_transfer_leaves_the_job_to_itself(voxgate, server, environment, tmp_path):
    box = ("--scale", "0", "--box", "3:400,0:70,0:40", "--request-id", "left to itself")
    command = [*VOXGATE, "transfer", "slow/seg", "out/left", *box, "--watch"]
    parent, child = pty.openpty()
    environment = {**environment, "VOXGATE_SERVER": server, "TERM": "xterm"}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=child, stderr=child)
    os.close(child)
    seen = b""
    while b"iB" not in seen:  # the bar is there, so it is being watched
        seen += os.read(parent, 4096)
    running.send_signal(signal.SIGINT)
    while True:
        try:
            seen += os.read(parent, 4096)
        except OSError:  # the other end was closed
            break
    os.close(parent)
    assert running.wait(60) == 130
    assert b"goes on" in seen
    assert b"Traceback" not in seen
    [job] = [each for each in voxgate("jobs", "--json")["jobs"] if each["destination"] == "out/left"]
    assert job["state"] in {"running", "succeeded"}
    assert f"voxgate jobs watch {job['name']}".encode() in seen
    again = voxgate("transfer", "slow/seg", "out/left", *box, "--watch", "--json")["job"]
    assert (again["name"], again["state"], again["run_count"]) == (job["name"], "succeeded", 1)
