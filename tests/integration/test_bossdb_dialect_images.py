"""Planes of channels as pictures in the BossDB dialect: every pixel the voxel that it says, or a refusal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from support.boss_gateways import boss_gateway, told_by
from support.bossdb import bossdb_server

START = (500, 20, 9)
SHAPE = (17, 22, 37)
RANDOM = np.random.default_rng(5)
VOXELS = {
    "u8": RANDOM.integers(0, 256, SHAPE, np.uint8),
    "u16": RANDOM.integers(0, 65536, SHAPE, np.uint16),
}
LABELS = RANDOM.choice(np.array([0, 7, 2**53 + 1, 2**63 + 7, 2**63 + 8], np.uint64), SHAPE)
TIMED = RANDOM.integers(0, 256, (2, 3, 4, 5), np.uint8)
# By plane: what is asked, and the same of an array (z, y, x).
PLANES = {
    "xy": ("501:530/22:40/10", (1, slice(2, 20), slice(1, 30))),
    "xz": ("501:530/22/10:23", (slice(1, 14), 2, slice(1, 30))),
    "yz": ("503/22:40/10:23", (slice(1, 14), slice(2, 20), 3)),
}


@pytest.fixture(scope="module")
def server():
    with bossdb_server(serves_uint32=True) as running:
        for name, voxels in VOXELS.items():
            running.store.add_channel("c", "e", name, voxels, start=START)
        running.store.add_channel("c", "e", "seg", LABELS)
        running.store.add_channel("c", "e", "deep", LABELS, type="image")
        running.store.add_channel("c", "zero", "u8", VOXELS["u8"], levels=[VOXELS["u8"][:, ::2, ::2]])
        running.store.add_channel("c", "timed", "u8", TIMED, num_time_samples=2)
        yield running


@pytest.fixture(scope="module")
def ours(server):
    with boss_gateway(server) as running:
        yield running.raw


def pixels(reply):
    assert reply.status_code == 200, reply.text
    return np.asarray(Image.open(io.BytesIO(reply.content)))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("name", VOXELS)
def test_a_plane_is_the_voxels_themselves_right_and_down(ours, name, plane):
    asked, cut = PLANES[plane]
    for accept in ("*/*", "image/png", "text/html, image/*;q=0.8"):
        reply = ours.get(f"image/c/e/{name}/{plane}/0/{asked}/", {"Accept": accept})
        assert reply.headers["Content-Type"] == "image/png"
        assert reply.headers["X-Voxgate-Mapping"] == "exact"
        np.testing.assert_array_equal(pixels(reply), VOXELS[name][cut])


@pytest.mark.parametrize("plane", PLANES)
def test_ids_are_colours_that_tell_them_apart(ours, plane):
    asked, cut = PLANES[plane]
    reply = ours.get(f"image/c/e/seg/{plane}/0/{asked}")
    assert reply.headers["X-Voxgate-Mapping"] == "colors"
    found, ids = pixels(reply).astype(int), LABELS[cut]
    packed = found[..., 0] << 16 | found[..., 1] << 8 | found[..., 2]
    colours = {int(label): set(packed[ids == label].tolist()) for label in np.unique(ids)}
    assert all(len(each) == 1 for each in colours.values())
    assert len(set.union(*colours.values())) == len(colours) == 5


def test_a_jpeg_is_of_eight_bits_and_nothing_is_scaled_into_it(ours):
    asked, cut = PLANES["xy"]
    reply = ours.get(f"image/c/e/u8/xy/0/{asked}", {"Accept": "image/jpeg"})
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert pixels(reply).shape == VOXELS["u8"][cut].shape
    assert np.abs(pixels(reply).astype(int) - VOXELS["u8"][cut]).mean() < 12
    for name in ("u16", "seg"):
        refused = ours.get(f"image/c/e/{name}/xy/0/{asked}", {"Accept": "image/jpeg"})
        assert told_by(refused) == (400, 2001)
    assert told_by(ours.get(f"image/c/e/u8/xy/0/{asked}", {"Accept": "image/webp"})) == (406, 1006)


def test_a_tile_is_as_many_voxels_on_from_voxel_zero(ours):
    np.testing.assert_array_equal(pixels(ours.get("tile/c/zero/u8/xy/7/0/2/1/3/")), VOXELS["u8"][3, 7:14, 14:21])
    np.testing.assert_array_equal(pixels(ours.get("tile/c/zero/u8/xz/5/0/2/21/1")), VOXELS["u8"][5:10, 21, 10:15])
    np.testing.assert_array_equal(pixels(ours.get("tile/c/zero/u8/yz/5/0/36/3/2/0")), VOXELS["u8"][10:15, 15:20, 36])
    # One that sticks out of the frame is refused, as a BossDB does: x ends at 37.
    assert ours.refusal("GET", "tile/c/zero/u8/xy/7/0/5/1/3") == (400, 1001)


def test_beyond_the_voxels_of_a_coarser_level_there_is_nothing(ours):
    found = pixels(ours.get("image/c/zero/u8/xy/1/15:30/8:16/3"))
    expected = np.zeros((8, 15), np.uint8)
    expected[:3, :4] = VOXELS["u8"][3, 16::2, 30::2]
    np.testing.assert_array_equal(found, expected)


def test_a_time_sample_can_be_picked(ours):
    for sample in range(2):
        found = pixels(ours.get(f"image/c/timed/u8/xz/0/1:5/2/0:3/{sample}"))
        np.testing.assert_array_equal(found, TIMED[sample, :, 2, 1:])
    np.testing.assert_array_equal(pixels(ours.get("image/c/timed/u8/xz/0/1:5/2/0:3")), TIMED[0, :, 2, 1:])


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("image/c/e/u8/xy/0/501:530/22:40/10:11", (400, 1002)),
        ("image/c/e/u8/xy/0/501/22:40/10", (400, 1001)),
        ("image/c/e/u8/yz/0/503/22:40/10", (400, 1001)),
        ("image/c/e/u8/xy/0/530:501/22:40/10", (400, 1001)),
        ("image/c/e/u8/xy/0/499:530/22:40/10", (400, 1001)),
        ("image/c/e/u8/xy/0/501:530/22:40/26", (400, 1001)),
        ("image/c/e/u8/xy/1/501:530/22:40/10", (400, 1002)),
        ("image/c/e/u8/xy/0/501:530/22:40/10/1", (400, 1000)),
        ("image/c/e/u8/zy/0/501:530/22:40/10", (404, 1000)),
        ("image/c/e/none/xy/0/501:530/22:40/10", (404, 4000)),
        ("image/c/e/deep/xy/0/501:530/22:40/10", (400, 2003)),
        ("tile/c/zero/u8/xy/0/0/2/1/3", (400, 1001)),
        ("tile/c/zero/u8/xy/999999999/0/2/1/3", (400, 1001)),
        ("tile/c/zero/u8/xy/7/0/2:3/1/3", (404, 1000)),
    ],
)
def test_what_is_no_plane_is_refused(ours, path, refused):
    assert told_by(ours.get(path)) == refused


def test_a_picture_too_large_is_refused_before_anything_is_read():
    with bossdb_server() as server:
        server.store.add_channel("c", "e", "em", stop=(40_000, 40_000, 2))
        with boss_gateway(server) as running:
            running.raw.get("image/c/e/em/xy/0/0:10/0:10/1")
            read = server.requests.count(containing="/cutout/")
            assert read > 0
            assert running.raw.refusal("GET", "image/c/e/em/xy/0/0:10000/0:10000/1") == (413, 2000)
            assert running.raw.refusal("GET", "tile/c/e/em/xy/40000/0/0/0/1") == (413, 2000)
            assert server.requests.count(containing="/cutout/") == read


def test_pictures_are_known_again_and_measured(ours):
    path = f"image/c/e/u16/xy/0/{PLANES['xy'][0]}"
    reply = ours.get(path)
    again = ours.get(path, {"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ours.ask("HEAD", path).headers["Content-Length"] == str(len(reply.content))
    part = ours.get(path, {"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, reply.content[3:10])
    assert "Accept" in reply.headers["Vary"]


def test_a_store_that_fails_draws_no_black(server):
    with boss_gateway(server) as running:
        path = f"image/c/e/u8/xy/0/{PLANES['xy'][0]}"
        assert running.raw.get(path).status_code == 200
        server.fail_next(503, times=100, containing="/cutout/")
        try:
            assert told_by(running.raw.get(path)) == (503, 9002)
        finally:
            server.clear_faults()
