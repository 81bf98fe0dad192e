"""The guide to bulk meshing runs as it stands, and others read what it stored."""

import re

import pytest
from cloudvolume import CloudVolume

from support.house import ROOT
from support.servers import SAMPLES, settings
from voxgate.client.connection import connect
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import start_suite

PAGE = ROOT / "docs/how-to/bulk-meshing.md"


@pytest.fixture
def client(tmp_path):
    lab = RemoteConfig(uri=tmp_path.as_uri(), writable=True, deletable=True)
    remotes = RemotesConfig(remotes={"fib25": RemoteConfig(uri=(SAMPLES / "fib25").as_uri()), "lab": lab})
    suite = start_suite(remotes, settings(), http=False)
    try:
        with connect(f"127.0.0.1:{suite.server.port}") as client:
            yield client
    finally:
        suite.stop(1.0)


def test_the_guide_runs_and_cloud_volume_reads_what_it_stored(client, tmp_path, capsys):
    names = {"client": client}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert "MeshJobResult(destination='lab/meshes'" in said
    assert "\nstored\n" in said
    volume = CloudVolume(f"file://{tmp_path / 'seg'}", progress=False)
    body = int(names["body"])
    mesh = volume.mesh.get(body)[body]
    ours = names["lab"].mesh(body, source="stored")
    assert len(mesh.faces) == len(ours.faces)
    assert mesh.vertices.min(axis=0) == pytest.approx(ours.vertices.min(axis=0), abs=0.1)
    assert (tmp_path / "meshes" / "info").is_file()
