"""Versions, metadata and deletion through a chain of two servers."""

import numpy as np
import pytest

from support.servers import volume_server
from support.versioned_store import VersionedStore, registry_of
from support.volume_service import spec
from voxgate.client.connection import connect
from voxgate.model.errors import ReadOnly, UnknownKey, UnknownVolume
from voxgate.model.geometry import Box
from voxgate.model.remotes import RemoteEntry, VolumeEntry
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

PART = Box.of(x=(-3, 8), y=(1003, 1010), z=(31, 38))


@pytest.fixture
def client():
    """A client of a server whose remote "far" is all of another server, and "seen" the same to be looked at."""
    with volume_server(registry_of(VersionedStore())) as behind:
        uri = f"voxgate://{behind.address}"
        remotes = {"far": RemoteConfig(uri=uri, writable=True, deletable=True), "seen": RemoteConfig(uri=uri)}
        registry = Registry.from_config(RemotesConfig(remotes=remotes))
        with volume_server(registry) as server, connect(server.address) as connected:
            yield connected


def test_versions_go_through(client):
    seg = client.volume("far/history/seg")
    gone_on = seg.commit("done").new_branch("try", "an experiment")
    gone_on.write(PART, np.full(PART.shape.zyx, 2**64 - 1, "<u8"))
    assert [info.version for info in gone_on.versions()] == ["v0", "v1"]
    assert set(np.unique(client.volume("far/history/seg@v1").read(PART))) == {2**64 - 1}
    assert set(np.unique(client.volume("far/history/seg@v0").read(PART))) == {2**63 + 5}
    with pytest.raises(ReadOnly):
        client.volume("seen/history/seg").commit("x")


def test_metadata_goes_through(client):
    entries = [VolumeEntry("far/history/notes", False, is_key_values=True), VolumeEntry("far/history/seg", True)]
    assert client.volumes("far/history") == entries
    meta = client.metadata("far/history/notes")
    meta["k"] = b"\x00\xff"
    assert (meta.keys(), meta["k"]) == (["k"], b"\x00\xff")
    assert client.metadata("seen/history/notes")["k"] == b"\x00\xff"
    with pytest.raises(ReadOnly):
        client.metadata("seen/history/notes")["k"] = b""
    with pytest.raises(UnknownKey):
        meta.get("none")
    for name in ("far", "far/mem/none"):
        with pytest.raises(UnknownVolume):
            client.metadata(name).keys()


def test_deletion_goes_through_where_both_servers_allow_it(client):
    client.create("far/mem/lab/seg", spec())
    with pytest.raises(ReadOnly):
        client.delete("seen/mem/lab/seg")
    client.delete("far/mem/lab/seg")
    for name in ("far/mem/lab/seg", "far"):
        with pytest.raises(UnknownVolume):
            client.delete(name)
    assert client.remotes() == [
        RemoteEntry("far", "voxgate", writable=True, deletable=True),
        RemoteEntry("seen", "voxgate"),
    ]
