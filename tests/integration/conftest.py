import grpc
import pytest

from support.servers import volume_server
from support.volume_service import BOUNDS, ids, memory_registry, spec
from voxgate.client.connection import connect
from voxgate.v1 import volume_pb2_grpc


@pytest.fixture
def registry(tmp_path):
    return memory_registry(tmp_path)


@pytest.fixture
def server(registry):
    with volume_server(registry) as running:
        yield running


@pytest.fixture
def client(server):
    with connect(server.address) as connected:
        yield connected


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield volume_pb2_grpc.VolumeServiceStub(channel)


@pytest.fixture
def written(client):
    volume = client.create("mem/lab/seg", spec())
    voxels = ids()
    volume.write(BOUNDS, voxels)
    return volume, voxels
