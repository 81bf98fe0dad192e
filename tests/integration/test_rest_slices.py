"""Slices over REST, decoded by Pillow: every pixel is the voxel that the headers say it is."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from neuroglancer.segment_colors import hex_string_from_segment_id
from PIL import Image

from support.array_volume import ArrayVolume, scale_of
from support.rest import on, problem_of
from support.servers import OneVolume, volume_server
from voxgate.model.volumes import Channel, VolumeKind
from voxgate_gateway.rest import slices
from voxgate_gateway.server import Gateway
from voxgate_remotes.registry import Registry

SHAPE = (11, 13, 17)
BOUNDS = scale_of(SHAPE).bounds
"""x from 7, y from -11, z from 100."""


def made(dtype, kind=VolumeKind.IMAGE, first=0, step=1):
    """A volume of numbers that differ along every axis."""
    voxels = (np.arange(int(np.prod(SHAPE)), dtype=np.uint64) * np.uint64(step) + np.uint64(first)).reshape(1, *SHAPE)
    return ArrayVolume([voxels.astype(dtype)], [scale_of(SHAPE)], kind=kind)


def floats():
    volume = made("<f4")
    volume.arrays[0][0, 3, 2] = (np.nan, np.inf, -np.inf, *np.linspace(-1, 8, 14))
    return volume


def stained():
    both = np.stack([made("<u2").arrays[0][0], made("<u2", first=9).arrays[0][0]])
    volume = ArrayVolume([both], [scale_of(SHAPE)], axes="czyx", channels=("a", "b"))
    object.__setattr__(volume.info, "channels", (Channel("a"), Channel("b", window=(100.0, 900.0))))
    return volume


VOLUMES = {
    "u1": made("u1"),
    "u2": made("<u2", step=20),
    "i2": made("<i2"),
    "f4": floats(),
    "two": stained(),
    "seg": made("<u8", VolumeKind.SEGMENTATION, 2**63 + 5, 2**40 + 1),
    "small": made("<u4", VolumeKind.SEGMENTATION, 60_000),
    "many": made("<u4", VolumeKind.SEGMENTATION, 65_000),
}


@pytest.fixture(scope="module")
def http():
    with volume_server(Registry({name: OneVolume(volume) for name, volume in VOLUMES.items()})) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        with httpx.Client(base_url=gateway.url, timeout=60) as client:
            yield client
        gateway.stop(1)


def sliced(http, name, **parameters):
    return http.get(on(f"{name}/x", "slice"), params=parameters)


def picture_of(answer):
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert answer.headers["content-type"] == picture.get_format_mimetype()
        return np.asarray(picture)


@pytest.mark.parametrize(
    ("plane", "across", "axes", "expected"),
    [
        ("xy", {"z": "104"}, "yx", lambda v: v[4]),
        ("xz", {"y": "-9"}, "zx", lambda v: v[:, 2]),
        ("yz", {"x": "20"}, "zy", lambda v: v[:, :, 13]),
    ],
)
def test_each_plane_shows_its_first_letter_to_the_right_and_its_second_downwards(http, plane, across, axes, expected):
    answer = sliced(http, "u2", plane=plane, **across)
    np.testing.assert_array_equal(picture_of(answer), expected(VOLUMES["u2"].arrays[0][0]))
    assert (answer.headers["x-voxgate-axes"], answer.headers["x-voxgate-mapping"]) == (axes, "exact")


def test_a_part_of_a_plane_is_that_part(http):
    part = picture_of(sliced(http, "u2", z="104", x="9:14", y=":-4"))
    np.testing.assert_array_equal(part, VOLUMES["u2"].arrays[0][0, 4, :7, 2:7])


def test_eight_bits_stay_eight_and_sixteen_stay_sixteen(http):
    eight, sixteen = (picture_of(sliced(http, name, z="104")) for name in ("u1", "u2"))
    np.testing.assert_array_equal(eight, VOLUMES["u1"].arrays[0][0, 4], strict=True)
    assert int(sixteen.max()) == int(VOLUMES["u2"].arrays[0][0, 4].max()) > 255


def test_segments_have_the_colours_that_neuroglancer_gives_them(http):
    answer = sliced(http, "seg", plane="yz", x="20")
    ids = VOLUMES["seg"].arrays[0][0, :, :, 13]
    expected = [[hex_string_from_segment_id(0, int(each)) for each in row] for row in ids]
    found = [["#" + bytes(pixel).hex() for pixel in row] for row in picture_of(answer)]
    assert found == expected
    assert answer.headers["x-voxgate-mapping"] == "colors"


def test_ids_are_grey_values_where_they_fit_and_refused_where_they_do_not(http):
    ids = picture_of(sliced(http, "small", z="101", mapping="exact"))
    np.testing.assert_array_equal(ids, VOLUMES["small"].arrays[0][0, 1])
    told = problem_of(sliced(http, "many", z="103", mapping="exact"))
    assert (told["status"], told["reason"]) == (422, "UNSUPPORTED_FORMAT")
    assert problem_of(sliced(http, "small", z="101", mapping="exact", format="jpeg"))["status"] == 400


def test_a_window_is_linear_rounded_to_nearest_and_stated(http):
    answer = sliced(http, "f4", z="103", window="0:7.5")
    values = np.nan_to_num(VOLUMES["f4"].arrays[0][0, 3].astype(float), nan=0)
    expected = np.floor(np.clip(values / 7.5, 0, 1) * 255 + 0.5)
    found = picture_of(answer)
    np.testing.assert_array_equal(found, expected)
    assert (found[2, 0], found[2, 1], found[2, 2]) == (0, 255, 0)
    assert answer.headers["x-voxgate-mapping"] == "window; low=0; high=7.5"


def test_the_window_of_a_slice_or_of_the_store_is_stated_too(http):
    own = sliced(http, "i2", z="104", window="slice")
    plane = VOLUMES["i2"].arrays[0][0, 4]
    assert own.headers["x-voxgate-mapping"] == f"window; low={plane.min()}; high={plane.max()}"
    assert (picture_of(own).min(), picture_of(own).max()) == (0, 255)
    stored = sliced(http, "two", z="104", channel="1", window="store")
    assert stored.headers["x-voxgate-mapping"] == "window; low=100; high=900"
    values = VOLUMES["two"].arrays[0][1, 4].astype(float)
    np.testing.assert_array_equal(picture_of(stored), np.rint(np.clip((values - 100) / 800, 0, 1) * 255))
    assert "states no window" in problem_of(sliced(http, "two", z="104", channel="0", window="store"))["detail"]


def test_a_jpeg_looks_like_the_plane(http):
    answer = sliced(http, "u1", z="104", format="jpeg")
    difference = picture_of(answer).astype(int) - VOLUMES["u1"].arrays[0][0, 4]
    assert np.abs(np.median(difference)) <= 2
    assert picture_of(sliced(http, "seg", z="104", format="jpeg")).shape == (13, 17, 3)


REFUSED = (
    ("u2", {"z": "100:102"}, "shows one z"),
    ("u2", {}, "shows one z"),
    ("u2", {"z": "104", "format": "jpeg"}, "a JPEG cannot hold uint16"),
    ("f4", {"z": "104"}, "no picture holds float32"),
    ("i2", {"z": "104"}, "no picture holds int16"),
    ("f4", {"z": "104", "mapping": "colors"}, "no segment ids"),
    ("f4", {"z": "104", "mapping": "window"}, "needs a window"),
    ("f4", {"z": "104", "window": "7:7"}, "cannot be read"),
    ("f4", {"z": "104", "window": "nan:7"}, "cannot be read"),
    ("f4", {"z": "104", "window": "0:1e999"}, "cannot be read"),
    ("u1", {"z": "104", "window": "0:9", "mapping": "exact"}, "has no window"),
    ("two", {"z": "104"}, "shows one channel"),
    ("u1", {"z": "104", "plane": "zz"}, "cannot be read"),
    ("u1", {"z": "99"}, "leaves the volume"),
)


@pytest.mark.parametrize(("name", "asked", "detail"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_no_picture_shows_unchanged_is_refused(http, name, asked, detail):
    assert detail in problem_of(sliced(http, name, **asked))["detail"]


def test_a_slice_of_too_many_pixels_is_refused_before_it_is_read(http, monkeypatch):
    monkeypatch.setattr(slices, "MAX_PIXELS", 13 * 17 - 1)
    VOLUMES["u1"].reads.clear()
    assert problem_of(sliced(http, "u1", z="104"))["reason"] == "LIMIT_EXCEEDED"
    assert VOLUMES["u1"].reads == []
    assert picture_of(sliced(http, "u1", z="104", x="8:24")).shape == (13, 16)
