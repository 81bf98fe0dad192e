"""Objects, key-values and levels in the BossDB dialect: a BossDB and the gateway before it answer the same."""

from __future__ import annotations

import numpy as np
import pytest

from support.boss_dialect import NPYGZ, of_npygz
from support.boss_gateways import boss_gateway, told_by
from support.bossdb import bossdb_server
from support.bossdb.raw import Raw
from support.servers import SAMPLES
from voxgate_remotes.config import RemoteConfig

START = (500, 20, 9)
LABEL, OTHER = 2**53 + 1, 2**63 + 7
BOX = "0/501:530/22:40/10:23"


def labels():
    voxels = np.zeros((17, 22, 37), np.uint64)
    voxels[2:9, 5:20, 4:30] = LABEL
    voxels[9:, 1:3, :20] = OTHER
    return voxels


@pytest.fixture(scope="module")
def server():
    with bossdb_server() as running:
        image = np.random.default_rng(1).integers(1, 255, (17, 22, 37), np.uint8)
        running.store.add_channel("c", "e", "seg", labels(), start=START, voxel_size=(4, 5, 40.5))
        running.store.add_channel("c", "e", "em", image)
        coarse = image[:, ::2, ::2]
        running.store.add_channel("c", "zero", "em", image, levels=[coarse], voxel_size=(5, 5, 30))
        running.store.add_channel("c", "zero", "seg", labels())
        running.store.add_channel("c", "zero", "deep", labels(), levels=[labels()[:, ::2, ::2]])
        running.store.collections["c"].metadata.update({"licence": "CC0", "ü b&c": "x y&z=1"})
        running.store.channel("c", "zero", "seg").metadata["by"] = "us"
        yield running


@pytest.fixture(scope="module")
def gateway(server):
    with boss_gateway(server, {"samples": RemoteConfig(uri=SAMPLES.as_uri())}) as running:
        yield running


@pytest.fixture(scope="module")
def ours(gateway):
    return gateway.raw


@pytest.fixture(scope="module")
def theirs(server):
    return Raw(server, server.token)


@pytest.mark.parametrize(
    "path",
    [
        f"ids/c/e/seg/{BOX}",
        f"ids/c/e/seg/{BOX}/0:1/",
        "ids/c/e/seg/0/500:502/20:22/9:11",
        f"ids/c/e/em/{BOX}",
        "ids/c/e/seg/0/499:530/22:40/10:23",
        "ids/c/e/seg/0/530:501/22:40/10:23",
        "ids/c/e/seg/7/501:530/22:40/10:23",
        f"ids/c/e/seg/{BOX}/0:5/",
        f"ids/c/e/none/{BOX}",
        f"ids/c/none/seg/{BOX}",
        f"ids/none/e/seg/{BOX}",
        f"boundingbox/c/e/seg/0/{LABEL}/",
        f"boundingbox/c/e/seg/0/{LABEL}/?type=tight",
        f"boundingbox/c/e/seg/0/{OTHER}/?type=tight",
        f"boundingbox/c/e/seg/0/{OTHER}?type=loose",
        f"boundingbox/c/e/seg/0/{LABEL}/?type=round",
        f"boundingbox/c/e/seg/5/{LABEL}/",
        "boundingbox/c/e/seg/0/12345/?type=tight",
        "boundingbox/c/e/seg/0/0/",
        f"boundingbox/c/e/seg/0/{2**64}/",
        f"boundingbox/c/e/em/0/{LABEL}/",
        f"boundingbox/c/e/none/0/{LABEL}/",
        f"boundingbox/c/zero/deep/1/{LABEL}/?type=tight",
        f"boundingbox/c/zero/deep/1/{OTHER}/",
        "boundingbox/c/zero/deep/1/12345/?type=tight",
        "ids/c/zero/deep/1/1:10/2:9/3:12",
        "ids/c/zero/deep/1/20:37/2:9/3:12",
        "downsample/c/zero/deep",
        "reserve/c/e/none/3",
        "downsample/c/zero/em",
        "downsample/c/zero/em/",
        "downsample/c/zero/none",
        "meta/c",
        "meta/c/",
        "meta/c/zero",
        "meta/c/zero/seg/",
        "meta/c?key=licence",
        "meta/c/?key=%C3%BC%20b%26c",
        "meta/c/zero/seg?key=by",
        "meta/c?key=none",
        "meta/none",
        "meta/c/none",
        "meta/c/zero/none",
        "meta/none/zero/seg?key=by",
    ],
)
def test_a_question_is_answered_as_a_bossdb_answers_it(ours, theirs, path):
    expected = told_by(theirs.get(path))
    found = told_by(ours.get(path))
    if expected[0] == 200 and "keys" in expected[1]:
        expected[1]["keys"].sort()
    assert found == expected


def test_ids_and_boxes_are_exact(ours):
    assert ours.get(f"ids/c/e/seg/{BOX}").json() == {"ids": [str(LABEL), str(OTHER)]}
    box = ours.get(f"boundingbox/c/e/seg/0/{LABEL}/?type=tight").json()
    assert box == {"x_range": [504, 530], "y_range": [25, 40], "z_range": [11, 18], "t_range": [0, 1]}


def test_a_store_without_an_index_answers_from_its_voxels(ours):
    told = ours.get("boundingbox/samples/fib25/seg/0/2491/?type=tight")
    assert told.status_code == 200
    spans = {axis: told.json()[f"{axis}_range"] for axis in "xyz"}
    box = "/".join(f"{start}:{stop}" for start, stop in spans.values())
    assert "2491" in ours.get(f"ids/samples/fib25/seg/0/{box}").json()["ids"]
    loose = ours.get("boundingbox/samples/fib25/seg/0/2491/").json()
    for axis, edge in zip("xyz", (512, 512, 16), strict=True):
        start, stop = loose[f"{axis}_range"]
        assert start % edge == stop % edge == 0
        assert start <= spans[axis][0] < start + edge
        assert stop - edge < spans[axis][1] <= stop


def test_a_key_is_made_once_changed_and_removed_with_the_answers_of_a_bossdb(ours, theirs):
    for path in ("meta/c", "meta/c/zero", "meta/c/zero/em"):
        for name, asked in (("ours", ours), ("theirs", theirs)):
            at = f"{path}?key={name}"
            steps = [
                ("PUT", f"{at}&value=early", 400),
                ("DELETE", at, 400),
                ("POST", at, 400),
                ("POST", f"{at}&value=a%20%26b", 201),
                ("POST", f"{at}&value=again", 400),
                ("GET", at, 200),
                ("PUT", f"{at}&value=%C3%BC", 200),
                ("GET", at, 200),
                ("DELETE", at, 204),
                ("DELETE", at, 400),
                ("GET", at, 400),
                ("POST", path, 400),
                ("PUT", f"{path}?value=x", 400),
                ("DELETE", path, 400),
            ]
            replies = [asked.ask(method, address) for method, address, _ in steps]
            assert [reply.status_code for reply in replies] == [status for _, _, status in steps]
            assert [reply.json()["code"] for reply in replies if reply.status_code == 400] == [1003] * 9
            assert [reply.json()["value"] for reply in replies if reply.status_code == 200 and reply.content] == [
                "a &b",
                "ü",
            ]
            assert all(not reply.content for reply in replies if reply.status_code in (201, 204))


def test_a_store_without_key_values_has_no_key_and_takes_none(ours):
    for path in ("meta/samples", "meta/samples/fib25", "meta/samples/fib25/seg"):
        assert told_by(ours.get(path)) == (200, {"keys": []})
        assert ours.refusal("GET", f"{path}?key=k") == (400, 1003)
        assert ours.refusal("POST", f"{path}?key=k&value=v") == (403, 3001)
        assert ours.refusal("PUT", f"{path}?key=k&value=v") == (400, 1003)
        assert ours.refusal("DELETE", f"{path}?key=k") == (400, 1003)


def test_what_is_made_and_has_no_volume_yet_has_no_key(ours):
    made = "collection/early"
    assert ours.ask("POST", made, {"description": ""}).status_code == 201
    assert told_by(ours.get("meta/early")) == (200, {"keys": []})
    assert ours.refusal("POST", "meta/early?key=k&value=v") == (403, 3001)
    assert ours.ask("DELETE", made).status_code == 204
    assert ours.refusal("GET", "meta/early") == (404, 4000)


def test_reserved_ids_are_nobody_elses(ours, theirs):
    first = ours.get("reserve/c/e/seg/10").json()
    second = theirs.get("reserve/c/e/seg/3").json()
    third = ours.get("reserve/c/e/seg/1/").json()
    assert (first["count"], second["count"], third["count"]) == ("10", "3", "1")
    assert second["start_id"] == first["start_id"] + 10
    assert third["start_id"] == second["start_id"] + 3


@pytest.mark.parametrize(
    ("method", "path", "headers", "refused"),
    [
        ("GET", "reserve/c/e/seg/0", {}, (400, 1002)),
        ("GET", f"reserve/c/e/seg/{2**64}", {}, (400, 1002)),
        ("GET", "reserve/c/e/em/3", {}, (400, 2003)),
        ("GET", "reserve/samples/fib25/seg/3", {}, (403, 3001)),
        ("GET", "reserve/c/e/seg/3", {"Sec-Fetch-Site": "cross-site"}, (403, 3001)),
        ("GET", "reserve/c/e/seg/3", {"Origin": "http://elsewhere.invalid"}, (403, 3001)),
        ("POST", "meta/c?key=k&value=v", {"Origin": "http://elsewhere.invalid"}, (403, 3001)),
        ("DELETE", "meta/c?key=licence", {"Sec-Fetch-Site": "same-site"}, (403, 3001)),
        ("GET", "reserve/c/e/seg/3", {"Authorization": "Token public"}, (403, 3001)),
        ("PUT", "meta/c?key=licence&value=v", {"Authorization": "Token public"}, (403, 3001)),
        ("POST", "downsample/c/zero/em", {"Authorization": "Token public"}, (403, 3001)),
        ("POST", "reserve/c/e/seg/3", {}, (405, 1006)),
        ("PATCH", "meta/c", {}, (405, 1006)),
        ("GET", "meta/c%0A", {}, (404, 1000)),
        ("GET", "meta/c%3Fkey=licence", {}, (404, 1000)),
    ],
)
def test_what_may_not_be_is_refused_in_the_dialects_words(ours, server, method, path, headers, refused):
    first = server.store.channel("c", "e", "seg").next_id
    assert told_by(ours.ask(method, path, headers=headers)) == refused
    assert server.store.channel("c", "e", "seg").next_id == first
    assert "licence" in server.store.collections["c"].metadata


def test_a_head_reserves_nothing(ours, server):
    first = server.store.channel("c", "e", "seg").next_id
    assert ours.ask("HEAD", "reserve/c/e/seg/3").status_code == 405
    assert server.store.channel("c", "e", "seg").next_id == first


def test_a_readonly_store_reserves_and_keeps_nothing(server):
    with boss_gateway(server, writable=False) as running:
        assert running.raw.refusal("GET", "reserve/c/e/seg/3") == (403, 3001)
        assert running.raw.refusal("POST", "meta/c?key=k&value=v") == (403, 3001)
        assert running.raw.refusal("POST", "downsample/c/zero/seg") == (403, 3001)
    assert "k" not in server.store.collections["c"].metadata


def test_answers_are_known_again_by_their_tag(ours):
    for path in (f"ids/c/e/seg/{BOX}", f"boundingbox/c/e/seg/0/{LABEL}/", "downsample/c/zero/em", "meta/c"):
        reply = ours.get(path)
        again = ours.get(path, {"If-None-Match": reply.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = ours.ask("HEAD", path, headers={"Accept-Encoding": "identity"})
        assert head.headers["Content-Length"] == str(len(reply.content))


def test_levels_are_those_that_can_be_read(ours, theirs):
    # A BossDB tells the resolutions that it would compute, too.
    assert theirs.get("downsample/c/zero/seg").json()["num_hierarchy_levels"] == 2
    told = ours.get("downsample/c/zero/seg").json()
    assert (told["status"], list(told["extent"])) == ("NOT_DOWNSAMPLED", ["0"])
    assert ours.refusal("GET", "ids/c/zero/seg/1/1:3/2:4/5:6") == (400, 1002)


def test_a_store_that_computes_levels_is_asked_to_and_any_other_is_not(server, ours):
    server.store.add_channel("c", "levels", "em", np.full((5, 40, 30), 7, np.uint8), num_hierarchy_levels=2)
    server.state.downsampling.clear()
    try:
        assert ours.refusal("DELETE", "downsample/c/levels/em") == (409, 2006)
        assert ours.ask("POST", "downsample/c/levels/em").status_code == 201
        assert ours.get("downsample/c/levels/em").json()["status"] == "QUEUED"
        assert ours.refusal("POST", "downsample/c/levels/em") == (409, 2006)
        assert ours.refusal("DELETE", "downsample/c/levels/em") == (403, 3001)
    finally:
        server.state.downsampling.set()
    assert ours.refusal("POST", "downsample/c/zero/em") == (409, 2006)
    told = ours.get("downsample/samples/fib25/em").json()
    assert told["status"] == ("DOWNSAMPLED" if told["num_hierarchy_levels"] > 1 else "NOT_DOWNSAMPLED")
    assert ours.refusal("DELETE", "downsample/samples/fib25/em") == (409, 2006)


def test_a_backend_that_is_gone_is_an_honest_503(server):
    with boss_gateway(server) as running:
        assert running.raw.get(f"ids/c/e/seg/{BOX}").status_code == 200
        server.fail_next(503, times=100, containing="/ids/")
        try:
            reply = running.raw.get(f"ids/c/e/seg/{BOX}")
        finally:
            server.clear_faults()
    assert (reply.status_code, reply.json()["status"]) == (503, 503)
    assert int(reply.headers["Retry-After"]) >= 1


def test_latest_tells_frames_from_voxel_zero_on_and_v1_as_they_are(ours):
    frame = ours.get("collection/c/experiment/e").json()["coord_frame"]
    latest = f"{ours.root}/latest"
    told = {"v1": ours.get(f"coord/{frame}").json(), "latest": ours.session.get(f"{latest}/coord/{frame}/").json()}
    starts = {each: [document[f"{axis}_start"] for axis in "xyz"] for each, document in told.items()}
    assert starts == {"v1": list(START), "latest": [0, 0, 0]}
    assert told["latest"] == told["v1"] | {f"{axis}_start": 0 for axis in "xyz"}
    # Voxels lie where they lie, and before them is nothing.
    box = "0/498:506/18:27/8:13"
    assert ours.refusal("GET", f"cutout/c/e/seg/{box}") == (400, 1001)
    reply = ours.session.get(f"{latest}/cutout/c/e/seg/{box}/", headers={"Accept": NPYGZ})
    expected = np.zeros((5, 9, 8), np.uint64)
    expected[1:, 2:, 2:] = labels()[:4, :7, :6]
    np.testing.assert_array_equal(of_npygz(reply), expected)
    assert expected.any()
    assert ours.session.get(f"{latest}/cutout/c/e/seg/0/-1:506/18:27/8:13/").json()["code"] == 1001
