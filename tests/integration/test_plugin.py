"""A store as a plug-in: tests/plugin, installed beside voxgate, passes the suite and is served and meshed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

import voxgate
from support.house import ROOT
from support.processes import FREE_PORTS, announcing
from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ReadConformance

PLUGIN = ROOT / "tests" / "plugin"
PAGE = ROOT / "docs" / "how-to" / "add-a-remote.md"
BIG = 2**63 + 5
START, SIZE = (-5, 20, 3), (4.0, 5.0, 40.0)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the plug-in's source, and the environment of a process that has it installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source = Path(shutil.copytree(PLUGIN, folder / "source", ignore=shutil.ignore_patterns("__pycache__")))
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(source / "voxgate_npy")  # what is tested is what was installed
    return source, {**os.environ, "PYTHONPATH": str(folder / "site")}


@pytest.fixture(scope="module")
def labels():
    """Two bodies: a block that reaches the border in no direction, and one of a voxel's thickness."""
    voxels = np.zeros((9, 14, 19), np.uint64)
    voxels[2:7, 3:11, 4:15] = BIG
    voxels[8, 1:3, 2:9] = 7
    return voxels


@pytest.fixture(scope="module")
def client(installed, labels, tmp_path_factory):
    """A client of `voxgate serve` in a process of its own, which knows the plug-in by its entry point alone."""
    _, environment = installed
    folder = tmp_path_factory.mktemp("lab")
    (folder / "data/group").mkdir(parents=True)
    np.save(folder / "data/group/seg.npy", labels)
    config = folder / "voxgate.toml"
    config.write_text(
        f'[server]\nworker_processes = 1\n[remotes.lab]\nuri = "npy://{folder}/data"\n'
        f'[remotes.lab.volumes."group/seg"]\nkind = "segmentation"\n'
        f"voxel_offset = {list(START)}\nvoxel_size_nm = {list(SIZE)}\n"
    )
    command = [sys.executable, "-m", "voxgate_standalone", "--config", str(config), *FREE_PORTS]
    with (
        announcing(command, folder / "log", environment) as (_, started),
        voxgate.connect(started["grpc"]) as connected,
    ):
        yield connected


def test_the_plug_in_passes_the_suite_that_voxgate_ships(installed):
    source, environment = installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(source), str(source)]
    ran = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=240, env=environment)
    assert ran.returncode == 0, ran.stdout[-4000:]
    count = sum(name.startswith("test_") for name in vars(ReadConformance))
    assert f"{2 * count} passed" in ran.stdout  # of each byte order


def test_its_volumes_are_listed_described_and_read(client, labels):
    assert [entry.name for entry in client.volumes("lab")] == ["lab/group"]
    assert [entry.name for entry in client.volumes("lab/group")] == ["lab/group/seg"]
    seg = client.volume("lab/group/seg")
    assert (seg.dtype, tuple(seg.bounds.start), tuple(seg.voxel_size_nm)) == (np.dtype("<u8"), START, SIZE)
    assert seg.info.inferred == ("axes",)
    np.testing.assert_array_equal(seg[1:8, 2:13, 3:17], labels[1:8, 2:13, 3:17])


def test_its_segments_are_counted_and_meshed_by_the_services(client, labels):
    seg = client.volume("lab/group/seg")
    found = seg.segments()
    assert dict(zip(found.ids, found.voxel_counts, strict=True)) == {7: 14, BIG: 5 * 8 * 11}
    mesh = seg.mesh(BIG)
    # Surfaces lie half a voxel around the voxels' centres: they span the block, less what the corners are cut by.
    low = (np.array((4, 3, 2)) + START) * SIZE
    high = (np.array((15, 11, 7)) + START) * SIZE
    np.testing.assert_allclose([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)], [low, high])
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces.astype(np.int64), process=False)
    assert solid.is_watertight
    assert 0.85 < solid.volume / (5 * 8 * 11 * np.prod(SIZE)) <= 1


def test_a_misspelt_scheme_is_answered_with_the_plug_ins(installed):
    _, environment = installed
    script = (
        "from voxgate_remotes.config import *; from voxgate_remotes.registry import Registry\n"
        "Registry.from_config(RemotesConfig(remotes={'x': RemoteConfig(uri='nyp:///data')}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=environment)
    assert "did you mean npy?" in ran.stderr


def broken(folder, name, target, module):
    """A distribution that registers an adapter for the scheme `name`, as an installer leaves it behind."""
    info = folder / f"{name}_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[voxgate.remotes]\n{name} = {target}\n")
    (folder / f"{name}_plugin.py").write_text(module)
    return folder


@pytest.mark.parametrize(
    ("name", "module", "says"),
    [
        ("brokena", "import no_such_library\n", "no_such_library"),
        ("brokenb", "class Remote(:\n", "SyntaxError"),
        ("brokenc", "raise RuntimeError('no licence file')\n", "RuntimeError: no licence file"),
        ("brokend", "class Other: ...\n", "AttributeError"),
    ],
)
def test_a_plug_in_that_breaks_at_import_is_named(tmp_path, monkeypatch, name, module, says):
    monkeypatch.syspath_prepend(str(broken(tmp_path, name, f"{name}_plugin:Remote", module)))
    config = RemotesConfig(remotes={"lab": RemoteConfig(uri=f"{name}:///data")})
    with pytest.raises(ConfigInvalid, match=re.escape(says)) as raised:
        Registry.from_config(config)
    assert raised.value.message.startswith(f"remotes.lab: the adapter for {name}: ({name}_plugin:Remote) cannot be")
    assert raised.value.__suppress_context__
    # Who does not use it is not bothered.
    assert Registry.from_config(RemotesConfig(remotes={"p": RemoteConfig(uri="procedural://")})).names == ("p",)


def test_a_server_with_a_broken_plug_in_says_so_and_ends(tmp_path):
    broken(tmp_path, "brokene", "brokene_plugin:Remote", "raise RuntimeError('no licence file')\n")
    (tmp_path / "voxgate.toml").write_text('[remotes.lab]\nuri = "brokene:///data"\n')
    command = [sys.executable, "-m", "voxgate_standalone", "--config", str(tmp_path / "voxgate.toml")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert ran.returncode != 0
    assert "remotes.lab: the adapter for brokene: (brokene_plugin:Remote) cannot be loaded" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_two_plug_ins_for_one_scheme_are_refused(tmp_path, monkeypatch):
    for folder, target in ((tmp_path / "one", "one_module:Remote"), (tmp_path / "two", "two_module:Remote")):
        monkeypatch.syspath_prepend(str(broken(folder, f"twice{folder.name}", target, "")))
        (folder / f"twice{folder.name}_plugin-1.0.dist-info/entry_points.txt").write_text(
            f"[voxgate.remotes]\ntwice = {target}\n"
        )
    with pytest.raises(ConfigInvalid, match=r"one_module:Remote, two_module:Remote"):
        Registry.from_config(RemotesConfig(remotes={"lab": RemoteConfig(uri="twice:///data")}))


def test_the_page_shows_the_plug_in_as_it_is():
    """docs/how-to/add-a-remote.md: the code there is the code that was tested here."""
    shown = dict(re.findall(r"^`([\w/.]+)`:\n\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    files = ("pyproject.toml", "voxgate_npy/__init__.py", "tests/test_npy.py")
    assert shown == {name: (PLUGIN / name).read_text() for name in files}
