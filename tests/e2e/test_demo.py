"""The demo as people run it, both ways, in a folder of the test's own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import trimesh
from PIL import Image

from support.house import ROOT
from tools.demo_suite import running_suite

TIMEOUT_S = 240


def demo(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.demo", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


@pytest.fixture(scope="module", params=["serve", "three processes"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder and the printed words of a demo that was run; it left no process behind."""
    output = tmp_path_factory.mktemp("demo")
    ways = ["--three-processes"] if request.param == "three processes" else []
    process = demo("--output", str(output), *ways)
    seen: dict[int, psutil.Process] = {}
    until = time.monotonic() + TIMEOUT_S
    try:
        while process.poll() is None and time.monotonic() < until:
            seen.update({child.pid: child for child in descendants(process)})
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        pass
    finally:
        if process.poll() is None and time.monotonic() >= until:
            process.kill()
    said, complained = process.communicate(timeout=30)
    assert process.returncode == 0, complained
    assert len(seen) >= (3 if ways else 1)
    # One address to connect to; where the others are is the server's to say.
    assert all((f"{service} at" in said) == bool(ways) for service in ("Mesh", "Transfer", "Job"))
    assert gone(list(seen.values()))
    return output, said


def test_the_demo_says_what_it_did_and_that_everything_matches(finished: tuple[Path, str]):
    _, said = finished
    for words in ("fib25/seg", "watertight", "equal in zarr-python", "everything matches"):
        assert words in said


def test_the_picture_shows_gray_and_many_colours(finished: tuple[Path, str]):
    output, _ = finished
    pixels = np.asarray(Image.open(output / "demo.png").convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) > 400
    third = pixels.shape[1] // 3
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    # EM is gray; the overlay and the meshes are coloured; none of the three is blank.
    assert (spread[:, :third] > 40).mean() < 0.01
    assert pixels[:, :third].std() > 30
    for panel in (slice(third, 2 * third), slice(2 * third, None)):
        assert (spread[:, panel] > 40).mean() > 0.15


def test_the_mesh_files_are_watertight_bodies_in_nanometres_of_the_sample(finished: tuple[Path, str]):
    output, _ = finished
    low, high = np.array([10880, 20560, 30000]), np.array([12480, 21920, 31120])
    body = trimesh.load(output / "body.obj", force="mesh", process=False)
    assert body.is_watertight
    assert (body.bounds[0] >= low).all()
    assert (body.bounds[1] <= high).all()
    scene = trimesh.load(output / "bodies.glb", process=False)
    assert len(scene.geometry) == 24
    assert all(mesh.is_watertight for mesh in scene.geometry.values())


def test_a_demo_that_is_interrupted_ends_its_processes(tmp_path: Path):
    process = demo("--output", str(tmp_path))
    until = time.monotonic() + 60
    children: list[psutil.Process] = []
    while not children and time.monotonic() < until:
        children = descendants(process)
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in complained
    assert children
    assert gone(children)


def test_a_running_suite_is_used_and_left_running(tmp_path: Path):
    with running_suite(tmp_path / "suite", three_processes=False) as suite:
        process = demo("--output", str(tmp_path / "out"), "--server", suite.address)
        said, complained = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, complained
        assert "left out: the files of scratch are not on this machine" in said
        again = demo("--output", str(tmp_path / "out"), "--server", suite.address)
        _, complained = again.communicate(timeout=TIMEOUT_S)
        assert again.returncode == 0, complained


def test_a_demo_without_a_server_to_use_fails_with_words(tmp_path: Path):
    process = demo("--output", str(tmp_path), "--server", "127.0.0.1:1")
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the demo failed: nothing answers at 127.0.0.1:1" in complained
    assert "Traceback" not in said + complained


def test_a_difference_in_the_files_fails_the_demo(tmp_path: Path):
    """One voxel of the sample differs from what the suite serves."""
    with running_suite(tmp_path / "suite", three_processes=False) as suite:
        script = (
            "import sys, tools.demo_checks as c, tools.demo as d\n"
            "whole = c.read_precomputed\n"
            "def off_by_one(*a):\n"
            "    voxels = whole(*a).copy(); voxels[3, 2, 1] += 1; return voxels\n"
            "c.read_precomputed = off_by_one\n"
            f"sys.exit(d.main(['--output', {str(tmp_path / 'out')!r}, '--server', {suite.address!r}]))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 1
    assert "1 of " in done.stderr
    assert "the first at (3, 2, 1) (z, y, x)" in done.stderr
