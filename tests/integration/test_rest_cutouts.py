"""Cutouts over REST against the voxels that were written, the volume's own files and the Python client; with curl."""

from __future__ import annotations

import io
import subprocess

import httpx
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from support.rest import array_of, asked, on, problem_of, where
from support.zarr_served import ABSENT, LEVELS, served_stores
from voxgate.client.connection import connect
from voxgate.model.geometry import Box, Vec3
from voxgate_gateway.rest import cutouts

BOUNDS = LEVELS[0].bounds
PART = Box.of(x=(-3, 30), y=(1007, 1031), z=(24, 47))
"""Begins and ends on no chunk's border; reaches no border of the volume."""
FORMATS = ("npy", "npz", "raw")
NAMES = {"made/em": BOUNDS, "made/three": BOUNDS, "made/ng": BOUNDS, "made/sparse": BOUNDS}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with served_stores(tmp_path_factory.mktemp("made")) as found:
        yield found


@pytest.fixture(scope="module")
def http(stores):
    with httpx.Client(base_url=stores.url, timeout=60) as client:
        yield client


@pytest.fixture
def small_pieces(monkeypatch):
    """Everything is streamed, in pieces of at most two kilobytes: whole rows, and parts of rows for three channels."""
    monkeypatch.setattr(cutouts, "PIECE_BYTES", 2048)
    monkeypatch.setattr(cutouts, "_WHOLE_BYTES", 0)


def part_of(stores, name, box, level=0):
    return stores.array(name, level)[(..., *box.slices_zyx(LEVELS[level].bounds.start))]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_cutout_has_the_voxels_that_were_written_in_every_format(stores, http, name, format_):
    answer = asked(http, name, PART, format=format_)
    expected = part_of(stores, name, PART)
    np.testing.assert_array_equal(array_of(answer), expected, strict=True)
    assert answer.headers["x-voxgate-axes"] == ("czyx" if name == "made/three" else "zyx")
    assert answer.headers["x-voxgate-box"] == "x=-3:30 y=1007:1031 z=24:47"
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_an_npz_says_where_its_voxels_are(stores, http):
    loaded = np.load(io.BytesIO(asked(http, "made/three", PART, format="npz").content), allow_pickle=False)
    assert loaded["start"].tolist() == [-3, 1007, 24]
    assert str(loaded["axes"]) == "czyx"


def test_ids_above_2_to_the_63_and_an_absent_fill_value_arrive_whole(http):
    voxels = array_of(asked(http, "made/sparse", BOUNDS))
    assert voxels.max() == ABSENT
    assert (voxels == 2**63 + 5).sum() == 1
    info = http.get(on("made/sparse", "info")).json()
    assert (info["fill_value"], info["data_type"]) == (str(ABSENT), "uint64")


def test_raw_bytes_are_x_fastest_as_the_document_says(stores, http):
    raw = asked(http, "made/em", PART, format="raw").content
    shape = tuple(PART.shape)
    columns_first = np.frombuffer(raw, "<u2").reshape(shape, order="F")
    x, y, z = 7, 11, 13
    assert columns_first[x, y, z] == part_of(stores, "made/em", PART)[z, y, x]


def test_curl_and_numpy_read_what_the_files_have_in_them(stores, tmp_path):
    file = tmp_path / "em.npy"
    address = f"{stores.url}{on('made/em', 'cutout')}?x=-3:30&y=1007:1031&z=24:47"
    subprocess.run(["curl", "-sSfg", "-o", str(file), address], check=True, timeout=60)
    own = zarr.open_group(stores.folder / "em", mode="r")["0"]
    np.testing.assert_array_equal(np.load(file), own[PART.slices_zyx(BOUNDS.start)], strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_python_client_reads_the_same(stores, http, name):
    with connect(stores.address) as client:
        by_client = client.volume(name).read(PART)
    by_rest = array_of(asked(http, name, PART))
    np.testing.assert_array_equal(by_rest.reshape(by_client.shape), by_client, strict=True)


def test_a_scale_is_named_by_its_index_or_its_key(stores, http):
    info = http.get(on("aniso/seg", "info")).json()
    for scale in info["scales"]:
        box = {name: f"{a}:{b}" for name, a, b in zip("xyz", scale["box"]["start"], scale["box"]["stop"], strict=True)}
        by_index = http.get(on("aniso/seg", "cutout"), params={**box, "scale": scale["index"]})
        by_key = http.get(on("aniso/seg", "cutout"), params={**box, "scale_key": scale["key"]})
        assert by_index.content == by_key.content
        np.testing.assert_array_equal(array_of(by_index), stores.array("aniso/seg", scale["index"]), strict=True)
        assert by_key.headers["x-voxgate-scale"] == str(scale["index"])


def test_channels_come_in_the_order_asked_for(stores, http):
    found = array_of(asked(http, "made/three", PART, channel="2,0"))
    np.testing.assert_array_equal(found, part_of(stores, "made/three", PART)[[2, 0]], strict=True)
    assert array_of(asked(http, "made/three", PART, channel="1")).shape[0] == 1


def test_one_voxel_and_open_ends_mean_what_they_say(stores, http):
    answer = http.get(on("made/em", "cutout"), params={"x": "-3", "y": ":1002", "z": ":"})
    box = Box.of(x=(-3, -2), y=(1000, 1002), z=(21, 50))
    np.testing.assert_array_equal(array_of(answer), part_of(stores, "made/em", box), strict=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("small_pieces")
def test_a_streamed_cutout_is_the_same_to_the_byte(stores, http, name):
    expected = io.BytesIO()
    np.save(expected, part_of(stores, name, PART))
    answer = asked(http, name, PART)
    assert answer.content == expected.getvalue()
    assert int(answer.headers["content-length"]) == len(expected.getvalue())
    raw = asked(http, name, PART, format="raw")
    assert raw.content == part_of(stores, name, PART).tobytes()


@pytest.mark.usefixtures("small_pieces")
def test_head_says_the_length_of_a_large_body_and_reads_nothing(stores, http, monkeypatch):
    monkeypatch.setattr("voxgate_gateway.backend.volumes.read_cutout", None)
    for format_, more in (("raw", 0), ("npy", 128)):
        answer = http.head(on("made/em", "cutout"), params={**where(PART), "format": format_})
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == PART.voxel_count * 2 + more
        assert answer.content == b""


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_split_cutouts_are_the_whole_one(stores, http, data):
    name, bounds = data.draw(st.sampled_from(sorted(NAMES.items())))
    spans = [
        sorted(data.draw(st.lists(st.integers(a, b), min_size=2, max_size=2, unique=True)))
        for a, b in zip(bounds.start, bounds.stop, strict=True)
    ]
    axis = data.draw(st.integers(0, 2))
    (start, stop), whole = spans[axis], array_of(asked(http, name, box_of(spans)))
    cut = data.draw(st.integers(start, stop))
    parts = [
        array_of(asked(http, name, box_of([*spans[:axis], span, *spans[axis + 1 :]])))
        for span in ((start, cut), (cut, stop))
        if span[0] < span[1]
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=whole.ndim - 1 - axis), whole, strict=True)


def box_of(spans):
    return Box(Vec3(*(a for a, _ in spans)), Vec3(*(b for _, b in spans)))


@pytest.mark.usefixtures("small_pieces")
def test_any_range_of_a_streamed_body_is_that_range_of_the_whole(stores, http):
    whole = asked(http, "made/three", PART).content

    @given(st.data())
    @settings(max_examples=40, deadline=None)
    def check(data):
        first = data.draw(st.integers(0, len(whole) - 1))
        last = data.draw(st.integers(first, len(whole) + 10))
        answer = http.get(on("made/three", "cutout"), params=where(PART), headers={"range": f"bytes={first}-{last}"})
        assert answer.status_code == 206
        assert answer.content == whole[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"

    check()
    tail = http.get(on("made/three", "cutout"), params=where(PART), headers={"range": "bytes=-9"})
    assert tail.content == whole[-9:]


@pytest.mark.parametrize("streams", [False, True])
def test_a_range_past_the_end_is_a_problem(http, streams, request):
    if streams:
        request.getfixturevalue("small_pieces")
    answer = http.get(on("made/em", "cutout"), params=where(PART), headers={"range": "bytes=999999999-"})
    assert (answer.status_code, problem_of(answer)["reason"]) == (416, "OUT_OF_BOUNDS")
    assert answer.headers["content-range"] == f"bytes */{PART.voxel_count * 2 + 128}"


REFUSED = (
    ({"x": "5:5"}, 400, "EMPTY_BOX"),
    ({"x": "9:5"}, 400, "EMPTY_BOX"),
    ({"x": "-8:5"}, 404, "OUT_OF_BOUNDS"),
    ({"x": "0:1.5"}, 400, "INVALID_REQUEST"),
    ({"x": "0:9999999999999999"}, 400, "INVALID_REQUEST"),
    ({"x": "a:b"}, 400, "INVALID_REQUEST"),
    ({"x": ""}, 400, "INVALID_REQUEST"),
    ({"x": "\u0663:\u0665"}, 400, "INVALID_REQUEST"),
    ({"scale": "3"}, 404, "UNKNOWN_SCALE"),
    ({"scale": "-1"}, 400, "INVALID_REQUEST"),
    ({"scale_key": "none"}, 404, "UNKNOWN_SCALE"),
    ({"scale": "0", "scale_key": "none"}, 400, "INVALID_REQUEST"),
    ({"channel": "1"}, 404, "OUT_OF_BOUNDS"),
    ({"channel": "0,,0"}, 400, "INVALID_REQUEST"),
    ({"time": "1"}, 404, "OUT_OF_BOUNDS"),
    ({"labels": "supervoxels"}, 422, "MISSING_CAPABILITY"),
    ({"labels": "people"}, 400, "INVALID_REQUEST"),
    ({"format": "pickle"}, 400, "INVALID_REQUEST"),
    ({"scael": "0"}, 400, "INVALID_REQUEST"),
)


@pytest.mark.parametrize(("wrong", "status", "reason"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_cannot_be_answered_is_refused_with_a_reason_and_a_remedy(http, wrong, status, reason):
    told = http.get(on("made/em", "cutout"), params={**where(PART), **wrong})
    problem = problem_of(told)
    assert (problem["status"], problem["reason"]) == (status, reason)
    assert problem["detail"]


def test_a_missing_and_a_doubled_parameter_are_refused(http):
    assert "z is missing" in problem_of(http.get(on("made/em", "cutout"), params={"x": "0:1", "y": "1001"}))["detail"]
    doubled = http.get(f"{on('made/em', 'cutout')}?x=0:1&x=0:2&y=1001&z=22")
    assert "twice" in problem_of(doubled)["detail"]


@pytest.mark.parametrize(("limit", "format_"), [("MAX_PACKED_BYTES", "npz"), ("MAX_STREAMED_BYTES", "raw")])
def test_too_much_is_refused_before_anything_is_read(http, monkeypatch, limit, format_):
    monkeypatch.setattr(cutouts, limit, PART.voxel_count * 2 - 1)
    monkeypatch.setattr("voxgate_gateway.backend.volumes.read_cutout", None)
    problem = problem_of(asked(http, "made/em", PART, format=format_))
    assert (problem["status"], problem["reason"]) == (400, "LIMIT_EXCEEDED")
    assert problem["details"] == {"limit": str(PART.voxel_count * 2 - 1), "asked": str(PART.voxel_count * 2)}


def test_a_name_may_be_encoded_whole_as_generated_clients_do(http):
    plain, encoded = (http.get(f"/api/v1/volumes/{name}/-/info").json() for name in ("made/em", "made%2Fem"))
    assert plain == encoded
    assert plain["name"] == "made/em"
