"""The BossDB dialect: what is bounded, who may write, and voxels that BossDB has no type for."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests

from support.boss_dialect import NPYGZ, in_npygz, of_npygz, ranges
from support.boss_gateways import BossGateway, told_by
from support.bossdb.raw import BLOSC, packed
from support.servers import SAMPLES, settings
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Channel, ScaleSpec, VolumeKind, VolumeSpec, Writable
from voxgate_gateway.settings import BossSettings, GatewaySettings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_standalone.suite import start_suite

BOUNDS = Box.at(Vec3(-7, 100, 21), Vec3(45, 38, 29))
PART = Box.of(x=(-3, 20), y=(103, 121), z=(22, 35))
SMALL = BossSettings(max_cutout_bytes=1 << 20, memory_bytes=1 << 20)
VOXELS = {
    "ids": np.arange(29 * 38 * 45, dtype=np.uint32).reshape(1, 29, 38, 45) + np.uint32(2**32 - 10**6),
    "two": np.random.default_rng(3).integers(0, 2**16, (2, 29, 38, 45), np.uint16),
    "real": np.ones((1, 29, 38, 45), np.float32),
    "em": np.random.default_rng(4).integers(0, 255, (1, 29, 38, 45), np.uint8),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Volumes in files: a scale each, at a place that begins below zero in x; and a large one that nobody filled."""
    made = tmp_path_factory.mktemp("made")
    registry = Registry.from_config(RemotesConfig(remotes={"made": RemoteConfig(uri=made.as_uri(), writable=True)}))
    for name, voxels in VOXELS.items():
        kind = VolumeKind.SEGMENTATION if name == "ids" else VolumeKind.IMAGE
        channels = tuple(Channel(str(i)) for i in range(voxels.shape[0])) if len(voxels) > 1 else ()
        scale = ScaleSpec(BOUNDS, VoxelSize(4, 4, 40), Vec3(16, 8, 8))
        spec = VolumeSpec(voxels.dtype, kind, (scale,), channels)
        registry.create(f"made/{name}", spec).capability(Writable).write(BOUNDS, voxels)
    spec = VolumeSpec(np.dtype("uint64"), VolumeKind.SEGMENTATION, (ScaleSpec(BOUNDS, VoxelSize(4, 4, 40)),))
    registry.create("made/merged", spec)
    large = ScaleSpec(Box.at(Vec3(0, 0, 0), Vec3(4096, 4096, 64)), VoxelSize(4, 4, 40))
    registry.create("made/far/large", VolumeSpec(np.dtype("uint8"), VolumeKind.IMAGE, (large,)))
    return made


@pytest.fixture(scope="module")
def gateway(folder):
    remotes = {
        "made": RemoteConfig(uri=folder.as_uri(), writable=True),
        "samples": RemoteConfig(uri=SAMPLES.as_uri()),
    }
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=GatewaySettings(bossdb=SMALL))
    yield BossGateway(suite.gateway.url.removeprefix("http://"))
    suite.stop(1.0)


@pytest.fixture
def ours(gateway):
    return gateway.raw


def read(ours, name, box=PART):
    return of_npygz(ours.get(f"cutout/made/_/{name}/0/{ranges(box)}", {"Accept": NPYGZ}))


def inside(name, box=PART, channel=0):
    return VOXELS[name][channel][box.slices_zyx(BOUNDS.start)]


def test_voxels_below_zero_are_read_where_they_are(ours):
    np.testing.assert_array_equal(read(ours, "em"), inside("em"))
    np.testing.assert_array_equal(read(ours, "em", BOUNDS), VOXELS["em"][0])
    frame = ours.get("coord/made__2F__5F").json()
    assert [frame[f"{axis}_{end}"] for axis in "xyz" for end in ("start", "stop")] == [-7, 38, 100, 138, 21, 50]


def test_ids_of_32_bits_travel_as_64_and_those_that_do_not_fit_are_refused(ours):
    assert ours.get("collection/made/experiment/_/channel/ids").json()["datatype"] == "uint64"
    np.testing.assert_array_equal(read(ours, "ids"), inside("ids").astype(np.uint64))
    one = Box.at(PART.start, Vec3(1, 1, 1))
    path = f"made/_/ids/0/{ranges(one)}"
    refused = ours.write(path, np.full((1, 1, 1), 2**32, np.uint64))
    assert told_by(refused) == (400, 2001)
    assert told_by(ours.write(path, np.full((1, 1, 1), 5, np.uint32))) == (400, 2002)
    assert read(ours, "ids", one)[0, 0, 0] == inside("ids", one)[0, 0, 0]
    assert ours.write(path, np.full((1, 1, 1), 2**32 - 1, np.uint64)).status_code == 201
    assert read(ours, "ids", one)[0, 0, 0] == 2**32 - 1
    assert ours.write(path, inside("ids", one).astype(np.uint64)).status_code == 201


def test_voxels_that_bossdb_has_no_type_for_are_refused_and_not_listed(ours):
    for path in (f"cutout/made/_/real/0/{ranges(PART)}", "collection/made/experiment/_/channel/real"):
        assert told_by(ours.get(path)) == (400, 2003)
    assert ours.get("collection/made/experiment/_/channel/").json() == {
        "channels": ["em", "ids", "merged", "two__ch0", "two__ch1"]
    }


def test_each_of_several_channels_is_read_and_written_without_the_others(ours):
    assert told_by(ours.get("collection/made/experiment/_/channel/two")) == (404, 4000)
    assert told_by(ours.get("collection/made/experiment/_/channel/two__ch2")) == (404, 4000)
    assert told_by(ours.get("collection/made/experiment/_/channel/em__ch0")) == (404, 4000)
    for channel in (0, 1):
        np.testing.assert_array_equal(read(ours, f"two__ch{channel}"), inside("two", channel=channel))
    told = ours.write(f"made/_/two__ch1/0/{ranges(PART)}", np.full(PART.shape.zyx, 7, np.uint16))
    assert told.status_code == 201
    np.testing.assert_array_equal(read(ours, "two__ch0"), inside("two"))
    assert (read(ours, "two__ch1") == 7).all()
    outside = Box.of(x=(-7, -3), y=(100, 138), z=(21, 50))
    np.testing.assert_array_equal(read(ours, "two__ch1", outside), inside("two", outside, 1))


def test_a_cutout_that_is_too_large_is_refused_before_anything_is_read(ours):
    path = "cutout/made/far/large/0/0:2048/0:1024/0:1"
    assert told_by(ours.get(path)) == (413, 2000)
    assert told_by(ours.ask("POST", path, b"", BLOSC)) == (413, 2000)
    assert told_by(ours.ask("PUT", path.replace("cutout/", "cutout/to_black/"), b"")) == (413, 2000)


def test_more_than_the_memory_is_read_one_after_the_other(gateway):
    addresses = [f"cutout/made/far/large/0/0:1024/0:1024/{z}:{z + 1}" for z in range(4)]
    raws = [gateway.raw for _ in addresses]
    sessions = [
        raw.session.get(f"{raw.root}/v1/{each}", stream=True) for raw, each in zip(raws, addresses, strict=True)
    ]
    assert [each.status_code for each in sessions] == [200] * 4
    assert all(each.content for each in sessions)


def test_uploads_of_the_same_box_at_the_same_time_lose_nothing_of_each_other(gateway, ours):
    address = f"made/_/merged/0/{ranges(PART)}"
    whole = np.arange(1, PART.voxel_count + 1, dtype=np.uint64).reshape(PART.shape.zyx)
    parts = [np.where(whole % 6 == rest, whole, 0) for rest in range(6)]
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda part: gateway.raw.write(address, part).status_code, parts))
    assert told == [201] * 6
    np.testing.assert_array_equal(read(ours, "merged"), whole)


def head(gateway, path, *headers):
    lines = [f"POST /v1/cutout/{path} HTTP/1.1", f"Host: {gateway.address}", "Content-Type: application/blosc"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def answer_to(gateway, sent):
    """What comes back for bytes that do not make a whole request; empty where the connection ends."""
    host, _, port = gateway.address.partition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received or not received.rstrip().endswith(b"}"):
            more = connection.recv(1 << 16)
            if not more:
                break
            received += more
    return received


def test_a_body_that_is_too_long_is_refused_by_its_length(gateway):
    sent = head(gateway, f"made/_/em/0/{ranges(PART)}", "Content-Length: 9000000")
    received = answer_to(gateway, sent)
    assert received.startswith(b"HTTP/1.1 413")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == 2000


def test_a_body_in_pieces_is_refused_once_it_is_too_long(gateway):
    piece = b"20000\r\n" + b"x" * 0x20000 + b"\r\n"
    sent = head(gateway, f"made/_/em/0/{ranges(PART)}", "Transfer-Encoding: chunked") + piece * 2
    received = answer_to(gateway, sent)
    assert received.startswith(b"HTTP/1.1 413")


def test_a_client_that_stops_halfway_writes_nothing(gateway, ours):
    body = packed(np.full(PART.shape.zyx, 9, np.uint8) - np.arange(PART.shape.x, dtype=np.uint8) % 5)
    sent = head(gateway, f"made/_/em/0/{ranges(PART)}", f"Content-Length: {len(body)}") + body[: len(body) // 2]
    host, _, port = gateway.address.partition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(sent)
    np.testing.assert_array_equal(read(ours, "em"), inside("em"))


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Authorization": "Token public"}, f"made/_/em/0/{ranges(PART)}"),
        ({"Sec-Fetch-Site": "cross-site"}, f"made/_/em/0/{ranges(PART)}"),
        ({"Origin": "https://elsewhere.invalid"}, f"made/_/em/0/{ranges(PART)}"),
        ({}, "samples/aniso/seg/0/-4:19/50:68/13:26"),
    ],
)
def test_who_may_not_write_is_refused(ours, headers, path):
    body = packed(np.ones(PART.shape.zyx, np.uint8))
    for method, address in (("POST", f"cutout/{path}"), ("PUT", f"cutout/to_black/{path}")):
        assert told_by(ours.ask(method, address, body, {**BLOSC, **headers})) == (403, 3001)
    np.testing.assert_array_equal(read(ours, "em"), inside("em"))


def test_methods_that_an_address_does_not_have_are_refused(ours):
    assert told_by(ours.ask("DELETE", f"cutout/made/_/em/0/{ranges(PART)}")) == (405, 1006)
    assert told_by(ours.ask("GET", f"cutout/to_black/made/_/em/0/{ranges(PART)}")) == (405, 1006)


def test_latest_is_version_1_and_older_ones_are_unsupported(gateway, ours):
    path = f"cutout/made/_/em/0/{ranges(PART)}"
    latest = requests.get(f"http://{gateway.address}/latest//{path}//", headers={"Accept": NPYGZ}, timeout=30)
    np.testing.assert_array_equal(of_npygz(latest), inside("em"))
    old = requests.get(f"http://{gateway.address}/v0.8/{path}", timeout=30)
    assert told_by(old) == (400, 9003)


def test_a_bomb_is_not_decompressed(ours):
    bomb = in_npygz(np.zeros((64, 512, 512), np.uint8))
    assert len(bomb) < 1 << 15
    reply = ours.ask("POST", f"cutout/made/_/em/0/{ranges(PART)}", bomb, {"Content-Type": NPYGZ})
    assert told_by(reply) == (400, 2002)
