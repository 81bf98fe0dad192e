"""BossDB as a remote: listing, deleting, key-values, URIs, options."""

from collections.abc import Iterator

import numpy as np
import pytest

from support.boss_remotes import PATH, bare_remote, boss_remote
from support.bossdb import BossServer, bossdb_server
from support.references import image
from voxgate.model.errors import (
    ConfigInvalid,
    InvalidArgument,
    ReadOnly,
    StoreAccessDenied,
    StoreRefused,
    StoreUnavailable,
    UnknownKey,
    UnknownVersion,
    UnknownVolume,
)
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.remotes import Deletable, ListEntry, ResolvedUri
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.bossdb import BossRemote
from voxgate_remotes.config import RemoteConfig

VOXELS = image((1, 3, 4, 5), "<u1")


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel(*PATH, VOXELS[0])
        yield running


@pytest.fixture
def remote(server: BossServer) -> BossRemote:
    return bare_remote(server, options={"believed_s": 3600})


# -- listing


def test_collections_experiments_and_channels_are_listed(server, remote):
    server.store.add_channel("lab", "ant", "seg", VOXELS[0])
    server.store.add_channel("lab", "mouse", "Axons", VOXELS[0])
    assert remote.list(()) == [ListEntry("lab", is_volume=False)]
    assert remote.list(("lab",)) == [ListEntry("ant", is_volume=False), ListEntry("mouse", is_volume=False)]
    assert remote.list(("lab", "mouse")) == [ListEntry("Axons", is_volume=True), ListEntry("em", is_volume=True)]
    assert remote.list(PATH) == []


@pytest.mark.parametrize("parent", [("no",), ("lab", "no"), ("lab", "mouse", "no"), (*PATH, "0"), ("a b",)])
def test_listing_what_is_not_there_is_unknown(remote, parent):
    with pytest.raises(UnknownVolume):
        remote.list(parent)


def test_an_experiment_without_channels_has_an_empty_list(server, remote):
    server.store.channel(*PATH).deleted = True
    assert remote.list(PATH[:2]) == []


def test_a_failing_store_lists_nothing_rather_than_no_names(server, remote):
    server.fail_next(500, times=20)
    with pytest.raises(StoreUnavailable):
        remote.list(())
    with pytest.raises(StoreUnavailable):
        remote.list(("lab",))


# -- deleting


def test_a_deleted_channel_is_gone_at_once_and_only_once(remote):
    remote.open(PATH, OpenOptions())
    remote.delete(PATH)
    with pytest.raises(UnknownVolume):
        remote.open(PATH, OpenOptions())
    with pytest.raises(UnknownVolume):
        remote.delete(PATH)


def test_a_channel_that_others_are_made_from_stays(server, remote):
    server.store.add_channel(*PATH[:2], "seg", VOXELS[0]).sources = ["em"]
    with pytest.raises(StoreRefused, match="referenced"):
        remote.delete(PATH)
    assert remote.open(PATH, OpenOptions()).info.dtype == np.uint8


@pytest.mark.parametrize("path", [(), ("lab",), ("lab", "mouse")])
def test_groups_are_not_deleted(server, remote, path):
    with pytest.raises(UnknownVolume):
        remote.delete(path)
    assert server.requests.count("DELETE") == 0


def test_only_a_remote_that_allows_it_deletes(server):
    with pytest.raises(ReadOnly):
        boss_remote(server).capability(Deletable)
    boss_remote(server, deletable=True).capability(Deletable).delete(PATH)
    assert server.store.experiment(*PATH[:2]).channels["em"].deleted


# -- key-values


@pytest.fixture(params=[PATH[:1], PATH[:2], PATH], ids=["collection", "experiment", "channel"])
def notes(request: pytest.FixtureRequest, remote: BossRemote) -> KeyValues:
    return remote.capability(HasKeyValues).key_values(request.param, "")


def test_any_text_is_kept_under_any_key(notes):
    texts = {"a b&c=d": "x y&z=1", "Ω/?#%": "line\nother é", "plain": "{}", "plus+": "1+1 %41"}
    for key, text in texts.items():
        notes.set(key, text.encode())
    assert notes.keys() == sorted(texts)
    assert {key: notes.get(key).decode() for key in texts} == texts


def test_a_value_is_replaced_and_deleted(notes):
    notes.set("a", b"1")
    notes.set("a", b"2")
    assert notes.get("a") == b"2"
    notes.delete("a")
    for missing in (notes.get, notes.delete):
        with pytest.raises(UnknownKey):
            missing("a")
    assert notes.keys() == []


def test_what_is_no_text_is_refused(notes):
    with pytest.raises(InvalidArgument, match="UTF-8"):
        notes.set("a", b"\xff\xfe")
    with pytest.raises(InvalidArgument):
        notes.set("", b"1")


def test_a_value_too_long_for_an_address_is_refused_as_that(server, notes):
    server.fail_next(414, method="POST")
    with pytest.raises(InvalidArgument, match="too long"):
        notes.set("a", b"1" * 100)


def test_places_that_are_not_there_have_no_notes(remote):
    for path in (("no",), ("lab", "no"), ("lab", "mouse", "no"), (), (*PATH, "x")):
        with pytest.raises(UnknownVolume):
            remote.key_values(path, "")
    with pytest.raises(UnknownVersion):
        remote.key_values(PATH, "3")


def test_who_may_not_see_notes_is_told_so(server):
    notes = boss_remote(server, credentials={"token": "public"}).capability(HasKeyValues).key_values(PATH, "")
    with pytest.raises(StoreAccessDenied):
        notes.keys()


# -- URIs and options

EXACT = [
    ("bossdb://api.bossdb.io", "bossdb://api.bossdb.io/c/e/ch", ("c", "e", "ch")),
    ("bossdb://api.bossdb.io", "bossdb://API.bossdb.io:443/c/e/ch/", ("c", "e", "ch")),
    ("bossdb://api.bossdb.io", "bossdb://https://api.bossdb.io/c/e/ch/3", ("c", "e", "ch")),
    ("bossdb://https://api.bossdb.io/", "bossdb://api.bossdb.io/c", ("c",)),
    ("bossdb://api.bossdb.io", "bossdb://api.bossdb.io", ()),
    ("bossdb://http://127.0.0.1:8080", "bossdb://http://127.0.0.1:8080/c/e/ch", ("c", "e", "ch")),
    ("bossdb://http://127.0.0.1:8080", "bossdb://127.0.0.1:8080/c/e/ch", ("c", "e", "ch")),
    ("bossdb://http://localhost", "bossdb://localhost/e/ch", ("e", "ch")),
]


@pytest.mark.parametrize(("configured", "uri", "path"), EXACT)
def test_a_uri_with_the_host_is_of_this_remote(configured, uri, path):
    found = BossRemote(RemoteConfig(uri=configured)).resolve(uri)
    assert found is not None
    assert (found.path, found.is_exact, found.version) == (path, True, "")
    assert uri[: found.prefix_length].rstrip("/").lower().endswith(("bossdb.io", ":443", ":8080", "localhost"))


@pytest.mark.parametrize("uri", ["bossdb://witvliet2020/Dataset_2/em", "bossdb://witvliet2020/Dataset_2/em/3"])
def test_a_uri_as_intern_writes_it_may_be_of_this_remote(uri):
    found = BossRemote(RemoteConfig(uri="bossdb://api.bossdb.io")).resolve(uri)
    assert found == ResolvedUri(len("bossdb://"), ("witvliet2020", "Dataset_2", "em"), is_exact=False)


@pytest.mark.parametrize(
    "uri",
    [
        "bossdb://other.org/c/e/ch",
        "bossdb://https://other.org/c/e/ch",
        "bossdb://http://api.bossdb.io/c/e/ch",
        "bossdb://api.bossdb.io:8443/c/e/ch",
        "bossdb://api.bossdb.io/c/e/ch/x",
        "bossdb://api.bossdb.io/c/e/ch/0/0",
        "bossdb://api.bossdb.io/c//ch",
        "bossdb://api.bossdb.io/c/../ch",
        "bossdb://api.bossdb.io/c/e/ch?token=x",
        "bossdb://api.bossdb.io.evil.org/c/e/ch",
        "bossdb://user@api.bossdb.io/c/e/ch",
        "bossdb://c/e",
        "bossdb://",
        "bossdb://gs://bucket/x/y",
        "dvid://api.bossdb.io/c/e/ch",
        "c/e/ch",
    ],
)
def test_other_uris_are_not_of_this_remote(uri):
    assert BossRemote(RemoteConfig(uri="bossdb://api.bossdb.io")).resolve(uri) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"uri": "bossdb://"}, "no host"),
        ({"uri": "bossdb://me:secret@api.bossdb.io"}, "user"),
        ({"uri": "bossdb://api.bossdb.io/witvliet2020"}, "more than a host"),
        ({"uri": "bossdb://h", "options": {"verify_write": True}}, "did you mean verify_writes"),
        ({"uri": "bossdb://h", "options": {"verify_writes": "yes"}}, "verify_writes"),
        ({"uri": "bossdb://h", "options": {"access_mode": "no_cache"}}, "did you mean no-cache"),
        ({"uri": "bossdb://h", "options": {"believed_s": -1}}, "believed_s"),
        ({"uri": "bossdb://h", "options": {"believed_s": True}}, "believed_s"),
        ({"uri": "bossdb://h", "format": "zarr3"}, "zarr3"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_and_says_how_to_mend_it(told, words):
    with pytest.raises(ConfigInvalid, match=words) as caught:
        BossRemote(RemoteConfig.model_validate(told))
    assert "secret" not in str(caught.value)
