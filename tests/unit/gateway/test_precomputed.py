from __future__ import annotations

import dataclasses
import http.client

import numpy as np
import pytest

from support.standin_volumes import image, one_scale, segmentation
from voxgate.model.errors import ChunkCorrupt, DeadlineExceeded, InternalError, ServerBusy, StoreUnavailable
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate_gateway.backend import Described, VolumeRef
from voxgate_gateway.precomputed import scale_keys
from voxgate_gateway.precomputed.info import describe

CELL = "-7-9_1000-1020_21-29"


def changed(name, **changes):
    info, arrays = image(name)
    return dataclasses.replace(info, **changes), arrays


def described(info, **facts):
    return Described(VolumeRef(info.name), info, 2 << 20, **facts)


def test_info_says_every_scale_as_the_store_does():
    assert describe(described(image()[0])) == {
        "@type": "neuroglancer_multiscale_volume",
        "type": "image",
        "data_type": "uint16",
        "num_channels": 1,
        "scales": [
            {
                "key": "8_8_33",
                "size": [45, 38, 29],
                "voxel_offset": [-7, 1000, 21],
                "resolution": [8.0, 8.0, 33.0],
                "chunk_sizes": [[16, 20, 8]],
                "encoding": "raw",
            },
            {
                "key": "16_16_33",
                "size": [22, 19, 29],
                "voxel_offset": [-3, 500, 21],
                "resolution": [16.0, 16.0, 33.0],
                "chunk_sizes": [[16, 19, 8]],
                "encoding": "raw",
            },
        ],
    }


def test_segment_ids_are_announced_as_such():
    info = describe(described(segmentation()[0]))
    assert (info["type"], info["data_type"]) == ("segmentation", "uint64")


def test_a_key_that_is_no_plain_path_segment_is_numbered_instead():
    info, _ = image()
    odd = [dataclasses.replace(scale, key=key) for scale, key in zip(info.scales, ("../x", "ok"), strict=True)]
    assert scale_keys(dataclasses.replace(info, scales=tuple(odd))) == ["s0", "ok"]
    clash = [dataclasses.replace(scale, key=key) for scale, key in zip(info.scales, ("a/b", "s0"), strict=True)]
    assert scale_keys(dataclasses.replace(info, scales=tuple(clash))) == ["s0", "s1"]


@pytest.mark.parametrize("margin", [0, 3])
def test_a_chunk_is_the_raw_bytes_of_its_box_in_x_fastest_order(http, stand_in, margin):
    stand_in.margin = margin
    answer = http.get(f"/ng/lab/em/-/8_8_33/{CELL}")
    info, arrays = stand_in.volumes["lab/em"]
    box = Box.of(x=(-7, 9), y=(1000, 1020), z=(21, 29))
    # Fortran order of (x, y, z, c), as the format's text puts it.
    expected = arrays[0][(slice(None), *box.slices_zyx(info.scales[0].bounds.start))].transpose(3, 2, 1, 0)
    assert answer.status_code == 200
    assert answer.content == expected.tobytes(order="F")
    assert answer.headers["content-length"] == str(16 * 20 * 8 * 2)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_two_channels_follow_one_another_in_the_bytes(http, stand_in):
    answer = http.get("/ng/lab/two/-/s0/8-13_6-10_4-7")
    box = Box.of(x=(8, 13), y=(6, 10), z=(4, 7))
    expected = stand_in.volumes["lab/two"][1][0][(slice(None), *box.slices_zyx(Vec3(3, 2, 1)))]
    assert np.array_equal(np.frombuffer(answer.content, "<f4").reshape(2, 3, 4, 5), expected)


def test_an_absent_chunk_is_sent_as_fill_values_and_never_as_not_found(http, stand_in):
    info, _ = image("lab/empty")
    stand_in.volumes["lab/empty"] = (dataclasses.replace(info, fill_value=513), [None, None])
    answer = http.get(f"/ng/lab/empty/-/8_8_33/{CELL}")
    assert answer.status_code == 200
    assert answer.content == b"\x01\x02" * (16 * 20 * 8)


def test_head_tells_the_exact_length_without_reading_a_voxel(http, stand_in):
    answer = http.head("/ng/lab/seg/-/4_4_40/132-133_-4-1_7-23")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(1 * 5 * 16 * 8), b"")
    assert "ReadChunk" not in stand_in.calls


def test_head_of_info_tells_the_length_that_get_sends(http):
    assert http.head("/ng/lab/em/-/info").headers["content-length"] == str(len(http.get("/ng/lab/em/-/info").content))


def test_an_unchanged_body_is_not_sent_again(http):
    for path in ("/ng/lab/em/-/info", f"/ng/lab/em/-/8_8_33/{CELL}"):
        etag = http.get(path).headers["etag"]
        again = http.get(path, headers={"if-none-match": f'"other", {etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


def test_provenance_and_info_are_revalidated_by_every_client(http):
    answer = http.get("/ng/lab/em/-/provenance")
    assert answer.json() == {
        "description": "lab/em, served by voxgate",
        "owners": [],
        "processing": [],
        "sources": [],
    }
    assert answer.headers["cache-control"] == "no-cache"
    assert http.get("/ng/lab/em/-/info").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/ng/lab/none/-/info", 404, "UNKNOWN_VOLUME"),
        (f"/ng/lab/none/-/8_8_33/{CELL}", 404, "UNKNOWN_VOLUME"),
        (f"/ng/lab/em/-/9_9_9/{CELL}", 404, "UNKNOWN_SCALE"),
        ("/ng/lab/em/-/8_8_33/-7-8_1000-1020_21-29", 400, "INVALID_REQUEST"),
        ("/ng/lab/em/-/8_8_33/25-41_1000-1020_21-29", 404, "OUT_OF_BOUNDS"),
        ("/ng/lab/em/-/8_8_33/9-9_1000-1020_21-29", 400, "INVALID_REQUEST"),
        ("/ng/lab/-/info", 404, "UNKNOWN_VOLUME"),
        ("/ng/info", 404, "UNKNOWN_VOLUME"),
        ("/ng//-/info", 400, "MALFORMED_NAME"),
        ("/ng/lab/em/-/mesh/info", 404, "UNKNOWN_VOLUME"),
        ("/ng/LAB/em/-/info", 400, "MALFORMED_NAME"),
        ("/ng/lab/a b/-/info", 404, "UNKNOWN_VOLUME"),
    ],
)
def test_a_path_that_names_nothing_is_a_typed_json_error(http, path, status, reason):
    answer = http.get(path)
    problem = answer.json()["error"]
    assert (answer.status_code, problem["reason"]) == (status, reason)
    assert problem["message"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/ng/lab/../../../etc/passwd/-/info",
        "/ng/lab/%2e%2e/%2e%2e/etc/-/info",
        "/ng/lab/..%2f..%2fetc/-/info",
        "/ng/lab/a%2Fb/-/info",
        "/ng/lab/a%5Cb/-/info",
        "/ng/lab/a%00b/-/info",
        "/ng/lab/%ff%fe/-/info",
        "/ng/lab/em/-/%2e%2e/-7-9_1000-1020_21-29",
        "/ng/lab//em/-/info",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
    ],
)
def test_encoded_and_traversing_names_come_to_nothing(gateway, stand_in, path):
    # http.client sends the path as it is; better-behaved clients would tidy it first.
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (400, 404)
    assert b"Traceback" not in body
    assert b"ReadChunk" not in stand_in.calls


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("lab/double", {"dtype": np.dtype("<f8")}, "float64"),
        ("lab/long", {"dtype": np.dtype("<i8")}, "int64"),
        ("lab/movie", {"axes": "tzyx", "time_count": 9}, "9 time points"),
        ("lab/none", {"scales": ()}, "no voxels"),
    ],
)
def test_a_volume_that_precomputed_cannot_say_is_refused_with_the_reason(http, stand_in, name, changes, words):
    stand_in.volumes[name] = changed(name, **changes)
    for path in ("info", "provenance", f"8_8_33/{CELL}"):
        answer = http.get(f"/ng/{name}/-/{path}")
        assert answer.status_code == 422
        assert words in answer.json()["error"]["message"]


def test_an_unknown_voxel_size_is_refused_with_what_to_configure_and_never_taken_for_1(http, stand_in):
    scale = one_scale("0", Vec3(0, 0, 0), Vec3(5, 4, 3), Vec3(5, 4, 3), None)
    stand_in.volumes["lab/bare"] = changed("lab/bare", scales=(scale,))
    problem = http.get("/ng/lab/bare/-/info").json()["error"]
    assert '[remotes.lab.volumes."bare"] voxel_size_nm = ' in problem["remedy"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ServerBusy("busy", "later", retry_after_s=2.5), 503),
        (StoreUnavailable("the store is away", "wait"), 503),
        (DeadlineExceeded("too slow"), 504),
        (ChunkCorrupt("a chunk cannot be decoded", "restore it"), 422),
        (InternalError("the server failed"), 502),
    ],
)
def test_a_failure_behind_is_never_blank_voxels_and_never_a_bare_500(http, stand_in, failure, status):
    stand_in.failures["ReadChunk"] = failure
    answer = http.get(f"/ng/lab/em/-/8_8_33/{CELL}")
    assert answer.status_code == status
    assert answer.json()["error"]["reason"] == failure.reason
    assert ("retry-after" in answer.headers) == (status in (503, 504))
    if isinstance(failure, ServerBusy):
        assert answer.headers["retry-after"] == "3"


def test_a_volume_that_changed_under_the_reader_is_said_so_and_served_anew_after(http, stand_in):
    assert http.get(f"/ng/lab/em/-/8_8_33/{CELL}").status_code == 200
    info, _ = image()
    scales = tuple(dataclasses.replace(s, voxel_size_nm=VoxelSize(1.0, 2.0, 3.0)) for s in info.scales)
    new = dataclasses.replace(info, dtype=np.dtype("<u4"), scales=scales)
    stand_in.volumes["lab/em"] = (new, [np.zeros((1, *s.bounds.shape.zyx), "<u4") for s in scales])
    assert http.get(f"/ng/lab/em/-/8_8_33/{CELL}").status_code == 409
    assert len(http.get(f"/ng/lab/em/-/8_8_33/{CELL}").content) == 16 * 20 * 8 * 4


def test_many_chunks_of_a_volume_ask_for_its_description_once(http, stand_in):
    for cell in (CELL, "9-25_1000-1020_21-29", "25-38_1000-1020_21-29"):
        assert http.get(f"/ng/lab/em/-/8_8_33/{cell}").status_code == 200
    assert stand_in.calls.count("GetVolume") == 1


def test_a_smaller_limit_of_the_server_makes_smaller_chunks(http, stand_in):
    stand_in.max_chunk_bytes = 1024
    x, y, z = http.get("/ng/lab/em/-/info").json()["scales"][0]["chunk_sizes"][0]
    assert x * y * z * 2 <= 1024


def test_a_version_after_the_name_reaches_the_server(http, stand_in):
    info, arrays = stand_in.volumes["lab/em"]
    stand_in.volumes["lab/em"] = (dataclasses.replace(info, resolved_version="v1:main"), arrays)
    for at in ("@", "%40"):
        assert http.get(f"/ng/lab/em{at}v1:main/-/info").status_code == 200


def test_a_remote_that_is_a_volume_itself_is_served_by_its_name_alone(http, stand_in):
    stand_in.volumes["solo"] = image("solo")
    assert http.get("/ng/solo/-/info").json()["data_type"] == "uint16"
    assert len(http.get(f"/ng/solo/-/8_8_33/{CELL}").content) == 16 * 20 * 8 * 2
    assert http.get("/preview/solo").status_code == 200
    assert "/ng/solo/-<" in http.get("/").text
