"""`voxgate export` against a real server: processes, the sample's voxels, and who reads what was written."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import tifffile
from PIL import Image

from support.image_files import open_stack, open_tiff
from support.processes import FREE_PORTS, VOXGATE, announcing
from voxgate_remotes.config import VolumeOverrides

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of `voxgate serve` of the sample, in a process of its own."""
    folder = tmp_path_factory.mktemp("export")
    config = folder / "voxgate.toml"
    config.write_text(f'[server]\nworker_processes = 0\n[remotes.fib25]\nuri = "{ROOT}/samples/fib25"\n')
    with announcing([*VOXGATE, "serve", "--config", str(config), *FREE_PORTS], folder / "serve.log") as (_, started):
        yield started["grpc"]


@pytest.fixture
def voxgate(server, tmp_path):
    def run(*arguments, code=0):
        done = subprocess.run(
            [*VOXGATE, *arguments],
            cwd=tmp_path,
            env={**os.environ, "VOXGATE_SERVER": server, "XDG_CONFIG_HOME": str(tmp_path / ".config")},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return run


def sample(name):
    """The finest scale of a volume of the sample, (z, y, x)."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{ROOT}/samples/fib25/{name}/"},
    }
    return ts.open(spec, read=True).result()[..., 0].read().result().transpose(2, 1, 0)


def read_back(path):
    opened = (open_stack if path.is_dir() else open_tiff)(path, overrides=VolumeOverrides())
    return opened.info, opened.read(opened.info.scales[0].bounds)[0]


def test_a_volume_is_exported_and_read_back(voxgate, tmp_path):
    truth = sample("em")
    document = voxgate("export", "fib25/em", "-o", "em", "--json")
    assert document["shape"] == list(truth.shape)
    info, found = read_back(tmp_path / "em")
    np.testing.assert_array_equal(found, truth)
    assert tuple(info.scales[0].voxel_size_nm) == (10, 10, 10)
    files = sorted((tmp_path / "em").iterdir())
    np.testing.assert_array_equal(np.asarray(Image.open(files[7])), truth[7])
    voxgate("export", "fib25/em", "-o", "em", code=1)


def test_ids_are_exported_as_they_are(voxgate, tmp_path):
    truth = sample("seg")
    voxgate("export", "fib25/seg", "-o", "seg", "--box", ":,:,:")
    info, found = read_back(tmp_path / "seg")
    np.testing.assert_array_equal(found, truth)
    assert info.dtype == truth.dtype
    assert (
        "uint64" in voxgate("export", "fib25/seg", "-o", "png", "--format", "png", "--json", code=1)["error"]["message"]
    )
    assert not (tmp_path / "png").exists()


def test_a_scale_is_exported_as_one_ome_tiff(voxgate, tmp_path):
    voxgate("export", "fib25/em", "--scale", "1", "-o", "em.ome.tif")
    info, found = read_back(tmp_path / "em.ome.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "em.ome.tif"), found)
    assert info.scales[0].voxel_size_nm is not None
    voxgate("read", "fib25/em", "--scale", "1", "--box", ":,:,:", "-o", "em.npy")
    np.testing.assert_array_equal(found, np.load(tmp_path / "em.npy"))
    voxgate("read", "fib25/em", "--scale", "1", "--box", ":,:,:", "-o", "read.tif")
    read_info, read = read_back(tmp_path / "read.tif")
    np.testing.assert_array_equal(read, found)
    assert read_info.scales[0].voxel_size_nm == info.scales[0].voxel_size_nm
