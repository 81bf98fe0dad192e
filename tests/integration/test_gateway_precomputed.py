"""Precomputed over HTTP from real files: what published readers get is what other readers have in the files."""

from __future__ import annotations

import gzip

import httpx
import numpy as np
import pytest
from cloudvolume import CloudVolume
from hypothesis import given, settings
from hypothesis import strategies as st

from support import precomputed_volumes as files
from support.gateways import by_tensorstore, suite_over
from support.servers import SAMPLES

WRITERS = (
    files.raw_pyramid,
    files.raw_channels,
    files.floats,
    files.compressed_segmentation,
    files.compressed_segmentation_of_32_bits,
    files.png,
    files.jpeg,
    files.sharded,
    files.sharded_compressed_segmentation,
    files.gzip_by_cloud_volume,
    files.gzip_channels_by_cloud_volume,
    files.gzip_compressed_segmentation_by_cloud_volume,
    files.plain_by_cloud_volume,
)
NAMES = tuple(writer.__name__.replace("_", "-") for writer in WRITERS)
ENCODINGS = {
    "raw-pyramid": "compressed_segmentation",
    "raw-channels": "raw",
    "floats": "raw",
    "compressed-segmentation": "compressed_segmentation",
    "png": "raw",
    "jpeg": "jpeg",
    "sharded": "compressed_segmentation",
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return {name: tmp_path_factory.mktemp(name) for name in NAMES}


@pytest.fixture(scope="module")
def known(roots):
    found = {}
    for name, writer in zip(NAMES, WRITERS, strict=True):
        (roots[name] / "group/volume").mkdir(parents=True)
        found[name] = writer(roots[name] / "group/volume")
    return found


@pytest.fixture(scope="module")
def url(roots, known):
    with suite_over(roots) as url:
        yield f"{url}/ng"


@pytest.fixture(scope="module")
def http():
    with httpx.Client(timeout=60) as client:
        yield client


def address(url: str, name: str, encoding: str = "") -> str:
    return f"{url}/{name}/group/volume/-{f'/{encoding}' if encoding else ''}"


@pytest.mark.parametrize("name", NAMES)
def test_every_voxel_of_a_store_comes_through_both_readers(url, known, name):
    for index, scale in enumerate(known[name].scales):
        expected = scale.voxels.transpose(3, 2, 1, 0)
        assert np.array_equal(by_tensorstore(address(url, name), index).read().result(), expected)
        volume = CloudVolume(f"precomputed://{address(url, name)}", mip=index, progress=False)
        assert np.array_equal(np.asarray(volume[volume.bounds]), expected)


@settings(max_examples=30)
@given(data=st.data())
def test_any_box_comes_through_as_it_is(url, known, data):
    name = data.draw(st.sampled_from(NAMES))
    scale = data.draw(st.integers(0, len(known[name].scales) - 1))
    facts = known[name].scales[scale]
    shape = facts.voxels.shape[:0:-1]
    low = [data.draw(st.integers(0, extent - 1)) for extent in shape]
    high = [data.draw(st.integers(a + 1, extent)) for a, extent in zip(low, shape, strict=True)]
    cut = tuple(slice(a + o, b + o) for a, b, o in zip(low, high, facts.start, strict=True))
    read = by_tensorstore(address(url, name), scale)[cut].read().result()
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    assert np.array_equal(read, facts.voxels.transpose(3, 2, 1, 0)[inside])


@pytest.mark.parametrize(("name", "encoding"), ENCODINGS.items())
def test_chunks_are_announced_in_the_encoding_that_fits(http, url, name, encoding):
    assert http.get(f"{address(url, name)}/info").json()["scales"][0]["encoding"] == encoding


@pytest.mark.parametrize(
    ("name", "asked"),
    [("raw-channels", ""), ("floats", ""), ("compressed-segmentation", ""), ("png", "png"), ("jpeg", "")],
)
def test_a_chunk_that_the_store_has_so_is_passed_through_byte_for_byte(http, url, roots, name, asked):
    folder = roots[name] / "group/volume"
    chunks = [path for path in folder.rglob("*_*-*") if path.is_file()]
    assert len(chunks) > 4
    for path in chunks:
        chunk = f"{address(url, name, asked)}/{path.parent.name}/{path.name}"
        answer = http.get(chunk, headers={"accept-encoding": "identity"})
        assert answer.content == path.read_bytes()


def test_a_chunk_that_is_stored_compressed_leaves_so_for_who_takes_it_and_plain_for_others(http, url, roots, known):
    name = "gzip-channels-by-cloud-volume"
    path = sorted((roots[name] / "group/volume").rglob("*_*-*.gz"))[0]
    chunk = f"{address(url, name)}/{path.parent.name}/{path.name.removesuffix('.gz')}"
    with http.stream("GET", chunk, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        zipped = b"".join(answer.iter_raw())
    assert zipped == path.read_bytes()
    plain = http.get(chunk, headers={"accept-encoding": "identity"})
    assert plain.content == gzip.decompress(zipped)
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != answer.headers["etag"]
    part = http.get(chunk, headers={"accept-encoding": "gzip", "range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, plain.content[3:10])
    assert "content-encoding" not in part.headers


def test_absent_chunks_are_blank_in_every_encoding_and_never_missing(http, url, known):
    x, y, z = files.ABSENT.start
    a, b, c = files.ABSENT.stop
    for name in NAMES:
        key = http.get(f"{address(url, name)}/info").json()["scales"][0]["key"]
        assert http.get(f"{address(url, name)}/{key}/{x}-{a}_{y}-{b}_{z}-{c}").status_code == 200


@pytest.mark.parametrize("name", ["raw-pyramid", "compressed-segmentation", "png", "sharded-compressed-segmentation"])
def test_an_address_can_ask_for_raw_voxels(http, url, known, name):
    assert {s["encoding"] for s in http.get(f"{address(url, name, 'raw')}/info").json()["scales"]} == {"raw"}
    expected = known[name].scales[0].voxels.transpose(3, 2, 1, 0)
    assert np.array_equal(by_tensorstore(address(url, name, "raw")).read().result(), expected)


@pytest.mark.parametrize(("name", "asked"), [("png", "png"), ("gzip-channels-by-cloud-volume", "png")])
def test_an_address_can_ask_for_pictures_that_lose_nothing(url, known, name, asked):
    expected = known[name].scales[0].voxels.transpose(3, 2, 1, 0)
    assert np.array_equal(by_tensorstore(address(url, name, asked)).read().result(), expected)


def test_an_address_can_ask_for_tables_of_a_store_that_keeps_raw_voxels(url, known):
    expected = known["plain-by-cloud-volume"].scales[0].voxels.transpose(3, 2, 1, 0)
    store = by_tensorstore(address(url, "plain-by-cloud-volume", "compressed_segmentation"))
    assert np.array_equal(store.read().result(), expected)


@pytest.mark.parametrize(
    ("name", "encoding", "words"),
    [
        ("raw-pyramid", "jpeg", "uint8"),
        ("floats", "compressed_segmentation", "float32"),
        ("png", "jpeg", "uint8"),
    ],
)
def test_an_encoding_that_would_change_the_voxels_is_refused_with_the_reason(http, url, name, encoding, words):
    answer = http.get(f"{address(url, name, encoding)}/info")
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_an_encoding_that_nobody_knows_is_not_there(http, url):
    assert http.get(f"{address(url, 'png', 'webp')}/info").status_code == 404


@pytest.fixture(scope="module")
def samples():
    with suite_over({"samples": SAMPLES}) as url:
        yield f"{url}/ng"


def test_an_image_is_jpeg_for_who_asks_for_it_and_nearly_the_same(http, samples):
    plain = by_tensorstore(f"{samples}/samples/fib25/em/-")[1100:1150, 2060:2090, 3010:3040].read().result()
    store = by_tensorstore(f"{samples}/samples/fib25/em/-/jpeg")
    pictured = store[1100:1150, 2060:2090, 3010:3040].read().result()
    difference = np.abs(plain.astype(int) - pictured.astype(int))
    assert 0 < difference.mean() < 6
    volume = CloudVolume(f"precomputed://{samples}/samples/fib25/em/-/jpeg", progress=False)
    assert np.array_equal(np.asarray(volume[1100:1150, 2060:2090, 3010:3040]), pictured)
    chunk = f"{samples}/samples/fib25/em/-/jpeg/10_10_10/1088-1152_2056-2120_3000-3064"
    assert http.get(chunk).headers["content-type"] == "image/jpeg"
    assert http.head(chunk).headers["content-length"] == str(len(http.get(chunk).content))
