"""Clients in C++ and TypeScript, made from the protos tarball alone, against a running suite."""

from __future__ import annotations

import json
import pathlib
import subprocess
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

# Compilers and npm: `make test-languages`, not `make test`.
pytestmark = pytest.mark.full

NO_MESH = {"spec": {"volume": "no-such-remote/seg", "segment_ids": ["1"]}}
Request = dict[str, Any]
EM_BOX = Box.of(x=(1101, 1132), y=(2070, 2121), z=(3043, 3079))


class Client:
    """Runs the program in a folder of its own."""

    def __init__(self, program: list[str], address: str, folder: pathlib.Path) -> None:
        self.program, self.address, self.folder = program, address, folder

    def run(self, read: Request, mesh: Request = NO_MESH) -> tuple[int, list[str]]:
        """Exit status and printed lines."""
        command = [*self.program, self.address, json.dumps(read), json.dumps(mesh)]
        done = subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode >= 0, done.stderr
        return done.returncode, done.stdout.splitlines()

    def voxels(self, read: Request, dtype: str, shape: Vec3) -> npt.NDArray[Any]:
        """A cutout as (z, y, x)."""
        _, lines = self.run(read)
        assert lines[0] == f"DATA_TYPE_{dtype.upper()} {shape.product} voxels"
        return np.fromfile(self.folder / "cutout.raw", dtype).reshape(shape.zyx)

    def mesh(self, volume: str, segment_id: int) -> Mesh:
        """A mesh, read by cloud-volume."""
        status, lines = self.run(cutout("fib25/em", EM_BOX), surface_of(volume, segment_id))
        assert status == 0, lines
        mesh = Mesh.from_precomputed((self.folder / "mesh.ngf").read_bytes())
        assert lines[1] == f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces"
        return mesh


@pytest.fixture
def client(program: list[str], address: str, tmp_path: pathlib.Path) -> Client:
    return Client(program, address, tmp_path)


def cutout(volume: str, box: Box, **scale: int | str) -> Request:
    start, stop = (dict(zip("xyz", corner, strict=True)) for corner in (box.start, box.stop))
    return {"volume": volume, "box": {"start": start, "stop": stop}, **scale}


def surface_of(volume: str, segment_id: int) -> Request:
    return {"spec": {"volume": volume, "segment_ids": [str(segment_id)]}}


def stored(name: str, box: Box, scale: int = 0) -> npt.NDArray[Any]:
    """The same voxels by tensorstore, (z, y, x)."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{ROOT / 'samples' / name}/", "scale_index": scale}
    (x0, y0, z0), (x1, y1, z1) = box.start, box.stop
    voxels: npt.NDArray[Any] = ts.open(spec).result()[x0:x1, y0:y1, z0:z1, 0].read().result()
    return voxels.T


def expected() -> Any:
    return json.loads((ROOT / "samples/aniso/EXPECTED.json").read_text())


@pytest.mark.parametrize("source", ["cpp/voxgate_client.cc", "typescript/voxgate_client.ts"])
def test_a_client_is_under_80_lines(source: str) -> None:
    lines = (ROOT / "clients" / source).read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) < 80


def test_an_unaligned_cutout_of_the_image_has_the_stored_bytes(client: Client) -> None:
    voxels = client.voxels(cutout("fib25/em", EM_BOX), "uint8", EM_BOX.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/em", EM_BOX))


def test_a_cutout_of_many_messages_is_whole(client: Client) -> None:
    box = Box.of(x=(1088, 1248), y=(2056, 2192), z=(3000, 3112))
    voxels = client.voxels(cutout("fib25/seg", box), "uint64", box.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/seg", box))


def test_a_coarse_scale_is_read_by_its_key(client: Client) -> None:
    box = Box.of(x=(545, 601), y=(1029, 1068), z=(1511, 1549))
    voxels = client.voxels(cutout("fib25/em", box, scale_key="20_20_20"), "uint8", box.shape)
    np.testing.assert_array_equal(voxels, stored("fib25/em", box, 1))


def test_negative_coordinates_huge_ids_and_absent_chunks_arrive(client: Client) -> None:
    box = Box.of(x=(-24, 39), y=(41, 88), z=(12, 32))
    voxels = client.voxels(cutout("aniso/seg", box), "uint64", box.shape)
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
        (cutout("fib25/nothing", EM_BOX), 5, "UNKNOWN_VOLUME"),
        (cutout("nowhere/em", EM_BOX), 5, "UNKNOWN_REMOTE"),
        (cutout("fib25/em", Box.of(x=(0, 9), y=(0, 8), z=(0, 7))), 11, "OUT_OF_BOUNDS"),
        (cutout("fib25/em", Box(EM_BOX.stop, EM_BOX.start)), 3, "EMPTY_BOX"),
        (cutout("fib25/em", EM_BOX, scale_index=9), 5, "UNKNOWN_SCALE"),
        (cutout("FIB25/../em", EM_BOX), 3, "MALFORMED_NAME"),
    ],
)
def test_a_refused_cutout_prints_its_reason(client: Client, read: Request, code: int, reason: str) -> None:
    status, lines = client.run(read)
    assert status == 1
    assert lines[0].startswith(f"error {code} {reason}: ")
    assert not (client.folder / "cutout.raw").exists()


@pytest.mark.parametrize(("segment_id", "code", "reason"), [(1, 5, "SEGMENT_NOT_FOUND"), (0, 3, "INVALID_SEGMENT_ID")])
def test_a_segment_without_a_mesh_prints_its_reason(client: Client, segment_id: int, code: int, reason: str) -> None:
    status, lines = client.run(cutout("fib25/em", EM_BOX), surface_of("fib25/seg", segment_id))
    assert status == 1
    assert lines[1].startswith(f"error {code} {reason}: ")
    assert not (client.folder / "mesh.ngf").exists()


def test_nothing_listening_is_told_by_its_code(program: list[str], tmp_path: pathlib.Path) -> None:
    status, lines = Client(program, "127.0.0.1:1", tmp_path).run(cutout("fib25/em", EM_BOX))
    assert (status, lines[0][:9]) == (1, "error 14 ")
