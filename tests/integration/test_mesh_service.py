"""The Mesh service over a real loopback socket, asked by the SDK's source and by bare stubs."""

import contextlib
import gc
import io
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorstore
import trimesh

from support.mesh_volumes import CountingVolume, as_trimesh, blobs, meshed, segmentation
from support.servers import OneVolume, health, server_process, settings
from voxgate.client.meshes import GrpcMeshSource
from voxgate.model import errors
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.volumes import CallContext, OpenOptions
from voxgate.v1 import mesh_pb2 as pb
from voxgate.v1 import mesh_pb2_grpc, types_pb2
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.meshes import MeshAssembler
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh.service import MESH, meshing_settings, registrations
from voxgate_mesh.servicer import MeshServicer
from voxgate_remotes.registry import Registry
from voxgate_serving.budget import ByteBudget
from voxgate_serving.handlers import add_servicer
from voxgate_serving.server import ServiceRegistration, start_server
from voxgate_serving.workers import WorkerPool

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
HUGE = 2**63 + 9
ABSENT = 2**64 - 2


@contextlib.contextmanager
def mesh_server(volume, *, processes=0, **overrides):
    """The service on a free port over one volume; yields its stub."""
    chosen = settings(**overrides)
    services = registrations(Registry({"lab": OneVolume(volume)}), chosen, workers=WorkerPool(processes))
    with serving(services, chosen) as stub:
        yield stub


@contextlib.contextmanager
def serving(services, chosen):
    server = start_server(services, chosen)
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield mesh_pb2_grpc.MeshServiceStub(channel)
    finally:
        server.stop(1.0)


@pytest.fixture(scope="module")
def labels():
    return blobs(41, shape=(21, 34, 45))


@pytest.fixture(scope="module")
def stub(labels):
    with mesh_server(segmentation(labels), max_segment_count=50, max_scan_voxel_count=40_000) as stub:
        yield stub


def spec(**fields):
    return pb.MeshSpec(**{"volume": "lab/seg", "segment_ids": [HUGE], **fields})


def failure(call):
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    return from_rpc_error(caught.value), caught.value.code()


def test_a_client_gets_the_meshes_that_the_mesher_makes(stub, labels):
    ids = [int(i) for i in np.unique(labels) if i]
    expected = meshed(segmentation(labels), ids)
    answers = {a.segment_id: a for a in GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest(tuple(ids)))}
    assert set(answers) == set(ids)
    for segment_id, mesh in answers.items():
        assert mesh.vertices.tobytes() == expected[segment_id].vertices.tobytes()
        assert mesh.faces.tobytes() == expected[segment_id].faces.tobytes()
        assert (mesh.origin, mesh.mesher, mesh.scale) == ("computed", "cubes", 0)
        assert as_trimesh(mesh).is_watertight


def test_worker_processes_serve_the_same_meshes(labels):
    expected = meshed(segmentation(labels), [HUGE])[HUGE]
    with mesh_server(segmentation(labels), processes=1) as stub:
        (mesh,) = GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest((HUGE,)))
    assert mesh.vertices.tobytes() == expected.vertices.tobytes()


def test_every_id_gets_exactly_one_end_and_progress_goes_out_first(stub):
    responses = list(stub.GetMeshes(pb.GetMeshesRequest(spec=spec(segment_ids=[ABSENT, HUGE, 3]))))
    assert responses[0].progress.total_bytes == 21 * 34 * 45 * 8
    ends = {end.segment_id: end for response in responses for end in response.ends}
    assert sum(len(response.ends) for response in responses) == 3
    assert ends[ABSENT].error.reason == "SEGMENT_NOT_FOUND"
    assert ends[ABSENT].error.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert not ends[HUGE].HasField("error")
    assert ends[HUGE].origin == pb.MESH_ORIGIN_COMPUTED
    assembler = MeshAssembler([ABSENT, HUGE, 3])
    for response in responses:
        list(assembler.add(response))
    assembler.finish()


def test_bounds_border_and_mesher_travel(stub, labels):
    box = Box.of(x=(-3, 12), y=(15, 30), z=(104, 115))
    for closed, mesher in ((True, "skimage"), (False, "zmesh")):
        request = MeshRequest((HUGE,), bounds=box, closed=closed, mesher=mesher)
        (mesh,) = GrpcMeshSource(stub, "lab/seg").meshes(request)
        expected = meshed(segmentation(labels), [HUGE], bounds=box, closed=closed, mesher=mesher)[HUGE]
        assert mesh.vertices.tobytes() == expected.vertices.tobytes()
        assert mesh.mesher == mesher
        assert as_trimesh(mesh).is_watertight is closed


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"segment_ids": [0, 5, 0]}, errors.InvalidSegmentId, "INVALID_ARGUMENT"),
        ({"segment_ids": []}, errors.InvalidArgument, "INVALID_ARGUMENT"),
        ({"segment_ids": [5, 5]}, errors.InvalidArgument, "INVALID_ARGUMENT"),
        ({"segment_ids": range(1, 52)}, errors.LimitExceeded, "INVALID_ARGUMENT"),
        ({"volume": ""}, errors.InvalidArgument, "INVALID_ARGUMENT"),
        ({"volume": "Lab/.."}, errors.MalformedName, "INVALID_ARGUMENT"),
        ({"volume": "nobody/seg"}, errors.UnknownRemote, "NOT_FOUND"),
        ({"scale_index": 4}, errors.UnknownScale, "NOT_FOUND"),
        ({"scale_key": "fine"}, errors.UnknownScale, "NOT_FOUND"),
        ({"bounds": types_pb2.Box()}, errors.EmptyBox, "INVALID_ARGUMENT"),
        (
            {"bounds": types_pb2.Box(start=types_pb2.Vec3(x=-99), stop=types_pb2.Vec3(x=1, y=1, z=1))},
            errors.OutOfBounds,
            "OUT_OF_RANGE",
        ),
        ({"mesher": "nope"}, errors.InvalidArgument, "INVALID_ARGUMENT"),
        ({"label_view": types_pb2.LABEL_VIEW_SUPERVOXELS}, errors.MissingCapability, "FAILED_PRECONDITION"),
    ],
)
def test_bad_requests_are_typed_errors_with_a_remedy_and_the_server_stays_up(stub, fields, error, code):
    found, status = failure(stub.GetMeshes(pb.GetMeshesRequest(spec=spec(**fields))))
    assert type(found) is error
    assert found.remedy
    assert status.name == code
    assert len(list(GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest((HUGE,))))) == 1


def test_more_voxels_than_the_budget_are_refused_with_the_way_out():
    with mesh_server(segmentation(np.ones((9, 9, 9), np.uint8)), max_scan_voxel_count=500) as stub:
        found, _ = failure(stub.GetMeshes(pb.GetMeshesRequest(spec=spec(segment_ids=[1]))))
        assert isinstance(found, errors.LimitExceeded)
        assert found.details["limit"] == "500"
        box = Box.of(x=(-7, 0), y=(12, 20), z=(101, 108))
        (mesh,) = GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest((1,), bounds=box))
        assert mesh.bounds_nm.tolist() == [[-28, 72, 4040], [0, 120, 4320]]


def test_an_unknown_voxel_size_is_the_operators_to_state():
    with mesh_server(segmentation(np.ones((3, 4, 5), np.uint32), size=None)) as stub:
        found, status = failure(stub.GetMeshes(pb.GetMeshesRequest(spec=spec(segment_ids=[1]))))
    assert isinstance(found, errors.ConfigInvalid)
    assert 'voxel_size_nm = [x, y, z] under [remotes.lab.volumes."seg"]' in found.remedy
    assert status is grpc.StatusCode.FAILED_PRECONDITION


def test_a_failing_store_fails_the_call():
    failing = CountingVolume(
        segmentation(np.ones((3, 4, 5), np.uint8)), error=errors.StoreUnavailable("no answer", "wait")
    )
    with mesh_server(failing) as stub:
        found, status = failure(stub.GetMeshes(pb.GetMeshesRequest(spec=spec(segment_ids=[1]))))
    assert isinstance(found, errors.StoreUnavailable)
    assert status is grpc.StatusCode.UNAVAILABLE


def exported(stub, fmt, ids, **fields):
    responses = list(stub.ExportMesh(pb.ExportMeshRequest(spec=spec(segment_ids=ids, **fields), format=fmt)))
    told = [response for response in responses if not response.HasField("progress")]
    assert told[0].HasField("header")
    assert not any(response.HasField("header") for response in told[1:])
    assert not any(response.ends for response in responses[:-1])
    assert all(len(response.data) <= 2 << 20 for response in responses)
    return told[0].header, b"".join(response.data for response in told), list(told[-1].ends)


@pytest.mark.parametrize("fmt", ["obj", "ply", "stl", "glb"])
def test_files_open_in_trimesh_and_hold_every_segment(stub, labels, fmt):
    header, data, ends = exported(stub, getattr(pb, f"MESH_FORMAT_{fmt.upper()}"), [HUGE, 3, ABSENT])
    assert header.file_extension == fmt
    loaded = trimesh.load(io.BytesIO(data), file_type=fmt, force="mesh", process=False)
    expected = meshed(segmentation(labels), [HUGE, 3])
    assert len(loaded.faces) == sum(len(mesh.faces) for mesh in expected.values())
    unit = 1e9 if fmt == "glb" else 1
    assert loaded.volume * unit**3 == pytest.approx(sum(as_trimesh(m).volume for m in expected.values()), rel=1e-4)
    by_id = {end.segment_id: end for end in ends}
    assert by_id[ABSENT].error.reason == "SEGMENT_NOT_FOUND"
    assert by_id[HUGE].face_count == len(expected[HUGE].faces)


def test_a_precomputed_fragment_holds_one_segment_only(stub, labels):
    header, data, _ = exported(stub, pb.MESH_FORMAT_PRECOMPUTED, [HUGE])
    expected = meshed(segmentation(labels), [HUGE])[HUGE]
    assert header.media_type == "application/octet-stream"
    assert data[4:] == expected.vertices.tobytes() + expected.faces.tobytes()
    request = pb.ExportMeshRequest(spec=spec(segment_ids=[HUGE, 3]), format=pb.MESH_FORMAT_PRECOMPUTED)
    assert isinstance(failure(stub.ExportMesh(request))[0], errors.InvalidArgument)


def test_there_is_no_file_of_nothing_and_none_of_an_unset_format(stub):
    request = pb.ExportMeshRequest(spec=spec(segment_ids=[ABSENT]), format=pb.MESH_FORMAT_OBJ)
    assert isinstance(failure(stub.ExportMesh(request))[0], errors.SegmentNotFound)
    assert isinstance(failure(stub.ExportMesh(pb.ExportMeshRequest(spec=spec())))[0], errors.InvalidArgument)


class SlowVolume(CountingVolume):
    """Every read takes a while; remembers when each began."""

    def __init__(self, volume):
        super().__init__(volume)
        self.times = []

    def read(self, box, *, scale=0, channels=None, out=None):
        self.times.append(time.monotonic())
        time.sleep(0.2)
        return super().read(box, scale=scale, channels=channels, out=out)


SLOW_BLOCKS = 100


@pytest.fixture
def slow():
    labels = np.zeros((4, 5, 8 * SLOW_BLOCKS), np.uint64)
    labels[1:3, 2:4, 1:-1] = HUGE
    return SlowVolume(segmentation(labels))


@contextlib.contextmanager
def slow_server(slow):
    """One small block a time: the whole volume would take twenty seconds."""
    chosen = settings()
    meshing = replace(meshing_settings(chosen), block_shape=Vec3(8, 5, 4), ahead=ReadAhead(1, 1, 0.5))
    servicer = MeshServicer(Registry({"lab": OneVolume(slow)}), WorkerPool(0), meshing, ByteBudget(1 << 20))
    add = partial(add_servicer, servicer=servicer, service=pb.DESCRIPTOR.services_by_name["MeshService"])
    with serving([ServiceRegistration(MESH, add)], chosen) as stub:
        yield stub


def assert_reads_end_within_a_second(slow):
    left = time.monotonic()
    time.sleep(2.0)
    assert slow.times
    assert max(slow.times) <= left + 1.0
    assert len(slow.times) < SLOW_BLOCKS


def test_after_a_cancel_the_store_sees_no_read_later_than_a_second(slow):
    with slow_server(slow) as stub:
        call = stub.GetMeshes(pb.GetMeshesRequest(spec=spec()))
        while not slow.times:
            next(call)
        call.cancel()
        assert_reads_end_within_a_second(slow)


def test_after_a_deadline_the_store_sees_no_read_later_than_a_second(slow):
    with slow_server(slow) as stub:
        options = OpenOptions(context=CallContext(deadline=time.monotonic() + 1.0))
        with pytest.raises(errors.DeadlineExceeded):
            list(GrpcMeshSource(stub, "lab/seg", options).meshes(MeshRequest((HUGE,))))
        assert_reads_end_within_a_second(slow)


def test_after_a_disconnect_the_store_sees_no_read_later_than_a_second(slow):
    with slow_server(slow) as stub:
        call = stub.ExportMesh(pb.ExportMeshRequest(spec=spec(), format=pb.MESH_FORMAT_OBJ))
        while not slow.times:
            next(call)
        # Deleting the last handles on a call drops it, as a client that dies does.
        del call
        gc.collect()
        assert_reads_end_within_a_second(slow)


def test_a_client_that_stops_iterating_stops_the_server(slow):
    with slow_server(slow) as stub:
        told = []

        def progress(phase, done, total):
            told.append((phase, done, total))
            if done:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            list(GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest((HUGE,)), progress=progress))
        assert_reads_end_within_a_second(slow)


def test_the_sample_meshes_to_the_numbers_written_beside_it():
    expected = json.loads((SAMPLES / "aniso" / "EXPECTED.json").read_text())
    store = tensorstore.open(
        {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": str(SAMPLES / "aniso" / "seg")}}
    ).result()
    scale = expected["scales"][0]
    voxels = store.read(order="F").result()[..., 0].T
    volume = segmentation(voxels, offset=Vec3(*scale["start"]), size=VoxelSize(*map(float, scale["voxel_size_nm"])))
    ids = [int(segment["segment_id"]) for segment in expected["segments"]]
    with mesh_server(volume) as stub:
        found = {mesh.segment_id: mesh for mesh in GrpcMeshSource(stub, "lab/seg").meshes(MeshRequest(tuple(ids)))}
    for segment in expected["segments"]:
        mesh = found[int(segment["segment_id"])]
        assert isinstance(mesh, Mesh)
        assert mesh.bounds_nm.tolist() == [segment["start_nm"], segment["stop_nm"]]
        solid = as_trimesh(mesh)
        assert solid.is_watertight
        assert solid.volume == pytest.approx(segment["voxel_count"] * 4 * 4 * 40, rel=0.15)


def test_the_service_runs_as_a_process_of_its_own_with_workers_and_ends_on_sigterm(tmp_path):
    config = tmp_path / "voxgate.toml"
    config.write_text(f'[server]\nworker_processes = 2\n[remotes.samples]\nuri = "{SAMPLES}"\n')
    expected = json.loads((SAMPLES / "aniso" / "EXPECTED.json").read_text())["segments"][0]
    with server_process("voxgate_mesh", config, tmp_path / "log") as server:
        assert health(server.health_port, MESH) == "SERVING"
        with grpc.insecure_channel(server.address) as channel:
            source = GrpcMeshSource(mesh_pb2_grpc.MeshServiceStub(channel), "samples/aniso/seg")
            (mesh,) = source.meshes(MeshRequest((int(expected["segment_id"]),)))
        assert mesh.bounds_nm.tolist() == [expected["start_nm"], expected["stop_nm"]]
        server.process.terminate()
        assert server.process.wait(30) == 0
