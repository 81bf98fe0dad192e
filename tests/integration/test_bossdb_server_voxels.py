"""Cutouts of the BossDB test server by raw requests: what the service does that a client may not expect."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from numcodecs import blosc
from PIL import Image

from support.bossdb import BossServer, bossdb_server
from support.bossdb.raw import Raw, packed

START = (500, 20, 9)
SHAPE = (17, 22, 37)
BOX = "501:530/22:40/10:23"
INSIDE = (slice(1, 14), slice(2, 20), slice(1, 30))
BOX_SHAPE = (13, 18, 29)
IMAGE = np.random.default_rng(1).integers(1, 255, SHAPE, np.uint8, endpoint=True)
LABELS = np.random.default_rng(2).integers(2**63, 2**64 - 1, SHAPE, np.uint64)


@pytest.fixture
def server() -> Iterator[BossServer]:
    with bossdb_server() as running:
        running.store.add_channel("c", "e", "image", IMAGE, start=START, num_hierarchy_levels=4, num_time_samples=3)
        running.store.add_channel("c", "e", "labels", LABELS)
        yield running


@pytest.fixture
def owner(server: BossServer) -> Raw:
    return Raw(server, server.token)


def test_blosc_is_what_is_sent_when_anything_is_accepted(owner: Raw) -> None:
    reply = owner.get(f"cutout/c/e/image/0/{BOX}/")
    assert reply.headers["Content-Type"] == "application/blosc"
    assert np.array_equal(np.frombuffer(blosc.decompress(reply.content), "u1").reshape(BOX_SHAPE), IMAGE[INSIDE])


def test_npygz_is_an_npy_file_in_zlib(owner: Raw) -> None:
    reply = owner.get(f"cutout/c/e/labels/0/{BOX}/", {"Accept": "application/npygz"})
    assert np.array_equal(np.load(io.BytesIO(zlib.decompress(reply.content))), LABELS[INSIDE])


def test_jpeg_is_a_strip_of_slices_of_uint8_alone(owner: Raw) -> None:
    reply = owner.get(f"cutout/c/e/image/0/{BOX}/", {"Accept": "image/jpeg"})
    strip = np.asarray(Image.open(io.BytesIO(reply.content)))
    assert strip.shape == (13 * 18, 29)
    refused = owner.get(f"cutout/c/e/labels/0/{BOX}/", {"Accept": "image/jpeg"})
    assert (refused.status_code, refused.json()["code"]) == (400, 2001)
    timed = owner.get(f"cutout/c/e/image/0/{BOX}/0:1/", {"Accept": "image/jpeg"})
    assert (timed.status_code, timed.json()["code"]) == (400, 2005)


def test_pickles_are_neither_sent_nor_taken(owner: Raw) -> None:
    assert owner.get(f"cutout/c/e/image/0/{BOX}/", {"Accept": "application/blosc-python"}).status_code == 406
    pickled = {"Content-Type": "application/blosc-python"}
    assert owner.ask("POST", f"cutout/c/e/image/0/{BOX}", b"\x80", pickled).status_code == 415


def test_there_is_a_time_axis_exactly_where_the_address_has_times(server: BossServer, owner: Raw) -> None:
    times = np.stack([IMAGE[INSIDE], IMAGE[INSIDE][::-1]])
    assert owner.write(f"c/e/image/0/{BOX}/1:3/", times).status_code == 201
    assert np.array_equal(owner.cutout(f"c/e/image/0/{BOX}/1:3/", "u1", (2, *BOX_SHAPE)), times)
    assert np.array_equal(owner.cutout(f"c/e/image/0/{BOX}/2:3/", "u1", (1, *BOX_SHAPE)), times[1:])
    server.store.channel("c", "e", "image").default_time_sample = 2
    assert np.array_equal(owner.cutout(f"c/e/image/0/{BOX}/", "u1", BOX_SHAPE), times[1])
    assert owner.refusal("GET", f"cutout/c/e/image/0/{BOX}/0:5/") == (400, 1000)


@pytest.mark.parametrize(
    "box",
    ["499:530/22:40/10:23", "501:538/22:40/10:23", "501:530/22:43/10:23", "501:501/22:40/10:23", "530:501/22:40/10:23"],
)
def test_a_box_outside_the_frame_or_empty_is_refused(owner: Raw, box: str) -> None:
    assert owner.refusal("GET", f"cutout/c/e/image/0/{box}/") == (400, 1001)


def test_a_negative_coordinate_is_no_address(owner: Raw) -> None:
    reply = owner.get("cutout/c/e/image/0/-5:-1/22:40/10:23/")
    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "text/html"


def test_lower_resolutions_are_held_against_the_frame_of_the_highest(server: BossServer, owner: Raw) -> None:
    whole = np.arange(1, 41, dtype=np.uint8).reshape(1, 1, 40)
    server.store.add_channel("c", "zero", "image", whole, levels=[whole[:, :, ::2]])
    beyond = owner.cutout("c/zero/image/1/15:40/0:1/0:1/", "u1", (25,))
    assert np.array_equal(beyond, np.r_[whole[0, 0, 30::2], np.zeros(20, np.uint8)])
    # Half of where the frame starts is where the lower resolution's voxels are, and may not be asked for.
    assert owner.refusal("GET", "cutout/c/e/image/1/250:260/10:20/9:12/") == (400, 1001)


def test_resolutions_go_from_the_base_to_as_many_as_there_are_levels(server: BossServer, owner: Raw) -> None:
    server.store.channel("c", "e", "image").base_resolution = 2
    for resolution, status in ((1, 400), (2, 200), (5, 200), (6, 400)):
        assert owner.get(f"cutout/c/e/image/{resolution}/{BOX}/").status_code == status
    assert owner.refusal("GET", f"cutout/c/e/image/6/{BOX}/") == (400, 1002)


def test_a_cutout_may_be_as_large_as_the_limit_and_labels_four_times_as_large(server: BossServer, owner: Raw) -> None:
    server.state.cutout_max_bytes = 13 * 18 * 29
    assert owner.get(f"cutout/c/e/image/0/{BOX}/").status_code == 200
    assert owner.refusal("GET", "cutout/c/e/image/0/501:531/22:40/10:23/") == (413, 2000)
    assert owner.refusal("GET", f"cutout/c/e/labels/0/{BOX}/") == (413, 2000)
    server.state.cutout_max_bytes = 13 * 18 * 29 * 2
    assert owner.get(f"cutout/c/e/labels/0/{BOX}/").status_code == 200
    assert owner.refusal("POST", "cutout/c/e/labels/0/501:531/22:40/10:23/", b"") == (413, 2000)


def test_zeros_of_an_upload_leave_what_is_there(owner: Raw) -> None:
    upload = np.zeros(BOX_SHAPE, np.uint64)
    upload[::2] = 2**64 - 1
    assert owner.write(f"c/e/labels/0/{BOX}", upload).status_code == 201
    expected = np.where(upload != 0, upload, LABELS[INSIDE])
    assert np.array_equal(owner.cutout(f"c/e/labels/0/{BOX}", "u8", BOX_SHAPE), expected)


def test_to_black_erases_a_box_and_of_two_time_samples_the_first_alone(owner: Raw) -> None:
    assert owner.write(f"c/e/image/0/{BOX}/1:2/", IMAGE[INSIDE][None]).status_code == 201
    assert owner.ask("PUT", "cutout/to_black/c/e/image/0/503:505/22:40/10:23/0:2").status_code == 200
    expected = np.stack([IMAGE[INSIDE]] * 2)
    expected[0, :, :, 2:4] = 0
    assert np.array_equal(owner.cutout(f"c/e/image/0/{BOX}/0:2", "u1", (2, *BOX_SHAPE)), expected)


def test_an_upload_that_does_not_fit_its_address_is_refused_and_changes_nothing(owner: Raw) -> None:
    for upload, code in ((IMAGE[INSIDE][1:], 2002), (IMAGE[INSIDE].astype("u2"), 2002)):
        assert owner.refusal("POST", f"cutout/c/e/image/0/{BOX}", packed(upload)) == (400, code)
    assert owner.refusal("POST", f"cutout/c/e/image/0/{BOX}", b"no blosc") == (400, 2001)
    file = io.BytesIO()
    np.save(file, IMAGE[INSIDE].astype("u2"))
    reply = owner.ask(
        "POST", f"cutout/c/e/image/0/{BOX}", zlib.compress(file.getvalue()), {"Content-Type": "application/npygz"}
    )
    assert (reply.status_code, reply.json()["code"]) == (400, 2001)
    assert np.array_equal(owner.cutout(f"c/e/image/0/{BOX}", "u1", BOX_SHAPE), IMAGE[INSIDE])


def test_the_base_resolution_and_the_next_may_be_written_and_no_other(owner: Raw) -> None:
    assert owner.write(f"c/e/image/1/{BOX}", IMAGE[INSIDE]).status_code == 201
    assert np.array_equal(owner.cutout(f"c/e/image/1/{BOX}", "u1", BOX_SHAPE), IMAGE[INSIDE])
    assert owner.refusal("POST", f"cutout/c/e/image/2/{BOX}", packed(IMAGE[INSIDE])) == (400, 9001)
    assert owner.ask("PUT", f"cutout/to_black/c/e/image/2/{BOX}").status_code == 500


def test_labels_at_a_lower_resolution_are_a_server_error_until_they_are_downsampled(owner: Raw) -> None:
    assert owner.get(f"cutout/c/e/labels/1/{BOX}").status_code == 500
    assert owner.get(f"cutout/c/e/image/1/{BOX}").status_code == 200


def test_filters_are_for_annotations_and_exact_above_two_to_the_63(owner: Raw) -> None:
    wanted = [int(LABELS[INSIDE][0, 0, 0]), int(LABELS[INSIDE][5, 6, 7])]
    found = owner.cutout(f"c/e/labels/0/{BOX}/?filter={wanted[0]},{wanted[1]}", "u8", BOX_SHAPE)
    assert np.array_equal(found, np.where(np.isin(LABELS[INSIDE], np.array(wanted, "u8")), LABELS[INSIDE], 0))
    assert owner.refusal("GET", f"cutout/c/e/image/0/{BOX}/?filter=1") == (400, 2003)


def test_access_modes_are_three_and_exclude_the_old_flag(owner: Raw) -> None:
    for mode in ("cache", "no-cache", "raw"):
        assert owner.get(f"cutout/c/e/image/0/{BOX}/?access-mode={mode}").status_code == 200
    assert owner.refusal("GET", f"cutout/c/e/image/0/{BOX}/?access-mode=other") == (400, 1001)
    assert owner.refusal("GET", f"cutout/c/e/image/0/{BOX}/?access-mode=raw&no-cache=true") == (400, 1001)


def test_a_uint32_channel_can_be_made_and_not_be_read(server: BossServer, owner: Raw) -> None:
    server.store.add_channel("c", "e", "middle", LABELS.astype("u4"))
    assert owner.get(f"cutout/c/e/middle/0/{BOX}").status_code == 500
    server.state.serves_uint32 = True
    assert np.array_equal(owner.cutout(f"c/e/middle/0/{BOX}", "u4", BOX_SHAPE), LABELS[INSIDE].astype("u4"))


def test_who_has_read_too_much_is_throttled_with_a_dictionary_for_a_message(server: BossServer, owner: Raw) -> None:
    server.state.egress_limit_bytes = 100
    assert owner.get(f"cutout/c/e/image/0/{BOX}").status_code == 200
    reply = owner.get(f"cutout/c/e/image/0/{BOX}")
    assert (reply.status_code, reply.json()["code"]) == (429, 3004)
    assert reply.json()["message"]["max_metric"] == 100


def test_ids_are_strings_in_order_without_zero_and_never_of_images(server: BossServer, owner: Raw) -> None:
    few = np.zeros((3, 4, 5), np.uint64)
    few[1, 2, 3:], few[2, 0, 0] = 2**63 + 1, 7
    server.store.add_channel("c", "few", "labels", few)
    assert owner.get("ids/c/few/labels/0/0:5/0:4/0:3/0:1/").json() == {"ids": ["7", str(2**63 + 1)]}
    assert owner.get("ids/c/few/labels/0/0:5/0:4/1:2").json() == {"ids": [str(2**63 + 1)]}
    assert owner.refusal("GET", f"ids/c/e/image/0/{BOX}/") == (400, 2003)


def test_bounding_boxes_are_whole_cuboids_or_tight(server: BossServer, owner: Raw) -> None:
    far = np.zeros((40, 30, 600), np.uint64)
    far[15:18, 7, 500:520] = 2**53 + 1
    server.store.add_channel("c", "far", "labels", far)
    loose = owner.get(f"boundingbox/c/far/labels/0/{2**53 + 1}").json()
    assert loose == {"x_range": [0, 1024], "y_range": [0, 512], "z_range": [0, 32], "t_range": [0, 1]}
    tight = owner.get(f"boundingbox/c/far/labels/0/{2**53 + 1}/?type=tight").json()
    assert tight == {"x_range": [500, 520], "y_range": [7, 8], "z_range": [15, 18], "t_range": [0, 1]}
    assert owner.refusal("GET", "boundingbox/c/far/labels/0/5") == (404, 4004)
    assert owner.refusal("GET", "boundingbox/c/far/labels/0/5/?type=round") == (400, 1005)


def test_reserved_ids_start_with_a_number_and_count_with_a_string(owner: Raw) -> None:
    assert owner.get("reserve/c/e/labels/10").json() == {"start_id": 1, "count": "10"}
    assert owner.get("reserve/c/e/labels/3/").json() == {"start_id": 11, "count": "3"}
    assert owner.get("reserve/c/e/image/3/").status_code == 500
