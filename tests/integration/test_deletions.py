"""Deleting volumes over a real socket, while others read."""

import os

import numpy as np
import pytest

from support.deletions import read_during
from support.servers import volume_server
from support.versioned_store import VersionedStore, registry_of
from support.volume_service import BOUNDS, memory_registry, spec
from voxgate.client.connection import connect
from voxgate.model.errors import MalformedName, MissingCapability, ReadOnly, StoreRefused, UnknownVolume
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

PART = Box.of(x=(-3, 8), y=(1003, 1010), z=(31, 38))


@pytest.fixture
def client(tmp_path):
    """A client of a server whose remotes "mem" and "disk" can be deleted from."""
    allowed = {"writable": True, "deletable": True}
    table = {"mem": {"uri": "memory://", **allowed}, "disk": {"uri": "disk", "options": {"fsync": False}, **allowed}}
    (tmp_path / "disk").mkdir()
    registry = Registry.from_config(parse_remotes(table, tmp_path))
    with volume_server(registry) as server, connect(server.address) as connected:
        yield connected


@pytest.mark.parametrize("remote", ["mem", "disk"])
def test_a_deleted_volume_is_gone_for_every_call(client, remote):
    name = f"{remote}/lab/seg"
    array = client.create(name, spec())
    array.write(PART, np.full(PART.shape.zyx, 7, "<u8"))
    client.delete(name)
    for use in (
        lambda: array.read(PART),
        lambda: array.read(BOUNDS),
        lambda: array.write(PART, np.zeros(PART.shape.zyx, "<u8")),
        lambda: client.volume(name),
        lambda: client.delete(name),
    ):
        with pytest.raises(UnknownVolume):
            use()
    assert [entry.name for entry in client.volumes(remote) if entry.is_volume] == []
    again = client.create(name, spec())
    assert not again.read(PART).any()


def test_metadata_goes_with_its_volume(client):
    client.create("mem/lab/seg", spec())
    client.metadata("mem/lab/seg")["k"] = b"v"
    client.delete("mem/lab/seg")
    with pytest.raises(UnknownVolume):
        client.metadata("mem/lab/seg").keys()
    client.create("mem/lab/seg", spec())
    assert client.metadata("mem/lab/seg").keys() == []


@pytest.mark.parametrize("fmt", ["precomputed", "zarr3"])
def test_readers_over_grpc_see_every_voxel_or_an_error(client, tmp_path, fmt):
    bounds = Box.of(x=(-7, 122), y=(20, 133), z=(5, 72))  # more than one message
    scales = (ScaleSpec(bounds, VoxelSize(4, 4, 40)),)
    array = client.create("disk/em", VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, scales, format=fmt))
    array.write(bounds, np.full(bounds.shape.zyx, 7, "<u2"))
    outcomes = read_during(lambda: client.delete("disk/em"), lambda: lambda: int(array.read(bounds).min()), 2)
    assert outcomes.count(None) >= 2
    assert set(outcomes) <= {7, None}
    assert os.listdir(tmp_path / "disk") == []


def test_what_holds_another_volume_is_kept_and_the_message_names_no_path(client, tmp_path):
    client.create("disk/em", spec())
    inner = tmp_path / "disk" / "em" / "labels"
    inner.mkdir()
    (inner / "info").write_text('{"scales": []}')
    with pytest.raises(StoreRefused, match="labels") as caught:
        client.delete("disk/em")
    assert str(tmp_path) not in str(caught.value)
    assert client.volume("disk/em").bounds == BOUNDS


def test_nothing_is_deleted_where_it_is_not_allowed(tmp_path):
    with volume_server(registry_of(VersionedStore())) as server, connect(server.address) as client:
        with pytest.raises(MissingCapability, match="history"):
            client.delete("history/seg")
        for name in ("mem/lab/seg@v0", "", "no name"):
            with pytest.raises(MalformedName):
                client.delete(name)
    with volume_server(registry_of(VersionedStore(), writes=False)) as server, connect(server.address) as client:
        with pytest.raises(ReadOnly, match="deleted"):
            client.delete("mem/seg")
    with volume_server(memory_registry(tmp_path)) as server, connect(server.address) as client:
        client.create("mem/lab/seg", spec())
        with pytest.raises(ReadOnly, match="`deletable = true`"):
            client.delete("mem/lab/seg")
        assert client.volume("mem/lab/seg").name == "mem/lab/seg"
