"""A user of one remote asks for another's in every dialect of the gateway, over real sockets."""

import json
import logging

import httpx
import pytest

from support.guarded import ABSENT, MINE, OPEN, THEIRS, guarded_suite
from voxgate_gateway.rest.routes import AREAS

REST = {operation.path: operation for area in AREAS for operation in area.operations if "{volume}" in operation.path}
PARTS = {"segment": "5", "format": "ply"}
ASKED = {
    "cutout": "x=0:8&y=1000:1008&z=30:34",
    "slice": "plane=xy&x=0:8&y=1000:1008&z=30",
    "segments": "x=0:8&y=1000:1008&z=30:34",
    "segments/at": "points=0,1000,30",
}
ADDRESSES = (
    *("/ng/{name}/-/info", "/ng/{name}/-/4_4_40/0-32_1000-1016_30-38", "/ng/{name}/-/provenance"),
    *("/ng/{name}/-/mesh/info", "/ng/{name}/-/mesh/5:0", "/ng/{name}/-/skeletons/5"),
    *("/ng/{name}/-/segment_properties/info", "/zarr/{name}/-/zarr.json", "/zarr/{name}/-/0/c/0/0/0"),
    *("/zarr2/{name}/-/.zattrs", "/zarr2/{name}/-/0/.zarray", "/zarr2/{name}/-/0/0/0/0", "/preview/{name}"),
)
BOSS = (
    *("collection/{c}", "collection/{c}/experiment/{e}", "collection/{c}/experiment/{e}/channel/{h}"),
    *("cutout/{c}/{e}/{h}/0/0:8/1000:1008/30:34", "image/{c}/{e}/{h}/xy/0/0:8/1000:1008/30"),
    *("tile/{c}/{e}/{h}/xy/512/0/0/0/30", "ids/{c}/{e}/{h}/0/0:8/1000:1008/30:34", "boundingbox/{c}/{e}/{h}/0/5"),
    *("reserve/{c}/{e}/{h}/5", "downsample/{c}/{e}/{h}", "meta/{c}/{e}/{h}?key=k"),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with guarded_suite(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="module")
def ask(guarded):
    """The answer to somebody, by their name and the address."""
    with httpx.Client(base_url=guarded.url, timeout=60) as http:

        def asked(who, address, method="GET", scheme="Bearer", **more):
            headers = {"authorization": f"{scheme} {guarded.tokens[who]}"} if who else {}
            return http.request(method, address, headers=headers, **more)

        yield asked


def rest_address(path, name):
    filled = path.format(volume=name, **PARTS)
    asked = ASKED.get(path.partition("/-/")[2], "")
    return f"/api/v1{filled}?{asked}"


def boss_address(pattern, name):
    c, e, h = name.split("/")
    return f"/v1/{pattern.format(c=c, e=e, h=h)}"


def every_address(name):
    yield from (address.format(name=name) for address in ADDRESSES)
    yield from (rest_address(path, name) for path in REST)


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("eve", 403), ("", 401)])
def test_anothers_volume_is_refused_in_every_dialect_alike_whether_it_exists_or_not(ask, who, status):
    asked = zip(every_address(THEIRS), every_address(ABSENT), strict=True)
    for there, absent in asked:
        one, other = ask(who, there), ask(who, absent)
        assert (one.status_code, other.status_code) == (status, status), there
        assert one.headers["content-type"] == other.headers["content-type"]
        assert one.json().keys() == other.json().keys()
        assert one.headers.get("www-authenticate") == ('Bearer realm="voxgate"' if status == 401 else None)
        assert one.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("who", ["ada", "eve", ""])
def test_bossdb_says_of_what_one_may_not_see_what_it_says_of_what_is_not_there(ask, who):
    for pattern in BOSS[2:]:
        there, absent = (ask(who, boss_address(pattern, name)) for name in (THEIRS, ABSENT))
        assert there.status_code in (401, 403, 404), pattern
        told = (there.status_code, there.json()["code"], there.json()["message"].replace(THEIRS, ABSENT))
        assert told == (absent.status_code, absent.json()["code"], absent.json()["message"]), pattern


def test_who_may_is_served_in_every_dialect(ask):
    for address in ("/ng/{name}/-/info", "/zarr/{name}/-/zarr.json", "/zarr2/{name}/-/.zattrs", "/preview/{name}"):
        assert ask("bob", address.format(name=THEIRS)).status_code == 200, address
    for scheme in ("Bearer", "Token"):
        assert ask("bob", boss_address(BOSS[3], THEIRS), scheme=scheme).status_code == 200
        assert ask("bob", rest_address("/volumes/{volume}/-/cutout", THEIRS), scheme=scheme).status_code == 200


def test_a_call_from_a_browser_is_refused_as_any_other(ask):
    for who, status in (("ada", 403), ("", 401), ("bob", 200)):
        told = ask(who, "/voxgate.v1.VolumeService/GetVolume", "POST", json={"volume": THEIRS})
        assert told.status_code == status


def test_lists_and_pages_show_what_their_reader_may_see(ask):
    def seen(who):
        volumes = {each["name"] for each in ask(who, "/api/v1/volumes").json()["entries"]}
        return volumes, "theirs" in ask(who, "/").text, set(ask(who, "/v1/collection/").json()["collections"])

    assert seen("bob") == ({"theirs", "open"}, True, {"theirs", "open"})
    assert seen("ada") == ({"mine", "open"}, False, {"mine", "open"})
    assert seen("") == ({"open"}, False, {"open"})


def test_what_one_may_read_is_answered_to_nobody_else_from_memory(ask):
    addresses = [each for each in every_address(MINE) if "mesh" in each or "info" in each or "zarr" in each]
    first = {address: ask("ada", address).status_code for address in addresses}
    assert 200 in first.values()
    for address in addresses:
        assert ask("bob", address).status_code == 403, address
        assert ask("", address).status_code == 401, address


def test_no_cache_in_between_keeps_what_somebody_proved_for(ask):
    answer = ask("ada", f"/ng/{MINE}/-/info")
    assert "authorization" in answer.headers["vary"].lower()
    assert "public" not in answer.headers["cache-control"]
    assert "authorization" not in ask("", f"/ng/{OPEN}/-/info").headers.get("vary", "").lower()


def test_etags_of_what_one_may_not_read_are_not_confirmed(guarded, ask):
    known = ask("ada", f"/ng/{MINE}/-/info").headers["etag"]
    headers = {"if-none-match": known, **dict(guarded.metadata("bob"))}
    assert httpx.get(f"{guarded.url}/ng/{MINE}/-/info", headers=headers).status_code == 403


def test_tokens_are_in_no_line_of_any_log(guarded, ask, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = f"vxg_0123456789ab_{'s3cret' * 7}"
    with httpx.Client(base_url=guarded.url) as http:
        for token in (wrong, guarded.tokens["ada"]):
            told = http.get(f"/ng/{THEIRS}/-/info", headers={"authorization": f"Bearer {token}"})
            assert told.status_code in (401, 403)
            assert token not in json.dumps(dict(told.headers)) + told.text
    assert "call refused" in caplog.text
    said = caplog.text + "".join(path.read_text() for path in guarded.folder.glob("*.*"))
    for token in (wrong, *guarded.tokens.values()):
        assert token.split("_", 2)[2] not in said
