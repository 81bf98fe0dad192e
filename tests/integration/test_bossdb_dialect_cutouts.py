"""Cutouts in the BossDB dialect: a BossDB and the gateway before it answer the same, and voxels are exact."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from support.boss_dialect import NPYGZ, in_npygz, of_npygz, ranges
from support.boss_gateways import boss_gateway, told_by
from support.bossdb import bossdb_server
from support.bossdb.raw import BLOSC, Raw, packed
from voxgate.model.geometry import Box, Vec3

START = (500, 20, 9)
SHAPE = (17, 22, 37)
FRAME = Box.at(Vec3(*START), Vec3.from_zyx(SHAPE))
LABEL, OTHER = 2**53 + 1, 2**63 + 7
BOX = "501:530/22:40/10:23"
ASKS_NPYGZ = {"Accept": NPYGZ}
EM = np.random.default_rng(1).integers(0, 255, SHAPE, np.uint8)
TIMED = np.random.default_rng(2).integers(0, 2**16, (3, 5, 6, 7), np.uint16)


def labels():
    voxels = np.zeros(SHAPE, np.uint64)
    voxels[2:9, 5:20, 4:30] = LABEL
    voxels[9:, 1:3, :20] = OTHER
    return voxels


@pytest.fixture(scope="module")
def server():
    with bossdb_server() as running:
        running.store.add_channel("c", "e", "seg", labels(), start=START, voxel_size=(4, 5, 40.5))
        running.store.add_channel("c", "e", "em", EM)
        running.store.add_channel("c", "e", "target", EM)
        running.store.add_channel("c", "zero", "em", EM, levels=[EM[:, ::2, ::2]], voxel_size=(5, 5, 30))
        running.store.add_channel("c", "timed", "em", TIMED, num_time_samples=3)
        yield running


@pytest.fixture(scope="module")
def ours(server):
    with boss_gateway(server) as gateway:
        yield gateway.raw


@pytest.fixture(scope="module")
def theirs(server):
    return Raw(server, server.token)


@pytest.mark.parametrize(
    "path",
    [
        f"c/e/em/0/{BOX}",
        f"c/e/em/0/{BOX}/",
        f"c/e/seg/0/{BOX}/?filter={LABEL}",
        f"c/e/seg/0/{BOX}/?filter={OTHER},{LABEL},12",
        f"c/e/em/0/{BOX}/0:1",
        "c/e/em/0/500:537/20:42/9:26",
        "c/zero/em/0/3:20/1:9/2:5/?access-mode=no-cache",
        "c/zero/em/1/3:18/1:9/2:5/?access-mode=raw",
        "c/zero/em/1/3:30/1:20/2:5/?no-cache=true",
        "c/timed/em/0/1:6/2:5/0:4/",
        "c/timed/em/0/1:6/2:5/0:4/1:3/",
        "c/timed/em/0/1:6/2:5/0:4/2:3",
    ],
)
def test_voxels_are_those_that_a_bossdb_answers(ours, theirs, path):
    expected = theirs.get(f"cutout/{path}", ASKS_NPYGZ)
    found = ours.get(f"cutout/{path}", ASKS_NPYGZ)
    voxels = of_npygz(found)
    assert voxels.dtype == of_npygz(expected).dtype
    np.testing.assert_array_equal(voxels, of_npygz(expected))


@pytest.mark.parametrize(
    "path",
    [
        "c/e/em/0/499:530/22:40/10:23",
        "c/e/em/0/501:538/22:40/10:23",
        "c/e/em/0/530:501/22:40/10:23",
        "c/e/em/0/501:501/22:40/10:23",
        f"c/e/em/1/{BOX}",
        f"c/e/em/0/{BOX}/?filter=3",
        f"c/e/seg/0/{BOX}/?filter=x",
        f"c/e/seg/0/{BOX}/?access-mode=fast",
        f"c/e/seg/0/{BOX}/?access-mode=raw&no-cache=true",
        f"c/e/seg/0/{BOX}/?no-cache=perhaps",
        f"c/e/none/0/{BOX}",
        f"c/none/em/0/{BOX}",
        f"none/e/em/0/{BOX}",
        "c/timed/em/0/1:6/2:5/0:4/2:5",
        "c/timed/em/0/1:6/2:5/0:4/2:2",
    ],
)
def test_what_cannot_be_is_refused_as_a_bossdb_refuses_it(ours, theirs, path):
    expected = told_by(theirs.get(f"cutout/{path}"))
    assert expected[0] in (400, 404)
    assert told_by(ours.get(f"cutout/{path}")) == expected


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("c/e/em/0/501:530/22:40", 404),
        ("c/e/em/x/501:530/22:40/10:23", 404),
        ("c/e/em/12/501:530/22:40/10:23", 404),
        ("c/e/em/0/501-530/22-40/10-23", 404),
        ("c/e/em/0/1:2:3/22:40/10:23", 404),
        (f"c/e/em/0/1:{'9' * 400}/22:40/10:23", 404),
        ("c/e/em/0/\u0663:\u0665/22:40/10:23", 404),
    ],
)
def test_an_address_that_is_none_is_refused_in_the_dialects_words(ours, path, status):
    assert told_by(ours.get(f"cutout/{path}")) == (status, 1000)


def test_what_is_accepted_is_answered(ours):
    plain = ours.get(f"cutout/c/e/em/0/{BOX}", {"Accept": "*/*"})
    assert plain.headers["Content-Type"] == "application/blosc"
    part = EM[1:14, 2:20, 1:30]
    np.testing.assert_array_equal(ours.cutout(f"c/e/em/0/{BOX}", "uint8", part.shape), part)
    assert ours.get(f"cutout/c/e/em/0/{BOX}", {"Accept": "text/html"}).status_code == 406
    assert ours.get(f"cutout/c/e/em/0/{BOX}", {"Accept": "application/blosc-python"}).status_code == 406


def test_a_jpeg_is_a_film_of_planes_as_a_bossdb_makes_it(ours, theirs):
    asks = {"Accept": "image/jpeg"}
    found, expected = (
        np.asarray(Image.open(io.BytesIO(asked.get(f"cutout/c/e/em/0/{BOX}", asks).content)), np.int16)
        for asked in (ours, theirs)
    )
    assert found.shape == expected.shape == (13 * 18, 29)
    assert np.abs(found - expected).max() < 30  # two encoders, one quality
    assert np.abs(found - EM[1:14, 2:20, 1:30].reshape(found.shape)).mean() < 12
    for path in (f"c/e/seg/0/{BOX}", f"c/e/em/0/{BOX}/0:1"):
        assert told_by(ours.get(f"cutout/{path}", asks)) == told_by(theirs.get(f"cutout/{path}", asks))


def spans(low, high):
    return st.tuples(st.integers(low, high - 1), st.integers(low + 1, high)).filter(lambda ends: ends[0] < ends[1])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_box_read_in_parts_is_the_box(ours, data):
    ends = [data.draw(spans(a, b)) for a, b in zip(FRAME.start, FRAME.stop, strict=True)]
    box = Box.of(*ends)
    axis = data.draw(st.sampled_from("xyz"))
    start, stop = getattr(box.start, axis), getattr(box.stop, axis)
    cut = data.draw(st.integers(start, stop))
    pieces = [{**dict(zip("xyz", ends, strict=True)), axis: each} for each in ((start, cut), (cut, stop))]
    parts = [Box.of(**piece) for piece in pieces if piece[axis][0] < piece[axis][1]]
    whole, *read = (of_npygz(ours.get(f"cutout/c/e/seg/0/{ranges(each)}", ASKS_NPYGZ)) for each in (box, *parts))
    np.testing.assert_array_equal(np.concatenate(read, "zyx".index(axis)), whole)
    np.testing.assert_array_equal(whole, labels()[box.slices_zyx(FRAME.start)])


def test_an_upload_merges_and_to_black_erases_as_in_a_bossdb(ours, server):
    expected = EM.copy()
    upload = np.where(np.arange(13 * 18 * 29).reshape(13, 18, 29) % 3 == 0, 201, 0).astype(np.uint8)
    inside = (slice(1, 14), slice(2, 20), slice(1, 30))
    assert ours.write(f"c/e/target/0/{BOX}", upload).status_code == 201
    expected[inside] = np.where(upload != 0, upload, expected[inside])
    np.testing.assert_array_equal(target_of(server), expected)
    assert ours.ask("POST", f"cutout/c/e/target/0/{BOX}/0:1", in_npygz(upload[None] // 2), {"Content-Type": NPYGZ}).ok
    expected[inside] = np.where(upload // 2 != 0, upload // 2, expected[inside])
    np.testing.assert_array_equal(target_of(server), expected)
    erased = ours.ask("PUT", "cutout/to_black/c/e/target/0/505:510/22:40/10:11/", b"")
    assert (erased.status_code, erased.content) == (200, b"")
    expected[1:2, 2:20, 5:10] = 0
    np.testing.assert_array_equal(target_of(server), expected)
    assert ours.write(f"c/e/target/0/{BOX}", np.zeros_like(upload)).status_code == 201
    np.testing.assert_array_equal(target_of(server), expected)


def target_of(server):
    """What the BossDB has in the channel that is written to."""
    return Raw(server, server.token).cutout(f"c/e/target/0/{ranges(FRAME)}", "uint8", SHAPE)


@pytest.mark.parametrize(
    ("path", "body", "media"),
    [
        (f"c/e/em/0/{BOX}", packed(np.ones((13, 18, 30), np.uint8)), "application/blosc"),
        (f"c/e/em/0/{BOX}", packed(np.ones((13, 18, 29), np.uint16)), "application/blosc"),
        (f"c/e/em/0/{BOX}", b"", "application/blosc"),
        (f"c/e/em/0/{BOX}", b"\x02\x01\x33\x01" + b"\xff" * 12 + b"nothing", "application/blosc"),
        (f"c/e/em/0/{BOX}", packed(np.ones((13, 18, 29), np.uint8))[:-1], "application/blosc"),
        (f"c/e/em/0/{BOX}", in_npygz(np.ones((18, 13, 29), np.uint8)), NPYGZ),
        (f"c/e/em/0/{BOX}", in_npygz(np.ones((13, 18, 29), np.uint64)), NPYGZ),
        (f"c/e/em/0/{BOX}", in_npygz(np.ones((13, 18, 29), np.uint8))[:-4], NPYGZ),
        (f"c/e/em/0/{BOX}", b"\x80\x04}.", NPYGZ),
        (f"c/e/em/0/{BOX}", packed(np.ones((13, 18, 29), np.uint8)), "application/octet-stream"),
        (f"c/e/em/0/{BOX}", packed(np.ones((13, 18, 29), np.uint8)), "application/blosc-python"),
        ("c/e/em/0/501:530/22:40/10:27", packed(np.ones((17, 18, 29), np.uint8)), "application/blosc"),
        (f"c/e/em/3/{BOX}", packed(np.ones((13, 18, 29), np.uint8)), "application/blosc"),
        (f"c/e/none/0/{BOX}", packed(np.ones((13, 18, 29), np.uint8)), "application/blosc"),
    ],
)
def test_an_upload_that_cannot_be_is_refused_and_nothing_is_written(ours, server, path, body, media):
    reply = ours.ask("POST", f"cutout/{path}", body, {"Content-Type": media})
    told_by(reply)
    assert reply.status_code in (400, 404, 415)
    found = Raw(server, server.token).cutout(f"c/e/em/0/{ranges(FRAME)}", "uint8", SHAPE)
    np.testing.assert_array_equal(found, EM)


@pytest.mark.parametrize(
    "body",
    [packed(np.ones((13, 18, 30), np.uint8)), b"", in_npygz(np.ones((13, 18, 29), np.uint8))],
)
def test_bodies_that_do_not_fit_are_refused_with_the_codes_of_a_bossdb(ours, theirs, body):
    path = f"cutout/c/e/em/0/{BOX}"
    assert told_by(ours.ask("POST", path, body, BLOSC)) == told_by(theirs.ask("POST", path, body, BLOSC))


def test_a_store_that_fails_is_not_a_channel_of_zeros(ours, server):
    server.fail_next(500, times=50, containing="/cutout/")
    try:
        reply = ours.get(f"cutout/c/e/em/0/{BOX}")
    finally:
        server.clear_faults()
    status, _ = told_by(reply)
    assert status >= 500
