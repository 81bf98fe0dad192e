"""What files say of their meshes: how they came to be, what is measured of them; and normals."""

import io
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from support.surfaces import HOSTILE, PROVENANCE, ball_mesh, box_mesh, known
from voxgate.model.mesh_facts import MeshProvenance
from voxgate.model.mesh_files import encode_meshes

HUGE, BIG = 2**63 + 7, 2**53 + 1
ONE = known(ball_mesh(HUGE, (8_123_456.0, -20.5, 40.0), (4.5, 70.0, 900.0)))
TWO = known(ball_mesh(BIG, (7.25, 100.0, -3.0), (10.0, 21.0, 33.0)), voxel_count=None)
PLAIN = known(box_mesh(5, (7.25, 100.0, -3.0), (10.0, 21.0, 33.0)))
SEGMENT = {
    "segment_id": str(HUGE),
    "origin": "computed",
    "scale": 2,
    "resolved_version": "",
    "mesher": "cubes",
    "search": "pyramid",
    "statistics": {
        "voxel_count": BIG,
        "volume_nm3": 2835.5,
        "surface_nm2": 1.25e9,
        "min_nm": [float(each) for each in ONE.bounds_nm[0]],
        "max_nm": [float(each) for each in ONE.bounds_nm[1]],
        "watertight": True,
        "error_nm": 12.25,
    },
}
PROVENANCE_DOCUMENT = {
    "volume": "fib25/seg",
    "resolved_version": "3fa:master",
    "server_version": "0.1.0",
    "parameters": {"normals": True, "max_error_nm": 12.5, "bounds": {"start": {"x": "-3"}}},
}
LEADS = {"obj": "# ", "ply": "comment "}


def load(data, fmt, **options):
    return trimesh.load(io.BytesIO(data), file_type=fmt, process=False, **options)


def comments(data, fmt):
    """The comments of a file as (first two words, JSON), folded lines joined."""
    header = data.partition(b"end_header")[0] if fmt == "ply" else data
    found = []
    for line in header.decode("ascii").split("\n"):
        text = line.removeprefix(LEADS[fmt])
        if text.startswith("voxgate + "):
            found[-1] += text.removeprefix("voxgate + ")
        elif text.startswith(("voxgate provenance ", "voxgate segment ")):
            found.append(text)
    return [(text.split(" ", 2)[1], json.loads(text.split(" ", 2)[2])) for text in found]


def glb_document(data):
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


@pytest.mark.parametrize("fmt", LEADS)
def test_text_headers_say_how_the_meshes_came_to_be_and_what_each_measures(fmt):
    told = comments(encode_meshes([ONE, TWO], fmt), fmt)
    assert [what for what, _ in told] == ["provenance", "segment", "segment"]
    assert told[0][1] == PROVENANCE_DOCUMENT
    assert told[1][1] == SEGMENT
    assert told[2][1]["segment_id"] == str(BIG)
    assert told[2][1]["statistics"]["voxel_count"] is None


def test_glb_extras_say_the_same_and_trimesh_finds_them():
    data = encode_meshes([ONE, TWO], "glb")
    document = glb_document(data)
    assert document["asset"]["extras"] == {"provenance": PROVENANCE_DOCUMENT}
    assert document["nodes"][0]["extras"] == SEGMENT
    scene = load(data, "glb")
    (edge,) = [each for each in scene.graph.to_edgelist() if each[1] == str(HUGE)]
    assert edge[2]["metadata"]["statistics"]["surface_nm2"] == 1.25e9


@pytest.mark.parametrize("fmt", LEADS)
def test_meshes_of_different_origin_each_say_their_own(fmt):
    other = replace(TWO, provenance=MeshProvenance("lab/seg", "9"))
    told = comments(encode_meshes([ONE, other], fmt), fmt)
    assert [what for what, _ in told] == ["segment", "segment"]
    assert [document["provenance"]["volume"] for _, document in told] == ["fib25/seg", "lab/seg"]
    extras = glb_document(encode_meshes([ONE, other], "glb"))
    assert [node["extras"]["provenance"]["volume"] for node in extras["nodes"]] == ["fib25/seg", "lab/seg"]
    assert "extras" not in extras["asset"]


@pytest.mark.parametrize("fmt", LEADS)
def test_what_nobody_knows_is_not_made_up(fmt):
    told = comments(encode_meshes([box_mesh(3, (0, 0, 0), (1, 2, 3))], fmt), fmt)
    assert [(what, document["statistics"]) for what, document in told] == [("segment", None)]


@given(st.text(max_size=2500))
def test_no_name_begins_a_line_of_its_own_or_makes_one_too_long(name):
    mesh = replace(PLAIN, provenance=MeshProvenance(name, name, "0.1.0", {"mesher": name}))
    expected = [line[:2] for line in encode_meshes([PLAIN], "obj").decode().split("\n") if not line.startswith("#")]
    for fmt in LEADS:
        data = encode_meshes([mesh], fmt)
        assert comments(data, fmt)[0][1]["volume"] == name
        header = data.partition(b"end_header")[0]
        assert max(map(len, header.split(b"\n"))) < 1024
        assert np.array_equal(load(data, fmt).faces, PLAIN.faces)
    lines = encode_meshes([mesh], "obj").decode("ascii").split("\n")
    assert [line[:2] for line in lines if not line.startswith("#")] == expected


@pytest.mark.parametrize("fmt", ["obj", "ply", "glb"])
def test_hostile_names_change_no_triangle(fmt):
    mesh = known(PLAIN, provenance=MeshProvenance(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: [HOSTILE, float("inf"), None]}))
    unit = 1e9 if fmt == "glb" else 1
    loaded = load(encode_meshes([mesh], fmt), fmt, force="mesh")
    assert np.allclose(loaded.triangles * unit, PLAIN.vertices[PLAIN.faces], atol=1e-3)


@pytest.mark.parametrize("fmt", ["obj", "ply", "stl", "glb", "drc"])
def test_the_same_mesh_is_the_same_bytes(fmt):
    turned = dict(reversed(PROVENANCE.parameters.items()))
    again = replace(ONE, vertices=ONE.vertices.copy(), provenance=replace(PROVENANCE, parameters=turned))
    assert encode_meshes([ONE], fmt) == encode_meshes([again], fmt)


@pytest.mark.parametrize("fmt", ["obj", "ply", "glb"])
def test_normals_are_read_back_with_their_vertices(fmt):
    # Not those that a reader would compute by itself.
    mesh = replace(TWO, normals=TWO.normals[:, [1, 2, 0]])
    loaded = load(encode_meshes([mesh], fmt), fmt)
    (read,) = loaded.geometry.values() if fmt == "glb" else [loaded]
    assert np.allclose(read.vertex_normals, mesh.normals, atol=1e-6)


def test_normals_of_an_obj_are_counted_apart_from_its_vertices():
    data = encode_meshes([PLAIN, TWO], "obj")
    lines = data.decode().splitlines()
    assert sum(line.startswith("vn ") for line in lines) == len(TWO.normals)
    pairs = [corner.split("//") for line in lines if "//" in line for corner in line.split()[1:]]
    assert {int(vertex) - int(normal) for vertex, normal in pairs} == {len(PLAIN.vertices)}
    scene = load(data, "obj", split_objects=True, group_material=False)
    assert np.allclose(scene.geometry[str(BIG)].vertices.astype(np.float32), TWO.vertices)


def test_a_ply_has_normals_only_where_every_mesh_has():
    assert b"property float nx" in encode_meshes([ONE, TWO], "ply")
    mixed = encode_meshes([PLAIN, TWO], "ply")
    assert b"property float nx" not in mixed
    assert len(load(mixed, "ply").faces) == len(PLAIN.faces) + len(TWO.faces)
