"""Projects, key-values and downsampling of the BossDB test server by raw requests."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from support.bossdb import BossServer, bossdb_server
from support.bossdb.raw import Raw

FRAME = {
    **{f"{axis}_{end}": value for axis in "xyz" for end, value in (("start", 0), ("stop", 9))},
    **{f"{axis}_voxel_size": 4 for axis in "xyz"},
    "voxel_unit": "nanometers",
}
CHANNEL = "collection/c/experiment/e/channel/h"


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        yield running


@pytest.fixture
def owner(server: BossServer) -> Raw:
    return Raw(server, server.token)


@pytest.fixture
def made(owner: Raw) -> Raw:
    """The owner, once a channel was made, step by step."""
    steps = {
        "collection/c": {"description": "words"},
        "coord/f": FRAME,
        "collection/c/experiment/e/": {"coord_frame": "f", "num_hierarchy_levels": 3},
        CHANNEL: {"type": "annotation", "datatype": "uint64"},
    }
    for path, document in steps.items():
        assert owner.ask("POST", path, document).status_code == 201
    return owner


def downsampled(owner: Raw, channel: str) -> str:
    """The status of a channel's downsampling once it is over."""
    while (status := owner.get(f"downsample/{channel}").json()["status"]) in ("QUEUED", "IN_PROGRESS"):
        time.sleep(0.01)
    return str(status)


def test_what_intern_trips_over_is_never_sent(made: Raw) -> None:
    channel = made.get(CHANNEL).json()
    assert channel["storage_type"] == "spdb"
    assert channel["downsample_status"] == "NOT_DOWNSAMPLED"
    experiment = made.get("collection/c/experiment/e").json()
    assert experiment["time_step_unit"] == "seconds"
    assert experiment["hierarchy_method"] == "anisotropic"
    assert (experiment["coord_frame"], experiment["channels"]) == ("f", ["h"])
    assert made.get("coord/f").json() == {"name": "f", "description": "", **FRAME}


def test_slashes_at_the_end_and_doubled_and_the_other_version_are_the_same(made: Raw) -> None:
    expected = made.get(CHANNEL).json()
    for path in (f"{CHANNEL}/", CHANNEL.replace("/", "//"), f"/{CHANNEL}", f"../latest/{CHANNEL}"):
        assert made.get(path).json() == expected
    for path in ("collection", "collection/", "collection//"):
        assert made.get(path).json() == {"collections": ["c"]}
    assert made.get("collection/c/experiment/").json() == {"experiments": ["e"]}
    assert made.get("collection/c/experiment/e/channel/").json() == {"channels": ["h"]}
    assert made.get("coord/").json() == {"coords": ["f"]}


def test_an_old_version_is_refused(made: Raw) -> None:
    assert made.refusal("GET", "../v0.8/collection/c") == (400, 9003)


def test_a_name_is_read_as_far_as_names_go_and_a_rename_is_checked(made: Raw) -> None:
    assert made.get("collection/c.d").json()["name"] == "c"
    assert made.refusal("PUT", "collection/c", {"name": "c d"}) == (400, 1003)
    assert made.refusal("POST", f"collection/{'n' * 256}", {}) == (400, 1003)


def test_what_is_not_there_is_told_by_name_and_lists_of_it_are_server_errors(made: Raw) -> None:
    for path in ("collection/no", "collection/no/experiment/e", f"{CHANNEL}2", "coord/no"):
        assert made.refusal("GET", path) == (404, 4000)
    assert made.refusal("GET", "cutout/c/e/no/0/0:1/0:1/0:1") == (404, 4000)
    assert made.get("collection/no/experiment/").status_code == 500


def test_nothing_is_made_twice_or_without_what_it_needs(made: Raw) -> None:
    assert made.refusal("POST", CHANNEL, {"type": "image", "datatype": "uint8"}) == (400, 1003)
    assert made.refusal("POST", f"{CHANNEL}2", {"type": "image", "datatype": "float32"}) == (400, 1003)
    assert made.refusal("POST", f"{CHANNEL}2", {"type": "image"}) == (400, 1003)
    assert made.refusal("POST", "collection/c/experiment/e2", {}) == (400, 1003)
    assert made.refusal("POST", "collection/c/experiment/e2", {"coord_frame": "no"}) == (404, 4000)
    method = {"coord_frame": "f", "hierarchy_method": "near_iso"}
    assert made.refusal("POST", "collection/c/experiment/e2", method) == (400, 1003)


def test_deleting_is_soft_and_waits_for_what_depends_on_it(made: Raw) -> None:
    for path in ("collection/c", "collection/c/experiment/e"):
        assert made.refusal("DELETE", path) == (400, 4003)
    assert made.ask("DELETE", CHANNEL).status_code == 204
    assert made.refusal("GET", CHANNEL) == (404, 4005)
    assert made.refusal("GET", "cutout/c/e/h/0/0:1/0:1/0:1") == (404, 4005)
    assert made.refusal("POST", CHANNEL, {"type": "image", "datatype": "uint8"}) == (400, 1003)
    assert made.refusal("DELETE", "coord/f") == (400, 4003)
    for path in ("collection/c/experiment/e", "coord/f", "collection/c"):
        assert made.ask("DELETE", path).status_code == 204
    assert made.get("collection").json() == {"collections": []}


def test_only_some_things_may_be_changed_and_a_change_drops_sources_that_it_does_not_name(made: Raw) -> None:
    assert made.refusal("PUT", CHANNEL, {"datatype": "uint8"}) == (400, 1003)
    assert made.refusal("PUT", "coord/f", {"x_stop": 10}) == (400, 1003)
    document = {"type": "annotation", "datatype": "uint64", "sources": ["h"]}
    assert made.ask("POST", f"{CHANNEL}2", document).json()["sources"] == ["h"]
    assert made.refusal("DELETE", CHANNEL) == (400, 4003)
    assert made.ask("PUT", f"{CHANNEL}2", {"description": "x"}).json()["sources"] == []
    renamed = made.ask("PUT", CHANNEL, {"name": "other"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "other")
    assert made.refusal("GET", CHANNEL) == (404, 4000)


def test_a_wrong_token_no_token_and_the_shared_one_are_told_apart(server: BossServer, made: Raw) -> None:
    wrong, none, shared = Raw(server, "wrong"), Raw(server, None), Raw(server, "public")
    refused = wrong.get("collection")
    assert (refused.status_code, list(refused.json())) == (401, ["detail"])
    assert none.ask("POST", "collection/n", {}).status_code == 401
    assert shared.refusal("POST", "collection/n", {}) == (403, 3000)
    for reader in (none, shared):
        assert reader.refusal("GET", CHANNEL) == (403, 3001)
        assert reader.refusal("GET", "cutout/c/e/h/0/0:1/0:1/0:1") == (403, 3001)
    assert made.ask("PUT", CHANNEL, {"public": True}).status_code == 200
    for reader in (none, shared):
        assert reader.get(CHANNEL).status_code == 200
        assert reader.get("cutout/c/e/h/0/0:1/0:1/0:1").status_code == 200
        assert reader.refusal("GET", "ids/c/e/h/0/0:1/0:1/0:1") == (403, 3001)
        assert reader.refusal("GET", "meta/c/e/h") == (403, 3001)
        assert reader.refusal("GET", "reserve/c/e/h/1") == (403, 3001)


@pytest.mark.parametrize("resource", ["c", "c/e", "c/e/h"])
def test_a_missing_key_is_a_bad_request_and_verbs_are_strict(made: Raw, resource: str) -> None:
    path = f"meta/{resource}/?key=a%20b%26c"
    assert made.refusal("GET", path) == (400, 1003)
    assert made.refusal("PUT", f"{path}&value=1") == (400, 1003)
    assert made.refusal("POST", path) == (400, 1003)
    assert made.ask("POST", f"{path}&value=x%3Dy").status_code == 201
    assert made.refusal("POST", f"{path}&value=2") == (400, 1003)
    assert made.get(path).json() == {"key": "a b&c", "value": "x=y"}
    assert made.ask("PUT", f"{path}&value=").status_code == 200
    assert made.get(f"meta/{resource}").json() == {"keys": ["a b&c"]}
    assert made.ask("DELETE", path).status_code == 204
    assert made.refusal("DELETE", path) == (400, 1003)


def test_levels_halve_with_ceil_from_where_the_frame_stops(server: BossServer, owner: Raw) -> None:
    frame = {"start": (500, 20, 9), "stop": (531, 42, 24), "voxel_size": (4, 4, 16)}
    server.store.add_channel("c", "an", "h", **frame, num_hierarchy_levels=4)
    server.store.add_channel("c", "iso", "h", **frame, num_hierarchy_levels=3, hierarchy_method="isotropic")
    told = owner.get("downsample/c/an/h").json()
    assert told["extent"] == {"0": [531, 42, 24], "1": [266, 21, 24], "2": [133, 11, 24], "3": [67, 6, 24]}
    assert told["voxel_size"]["3"] == [32, 32, 16]
    assert told["cuboid_size"]["3"] == [512, 512, 16]
    second = owner.get("downsample/c/an/h?iso=true").json()
    assert second["voxel_size"] == {"0": [4, 4, 16], "1": [8, 8, 16], "2": [16, 16, 16], "3": [32, 32, 32]}
    assert owner.get("downsample/c/iso/h").json()["extent"]["2"] == [133, 11, 6]


def test_voxels_that_are_no_squares_have_no_levels_told(server: BossServer, owner: Raw) -> None:
    server.store.add_channel("c", "e", "h", stop=(9, 9, 9), voxel_size=(4, 5, 40))
    assert owner.refusal("GET", "downsample/c/e/h") == (400, 9001)
    assert owner.ask("POST", "downsample/c/e/h").status_code == 500


def test_downsampled_labels_are_labels_and_a_write_forgets_them(server: BossServer, owner: Raw) -> None:
    cells = np.random.default_rng(1).integers(2**63, 2**64 - 1, (3, 9, 11), np.uint64)
    whole = cells.repeat(2, axis=1).repeat(2, axis=2)
    server.store.add_channel("c", "e", "h", whole, num_hierarchy_levels=2)
    assert owner.ask("POST", "downsample/c/e/h").status_code == 201
    assert downsampled(owner, "c/e/h") == "DOWNSAMPLED"
    assert np.array_equal(owner.cutout("c/e/h/1/0:11/0:9/0:3", "u8", cells.shape), cells)
    assert owner.refusal("POST", "downsample/c/e/h") == (409, 2006)
    owner.write("c/e/h/0/0:1/0:1/0:1", np.ones((1, 1, 1), "u8"))
    assert owner.get("downsample/c/e/h").json()["status"] == "NOT_DOWNSAMPLED"


def test_a_label_in_the_last_of_four_places_alone_is_lost(server: BossServer, owner: Raw) -> None:
    server.store.add_channel("c", "e", "h", np.array([[[0, 0, 0, 5], [0, 9, 6, 0]]], "u8"), num_hierarchy_levels=2)
    owner.ask("POST", "downsample/c/e/h")
    assert downsampled(owner, "c/e/h") == "DOWNSAMPLED"
    assert owner.cutout("c/e/h/1/0:2/0:1/0:1", "u8", (2,)).tolist() == [0, 5]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_downsampled_images_interpolate_in_the_plane_and_skip_slices(
    server: BossServer, owner: Raw, dtype: str
) -> None:
    ramp = np.broadcast_to(np.arange(10, 50, dtype=dtype), (6, 12, 40)).copy()
    ramp[1::2] = 0
    server.store.add_channel("c", "e", "h", ramp, num_hierarchy_levels=2, hierarchy_method="isotropic")
    owner.ask("POST", "downsample/c/e/h")
    assert downsampled(owner, "c/e/h") == "DOWNSAMPLED"
    smaller = owner.cutout("c/e/h/1/0:20/0:6/0:3", dtype, (3, 6, 20))
    inner = smaller[:, 1:-1, 1:-1].astype(int)
    assert np.abs(inner - np.arange(12, 48, 2) - 0.5).max() <= 1


def test_downsampling_can_be_held_cancelled_and_fail(server: BossServer, owner: Raw) -> None:
    server.store.add_channel("c", "e", "h", np.ones((2, 2, 2), "u8"), num_hierarchy_levels=2, type="image")
    assert owner.refusal("DELETE", "downsample/c/e/h") == (409, 2006)
    server.state.downsampling.clear()
    owner.ask("POST", "downsample/c/e/h")
    assert owner.get("downsample/c/e/h").json()["status"] == "QUEUED"
    assert owner.refusal("POST", "downsample/c/e/h") == (409, 2006)
    assert owner.ask("DELETE", "downsample/c/e/h").status_code == 204
    assert owner.get("downsample/c/e/h").json()["status"] == "NOT_DOWNSAMPLED"
    server.state.downsampling.set()
    owner.ask("POST", "downsample/c/e/h")
    assert downsampled(owner, "c/e/h") == "FAILED"  # no image of uint64 can be interpolated
