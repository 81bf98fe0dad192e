"""`python -m voxgate_mesh` in a process of its own: with records of jobs it runs those of meshing, and no others."""

import uuid

import grpc
import pytest

from support.bulk_meshes import registry_of, segmentation, stored
from support.job_engines import job_until
from support.servers import server_process
from voxgate.model.errors import FailedPrecondition
from voxgate.model.jobs import JobState, MeshJobSpec, PyramidJobSpec
from voxgate.v1 import mesh_pb2, mesh_pb2_grpc
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.job_specs import mesh_job_spec_to_proto
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    stored(registry_of(folder), "lab/seg", segmentation())
    return folder


def config_of(folder, path, server):
    path.write_text(f'[server]\n{server}\n[remotes.lab]\nuri = "{folder.as_uri()}"\nwritable = true\n')
    return path


def created(address, spec):
    request = mesh_pb2.CreateMeshJobRequest(request_id=str(uuid.uuid4()), spec=mesh_job_spec_to_proto(spec))
    with grpc.insecure_channel(address) as channel:
        try:
            return mesh_pb2_grpc.MeshServiceStub(channel).CreateMeshJob(request, timeout=120).job.name
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


def test_a_mesh_server_with_records_runs_jobs_of_meshing_and_leaves_others_to_others(folder, tmp_path):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    config = config_of(folder, tmp_path / "voxgate.toml", f'jobs_url = "{url}"\nworker_processes = 0')
    store = SqlJobStore(url)
    pyramid = PyramidJobSpec("lab/seg")
    older = store.create(JobRequest("ada", "1", pyramid, pyramid)).name
    with server_process("voxgate_mesh", config, tmp_path / "log") as server:
        name = created(server.address, MeshJobSpec("lab/seg", destination="lab/meshes"))
        job = job_until(store, name, lambda job: job.state.is_terminal)
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        assert job.result.segment_count == 5
        assert store.get(older).state is JobState.PENDING
    assert (folder / "meshes" / "info").is_file()
    store.close()


def test_a_mesh_server_without_records_refuses_and_says_what_to_state(folder, tmp_path):
    config = config_of(folder, tmp_path / "voxgate.toml", "worker_processes = 0")
    with server_process("voxgate_mesh", config, tmp_path / "log") as server:
        with pytest.raises(FailedPrecondition, match="keeps no jobs") as caught:
            created(server.address, MeshJobSpec("lab/seg", destination="lab/none"))
    assert "jobs_url" in caught.value.remedy
    assert not (folder / "none").exists()
