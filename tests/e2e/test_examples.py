"""The examples run as they stand, against a suite that was started as people start it, and the tutorial shows them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import DracoPy
import numpy as np
import pytest
import trimesh
from cloudvolume import CloudVolume

from support.house import ROOT
from tools.demo_suite import running_suite

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TUTORIAL = ROOT / "docs/tutorials/first-hour.md"
GUIDE = ROOT / "docs/how-to/meshes.md"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory):
    with running_suite(tmp_path_factory.mktemp("suite"), three_processes=False) as suite:
        yield suite.address


def run(example: Path, folder: Path, address: str) -> str:
    """What an example prints; it is run in `folder`, without a display."""
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=folder,
        env={**os.environ, "VOXGATE_SERVER": address, "MPLBACKEND": "Agg", "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_from_top_to_bottom(example: Path, tmp_path: Path, address: str):
    assert run(example, tmp_path, address)


def test_the_first_hour_lists_slices_meshes_and_saves(tmp_path: Path, address: str):
    said = run(ROOT / "examples/first_hour.py", tmp_path, address)
    for words in ("fib25/em", "zyx (112, 136, 160) uint8", "(136, 160) (50, 72, 31)", "2491 492428"):
        assert words in said
    assert (tmp_path / "overlay.png").stat().st_size > 20_000
    assert np.load(tmp_path / "overview.npy").shape == (28, 34, 40)
    body = trimesh.load(tmp_path / "body.obj", force="mesh", process=False)
    assert body.is_watertight
    assert body.bounds[0].min() > 10_000


def test_the_meshes_arrive_in_other_programs(tmp_path: Path, address: str):
    said = run(ROOT / "examples/meshes.py", tmp_path, address)
    (body,) = re.findall(r"surface mesh (\d+) ", said)
    made = {path.suffix: path for path in tmp_path.glob("body.*")}
    assert set(made) == {".obj", ".ply", ".stl", ".glb", ".drc", ".png"}
    solid = trimesh.load(made[".ply"], process=False)
    assert solid.is_watertight
    small = DracoPy.decode(made[".drc"].read_bytes())
    assert len(small.faces) == len(solid.faces)
    assert f"{len(solid.faces)} of scale" in said
    assert made[".png"].stat().st_size > 10_000
    # As neuroglancer finds them: named in the info of the segmentation.
    info = CloudVolume.create_new_info(
        num_channels=1,
        layer_type="segmentation",
        data_type="uint64",
        encoding="raw",
        resolution=(10, 10, 10),
        voxel_offset=(0, 0, 0),
        volume_size=(64, 64, 64),
        mesh="meshes",
    )
    CloudVolume(tmp_path.as_uri(), info=info).commit_info()
    read = CloudVolume(tmp_path.as_uri(), progress=False).mesh.get(int(body))
    read = read[int(body)] if isinstance(read, dict) else read
    assert np.abs(np.ptp(read.vertices, axis=0) - solid.extents).max() < 0.01
    assert len(read.faces) == len(solid.faces)


def test_the_guide_to_meshes_quotes_its_example_word_for_word():
    example = (ROOT / "examples/meshes.py").read_text()
    quoted = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(quoted) >= 6
    assert [block for block in quoted if block not in example] == []


def test_the_snippet_of_the_readme_runs_as_it_stands(tmp_path: Path, address: str):
    [snippet] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert "localhost:50051" in snippet
    example = tmp_path / "readme.py"
    example.write_text(snippet.replace("localhost:50051", address) + "\nprint(job.result().destination)\n")
    assert run(example, tmp_path, address) == "scratch/seg-zarr\n"
    assert (tmp_path / "body.obj").stat().st_size > 1_000_000


def test_the_tutorial_quotes_the_example_word_for_word():
    example = (ROOT / "examples/first_hour.py").read_text()
    quoted = re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
    assert len(quoted) >= 6
    assert [block for block in quoted if block not in example] == []
