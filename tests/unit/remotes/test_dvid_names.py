"""How DVID's repositories, instances and URIs are named, and the options of a remote."""

from collections.abc import Iterator

import pytest

from support.dvid import DvidServer, dvid_server
from voxgate.model.errors import ConfigInvalid, UnknownVolume
from voxgate.model.geometry import Vec3
from voxgate.model.remotes import CallerBound, Deletable, ListEntry
from voxgate.model.volumes import ArrayCodec, LabelView, OpenOptions, Tuned, VolumeKind
from voxgate_remotes.config import RemoteConfig, RemotesConfig, TuningConfig
from voxgate_remotes.dvid import DvidRemote
from voxgate_remotes.registry import Registry

ONE, TWO, THREE = "aa" * 16, "ab" * 16, "cd" * 16
SETTINGS = {"BlockSize": "16,32,16", "Tags": "voxgate-bounds=0_0_0_32_16_16"}


@pytest.fixture(scope="module")
def server() -> Iterator[DvidServer]:
    with dvid_server() as running:
        store = running.store
        store.add_repo(alias="cells", root=ONE)
        store.add_repo(alias="twins", root=TWO)
        store.add_repo(alias="twins", root=THREE)
        store.add_repo(alias="a/b", root="ef" * 16)
        store.add_repo(alias="odd name@1", root="12" * 16)
        for name, typename in (("em", "uint8blk"), ("seg", "labelmap"), ("notes", "keyvalue"), ("no/name", "uint8blk")):
            store.add_instance(ONE, name, typename, **({} if typename == "keyvalue" else SETTINGS))
        yield running


def remote_of(server: DvidServer, path: str = "", **options: float) -> DvidRemote:
    return DvidRemote(RemoteConfig(uri=f"dvid://{server.address}{path}", options=options))


def test_repositories_are_groups_by_alias_where_it_is_unique_and_fits(server: DvidServer):
    listed = remote_of(server).list(())
    assert [one.segment for one in listed] == sorted(["cells", TWO, THREE, "ef" * 16, "odd name@1"])
    assert not any(one.is_volume or one.is_key_values for one in listed)


def test_a_repository_lists_volumes_and_key_values(server: DvidServer):
    expected = [
        ListEntry("em", is_volume=True),
        ListEntry("notes", is_volume=False, is_key_values=True),
        ListEntry("seg", is_volume=True),
    ]
    assert remote_of(server).list(("cells",)) == expected
    assert remote_of(server).list((ONE,)) == expected
    assert remote_of(server, f"/{ONE[:5]}{ONE[5:]}").list(()) == expected
    assert remote_of(server, "/cells").list(()) == expected


@pytest.mark.parametrize("parent", [("nothing",), ("cells", "em"), ("cells", "em", "x"), ("0000",), ("a",)])
def test_what_is_no_repository_cannot_be_listed(server: DvidServer, parent: tuple[str, ...]):
    with pytest.raises(UnknownVolume):
        remote_of(server).list(parent)


@pytest.mark.parametrize(
    "path", [(), ("cells",), ("cells", "nothing"), ("cells", "em", "x"), ("twins", "em"), ("x", "em")]
)
def test_what_is_no_instance_cannot_be_opened(server: DvidServer, path: tuple[str, ...]):
    with pytest.raises(UnknownVolume):
        remote_of(server).open(path, OpenOptions())


def test_a_server_is_asked_for_its_whole_list_only_when_an_alias_is_not_known(server: DvidServer):
    remote = remote_of(server)
    remote.open(("cells", "em"), OpenOptions())
    before = len([path for path in server.paths() if path.endswith("/repos/info")])
    remote.open(("cells", "seg"), OpenOptions())
    remote.open((ONE, "em"), OpenOptions())
    assert len([path for path in server.paths() if path.endswith("/repos/info")]) == before


def test_a_volume_says_what_dvid_knows_of_it(server: DvidServer):
    em = remote_of(server).open(("cells", "em"), OpenOptions())
    seg = remote_of(server).open(("cells", "seg"), OpenOptions())
    assert (em.info.kind, seg.info.kind) == (VolumeKind.IMAGE, VolumeKind.SEGMENTATION)
    assert em.info.label_views == ()
    assert seg.info.label_views == (LabelView.BODIES, LabelView.SUPERVOXELS)
    scale = em.info.scales[0]
    assert (scale.stored_chunk_shape, scale.write_granule_shape, scale.grid_origin) == (
        Vec3(16, 32, 16),
        Vec3(16, 32, 16),
        Vec3(0, 0, 0),
    )
    assert all(encoding.array is not ArrayCodec.FILL for encoding in scale.stored_encodings)
    assert em.capability(Tuned).tuning.alignment == Vec3(16, 32, 16)
    assert em.capability(Tuned).tuning.request_bytes == 16 << 20


def test_an_operator_may_tune_a_remote(server: DvidServer):
    config = RemoteConfig(uri=f"dvid://{server.address}", tuning=TuningConfig(parallel_reads=9))
    volume = Registry.from_config(RemotesConfig(remotes={"flies": config})).open("flies/cells/em")
    tuning = volume.capability(Tuned).tuning
    assert (tuning.parallel_reads, tuning.request_bytes, tuning.alignment) == (9, 16 << 20, Vec3(16, 32, 16))


def test_nothing_is_deletable_and_callers_can_be_bound(server: DvidServer):
    assert remote_of(server).capability(Deletable) is None
    assert remote_of(server).capability(CallerBound) is not None


def test_an_alias_with_odd_characters_goes_through_the_registry(server: DvidServer):
    server.store.add_instance("12" * 16, "em", "uint8blk", **SETTINGS)
    registry = Registry.from_config(RemotesConfig(remotes={"flies": RemoteConfig(uri=f"dvid://{server.address}")}))
    assert registry.open("flies/odd%20name%401/em").info.name == "flies/odd%20name%401/em"


RESOLVED = {
    "dvid://h:8000/3fa/em": (("3fa", "em"), "3fa"),
    "dvid://http://h:8000/3fa/em": (("3fa", "em"), "3fa"),
    "dvid://H:8000/3fa/em/": (("3fa", "em"), "3fa"),
    "dvid://h:8000/3fa:side/em": (("3fa", "em"), "3fa:side"),
    "dvid://h:8000/cells/em": (("cells", "em"), ""),
    "dvid://h:8000/cells:side/em": (("cells", "em"), ":side"),
    "dvid://h:8000/3fa": (("3fa",), "3fa"),
    "dvid://h:8000": ((), ""),
}


@pytest.mark.parametrize("uri", RESOLVED)
def test_a_uri_below_a_server_names_a_path_and_a_version(uri: str):
    found = DvidRemote(RemoteConfig(uri="dvid://h:8000")).resolve(uri)
    assert (found.path, found.version) == RESOLVED[uri]
    assert found.is_exact
    assert found.prefix_length == uri.lower().index("h:8000") + 6


@pytest.mark.parametrize(
    "uri",
    [
        "dvid://other:8000/3fa/em",
        "dvid://h:8001/3fa/em",
        "dvid://https://h:8000/3fa/em",
        "dvid://h:8000/3fa/em/x",
        "dvid://h:8000/3fa/em?x=1",
        "dvid://h:8000/3fa/../em",
        "dvid://user:word@h:8000/3fa/em",
        "dvid://h:8000/:side/em",
        "dvid://",
        "bossdb://h:8000/3fa/em",
        "/3fa/em",
    ],
)
def test_other_uris_are_not_of_this_server(uri: str):
    assert DvidRemote(RemoteConfig(uri="dvid://h:8000")).resolve(uri) is None


def test_a_uri_in_a_remote_of_one_repository_leaves_it_out():
    remote = DvidRemote(RemoteConfig(uri=f"dvid://h:8000/{ONE}"))
    for start in (ONE, ONE[:4]):
        found = remote.resolve(f"dvid://h:8000/{start}/em")
        assert (found.path, found.version, found.is_exact) == (("em",), start, True)
        assert found.prefix_length == len(f"dvid://h:8000/{start}")
    other = remote.resolve(f"dvid://h:8000/{TWO}:side/em")
    assert (other.path, other.version, other.is_exact) == (("em",), f"{TWO}:side", False)
    assert remote.resolve("dvid://h:8000/cells/em") is None
    assert remote.resolve("dvid://h:8000") is None
    named = DvidRemote(RemoteConfig(uri="dvid://h:8000/cells"))
    assert named.resolve("dvid://h:8000/cells:side/em").version == ":side"
    assert named.resolve("dvid://h:8000/twins/em") is None


def test_a_resolved_uri_opens_the_version_it_names(server: DvidServer):
    registry = Registry.from_config(RemotesConfig(remotes={"flies": RemoteConfig(uri=f"dvid://{server.address}")}))
    name, version = registry.resolve(f"dvid://http://{server.address}/{ONE}/em")
    assert registry.open(name, OpenOptions(version=version)).info.resolved_version == ONE


def test_an_alias_that_looks_like_a_uuid_is_still_an_alias():
    with dvid_server() as server:
        root = server.store.add_repo(alias="cafe")
        server.store.add_instance(root, "em", "uint8blk", **SETTINGS)
        registry = Registry.from_config(RemotesConfig(remotes={"flies": RemoteConfig(uri=f"dvid://{server.address}")}))
        for segment in ("cafe", "cafe:master"):
            name, version = registry.resolve(f"dvid://{server.address}/{segment}/em")
            assert registry.open(name, OpenOptions(version=version)).info.resolved_version == root


@pytest.mark.parametrize(
    "uri",
    ["dvid://", "dvid://h:8000/a/b", "dvid://h:8000/3fa:side", "dvid://u:p@h:8000", "dvid://h:8000?x=1", "dvid://h:x"],
)
def test_a_remote_that_is_no_server_or_repository_is_refused(uri: str):
    with pytest.raises(ConfigInvalid):
        DvidRemote(RemoteConfig(uri=uri))


@pytest.mark.parametrize(
    "options",
    [
        {"cache_second": 1},
        {"cache_seconds": -1},
        {"cache_seconds": "soon"},
        {"cache_seconds": True},
        {"empty_bounds": "1,2,3"},
        {"empty_bounds": "0,0,0,1,1,0"},
        {"empty_bounds": 5},
    ],
)
def test_an_option_that_means_nothing_is_refused(options: dict[str, str | int | float | bool]):
    with pytest.raises(ConfigInvalid):
        DvidRemote(RemoteConfig(uri="dvid://h:8000", options=options))
