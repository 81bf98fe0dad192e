"""Mesh files, read back by readers that are not ours."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh
from cloudvolume import Mesh as CloudVolumeMesh

from support.surfaces import box_mesh
from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_files import encode_meshes, mesh_file_type
from voxgate.model.meshes import MESH_FORMATS, Mesh

HUGE = 2**63 + 7
FAR = 8_123_456.0  # nanometres: eight millimetres from the origin, as in real volumes


ONE = box_mesh(HUGE, (FAR, -20.5, 40.0), (4.5, 70.0, 900.0))
TWO = box_mesh(2**53 + 1, (7.25, 100.0, -3.0), (10.0, 21.0, 33.0))
EMPTY = Mesh(4, np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32))


def load(data, fmt, **options):
    return trimesh.load(io.BytesIO(data), file_type=fmt, process=False, **options)


def in_order(triangles):
    """Triangles to a hundredth of a nanometre, in an order of their own: readers reorder the nodes of a scene."""
    rounded = np.round(np.asarray(triangles, float), 2) + 0.0
    return rounded[np.lexsort(rounded.reshape(-1, 9).T)]


@pytest.mark.parametrize("fmt", ["obj", "ply", "stl", "glb"])
@pytest.mark.parametrize("meshes", [[ONE], [ONE, TWO], [EMPTY, TWO, ONE]])
def test_trimesh_reads_back_the_same_triangles(fmt, meshes):
    loaded = load(encode_meshes(meshes, fmt), fmt, force="mesh")
    expected = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes])
    unit = 1e9 if fmt == "glb" else 1.0
    assert np.array_equal(in_order(loaded.triangles * unit), in_order(expected))
    volume = sum(trimesh.Trimesh(mesh.vertices.astype(float), mesh.faces).volume for mesh in meshes if len(mesh.faces))
    assert loaded.volume * unit**3 == pytest.approx(volume, rel=1e-3)
    assert loaded.volume > 0


@pytest.mark.parametrize("fmt", ["obj", "ply"])
def test_shared_vertices_stay_shared(fmt):
    loaded = load(encode_meshes([ONE], fmt), fmt)
    assert np.array_equal(loaded.vertices.astype(np.float32), ONE.vertices)
    assert np.array_equal(loaded.faces, ONE.faces)
    assert loaded.is_watertight


def test_obj_has_one_object_for_each_segment_named_by_its_id():
    lines = encode_meshes([ONE, TWO], "obj").decode().splitlines()
    assert [line for line in lines if line.startswith("o ")] == [f"o {HUGE}", f"o {2**53 + 1}"]
    assert [line for line in lines if line.startswith("g ")] == [f"g {HUGE}", f"g {2**53 + 1}"]


@pytest.mark.parametrize("split", ["split_objects", "split_groups"])
def test_readers_split_an_obj_by_objects_or_by_groups(split):
    scene = load(encode_meshes([ONE, TWO], "obj"), "obj", group_material=False, **{split: True})
    assert set(scene.geometry) == {str(HUGE), str(2**53 + 1)}
    second = scene.geometry[str(2**53 + 1)]
    assert np.array_equal(second.triangles.astype(np.float32), TWO.vertices[TWO.faces])


def test_obj_brings_every_float32_back_exactly():
    odd = np.random.default_rng(3).uniform(-1e7, 1e7, (30, 3)).astype(np.float32)
    mesh = Mesh(1, odd, np.arange(30, dtype=np.uint32).reshape(-1, 3))
    assert np.array_equal(load(encode_meshes([mesh], "obj"), "obj").vertices.astype(np.float32), odd)


def test_ply_says_which_rows_belong_to_which_segment():
    header = encode_meshes([TWO, ONE], "ply").partition(b"end_header")[0].decode()
    assert f"comment segment {2**53 + 1} vertices 0:8 faces 0:12" in header
    assert f"comment segment {HUGE} vertices 8:16 faces 12:24" in header


def test_stl_normals_look_outward_and_have_length_one():
    data = encode_meshes([ONE], "stl")
    assert not data.startswith(b"solid")
    assert struct.unpack_from("<I", data, 80) == (12,)
    assert len(data) == 84 + 12 * 50
    rows = np.frombuffer(data, np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("pad", "<u2")]), offset=84)
    assert np.allclose(np.linalg.norm(rows["normal"], axis=1), 1)
    outward = rows["corners"].mean(axis=1) - ONE.vertices.mean(axis=0)
    assert ((rows["normal"] * outward).sum(axis=1) > 0).all()


def test_a_degenerate_triangle_has_no_normal_and_no_warning():
    flat = Mesh(1, np.array([[1, 2, 3]] * 3, np.float32), np.array([[0, 1, 2]], np.uint32))
    assert np.frombuffer(encode_meshes([flat], "stl"), "<f4", 3, offset=84).tolist() == [0, 0, 0]


def test_glb_is_framed_as_gltf_2_says():
    data = encode_meshes([ONE, TWO], "glb")
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    binary, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0"
    assert 28 + size + binary == len(data)
    assert document["buffers"][0]["byteLength"] <= binary
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    position = document["accessors"][0]
    assert position["min"] == [0.0, pytest.approx(0.5e-9), 0.0]


def test_glb_has_one_node_for_each_segment_in_metres_without_losing_precision_far_away():
    scene = load(encode_meshes([ONE, TWO, EMPTY], "glb"), "glb")
    assert {str(HUGE), str(2**53 + 1)} <= set(scene.graph.nodes_geometry)
    transform, geometry = scene.graph[str(HUGE)]
    local = scene.geometry[geometry].vertices
    placed = (local.astype(np.float64) + transform[:3, 3]) * 1e9
    assert np.abs(placed - ONE.vertices).max() < 1e-3


def test_a_glb_of_nothing_but_empty_meshes_names_their_nodes():
    data = encode_meshes([EMPTY], "glb")
    size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + size])
    assert [node["name"] for node in document["nodes"]] == ["4"]
    assert "meshes" not in document
    assert len(data) == 20 + size


def test_cloudvolume_reads_the_precomputed_fragment():
    mesh = CloudVolumeMesh.from_precomputed(encode_meshes([ONE], "precomputed"))
    assert np.array_equal(mesh.vertices, ONE.vertices)
    assert np.array_equal(mesh.faces, ONE.faces)


@pytest.mark.parametrize("fmt", [fmt for fmt in MESH_FORMATS if fmt != "drc"])
def test_an_empty_mesh_is_a_valid_file(fmt):
    assert encode_meshes([EMPTY], fmt)


def test_formats_have_media_types_and_endings():
    assert mesh_file_type("glb").media_type == "model/gltf-binary"
    assert {fmt: mesh_file_type(fmt).extension for fmt in MESH_FORMATS} == {
        "obj": "obj",
        "ply": "ply",
        "stl": "stl",
        "glb": "glb",
        "drc": "drc",
        "precomputed": "",
    }


def test_what_cannot_be_written_is_refused():
    with pytest.raises(InvalidArgument, match="dae"):
        encode_meshes([ONE], "dae")
    with pytest.raises(InvalidArgument, match="no mesh"):
        encode_meshes([], "obj")
    with pytest.raises(InvalidArgument, match="one segment, not 2"):
        encode_meshes([ONE, TWO], "precomputed")
    with pytest.raises(InvalidArgument, match="one segment, not 2"):
        encode_meshes([ONE, TWO], "drc")
