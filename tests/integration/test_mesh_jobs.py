"""Bulk meshing over real sockets: created, followed, stopped, taken up again, refused; by one server and by two."""

import contextlib
import json
import subprocess
import sys
import uuid

import numpy as np
import pytest

from support.bulk_meshes import LARGE, registry_of, segmentation, stored
from support.job_engines import until
from support.servers import settings
from support.slow_meshing import Gate, slow
from voxgate.client.connection import connect
from voxgate.model.errors import (
    AlreadyExists,
    Cancelled,
    FailedPrecondition,
    InvalidArgument,
    MissingCapability,
    OutOfBounds,
    ReadOnly,
    RequestIdReused,
    UnknownScale,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import JobState, MeshJobResult, MeshJobSpec
from voxgate_jobs.desk import open_desk
from voxgate_mesh.bulk.work import MeshWork
from voxgate_mesh.service import registrations as mesh_registrations
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.server import new_server_id, start_server
from voxgate_serving.workers import WorkerPool
from voxgate_standalone.suite import start_suite
from voxgate_transfer.service import registrations as transfer_registrations
from voxgate_volume.service import registrations as volume_registrations

CHUNK = (24, 24, 24)
"""Of which the segmentation has 4 x 3 x 2, and 3 coarser levels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    registry = registry_of(folder)
    stored(registry, "lab/seg", segmentation())
    stored(registry, "lab/also", segmentation())
    stored(registry, "lab/zarr", segmentation(), form="zarr3")
    stored(registry, "lab/em", segmentation().astype(np.uint8) % 200)
    return folder


def remotes_of(folder):
    lab = RemoteConfig(uri=folder.as_uri(), writable=True, deletable=True)
    return RemotesConfig(remotes={"lab": lab, "fixed": RemoteConfig(uri=folder.as_uri())})


@pytest.fixture(scope="module")
def client(folder):
    suite = start_suite(remotes_of(folder), settings(), http=False)
    try:
        with connect(f"127.0.0.1:{suite.server.port}") as client:
            yield client
    finally:
        suite.stop(1.0)


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """Holds up blocks of jobs in this process."""
    gate = Gate(tmp_path)
    gate.allow(10_000)
    monkeypatch.setattr(MeshWork, "run_block", MeshWork.run_block)  # put back at the end
    slow(gate)
    yield gate
    gate.allow(10_000)


def test_all_segments_of_a_volume_become_its_stored_meshes(client, folder):
    seg = client.volume("lab/seg")
    handle = seg.mesh_all(chunk_shape=CHUNK)
    phases = [job.progress for job in handle.watch()]
    result = handle.result()
    assert result == MeshJobResult("lab/seg", 5, result.face_count, result.stored_bytes, result.checksum)
    assert phases[-1].done_block_count == phases[-1].total_block_count
    assert phases[-1].done_bytes == phases[-1].total_bytes > segmentation().nbytes
    mesh = client.volume("lab/seg").mesh(LARGE, source="stored")
    assert mesh.origin == "stored"
    computed = seg.mesh(LARGE, source="computed")
    for corner in (np.min, np.max):
        assert corner(mesh.vertices, axis=0) == pytest.approx(corner(computed.vertices, axis=0), abs=2.1)
    assert mesh.statistics.watertight
    assert mesh.statistics.volume_nm3 == pytest.approx(computed.statistics.volume_nm3, rel=0.05)
    beside = json.loads(next(folder.rglob("seg/mesh/info")).read_text())["voxgate"]["provenance"]
    assert beside == {name: handle.job.provenance[name] for name in beside}
    assert json.loads(beside["parameters"])["chunk_shape"] == list(CHUNK)
    manifest = handle.manifest()
    assert manifest.checksum == result.checksum
    assert [block.block_index for block in manifest] == list(range(phases[-1].total_block_count))
    assert sum(block.box is None for block in manifest) == 2  # partitions of segments lie nowhere
    assert next(iter(manifest)).box.start == seg.bounds.start
    with pytest.raises(AlreadyExists):
        seg.mesh_all(chunk_shape=CHUNK)
    again = seg.mesh_all(chunk_shape=CHUNK, sharded=True, mode="overwrite").result()
    assert (again.segment_count, again.face_count) == (5, result.face_count)
    assert client.volume("lab/seg").mesh(LARGE, source="stored").statistics == mesh.statistics
    assert not list(folder.rglob("voxgate-partial-*"))


def test_the_same_meshes_are_stored_by_themselves(client):
    handle = client.create_mesh_job(MeshJobSpec("fixed/seg", destination="lab/alone", minimum_voxel_count=100))
    result = handle.result()
    assert (result.destination, result.segment_count) == ("lab/alone", 4)
    assert handle.job.spec.destination == "lab/alone"
    assert client.job(handle.name).result() == result


def test_a_repeated_request_answers_its_job_and_does_nothing(client):
    first = client.create_mesh_job(MeshJobSpec("lab/seg", destination="lab/once"), request_id="nightly")
    first.result()
    again = client.create_mesh_job(MeshJobSpec("lab/seg", destination="lab/once"), request_id="nightly")
    assert (again.name, again.result()) == (first.name, first.result())
    with pytest.raises(RequestIdReused):
        client.create_mesh_job(MeshJobSpec("lab/seg", destination="lab/twice"), request_id="nightly")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"destination": "fixed/meshes"}, ReadOnly),
        ({"destination": "lab/zarr"}, UnsupportedFormat),
        ({"destination": "lab/new", "scale": 7}, UnknownScale),
        ({"destination": "lab/new", "box": Box.of(x=(-6, 9), y=(20, 30), z=(301, 310))}, OutOfBounds),
        ({"destination": "lab/new", "chunk_shape": Vec3(4, 64, 64)}, InvalidArgument),
        ({"destination": "lab/new", "vertex_quantization_bits": 11}, InvalidArgument),
        ({"destination": "lab/new", "volume": "lab/nothing"}, UnknownVolume),
    ],
)
def test_what_is_refused_is_refused_by_the_call_and_leaves_nothing(client, folder, asked, error):
    with pytest.raises(error):
        client.create_mesh_job(MeshJobSpec(**{"volume": "lab/also", **asked}))
    assert not (folder / "new").exists()


def test_an_image_has_no_segments_to_mesh(client):
    image = client.create("lab/image", shape=(9, 8, 7), dtype="uint8", voxel_size_nm=(4, 4, 40), kind="image")
    with pytest.raises(MissingCapability):
        image.mesh_all()


def test_a_job_is_cancelled_and_goes_on_where_it_stopped(client, gate, folder):
    gate.allow(7)
    handle = client.create_mesh_job(MeshJobSpec("lab/also", chunk_shape=Vec3(*CHUNK)))
    until(gate.is_used_up)
    with pytest.raises(FailedPrecondition, match="another job"):
        client.create_mesh_job(MeshJobSpec("fixed/seg", destination="lab/also"))
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.result(120)
    assert not (folder / "also" / "info").read_text().count('"mesh"')
    done = {block.block_index for block in handle.manifest()}
    before = len(gate.runs())
    gate.allow(10_000)
    handle.resume()
    result = handle.result(120)
    again = gate.runs()[before:]
    assert not done & set(again)
    assert sorted([*done, *again]) == list(range(handle.job.progress.total_block_count))
    assert (result.segment_count, handle.job.run_count) == (5, 2)
    assert handle.manifest().checksum == result.checksum


def test_the_command_line_meshes_and_does_nothing_the_second_time(client, folder):
    command = [sys.executable, "-m", "voxgate.cli", "mesh-all", "lab/seg", "lab/told"]
    more = ["--watch", "--json", "--request-id", "told", "--server", client.stubs.addresses["mesh"]]
    runs = [subprocess.run([*command, *more], capture_output=True, text=True, timeout=240) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    jobs = [json.loads(run.stdout)["job"] for run in runs]
    assert jobs[0]["name"] == jobs[1]["name"]
    assert (jobs[0]["kind"], jobs[0]["state"], jobs[0]["result"]["segment_count"]) == ("mesh", "succeeded", 5)
    assert (folder / "told" / "info").exists()
    refused = subprocess.run([*command, "--server", more[-1]], capture_output=True, text=True, timeout=240)
    assert refused.returncode == 1
    assert "there are meshes already" in refused.stderr


@contextlib.contextmanager
def mesh_server(registry, desk, **overrides):
    """A server of volumes and meshes, and of no jobs."""
    chosen, server_id = settings(**overrides), new_server_id()
    services = [
        *volume_registrations(registry, chosen, server_id=server_id, beside=frozenset({"voxgate.v1.MeshService"})),
        *mesh_registrations(registry, chosen, workers=WorkerPool(0), desk=desk),
    ]
    server = start_server(services, chosen, server_id)
    try:
        yield server
    finally:
        server.stop(1.0)


def test_a_mesh_server_that_keeps_no_jobs_says_what_its_operator_does(folder):
    registry = Registry.from_config(remotes_of(folder))
    with mesh_server(registry, None) as server, connect(server.address) as client:
        with pytest.raises(FailedPrecondition, match="keeps no jobs") as caught:
            client.create_mesh_job(MeshJobSpec("lab/also", destination="lab/new"))
        assert "jobs_url" in caught.value.remedy


def test_a_server_that_serves_reads_only_creates_no_job(folder):
    registry = Registry.from_config(remotes_of(folder).without_writes())
    with mesh_server(registry, None, host="0.0.0.0") as server, connect(f"127.0.0.1:{server.port}") as client:
        with pytest.raises(ReadOnly):
            client.create_mesh_job(MeshJobSpec("lab/also", destination="lab/new"))


def test_a_mesh_server_runs_its_jobs_and_a_transfer_server_that_shares_the_records_follows_them(folder, tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    registries = [Registry.from_config(remotes_of(folder)) for _ in range(2)]
    chosen = settings(jobs_url=url)
    desks = [open_desk(registries[0], chosen, ("mesh",)), open_desk(registries[1], chosen, ("transfer", "pyramid"))]
    with contextlib.ExitStack() as stack:
        for desk in desks:
            stack.callback(desk.close)
        meshes = stack.enter_context(mesh_server(registries[0], desks[0]))
        transfers = start_server(transfer_registrations(registries[1], chosen, desks[1]), chosen, new_server_id())
        stack.callback(transfers.stop, 1.0)
        stack.callback(desks[0].drain)
        client = stack.enter_context(connect(meshes.address, transfer=transfers.address, jobs=transfers.address))
        name = f"lab/{uuid.uuid4().hex}"
        meshing = client.create_mesh_job(MeshJobSpec("lab/seg", destination=name))
        copying = client.transfer("lab/seg", f"{name}-copy", box=Box.of(x=(0, 40), y=(21, 40), z=(301, 320)))
        assert (meshing.result().segment_count, copying.result().destination) == (5, f"{name}-copy")
        assert [handle.name for handle in client.jobs()] == [copying.name, meshing.name]
        assert meshing.job.state is copying.job.state is JobState.SUCCEEDED
        blocks = list(meshing.manifest())  # of a kind that this server does not open: without boxes
        assert len(blocks) == meshing.job.progress.total_block_count
        assert {block.box for block in blocks} == {None}
