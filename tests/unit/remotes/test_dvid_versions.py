"""Versions of DVID: naming them, committing, branching, and what a committed one refuses."""

from collections.abc import Iterator

import numpy as np
import pytest
import requests

from support.dvid import DvidServer, dvid_server
from voxgate.model.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    StoreUnavailable,
    UnknownVersion,
    UnknownVolume,
    VersionLocked,
)
from voxgate.model.geometry import Vec3
from voxgate.model.metadata import HasKeyValues
from voxgate.model.segments import SegmentIdReservation
from voxgate.model.versions import Versioned
from voxgate.model.volumes import OpenOptions, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.dvid import DvidRemote
from voxgate_remotes.policy import GovernedRemote
from voxgate_transfer.copying import writer_of
from voxgate_volume.writes import GranuleWriter

ROOT = "3fa0" + "0" * 28
BOX_SETTINGS = {"BlockSize": "16,16,16", "Tags": "voxgate-bounds=0_0_0_16_16_16"}


@pytest.fixture
def server() -> Iterator[DvidServer]:
    with dvid_server() as running:
        running.store.add_repo(alias="cells", root=ROOT)
        running.store.add_instance(ROOT, "em", "uint8blk", **BOX_SETTINGS)
        yield running


@pytest.fixture
def remote(server: DvidServer) -> DvidRemote:
    return DvidRemote(RemoteConfig(uri=f"dvid://{server.url}", writable=True, options={"cache_seconds": 0}))


def opened(remote: DvidRemote, version: str = "", name: str = "em"):
    return remote.open(("cells", name), OpenOptions(version=version))


def fill(remote: DvidRemote, value: int, version: str = "") -> None:
    volume = opened(remote, version)
    volume.write(volume.info.scales[0].bounds, np.full((1, 16, 16, 16), value, "<u1"))


def first_voxel(remote: DvidRemote, version: str = "") -> int:
    volume = opened(remote, version)
    return int(volume.read(volume.info.scales[0].bounds)[0, 0, 0, 0])


def test_no_version_is_the_end_of_the_master_branch(remote: DvidRemote):
    fill(remote, 1)
    versions = opened(remote).capability(Versioned)
    versions.commit("first")
    child = versions.new_version("second")
    fill(remote, 2)
    versions.new_branch("side", "beside")
    assert opened(remote).info.resolved_version == child.version
    assert first_voxel(remote) == 2
    assert first_voxel(remote, ROOT) == 1
    assert opened(remote, ROOT).info.immutable
    assert not opened(remote).info.immutable


def test_a_version_is_named_by_uuid_or_its_start_or_a_branch(remote: DvidRemote, server: DvidServer):
    server.store.commit(ROOT)
    side = server.store.new_version(ROOT, branch="side", wanted="3fb1" + "0" * 28)
    for text in (side, "3fb", side[:31], ":side", f"{ROOT}:side", f"{side}:side", side.upper()):
        assert opened(remote, text).info.resolved_version == side
    for text in (ROOT, "3fa", f"{side}:master"):
        assert opened(remote, text).info.resolved_version == ROOT


@pytest.mark.parametrize("text", ["3f", "4", "zebra", ":nobranch", "3fa:nobranch", "3fa:side:x", "3f:side"])
def test_a_version_that_is_not_there_or_not_alone_is_unknown(remote: DvidRemote, server: DvidServer, text: str):
    server.store.commit(ROOT)
    server.store.new_version(ROOT, branch="side", wanted="3fb1" + "0" * 28)
    with pytest.raises(UnknownVersion):
        opened(remote, text)


def test_a_version_of_another_repository_is_unknown_in_this_one(remote: DvidRemote, server: DvidServer):
    other = server.store.add_repo()
    with pytest.raises(UnknownVersion):
        opened(remote, other)


def test_any_version_opens_its_repository(remote: DvidRemote, server: DvidServer):
    server.store.commit(ROOT)
    child = server.store.new_version(ROOT)
    for repo in ("cells", ROOT, child, child[:20]):
        assert remote.open((repo, "em"), OpenOptions(version=ROOT)).info.resolved_version == ROOT
    with pytest.raises(UnknownVolume):
        remote.open(("0123456789", "em"), OpenOptions())


def test_versions_are_listed_parents_first(remote: DvidRemote):
    versions = opened(remote).capability(Versioned)
    versions.commit("the first")
    child = versions.new_version("the second")
    side = versions.new_branch("side", "beside")
    listed = versions.versions()
    assert [one.version for one in listed] == [ROOT, child.version, side.version]
    assert [one.parents for one in listed] == [(), (ROOT,), (ROOT,)]
    assert [one.branch for one in listed] == ["", "", "side"]
    assert [one.is_committed for one in listed] == [True, False, False]
    assert listed[0].note == "the first"
    assert side.note == "beside"
    assert all(one.created for one in listed)


def test_a_merged_version_has_both_parents(remote: DvidRemote, server: DvidServer):
    server.store.commit(ROOT)
    left, right = server.store.new_version(ROOT), server.store.new_version(ROOT, branch="side")
    server.store.commit(left)
    server.store.commit(right)
    both = server.store.merge([left, right])
    assert opened(remote).capability(Versioned).versions()[-1].parents == (left, right)
    assert opened(remote).info.resolved_version == both


def test_committing_again_answers_the_version_unchanged(remote: DvidRemote, server: DvidServer):
    versions = opened(remote).capability(Versioned)
    first = versions.commit("once")
    assert first.is_committed
    assert versions.commit("twice") == first
    assert server.paths("POST").count(f"/api/node/{ROOT}/commit") == 1


def test_a_commit_whose_answer_was_lost_is_still_a_commit(remote: DvidRemote, server: DvidServer):
    server.cut_next(0, only="/commit")
    assert opened(remote).capability(Versioned).commit("lost").is_committed


def test_a_new_version_needs_a_committed_one_without_a_child(remote: DvidRemote):
    versions = opened(remote).capability(Versioned)
    with pytest.raises(FailedPrecondition):
        versions.new_version("too early")
    with pytest.raises(FailedPrecondition):
        versions.new_branch("side", "too early")
    versions.commit("")
    versions.new_version("")
    with pytest.raises(FailedPrecondition):
        versions.new_version("again")


def test_a_branch_has_a_name_of_its_own_that_can_be_written(remote: DvidRemote):
    versions = opened(remote).capability(Versioned)
    versions.commit("")
    versions.new_branch("side", "")
    for taken in ("side", "master"):
        with pytest.raises(AlreadyExists):
            versions.new_branch(taken, "")
    for bad in ("", "a:b", "a/b", "a b", "a\n"):
        with pytest.raises(InvalidArgument):
            versions.new_branch(bad, "")


def test_a_new_version_is_never_asked_for_twice(remote: DvidRemote, server: DvidServer):
    versions = opened(remote).capability(Versioned)
    versions.commit("")
    server.cut_next(0, only="/newversion")
    with pytest.raises(StoreUnavailable):
        versions.new_version("lost")
    assert server.paths("POST").count(f"/api/node/{ROOT}/newversion") == 1


def test_a_committed_version_takes_no_voxels(remote: DvidRemote, server: DvidServer):
    fill(remote, 1)
    late = opened(remote)
    server.store.commit(ROOT)
    posts = len(server.paths("POST"))
    committed = opened(remote)
    assert committed.capability(Writable) is None
    with pytest.raises(VersionLocked):
        committed.write(committed.info.scales[0].bounds, np.zeros((1, 16, 16, 16), "<u1"))
    assert len(server.paths("POST")) == posts
    with pytest.raises(VersionLocked):  # open when it was opened, refused by DVID
        late.write(late.info.scales[0].bounds, np.zeros((1, 16, 16, 16), "<u1"))
    assert first_voxel(remote) == 1


def test_services_say_that_the_version_is_committed_and_not_that_the_volume_is_read_only(
    remote: DvidRemote, server: DvidServer
):
    server.store.commit(ROOT)
    committed = opened(remote)
    for ask in (lambda: GranuleWriter(committed, committed.info.scales[0].bounds, 0, 1), lambda: writer_of(committed)):
        with pytest.raises(VersionLocked):
            ask()


def test_a_committed_version_takes_no_values_ids_or_instances(remote: DvidRemote, server: DvidServer):
    server.store.add_instance(ROOT, "notes", "keyvalue")
    server.store.add_instance(ROOT, "seg", "labelmap", **BOX_SETTINGS)
    values = remote.capability(HasKeyValues).key_values(("cells", "notes"), "")
    values.set("a", b"1")
    server.store.commit(ROOT)
    for change in (lambda: values.set("a", b"2"), lambda: values.delete("a")):
        with pytest.raises(VersionLocked):
            change()
    assert values.get("a") == b"1"
    with pytest.raises(VersionLocked):
        opened(remote, name="seg").capability(SegmentIdReservation).reserve_segment_ids(1)
    spec = VolumeSpec(np.dtype("<u1"), VolumeKind.IMAGE, (ScaleSpec(opened(remote).info.scales[0].bounds),))
    with pytest.raises(VersionLocked):
        remote.create(("cells", "new"), spec)


def test_values_are_those_of_their_version(remote: DvidRemote, server: DvidServer):
    server.store.add_instance(ROOT, "notes", "keyvalue")
    keep = remote.capability(HasKeyValues)
    keep.key_values(("cells", "notes"), "").set("a", b"1")
    server.store.commit(ROOT)
    server.store.new_version(ROOT)
    keep.key_values(("cells", "notes"), "").set("a", b"2")
    assert keep.key_values(("cells", "notes"), ROOT).get("a") == b"1"
    assert keep.key_values(("cells", "notes"), ":master").get("a") == b"2"
    with pytest.raises(UnknownVersion):
        keep.key_values(("cells", "notes"), "77")


def test_a_remote_without_writes_lists_versions_and_makes_none(server: DvidServer):
    config = RemoteConfig(uri=f"dvid://{server.url}")
    versions = GovernedRemote(DvidRemote(config), config).open(("cells", "em"), OpenOptions()).capability(Versioned)
    assert len(versions.versions()) == 1
    with pytest.raises(FailedPrecondition):
        versions.commit("no")


def test_descriptions_are_remembered_and_committed_ones_for_long(server: DvidServer):
    config = RemoteConfig(uri=f"dvid://{server.url}", options={"cache_seconds": 3600})
    remote = DvidRemote(config)
    first = opened(remote)
    asked = len(server.requests)
    assert opened(remote).info is first.info
    assert len(server.requests) == asked


def test_an_unchanged_description_is_the_same_object_when_it_is_asked_for_again(remote: DvidRemote, server: DvidServer):
    first = opened(remote)
    asked = len(server.requests)
    assert opened(remote).info is first.info
    assert len(server.requests) > asked


def test_bounds_that_another_program_grows_are_seen(remote: DvidRemote, server: DvidServer):
    server.store.add_instance(ROOT, "plain", "uint8blk", BlockSize="16,16,16")
    assert opened(remote, name="plain").info.scales == ()
    block = f"{server.url}/api/node/{ROOT}/plain/raw/0_1_2/16_16_16/16_0_32"
    requests.post(block, data=bytes(4096), timeout=60).raise_for_status()
    bounds = opened(remote, name="plain").info.scales[0].bounds
    assert (bounds.start, bounds.stop) == (Vec3(16, 0, 32), Vec3(32, 16, 48))


def test_a_handle_stays_at_the_version_it_was_opened_at(remote: DvidRemote):
    fill(remote, 1)
    before = opened(remote)
    versions = before.capability(Versioned)
    versions.commit("")
    versions.new_version("")
    fill(remote, 2)
    assert (before.read(before.info.scales[0].bounds) == 1).all()
    assert first_voxel(remote) == 2


def test_an_instance_that_vanishes_under_its_reader_is_unknown(remote: DvidRemote, server: DvidServer):
    reader = opened(remote)
    del server.store.repos[ROOT].instances["em"]
    with pytest.raises(UnknownVolume):
        reader.read(reader.info.scales[0].bounds)


def test_an_instance_without_versions_can_be_written_at_a_committed_one(remote: DvidRemote, server: DvidServer):
    server.store.add_instance(ROOT, "flat", "uint8blk", Versioned="false", **BOX_SETTINGS)
    server.store.commit(ROOT)
    volume = opened(remote, name="flat")
    assert not volume.info.immutable
    volume.capability(Writable).write(volume.info.scales[0].bounds, np.full((1, 16, 16, 16), 5, "<u1"))
    assert (volume.read(volume.info.scales[0].bounds) == 5).all()
