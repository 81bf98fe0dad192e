"""Clients in C++ and TypeScript, made from the protos tarball alone, against a running suite."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorstore as ts
import trimesh
from languages.programs import Client, without_comments

import voxgate
from support.house import ROOT
from voxgate.model.geometry import Box

# Compilers and npm: `make test-languages`, not `make test`.
pytestmark = pytest.mark.full

EM_BOX = Box.of(x=(1101, 1132), y=(2070, 2121), z=(3043, 3079))
WHOLE = Box.of(x=(1088, 1248), y=(2056, 2192), z=(3000, 3112))


def span(box: Box) -> str:
    """The option that reads a box."""
    return "--cutout=" + ",".join(f"{start}:{stop}" for start, stop in zip(box.start, box.stop, strict=True))


def read(client: Client, address: str, volume: str, box: Box, *more: str) -> npt.NDArray[Any]:
    """A cutout as (z, y, x)."""
    ran = client.run(address, volume, span(box), *more)
    assert ran.status == 0, ran.complained
    name, count, _ = ran.printed[0].split()
    assert int(count) == box.shape.product
    assert ran.printed[1] == "saved cutout.raw"
    voxels = np.fromfile(client.folder / "cutout.raw", name.removeprefix("DATA_TYPE_").lower())
    return voxels.reshape(box.shape.zyx)


def stored(name: str, box: Box, scale: int = 0) -> npt.NDArray[Any]:
    """The same voxels by tensorstore, (z, y, x)."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{ROOT / 'samples' / name}/", "scale_index": scale}
    (x0, y0, z0), (x1, y1, z1) = box.start, box.stop
    voxels: npt.NDArray[Any] = ts.open(spec).result()[x0:x1, y0:y1, z0:z1, 0].read().result()
    return voxels.T


def expected() -> Any:
    return json.loads((ROOT / "samples/aniso/EXPECTED.json").read_text())


def facts(printed: list[str]) -> dict[str, str]:
    """The "name value" lines."""
    return dict(line.split(" ", 1) for line in printed)


def table(lines: list[str], keyword: str) -> npt.NDArray[np.float64]:
    """The rows of an OBJ that begin with a keyword."""
    return np.array([line.split()[1:] for line in lines if line.startswith(f"{keyword} ")], float)


def test_an_unaligned_cutout_of_the_image_has_the_stored_bytes(client: Client, address: str) -> None:
    np.testing.assert_array_equal(read(client, address, "fib25/em", EM_BOX), stored("fib25/em", EM_BOX))


def test_a_cutout_of_many_messages_is_whole(client: Client, address: str) -> None:
    np.testing.assert_array_equal(read(client, address, "fib25/seg", WHOLE), stored("fib25/seg", WHOLE))


def test_a_coarse_scale_is_read_by_its_key_and_by_its_number(client: Client, address: str) -> None:
    box = Box.of(x=(545, 601), y=(1029, 1068), z=(1511, 1549))
    for scale in ("--scale=20_20_20", "--scale-index=1"):
        np.testing.assert_array_equal(read(client, address, "fib25/em", box, scale), stored("fib25/em", box, 1))


def test_negative_coordinates_huge_ids_and_absent_chunks_arrive(client: Client, address: str) -> None:
    box = Box.of(x=(-24, 39), y=(41, 88), z=(12, 32))
    voxels = read(client, address, "aniso/seg", box)
    assert voxels.dtype == np.uint64
    np.testing.assert_array_equal(voxels, stored("aniso/seg", box))
    assert voxels.max() == 2**64 - 1


@pytest.mark.parametrize("volume", ["fib25/seg", "aniso/seg"])
def test_without_an_id_the_largest_segments_are_listed(client: Client, address: str, volume: str) -> None:
    ran = client.run(address, volume, "--top", "5")
    with voxgate.connect(address) as python:
        largest = python.volume(volume).segments(top=5)
    assert ran.printed[0].endswith(" segments: id, voxels")
    assert ran.printed[1:] == [f"{one} {count}" for one, count in zip(largest.ids, largest.voxel_counts, strict=True)]
    assert len(ran.printed) > 3


@pytest.mark.parametrize("body", expected()["segments"], ids=lambda body: body["segment_id"])
def test_meshes_of_huge_ids_have_exactly_their_bounds(client: Client, address: str, body: dict[str, Any]) -> None:
    lines = client.obj(address, "aniso/seg", body["segment_id"])
    assert lines[:2] == [f"o {body['segment_id']}", f"g {body['segment_id']}"]
    vertices = table(lines, "v")
    np.testing.assert_array_equal(vertices.min(axis=0), body["start_nm"])
    np.testing.assert_array_equal(vertices.max(axis=0), body["stop_nm"])


@pytest.mark.parametrize(("volume", "rank"), [("fib25/seg", 2), ("fib25/seg", 40), ("aniso/seg", 0)])
def test_a_whole_body_is_saved_as_the_sdk_saves_it(client: Client, address: str, volume: str, rank: int) -> None:
    with voxgate.connect(address) as python:
        seg = python.volume(volume)
        mesh = seg.mesh(seg.segments(top=rank + 1).ids[rank])
    mesh.save(client.folder / "sdk.obj")
    lines = client.obj(address, volume, str(mesh.segment_id))
    assert len(lines) > 2 + len(mesh.vertices)
    assert lines == without_comments(client.folder / "sdk.obj")


def test_a_body_with_normals_is_saved_as_the_sdk_saves_it(client: Client, address: str) -> None:
    with voxgate.connect(address) as python:
        seg = python.volume("fib25/seg")
        mesh = seg.mesh(seg.segments(top=8).ids[7], normals=True)
    mesh.save(client.folder / "sdk.obj")
    lines = client.obj(address, "fib25/seg", str(mesh.segment_id), "--normals")
    assert len(table(lines, "vn")) == len(mesh.vertices) > 0
    assert lines == without_comments(client.folder / "sdk.obj")


def test_the_mesh_of_a_body_is_its_surface_and_its_statistics_are_printed(client: Client, address: str) -> None:
    labels = stored("fib25/seg", WHOLE)
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    body, voxel_count = max(zip(ids.tolist(), counts.tolist(), strict=True), key=lambda pair: pair[1])
    ran = client.run(address, "fib25/seg", str(body), "-o", "body.obj")
    lines = without_comments(client.folder / "body.obj")
    vertices, faces = table(lines, "v"), table(lines, "f").astype(int) - 1
    surface = trimesh.Trimesh(vertices, faces, process=False)
    assert surface.is_watertight
    assert surface.volume == pytest.approx(voxel_count * 1000, rel=0.05)
    places = np.argwhere(labels == body)[:, ::-1] + list(WHOLE.start)
    np.testing.assert_array_equal(vertices.min(axis=0), places.min(axis=0) * 10)
    np.testing.assert_array_equal(vertices.max(axis=0), (places.max(axis=0) + 1) * 10)
    told = facts(ran.printed)
    assert (told["segment"], told["origin"], told["scale"]) == (str(body), "computed", "0")
    assert (int(told["vertices"]), int(told["faces"])) == (len(vertices), len(faces))
    assert (told["voxel_count"], told["watertight"], told["error_nm"]) == (str(voxel_count), "true", "0")
    assert float(told["volume_nm3"]) == pytest.approx(surface.volume)
    assert float(told["surface_nm2"]) == pytest.approx(surface.area)
    assert told["min_nm"] == " ".join(f"{place:.9g}" for place in vertices.min(axis=0))
    assert told["max_nm"] == " ".join(f"{place:.9g}" for place in vertices.max(axis=0))


@pytest.mark.parametrize(
    ("volume", "box", "scale", "error"),
    [
        ("fib25/nothing", EM_BOX, "0", "error 5 UNKNOWN_VOLUME: "),
        ("nowhere/em", EM_BOX, "0", "error 5 UNKNOWN_REMOTE: "),
        ("fib25/em", Box.of(x=(0, 9), y=(0, 8), z=(0, 7)), "0", "error 11 OUT_OF_BOUNDS: "),
        ("fib25/em", Box(EM_BOX.stop, EM_BOX.start), "0", "error 3 EMPTY_BOX: "),
        ("fib25/em", EM_BOX, "9", "error 5 UNKNOWN_SCALE: "),
        ("FIB25/../em", EM_BOX, "0", "error 3 MALFORMED_NAME: "),
    ],
)
def test_a_refused_call_prints_its_reason_and_its_remedy(
    client: Client, address: str, volume: str, box: Box, scale: str, error: str
) -> None:
    ran = client.run(address, volume, span(box), f"--scale-index={scale}")
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained[0].startswith(error)
    assert any(line.startswith("remedy: ") for line in ran.complained)
    assert not list(client.folder.iterdir())


def test_an_unknown_segment_is_told_by_its_item(client: Client, address: str) -> None:
    ran = client.run(address, "fib25/seg", str(2**64 - 2))
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained[0].startswith("error 5 SEGMENT_NOT_FOUND: ")
    assert ran.complained[-1] == "leave SEGMENT_ID out to list the largest segments"
    assert not list(client.folder.iterdir())


def test_the_background_is_no_segment(client: Client, address: str) -> None:
    ran = client.run(address, "fib25/seg", "0")
    assert ran.status == 1
    assert ran.complained[0].startswith("error 3 INVALID_SEGMENT_ID: ")


def test_an_image_has_no_meshes(client: Client, address: str) -> None:
    ran = client.run(address, "fib25/em", "7")
    assert ran.status == 1
    assert ran.complained[0].split(":")[0] == "error 9 MISSING_CAPABILITY"
