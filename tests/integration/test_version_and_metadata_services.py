"""Versions, metadata and remotes over a real socket, from the SDK and from plain stubs."""

import pickle

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from support.servers import volume_server
from support.versioned_store import VersionedStore, registry_of
from support.volume_service import reason_of, spec
from voxgate.client.connection import connect
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    LimitExceeded,
    MalformedName,
    MissingCapability,
    ReadOnly,
    StoreRefused,
    UnknownKey,
    UnknownRemote,
    UnknownVersion,
    UnknownVolume,
    VersionLocked,
)
from voxgate.model.geometry import Box
from voxgate.model.metadata import KeyValues
from voxgate.model.remotes import RemoteEntry, VolumeEntry
from voxgate.model.versions import Versioned
from voxgate.v1 import metadata_pb2, version_pb2, volume_pb2

PART = Box.of(x=(-3, 8), y=(1003, 1010), z=(31, 38))
MIB = 1 << 20


@pytest.fixture
def server():
    with volume_server(registry_of(VersionedStore())) as running:
        yield running


@pytest.fixture
def client(server):
    with connect(server.address) as connected:
        yield connected


@pytest.fixture
def shut():
    """A client of a server that takes no writes."""
    with volume_server(registry_of(VersionedStore(), writes=False)) as running, connect(running.address) as connected:
        yield connected


# Versions


def test_a_version_is_closed_and_gone_on_from_and_what_was_written_stays_where_it_was(client):
    first = client.volume("history/seg")
    assert first.version == "v0"
    first.write(PART, np.full(PART.shape.zyx, 7, "<u8"))
    closed = first.commit("layer 4")
    assert (closed.version, closed.info.immutable, first.info.immutable) == ("v0", True, False)
    second = closed.new_version("layer 5")
    assert (second.version, second.info.immutable, second.name) == ("v1", False, "history/seg")
    second.write(PART, np.full(PART.shape.zyx, 2**64 - 1, "<u8"))
    tried = closed.new_branch("try", "an experiment")
    assert tried.version == "v2"
    assert set(np.unique(tried.read(PART))) == {7}
    assert set(np.unique(second.read(PART))) == {2**64 - 1}
    assert set(np.unique(client.volume("history/seg@v0").read(PART))) == {7}
    assert client.volume("history/seg").version == "v1"
    with pytest.raises(VersionLocked):
        closed.write(PART, np.zeros(PART.shape.zyx, "<u8"))


def test_an_array_at_a_new_version_keeps_its_scale_and_axes(client):
    array = client.volume("history/seg").as_axes("xyz")
    gone_on = array.commit("done").new_version("next")
    assert gone_on.axes == "xyz"
    assert gone_on.shape == array.shape
    assert type(gone_on) is type(array)
    assert pickle.loads(pickle.dumps(gone_on)).version == gone_on.version


def test_versions_are_listed_with_all_that_is_known_and_read_well(client):
    seg = client.volume("history/seg").commit("layer 4")
    tried = seg.new_branch("try", "an experiment")
    found = tried.versions()
    assert [info.version for info in found] == ["v0", "v1"]
    root, child = found
    assert (root.parents, root.branch, root.note, root.is_committed) == ((), "", "layer 4", True)
    assert (child.parents, child.branch, child.note, child.is_committed) == (("v0",), "try", "an experiment", False)
    assert child.created == "2026-01-31T00:00:00Z"
    assert found[1:].infos == (child,)
    assert repr(found).splitlines() == [
        "<2 versions, * is the array's>",
        "  v0 committed (main) 2026-01-31T00:00:00Z layer 4",
        "* v1 open try 2026-01-31T00:00:00Z an experiment",
    ]


def test_what_the_store_refuses_is_told_and_a_repeated_commit_is_not(client):
    seg = client.volume("history/seg")
    for use in (lambda: seg.new_version("too early"), lambda: seg.new_branch("b", "too early")):
        with pytest.raises(StoreRefused, match="still open"):
            use()
    closed = seg.commit("done")
    assert closed.commit("done again").version == "v0"
    assert closed.versions()[0].note == "done"
    closed.new_branch("b", "one")
    with pytest.raises(AlreadyExists):
        closed.new_branch("b", "two")
    closed.new_version("one")
    with pytest.raises(StoreRefused, match="has a child"):
        closed.new_version("two")
    with pytest.raises(UnknownVersion):
        client.volume("history/seg@v9")


def test_versions_are_a_power_of_the_volume(client):
    volume = client.open("history/seg")
    assert volume.capability(Versioned).versions()[0].version == "v0"
    client.create("mem/lab/seg", spec())
    assert client.open("mem/lab/seg").capability(Versioned) is None
    array = client.volume("mem/lab/seg")
    for use in (array.versions, lambda: array.commit("x"), lambda: array.new_branch("b", "x")):
        with pytest.raises(MissingCapability, match="mem/lab/seg"):
            use()


def test_a_store_without_versions_says_so_to_plain_stubs(client):
    client.create("mem/lab/seg", spec())
    stub = client.stubs.version
    for method, request in (
        (stub.ListVersions, version_pb2.ListVersionsRequest(volume="mem/lab/seg")),
        (stub.CommitVersion, version_pb2.CommitVersionRequest(volume="mem/lab/seg", note="x")),
        (stub.CreateVersion, version_pb2.CreateVersionRequest(volume="mem/lab/seg", note="x")),
        (stub.BranchVersion, version_pb2.BranchVersionRequest(volume="mem/lab/seg", branch="b")),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            method(request)
        assert reason_of(refused.value) == "MISSING_CAPABILITY"


def test_pages_of_versions_join_to_all_of_them(client):
    seg = client.volume("history/seg")
    for number in range(4):
        seg = seg.commit(f"{number}").new_version(f"{number + 1}")
    stub, found, token = client.stubs.version, [], ""
    while True:
        request = version_pb2.ListVersionsRequest(volume="history/seg", page_size=2, page_token=token)
        page = stub.ListVersions(request)
        assert 0 < len(page.versions) <= 2
        found += [each.version for each in page.versions]
        token = page.next_page_token
        if not token:
            break
    assert found == ["v0", "v1", "v2", "v3", "v4"]
    with pytest.raises(grpc.RpcError) as refused:
        stub.ListVersions(version_pb2.ListVersionsRequest(volume="history/seg", page_token="v77"))
    assert reason_of(refused.value) == "INVALID_REQUEST"


@pytest.mark.parametrize("name", ["seen/seg", "history/seg"])
def test_versions_are_only_looked_at_where_nothing_may_be_written(client, shut, name):
    array = (client if name == "seen/seg" else shut).volume(name)
    assert len(array.versions()) == 1
    for use in (lambda: array.commit("x"), lambda: array.new_version("x"), lambda: array.new_branch("b", "x")):
        with pytest.raises(ReadOnly):
            use()
    assert not array.versions()[0].is_committed


# Names


def test_a_uri_that_speaks_of_a_version_resolves_to_the_text_form(client):
    assert client.resolve("history://seg/at/v0") == "seen/seg@v0"
    assert client.resolve("history://seg") == "seen/seg"
    assert client.volume(client.resolve("history://seg/at/v0")).version == "v0"


def test_remotes_are_listed_with_what_they_allow(client, shut):
    assert client.remotes() == [
        RemoteEntry("history", "history", writable=True),
        RemoteEntry("mem", "memory", writable=True, deletable=True),
        RemoteEntry("seen", "history"),
    ]
    assert not any(remote.writable or remote.deletable for remote in shut.remotes())


def test_pages_of_remotes_join_to_all_of_them(client):
    first = client.stubs.volume.ListRemotes(volume_pb2.ListRemotesRequest(page_size=2))
    assert [remote.name for remote in first.remotes] == ["history", "mem"]
    request = volume_pb2.ListRemotesRequest(page_size=2, page_token=first.next_page_token)
    last = client.stubs.volume.ListRemotes(request)
    assert [remote.name for remote in last.remotes] == ["seen"]
    assert last.next_page_token == ""


def test_an_instance_of_metadata_is_listed_as_neither_group_nor_volume(client):
    entries = [VolumeEntry("history/notes", False, is_key_values=True), VolumeEntry("history/seg", True)]
    assert client.volumes("history") == entries


def test_both_services_are_named_and_reflected(client, server):
    services = client.server_info().services
    with grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (answer,) = stub.ServerReflectionInfo(asked)
    reflected = {service.name for service in answer.list_services_response.service}
    for name in ("voxgate.v1.VersionService", "voxgate.v1.MetadataService"):
        assert services[name] == ""
        assert name in reflected


def test_services_say_what_they_require_and_volumes_whether_they_have_it(client):
    info = client.server_info()
    assert "a store that keeps versions" in info.requirements["voxgate.v1.VersionService"]
    # No mesh service runs here: nobody knows which meshers it would have.
    assert info.plugins == {}


# Metadata


@pytest.mark.parametrize("name", ["mem", "mem/lab", "mem/lab/seg", "history/notes"])
def test_values_come_back_as_they_were_set(client, name):
    client.create("mem/lab/seg", spec())
    meta = client.metadata(name)
    meta["bytes"] = b"\x00\xff"
    meta.set("empty", b"")
    meta.set_text("ü/text", "Größe")
    assert meta.keys() == ["bytes", "empty", "ü/text"]
    assert list(meta) == meta.keys()
    assert len(meta) == 3
    assert (meta["bytes"], meta.get("empty"), meta.get_text("ü/text")) == (b"\x00\xff", b"", "Größe")
    assert "empty" in meta
    assert "emp" not in meta
    assert 5 not in meta
    del meta["empty"]
    assert client.metadata(name).keys("b") == ["bytes"]
    with pytest.raises(InvalidArgument, match="UTF-8"):
        meta.get_text("bytes")
    for use in (lambda: meta["empty"], lambda: meta.get("empty"), lambda: meta.delete("empty")):
        with pytest.raises(UnknownKey):
            use()


def test_metadata_satisfies_the_protocol_of_adapters(client):
    values: KeyValues = client.metadata("mem")
    values.set("k", b"v")
    assert values.keys() == ["k"]
    assert values.get("k") == b"v"
    values.delete("k")
    assert repr(values) == "<Metadata of mem>"


def test_metadata_belongs_to_its_version(client):
    client.metadata("history/notes")["k"] = b"old"
    client.volume("history/seg").commit("done").new_version("next")
    client.metadata("history/notes")["k"] = b"new"
    assert client.metadata("history/notes@v0").get("k") == b"old"
    assert client.metadata("history/notes", version="v1").get("k") == b"new"
    with pytest.raises(UnknownVersion):
        client.metadata("history/notes@v9").keys()


def test_a_value_of_two_mebibytes_travels_and_no_larger_one(client):
    meta = client.metadata("mem")
    meta["most"] = bytes(2 * MIB)
    assert meta["most"] == bytes(2 * MIB)
    with pytest.raises(LimitExceeded, match="2097153"):
        meta["more"] = bytes(2 * MIB + 1)
    request = metadata_pb2.SetMetadataRequest(name="mem", key="more", value=bytes(2 * MIB + 1))
    with pytest.raises(grpc.RpcError) as refused:
        client.stubs.metadata.SetMetadata(request)
    assert reason_of(refused.value) == "LIMIT_EXCEEDED"
    assert meta.keys() == ["most"]


def test_a_value_that_others_made_too_large_is_refused_whole():
    store = VersionedStore()
    store.values["v0"]["huge"] = bytes(2 * MIB + 1)
    with volume_server(registry_of(store)) as server, connect(server.address) as client:
        with pytest.raises(LimitExceeded, match="2097153"):
            client.metadata("history/notes").get("huge")
        assert client.metadata("history/notes").keys() == ["huge"]


def test_many_long_keys_come_in_pages_that_fit_messages():
    store = VersionedStore()
    keys = sorted(f"{number:04}-{'k' * 3000}" for number in range(1500))
    store.values["v0"].update(dict.fromkeys(keys, b""))
    with volume_server(registry_of(store)) as server, connect(server.address) as client:
        meta = client.metadata("history/notes")
        assert meta.keys() == keys
        assert meta.keys("000") == keys[:10]
        stub = client.stubs.metadata
        page = stub.ListMetadata(metadata_pb2.ListMetadataRequest(name="history/notes", prefix="00", page_size=3))
        assert (list(page.keys), page.next_page_token) == (keys[:3], keys[2])
        meta.delete(keys[2])  # what the token names may go meanwhile
        page = stub.ListMetadata(
            metadata_pb2.ListMetadataRequest(name="history/notes", page_size=2, page_token=page.next_page_token)
        )
        assert list(page.keys) == keys[3:5]


def test_bad_metadata_requests_are_typed(client):
    for name, error in (("nowhere/x", UnknownRemote), ("mem/none", UnknownVolume), ("history/seg", UnknownVolume)):
        with pytest.raises(error):
            client.metadata(name).keys()
    with pytest.raises(MalformedName):
        client.metadata("No Name")
    meta = client.metadata("mem")
    for use in (lambda: meta.set("", b""), lambda: meta.get(""), lambda: meta.set("k", "text")):
        with pytest.raises(InvalidArgument):
            use()
    with pytest.raises(LimitExceeded):
        meta.set("k" * 4097, b"")
    assert len(meta) == 0


@pytest.mark.parametrize("name", ["seen/notes", "history/notes"])
def test_metadata_is_only_looked_at_where_nothing_may_be_written(client, shut, name):
    meta = (client if name == "seen/notes" else shut).metadata(name)
    assert meta.keys() == []
    for use in (lambda: meta.set("k", b"v"), lambda: meta.delete("k")):
        with pytest.raises(ReadOnly):
            use()
