"""A client in C++ made from the protos tarball alone, against a running suite."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorstore as ts
import trimesh
from cloudvolume import Mesh

import voxgate
from support.house import ROOT
from voxgate.model.geometry import Box, Vec3

TOOLS = ("protoc", "grpc_cpp_plugin", "g++", "make", "pkg-config")
NO_MESH = 'spec { volume: "no-such-remote/seg" segment_ids: 1 }'
EM_BOX = Box.of(x=(1101, 1132), y=(2070, 2121), z=(3043, 3079))


@pytest.fixture(scope="package")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The client, built in an empty folder from its source, its Makefile and the tarball."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"C++ client not built, missing: {', '.join(missing)} (see clients/cpp/Makefile)")
    if subprocess.run(["pkg-config", "--exists", "grpc++"], check=False).returncode:
        pytest.skip("C++ client not built, missing: libgrpc++-dev")
    folder = tmp_path_factory.mktemp("cpp")
    subprocess.run([sys.executable, ROOT / "tools/protos_dist.py", folder], check=True, timeout=60)
    with tarfile.open(folder / "voxgate-protos.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    for name in ("Makefile", "voxgate_client.cc"):
        shutil.copy(ROOT / "clients/cpp" / name, folder)
    done = subprocess.run(["make"], cwd=folder, check=False, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return folder / "build/voxgate_client"


class Client:
    """Runs the program in a folder of its own."""

    def __init__(self, program: pathlib.Path, address: str, folder: pathlib.Path) -> None:
        self.program, self.address, self.folder = program, address, folder

    def run(self, read: str, mesh: str = NO_MESH) -> tuple[int, list[str]]:
        """Exit status and printed lines."""
        command = [self.program, self.address, read, mesh]
        done = subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode >= 0, done.stderr
        return done.returncode, done.stdout.splitlines()

    def voxels(self, read: str, dtype: str, shape: Vec3) -> npt.NDArray[Any]:
        """A cutout as (z, y, x)."""
        _, lines = self.run(read)
        assert lines[0] == f"DATA_TYPE_{dtype.upper()} {shape.product} voxels"
        return np.fromfile(self.folder / "cutout.raw", dtype).reshape(shape.zyx)

    def mesh(self, volume: str, segment_id: int) -> Mesh:
        """A mesh, read by cloud-volume."""
        small = f'volume: "fib25/em" {text(EM_BOX)}'
        status, lines = self.run(small, f'spec {{ volume: "{volume}" segment_ids: {segment_id} }}')
        assert status == 0, lines
        mesh = Mesh.from_precomputed((self.folder / "mesh.ngf").read_bytes())
        assert lines[1] == f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces"
        return mesh


@pytest.fixture
def client(program: pathlib.Path, address: str, tmp_path: pathlib.Path) -> Client:
    return Client(program, address, tmp_path)


def text(box: Box) -> str:
    corner = "x: {} y: {} z: {}".format
    return f"box {{ start {{ {corner(*box.start)} }} stop {{ {corner(*box.stop)} }} }}"


def stored(name: str, box: Box, scale: int = 0) -> npt.NDArray[Any]:
    """The same voxels by tensorstore, (z, y, x)."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{ROOT / 'samples' / name}/", "scale_index": scale}
    (x0, y0, z0), (x1, y1, z1) = box.start, box.stop
    voxels: npt.NDArray[Any] = ts.open(spec).result()[x0:x1, y0:y1, z0:z1, 0].read().result()
    return voxels.T


def expected() -> Any:
    return json.loads((ROOT / "samples/aniso/EXPECTED.json").read_text())


def test_the_program_is_under_80_lines() -> None:
    lines = (ROOT / "clients/cpp/voxgate_client.cc").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) < 80


def test_an_unaligned_cutout_of_the_image_has_the_stored_bytes(client: Client) -> None:
    voxels = client.voxels(f'volume: "fib25/em" {text(EM_BOX)}', "uint8", EM_BOX.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/em", EM_BOX))


def test_a_cutout_of_many_messages_is_whole(client: Client) -> None:
    box = Box.of(x=(1088, 1248), y=(2056, 2192), z=(3000, 3112))
    voxels = client.voxels(f'volume: "fib25/seg" {text(box)}', "uint64", box.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/seg", box))


def test_a_coarse_scale_is_read_by_its_key(client: Client) -> None:
    box = Box.of(x=(545, 601), y=(1029, 1068), z=(1511, 1549))
    voxels = client.voxels(f'volume: "fib25/em" scale_key: "20_20_20" {text(box)}', "uint8", box.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/em", box, 1))


def test_negative_coordinates_huge_ids_and_absent_chunks_arrive(client: Client) -> None:
    box = Box.of(x=(-24, 39), y=(41, 88), z=(12, 32))
    voxels = client.voxels(f'volume: "aniso/seg" {text(box)}', "uint64", box.shape)
    np.testing.assert_array_equal(voxels, stored("aniso/seg", box))
    assert voxels.max() == 2**64 - 1


@pytest.mark.parametrize("body", expected()["segments"], ids=lambda body: body["segment_id"])
def test_meshes_of_boxes_have_exactly_their_bounds(client: Client, body: dict[str, Any]) -> None:
    mesh = client.mesh("aniso/seg", int(body["segment_id"]))
    np.testing.assert_array_equal(mesh.vertices.min(axis=0), body["start_nm"])
    np.testing.assert_array_equal(mesh.vertices.max(axis=0), body["stop_nm"])


def test_a_body_that_crosses_blocks_meshes_as_through_the_sdk(client: Client, address: str) -> None:
    with voxgate.connect(address) as python:
        seg = python.volume("fib25/seg")
        body = seg.segments(top=3).ids[2]
        through_sdk = seg.mesh(body)
    mesh = client.mesh("fib25/seg", body)
    np.testing.assert_array_equal(mesh.vertices, through_sdk.vertices)
    np.testing.assert_array_equal(mesh.faces, through_sdk.faces)
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert surface.is_watertight
    whole = Box.of(x=(1088, 1248), y=(2056, 2192), z=(3000, 3112))
    places = np.argwhere(stored("fib25/seg", whole) == body)[:, ::-1] + list(whole.start)
    np.testing.assert_array_equal(mesh.vertices.min(axis=0), places.min(axis=0) * 10)
    np.testing.assert_array_equal(mesh.vertices.max(axis=0), (places.max(axis=0) + 1) * 10)
    assert surface.volume == pytest.approx(len(places) * 1000, rel=0.05)


@pytest.mark.parametrize(
    ("read", "code", "reason"),
    [
        ('volume: "fib25/nothing" box { stop { x: 1 y: 1 z: 1 } }', 5, "UNKNOWN_VOLUME"),
        ('volume: "nowhere/em" box { stop { x: 1 y: 1 z: 1 } }', 5, "UNKNOWN_REMOTE"),
        ('volume: "fib25/em" box { stop { x: 9 y: 9 z: 9 } }', 11, "OUT_OF_BOUNDS"),
        ('volume: "fib25/em" box { start { x: 1100 } stop { x: 1090 } }', 3, "EMPTY_BOX"),
        (f'volume: "fib25/em" scale_index: 9 {text(EM_BOX)}', 5, "UNKNOWN_SCALE"),
        ('volume: "FIB25/../em"', 3, "MALFORMED_NAME"),
    ],
)
def test_a_refused_cutout_prints_its_reason(client: Client, read: str, code: int, reason: str) -> None:
    status, lines = client.run(read)
    assert status == 1
    assert lines[0].startswith(f"error {code} {reason}: ")
    assert not (client.folder / "cutout.raw").exists()


@pytest.mark.parametrize(("segment_id", "code", "reason"), [(1, 5, "SEGMENT_NOT_FOUND"), (0, 3, "INVALID_SEGMENT_ID")])
def test_a_segment_without_a_mesh_prints_its_reason(client: Client, segment_id: int, code: int, reason: str) -> None:
    read = f'volume: "fib25/em" {text(EM_BOX)}'
    status, lines = client.run(read, f'spec {{ volume: "fib25/seg" segment_ids: {segment_id} }}')
    assert status == 1
    assert lines[1].startswith(f"error {code} {reason}: ")
    assert not (client.folder / "mesh.ngf").exists()


def test_nothing_listening_is_told_by_its_code(program: pathlib.Path, tmp_path: pathlib.Path) -> None:
    status, lines = Client(program, "127.0.0.1:1", tmp_path).run('volume: "fib25/em"')
    assert (status, lines[0][:9]) == (1, "error 14 ")
