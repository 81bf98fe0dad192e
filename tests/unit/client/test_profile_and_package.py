"""The profile file, saving meshes, and what `import voxgate` brings."""

import importlib.metadata
import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh

import voxgate
from voxgate.client import opening
from voxgate.client.profile import Profile, load_profile, profile_path, save_profile
from voxgate.model.errors import ConfigInvalid, InvalidArgument, Unimplemented
from voxgate.model.meshes import Mesh


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_profile_comes_back_as_it_was_written(config):
    assert load_profile() is None
    path = save_profile(Profile("brains.example:50051", "s3cret"))
    assert load_profile() == Profile("brains.example:50051", "s3cret")
    assert path == profile_path() == config / "voxgate" / "profile.json"
    save_profile(Profile("localhost:1"))
    assert load_profile() == Profile("localhost:1", "")
    assert os.listdir(path.parent) == ["profile.json"]


def test_only_its_owner_can_read_a_profile(config):
    old = os.umask(0)
    try:
        path = save_profile(Profile("a:1", "s3cret"))
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_token_is_not_part_of_a_profiles_picture():
    assert "s3cret" not in repr(Profile("a:1", "s3cret"))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"token": "s3cret"}', '{"address": "a:1", "tokn": "s3cret"}', '{"address": "a:1", "token": 3}']
)
def test_a_broken_profile_is_an_error_that_does_not_repeat_it(config, text):
    profile_path().parent.mkdir(parents=True)
    profile_path().write_text(text)
    with pytest.raises(ConfigInvalid, match="voxgate profile") as caught:
        load_profile()
    assert "s3cret" not in str(caught.value)
    assert str(config) not in str(caught.value)


def tetrahedron():
    vertices = np.array([[0, 0, 0], [300, 0, 0], [0, 70, 0], [0, 0, 11]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.uint32)
    return Mesh((1 << 63) + 5, vertices, faces)


@pytest.mark.parametrize("ending", ["obj", "ply", "stl", "glb", "PLY"])
def test_a_mesh_saves_itself_by_the_ending_of_the_path(tmp_path, ending):
    path = tmp_path / f"body.{ending}"
    tetrahedron().save(path)
    read = trimesh.load(path, force="mesh")
    unit = 1e9 if ending == "glb" else 1
    np.testing.assert_allclose(np.sort(read.extents * unit), [11, 70, 300], rtol=1e-5)
    assert read.is_watertight


def test_a_mesh_without_a_known_ending_needs_a_format(tmp_path):
    with pytest.raises(InvalidArgument, match="txt"):
        tetrahedron().save(tmp_path / "body.txt")
    tetrahedron().save(tmp_path / "18", format="precomputed")
    assert (tmp_path / "18").read_bytes()[:4] == (4).to_bytes(4, "little")


def test_importing_voxgate_imports_nothing_else():
    code = "import voxgate, sys; print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'grpc', 'typer'}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"


def test_everything_that_voxgate_offers_is_there():
    for name in voxgate.__all__:
        assert getattr(voxgate, name) is not None
    assert set(voxgate.__all__) <= set(dir(voxgate))
    assert voxgate.__version__ == importlib.metadata.version("voxgate")
    assert voxgate.errors.NotFound.__name__ == "NotFound"
    with pytest.raises(AttributeError, match="cutout"):
        _ = voxgate.cutout


def test_without_the_server_extra_opening_a_path_says_what_to_install(monkeypatch):
    monkeypatch.setattr(opening, "entry_points", lambda **_: ())
    with pytest.raises(Unimplemented, match=r"voxgate\[server\]"):
        voxgate.open("em.zarr")
