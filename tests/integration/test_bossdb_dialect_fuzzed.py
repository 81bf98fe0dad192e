"""Addresses, headers and bodies of the BossDB dialect that nobody meant: an honest status, in the dialect's words."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.boss_gateways import boss_gateway
from support.bossdb import bossdb_server
from support.bossdb.raw import packed
from support.plain_http import request_of, said, status_of
from support.servers import SAMPLES
from voxgate_remotes.config import RemoteConfig

VOXELS = np.zeros((7, 11, 13), np.uint64)
VOXELS[2:5, 3:9, 4:12] = 2**63 + 7
CHANNELS = ["c/e/seg", "c/e/em"] * 4 + [
    "samples/fib25/seg",
    "samples/fib25/em",
    "c/e/none",
    "c/none/em",
    "none/e/em",
    "c/e",
]
CHANNELS += ["_/_/_", "c/_/_", "samples/fib25/em__ch0", "samples/fib25/seg__v1", "c/e/__2F", "c/e__xem/em", "c/e/em/em"]
NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "1", "7", "12", "00", "-1", str(2**31), str(2**63), str(2**64), "9" * 60, "1.5", "", "x", "%D9%A1"]
    ),
    st.integers(-3, 20).map(str),
)
RANGES = st.one_of(st.tuples(NUMBERS, NUMBERS).map(":".join), NUMBERS, st.sampled_from([":", "0:4:2", "4:", "2:9"]))
SERVICES = ["collection", "coord", "cutout", "cutout/to_black", "ids", "boundingbox", "reserve", "meta", "downsample"]
SERVICES += ["image", "tile", "groups", "permissions", "sso", "ingest", "none", ""]
PIECES = st.one_of(
    RANGES,
    st.sampled_from(
        [*CHANNELS, "xy", "xz", "yz", "zz", "experiment", "channel", "0:1", "..", "%2F", "%00", "%ff", "-"]
    ),
    st.text(max_size=8).map(lambda text: quote(text, safe="")),
)
GOOD = ["0/1:9/2:8/1:6", "0/1:9/2:8/3", "0/1:9/2/1:6", "0/3/2:8/1:6"]
BOXES = st.sampled_from(GOOD) | st.tuples(st.sampled_from([*"0129x"]), RANGES, RANGES, RANGES).map("/".join)
TAILS = {
    "ids": BOXES,
    "cutout": BOXES,
    "cutout/to_black": BOXES,
    "boundingbox": st.tuples(st.sampled_from([*"0001x"]), NUMBERS | st.just(str(2**63 + 7))).map("/".join),
    "reserve": NUMBERS,
    "meta": st.just(""),
    "downsample": st.just(""),
    "image": st.tuples(st.sampled_from(["xy", "xz", "yz", "zz"]), BOXES).map("/".join),
    "tile": st.tuples(st.sampled_from(["xy", "yz"]), NUMBERS, st.just("0"), NUMBERS, NUMBERS, NUMBERS).map("/".join),
}
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["key", "value", "type", "filter", "access-mode", "no-cache", "iso", "public", "window"]),
        st.one_of(
            st.sampled_from(["", "k", "loose", "tight", "1,2", "x", "true", "raw", str(2**64), "9" * 300, "\x00", "ü"]),
            st.text(max_size=10),
        ),
    ),
    max_size=3,
)
PLAIN = string.ascii_letters + string.digits + string.punctuation + " "
MEDIA = [
    "application/blosc",
    "application/npygz",
    "application/blosc-python",
    "image/jpeg",
    "image/*",
    "*/*",
    "",
    "a/b",
]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "content-type", "authorization", "origin", "range", "if-none-match"]),
        st.one_of(
            st.sampled_from([*MEDIA, "Token public", "Token", "http://x", "bytes=0-3", "*"]),
            st.text(PLAIN, max_size=12),
        ),
    ),
    max_size=3,
)
BODIES = st.one_of(
    st.sampled_from([b"", b"{}", b"[]", b"{", b"\x02\x01", packed(VOXELS), packed(VOXELS)[:-3], b'{"name":7}']),
    st.binary(max_size=40),
)


@dataclass(frozen=True)
class Rest:
    """What a request has beside its path."""

    method: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes


RESTS = st.builds(
    Rest, st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]), QUERIES, HEADERS, BODIES
)


@pytest.fixture(scope="module")
def port():
    with bossdb_server() as server:
        server.store.add_channel("c", "e", "seg", VOXELS, voxel_size=(4, 4, 40))
        server.store.add_channel("c", "e", "em", VOXELS.astype(np.uint8))
        with boss_gateway(server, {"samples": RemoteConfig(uri=SAMPLES.as_uri())}) as running:
            yield int(running.address.rpartition(":")[2])


def check(port: int, path: list[str], rest: Rest) -> None:
    """Ask for a path below either version, and look at the answer."""
    told = "&".join(f"{name}={quote(text, safe='')}" for name, text in rest.query)
    version = "v1" if len(path) % 2 else "latest"
    target = f"/{version}/{quote('/'.join(path), safe='/:%')}{'?' if told else ''}{told}"
    answer = said(port, request_of(target, rest.headers, rest.method, rest.body))
    status = status_of(answer)
    assert status < 500 or status == 503, answer[:600]
    assert b"Traceback" not in answer
    if status >= 400 and rest.method != "HEAD":
        refusal = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert refusal["status"] == status
        assert isinstance(refusal["code"], int)
        assert refusal["message"]


RULES = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RULES
@given(data=st.data(), service=st.sampled_from(sorted(TAILS)), channel=st.sampled_from(CHANNELS), rest=RESTS)
def test_an_address_of_the_right_form_is_answered_or_refused(port, data, service, channel, rest):
    extra = data.draw(st.sampled_from([[], [], [], [], ["0:1"], ["0"], ["1:0"], [""], ["x"]]))
    check(port, [service, channel, data.draw(TAILS[service]), *extra], rest)


@RULES
@given(path=st.tuples(st.sampled_from(SERVICES), st.lists(PIECES, max_size=7)), rest=RESTS)
def test_an_address_of_any_form_is_answered_or_refused(port, path, rest):
    check(port, [path[0], *path[1]], rest)
