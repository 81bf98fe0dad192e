"""What a registry does beside opening: which remotes there are, deleting, metadata, and what the operator forbids."""

import tomllib

import numpy as np
import pytest

from voxgate.model.errors import MalformedName, MissingCapability, ReadOnly, UnknownKey, UnknownRemote, UnknownVolume
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.remotes import ListEntry, RemoteEntry, VolumeEntry
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

BOX = Box.of(x=(-5, 8), y=(20, 31), z=(7, 14))
SPEC = VolumeSpec(np.dtype("<u2"), VolumeKind.IMAGE, (ScaleSpec(BOX, VoxelSize(4, 4, 40)),))
CONFIG = """
[mem]
uri = "memory://"
writable = true
deletable = true
[kept]
uri = "memory://"
writable = true
[seen]
uri = "memory://"
deletable = true
[shapes]
uri = "procedural://"
[store]
uri = "store"
writable = true
deletable = true
"""


@pytest.fixture
def config(tmp_path):
    return parse_remotes(tomllib.loads(CONFIG), tmp_path)


@pytest.fixture
def registry(config):
    return Registry.from_config(config)


def test_remotes_are_listed_with_what_they_are_and_allow(registry):
    assert registry.remotes() == (
        RemoteEntry("kept", "memory", writable=True),
        RemoteEntry("mem", "memory", writable=True, deletable=True),
        RemoteEntry("seen", "memory"),
        RemoteEntry("shapes", "procedural"),
        RemoteEntry("store", "file", writable=True, deletable=True),
    )


def test_a_server_without_writes_lists_remotes_that_allow_nothing(config):
    registry = Registry.from_config(config.without_writes())
    assert not any(remote.writable or remote.deletable for remote in registry.remotes())
    with pytest.raises(ReadOnly):
        registry.delete("mem/a")
    with pytest.raises(ReadOnly):
        registry.key_values("mem").set("k", b"v")
    assert registry.key_values("mem").keys() == []


def test_a_remote_that_nobody_configured_is_listed_by_name_alone():
    assert Registry({"a": Instances()}).remotes() == (RemoteEntry("a"),)


@pytest.mark.parametrize("remote", ["mem", "store"])
def test_a_volume_is_deleted_by_its_full_name(registry, remote):
    registry.create(f"{remote}/lab/a%20b", SPEC)
    registry.delete(f"{remote}/lab/a%20b")
    for use in (registry.open, registry.delete):
        with pytest.raises(UnknownVolume):
            use(f"{remote}/lab/a%20b")


def test_deleting_needs_a_name_a_remote_the_power_and_the_permission(registry):
    registry.create("kept/a", SPEC)
    for name, error, words in (
        ("kept/a", ReadOnly, "`deletable = true`"),
        ("seen/a", ReadOnly, "`writable = true`"),
        ("shapes/em", MissingCapability, "shapes"),
        ("nowhere/a", UnknownRemote, "nowhere"),
        ("mem/a@v", MalformedName, ""),
        ("", MalformedName, ""),
    ):
        with pytest.raises(error) as caught:
            registry.delete(name)
        assert words in str(caught.value)
        assert caught.value.remedy
    assert registry.open("kept/a").info.name == "kept/a"


def test_metadata_is_kept_where_the_store_keeps_it(registry, tmp_path):
    registry.create("mem/lab/a", SPEC)
    registry.create("store/a", SPEC)
    registry.key_values("mem/lab").set("note", b"\x00")
    assert registry.key_values("mem/lab").get("note") == b"\x00"
    with pytest.raises(UnknownKey):
        registry.key_values("mem/lab/a").get("note")
    for name in ("store/a", "shapes"):
        with pytest.raises(MissingCapability, match="metadata") as caught:
            registry.key_values(name)
        assert caught.value.details == {"capability": "HasKeyValues"}
        assert str(tmp_path) not in str(caught.value)


class Instances:
    """A remote that lists one of each kind."""

    def list(self, parent):
        return [ListEntry("group", False), ListEntry("seg", True), ListEntry("values", False, is_key_values=True)]

    def open(self, path, options):
        raise UnknownVolume("there is no volume")

    def capability(self, kind):
        return None


def test_instances_of_metadata_are_listed_as_such():
    entries = Registry({"a": Instances()}).list("a")
    assert entries == [
        VolumeEntry("a/group", False),
        VolumeEntry("a/seg", True),
        VolumeEntry("a/values", False, is_key_values=True),
    ]


def test_a_store_that_is_deleted_from_keeps_the_others_open(registry):
    registry.create("store/a", SPEC)
    kept = registry.create("store/b", SPEC)
    registry.delete("store/a")
    assert kept.read(BOX).shape == (1, *BOX.shape.zyx)
    assert registry.open("store/b", OpenOptions()).info.name == "store/b"
    assert [entry.name for entry in registry.list("store")] == ["store/b"]
