"""Collections, experiments, channels and frames in the BossDB dialect: documents, listings, making and deleting."""

from __future__ import annotations

import numpy as np
import pytest

from support.boss_gateways import BossGateway, boss_gateway, told_by
from support.bossdb import bossdb_server
from support.bossdb.raw import Raw, packed
from support.servers import SAMPLES, settings
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_gateway.settings import parse_gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_standalone.suite import start_suite

FRAME = {f"{axis}_{end}": at for axis in "xyz" for end, at in (("start", 3), ("stop", 40))} | {
    "x_voxel_size": 4,
    "y_voxel_size": 5,
    "z_voxel_size": 0.04,
    "voxel_unit": "nanometers",
}
EXPERIMENT = {"coord_frame": "frame", "num_hierarchy_levels": 3}
CHANNEL = {"type": "annotation", "datatype": "uint64"}
# What the service keeps and a volume does not: descriptions, who made it, the frame's own name.
OWN = {"creator", "description", "coord_frame", "name", "public"}


@pytest.fixture(scope="module")
def server():
    with bossdb_server() as running:
        voxels = np.ones((17, 22, 37), np.uint8)
        running.store.add_channel("c", "e", "em", voxels, start=(500, 20, 9), voxel_size=(4, 5, 40.5))
        running.store.add_channel("c", "e", "seg", voxels.astype(np.uint64))
        running.store.add_channel("c", "deep", "em", voxels, levels=[voxels[:, ::2, ::2]])
        running.store.add_channel("c", "timed", "em", np.ones((3, 5, 6, 7), np.uint16), num_time_samples=3)
        yield running


@pytest.fixture(scope="module")
def beside(server):
    with boss_gateway(server) as gateway:
        yield gateway.raw


@pytest.fixture(scope="module")
def theirs(server):
    return Raw(server, server.token)


@pytest.fixture
def ours():
    """A gateway of its own: what is made is remembered."""
    remotes = {
        "scratch": RemoteConfig(uri="memory://", writable=True, deletable=True),
        "samples": RemoteConfig(uri=SAMPLES.as_uri()),
    }
    told = parse_gateway({"bossdb": {"home": "scratch", "names": {"Given/by/hand": "samples/aniso/seg"}}})
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=told)
    yield BossGateway(suite.gateway.url.removeprefix("http://")).raw
    suite.stop(1.0)


@pytest.mark.parametrize(
    "path",
    [
        "collection/c",
        "collection/c/experiment/e",
        "collection/c/experiment/deep/",
        "collection/c/experiment/timed/",
        "collection/c/experiment/e/channel/",
        "collection/c/experiment/e/channel/em",
        "collection/c/experiment/e/channel/seg/",
        "collection/c/experiment/deep/channel/em/",
        "collection/none",
        "collection/c/experiment/none",
        "collection/c/experiment/e/channel/none",
        "collection/none/experiment/e/channel/em",
        "coord/none",
    ],
)
def test_documents_say_what_those_of_a_bossdb_say(beside, theirs, path):
    expected, found = told_by(theirs.get(path)), told_by(beside.get(path))
    if expected[0] != 200:
        assert found == expected
        return
    assert found[0] == 200
    assert set(expected[1]) == set(found[1])
    for name in set(expected[1]) - OWN:
        same = sorted(expected[1][name]) if isinstance(expected[1][name], list) else expected[1][name]
        assert found[1][name] == same, name


def test_the_frame_of_an_experiment_is_that_of_the_bossdb_behind(beside, theirs):
    name = beside.get("collection/c/experiment/e").json()["coord_frame"]
    expected, found = theirs.get("coord/CF_c_e").json(), beside.get(f"coord/{name}").json()
    assert {**found, "name": "CF_c_e"} == expected


def test_everything_is_listed(ours):
    assert ours.get("collection//").json() == {"collections": ["Given", "samples", "scratch"]}
    assert ours.get("collection/Given/experiment").json() == {"experiments": ["by"]}
    assert ours.get("collection/Given/experiment/by/channel").json() == {"channels": ["hand"]}
    names = ours.get("collection/samples/experiment/").json()["experiments"]
    assert "aniso" in names
    frames = ours.get("coord/").json()["coords"]
    assert "samples__2Faniso" in frames
    assert all(ours.get(f"coord/{name}").status_code == 200 for name in frames)


def test_a_name_of_the_table_is_the_volume_by_its_derived_name(ours):
    given = ours.get("cutout/Given/by/hand/0/-20:-3/41:50/13:30")
    assert given.status_code == 200
    assert given.content == ours.get("cutout/samples/aniso/seg/0/-20:-3/41:50/13:30").content


def make(asked, collection="mine", experiment="exp", channel="seg"):
    """Make a project step by step, as intern does; the replies."""
    return [
        asked.ask("POST", f"collection/{collection}", {"description": "of mine"}),
        asked.ask("POST", "coord/frame", FRAME),
        asked.ask("POST", f"collection/{collection}/experiment/{experiment}", EXPERIMENT),
        asked.ask("POST", f"collection/{collection}/experiment/{experiment}/channel/{channel}", CHANNEL),
    ]


def test_a_project_is_made_step_by_step_as_in_a_bossdb(ours):
    with bossdb_server() as fresh:
        expected = make(Raw(fresh, fresh.token))
    made = make(ours)
    assert [reply.status_code for reply in made] == [reply.status_code for reply in expected] == [201] * 4
    for found, one in zip(made, expected, strict=True):
        own = {"creator", "experiments", "public"}
        assert {k: v for k, v in one.json().items() if k not in own}.items() <= found.json().items()
    assert ours.get("collection/mine").json()["experiments"] == ["exp"]
    name = ours.get("collection/mine/experiment/exp").json()["coord_frame"]
    frame = ours.get(f"coord/{name}").json()
    assert {key: frame[key] for key in FRAME} == FRAME
    path = "mine/exp/seg/0/3:40/3:40/3:40"
    assert ours.write(path, np.full((37, 37, 37), 2**63 + 5, np.uint64)).status_code == 201
    assert (ours.cutout(path, "uint64", (37, 37, 37)) == 2**63 + 5).all()


def test_what_is_there_is_not_made_again(ours):
    make(ours)
    assert [told_by(reply) for reply in make(ours)] == [(400, 1003)] * 4
    second = ours.ask("POST", "collection/mine/experiment/exp/channel/em", {"type": "image", "datatype": "uint8"})
    assert second.status_code == 201
    assert ours.get("collection/mine/experiment/exp").json()["channels"] == ["em", "seg"]


def test_what_was_made_is_deleted_from_the_inside(ours):
    make(ours)
    inside = "collection/mine/experiment/exp"
    for path in ("collection/mine", inside, "coord/frame"):
        assert ours.refusal("DELETE", path) == (400, 4003)
    assert ours.ask("DELETE", f"{inside}/channel/seg").status_code == 204
    assert ours.refusal("GET", f"{inside}/channel/seg") == (404, 4000)
    for path in (inside, "coord/frame", "collection/mine"):
        assert ours.ask("DELETE", path).status_code == 204
        assert ours.refusal("GET", path) == (404, 4000)
        assert ours.refusal("DELETE", path) == (404, 4000)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("coord/f", {**FRAME, "x_stop": 3}, (400, 1003)),
        ("coord/f", {**FRAME, "x_voxel_size": 0}, (400, 1003)),
        ("coord/f", {**FRAME, "voxel_unit": "feet"}, (400, 1003)),
        ("coord/f", {key: FRAME[key] for key in FRAME if key != "z_stop"}, (400, 1003)),
        ("coord/f", b"[1]", (400, 1006)),
        ("coord/f", b"{", (400, 1006)),
        ("coord/f", b"[" * 100_000, (400, 1006)),
        ("coord/f", b" " * ((1 << 20) + 1), (413, 2000)),
        ("collection/samples", {}, (400, 1003)),
        (f"collection/{'x' * 256}", {}, (400, 1003)),
        ("collection/a__b", {}, (403, 3000)),
        ("collection/mine/experiment/e", {**EXPERIMENT, "coord_frame": "none"}, (404, 4000)),
        ("collection/mine/experiment/e", {**EXPERIMENT, "num_time_samples": 2}, (400, 1003)),
        ("collection/mine/experiment/e", {**EXPERIMENT, "hierarchy_method": "near_iso"}, (400, 1003)),
        ("collection/mine/experiment/none/channel/x", CHANNEL, (404, 4000)),
        ("collection/mine/experiment/exp/channel/x", {**CHANNEL, "datatype": "float32"}, (400, 1003)),
        ("collection/mine/experiment/exp/channel/x", {**CHANNEL, "base_resolution": 1}, (400, 1003)),
        ("collection/mine/experiment/exp/channel/x", {**CHANNEL, "storage_type": "cloudvol"}, (400, 1003)),
        ("collection/mine/experiment/exp/channel/a__b", CHANNEL, (400, 1003)),
        ("collection/mine/experiment/exp/channel/a__v1", CHANNEL, (400, 1003)),
        ("collection/samples/experiment/aniso/channel/new", CHANNEL, (403, 3001)),
        ("collection/mine/experiment", {}, (405, 1006)),
        ("collection/m%C3%BCnchen", {}, (404, 1000)),
    ],
)
def test_what_cannot_be_made_is_refused(shared, path, body, expected):
    assert shared.refusal("POST", path, body) == expected


@pytest.fixture(scope="module")
def shared():
    """A gateway with one project."""
    remotes = {"scratch": RemoteConfig(uri="memory://", writable=True), "samples": RemoteConfig(uri=SAMPLES.as_uri())}
    told = parse_gateway({"bossdb": {"home": "scratch"}})
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=told)
    raw = BossGateway(suite.gateway.url.removeprefix("http://")).raw
    make(raw)
    yield raw
    suite.stop(1.0)


def test_everybodys_token_changes_nothing(shared):
    headers = {"Authorization": "Token public"}
    for method, path, body in (
        ("POST", "collection/other", {}),
        ("PUT", "collection/mine", {}),
        ("DELETE", "collection/mine/experiment/exp/channel/seg", None),
    ):
        assert told_by(shared.ask(method, path, body, headers)) == (403, 3001)


def test_a_volume_that_may_not_be_deleted_stays(shared):
    assert shared.refusal("DELETE", "collection/mine/experiment/exp/channel/seg")[0] in (403, 409)
    assert shared.get("collection/mine/experiment/exp/channel/seg").status_code == 200


def test_a_change_that_changes_nothing_is_made_and_any_other_refused(shared):
    path = "collection/mine/experiment/exp/channel/seg"
    same = shared.ask("PUT", path, {"public": True})
    assert (same.status_code, same.json()["name"]) == (200, "seg")
    assert shared.refusal("PUT", path, {"description": "new"}) == (400, 1003)


def test_accounts_are_nobodys_business_here(shared):
    assert shared.get("groups/?filter=member").json() == {"groups": []}
    assert shared.get("permissions/?group=g&collection=c").json() == {"permission-sets": []}
    assert shared.refusal("GET", "groups/g/members/me") == (404, 4001)
    assert shared.refusal("GET", "sso/user/me") == (404, 4002)
    assert shared.refusal("POST", "groups/g", {}) == (403, 3000)


def test_volumes_that_are_unlike_are_an_experiment_each(tmp_path):
    """Two of a group have voxels of one size, and one has others: an experiment has one voxel size."""
    remotes = RemotesConfig(remotes={"lab": RemoteConfig(uri=tmp_path.as_uri(), writable=True)})
    registry = Registry.from_config(remotes)
    for name, edge, start in (("like/em", 4, 0), ("like/seg", 4, 9), ("unlike/em", 4, 0), ("unlike/seg", 8, 9)):
        scale = ScaleSpec(Box.at(Vec3(start, 2, 5), Vec3(20, 31, 12)), VoxelSize(edge, edge, 40))
        registry.create(f"lab/{name}", VolumeSpec(np.dtype("uint16"), VolumeKind.IMAGE, (scale,), fill_value=7))
    suite = start_suite(remotes, settings())
    try:
        raw = BossGateway(suite.gateway.url.removeprefix("http://")).raw
        assert raw.get("collection/lab").json()["experiments"] == ["like", "unlike__xem", "unlike__xseg"]
        frame = raw.get("coord/lab__2Flike").json()
        assert (frame["x_start"], frame["x_stop"], frame["x_voxel_size"]) == (0, 29, 4)
        assert told_by(raw.get("collection/lab/experiment/unlike")) == (400, 9001)
        assert raw.get("collection/lab/experiment/unlike__xseg").json()["channels"] == ["seg"]
        frame = raw.get("coord/lab__2Funlike__5F__5Fxseg").json()
        assert (frame["x_start"], frame["x_stop"], frame["x_voxel_size"]) == (9, 29, 8)
        # A frame that is larger than a channel has zeros around it, as where nobody wrote into a BossDB.
        part = raw.cutout("lab/like/seg/0/5:12/2:4/5:6", "uint16", (1, 2, 7))
        np.testing.assert_array_equal(part, [[[0, 0, 0, 0, 7, 7, 7]] * 2])
        assert raw.refusal("POST", "cutout/lab/like/seg/0/5:12/2:4/5:6", packed(part)) == (400, 1001)
        assert raw.refusal("GET", "cutout/lab/unlike/seg/0/5:12/2:4/5:6") == (400, 1001)
    finally:
        suite.stop(1.0)
