"""Files of ExportMesh over a real socket: Draco, normals, and what they say of their meshes."""

import io
import json
import sys

import DracoPy
import grpc
import numpy as np
import pytest
import trimesh

from support.mesh_services import BALL, DOT, ROD, bodies, client_of, pyramid
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model import errors
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_files import encode_meshes
from voxgate.model.meshes import MESH_FORMATS, MeshRequest, MeshSource
from voxgate.v1 import mesh_pb2 as pb
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.mesh_requests import mesh_format_to_proto, mesh_spec_to_proto

WISHES = MeshRequest((ROD,), 0, normals=True, simplification=Simplification(max_error_nm=4.0))


@pytest.fixture(scope="module")
def source():
    """The SDK's source of meshes, whose stub is also asked for files."""
    with client_of(pyramid(bodies())) as client:
        found = client.volume("lab/seg").volume.capability(MeshSource)
        assert isinstance(found, GrpcMeshSource)
        yield found


def exported(source, fmt, request=WISHES):
    spec = mesh_spec_to_proto(source.volume, source.options, request)
    responses = list(source.stub.ExportMesh(pb.ExportMeshRequest(spec=spec, format=mesh_format_to_proto(fmt))))
    (header,) = [response.header for response in responses if response.HasField("header")]
    return header, b"".join(response.data for response in responses)


@pytest.mark.parametrize("fmt", MESH_FORMATS)
def test_a_file_of_the_server_is_the_file_that_the_sdk_saves(source, fmt):
    _, data = exported(source, fmt)
    assert data == encode_meshes(list(source.meshes(WISHES)), fmt)


def test_draco_holds_the_segment_within_its_stated_error_and_says_what_it_is(source):
    header, data = exported(source, "drc")
    assert (header.media_type, header.file_extension) == ("application/octet-stream", "drc")
    (mesh,) = source.meshes(WISHES)
    read = DracoPy.decode(data)
    assert (len(read.points), len(read.faces)) == (len(mesh.vertices), len(mesh.faces))
    step = np.ptp(mesh.vertices, axis=0).max() / (2**16 - 1)
    low, high = mesh.bounds_nm
    assert np.abs(np.min(read.points, axis=0) - low).max() <= step
    assert np.abs(np.max(read.points, axis=0) - high).max() <= step
    assert len(read.normals) == len(mesh.vertices)


def test_draco_takes_one_segment_and_names_what_is_not_installed(source, monkeypatch):
    with pytest.raises(grpc.RpcError) as caught:
        exported(source, "drc", MeshRequest((ROD, DOT), 0))
    assert isinstance(from_rpc_error(caught.value), errors.InvalidArgument)
    monkeypatch.setitem(sys.modules, "DracoPy", None)  # the server is in this process
    with pytest.raises(grpc.RpcError) as caught:
        exported(source, "drc")
    found = from_rpc_error(caught.value)
    assert isinstance(found, errors.Unimplemented)
    assert found.remedy == "pip install 'voxgate[draco]'"
    assert exported(source, "glb")[1]


def test_every_segment_of_a_file_has_its_statistics_and_the_file_its_provenance(source):
    request = MeshRequest((BALL, ROD, DOT), 0, normals=True)
    _, data = exported(source, "ply", request)
    header = data.partition(b"end_header")[0].decode("ascii").splitlines()
    told = [json.loads(line.split(" ", 3)[3]) for line in header if line.startswith("comment voxgate segment ")]
    assert sorted(each["segment_id"] for each in told) == sorted(map(str, request.segment_ids))
    by_id = {int(each["segment_id"]): each for each in told}
    assert by_id[DOT]["statistics"]["voxel_count"] == 1
    assert all(each["statistics"]["watertight"] and each["mesher"] == "cubes" for each in told)
    (provenance,) = [json.loads(line.split(" ", 3)[3]) for line in header if "voxgate provenance" in line]
    assert provenance["volume"] == "lab/seg"
    assert provenance["server_version"]
    assert provenance["parameters"]["normals"] is True
    loaded = trimesh.load(io.BytesIO(data), file_type="ply", process=False)
    assert np.allclose(np.linalg.norm(loaded.vertex_normals, axis=1), 1, atol=1e-5)
