"""What databases know beside voxels, through one server to another: versions, metadata, deletion, stored levels."""

import contextlib

import numpy as np
import pytest

from support.boss_remotes import boss_config
from support.bossdb import bossdb_server
from support.chains import chained_registry
from support.dvid_volumes import Repository, repository
from support.references import segmentation
from support.servers import volume_server
from support.transfers import source_spec
from voxgate.client.connection import connect
from voxgate.model.downsampling import Downsampling, DownsamplingState
from voxgate.model.errors import (
    MissingCapability,
    ReadOnly,
    UnknownKey,
    UnknownVersion,
    UnknownVolume,
    VersionLocked,
)
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentExtents, SegmentIdReservation, SegmentIds
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry


def dvid_config(cells: Repository) -> RemoteConfig:
    return RemoteConfig(uri=f"dvid://{cells.url}/{cells.root}", writable=True, options={"cache_seconds": 0})


SHAPE = (9, 31, 47)
LABELS = segmentation((1, *SHAPE))[0]


@contextlib.contextmanager
def chained(remotes: dict[str, RemoteConfig], **near_config):
    """A client of a server whose remote "next" is all of a server with `remotes`."""
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(volume_server(Registry.from_config(RemotesConfig(remotes=remotes))))
        config = {"uri": f"voxgate://{far.address}", "writable": True, "deletable": True, **near_config}
        near = RemotesConfig(remotes={"next": RemoteConfig.model_validate(config)})
        server = stack.enter_context(volume_server(Registry.from_config(near)))
        yield stack.enter_context(connect(server.address))


@pytest.fixture
def boss():
    with bossdb_server() as running:
        running.store.add_channel("lab", "mouse", "seg", LABELS, voxel_size=(4, 4, 40), num_hierarchy_levels=3)
        yield running


@pytest.fixture
def client(boss):
    memory = RemoteConfig(uri="memory://", writable=True, deletable=True)
    with chained({"boss": boss_config(boss, deletable=True), "mem": memory}) as connected:
        yield connected


def test_what_a_database_knows_of_segments_is_its_own_answer_here_too(client):
    assert [(e.name, e.is_volume) for e in client.volumes("next/boss/lab/mouse")] == [("next/boss/lab/mouse/seg", True)]
    volume = client.open("next/boss/lab/mouse/seg")
    box = Box.of(x=(3, 41), y=(2, 29), z=(1, 8))
    cut = LABELS[1:8, 2:29, 3:41]
    assert np.array_equal(volume.read(box)[0], cut)
    ids = np.unique(cut[cut != 0])
    assert ids.max() > 2**63
    assert np.array_equal(volume.capability(SegmentIds).segment_ids_in(box), ids)
    extent = volume.capability(SegmentExtents).segment_extent(int(ids[-1]))
    at = np.argwhere(ids[-1] == LABELS)
    assert extent.box == Box(Vec3.from_zyx(tuple(at.min(0))), Vec3.from_zyx(tuple(at.max(0) + 1)))
    first = volume.capability(SegmentIdReservation).reserve_segment_ids(5)
    assert volume.capability(SegmentIdReservation).reserve_segment_ids(1) >= first + 5
    offers = {offer.name: offer.support for offer in volume.info.services}
    assert offers["segments"] == "native"


def test_levels_are_asked_for_through_a_chain(client):
    power = client.open("next/boss/lab/mouse/seg").capability(Downsampling)
    assert power.downsampling() is DownsamplingState.NONE
    assert power.start_downsampling() is not DownsamplingState.NONE


def test_metadata_is_kept_at_the_far_end(client, boss):
    notes = client.metadata("next/boss/lab/mouse/seg")
    notes.set_text("who", "äöü & co")
    assert (notes.keys(), notes.get_text("who")) == (["who"], "äöü & co")
    assert client.metadata("next/boss/lab").keys() == []
    del notes["who"]
    with pytest.raises(UnknownKey):
        notes.get("who")
    with pytest.raises(UnknownVolume):
        client.metadata("next").keys()
    with pytest.raises(UnknownVolume):
        client.metadata("next/boss/nothing").keys()


def test_a_volume_is_deleted_only_where_both_servers_allow_it(client, boss):
    client.create("next/mem/gone", source_spec())
    client.delete("next/mem/gone")
    with pytest.raises(UnknownVolume):
        client.open("next/mem/gone")
    assert client.volumes("next/mem") == []
    [entry] = client.remotes()
    assert (entry.name, entry.store, entry.deletable) == ("next", "voxgate", True)
    with chained({"boss": boss_config(boss)}) as other, pytest.raises(ReadOnly, match="deletable"):
        other.delete("next/boss/lab/mouse/seg")
    with (
        chained({"boss": boss_config(boss, deletable=True)}, deletable=False) as other,
        pytest.raises(ReadOnly, match="deletable"),
    ):
        other.delete("next/boss/lab/mouse/seg")
    assert client.open("next/boss/lab/mouse/seg").info.scales


def test_versions_of_a_far_store_are_listed_closed_and_gone_on_from():
    level = ScaleSpec(Box.of(x=(0, 64), y=(0, 64), z=(0, 64)))
    with repository("own") as cells, chained({"dvid": dvid_config(cells)}) as client:
        made = client.create("next/dvid/seg", VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (level,)))
        box = Box.of(x=(3, 40), y=(1, 33), z=(2, 9))
        voxels = segmentation((1, *box.shape.zyx), seed=3)[0]
        made.write(box, voxels)
        first = made.commit("done")
        with pytest.raises(VersionLocked):
            first.write(box, voxels)
        second = first.new_version("on")
        assert np.array_equal(second.read(box), voxels)
        second.write(box, np.zeros_like(voxels))
        assert not second.read(box).any()
        assert np.array_equal(client.volume(f"next/dvid/seg@{first.version}").read(box), voxels)
        told = made.versions()
        assert [info.is_committed for info in told] == [True, False]
        with pytest.raises(UnknownVersion):
            client.open("next/dvid/seg", OpenOptions(version="ffffffff"))


def test_a_volume_without_versions_has_none_through_a_chain(client):
    client.create("next/mem/plain", source_spec())
    with pytest.raises(MissingCapability):
        client.volume("next/mem/plain").versions()


def test_a_read_only_link_hides_what_would_change_anything(boss):
    with (
        volume_server(Registry.from_config(RemotesConfig(remotes={"boss": boss_config(boss)}))) as far,
        volume_server(chained_registry(far.address, writable=False)) as near,
        connect(near.address) as client,
    ):
        notes = client.metadata("next/boss/lab/mouse/seg")
        assert notes.keys() == []
        with pytest.raises(ReadOnly):
            notes.set_text("who", "me")
        with pytest.raises(ReadOnly):
            client.open("next/boss/lab/mouse/seg").capability(SegmentIdReservation).reserve_segment_ids(1)
        with pytest.raises(ReadOnly):
            client.delete("next/boss/lab/mouse/seg")
