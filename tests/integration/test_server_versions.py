"""What a server says of its own releases."""

from importlib.metadata import version

from support.servers import volume_server
from support.volume_service import memory_registry
from voxgate.client.connection import connect
from voxgate.wire.contract import contract_version


def test_a_server_says_its_release_its_contract_and_its_adapters(tmp_path):
    with volume_server(memory_registry(tmp_path)) as server, connect(server.address) as client:
        info = client.server_info()
    assert info.server_version == version("voxgate")
    assert info.contract_version == contract_version()
    assert info.contract_version.startswith("voxgate.v1+")
    assert {"file", "memory", "bossdb", "dvid", "voxgate"} <= info.adapters.keys()
    assert info.adapters["bossdb"] == f"voxgate-remotes {version('voxgate-remotes')}"
