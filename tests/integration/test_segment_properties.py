"""Names, tags and numbers of segments over real sockets: as the store keeps them, in pages, through other servers."""

import json

import grpc
import numpy as np
import pytest
from cloudfiles import CloudFiles

from support.chains import chained_registry, two_hops
from support.kept_files import theirs
from support.segment_service import SEARCHED, failure
from support.segment_tables import IDS, INFO, Keeper, assert_same, served_folder, wide_table
from support.servers import OneVolume, volume_server
from voxgate.client.connection import connect
from voxgate.model.errors import (
    InvalidArgument,
    InvalidSegmentId,
    LimitExceeded,
    MetadataInvalid,
    MissingCapability,
    VersionMoved,
)
from voxgate.model.segment_properties import NumberColumn, SegmentProperties, SegmentTable, TextColumn
from voxgate.v1 import segment_pb2 as pb
from voxgate.v1 import segment_pb2_grpc, types_pb2
from voxgate.wire.segment_properties import TableAssembler
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.precomputed_kept.properties import parsed_table
from voxgate_remotes.registry import Registry

BOUND = 2 << 20


class Shifting(Keeper):
    """Its table is another one whenever it is asked for, a few times."""

    changes = 0

    def properties(self):
        if self.changes:
            self.changes -= 1
            self.table = SegmentTable(self.table.segment_ids[::-1], self.table.columns)
        return super().properties()


class Served:
    def __init__(self, folder):
        self.folder = folder
        self.keeper = Shifting(SEARCHED, wide_table(40_000))
        files = Registry.from_config(RemotesConfig(remotes={"lab": RemoteConfig(uri=folder.as_uri())}))
        self.registry = Registry({"files": _Files(files), "wide": OneVolume(self.keeper), "plain": OneVolume(SEARCHED)})


class _Files:
    """The remote "lab" of another registry, as its operator governs it."""

    def __init__(self, registry):
        self._registry = registry

    def open(self, path, options):
        return self._registry.open("/".join(("lab", *path)), options)

    def list(self, parent):
        return []

    def capability(self, kind):
        return None


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(served_folder(tmp_path_factory.mktemp("files")))
    with volume_server(made.registry, max_segment_count=50) as server, connect(server.address) as client:
        with grpc.insecure_channel(server.address) as channel:
            made.client, made.address = client, server.address
            made.stub = segment_pb2_grpc.SegmentServiceStub(channel)
            yield made


@pytest.fixture
def wide(served):
    served.keeper.table, served.keeper.changes, served.keeper.asked = wide_table(40_000), 0, 0
    return served.keeper


def pages(served, **fields):
    """Every page of an answer."""
    token, found = "", []
    while True:
        request = pb.ListSegmentPropertiesRequest(**{"volume": "wide/x", **fields, "page_token": token})
        found.append(served.stub.ListSegmentProperties(request))
        token = found[-1].next_page_token
        if not token:
            return found


def whole(found):
    assembler = TableAssembler()
    for page in found:
        assembler.add(page)
    return assembler.finish()


def test_what_a_precomputed_volume_keeps_comes_as_the_file_says(served):
    seg = served.client.volume("files/seg")
    table = seg.properties()
    assert_same(table, parsed_table(INFO))
    assert seg.find("MBON01") == list(IDS[:2])
    assert seg.find("MBON", match="prefix", tag="glia") == [2**64 - 1]
    assert seg.find(where={"size": 7}) == list(IDS[3:])
    assert seg.find("nobody") == []
    frame = table.to_pandas()
    assert frame.loc[2**53 + 1, "size"] == 7
    assert {"properties"} <= set(seg.capabilities)


def test_another_reader_of_the_file_sees_the_same(served):
    # cloud-volume reads no properties: its description names the folder, and its files have the numbers.
    theirs_of = theirs(served.folder / "seg")
    folder = theirs_of.info["segment_properties"]
    inline = CloudFiles(f"{theirs_of.cloudpath}/{folder}").get_json("info")["inline"]
    table = served.client.volume("files/seg").properties()
    assert [str(each) for each in table.segment_ids.tolist()] == inline["ids"]
    by_name = {each["id"]: each for each in inline["properties"]}
    assert list(table.column("name").values) == by_name["name"]["values"]
    tags = by_name["class"]["tags"]
    assert [[tags.index(tag) for tag in row] for row in table.column("class").values] == by_name["class"]["values"]
    assert table.column("size").values.tolist() == by_name["size"]["values"]


def test_pages_of_any_size_are_the_whole_and_the_store_is_asked_once(served, wide):
    wide.table = wide_table(57)
    for size in (1, 10, 57, 100_000):
        wide.asked = 0
        found = pages(served, page_size=size)
        assert [len(page.segment_ids) for page in found] == [min(size, 57 - at) for at in range(0, 57, size)]
        assert {page.total_count for page in found} == {57}
        assert_same(whole(found), wide.table)
        assert wide.asked == 1


def test_a_page_has_a_thousand_segments_unless_it_is_told_otherwise(served, wide):
    assert len(pages(served)[0].segment_ids) == 1000


def test_no_page_is_larger_than_two_mebibytes_and_the_client_gets_the_whole(served, wide):
    found = pages(served, page_size=100_000)
    assert len(found) >= 3
    assert max(page.ByteSize() for page in found) <= BOUND
    assert min(page.ByteSize() for page in found[:-1]) > BOUND // 2
    wide.asked = 0
    assert_same(served.client.volume("wide/x").properties(), wide.table)
    assert wide.asked == 1


def test_some_segments_and_some_properties_can_be_asked_for(served, wide):
    ids = wide.table.segment_ids.tolist()
    asked = [ids[30_000], 4, ids[7]]
    (page,) = pages(served, segment_ids=asked, properties=["n"], label_view=types_pb2.LABEL_VIEW_BODIES)
    assert list(page.segment_ids) == [ids[7], ids[30_000]]
    assert [each.name for each in page.properties] == ["n"]
    assert np.frombuffer(page.properties[0].data, "<i8").tolist() == [7 - 2**62, 30_000 - 2**62]
    assert (page.total_count, page.label_view) == (2, types_pb2.LABEL_VIEW_BODIES)
    (page,) = pages(served, segment_ids=[4])
    assert (list(page.segment_ids), page.total_count, len(page.properties)) == ([], 0, 3)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"segment_ids": [1, 0]}, InvalidSegmentId),
        ({"segment_ids": [1, 1]}, InvalidArgument),
        ({"segment_ids": range(1, 52)}, LimitExceeded),
        ({"properties": ["n", "nothing"]}, InvalidArgument),
        ({"properties": ["n", "n"]}, InvalidArgument),
        ({"page_token": "yesterday"}, InvalidArgument),
        ({"page_token": "5-0123"}, VersionMoved),
        ({"volume": "plain/x"}, MissingCapability),
        ({"label_view": types_pb2.LABEL_VIEW_SUPERVOXELS}, MissingCapability),
    ],
)
def test_what_cannot_be_listed_is_refused_by_name(served, wide, fields, error):
    request = pb.ListSegmentPropertiesRequest(**{"volume": "wide/x", **fields})
    assert type(failure(lambda: served.stub.ListSegmentProperties(request))) is error


def test_a_volume_without_properties_offers_none(served):
    seg = served.client.volume("plain/x")
    assert "properties" not in seg.capabilities
    for ask in (seg.properties, lambda: seg.find("a")):
        with pytest.raises(MissingCapability, match="segment properties"):
            ask()


def test_the_pages_of_one_answer_are_of_one_moment(served, wide):
    first = served.stub.ListSegmentProperties(pb.ListSegmentPropertiesRequest(volume="wide/x", page_size=9))
    wide.changes = 1
    assert served.client.volume("wide/x").properties().segment_ids[0] == wide_table(40_000).segment_ids[-1]
    again = pb.ListSegmentPropertiesRequest(volume="wide/x", page_size=9, page_token=first.next_page_token)
    assert served.stub.ListSegmentProperties(again).segment_ids[0] == wide_table(10).segment_ids[9]


def test_properties_that_change_between_two_pages_are_asked_for_again_and_never_mixed(served, wide, monkeypatch):
    monkeypatch.setattr("voxgate_volume.property_work._KEPT_CELLS", 0)
    wide.changes = 2
    found = served.client.volume("wide/x").properties()
    assert_same(found, wide.table)
    assert wide.changes == 0
    wide.changes = 1000
    with pytest.raises(VersionMoved):
        served.client.volume("wide/x").properties()


def test_what_no_message_can_say_is_the_stores_fault(served, wide):
    ids = np.array([7], np.uint64)
    wide.table = SegmentTable(ids, (TextColumn("name", ("half \ud800",)),))
    with pytest.raises(MetadataInvalid, match="no Unicode"):
        served.client.volume("wide/x").properties()
    wide.table = SegmentTable(ids, (TextColumn("name", ("x" * BOUND,)),))
    with pytest.raises(LimitExceeded):
        served.client.volume("wide/x").properties()
    wide.table = SegmentTable(ids[:0], (NumberColumn("n", np.empty(0, np.int8)),))
    assert_same(served.client.volume("wide/x").properties(), wide.table)


def test_a_broken_file_breaks_its_properties_and_nothing_else(tmp_path):
    folder = served_folder(tmp_path / "files", {"@type": "something_else"})
    registry = Registry.from_config(RemotesConfig(remotes={"lab": RemoteConfig(uri=folder.as_uri())}))
    with volume_server(registry) as server, connect(server.address) as client:
        seg = client.volume("lab/seg")
        with pytest.raises(MetadataInvalid):
            seg.properties()
        (folder / "seg/props/info").write_text(json.dumps(INFO))
        assert seg.find(tag="glia") == [2**64 - 1]


def test_other_servers_pass_properties_on_and_their_failures(served, wide):
    with volume_server(chained_registry(served.address, writable=False)) as near, connect(near.address) as client:
        seg = client.volume("next/files/seg")
        assert_same(seg.properties(), parsed_table(INFO))
        assert seg.volume.capability(SegmentProperties) is not None
        assert_same(client.volume("next/wide/x").properties(), wide.table)
        assert client.volume("next/plain/x").volume.capability(SegmentProperties) is None
        wide.table = SegmentTable(np.array([7], np.uint64), (TextColumn("name", ("x" * BOUND,)),))
        with pytest.raises(LimitExceeded):
            client.volume("next/wide/x").properties()


def test_two_servers_away_properties_are_the_same(served, wide):
    with two_hops(served.registry, "/files") as (client, *_):
        assert client.volume("next/next/seg").find("MBON11") == [12]
