"""Metadata by key in memory, and deleting volumes there."""

import numpy as np
import pytest

from support.deletions import read_during
from voxgate.model.errors import InvalidArgument, ReadOnly, UnknownKey, UnknownVersion, UnknownVolume
from voxgate.model.geometry import Box
from voxgate.model.metadata import HasKeyValues
from voxgate.model.remotes import Deletable
from voxgate.model.volumes import ChunkPresence, OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote

BOUNDS = Box.of(x=(-5, 9), y=(20, 31), z=(7, 12))


def filled_remote(**changes):
    remote = MemoryRemote(RemoteConfig(uri="memory://", writable=True, **changes))
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS),))
    for path in (("lab", "a"), ("lab", "deep", "b"), ("c",)):
        remote.create(path, spec).write(BOUNDS, np.full((1, *BOUNDS.shape.zyx), 2**63 + 1, "<u8"))
    return remote


@pytest.mark.parametrize("path", [(), ("lab",), ("lab", "deep"), ("lab", "deep", "b"), ("c",)])
def test_values_are_kept_at_the_remote_at_groups_and_at_volumes(path):
    remote = filled_remote()
    values = remote.capability(HasKeyValues).key_values(path, "")
    assert values.keys() == []
    values.set("b/ü", b"\x00\xff")
    values.set("a", b"")
    values.set("b/ü", b"zwei")
    again = remote.key_values(path, "")
    assert again.keys() == ["a", "b/ü"]
    assert (again.get("a"), again.get("b/ü")) == (b"", b"zwei")
    again.delete("a")
    assert values.keys() == ["b/ü"]
    for use in (values.get, values.delete):
        with pytest.raises(UnknownKey):
            use("a")


def test_values_of_one_name_are_not_those_of_another():
    remote = filled_remote()
    remote.key_values(("lab",), "").set("k", b"lab")
    assert remote.key_values(("lab", "a"), "").keys() == []
    assert remote.key_values((), "").keys() == []


def test_what_is_not_there_holds_no_metadata():
    remote = filled_remote()
    for path in (("nothing",), ("lab", "a", "below"), ("la",)):
        with pytest.raises(UnknownVolume):
            remote.key_values(path, "")
    with pytest.raises(UnknownVersion):
        remote.key_values(("lab",), "3fa")
    with pytest.raises(InvalidArgument):
        remote.key_values(("lab",), "").set("", b"x")


def test_a_read_only_remote_shows_its_metadata_and_takes_none():
    remote = MemoryRemote(RemoteConfig(uri="memory://"))
    values = remote.capability(HasKeyValues).key_values((), "")
    assert values.keys() == []
    for use in (lambda: values.set("k", b"v"), lambda: values.delete("k")):
        with pytest.raises(ReadOnly):
            use()


def test_a_deleted_volume_takes_its_metadata_and_that_of_emptied_groups_along():
    remote = filled_remote(deletable=True)
    held = remote.key_values(("lab", "deep", "b"), "")
    for path in (("lab",), ("lab", "deep"), ("lab", "deep", "b")):
        remote.key_values(path, "").set("k", b"v")
    remote.capability(Deletable).delete(("lab", "deep", "b"))
    for path in (("lab", "deep", "b"), ("lab", "deep")):
        with pytest.raises(UnknownVolume):
            remote.key_values(path, "")
    assert remote.key_values(("lab",), "").keys() == ["k"]
    for use in (held.keys, lambda: held.get("k"), lambda: held.set("k", b""), lambda: held.delete("k")):
        with pytest.raises(UnknownVolume):
            use()
    spec = VolumeSpec(np.dtype("<u8"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS),))
    remote.create(("lab", "deep", "b"), spec)
    assert remote.key_values(("lab", "deep"), "").keys() == []
    assert remote.key_values(("lab", "deep", "b"), "").keys() == []


def test_a_handle_on_a_deleted_volume_answers_nothing():
    remote = filled_remote(deletable=True)
    volume = remote.open(("c",), OpenOptions())
    remote.delete(("c",))
    one = np.ones((1, *BOUNDS.shape.zyx), "<u8")
    for use in (
        lambda: volume.read(BOUNDS),
        lambda: volume.read_encoded([BOUNDS]),
        lambda: volume.capability(ChunkPresence).is_absent(BOUNDS),
        lambda: volume.capability(Writable).write(BOUNDS, one),
        lambda: remote.open(("c",), OpenOptions()),
        lambda: remote.delete(("c",)),
        lambda: remote.delete(("lab",)),
    ):
        with pytest.raises(UnknownVolume):
            use()
    assert [entry.segment for entry in remote.list(())] == ["lab"]


def test_readers_during_a_deletion_see_every_voxel_or_an_error():
    remote = filled_remote(deletable=True)

    def opened():
        volume = remote.open(("c",), OpenOptions())
        return lambda: int(volume.read(BOUNDS).min())

    outcomes = read_during(lambda: remote.delete(("c",)), opened, 2)
    assert outcomes.count(None) >= 2
    assert set(outcomes) <= {2**63 + 1, None}


@pytest.mark.parametrize("changes", [{}, {"writable": False, "deletable": True}])
def test_nothing_is_deleted_unless_the_operator_allows_it(changes):
    remote = MemoryRemote(RemoteConfig(uri="memory://", **{"writable": True, **changes}))
    with pytest.raises(ReadOnly, match="deletable"):
        remote.delete(("c",))
